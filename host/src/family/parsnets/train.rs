//! From data to a model.
//!
//! `L = CE(τ·cos(s, a)) + balance·K·Σ p̄_k f_k [+ OLÉ]`. Annealing: over the first 60 % of the steps all
//! bases run, their gate's β rising from 1 to 4; then the top m alone with β = 4, as deployed.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor};

use super::model::{Mode, Net};
use super::{Eszsl, Kind, Model, Settings, Targets};
use crate::engine::{self, CheckpointPlan, Control, OneCycle, Outcome, Plan, Progress};
use crate::net::{CosineLoss, Ole, Parameters, RankingLoss, load_balance};
use crate::rng::Rng;

/// What to learn.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// `(n, width)`, standardised: the training rows alone
    pub x: &'a [f32],
    pub width: usize,
    /// `(n)` classes, all of them seen
    pub y: &'a [u16],
    pub targets: Targets,
}

/// Where a run's state is kept.
#[derive(Clone, Debug)]
pub struct Checkpointing {
    /// The safetensors file
    pub path: PathBuf,
    /// Steps between two writes
    pub every: usize,
    /// Go on from the file where it exists
    pub resume: bool,
}

/// A model and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    pub model: Model,
    pub outcome: Outcome,
}

/// Share of the steps in which all bases run.
const DENSE: f64 = 0.6;

/// Trains a model. The result is a function of settings, task and seed alone: not of the number
/// of threads, nor of interruptions.
///
/// # Errors
/// If sizes or classes do not agree, settings are out of range, or a checkpoint cannot be used.
pub fn train(
    settings: &Settings,
    task: &Task,
    seed: u64,
    checkpointing: Option<&Checkpointing>,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<Trained> {
    settings.check()?;
    let data = Data::new(task)?;
    if settings.kind == Kind::Eszsl {
        let w = Eszsl::new(task)?.solve(settings.gamma, settings.lambda);
        let model = Model::linear(settings, &task.targets, task.width, w)?;
        return Ok(Trained { model, outcome: Outcome { step: 0, stopped: false, losses: Vec::new() } });
    }
    let mut parameters = Parameters::new(DType::F32, seed);
    let net = Net::new(settings, task.width, task.targets.width(), &mut parameters)?;
    let plan = Plan {
        schedule: OneCycle { steps: settings.steps, peak: settings.rate },
        weight_decay: settings.weight_decay,
        report_every: (settings.steps / 50).max(1),
        checkpoint: match checkpointing {
            Some(c) => Some(CheckpointPlan {
                path: c.path.clone(),
                every: c.every,
                resume: c.resume,
                identity: format!("seed {seed}, {}", serde_json::to_string(settings)?),
            }),
            None => None,
        },
    };
    let loss = Loss::new(settings, &data);
    let outcome = engine::train(&parameters, &plan, |step| loss.at(&net, &data, seed, step), progress)?;
    Ok(Trained { model: Model::of(settings, &task.targets, task.width, &parameters)?, outcome })
}

/// Training rows by class, and the classes that compete.
struct Data<'a> {
    task: &'a Task<'a>,
    /// (n) index among the seen classes
    label: Vec<u16>,
    /// Rows of each seen class that has any
    by_class: Vec<Vec<usize>>,
    /// `(seen, a)`
    rows: Arc<Vec<f32>>,
}

impl<'a> Data<'a> {
    fn new(task: &'a Task<'a>) -> Result<Self> {
        let (n, d, t) = (task.y.len(), task.width, &task.targets);
        ensure!(n > 0, "no samples to train on");
        ensure!(task.x.len() == n * d, "{} input values for {n} samples of {d}", task.x.len());
        ensure!(t.seen.len() == t.classes(), "{} flags for {} classes", t.seen.len(), t.classes());
        let seen: Vec<usize> = (0..t.classes()).filter(|c| t.seen[*c]).collect();
        let mut by_class = vec![Vec::new(); seen.len()];
        let mut label = Vec::with_capacity(n);
        for (i, &y) in task.y.iter().enumerate() {
            let place = seen
                .iter()
                .position(|c| *c == usize::from(y))
                .with_context(|| format!("training sample {i} is of class {y}, which is not among the seen ones"))?;
            label.push(place as u16);
            by_class[place].push(i);
        }
        by_class.retain(|rows| !rows.is_empty());
        let rows = Arc::new(seen.iter().flat_map(|&c| t.rows.row(c).to_vec()).collect());
        Ok(Data { task, label, by_class, rows })
    }

    /// Rows of one batch.
    fn batch(&self, settings: &Settings, rng: &mut Rng) -> Vec<usize> {
        let mut one = || {
            if settings.balanced {
                let class = rng.below(self.by_class.len());
                *rng.choice(&self.by_class[class])
            } else {
                rng.below(self.label.len())
            }
        };
        (0..settings.batch).map(|_| one()).collect()
    }
}

/// The loss of every step.
enum Criterion {
    Cosine(CosineLoss),
    Ranking(RankingLoss),
}

struct Loss<'a> {
    settings: &'a Settings,
    criterion: Criterion,
}

impl<'a> Loss<'a> {
    fn new(settings: &'a Settings, data: &Data) -> Self {
        let (rows, width) = (data.rows.clone(), data.task.targets.width());
        let criterion = if settings.kind == Kind::Bilinear {
            Criterion::Ranking(RankingLoss { rows, width, margin: settings.margin })
        } else {
            Criterion::Cosine(CosineLoss { rows, width, temperature: settings.tau })
        };
        Loss { settings, criterion }
    }

    fn at(&self, net: &Net, data: &Data, seed: u64, step: usize) -> Result<Tensor> {
        let (s, d) = (self.settings, data.task.width);
        let chosen = data.batch(s, &mut Rng::new(seed, "batch", step as u64));
        let mut x = Vec::with_capacity(chosen.len() * d);
        chosen.iter().for_each(|&i| x.extend_from_slice(&data.task.x[i * d..][..d]));
        Rng::new(seed, "dropout", step as u64).drop_out(&mut x, s.dropout);
        let x = Tensor::from_vec(x, (chosen.len(), d), &Device::Cpu)?;
        let y: Arc<Vec<u16>> = Arc::new(chosen.iter().map(|&i| data.label[i]).collect());

        let progress = step as f64 / s.steps as f64;
        let full = f64::from(Settings::TEMPERATURE);
        let (keep, temperature) = if s.anneal && progress < DENSE {
            (s.bases, 1.0 + (full - 1.0) * progress / DENSE)
        } else {
            (s.keep, full)
        };
        let mut rng = Rng::new(seed, "hidden dropout", step as u64);
        let out = net.forward(&x, Mode { keep, temperature, dropout: Some((s.hidden_dropout, &mut rng)) })?;
        let mut loss = match &self.criterion {
            Criterion::Cosine(loss) => loss.of(&out.s, y.clone())?,
            Criterion::Ranking(loss) => loss.of(&out.s, y.clone())?,
        };
        if let Some(gate) = &out.gate
            && s.balance > 0.0
        {
            loss = (loss + (load_balance(&gate.q, &gate.g, keep)? * f64::from(s.balance))?)?;
        }
        if s.ole > 0.0 {
            let embedded = out.gate.as_ref().map_or(&out.s, |gate| &gate.weighted);
            loss = (loss + Ole { weight: s.ole, delta: 1.0 }.of(embedded, y)?)?;
        }
        Ok(loss)
    }
}
