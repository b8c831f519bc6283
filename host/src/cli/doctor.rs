//! `smidgen doctor`: what this machine has, what is missing, and the command that mends it.

use anyhow::Result;
use serde_json::json;
use std::process::Command;

use crate::data::{Source, registry};
use crate::device::{Board, Firmware, qemu_version};
use crate::output::Output;

pub fn run(data: &Source, output: Output) -> Result<()> {
    let mut checks: Vec<(String, Result<String, String>)> = Vec::new();
    let mut programs: Vec<&str> = Board::all().iter().map(|b| b.machine.qemu.as_str()).collect();
    programs.sort_unstable();
    programs.dedup();
    for program in programs {
        checks.push((program.into(), qemu_version(program).map_err(|e| format!("{e:#}"))));
    }
    let installed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    match installed {
        Ok(installed) => {
            let installed = String::from_utf8_lossy(&installed.stdout).into_owned();
            let mut targets: Vec<&str> = Board::all().iter().map(|b| b.target.as_str()).collect();
            targets.sort_unstable();
            targets.dedup();
            for target in targets {
                let there = installed.lines().any(|line| line == target);
                let missing = format!("not installed: rustup target add {target}");
                checks.push((format!("target {target}"), if there { Ok("installed".into()) } else { Err(missing) }));
            }
        }
        Err(_) => {
            checks.push(("rustup".into(), Err("not found; get it from rustup.rs, boards are built with it".into())))
        }
    }
    for board in Board::all() {
        let state =
            Firmware::of(board).map(|f| format!("{} bytes of flash", f.flash_bytes)).map_err(|e| super::chain(&e));
        checks.push((format!("firmware {}", board.name), state));
    }
    let cc = Command::new("cc").arg("--version").output().ok().filter(|o| o.status.success());
    let cc = cc.and_then(|o| String::from_utf8_lossy(&o.stdout).lines().next().map(str::to_owned));
    checks.push((
        "cc (counts instructions)".into(),
        cc.ok_or("not found: sudo apt-get install gcc; without it instructions are not counted".into()),
    ));
    for entry in registry() {
        let state = match (entry.file, data.folder()) {
            (None, _) => Ok("built in".to_string()),
            (Some(file), Some(dir)) if dir.join(file).is_file() => Ok(format!("{}", dir.join(file).display())),
            (Some(file), _) => {
                Err(format!("{file} is in no data folder; optional: set SMIDGEN_DATA or give --data-dir"))
            }
        };
        checks.push((format!("data {}", entry.name), state));
    }
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
