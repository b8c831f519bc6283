//! Training, resumable to the bit.
//!
//! [`Engine`] is what trains populations of small networks that are chains of layers. [`train`]
//! minimises any candle graph by AdamW on a one-cycle schedule, as ParsNets does. In both nothing but the parameters, the optimiser's moments and the step's number is carried from step
//! to step: all randomness is keyed by the step ([`crate::rng`]), so a run that goes on from a
//! checkpoint gives the bits of an uninterrupted one.

mod adamw;
mod candle;
mod chain;
mod checkpoint;
mod contract;
mod fused;
mod parallel;
mod penalty;
mod samples;
mod schedule;

pub use adamw::AdamW;
pub use candle::{Candle, Model};
pub use chain::Chain;
pub use checkpoint::Checkpoint;
pub use contract::{Adam, Advance, Engine, Gradient, State, Training};
pub use fused::{Forward, Fused, instruction_set};
pub use parallel::{in_parallel, sequential_algebra, single_threaded};
pub use penalty::Penalty;
pub use samples::{Inputs, Loss, Samples, Targets, draw};
pub use schedule::{OneCycle, Schedule};

use std::path::PathBuf;

use anyhow::{Result, ensure};
use candle_core::Tensor;

use crate::net::Parameters;

/// Where training stands, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Mean loss since the last report.
    pub loss: f32,
    /// Learning rate of the last step.
    pub rate: f32,
}

/// What a progress callback answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Write a checkpoint, where one is wanted, and return.
    Stop,
}

/// How long and how fast to train.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Learning rate over time; its length is the number of steps.
    pub schedule: OneCycle,
    /// Decoupled weight decay, as in `w ← w − lr·decay·w`.
    pub weight_decay: f32,
    /// Steps between calls of the callback.
    pub report_every: usize,
    /// Where to write a checkpoint, and whether to start from it.
    pub checkpoint: Option<CheckpointPlan>,
}

/// When checkpoints are written and read.
#[derive(Clone, Debug)]
pub struct CheckpointPlan {
    /// The safetensors file.
    pub path: PathBuf,
    /// Steps between two writes; one more is written on [`Control::Stop`].
    pub every: usize,
    /// Go on from the file where it exists.
    pub resume: bool,
    /// What the run is; a file that says otherwise is refused. Settings and seed, as JSON.
    pub identity: String,
}

/// How training ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Steps done in all.
    pub step: usize,
    /// Whether the callback stopped it before its last step.
    pub stopped: bool,
    /// (step, mean loss since the one before), one a report of this run.
    pub losses: Vec<(usize, f32)>,
}

/// Minimises `loss(step)`, a scalar of `parameters`, by AdamW.
///
/// # Errors
/// If the loss stops being finite, or a checkpoint cannot be read or written.
pub fn train(
    parameters: &Parameters,
    plan: &Plan,
    mut loss: impl FnMut(usize) -> Result<Tensor>,
    mut callback: impl FnMut(Progress) -> Control,
) -> Result<Outcome> {
    sequential_algebra();
    let steps = plan.schedule.steps;
    let mut optimiser = AdamW::new(parameters, plan.weight_decay);
    let mut step = 0;
    if let Some(c) = plan.checkpoint.as_ref().filter(|c| c.resume && c.path.exists()) {
        step = Checkpoint::read(&c.path)?.restore(parameters, &mut optimiser, &c.identity, &c.path)?;
    }
    let save = |step: usize, optimiser: &AdamW| match &plan.checkpoint {
        Some(c) => Checkpoint::of(parameters, optimiser, step, &c.identity)?.write(&c.path),
        None => Ok(()),
    };
    let mut losses = Vec::new();
    let (mut sum, mut summed) = (0.0, 0);
    while step < steps {
        let rate = plan.schedule.rate(step);
        let value = loss(step)?;
        let gradients = value.backward()?;
        optimiser.step(parameters, &gradients, rate)?;
        let value: f32 = value.to_scalar()?;
        ensure!(
            value.is_finite(),
            "the loss is {value} at step {step} of {steps}: try a learning rate below {}",
            plan.schedule.peak
        );
        (sum, summed, step) = (sum + value, summed + 1, step + 1);
        if step % plan.report_every.max(1) == 0 || step == steps {
            let progress = Progress { step, steps, loss: sum / summed as f32, rate };
            losses.push((step, progress.loss));
            (sum, summed) = (0.0, 0);
            if callback(progress) == Control::Stop && step < steps {
                save(step, &optimiser)?;
                return Ok(Outcome { step, stopped: true, losses });
            }
        }
        if plan.checkpoint.as_ref().is_some_and(|c| c.every > 0 && step % c.every == 0 && step < steps) {
            save(step, &optimiser)?;
        }
    }
    Ok(Outcome { step, stopped: false, losses })
}

#[cfg(test)]
mod tests;
