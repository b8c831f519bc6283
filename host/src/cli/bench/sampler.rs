//! `smidgen bench sampler`: CPU time of drawing digits by Restart with 75 function evaluations, ours and
//! PyTorch's, and of training the denoiser.
//!
//! Weights, levels and embeddings are handed to the peer in a file; before anything is timed both run
//! Heun's ODE from the same starts, and where that leads is compared.

use anyhow::{Context, Result, ensure};
use cpu_time::ProcessTime;

use super::peer::Peer;
use super::{Measured, Row, SamplerArgs};
use crate::family::{Place, restart::speed::Digits};
use crate::rng::Rng;

/// Starts that are compared.
const COMPARED: usize = 20;
/// Largest difference of a compared value, of data between −1 and 1.
const SAME: f64 = 2e-3;
/// The peer's script.
const SCRIPT: &str = "torch_sampler.py";

/// Measures the row.
pub fn measure(args: &SamplerArgs, place: &Place) -> Result<Measured> {
    let digits = Digits::new()?;
    let n = args.digits;
    let name = format!("{n} digits of 8 × 8 by Restart, {} function evaluations each", digits.evaluations());
    place.output.note(format!("{name}: {} rounds", args.rounds));
    let mut measured = Measured { rows: vec![], absent: vec![], versions: vec![] };
    let mut starts = vec![0f32; COMPARED * 64];
    Rng::new(0, "bench sampler", 0).normals(&mut starts);
    starts.iter_mut().for_each(|v| *v *= 80.0);
    let ends = digits.ends(&starts)?;
    let folder = tempfile::tempdir().context("a folder for the peer's work")?;
    let mut notes = Vec::new();
    let mut theirs: Vec<(String, f64)> = Vec::new();
    let mut peer = match Peer::start(&args.peers, SCRIPT, &digits.work(&starts)?, folder.path()) {
        Ok(mut peer) => {
            measured.versions.push(("PyTorch".into(), peer.version.clone()));
            for way in peer.names.clone() {
                let found = peer.turn(&way, 0)?.losses;
                let largest = ends.iter().zip(&found).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
                ensure!(
                    found.len() == ends.len() && largest <= SAME,
                    "{way} does other work: {} values, {largest:.1e} away from ours at most",
                    found.len()
                );
                notes.push(format!("{way}: Heun's ODE ends within {largest:.0e} of ours"));
                theirs.push((way, f64::INFINITY));
            }
            Some(peer)
        }
        Err(error) => {
            measured.absent.push(("PyTorch".into(), crate::output::chain(&error)));
            None
        }
    };
    let mut best = f64::INFINITY;
    for round in 0..args.rounds as u64 {
        let started = ProcessTime::now();
        digits.draw(n, round)?;
        best = best.min(started.elapsed().as_secs_f64());
        if let Some(peer) = &mut peer {
            for (way, least) in &mut theirs {
                *least = least.min(peer.turn(way, n)?.cpu);
            }
        }
    }
    notes.push(format!("10,000 digits take {:.1} CPU-seconds", best * 10_000.0 / n as f64));
    measured.rows.push(Row { name, ours: best, unit: "CPU s", peers: theirs, notes, work: None });
    Ok(measured)
}
