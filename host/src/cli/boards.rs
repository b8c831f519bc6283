//! `smidgen boards`: what a model can run on, and how large the firmware is there.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::DoesNotHold;
use crate::device::{Board, Firmware};
use crate::output::{Output, chain, thousands};

#[derive(Args)]
pub struct BoardsArgs {
    /// Build every board's firmware and set its bytes beside the budget of its board.toml; fails over it
    #[arg(long)]
    sizes: bool,
}

pub fn run(args: &BoardsArgs, output: Output) -> Result<()> {
    if args.sizes {
        return sizes(output);
    }
    let rows: Vec<Vec<String>> = Board::all()
        .iter()
        .map(|b| {
            vec![
                b.name.clone(),
                b.title.clone(),
                b.target.clone(),
                if b.machine.is_some() { "under QEMU" } else { "on a desk" }.into(),
                thousands(b.slots.bytes.into()),
                thousands(b.ram.arena.into()),
            ]
        })
        .collect();
    output.table(&["board", "", "target", "runs", "model bytes", "arena bytes"], &rows);
    output.result(json!({ "boards": Board::all().iter().map(|b| json!({
        "name": b.name, "title": b.title, "core": b.core, "target": b.target,
        "emulated": b.machine.is_some(), "chip": b.chip,
        "slot_bytes": b.slots.bytes, "arena_bytes": b.ram.arena, "ram_bytes": b.ram.length, "flash_bytes": b.flash.length,
    })).collect::<Vec<_>>() }));
    Ok(())
}

/// Flash and RAM of every firmware that can be built here.
fn sizes(output: Output) -> Result<()> {
    let (mut rows, mut all, mut over) = (Vec::new(), Vec::<Value>::new(), Vec::new());
    for board in Board::all() {
        let budget = board.budget.firmware;
        match Firmware::of(board) {
            Ok(firmware) => {
                let (flash, ram) = (firmware.flash_bytes, firmware.static_bytes);
                let left = i64::from(budget) - i64::from(flash);
                if left < 0 {
                    over.push(format!("{} by {} bytes", board.name, thousands(left.unsigned_abs())));
                }
                let left =
                    if left < 0 { format!("−{}", thousands(left.unsigned_abs())) } else { thousands(left as u64) };
                let cells = [flash, budget].map(|n| thousands(n.into()));
                let [flash_cell, budget_cell] = cells;
                rows.push(vec![
                    board.name.clone(),
                    flash_cell,
                    budget_cell,
                    left,
                    thousands(ram.into()),
                    String::new(),
                ]);
                all.push(json!({ "name": board.name, "firmware_bytes": flash, "budget_bytes": budget,
                    "static_bytes": ram, "stack_bytes": board.ram.stack, "why_not": null }));
            }
            Err(error) => {
                let why = chain(&error);
                let dash = || "–".to_string();
                rows.push(vec![board.name.clone(), dash(), thousands(budget.into()), dash(), dash(), why.clone()]);
                all.push(json!({ "name": board.name, "firmware_bytes": null, "budget_bytes": budget,
                    "static_bytes": null, "stack_bytes": board.ram.stack, "why_not": why }));
            }
        }
    }
    output.table(&["board", "firmware bytes", "budget", "left", "static RAM", ""], &rows);
    output.result(json!({ "sizes": all }));
    if over.is_empty() {
        return Ok(());
    }
    Err(DoesNotHold(format!("firmware is over its budget in board.toml: {}", over.join(", "))).into())
}
