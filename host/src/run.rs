//! A run on disk: what was trained, on what, how well, and the float graph that it gave.
//!
//! `RUN/run.json` (this struct), `RUN/graph.json` (the graph), `RUN/curve.csv` (step, loss),
//! `RUN/request.json` (what `train` was asked) and `RUN/checkpoints/` (a safetensors file a model and seed).

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Split, Task};
use crate::graph::Graph;
use crate::report::write_atomic;

/// What `train` was asked, kept in the run's folder so that `--resume` needs nothing else.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// Name of the family.
    pub family: String,
    /// Data set; the family's own where there is none.
    pub data: Option<String>,
    /// What is held out, for families that have more than one way.
    pub task: Option<String>,
    /// Which split is held out.
    pub split: Option<String>,
    /// First seed.
    pub seed: u64,
    /// Number of seeds.
    pub population: u64,
    /// `KEY=VALUE`, in order; a family may take `KEY=A,B,C` for a grid.
    pub set: Vec<String>,
    /// Without opponents.
    pub alone: bool,
    /// `fused` or `candle`; the family's own where there is none.
    #[serde(default)]
    pub engine: Option<String>,
    /// `cpu` or `cuda`.
    #[serde(default)]
    pub device: Option<String>,
    /// Go on with what the folder holds.
    #[serde(skip)]
    pub resume: bool,
}

impl Request {
    /// Writes `request.json` into the folder, which is made.
    ///
    /// # Errors
    /// Where the folder cannot be made or written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        write_atomic(&folder.join("request.json"), &serde_json::to_vec_pretty(self)?)
    }

    /// What the run in `folder` was asked, to be gone on with.
    ///
    /// # Errors
    /// Where the folder holds no run.
    pub fn resumed(folder: &Path) -> Result<Request> {
        let path = folder.join("request.json");
        let text = std::fs::read(&path)
            .with_context(|| format!("{} cannot be read: is {} a run's folder?", path.display(), folder.display()))?;
        let request: Request = serde_json::from_slice(&text)
            .with_context(|| format!("{} is damaged; start the run again", path.display()))?;
        Ok(Request { resume: true, ..request })
    }
}

/// Name of the family whose finished run a folder holds.
///
/// # Errors
/// Where it holds none.
pub fn family_of(folder: &Path) -> Result<String> {
    #[derive(Deserialize)]
    struct Named {
        family: String,
    }
    let named: Named = read_json(folder, "run.json")?;
    Ok(named.family)
}

/// A JSON file of a run's folder.
///
/// # Errors
/// Which file, and what to do.
pub fn read_json<T: for<'a> Deserialize<'a>>(folder: &Path, name: &str) -> Result<T> {
    let path = folder.join(name);
    let bytes = std::fs::read(&path).with_context(|| {
        format!(
            "{} cannot be read: is {} the folder of a finished run (`smidgen train … -o RUN`)?",
            path.display(),
            folder.display()
        )
    })?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged; train again", path.display()))
}

/// What a run's folder says of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Family of models.
    pub family: String,
    /// Data set with its settings.
    pub dataset: String,
    /// Held out, as [`Held::name`] writes it.
    pub held_out: String,
    /// Seed of the exported model.
    pub seed: u64,
    /// The exported model's settings.
    pub settings: String,
    /// Which row of `models` was exported.
    pub chosen: usize,
    /// Why it was chosen, in a sentence.
    pub reason: String,
    /// All models that were trained side by side.
    pub models: Vec<Trained>,
    /// (step, loss) of the exported model's training.
    pub curve: Vec<(usize, f64)>,
}

/// One model's figures over the seeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trained {
    /// E.g. `linear`, `composite K8 r12 m4 + W0`.
    pub name: String,
    /// Parameters.
    pub parameters: usize,
    /// Products of one inference, class table included.
    pub macs: usize,
    /// Bytes of the int8 artifact; 0 where it was not exported.
    pub int8_bytes: usize,
    /// Per metric: name, float values of the seeds, int8 values of the seeds (empty where not exported).
    pub metrics: Vec<(String, Vec<f64>, Vec<f64>)>,
    /// The same metrics on validation splits, by which settings were chosen; empty where none were.
    pub validation: Vec<f64>,
}

impl Trained {
    /// Float values of a metric over the seeds.
    pub fn float(&self, metric: &str) -> &[f64] {
        self.metrics.iter().find(|m| m.0 == metric).map_or(&[], |m| &m.1)
    }

    /// int8 values of a metric over the seeds.
    pub fn int8(&self, metric: &str) -> &[f64] {
        self.metrics.iter().find(|m| m.0 == metric).map_or(&[], |m| &m.2)
    }
}

impl Run {
    /// Writes `run.json`, `graph.json` and `curve.csv`, each whole or not at all.
    pub fn write(&self, folder: &Path, graph: &Graph) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        write_atomic(&folder.join("graph.json"), &serde_json::to_vec(graph)?)?;
        let curve: String = self.curve.iter().map(|(step, loss)| format!("{step},{loss}\n")).collect();
        write_atomic(&folder.join("curve.csv"), format!("step,loss\n{curve}").as_bytes())?;
        write_atomic(&folder.join("run.json"), &serde_json::to_vec_pretty(self)?)
    }

    /// Reads a run and its graph.
    pub fn read(folder: &Path) -> Result<(Run, Graph)> {
        let run: Run = read_json(folder, "run.json")?;
        let graph: Graph = read_json(folder, "graph.json")?;
        graph.shapes().with_context(|| format!("{} is damaged; train again", folder.join("graph.json").display()))?;
        ensure!(run.chosen < run.models.len(), "{}: model {} of {}", folder.display(), run.chosen, run.models.len());
        Ok((run, graph))
    }
}

/// A task's word on the command line.
pub fn task_name(task: Task) -> &'static str {
    match task {
        Task::ZeroShot => "zero-shot",
        Task::Supervised => "supervised",
    }
}

/// The task of a word; the data set's own where there is none.
pub fn task_of(dataset: &Dataset, word: Option<&str>) -> Result<Task> {
    let tasks = dataset.tasks();
    match word {
        None => tasks
            .first()
            .copied()
            .with_context(|| format!("{} has neither subjects nor unseen classes to hold out", dataset.name)),
        Some("zero-shot") => Ok(Task::ZeroShot),
        Some("supervised") => Ok(Task::Supervised),
        Some(other) => bail!("unknown task {other:?}: it is zero-shot or supervised"),
    }
}

/// The split of that name, the first where there is none; the names there are, where it is unknown.
pub fn split_of(dataset: &Dataset, task: Task, name: Option<&str>) -> Result<Split> {
    let splits = dataset.splits(task, 0)?;
    let Some(name) = name else { return splits.into_iter().next().context("no splits") };
    let names: Vec<String> = splits.iter().map(|s| s.name.clone()).collect();
    splits.into_iter().find(|s| s.name == name).with_context(|| {
        format!("{} has no {} split {name:?}; it has: {}", dataset.name, task_name(task), names.join(", "))
    })
}

/// `zero-shot: pair ABD/FEL`.
pub fn held_out_name(task: Task, split: &Split) -> String {
    format!("{}: {}", task_name(task), split.name)
}

/// The split that [`held_out_name`] names.
pub fn held_out(dataset: &Dataset, name: &str) -> Result<(Task, Split)> {
    let (task, split) = name
        .split_once(": ")
        .with_context(|| format!("held out {name:?}: a task, a colon and a split are expected"))?;
    let task = task_of(dataset, Some(task))?;
    Ok((task, split_of(dataset, task, Some(split))?))
}
