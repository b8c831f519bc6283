//! Counts beside the cost model: of models that the fit saw, and of models that it has not seen.

pub mod break_even;
pub mod fit;
pub mod golden;

use std::sync::Mutex;

use anyhow::{Context, Result};
use smidgen::counting::{Profile, profile};
use smidgen::device::{Board, Firmware, qemu_version};
use smidgen::infer::core;
use smidgen_shared::cost;

use crate::random::{self, Model};

/// Weights of a random model at most, so that the smallest board holds it.
const WEIGHTS: usize = 40_000;
/// Inputs of each that are counted: what depends on data differs among them.
const INPUTS: usize = 5;
/// Seeds from here on are never fitted to.
pub const UNSEEN: u64 = 1 << 32;

/// The boards that can be counted on here; says which can't, and why.
///
/// # Errors
/// A board.toml without a machine.
pub fn boards() -> Result<Vec<&'static Board>> {
    let mut there = Vec::new();
    for board in Board::emulated() {
        match qemu_version(&board.machine()?.qemu).and_then(|_| Firmware::of(board)) {
            Ok(_) => there.push(board),
            Err(error) => println!("SKIPPED {}: {error:#}", board.name),
        }
    }
    Ok(there)
}

/// Random models of these seeds, counted operator by operator. Those that the board does not hold are left out.
///
/// # Errors
/// Where one does not run, or nothing can be counted.
pub fn profiles(board: &Board, seeds: impl Iterator<Item = u64> + Send) -> Result<Vec<(Model, Profile)>> {
    let queue = Mutex::new(seeds);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    loop {
                        let next = queue.lock().unwrap_or_else(|e| e.into_inner()).next();
                        let Some(seed) = next else { return Ok(()) };
                        let mut model = random::model(seed, WEIGHTS, board);
                        model.inputs.truncate(INPUTS);
                        let arena = model.bytes.artifact()?.arena_bytes() as usize;
                        if board.check_fit(model.bytes.len(), arena, "fewer weights").is_err() {
                            continue;
                        }
                        let profile = profile(board, &model.bytes, &model.inputs)
                            .with_context(|| model.name.clone())?
                            .map_err(anyhow::Error::msg)?;
                        found.lock().unwrap_or_else(|e| e.into_inner()).push((seed, model, profile));
                    }
                })
            })
            .collect();
        workers.into_iter().try_for_each(|w| w.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?)
    })?;
    let mut found = found.into_inner().unwrap_or_else(|e| e.into_inner());
    found.sort_by_key(|(seed, ..)| *seed);
    Ok(found.into_iter().map(|(_, model, profile)| (model, profile)).collect())
}

/// One model on one board: the estimate and the bound beside counts.
pub struct Checked {
    /// The board's name.
    pub board: String,
    /// What was counted.
    pub model: String,
    /// The least and the most of all inputs.
    pub counted: (u64, u64),
    /// What the cost model says.
    pub estimate: u64,
    /// What it says is never exceeded.
    pub bound: u64,
    /// The most of a time step, and its bound.
    pub step: (u64, u64),
}

impl Checked {
    /// Compares.
    ///
    /// # Errors
    /// A core without a cost model.
    pub fn new(board: &Board, name: &str, model: &Model, profile: &Profile) -> Result<Checked> {
        let core = core(&board.core)?;
        let artifact = model.bytes.artifact().map_err(|e| anyhow::anyhow!("{e}"))?;
        let most = |v: &[u64]| v.iter().copied().max().unwrap_or(0);
        Ok(Checked {
            board: board.name.clone(),
            model: name.into(),
            counted: (profile.whole.iter().copied().min().unwrap_or(0), most(&profile.whole)),
            estimate: cost::estimate(&artifact, core).into(),
            bound: cost::instructions(&artifact, core).into(),
            step: (
                most(&profile.steps),
                cost::per_sample(&artifact.manifest().input, artifact.ops().next().as_ref(), core).into(),
            ),
        })
    }

    /// Largest relative difference of the estimate from any input's count.
    pub fn error(&self) -> f64 {
        let off = |count: u64| (self.estimate as f64 - count as f64).abs() / count as f64;
        off(self.counted.0).max(off(self.counted.1))
    }

    /// Whether no input took more than the bounds.
    pub fn holds(&self) -> bool {
        self.counted.1 <= self.bound && self.step.0 <= self.step.1
    }
}

/// `count` models that no fit has seen, on each of `boards`.
///
/// # Errors
/// As [`profiles`].
pub fn check(count: u64, boards: &[&Board]) -> Result<Vec<Checked>> {
    let mut all = Vec::new();
    for board in boards {
        for (model, profile) in profiles(board, UNSEEN..UNSEEN + count)? {
            all.push(Checked::new(board, &model.name, &model, &profile)?);
        }
    }
    Ok(all)
}

/// A line a board: models, largest error, largest count beside its bound; then the models that are off by most.
pub fn table(checked: &[Checked]) -> String {
    let mut lines = vec![
        "| board | models | largest error | mean error | within 2 % | largest count / bound | broken bounds |"
            .to_string(),
        "|---|---:|---:|---:|---:|---:|---:|".to_string(),
    ];
    let mut names: Vec<&str> = checked.iter().map(|c| c.board.as_str()).collect();
    names.dedup();
    for name in names {
        let of: Vec<&Checked> = checked.iter().filter(|c| c.board == name).collect();
        let worst = of.iter().map(|c| c.error()).fold(0.0, f64::max);
        let mean = of.iter().map(|c| c.error()).sum::<f64>() / of.len() as f64;
        let tight = of.iter().map(|c| c.counted.1 as f64 / c.bound as f64).fold(0.0, f64::max);
        lines.push(format!(
            "| {name} | {} | {:.2} % | {:.2} % | {} | {tight:.3} | {} |",
            of.len(),
            100.0 * worst,
            100.0 * mean,
            of.iter().filter(|c| c.error() <= 0.02).count(),
            of.iter().filter(|c| !c.holds()).count(),
        ));
    }
    let mut off: Vec<&Checked> = checked.iter().filter(|c| c.error() > 0.02 || !c.holds()).collect();
    off.sort_by(|a, b| b.error().total_cmp(&a.error()));
    for c in off.iter().take(12) {
        lines.push(format!(
            "{}: {} to {}, estimate {} ({:+.2} %), bound {}; a step {} of {}; {}",
            c.board,
            c.counted.0,
            c.counted.1,
            c.estimate,
            100.0 * c.error(),
            c.bound,
            c.step.0,
            c.step.1,
            c.model
        ));
    }
    lines.join("\n")
}
