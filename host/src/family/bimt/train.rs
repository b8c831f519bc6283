//! Training a member: steps of the engine, swaps every K of them, frames for the film.
//!
//! `loss + λ·cost` by Adam; every K steps the neurons swap, and the penalty's coefficients follow
//! their new places. Everything is a function of the member's settings and seed.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{from_value, json};
use sha2::{Digest, Sha256};

use super::samples::Data;
use super::settings::Settings;
use super::swap::swap;
use super::task::{Recipe, Task};
use super::wiring::{Charge, Places, Wiring};
use crate::engine::{Adam, Engine, Fused, Inputs, Samples, Schedule, Targets, Training};
use crate::net::Float;
use crate::population::{Saved, Standing};

/// Steps at which frames of the film are kept, as shares of the training.
pub const FRAMES: [f64; 12] = [0.0, 0.01, 0.03, 0.06, 0.12, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0];
/// Connections that a frame keeps: the strongest.
const FRAME_LINKS: usize = 1500;
/// Times at which the held-out figure is taken along the way.
const TESTS: usize = 25;

/// A model in training.
pub struct Member<T: Float> {
    /// What was asked for.
    pub settings: Settings,
    /// Its samples.
    pub data: Data<T>,
    /// What costs what.
    pub wiring: Arc<Wiring>,
    /// Who is where.
    pub places: Places,
    /// What happened on the way.
    pub history: History,
    task: Task,
    recipe: Recipe,
    engine: Box<dyn Engine<T>>,
}

/// What happened on the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Every K steps.
    pub curve: Vec<Mark>,
    /// The film.
    pub frames: Vec<Frame>,
    /// Swaps in all.
    pub swaps: usize,
}

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Steps done.
    pub step: usize,
    /// Mean loss since the point before.
    pub loss: f64,
    /// The cost, biases included.
    pub cost: f64,
    /// The held-out figure, where it was taken.
    pub test: Option<f64>,
}

/// The network at one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Steps done.
    pub step: usize,
    /// [`Places::flat`]
    #[serde(skip)]
    pub places: Vec<u32>,
    /// Parameters' indices of the strongest connections.
    #[serde(skip)]
    pub at: Vec<u32>,
    /// Their weights.
    #[serde(skip)]
    pub weight: Vec<f32>,
}

impl<T: Float> Member<T> {
    /// A member before its first step, trained by the fused engine.
    ///
    /// # Errors
    /// Settings that do not fit.
    pub fn fused(settings: &Settings, data: Data<T>, seed: u64) -> Result<Self> {
        let task = settings.task()?;
        let recipe = settings.recipe()?;
        let network = recipe.network()?;
        let mut wiring = Wiring::of(&network, task.slots(&recipe), recipe.reduction)?;
        if task == Task::Mnist {
            // Pixels stay where they are; the last layer is charged l0 alone.
            wiring.sheets[0].swapped = false;
            wiring.links.iter_mut().skip(2).for_each(|l| l.local = false);
        }
        let engine = Fused::new(&network, data.train.clone(), training(settings, &recipe), seed)?;
        Member::new(settings, data, Arc::new(wiring), Box::new(engine))
    }

    /// A member of any network whose wiring is known.
    ///
    /// # Errors
    /// Where the engine does not take the penalty.
    pub fn new(settings: &Settings, data: Data<T>, wiring: Arc<Wiring>, engine: Box<dyn Engine<T>>) -> Result<Self> {
        let task = settings.task()?;
        let places = Places::new(&wiring);
        let (settings, history, recipe) = (settings.clone(), History::default(), settings.recipe()?);
        let mut member = Member { settings, data, wiring, places, history, task, recipe, engine };
        member.penalise(0)?;
        member.keep_frame(0)?;
        Ok(member)
    }

    /// Trains to the next swap, or to whatever comes before it.
    ///
    /// # Errors
    /// A loss that is not finite: at which step, and what to try.
    pub fn advance(&mut self) -> Result<Standing> {
        let (steps, every) = (self.settings.steps, self.settings.every);
        let step = self.engine.state(0)?.step;
        let biases = self.recipe.scaled(self.recipe.biases_from, steps);
        let next = [(step / every + 1) * every, biases, steps].into_iter().filter(|&s| s > step).min();
        let done = self.engine.advance(next.context("the training is over")? - step)?[0];
        if let Some(failed) = done.failed {
            anyhow::bail!(
                "the loss is not finite at step {failed} of {steps} ({}); try a rate below {}",
                serde_json::to_string(&self.settings)?,
                self.settings.rate
            );
        }
        let now = done.step;
        if self.settings.method.swaps() && now % every == 0 {
            let parameters = self.engine.state(0)?.parameters;
            self.history.swaps += swap(&self.wiring, &mut self.places, &parameters, self.settings.top);
        }
        self.penalise(now)?;
        let ended = now >= steps || (self.settings.stop > 0.0 && done.loss <= self.settings.stop);
        let crossed = |share: f64| {
            let at = (share * steps as f64).ceil() as usize;
            (step < at && now >= at) || (ended && share >= 1.0)
        };
        let test = match (1..=TESTS).any(|i| crossed(i as f64 / TESTS as f64)) {
            true => Some(self.figure(&self.data.test.clone())?),
            false => None,
        };
        let cost = self.cost()?;
        self.history.curve.push(Mark { step: now, loss: done.loss, cost, test });
        if FRAMES.into_iter().any(crossed) {
            self.keep_frame(now)?;
        }
        Ok(Standing { step: now, steps, loss: done.loss, done: ended })
    }

    /// The penalty from step `step` on.
    fn penalise(&mut self, step: usize) -> Result<()> {
        let Settings { method, steps, strength, distance, any, .. } = self.settings;
        let charge = Charge {
            distance: if method.local() { distance } else { 0.0 },
            any,
            biases: step >= self.recipe.scaled(self.recipe.biases_from, steps),
        };
        let strength = match method {
            super::settings::Method::None => Schedule::constant(0.0),
            _ => self.recipe.strength(steps, strength),
        };
        self.engine.penalise(0, self.wiring.penalty(&self.places, &charge, strength))
    }

    /// The cost with all its terms, whatever the ablation.
    pub fn cost(&self) -> Result<f64> {
        let charge = Charge { distance: self.settings.distance, any: self.settings.any, biases: true };
        Ok(self.wiring.cost(&self.places, &charge, &self.engine.state(0)?.parameters))
    }

    fn keep_frame(&mut self, step: usize) -> Result<()> {
        let parameters = self.engine.state(0)?.parameters;
        let (at, weight) = strongest(&self.wiring, &parameters, FRAME_LINKS);
        self.history.frames.push(Frame { step, places: self.places.flat(), at, weight });
        Ok(())
    }

    /// Its parameters.
    pub fn parameters(&self) -> Result<Vec<T>> {
        Ok(self.engine.state(0)?.parameters)
    }

    /// Steps done.
    pub fn step(&self) -> Result<usize> {
        Ok(self.engine.state(0)?.step)
    }

    /// The task's figure on samples: accuracy, or the mean square error.
    pub fn figure(&mut self, samples: &Samples<T>) -> Result<f64> {
        let outputs = self.engine.outputs(&samples.inputs)?;
        let outputs = outputs.first().context("an engine without members")?;
        Ok(if self.task.counts() { accuracy(outputs, samples) } else { mean_square(outputs, samples) })
    }

    /// The same with other parameters in place of its own.
    pub fn figure_with(&mut self, parameters: &[T], samples: &Samples<T>) -> Result<f64> {
        let own = self.parameters()?;
        self.engine.edit(0, &mut |state| state.parameters.copy_from_slice(parameters))?;
        let figure = self.figure(samples);
        self.engine.edit(0, &mut |state| state.parameters.copy_from_slice(&own))?;
        figure
    }

    /// The first 16 digits of the SHA-256 of its parameters and places.
    pub fn hash(&self) -> Result<String> {
        let mut hash = Sha256::new();
        hash.update(bytemuck::cast_slice::<T, u8>(&self.parameters()?));
        hash.update(bytemuck::cast_slice::<u32, u8>(&self.places.flat()));
        Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// All that is needed to go on.
    pub fn save(&self) -> Result<Saved> {
        let mut saved = Saved::of(&self.engine.state(0)?);
        saved.put_whole("places", &self.places.flat());
        self.history.put(&mut saved);
        saved.note = json!(self.history);
        Ok(saved)
    }

    /// Goes on from what was saved.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn restore(&mut self, saved: &Saved) -> Result<()> {
        let state = saved.state::<T>()?;
        ensure!(state.step <= self.settings.steps, "it is at step {} of {}", state.step, self.settings.steps);
        self.engine.edit(0, &mut |s| *s = state.clone())?;
        self.places = Places::of(&self.wiring, &saved.get_whole("places")?)?;
        self.history = from_value(saved.note.clone()).context("its history is damaged")?;
        self.history.get(saved)?;
        self.penalise(saved.step)
    }
}

impl History {
    /// Adds the frames' vectors to `saved`.
    fn put(&self, saved: &mut Saved) {
        for (i, frame) in self.frames.iter().enumerate() {
            saved.put_whole(&format!("frame{i}.places"), &frame.places);
            saved.put_whole(&format!("frame{i}.at"), &frame.at);
            saved.put(&format!("frame{i}.weight"), &frame.weight);
        }
    }

    /// Reads the frames' vectors back.
    fn get(&mut self, saved: &Saved) -> Result<()> {
        for (i, frame) in self.frames.iter_mut().enumerate() {
            frame.places = saved.get_whole(&format!("frame{i}.places"))?;
            frame.at = saved.get_whole(&format!("frame{i}.at"))?;
            frame.weight = saved.get(&format!("frame{i}.weight"))?;
        }
        Ok(())
    }
}

/// How a member is trained.
pub fn training(settings: &Settings, recipe: &Recipe) -> Training {
    Training {
        steps: settings.steps,
        rate: Schedule::constant(settings.rate),
        adam: Adam::default(),
        loss: recipe.loss,
        batch: recipe.batch,
    }
}

/// The `most` largest weights that are not 0, by parameter: indices ascending, and weights.
pub fn strongest<T: Float>(wiring: &Wiring, parameters: &[T], most: usize) -> (Vec<u32>, Vec<f32>) {
    let weights = wiring.links.iter().flat_map(|l| l.at..l.at + l.rows * l.cols);
    let mut order: Vec<(u32, f32)> = weights.map(|k| (k as u32, parameters[k].f64() as f32)).collect();
    order.retain(|(_, w)| *w != 0.0);
    order.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
    order.truncate(most);
    order.sort_unstable_by_key(|o| o.0);
    order.into_iter().unzip()
}

/// Share of samples whose largest output is the right one.
fn accuracy<T: Float>(outputs: &[T], samples: &Samples<T>) -> f64 {
    let width = outputs.len() / samples.len().max(1);
    let largest = |row: &[T]| (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    let right = outputs.chunks(width.max(1)).enumerate().filter(|(i, row)| match &samples.targets {
        Targets::Classes(classes) => largest(row) == classes[*i] as usize,
        Targets::Values { width, data } => largest(row) == largest(&data[i * width..][..*width]),
    });
    right.count() as f64 / samples.len().max(1) as f64
}

/// Mean over samples and outputs of the squared error; NaN where targets are classes.
fn mean_square<T: Float>(outputs: &[T], samples: &Samples<T>) -> f64 {
    match &samples.targets {
        Targets::Values { data, .. } => {
            let squares: f64 = outputs.iter().zip(data).map(|(y, t)| (y.f64() - t.f64()).powi(2)).sum();
            squares / data.len().max(1) as f64
        }
        Targets::Classes(_) => f64::NAN,
    }
}

/// At most `count` samples, the first: what is looked at where all would take long.
pub fn first<T: Float>(samples: &Samples<T>, count: usize) -> Samples<T> {
    let n = count.min(samples.len());
    let inputs = match &samples.inputs {
        Inputs::Values { width, data } => Inputs::Values { width: *width, data: data[..n * width].to_vec() },
        Inputs::Tokens { folds, data } => Inputs::Tokens { folds: *folds, data: data[..n * folds].to_vec() },
    };
    let targets = match &samples.targets {
        Targets::Values { width, data } => Targets::Values { width: *width, data: data[..n * width].to_vec() },
        Targets::Classes(classes) => Targets::Classes(classes[..n].to_vec()),
    };
    Samples { inputs, targets }
}
