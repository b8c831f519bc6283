//! `smidgen export RUN`: the run's float graph, quantised, as an artifact.

use anyhow::Result;

use super::verify::SHRINK;
use super::{ExportArgs, Layout};
use crate::compress;
use crate::device::Board;
use crate::family::{Place, find};
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
    let exported = if board.is_some() && layout == compress::Layout::Auto {
        let (exported, factored) = compress::export_factored(&export.graph, &export.inputs, &description, args.error)?;
        for map in factored {
            place.output.line(map.to_string());
        }
        exported
    } else {
        compress::export(&export.graph, &export.inputs, &description)?
    };
    for choice in &exported.choices {
        place.output.line(choice.to_string());
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
