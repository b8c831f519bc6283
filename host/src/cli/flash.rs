//! `smidgen flash [MODEL.smg] --board BOARD`: firmware and model into a chip, through a debug probe.
//!
//! With `--dry-run` all is done but the write: the chip is looked up in probe-rs's registry, every segment, slot
//! and size is checked against its memory map and the board's budget. No hardware is needed for that.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;

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
        let hint = if plan.over_by > 0 && args.model.is_some() { format!("; {SHRINK}") } else { String::new() };
        return Err(DoesNotHold(format!("{} is not flashed: {}{hint}", board.name, plan.against.join("; "))).into());
    }
    if args.dry_run {
        output.line("it fits; dry run: nothing was written");
        output.result(object);
        return Ok(());
    }
    let mut attached = Attached::open(&chip.name)?;
    let mut segments = plan.segments;
    if cached(&chip) {
        write_by_format(&chip, &firmware)?;
        segments.retain(|segment| segment.what != "firmware");
        for segment in &mut segments {
            segment.address -= u64::from(board.flash.origin);
        }
    }
    write(&mut attached, &segments, output)?;
    attached.start()?;
    output.line(format!("{} is flashed, read back and started", board.name));
    output.result(object);
    if !(args.no_log || output.json || output.quiet) {
        output.line("its log follows; Ctrl-C ends it");
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

/// Espressif's bootloader starts images of a format of its own, which the command-line tool probe-rs writes.
fn write_by_format(chip: &Chip, firmware: &Firmware) -> Result<()> {
    let mut tool = Command::new("probe-rs");
    tool.args(["download", "--chip", &chip.name, "--binary-format", "idf"]).arg(&firmware.path);
    match tool.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("probe-rs, which writes the firmware of {}, ended with {status}", chip.name),
        Err(error) => bail!(
            "the firmware of {} is written by the tool probe-rs, which does not start ({error}); install it from probe.rs, then run this again",
            chip.name
        ),
    }
}
