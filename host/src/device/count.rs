//! Exact counts of executed instructions between the firmware's markers, by a plugin for QEMU (icount.c).
//!
//! The plugin is compiled with `cc` when first needed and kept in a cache. Without `cc` the debugger counts
//! ([`Steps`](super::step)), slower.

use super::Firmware;
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const SOURCE: &str = include_str!("icount.c");

/// The stretches that are counted: the name, and the markers `NAME_start` and `NAME_stop`.
const REGIONS: [&str; 2] = ["finish", "push"];

/// Instructions of every measured stretch, in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// From the last time step to the scores: one a run.
    pub finish: Vec<u64>,
    /// Taking in one time step: one a step.
    pub push: Vec<u64>,
}

impl Counts {
    /// Reads what the plugin wrote; a last line that is cut off is left out.
    pub fn read(file: &Path) -> Result<Counts> {
        let text = fs::read_to_string(file).with_context(|| format!("{}: the counts are not there", file.display()))?;
        let mut counts = Counts::default();
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match line.split_once(' ').and_then(|(name, count)| Some((name, count.parse().ok()?))) {
                Some(("finish", count)) => counts.finish.push(count),
                Some(("push", count)) => counts.push.push(count),
                _ => bail!("{}: {line:?} is not a count", file.display()),
            }
        }
        Ok(counts)
    }
}

/// QEMU's arguments that load the plugin for this firmware and have it write to `out`.
pub fn arguments(qemu: &str, firmware: &Firmware, out: &Path) -> Result<Vec<String>> {
    let plugin = plugin(qemu)?;
    let mut argument = format!("{},out={}", plugin.display(), out.display());
    for (region, start, stop) in stretches(firmware)? {
        argument += &format!(",region={region}:{start:x}:{stop:x}");
    }
    Ok(vec!["-plugin".into(), argument])
}

/// Every stretch's name and the addresses of its markers.
pub fn stretches(firmware: &Firmware) -> Result<Vec<(&'static str, u64, u64)>> {
    let marker = |region: &str, end: &str| {
        let name = format!("{region}_{end}");
        let address = firmware.markers.get(&name).copied();
        address.with_context(|| format!("{}: no function smidgen_mark_{name}", firmware.path.display()))
    };
    REGIONS.iter().map(|&region| Ok((region, marker(region, "start")?, marker(region, "stop")?))).collect()
}

/// The compiled plugin for this QEMU.
///
/// # Errors
/// Where there is no compiler, or QEMU takes no plugins.
pub fn plugin(qemu: &str) -> Result<PathBuf> {
    let api = plugin_api(&super::qemu::version(qemu)?)?;
    let cache = cache_folder()?;
    let digest = Sha256::digest(SOURCE.as_bytes());
    let name: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let library = cache.join(format!("icount-{name}-api{api}.so"));
    if library.is_file() {
        return Ok(library);
    }
    // Compiled under a name of our own, then moved: two processes may do this at the same time.
    let work = tempfile::tempdir_in(&cache).with_context(|| format!("{} cannot be written", cache.display()))?;
    let (source, made) = (work.path().join("icount.c"), work.path().join("icount.so"));
    fs::write(&source, SOURCE)?;
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(&compiler)
        .args(["-shared", "-fPIC", "-O2", &format!("-DSMIDGEN_PLUGIN_API={api}"), "-o"])
        .args([&made, &source])
        .output()
        .with_context(|| format!("{compiler}, which compiles the instruction counter, does not start; install gcc"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{compiler} refuses the instruction counter: {}",
        errors.lines().next().unwrap_or("")
    );
    fs::rename(&made, &library)?;
    Ok(library)
}

/// The plugin API of a QEMU, from the first line of `--version`: 1 up to QEMU 8, 2 from QEMU 9 on
/// (which still takes plugins made for 2).
fn plugin_api(version: &str) -> Result<u32> {
    let major: u32 = version
        .split_whitespace()
        .find_map(|word| word.split_once('.')?.0.parse().ok())
        .with_context(|| format!("{version:?} does not say which QEMU it is"))?;
    ensure!(major >= 5, "QEMU {major} takes no plugins");
    Ok(if major <= 8 { 1 } else { 2 })
}

fn cache_folder() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))
        .unwrap_or_else(env::temp_dir);
    let folder = base.join("smidgen");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_api_follows_the_version() {
        assert_eq!(plugin_api("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)").unwrap(), 1);
        assert_eq!(plugin_api("QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0ubuntu1)").unwrap(), 1);
        assert_eq!(plugin_api("QEMU emulator version 9.0.0").unwrap(), 2);
        assert_eq!(plugin_api("QEMU emulator version 10.1.0").unwrap(), 2);
        assert!(plugin_api("QEMU emulator version 4.2.1").is_err());
        assert!(plugin_api("something else").is_err());
    }

    #[test]
    fn counts_are_read_and_a_cut_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("counts");
        fs::write(&file, "push 30\npush 31\nfinish 5000\npush 3").unwrap();
        assert_eq!(Counts::read(&file).unwrap(), Counts { finish: vec![5000], push: vec![30, 31] });
        fs::write(&file, "push thirty\n").unwrap();
        assert!(Counts::read(&file).is_err());
    }
}
