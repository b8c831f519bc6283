//! One model on one split of one data set: features, training, float and int8 figures.
//!
//! The model is trained on exactly the int8 inputs that the chip computes; its int8 figures come
//! from its artifact, run on raw windows by the code that the chip runs.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use smidgen_shared::artifact::Artifact;
use smidgen_shared::features::{Spec, Stats};

use super::{
    Checkpointing, Control, Generalised, Kind, Model, Progress, Settings, Standardise, Targets, Task as Training,
    best_handicap, classify, per_class, to_graph, train,
};
use crate::compress::{Aligned, Provenance};
use crate::data::augment::altered;
use crate::data::{Dataset, Input, Split, Task};
use crate::graph::{self, Graph};
use crate::infer::{self, Host};

/// A data set with its features, ready for any number of trainings.
pub struct Experiment<'a> {
    /// The data.
    pub dataset: &'a Dataset,
    /// What is held out.
    pub task: Task,
    /// The features of windows.
    pub spec: Option<Spec>,
    /// `(n, width)`
    features: Vec<f32>,
    width: usize,
    /// Features of altered copies, `(n, width)` each, made when first asked for.
    altered: Mutex<Vec<Arc<Vec<f32>>>>,
}

/// A trained model with all that it needs to answer.
pub struct Fitted {
    /// The float model.
    pub model: Model,
    /// Its inputs.
    pub standardise: Standardise,
    /// Subtracted from seen classes' cosines.
    pub handicap: f32,
    /// (step, loss)
    pub losses: Vec<(usize, f32)>,
    /// Whether training was stopped before its end.
    pub stopped: bool,
}

/// Metrics by name, in the order in which they are shown.
pub type Metrics = Vec<(String, f64)>;

impl<'a> Experiment<'a> {
    /// Computes the features of every sample; `stats` names those of windows.
    pub fn new(dataset: &'a Dataset, task: Task, stats: Stats) -> Result<Self> {
        let spec = match &dataset.input {
            Input::Windows { channels, window, .. } => {
                let spec = Spec {
                    channels: u8::try_from(*channels).context("more than 255 channels")?,
                    window: u16::try_from(*window).context("a window of more than 65,535 samples")?,
                    stats,
                };
                spec.check().map_err(|e| {
                    anyhow::anyhow!("windows of {window} samples and {channels} channels: {e:?} is out of bounds")
                })?;
                Some(spec)
            }
            Input::Vectors { .. } => None,
        };
        let rows: Vec<u32> = (0..dataset.len() as u32).collect();
        let (features, width) = infer::features(dataset, spec.as_ref(), &rows)?;
        Ok(Experiment { dataset, task, spec, features, width, altered: Mutex::default() })
    }

    /// Number of inputs of the models.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What the classes are mapped to.
    pub fn targets(&self, settings: &Settings, split: &Split) -> Result<Targets> {
        match self.task {
            Task::Supervised => Ok(Targets::simplex(self.dataset.classes.len())),
            Task::ZeroShot => {
                let seen: Vec<bool> =
                    (0..self.dataset.classes.len()).map(|c| split.seen.contains(&(c as u16))).collect();
                Targets::attributes(&self.dataset.attributes, &seen, settings).with_context(|| {
                    format!("{}: classes are numbered {}", self.dataset.name, numbered(&self.dataset.classes))
                })
            }
        }
    }

    /// Standardised inputs of `rows`, `(rows, width)`.
    pub fn inputs(&self, standardise: &Standardise, rows: &[u32]) -> Vec<f32> {
        standardise.apply(&self.gathered(&self.features, rows))
    }

    fn gathered(&self, features: &[f32], rows: &[u32]) -> Vec<f32> {
        rows.iter().flat_map(|&row| features[row as usize * self.width..][..self.width].iter().copied()).collect()
    }

    /// Features of copy `copy` of every window, tilted and at another tempo; none of vectors.
    fn altered(&self, copy: usize) -> Result<Option<Arc<Vec<f32>>>> {
        let Some(spec) = self.spec else { return Ok(None) };
        let mut copies = self.altered.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        while copies.len() <= copy {
            let mut features = Vec::with_capacity(self.features.len());
            for i in 0..self.dataset.len() {
                let window = altered(&self.dataset.input, i, copies.len() as u64).context("windows are altered")?;
                infer::window_features(&spec, &window, &mut features)?;
            }
            copies.push(Arc::new(features));
        }
        Ok(copies.get(copy).cloned())
    }

    /// Classes of `rows`.
    pub fn classes(&self, rows: &[u32]) -> Vec<u16> {
        rows.iter().map(|&row| self.dataset.class[row as usize]).collect()
    }

    /// Standardisation fitted on the training rows.
    pub fn standardise(&self, settings: &Settings, split: &Split) -> Result<Standardise> {
        let rows: Vec<usize> = split.train.iter().map(|&row| row as usize).collect();
        Standardise::fit(&self.features, self.width, &rows, settings.clip, settings.unit_rms)
    }

    /// Trains on the split's training rows. The handicap stays 0: [`Experiment::calibrate`] finds it.
    pub fn fit(
        &self,
        settings: &Settings,
        split: &Split,
        seed: u64,
        checkpointing: Option<&Checkpointing>,
        progress: &mut dyn FnMut(Progress) -> Control,
    ) -> Result<Fitted> {
        let standardise = self.standardise(settings, split)?;
        let mut x = self.inputs(&standardise, &split.train);
        let mut y = self.classes(&split.train);
        for copy in 0..settings.augment {
            let Some(altered) = self.altered(copy)? else { break };
            x.extend(standardise.apply(&self.gathered(&altered, &split.train)));
            y.extend(self.classes(&split.train));
        }
        let training = Training { x: &x, width: self.width, y: &y, targets: self.targets(settings, split)? };
        let trained = train(settings, &training, seed, checkpointing, progress)?;
        let (losses, stopped) = (trained.outcome.losses, trained.outcome.stopped);
        Ok(Fitted { model: trained.model, standardise, handicap: 0.0, losses, stopped })
    }

    /// The handicap that is best on the validation splits, averaged; 0 where seen classes are not tested.
    pub fn calibrate(&self, settings: &Settings, split: &Split, seed: u64) -> Result<f32> {
        if split.test_seen.is_empty() || self.task == Task::Supervised || split.validation.is_empty() {
            return Ok(0.0);
        }
        let mut sum = 0.0;
        for validation in &split.validation {
            let fitted = self.fit(settings, validation, seed, None, &mut |_| Control::Continue)?;
            let (cosines, y) = self.tested(&fitted, validation)?;
            sum += best_handicap(&cosines, &y, &indices(&validation.seen), &indices(&validation.unseen)).0;
        }
        Ok(sum / split.validation.len() as f32)
    }

    /// Cosines `(n, C)` and classes of the split's test rows, seen before unseen.
    fn tested(&self, fitted: &Fitted, split: &Split) -> Result<(Vec<f32>, Vec<u16>)> {
        let rows = test_rows(split);
        let x = self.inputs(&fitted.standardise, &rows);
        let scores = if self.task == Task::Supervised { fitted.model.scores(&x)? } else { fitted.model.cosines(&x)? };
        Ok((scores, self.classes(&rows)))
    }

    /// Float metrics on the split's test rows: accuracy, or T1, and U, S, H where seen classes are tested.
    pub fn float_metrics(&self, fitted: &Fitted, split: &Split) -> Result<Metrics> {
        let (scores, y) = self.tested(fitted, split)?;
        let classes = self.dataset.classes.len();
        if self.task == Task::Supervised {
            let all: Vec<usize> = (0..classes).collect();
            return Ok(vec![("accuracy".into(), super::accuracy(&classify(&scores, classes, &all), &y))]);
        }
        let (seen, unseen) = (indices(&split.seen), indices(&split.unseen));
        let from = split.test_seen.len();
        let t1 = per_class(&classify(&scores[from * classes..], classes, &unseen), &y[from..], &unseen);
        let mut metrics = vec![("T1".into(), t1)];
        if from > 0 {
            let g = Generalised::measure(&scores, &y, &seen, &unseen, fitted.handicap);
            metrics.extend([("U".into(), g.u), ("S".into(), g.s), ("H".into(), g.h)]);
        }
        Ok(metrics)
    }

    /// The float graph as it is deployed: where only unseen classes are tested they are its classes,
    /// else all are.
    pub fn graph(&self, fitted: &Fitted, split: &Split) -> Result<Graph> {
        let table = fitted.model.targets.table(&self.table_classes(split), &self.dataset.classes, fitted.handicap);
        let input = match self.spec {
            Some(spec) => graph::Input::Window(spec),
            None => graph::Input::Vector(self.width),
        };
        to_graph(&fitted.model, input, &fitted.standardise, &table)
    }

    /// Indices of the classes that a deployed model tells apart.
    pub fn table_classes(&self, split: &Split) -> Vec<usize> {
        if self.task == Task::ZeroShot && split.test_seen.is_empty() {
            indices(&split.unseen)
        } else {
            (0..self.dataset.classes.len()).collect()
        }
    }

    /// Metrics of the artifact on the split's test rows, by the names of [`Experiment::float_metrics`].
    pub fn int8_metrics(&self, artifact: Artifact<'_>, split: &Split) -> Result<Metrics> {
        let rows = test_rows(split);
        let classes = self.table_classes(split);
        let mut arena = Vec::new();
        let mut host = Host::new(artifact, &mut arena)?;
        let mut best = (Vec::new(), Vec::new());
        for &row in &rows {
            let scores = host.scores_of_features(&self.features[row as usize * self.width..][..self.width])?;
            ensure!(scores.len() == classes.len(), "{} scores of {} classes", scores.len(), classes.len());
            let among = |allowed: &dyn Fn(usize) -> bool| {
                let mut top: Option<(i32, usize)> = None;
                for (&score, &class) in scores.iter().zip(&classes) {
                    if allowed(class) && top.is_none_or(|(most, _)| score > most) {
                        top = Some((score, class));
                    }
                }
                top.map_or(u16::MAX, |(_, class)| class as u16)
            };
            best.0.push(among(&|_| true));
            best.1.push(among(&|class| split.unseen.contains(&(class as u16))));
        }
        let y = self.classes(&rows);
        if self.task == Task::Supervised {
            return Ok(vec![("accuracy".into(), super::accuracy(&best.0, &y))]);
        }
        let (seen, unseen) = (indices(&split.seen), indices(&split.unseen));
        let from = split.test_seen.len();
        let mut metrics = vec![("T1".into(), per_class(&best.1[from..], &y[from..], &unseen))];
        if from > 0 {
            let (u, s) = (per_class(&best.0, &y, &unseen), per_class(&best.0, &y, &seen));
            metrics.extend([
                ("U".into(), u),
                ("S".into(), s),
                ("H".into(), if u + s > 0.0 { 2.0 * u * s / (u + s) } else { 0.0 }),
            ]);
        }
        Ok(metrics)
    }

    /// The artifact of a fitted model.
    pub fn artifact(&self, fitted: &Fitted, split: &Split, provenance: Provenance) -> Result<Aligned> {
        infer::export(&self.graph(fitted, split)?, self.dataset, &split.train, provenance)
    }

    /// Mean over the split's first `count` validation splits of the metric that settings are chosen by:
    /// accuracy, or H where seen classes are tested, else T1. `None` without validation splits.
    pub fn validate(&self, settings: &Settings, split: &Split, count: usize, seed: u64) -> Result<Option<f64>> {
        let mut values = Vec::new();
        for validation in split.validation.iter().take(count) {
            let mut fitted = self.fit(settings, validation, seed, None, &mut |_| Control::Continue)?;
            if !validation.test_seen.is_empty() && self.task == Task::ZeroShot {
                let (cosines, y) = self.tested(&fitted, validation)?;
                fitted.handicap =
                    best_handicap(&cosines, &y, &indices(&validation.seen), &indices(&validation.unseen)).0;
            }
            let metrics = self.float_metrics(&fitted, validation)?;
            values.push(metrics.last().map_or(0.0, |m| m.1));
        }
        Ok(if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) })
    }

    /// γ and λ of ESZSL that are best on the validation splits.
    pub fn tune_eszsl(&self, split: &Split, count: usize) -> Result<Settings> {
        let mut best = (f64::MIN, Settings::preset("eszsl")?);
        let like = match self.spec {
            Some(_) => best.1.clone(),
            None => Settings { kind: Kind::Eszsl, centre: false, components: 0, ..Settings::preset("trunk")? },
        };
        best.1 = like.clone();
        for centre in [false, true] {
            let base = Settings { centre, ..like.clone() };
            // A class of zeros is told apart only once the mean is subtracted.
            if !centre && self.targets(&base, split).is_err() {
                continue;
            }
            let mut scores: Vec<(f64, f64, f64)> = Vec::new();
            for validation in split.validation.iter().take(count) {
                let standardise = self.standardise(&base, validation)?;
                let (x, y) = (self.inputs(&standardise, &validation.train), self.classes(&validation.train));
                let training = Training { x: &x, width: self.width, y: &y, targets: self.targets(&base, validation)? };
                let solver = super::Eszsl::new(&training)?;
                let mut i = 0;
                for gamma in [1e0, 1e1, 1e2, 1e3, 1e4, 1e5] {
                    for lambda in [0.01, 0.1, 1.0, 10.0] {
                        let model = Model::linear(&base, &training.targets, self.width, solver.solve(gamma, lambda))?;
                        let fitted = Fitted {
                            model,
                            standardise: standardise.clone(),
                            handicap: 0.0,
                            losses: vec![],
                            stopped: false,
                        };
                        let value = self.float_metrics(&fitted, validation)?[0].1;
                        if let Some(entry) = scores.get_mut(i) {
                            entry.0 += value;
                        } else {
                            scores.push((value, gamma, lambda));
                        }
                        i += 1;
                    }
                }
            }
            for (value, gamma, lambda) in scores {
                if value > best.0 {
                    best = (value, Settings { gamma, lambda, ..base.clone() });
                }
            }
        }
        Ok(best.1)
    }
}

/// `0 rest, 1 nod, …`
fn numbered(names: &[String]) -> String {
    names.iter().enumerate().map(|(i, name)| format!("{i} {name}")).collect::<Vec<_>>().join(", ")
}

/// Test rows, those of seen classes first.
pub fn test_rows(split: &Split) -> Vec<u32> {
    split.test_seen.iter().chain(&split.test_unseen).copied().collect()
}

fn indices(classes: &[u16]) -> Vec<usize> {
    classes.iter().map(|&c| usize::from(c)).collect()
}
