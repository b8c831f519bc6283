//! `smidgen export RUN`: the run's float graph, quantised, as an artifact.

use anyhow::Result;

use super::ExportArgs;
use super::verify::SHRINK;
use crate::compress;
use crate::device::Board;
use crate::family::{Place, find};
use crate::infer::description;
use crate::inspect::describe;
use crate::output::thousands;
use crate::report::write_atomic;
use crate::run::family_of;

pub fn run(args: &ExportArgs, place: &Place) -> Result<()> {
    let export = find(&family_of(&args.run)?)?.export(&args.run, place)?;
    let bytes = compress::export(&export.graph, &export.inputs, &description(export.provenance)?)?;
    let artifact = bytes.artifact()?;
    if let Some(name) = &args.board {
        Board::find(name)?.check_fit(bytes.len(), artifact.arena_bytes() as usize, SHRINK)?;
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
