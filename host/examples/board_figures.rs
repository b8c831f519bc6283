//! Artifacts on every emulated board: whether the bits are the host's, and executed instructions.
//!
//! `cargo run --release -p smidgen --example board_figures -- SAMPLES MODEL.smg…`, with `SMIDGEN_DATA`
//! where the models' held-out samples need it.

use anyhow::{Context, Result, bail};
use smidgen::compress::Aligned;
use smidgen::data::Source;
use smidgen::device::Board;
use smidgen::family::{Place, find};
use smidgen::output::Output;
use smidgen::verify::{compare, count, start};
use smidgen_shared::artifact::Provenance;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let samples: usize = arguments.next().context("SAMPLES MODEL.smg…")?.parse()?;
    let place = Place { output: Output::default(), data: Source::default(), threads: 1 };
    println!("| model | board | samples | identical | instructions | a value | bytes |");
    println!("|---|---|---:|---|---:|---:|---:|");
    for path in arguments {
        let model = Aligned::new(&std::fs::read(&path)?);
        let artifact = model.artifact()?;
        let manifest = artifact.manifest();
        let provenance: Provenance = postcard::from_bytes(manifest.provenance)?;
        let held = find(manifest.family)?.samples(&provenance, None, &place)?.spread(samples);
        for board in Board::emulated() {
            if board.check_fit(model.len(), artifact.arena_bytes() as usize, "").is_err() {
                println!("| {path} | {} | – | does not fit | – | – | {} |", board.name, model.len());
                continue;
            }
            let mut device = start(board, &model)?;
            let verified = compare(&mut device, &model, &held.inputs, |_| {})?;
            drop(device);
            if let Some(d) = verified.first_difference {
                bail!("{path} on {}: operator {} differs", board.name, d.operator);
            }
            let counts = count(board, &model, &held.inputs[..held.inputs.len().min(2)])?.map_err(anyhow::Error::msg)?;
            let most = |v: &[u64]| v.iter().max().copied().unwrap_or(0);
            println!(
                "| {path} | {} | {} | yes | {} | {} | {} |",
                board.name,
                verified.samples,
                most(&counts.finish),
                most(&counts.push),
                model.len()
            );
        }
    }
    Ok(())
}
