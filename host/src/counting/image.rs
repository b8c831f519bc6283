//! Counts of an image that is no firmware of ours: it marks one stretch, and says nothing.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::device::{Board, Counts, Firmware, count_arguments};

/// How long an inference may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long QEMU may take to save a word of its memory.
const SAVE: Duration = Duration::from_secs(5);

/// What an image took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Executed instructions of the stretch `finish`.
    pub instructions: u64,
    /// What stands in its variable `smidgen_mark_stack_bytes`, if there is one.
    pub stack_bytes: Option<u32>,
}

/// Counts the stretch `finish` of `elf`, which must have passed through `push` once before: its own word that its scores
/// are the ones expected.
///
/// # Errors
/// Where it does not run, or has other scores.
pub fn count_image(board: &Board, elf: &Path) -> Result<Counted> {
    let machine = board.machine()?;
    let image = Firmware::read(board, elf)?;
    let folder = tempfile::tempdir().context("no folder for temporary files")?;
    let (file, monitor) = (folder.path().join("counts"), folder.path().join("monitor"));
    let mut child = Command::new(&machine.qemu)
        .args(&machine.arguments)
        .args(["-display", "none", "-serial", "none", "-monitor"])
        .arg(format!("unix:{},server=on,wait=off", monitor.display()))
        .arg("-kernel")
        .arg(elf)
        .args(count_arguments(&machine.qemu, &image, &file)?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} does not start", machine.qemu))?;
    let deadline = Instant::now() + PATIENCE;
    let mut counts = Counts::default();
    let mut run = || -> Result<Option<u32>> {
        while counts.finish.is_empty() && Instant::now() < deadline && child.try_wait()?.is_none() {
            std::thread::sleep(Duration::from_millis(10));
            counts = Counts::read(&file).unwrap_or_default();
        }
        match image.markers.get("stack_bytes") {
            Some(&at) if !counts.finish.is_empty() => Ok(Some(word(&monitor, at, &folder.path().join("word"))?)),
            _ => Ok(None),
        }
    };
    let stack_bytes = run();
    let ended = child.try_wait()?.is_some();
    // Both may fail only because it has ended meanwhile.
    let _ = child.kill();
    let _ = child.wait();
    let stack_bytes = stack_bytes?;
    let instructions = counts.finish.first().copied().with_context(|| match ended {
        true => "the core locks up before the end, as it does where the stack leaves the RAM",
        false => "it does not come to an end",
    })?;
    ensure!(counts.push.len() == 1, "its scores are not those expected");
    Ok(Counted { instructions, stack_bytes })
}

/// The word at `at` of a running machine's memory.
fn word(monitor: &Path, at: u64, file: &Path) -> Result<u32> {
    let mut monitor = UnixStream::connect(monitor).context("QEMU's monitor does not answer")?;
    // In quotes: else the path's slash would be taken for a division.
    monitor.write_all(format!("memsave {at:#x} 4 \"{}\"\n", file.display()).as_bytes())?;
    let deadline = Instant::now() + SAVE;
    while Instant::now() < deadline {
        if let Ok(bytes) = std::fs::read(file)
            && let Ok(bytes) = bytes.try_into()
        {
            return Ok(u32::from_le_bytes(bytes));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    anyhow::bail!("QEMU does not say what stands at {at:#x}")
}
