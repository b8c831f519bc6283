//! Denoising score matching by the fused engine.
//!
//! A step draws `batch` samples, a noise level for each, and noise; F learns `(y − c_skip·x)/c_out`, x = y
//! + σz. What is kept is the running mean of the weights, `w̄ ← βw̄ + (1 − β)w`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::denoiser::{Denoiser, Shape};
use super::edm::{Levels, Precondition};
use super::set::Set;
use crate::engine::{Adam, Fused, Inputs, Loss, Samples, Schedule, State, Targets, Training};
use crate::population::{self, Outcome, Saved, Standing, Watch, Work};
use crate::rng::Rng;

/// How a denoiser is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Steps of Adam.
    pub steps: usize,
    /// Samples a step.
    pub batch: usize,
    /// Largest learning rate.
    pub rate: f64,
    /// Whether the rate rises over the first tenth of the steps before it falls along a cosine.
    pub warm_up: bool,
    /// β of the weights' running mean.
    pub mean: f64,
    /// Noise levels.
    pub levels: Levels,
}

/// One denoiser that is to be trained.
#[derive(Clone, Debug)]
pub struct Task {
    /// What it learns.
    pub set: Arc<Set>,
    /// Its shape.
    pub shape: Shape,
    /// How.
    pub recipe: Recipe,
    /// Seed of initial weights, batches and noise.
    pub seed: u64,
}

/// Steps between two looks at a member.
const STRETCH: usize = 50;
/// Time between two writes of the checkpoint.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// A denoiser in training.
pub struct Model {
    engine: Fused<f32>,
    /// w̄
    mean: Vec<f32>,
    /// Running mean of the loss, and of how much of it there is.
    loss: f64,
}

/// A trained denoiser with its loss.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The denoiser, of mean weights.
    pub denoiser: Denoiser,
    /// Mean loss of the last hundreds of steps.
    pub loss: f64,
}

/// Trains `tasks`, one a thread at a time.
///
/// # Errors
/// A stop that was asked for, a checkpoint that does not fit, or a training that failed.
pub fn train(tasks: &[Task], run: &population::Run, watch: &Watch) -> Result<Vec<Trained>> {
    let outcomes = population::train(&Tasks(tasks), tasks.len(), run, watch)?;
    let each = outcomes.into_iter().zip(tasks).map(|(outcome, task)| match outcome {
        Outcome::Done(model) => {
            let denoiser = Denoiser { shape: task.shape.clone(), parameters: model.mean };
            Ok(Trained { denoiser, loss: model.loss })
        }
        Outcome::Failed { step, reason } => anyhow::bail!("seed {}, step {step}: {reason}", task.seed),
    });
    each.collect()
}

/// How denoisers are trained without a checkpoint.
pub fn unsaved(threads: usize) -> population::Run {
    population::Run { threads, checkpoint: None, resume: false, identity: String::new(), every: SAVE_EVERY }
}

/// How denoisers are trained that can be gone on with.
pub fn saved(threads: usize, folder: &std::path::Path, resume: bool, identity: String) -> population::Run {
    let checkpoint = Some(folder.join("population.safetensors"));
    population::Run { threads, checkpoint, resume, identity, every: SAVE_EVERY }
}

pub(super) struct Tasks<'t>(pub &'t [Task]);

impl Tasks<'_> {
    fn fresh(&self, index: usize) -> Result<Fused<f32>> {
        let Task { shape, recipe, seed, .. } = &self.0[index];
        let zeros = |width: usize| vec![0.0; recipe.batch * width];
        let samples = Samples {
            inputs: Inputs::Values { width: shape.inputs(), data: zeros(shape.inputs()) },
            targets: Targets::Values { width: shape.dim, data: zeros(shape.dim) },
        };
        let rate = match recipe.warm_up {
            true => Schedule::OneCycle { steps: recipe.steps, peak: recipe.rate },
            false => Schedule::Cosine { start: recipe.rate, end: 0.0, steps: recipe.steps },
        };
        let training =
            Training { steps: recipe.steps, rate, adam: Adam::default(), loss: Loss::MeanSquare, batch: None };
        Fused::new(&shape.network()?, Arc::new(samples), training, *seed)
    }
}

/// Writes the batch of `step`: inputs `[c_in·x, emb(σ), one-hot]`, targets `(y − c_skip·x)/c_out`.
pub fn fill(task: &Task, step: usize, samples: &mut Samples<f32>) {
    let Task { set, shape, recipe, seed } = task;
    let (Inputs::Values { data: inputs, .. }, Targets::Values { data: targets, .. }) =
        (&mut samples.inputs, &mut samples.targets)
    else {
        return;
    };
    let mut rng = Rng::new(*seed, "denoising", step as u64);
    let mut noise = vec![0.0; shape.dim];
    for (input, target) in inputs.chunks_exact_mut(shape.inputs()).zip(targets.chunks_exact_mut(shape.dim)) {
        let i = rng.below(set.len());
        let sigma = recipe.levels.draw(&mut rng);
        rng.normals(&mut noise);
        let c = Precondition::at(sigma, shape.deviation);
        let (skip, scale, inward, sigma_x) = (c.skip as f32, (1.0 / c.out) as f32, c.input as f32, sigma as f32);
        for (((input, target), y), z) in input.iter_mut().zip(target).zip(set.row(i)).zip(&noise) {
            let x = y + sigma_x * z;
            *input = inward * x;
            *target = (y - skip * x) * scale;
        }
        let rest = &mut input[shape.dim..];
        let embedding = shape.embedding.at(sigma);
        rest[..embedding.len()].copy_from_slice(&embedding);
        for (class, one) in rest[embedding.len()..].iter_mut().enumerate() {
            *one = f32::from(u8::from(usize::from(set.labels[i]) == class));
        }
    }
}

impl Work for Tasks<'_> {
    type Model = Model;

    fn start(&self, index: usize) -> Result<Model> {
        let engine = self.fresh(index)?;
        Ok(Model { mean: engine.at().parameters.clone(), engine, loss: f64::NAN })
    }

    fn advance(&self, index: usize, model: &mut Model) -> Result<Standing> {
        let task = &self.0[index];
        let (steps, beta) = (task.recipe.steps, task.recipe.mean as f32);
        for _ in 0..STRETCH.min(steps - model.engine.at().step) {
            model.engine.refill(|step, samples| fill(task, step, samples))?;
            let advance = model.engine.run(1);
            ensure!(advance.failed.is_none(), "the loss is not finite; a lower rate may help");
            model.loss = if model.loss.is_nan() { advance.last } else { 0.995 * model.loss + 0.005 * advance.last };
            // Early on the mean would be of initial weights: its memory grows with the steps.
            let beta = beta.min((1.0 + advance.step as f32) / (10.0 + advance.step as f32));
            for (mean, w) in model.mean.iter_mut().zip(&model.engine.at().parameters) {
                *mean = beta * *mean + (1.0 - beta) * w;
            }
        }
        let step = model.engine.at().step;
        Ok(Standing { step, steps, loss: model.loss, done: step >= steps })
    }

    fn save(&self, model: &Model) -> Result<Saved> {
        let mut saved = Saved::of(model.engine.at());
        saved.put("mean", &model.mean);
        saved.put("loss", &[model.loss]);
        Ok(saved)
    }

    fn restore(&self, index: usize, saved: &Saved) -> Result<Model> {
        use crate::engine::Engine;
        let mut engine = self.fresh(index)?;
        let state: State<f32> = saved.state()?;
        engine.edit(0, &mut |s| *s = state.clone())?;
        let (mean, loss): (Vec<f32>, Vec<f64>) = (saved.get("mean")?, saved.get("loss")?);
        ensure!(mean.len() == engine.at().parameters.len() && loss.len() == 1, "a mean of {} weights", mean.len());
        Ok(Model { engine, mean, loss: loss[0] })
    }
}
