//! What `fit parsnets` searches: the plain map at several ranks, composites of low-rank networks, MLPs; on the
//! data's own features and on fewer. A feature costs more than its share of a small network, in bytes of arena and
//! in instructions of every time step, so that the smallest models differ in features most.

use anyhow::{Context, Result, ensure};
use smidgen_shared::features::Stats;

use super::plan::{self, conditions, features_named, plan};
use super::{Control, Experiment, Kind, Settings, test_rows};
use crate::compress::{Aligned, Metric as Figure, Provenance};
use crate::data::{Input, Split, Task};
use crate::family::{Export, Place};
use crate::fit::{Candidate, Metric, Quality, Search, Trained};
use crate::run::{Request, held_out_name, split_of, task_of};

/// Bases, rank, how many are kept.
const COMPOSITES: [(usize, usize, usize); 9] =
    [(2, 2, 1), (2, 4, 1), (4, 4, 1), (4, 4, 2), (4, 8, 2), (4, 12, 4), (8, 4, 2), (8, 8, 2), (8, 12, 4)];
/// Ranks of a plain map; 0 is full rank.
const RANKS: [usize; 6] = [0, 1, 2, 3, 4, 8];
/// Hidden neurons of an MLP.
const WIDTHS: [usize; 5] = [4, 8, 16, 32, 64];
/// Features that windows may have besides the data's own; with the last, small models alone.
const FEATURES: [(&str, bool); 7] = [
    ("cheap", true),
    ("mean+deviation", true),
    ("mean", false),
    ("deviation", false),
    ("range", false),
    ("mean+range", false),
    ("mean+deviation+change", false),
];
/// Validation splits and seeds of each round.
const ROUNDS: [(usize, u64); 3] = [(2, 1), (5, 1), (10, 2)];
/// Settings that the search varies.
const VARIED: [&str; 8] = ["kind", "rank", "bases", "keep", "residual", "widths", "preset", "features"];
/// Raw samples that instructions are counted on.
const COUNTED: usize = 2;

/// As [`crate::family::Family::search`] says.
pub fn search(request: &Request, place: &Place, found: &mut dyn FnMut(&dyn Search) -> Result<()>) -> Result<()> {
    let (of_data, of_model): (Vec<&String>, Vec<&String>) =
        request.set.iter().partition(|set| set.starts_with("rotation"));
    let words: Vec<&str> = of_data.iter().map(|set| set.as_str()).collect();
    let dataset =
        place.data.load([&[request.data.as_deref().unwrap_or("spar")], &words[..]].concat().join(" ").as_str())?;
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
    let mut space = Space { candidates: Vec::new(), settings: Vec::new(), experiments, split, seed: request.seed };
    for (at, (words, stats, all)) in features.iter().enumerate() {
        let shapes = shapes(*stats, task, vectors, *all, &of_model)?;
        space.add(at, *words, shapes, &of_model);
    }
    found(&space)
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
    fn add(&mut self, at: usize, features: Option<&str>, shapes: Vec<Settings>, of_model: &[&String]) {
        for settings in shapes {
            let (kind, mut sets) = words(&settings);
            sets.extend(features.map(|words| format!("features={words}")));
            sets.extend(of_model.iter().map(|set| set.to_string()));
            let on = features.map_or(String::new(), |words| format!(", {words}"));
            self.candidates.push(Candidate { name: plan::name(&settings) + &on, kind: kind.into(), sets });
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
        if steps.is_none() {
            fitted.handicap = experiment.calibrate(&settings, &self.split, self.seed)?;
        }
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

/// Settings of every shape on features `stats`, or of the small ones alone.
fn shapes(stats: Stats, task: Task, vectors: bool, all: bool, of_model: &[&String]) -> Result<Vec<Settings>> {
    let mut like = conditions(task, vectors, stats)?;
    for set in of_model {
        like.apply(set)?;
    }
    let steps = if vectors { 400 } else { like.steps };
    let mut shapes: Vec<Settings> = Vec::new();
    for rank in RANKS.into_iter().filter(|rank| all || *rank < 3) {
        shapes.push(Settings { kind: Kind::Linear, rank, steps, ..like.clone() });
    }
    for (bases, rank, keep) in COMPOSITES.into_iter().filter(|_| all) {
        for residual in [false, true] {
            shapes.push(Settings { kind: Kind::Composite, bases, rank, keep, residual, ..like.clone() });
        }
    }
    shapes.extend(WIDTHS.into_iter().filter(|w| all || *w <= 16).map(|w| plan::mlp(&like, vec![w], vectors)));
    Ok(shapes)
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

    fn quality(&self, candidate: usize, round: usize) -> Result<Quality> {
        let (at, settings) = &self.settings[candidate];
        let (splits, seeds) = ROUNDS[round];
        let mut sum = 0.0;
        for i in 0..seeds {
            let value = self.experiments[*at].validate(settings, &self.split, splits, self.seed + i)?;
            sum += value.context("no validation split")?;
        }
        Ok(Quality { value: sum / seeds as f64, by_law: false })
    }

    fn train(&self, candidate: usize) -> Result<Trained> {
        let dataset = self.experiments[0].dataset;
        let rows = test_rows(&self.split);
        let inputs = rows.iter().take(COUNTED).map(|&row| crate::infer::raw(dataset, row as usize));
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
