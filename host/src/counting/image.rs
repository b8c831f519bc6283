//! Counts of an image that is no firmware of ours: it marks one stretch, and says nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::device::{Board, Counts, Firmware, count_arguments};

/// How long an inference may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Instructions of the stretch `finish` of `elf`, which must have passed through `push` once before: its
/// own word that its scores are the ones expected.
///
/// # Errors
/// Where it does not run, or has other scores.
pub fn count_image(board: &Board, elf: &Path) -> Result<u64> {
    let machine = board.machine()?;
    let folder = tempfile::tempdir().context("no folder for temporary files")?;
    let file = folder.path().join("counts");
    let mut child = Command::new(&machine.qemu)
        .args(&machine.arguments)
        .args(["-display", "none", "-monitor", "none", "-serial", "none", "-kernel"])
        .arg(elf)
        .args(count_arguments(&machine.qemu, &Firmware::read(board, elf)?, &file)?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} does not start", machine.qemu))?;
    let deadline = Instant::now() + PATIENCE;
    let mut counts = Counts::default();
    while counts.finish.is_empty() && Instant::now() < deadline && child.try_wait()?.is_none() {
        std::thread::sleep(Duration::from_millis(10));
        counts = Counts::read(&file).unwrap_or_default();
    }
    let _ = child.kill();
    let _ = child.wait();
    let count = counts.finish.first().copied().context("it does not come to an end")?;
    ensure!(counts.push.len() == 1, "its scores are not ours");
    Ok(count)
}
