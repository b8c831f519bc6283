//! `smidgen doctor`: what this machine has, what is missing, and the command that mends it.

use anyhow::Result;
use serde_json::json;
use std::{fs, path::Path, process::Command};

use crate::data::{Source, registry};
use crate::device::{Board, Firmware, probe, qemu_version};
use crate::output::{Output, chain};

/// What was looked at, and what was found or what to do.
type Check = (String, Result<String, String>);

pub fn run(data: &Source, output: Output) -> Result<()> {
    let checks = [rust(), emulators(), firmware(), debug_probes(), data_sets(data)].concat();
    for (name, state) in &checks {
        match state {
            Ok(text) => output.line(format!("  ok  {name}: {text}")),
            Err(text) => output.line(format!("  --  {name}: {text}")),
        }
    }
    let missing = checks.iter().filter(|(_, state)| state.is_err()).count();
    output.line(if missing == 0 {
        "all is there".into()
    } else {
        format!("{missing} of {} are missing", checks.len())
    });
    output.result(json!({ "missing": missing, "checks": checks.iter().map(|(name, state)| json!({
        "name": name, "ok": state.is_ok(), "text": match state { Ok(t) | Err(t) => t },
    })).collect::<Vec<_>>() }));
    Ok(())
}

/// The first line that `program --version` says.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

/// Sorted, each once.
fn distinct(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names.dedup();
    names
}

/// The compiler, at least the version that Cargo.toml asks for, and its targets.
fn rust() -> Vec<Check> {
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    let minor = |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let rustc = match version("rustc") {
        Some(found) if minor(&found) >= minor(wanted) => Ok(found),
        Some(found) => Err(format!("{found} is too old, {wanted} is needed: rustup update stable")),
        None => Err("not found; get it from rustup.rs, firmware is built with it".into()),
    };
    let mut checks = vec![("rustc".into(), rustc)];
    let Ok(installed) = Command::new("rustup").args(["target", "list", "--installed"]).output() else {
        checks.push(("rustup".into(), Err("not found; get it from rustup.rs, it installs the boards' targets".into())));
        return checks;
    };
    let installed = String::from_utf8_lossy(&installed.stdout).into_owned();
    for target in distinct(Board::all().iter().map(|b| b.target.as_str()).collect()) {
        let there = installed.lines().any(|line| line == target);
        let missing = format!("not installed: rustup target add {target}");
        checks.push((format!("target {target}"), if there { Ok("installed".into()) } else { Err(missing) }));
    }
    checks
}

/// QEMU, and the C compiler that its counting plugin is made with.
fn emulators() -> Vec<Check> {
    let programs = distinct(Board::emulated().filter_map(|b| b.machine.as_ref()).map(|m| m.qemu.as_str()).collect());
    let mut checks: Vec<Check> =
        programs.into_iter().map(|p| (p.into(), qemu_version(p).map_err(|error| format!("{error:#}")))).collect();
    let cc = version("cc");
    checks.push((
        "cc (counts instructions)".into(),
        cc.ok_or("not found: sudo apt-get install gcc; without it QEMU's debugger counts instructions, slowly".into()),
    ));
    checks
}

fn firmware() -> Vec<Check> {
    let state = |board: &Board| match &board.machine {
        Some(_) => Firmware::of(board).map(|f| format!("{} bytes of flash", f.flash_bytes)).map_err(|e| chain(&e)),
        // Their HALs take minutes to build the first time.
        None => Ok(match Firmware::there(board) {
            Some(f) => format!("{} bytes of flash", f.flash_bytes),
            None => format!("not built yet; `smidgen flash --board {} --dry-run` builds it", board.name),
        }),
    };
    Board::all().iter().map(|board| (format!("firmware {}", board.name), state(board))).collect()
}

/// What flashing needs.
fn debug_probes() -> Vec<Check> {
    let text = |error: anyhow::Error| chain(&error);
    let version_of_library = probe::version().map_err(text);
    let built_in = version_of_library.is_ok();
    let mut checks = vec![("probe-rs in this program".into(), version_of_library)];
    if !built_in {
        return checks;
    }
    let chips: Vec<&str> = Board::all().iter().filter_map(|board| board.chip.as_deref()).collect();
    let unknown: Vec<String> = chips.iter().filter_map(|name| probe::chip(name).err()).map(text).collect();
    let known = format!("{} of our boards are in its registry", chips.len());
    checks.push(("chips".into(), if unknown.is_empty() { Ok(known) } else { Err(unknown.join("; ")) }));
    checks.push(("udev rules".into(), udev_rules()));
    let probes = probe::probes().map_err(text).and_then(|probes| match probes.is_empty() {
        false => Ok(probes.join(", ")),
        true => Err("none is plugged in; only `flash` without --dry-run needs one".into()),
    });
    checks.push(("debug probe".into(), probes));
    checks.push((
        "probe-rs (the tool)".into(),
        version("probe-rs").ok_or(
            "not found; only `cargo run` in a board's folder needs it, and esp32-c3: cargo install probe-rs-tools --locked"
                .into(),
        ),
    ));
    checks
}

/// Without rules a probe can be opened by root alone.
fn udev_rules() -> Result<String, String> {
    let folders = ["/etc/udev/rules.d", "/lib/udev/rules.d", "/usr/lib/udev/rules.d"];
    if !folders.iter().any(|folder| Path::new(folder).is_dir()) {
        return Ok("this system has no udev".into());
    }
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let found =
        files.map(|file| file.file_name().to_string_lossy().into_owned()).find(|name| name.contains("probe-rs"));
    found.ok_or(
        "none of probe-rs, so only root can open a probe; get 69-probe-rs.rules from probe.rs (Getting Started, Probe Setup), put it into /etc/udev/rules.d, then: sudo udevadm control --reload && sudo udevadm trigger"
            .into(),
    )
}

fn data_sets(data: &Source) -> Vec<Check> {
    let folder = data.folder();
    registry()
        .iter()
        .map(|entry| {
            let state = match (entry.file, &folder) {
                (None, _) => Ok("built in".to_string()),
                (Some(file), Some(dir)) if dir.join(file).is_file() => Ok(format!("{}", dir.join(file).display())),
                (Some(file), _) => {
                    Err(format!("{file} is in no data folder; optional: set SMIDGEN_DATA or give --data-dir"))
                }
            };
            (format!("data {}", entry.name), state)
        })
        .collect()
}
