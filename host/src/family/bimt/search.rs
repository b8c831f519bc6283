//! What `fit bimt` searches for a task: widths of the hidden layers, times the published λ, and thresholds of pruning.
//!
//! λ and the threshold decide how many weights stay, and those what a network costs: a candidate costs what its
//! network of the last round does. Candidates that differ in the threshold alone share their training. Quality is that
//! of the int8 artifact.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail, ensure};

use super::command::{mnist, start};
use super::export::{held_out, int8_figure, network, trained};
use super::prune::prune;
use super::result::threshold;
use super::samples::Data;
use super::settings::Settings;
use super::task::Task;
use super::train::Member as Model;
use crate::compress::{self, Aligned, Layout};
use crate::family::{Export, Place, Samples};
use crate::fit::{COUNTED, Candidate, Metric, Quality, Search, Trained};
use crate::infer::description;
use crate::interrupt;
use crate::net::Float;
use crate::population::{Grid, Saved};
use crate::run::Request;

/// Shares of the published width of hidden layers.
const WIDTHS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 1.0];
/// Times the published λ.
const STRENGTHS: [f64; 4] = [0.05, 0.2, 1.0, 3.0];
/// Times the published threshold; where none is published, thresholds beside the one that is sought.
const PRUNED: ([f64; 3], [f64; 2]) = ([1.0, 5.0, 20.0], [0.03, 0.1]);
/// Share of the steps and seeds of each round.
const ROUNDS: [(f64, u64); 2] = [(0.1, 1), (0.3, 3)];
/// Settings that the search varies.
const VARIED: [&str; 3] = ["width", "strength", "prune"];

/// As [`crate::family::Family::search`] says.
pub fn search(request: &Request, place: &Place, found: &mut dyn FnMut(&dyn Search) -> Result<()>) -> Result<()> {
    if let Some(data) = &request.data {
        bail!("bimt draws its own samples and takes no --data {data}; --set task=… chooses what is learned");
    }
    if let Some(set) = request.set.iter().find(|set| VARIED.contains(&set.split('=').next().unwrap_or(""))) {
        bail!("--set {set}: this is what fit searches; leave it out, or train that model with `smidgen train`");
    }
    let grid = Grid::of(&request.set)?;
    ensure!(grid.axes.iter().all(|(_, values)| values.len() == 1), "fit takes one value of each setting, no grid");
    let given: Vec<(String, String)> = grid.axes.into_iter().map(|(key, values)| (key, values[0].clone())).collect();
    let like = Settings::of(&given)?;
    let task = like.task()?;
    ensure!(task != Task::InContext, "a transformer has no operators on the chip: there is nothing to fit to a board");
    if like.recipe()?.double {
        found(&Space::<f64>::new(&given, task, request, place)?)
    } else {
        found(&Space::<f32>::new(&given, task, request, place)?)
    }
}

/// A training: of which settings but for the threshold, over how many steps, from which seed, before a choice or after.
type Key = (usize, usize, u64, bool);

struct Space<T> {
    candidates: Vec<Candidate>,
    /// One a candidate, and the number of the training that it shares.
    settings: Vec<(Settings, usize)>,
    task: Task,
    seed: u64,
    /// Samples that are not drawn from the seed: those of a run, and those of a choice.
    fixed: Option<[Data<T>; 2]>,
    /// Locked while it is trained.
    done: Mutex<HashMap<Key, Arc<Mutex<Option<Saved>>>>>,
}

impl<T: Float> Space<T> {
    fn new(given: &[(String, String)], task: Task, request: &Request, place: &Place) -> Result<Self> {
        let fixed = if task == Task::Mnist { Some(Data::mnist(&*mnist(place)?)) } else { None };
        let fixed = fixed.map(|all| [all.clone(), all.for_a_choice(task, 0)]);
        let recipe = task.recipe();
        let hidden = recipe.widths[1] as f64;
        let thresholds: Vec<String> = match recipe.threshold {
            Some(published) => PRUNED.0.iter().map(|factor| (factor * published).to_string()).collect(),
            None => std::iter::once("auto".to_string()).chain(PRUNED.1.map(|t| t.to_string())).collect(),
        };
        let (mut candidates, mut settings) = (Vec::new(), Vec::new());
        for prune in &thresholds {
            for (i, share) in WIDTHS.iter().enumerate() {
                for (j, strength) in STRENGTHS.iter().enumerate() {
                    let width = ((share * hidden).round() as usize).max(1);
                    let own =
                        [("width", width.to_string()), ("strength", strength.to_string()), ("prune", prune.clone())];
                    let all: Vec<(String, String)> =
                        own.iter().map(|(k, v)| ((*k).to_string(), v.clone())).chain(given.iter().cloned()).collect();
                    candidates.push(Candidate {
                        name: format!(
                            "w{width} λ×{strength} {}",
                            if prune == "auto" { prune.clone() } else { format!("|w|≥{prune}") }
                        ),
                        kind: format!("width {width}"),
                        sets: own.iter().map(|(k, v)| format!("{k}={v}")).chain(request.set.iter().cloned()).collect(),
                    });
                    settings.push((Settings::of(&all)?, i * STRENGTHS.len() + j));
                }
            }
        }
        Ok(Space { candidates, settings, task, seed: request.seed, fixed, done: Mutex::default() })
    }

    /// A candidate before its first step, on the samples of a run or of a choice.
    fn start(&self, settings: &Settings, seed: u64, choice: bool) -> Result<Model<T>> {
        let data = match &self.fixed {
            Some(fixed) => fixed[usize::from(choice)].clone(),
            None => {
                let all = Data::drawn(self.task, seed);
                if choice { all.for_a_choice(self.task, seed) } else { all }
            }
        };
        start(settings, seed, Some(&data))
    }

    /// A candidate trained over a share of its steps.
    fn trained(&self, candidate: usize, share: f64, seed: u64, choice: bool) -> Result<Model<T>> {
        let (settings, training) = &self.settings[candidate];
        let steps = ((settings.steps as f64 * share).round() as usize).max(1);
        let settings = Settings { steps, ..settings.clone() };
        let slot = {
            let mut done = self.done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            done.entry((*training, steps, seed, choice)).or_default().clone()
        };
        let mut slot = slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut model = self.start(&settings, seed, choice)?;
        match &*slot {
            Some(saved) => model.restore(saved)?,
            None => {
                while !model.advance()?.done {
                    interrupt::check()?;
                }
                *slot = Some(model.save()?);
            }
        }
        Ok(model)
    }

    fn held_out(&self) -> Result<Samples> {
        match &self.fixed {
            Some(fixed) => held_out(self.task, &fixed[0].test),
            None => held_out(self.task, &Data::<T>::drawn(self.task, self.seed).test),
        }
    }
}

impl<T: Float> Search for Space<T> {
    fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    fn metric(&self) -> Metric {
        let counts = self.task.counts();
        Metric { name: if counts { "accuracy" } else { "mean square error" }.into(), share: counts }
    }

    fn shape(&self, candidate: usize) -> Result<Export> {
        let model = self.start(&self.settings[candidate].0, self.seed, true)?;
        let mut parameters = model.parameters()?;
        for link in &model.wiring.links {
            parameters[link.at..][..link.rows * link.cols].fill(T::of(0.0));
            parameters[link.at] = T::of(1.0);
        }
        network(&model, self.task, self.seed, &parameters)
    }

    fn rounds(&self) -> usize {
        ROUNDS.len()
    }

    fn quality(&self, candidate: usize, round: usize) -> Result<(Quality, Option<Export>)> {
        let (share, seeds) = ROUNDS[round];
        let (mut values, mut first) = (Vec::new(), None);
        for seed in self.seed..self.seed + seeds {
            let mut model = self.trained(candidate, share, seed, true)?;
            let threshold = threshold(&mut model, &self.settings[candidate].0)?;
            let mut parameters = model.parameters()?;
            prune(&model.wiring, &mut parameters, threshold);
            let export = network(&model, self.task, seed, &parameters)?;
            // What int8 costs is part of what a candidate is worth.
            let description = description(export.provenance.clone(), Layout::Auto, None)?;
            let bytes = compress::export(&export.graph, &export.inputs, &description)?.bytes;
            values.push(int8_figure(&bytes, &held_out(self.task, &model.data.test)?)?);
            first.get_or_insert(export);
        }
        Ok((Quality::of_seeds(&values), Some(first.context("no seeds")?)))
    }

    fn train(&self, candidate: usize) -> Result<Trained> {
        let mut model = self.trained(candidate, 1.0, self.seed, false)?;
        let export = trained(&mut model, self.task, self.seed)?;
        Ok(Trained { export, inputs: self.held_out()?.spread(COUNTED).inputs })
    }

    fn test(&self, _: usize, model: &Aligned) -> Result<f64> {
        int8_figure(model, &self.held_out()?)
    }
}
