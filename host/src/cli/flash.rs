//! `smidgen flash [MODEL.smg] --board BOARD`: firmware and model into a chip, through a debug probe.
//!
//! With `--dry-run` all is done but the write: the chip is looked up in probe-rs's registry, every segment, slot
//! and size is checked against its memory map and the board's budget. No hardware is needed for that.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::{fs, process::Command};

use super::verify::SHRINK;
use super::{DoesNotHold, read_model};
use crate::device::probe::{self, Attached, Step};
use crate::device::{Board, Chip, Firmware, Plan, Segment, cached};
use crate::output::{Output, thousands};

#[derive(Args)]
pub struct FlashArgs {
    /// The artifact [default: the firmware alone is written, slots stay as they are]
    model: Option<PathBuf>,
    /// The board
    #[arg(long)]
    board: String,
    /// Do everything but the write; needs no hardware
    #[arg(long)]
    dry_run: bool,
    /// Do not stay for the board's log
    #[arg(long)]
    no_log: bool,
}

pub fn run(args: &FlashArgs, output: Output) -> Result<()> {
    let board = Board::find(&args.board)?;
    let name = board.chip.as_deref().with_context(|| {
        let real: Vec<&str> = Board::all().iter().filter(|b| b.chip.is_some()).map(|b| b.name.as_str()).collect();
        format!("{} is emulated: there is no chip to flash; chips are on {}", board.name, real.join(", "))
    })?;
    let chip = probe::chip(name)?;
    let model = args.model.as_deref().map(read_model).transpose()?;
    let arena = model.as_ref().map(|model| model.artifact().map(|a| a.arena_bytes())).transpose()?;
    let firmware = Firmware::of(board)?;
    let plan = Plan::new(board, &chip, &firmware, model.as_deref().zip(arena))?;
    show(board, &chip, &plan, output);
    let object = json!({
        "board": board.name, "chip": chip.name, "fits": plan.fits(),
        "segments": plan.segments.iter().map(|s| json!({ "address": s.address, "bytes": s.bytes.len() })).collect::<Vec<_>>(),
        "over_by_bytes": plan.over_by, "against": plan.against,
    });
    if !plan.fits() {
        output.result(object);
        let model_is_over = plan.against.iter().any(|line| line.starts_with("the model"));
        let hint = if model_is_over { format!("; {SHRINK}") } else { String::new() };
        return Err(DoesNotHold(format!("{} is not flashed: {}{hint}", board.name, plan.against.join("; "))).into());
    }
    if args.dry_run {
        output.line("it fits; dry run: nothing was written");
        output.result(object);
        return Ok(());
    }
    let logs = !(args.no_log || output.json || output.quiet);
    let log_follows = "its log follows; Ctrl-C ends it";
    if cached(&chip) {
        write_by_tool(board, &chip, &firmware, &plan.segments)?;
        output.line(format!("{} is flashed and started", board.name));
        output.result(object);
        if logs {
            output.line(log_follows);
            tool(&chip, &["attach"], Some(&firmware.path))?;
        }
        return Ok(());
    }
    let mut attached = Attached::open(&chip.name)?;
    write(&mut attached, &plan.segments, output)?;
    attached.start()?;
    output.line(format!("{} is flashed, read back and started", board.name));
    output.result(object);
    if logs {
        output.line(log_follows);
        attached.log(&firmware.path, &mut |line| {
            output.line(line);
            true
        })?;
    }
    Ok(())
}

fn show(board: &Board, chip: &Chip, plan: &Plan, output: Output) {
    let bytes = |memories: &[std::ops::Range<u64>]| thousands(memories.iter().map(|m| m.end - m.start).sum());
    output.line(format!(
        "{} with {}: {} bytes of flash, {} of RAM\n",
        board.name,
        chip.name,
        bytes(&chip.flash),
        bytes(&chip.ram)
    ));
    let rows: Vec<Vec<String>> = plan
        .segments
        .iter()
        .map(|s| vec![format!("{:#010x}", s.address), thousands(s.bytes.len() as u64), s.what.into()])
        .collect();
    output.table(&["address", "bytes", "what"], &rows);
    output.line("");
}

fn write(attached: &mut Attached, segments: &[Segment], output: Output) -> Result<()> {
    let bar = output.bar(0, "flash");
    let mut last = None;
    attached.write(segments, &mut |step, done, total| {
        if last != Some(step) {
            bar.set_prefix(match step {
                Step::Erase => "erase",
                Step::Write => "write",
                Step::Verify => "read back",
            });
            last = Some(step);
        }
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// Espressif's chips: the command-line tool probe-rs has them, and the image format of their bootloader.
fn write_by_tool(board: &Board, chip: &Chip, firmware: &Firmware, segments: &[Segment]) -> Result<()> {
    tool(chip, &["download", "--verify", "--binary-format", "idf"], Some(&firmware.path))?;
    let folder = tempfile::tempdir().context("no folder for temporary files")?;
    for segment in segments.iter().filter(|segment| segment.what != "firmware") {
        let file = folder.path().join(segment.what);
        fs::write(&file, &segment.bytes).with_context(|| format!("{} cannot be written", file.display()))?;
        let at = format!("{:#x}", segment.address - u64::from(board.flash.origin));
        tool(chip, &["download", "--verify", "--binary-format", "bin", "--base-address", &at], Some(&file))?;
    }
    tool(chip, &["reset"], None)
}

fn tool(chip: &Chip, arguments: &[&str], file: Option<&Path>) -> Result<()> {
    let mut tool = Command::new("probe-rs");
    // Its own words are for a reader: standard output has our JSON alone.
    tool.args(arguments).args(["--chip", &chip.name]).args(file).stdout(std::io::stderr());
    match tool.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("probe-rs {}, which reaches {}, ended with {status}", arguments[0], chip.name),
        Err(error) => bail!(
            "{} is reached by the tool probe-rs, which does not start ({error}); cargo install probe-rs-tools --locked, then run this again",
            chip.name
        ),
    }
}
