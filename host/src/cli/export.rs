//! `smidgen export RUN`: the run's float graph, quantised, as an artifact.

use anyhow::Result;

use super::output::{Output, thousands};
use super::verify::SHRINK;
use super::{Data, ExportArgs, Layout, describe};
use crate::compress::{self, Aligned, Metric, Provenance};
use crate::device::Board;
use crate::report::write_atomic;
use crate::run::{Run, held_out};

pub fn run(args: &ExportArgs, data: &Data, output: Output) -> Result<()> {
    let (run, graph) = Run::read(&args.run)?;
    let dataset = data.load(&run.dataset)?;
    let (_, split) = held_out(&dataset, &run.held_out)?;
    let layout = if args.layout == Layout::Dense { compress::Layout::Dense } else { compress::Layout::Auto };
    let board = args.board.as_deref().map(Board::find).transpose()?;
    let exported = crate::infer::export_as(&graph, &dataset, &split.train, provenance(&run), layout, board)?;
    for choice in &exported.choices {
        output.line(choice.to_string());
    }
    save(&exported.bytes, args, output)
}

/// What an artifact says of its origin.
pub fn provenance(run: &Run) -> Provenance {
    let model = &run.models[run.chosen];
    let metrics = model.metrics.iter().filter_map(|(name, float, int8)| {
        Some(Metric { name: name.clone(), float: *float.first()?, int8: *int8.first()? })
    });
    Provenance {
        dataset: run.dataset.clone(),
        split: run.held_out.clone(),
        seed: run.seed,
        settings: run.settings.clone(),
        metrics: metrics.collect(),
    }
}

fn save(bytes: &Aligned, args: &ExportArgs, output: Output) -> Result<()> {
    let artifact = bytes.artifact()?;
    if let Some(name) = &args.board {
        Board::find(name)?.check_fit(bytes.len(), artifact.arena_bytes() as usize, SHRINK)?;
    }
    write_atomic(&args.output, bytes)?;
    output.line(format!(
        "{}: model {:08x}, {} bytes of flash, {} bytes of arena",
        args.output.display(),
        artifact.hash(),
        thousands(bytes.len() as u64),
        thousands(artifact.arena_bytes().into())
    ));
    output.result(describe(&artifact));
    Ok(())
}
