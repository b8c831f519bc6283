//! `smidgen export RUN`: the run's float graph, quantised, as an artifact.

use anyhow::Result;

use super::verify::SHRINK;
use super::{ExportArgs, Layout};
use crate::compress::{self, Choice, Factored};
use crate::device::Board;
use crate::family::{Place, find};
use crate::graph::{Graph, Node, Op};
use crate::infer::description;
use crate::inspect::describe;
use crate::output::thousands;
use crate::report::write_atomic;
use crate::run::family_of;

pub fn run(args: &ExportArgs, place: &Place) -> Result<()> {
    let mut export = find(&family_of(&args.run)?)?.export(&args.run, place)?;
    if !args.without.is_empty() {
        export.graph = export.graph.without(&args.without)?;
        // They were measured with all classes.
        export.provenance.metrics.clear();
    }
    let layout = if args.layout == Layout::Dense { compress::Layout::Dense } else { compress::Layout::Auto };
    let board = args.board.as_deref().map(Board::find).transpose()?;
    let description =
        compress::Description { sampler: export.sampler, ..description(export.provenance, layout, board)? };
    let (exported, factored) = match board {
        Some(_) if layout == compress::Layout::Auto => {
            compress::export_factored(&export.graph, &export.inputs, &description, args.error)?
        }
        _ => (compress::export(&export.graph, &export.inputs, &description)?, Vec::new()),
    };
    if let Some(board) = board.filter(|_| layout == compress::Layout::Auto) {
        place.output.line(format!(
            "matrices for {} ({}): full and dense, unless something else saves instructions and costs no more bytes; a lower rank may bring an error of {} % of the outputs:",
            board.name,
            board.core,
            100.0 * args.error
        ));
    }
    for line in explained(&export.graph, &factored, &exported.choices, board.is_some()) {
        place.output.line(format!("  {line}"));
    }
    let mut bytes = exported.bytes;
    if let Some(key) = &args.sign {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |t| t.as_secs());
        let counter = args.counter.unwrap_or(now.try_into().unwrap_or(u32::MAX));
        compress::sign(&mut bytes, &super::keygen::read(key)?, counter)?;
    }
    let artifact = bytes.artifact()?;
    if let Some(board) = board {
        board.check_fit(bytes.len(), artifact.arena_bytes() as usize, SHRINK)?;
    }
    write_atomic(&args.output, &bytes)?;
    place.output.line(format!(
        "{}: model {:08x}, {} bytes of flash, {} bytes of arena",
        args.output.display(),
        artifact.hash(),
        thousands(bytes.len() as u64),
        thousands(artifact.arena_bytes().into())
    ));
    place.output.result(describe(&artifact));
    Ok(())
}

/// A line for every matrix: how it is stored and why; without a board of those alone that have zeros.
fn explained(graph: &Graph, factored: &[Factored], choices: &[Choice], all: bool) -> Vec<String> {
    let line = |node: &Node| {
        if let Some(choice) = choices.iter().find(|choice| choice.node == node.name) {
            return Some(choice.to_string());
        }
        if let Some(map) = factored.iter().find(|map| map.node == node.name) {
            return Some(map.to_string());
        }
        let shape = |rows: usize, cols: usize| format!("{} ({cols} → {rows})", node.name);
        let kept = match &node.op {
            Op::Dense { w, relu: true, .. } => {
                format!("{}: full: ReLU follows, and lower ranks are tried of plain maps alone", shape(w.rows, w.cols))
            }
            Op::Dense { w, .. } => format!("{}: full", shape(w.rows, w.cols)),
            Op::LowRank { v, u, .. } => format!("{}: rank {}, as trained", shape(u.rows, v.cols), v.rows),
            Op::Gate { w, keep, .. } => {
                format!("{}: full, as trained: it chooses the {keep} bases that run", shape(w.rows, w.cols))
            }
            Op::Mix { v, u, .. } => {
                let (base, count) = (&u.first()?.0, u.len());
                let input = v.as_ref().and_then(|v| v.first()).map_or(base.cols, |v| v.0.cols);
                format!("{}: {count} maps of rank {}, as trained", shape(base.rows, input), base.cols)
            }
            Op::Match { rows, .. } => format!("{}: full, as given: a row for each class", shape(rows.rows, rows.cols)),
            _ => return None,
        };
        all.then_some(kept)
    };
    graph.nodes.iter().filter_map(line).collect()
}
