//! From which density on a sparse matrix is stored dense, core by core: 256 × 256, random zeros, as the exporter chooses
//! by the cost model, both layouts counted at the last density that is stored sparse.

use anyhow::{Context, Result};
use smidgen::compress::{Aligned, Layout, export};
use smidgen::device::Board;
use smidgen::infer::description;
use smidgen::verify::count;

use super::fit::BOARDS;
use crate::pruned_mlp;

/// Rows and columns.
const SIZE: usize = 256;
/// Inputs that calibrate, and of which the first is counted.
const INPUTS: usize = 8;

/// A table, a line a core.
///
/// # Errors
/// Where a board can't be counted on.
pub fn table() -> Result<String> {
    let mut lines = vec![
        "| board | sparse up to | as | instructions | as dense | bytes | as dense |".to_string(),
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |".to_string(),
    ];
    for (_, name, _) in BOARDS {
        let board = Board::find(name)?;
        let model = |percent: usize, layout: Layout| {
            let (graph, inputs) = pruned_mlp(&[SIZE, SIZE], percent as f32 / 100.0, 7, INPUTS);
            let description = smidgen::compress::Description {
                layout,
                ..description(Default::default(), Default::default(), Some(board))?
            };
            let raw: Vec<i16> = inputs[0].iter().map(|&v| v as i16).collect();
            anyhow::Ok((export(&graph, &inputs, &description)?, raw))
        };
        let mut last = None;
        for percent in 1..100 {
            let (exported, _) = model(percent, Layout::Auto)?;
            let Some(choice) = exported.choices.into_iter().find(|choice| choice.chosen.layout.is_some()) else {
                break;
            };
            last = Some((percent, choice.chosen.name(), exported.bytes));
        }
        let Some((percent, layout, sparse)) = last else {
            lines.push(format!("| {name} | 0 | dense | | | | |"));
            continue;
        };
        let (dense, input) = model(percent, Layout::Dense)?;
        let counted = |model: &Aligned| -> Result<u64> {
            let counts = count(board, model, std::slice::from_ref(&input))?.map_err(anyhow::Error::msg)?;
            counts.finish.first().copied().context("nothing was counted")
        };
        lines.push(format!(
            "| {name} | {percent} % | {layout} | {} | {} | {} | {} |",
            counted(&sparse)?,
            counted(&dense.bytes)?,
            sparse.len(),
            dense.bytes.len()
        ));
    }
    Ok(lines.join("\n"))
}
