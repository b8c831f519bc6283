//! What `fit parsnets` searches: the plain map onto few or all principal components of the attributes, or of several
//! ranks, composites of low-rank networks, MLPs; on the data's own features and on fewer. A feature costs more than
//! its share of a small network, in bytes of arena and in instructions of every time step, so that the smallest
//! models differ in features most.
//!
//! Zero-shot models are searched by H, the harmonic mean of the accuracies of unseen and of seen classes among all
//! of them, where the data can hold recordings of seen classes out. T1, unseen classes among themselves, takes two
//! classes apart in many data sets: one direction is enough for that, so that the cheapest models are about as good as any,
//! and no front is left to choose from (docs/results/fit.md).

use anyhow::{Context, Result, ensure};
use smidgen_shared::features::Stats;

use super::plan::{self, conditions, features_named, plan};
use super::{Control, Experiment, Kind, Settings, test_rows};
use crate::compress::{Aligned, Metric as Figure, Provenance};
use crate::data::{Dataset, Input, Split, Task, is_setting, registry};
use crate::family::{Export, Place, spread};
use crate::fit::{COUNTED, Candidate, Metric, Quality, Search, Trained};
use crate::run::{Request, held_out_name, split_of, task_of};

/// Bases, rank, how many are kept.
const COMPOSITES: [(usize, usize, usize); 7] =
    [(2, 1, 1), (2, 2, 1), (4, 2, 1), (4, 4, 2), (4, 8, 2), (8, 4, 2), (8, 12, 4)];
/// Ranks of a plain map; 0 is full rank.
const RANKS: [usize; 6] = [0, 1, 2, 3, 4, 8];
/// Principal components of the attributes that a map may lead to; 0 is the attributes themselves.
const COMPONENTS: [usize; 6] = [1, 2, 3, 4, 6, 8];
/// Hidden neurons of an MLP.
const WIDTHS: [usize; 5] = [4, 8, 16, 32, 64];
/// The widest of a small model.
const SMALL: usize = 16;
/// Features that windows may have besides the data's own, and whether all shapes are tried on them or small ones alone.
const FEATURES: [(&str, bool); 11] = [
    ("mean", false),
    ("deviation", false),
    ("change", false),
    ("range", false),
    ("mean+deviation", true),
    ("mean+change", false),
    ("mean+range", false),
    ("mean+correlation", false),
    ("mean+deviation+change", true),
    ("mean+deviation+change+crossings", false),
    ("cheap", true),
];
/// Validation splits and seeds of each round.
const ROUNDS: [(usize, u64); 3] = [(2, 1), (5, 1), (10, 3)];
/// Settings that the search varies.
const VARIED: [&str; 9] = ["kind", "rank", "bases", "keep", "residual", "widths", "components", "preset", "features"];
/// The data set's setting by which seen classes are tested, too.
const GENERALISED: &str = "generalised";

/// As [`crate::family::Family::search`] says.
pub fn search(request: &Request, place: &Place, found: &mut dyn FnMut(&dyn Search) -> Result<()>) -> Result<()> {
    let (of_data, of_model): (Vec<&String>, Vec<&String>) = request.set.iter().partition(|set| is_setting(set));
    let name = request.data.as_deref().unwrap_or("spar");
    let mut of_data: Vec<String> = of_data.into_iter().cloned().collect();
    let takes = |key: &str| {
        let entry = registry().iter().find(|entry| name.split_whitespace().next() == Some(entry.name));
        entry.is_some_and(|entry| entry.settings.iter().any(|setting| setting.key == key))
    };
    let given = name.contains(GENERALISED) || of_data.iter().any(|set| set.starts_with(GENERALISED));
    if takes(GENERALISED) && !given && request.task.as_deref() != Some("supervised") {
        of_data.push(format!("{GENERALISED}=1"));
    }
    let dataset = place.data.load(&[&[name.to_string()], &of_data[..]].concat().join(" "))?;
    let task = task_of(&dataset, request.task.as_deref())?;
    let split = split_of(&dataset, task, request.split.as_deref())?;
    ensure!(
        !split.validation.is_empty(),
        "{} has too few classes or subjects to hold some out for a choice; train one model with `smidgen train`",
        dataset.name
    );
    if let Some(set) = of_model.iter().find(|set| VARIED.contains(&set.split('=').next().unwrap_or(""))) {
        anyhow::bail!("--set {set}: this is what fit searches; leave it out, or train that model with `smidgen train`");
    }
    let vectors = matches!(dataset.input, Input::Vectors { .. });
    let own = plan(&dataset, task, &[])?.stats;
    let mut features = vec![(None, own, true)];
    for (words, all) in FEATURES {
        let stats = features_named(words)?;
        if !vectors && stats != own {
            features.push((Some(words), stats, all));
        }
    }
    let experiments =
        features.iter().map(|(_, stats, _)| Experiment::new(&dataset, task, *stats)).collect::<Result<Vec<_>>>()?;
    let directions = if task == Task::ZeroShot && !vectors { directions(&dataset, &split) } else { 0 };
    // What every candidate shares: of the model, and of the data.
    let shared: Vec<String> = of_model.into_iter().cloned().chain(of_data).collect();
    let mut space = Space { candidates: Vec::new(), settings: Vec::new(), experiments, split, seed: request.seed };
    for (at, (words, stats, all)) in features.iter().enumerate() {
        let like = like(*stats, task, vectors, &shared)?;
        space.add(at, *words, shapes(&like, vectors, *all, directions), &like, &shared);
    }
    found(&space)
}

/// Dimensions that the seen classes' attributes span once their mean is subtracted, at most: of more components none
/// could be learnt.
fn directions(dataset: &Dataset, split: &Split) -> usize {
    let attributes = dataset.attributes.len() / dataset.classes.len().max(1);
    split.seen.len().saturating_sub(1).min(attributes.saturating_sub(1))
}

/// The candidates, with what they are trained on.
struct Space<'d> {
    candidates: Vec<Candidate>,
    /// Index of the experiment, and settings; one a candidate.
    settings: Vec<(usize, Settings)>,
    /// One for each set of features.
    experiments: Vec<Experiment<'d>>,
    split: Split,
    seed: u64,
}

impl Space<'_> {
    /// All shapes on one set of features.
    fn add(&mut self, at: usize, features: Option<&str>, shapes: Vec<Settings>, like: &Settings, shared: &[String]) {
        for settings in shapes {
            let (kind, mut sets) = words(&settings);
            let mut name = plan::name(&settings);
            if settings.components != like.components {
                sets.push(format!("components={}", settings.components));
                name += &format!(" c{}", settings.components);
            }
            sets.extend(features.map(|words| format!("features={words}")));
            sets.extend(shared.iter().cloned());
            name += &features.map_or(String::new(), |words| format!(", {words}"));
            self.candidates.push(Candidate { name, kind: kind.into(), sets });
            self.settings.push((at, settings));
        }
    }

    /// Figures that take as many bytes in an artifact as the true ones at most.
    fn figures(&self) -> Vec<Figure> {
        let names: &[&str] = match (self.experiments[0].task, self.split.test_seen.is_empty()) {
            (Task::Supervised, _) => &["accuracy"],
            (Task::ZeroShot, true) => &["T1"],
            (Task::ZeroShot, false) => &["T1", "U", "S", "H"],
        };
        names.iter().map(|name| Figure { name: (*name).into(), float: 1.0, int8: 1.0 }).collect()
    }

    fn export(&self, candidate: usize, steps: Option<usize>) -> Result<Export> {
        let (at, settings) = &self.settings[candidate];
        let experiment = &self.experiments[*at];
        let settings = Settings { steps: steps.unwrap_or(settings.steps), ..settings.clone() };
        let mut fitted = experiment.fit(&settings, &self.split, self.seed, None, &mut |_| Control::Continue)?;
        fitted.handicap = match steps {
            None => experiment.calibrate(&settings, &self.split, self.seed)?,
            // Of a shape: as many bytes and instructions as any.
            Some(_) if experiment.task == Task::ZeroShot && !self.split.test_seen.is_empty() => 0.1,
            Some(_) => 0.0,
        };
        let graph = experiment.graph(&fitted, &self.split)?;
        let inputs = crate::infer::calibration(&graph, experiment.dataset, &self.split.train)?;
        let provenance = Provenance {
            dataset: experiment.dataset.name.clone(),
            split: held_out_name(experiment.task, &self.split),
            seed: self.seed,
            settings: plan::name(&settings),
            metrics: self.figures(),
        };
        Ok(Export { graph, inputs, provenance, sampler: None })
    }
}

/// What all candidates on features `stats` are trained like.
fn like(stats: Stats, task: Task, vectors: bool, shared: &[String]) -> Result<Settings> {
    let mut like = conditions(task, vectors, stats)?;
    for set in shared.iter().filter(|set| !is_setting(set)) {
        like.apply(set)?;
    }
    Ok(like)
}

/// Settings of every shape, or of the small ones alone; `directions`: most components of the attributes, 0 where they
/// stay as they are.
fn shapes(like: &Settings, vectors: bool, all: bool, directions: usize) -> Vec<Settings> {
    let linear =
        Settings { kind: Kind::Linear, rank: 0, steps: if vectors { 400 } else { like.steps }, ..like.clone() };
    let mut shapes = Vec::new();
    // A map of rank r to all attributes costs more than a full one to r components, and can no more.
    for rank in RANKS.into_iter().filter(|rank| *rank == 0 || directions == 0 || *rank == directions) {
        shapes.push(Settings { rank, ..linear.clone() });
    }
    for components in COMPONENTS.into_iter().filter(|c| *c <= directions) {
        shapes.push(Settings { components, ..linear.clone() });
    }
    let like = match COMPONENTS.into_iter().filter(|c| *c <= directions).max() {
        Some(components) => Settings { components, ..like.clone() },
        None => like.clone(),
    };
    for (bases, rank, keep) in COMPOSITES.into_iter().filter(|_| all) {
        for residual in [false, true] {
            shapes.push(Settings { kind: Kind::Composite, bases, rank, keep, residual, ..like.clone() });
        }
    }
    shapes.extend(WIDTHS.into_iter().filter(|w| all || *w <= SMALL).map(|w| plan::mlp(&like, vec![w], vectors)));
    shapes
}

/// The kind of model in a word, and what `train --set` is given for it.
fn words(s: &Settings) -> (&'static str, Vec<String>) {
    match s.kind {
        Kind::Linear => ("linear", vec!["kind=linear".into(), format!("rank={}", s.rank)]),
        Kind::Mlp => {
            let widths: Vec<String> = s.widths.iter().map(usize::to_string).collect();
            let mut sets = vec!["kind=mlp".into(), format!("widths={}", widths.join(","))];
            // What MLPs are trained with differs from the rest (`plan::mlp`).
            sets.extend([format!("rate={}", s.rate), format!("hidden_dropout={}", s.hidden_dropout)]);
            ("MLP", sets)
        }
        _ => {
            let sets = [("bases", s.bases), ("rank", s.rank), ("keep", s.keep)].map(|(key, n)| format!("{key}={n}"));
            let mut sets = Vec::from(sets);
            // Bases first: there cannot be more kept than there are.
            sets.insert(0, "kind=composite".into());
            sets.insert(1, "keep=1".into());
            sets.push(format!("residual={}", s.residual));
            ("composite", sets)
        }
    }
}

impl Search for Space<'_> {
    fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    fn metric(&self) -> Metric {
        let name = match self.experiments[0].task {
            Task::Supervised => "accuracy",
            Task::ZeroShot if self.split.test_seen.is_empty() => "T1",
            Task::ZeroShot => "H",
        };
        Metric { name: name.into(), share: true }
    }

    fn shape(&self, candidate: usize) -> Result<Export> {
        self.export(candidate, Some(1))
    }

    fn rounds(&self) -> usize {
        ROUNDS.len()
    }

    fn quality(&self, candidate: usize, round: usize) -> Result<(Quality, Option<Export>)> {
        let (at, settings) = &self.settings[candidate];
        let (splits, seeds) = ROUNDS[round];
        let of_seed = |i: u64| {
            let value = self.experiments[*at].validate(settings, &self.split, splits, self.seed + i)?;
            value.context("no validation split")
        };
        let values = (0..seeds).map(of_seed).collect::<Result<Vec<f64>>>()?;
        Ok((Quality::of_seeds(&values), None))
    }

    fn train(&self, candidate: usize) -> Result<Trained> {
        let dataset = self.experiments[0].dataset;
        let rows = test_rows(&self.split);
        let spread = spread(rows.len(), COUNTED);
        let inputs = spread.into_iter().map(|i| crate::infer::raw(dataset, rows[i] as usize));
        Ok(Trained { export: self.export(candidate, None)?, inputs: inputs.collect::<Result<_>>()? })
    }

    fn test(&self, candidate: usize, model: &Aligned) -> Result<f64> {
        let experiment = &self.experiments[self.settings[candidate].0];
        let metrics = experiment.int8_metrics(model.artifact()?, &self.split)?;
        Ok(metrics.last().context("no metric")?.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shapes are sound and differ; those of a few directions go to as many components, and to no rank that these make
    /// superfluous.
    #[test]
    fn shapes_are_sound_and_differ() {
        let like = conditions(Task::ZeroShot, false, Stats::WRIST).unwrap();
        for (directions, all) in [(4, true), (4, false), (0, true)] {
            let shapes = shapes(&like, false, all, directions);
            for (i, shape) in shapes.iter().enumerate() {
                shape.check().unwrap();
                assert!(!shapes[..i].contains(shape), "{shape:?}");
            }
            let of = |c: usize| shapes.iter().filter(|s| s.kind == Kind::Linear && s.components == c).count();
            let each = if directions > 0 { [of(1), of(2), of(3), of(4), of(6), of(0)] } else { [0, 0, 0, 0, 0, of(0)] };
            assert_eq!(each, if directions > 0 { [1, 1, 1, 1, 0, 2] } else { [0, 0, 0, 0, 0, 6] });
        }
    }

    /// What a candidate says it is trained with gives its settings.
    #[test]
    fn words_give_the_settings() {
        let like = conditions(Task::ZeroShot, false, Stats::WRIST).unwrap();
        let all = [
            Settings { kind: Kind::Linear, rank: 3, ..like.clone() },
            Settings { kind: Kind::Composite, bases: 2, rank: 5, keep: 2, residual: true, ..like.clone() },
            Settings { kind: Kind::Composite, bases: 1, rank: 5, keep: 1, residual: false, ..like.clone() },
            plan::mlp(&like, vec![8, 4], false),
        ];
        for settings in all {
            let mut asked = like.clone();
            for set in words(&settings).1 {
                asked.apply(&set).unwrap();
            }
            assert_eq!(asked, settings);
        }
    }
}
