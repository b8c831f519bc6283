//! `smidgen boards`: what a model can run on.

use anyhow::Result;
use serde_json::json;

use crate::device::Board;
use crate::output::{Output, thousands};

pub fn run(output: Output) -> Result<()> {
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
