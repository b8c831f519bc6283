//! What a restart run keeps: `RUN/run.json` ([`Record`]), `RUN/population.safetensors` (the denoisers, one a
//! seed) and `RUN/graph.json` (the first one, where it can be exported).

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::NAME;
use super::denoiser::{Denoiser, Shape};
use super::judge::Figures;
use super::plan::Plan;
use super::sampler::Restart;
use super::settings::checkpoint;
use crate::population;
use crate::report::write_atomic;
use crate::run::read_json;

/// `run.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// `restart`
    pub family: String,
    /// First seed.
    pub seed: u64,
    /// Number of denoisers.
    pub population: u64,
    /// Name of the data.
    pub data: String,
    /// Seed of drawn data.
    pub draw: u64,
    /// All settings, as words.
    pub settings: String,
    /// Every denoiser's shape.
    pub shape: Shape,
    /// Loss of each denoiser, mean over its last steps.
    pub losses: Vec<f64>,
    /// What samples are judged by.
    pub yard: Yard,
    /// Samplers with their figures, in the order of the table.
    pub measured: Vec<Measured>,
    /// The sampler that goes with the exported denoiser.
    pub restart: Restart,
}

/// What samples are judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Yard {
    /// `Fréchet distance` or `W₁`.
    pub name: String,
    /// The distance between two halves of the data.
    pub floor: f64,
    /// Share of the data that the classifier gets right.
    pub accuracy: Option<f64>,
    /// Mean distance of a training sample to its nearest other one.
    pub spacing: Option<f64>,
    /// Samples that each sampler gave.
    pub samples: usize,
}

/// One sampler's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The sampler with its settings.
    pub plan: Plan,
    /// Whether its settings were searched for, on the first denoiser.
    pub searched: bool,
    /// Distance to the data by denoiser.
    pub distances: Vec<f64>,
    /// All figures of the first denoiser's samples, where a classifier judges.
    pub figures: Option<Figures>,
}

impl Measured {
    /// Mean distance.
    pub fn mean(&self) -> f64 {
        self.distances.iter().sum::<f64>() / self.distances.len().max(1) as f64
    }
}

impl Record {
    /// Writes `run.json`.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_atomic(&folder.join("run.json"), &serde_json::to_vec_pretty(self)?)
    }

    /// Reads a finished run.
    ///
    /// # Errors
    /// A folder that holds no finished run of this family, or damaged files.
    pub fn read(folder: &Path) -> Result<Record> {
        let record: Record = read_json(folder, "run.json")?;
        ensure!(record.family == NAME, "{} holds a run of {}, not of {NAME}", folder.display(), record.family);
        Ok(record)
    }

    /// The run's denoiser of seed number `index`.
    ///
    /// # Errors
    /// A checkpoint that is not there or does not fit.
    pub fn denoiser(&self, folder: &Path, index: usize) -> Result<Denoiser> {
        let path = checkpoint(folder);
        let members = population::read(&path)?;
        let saved = members.get(&index).with_context(|| format!("{} has no member {index}", path.display()))?;
        let parameters: Vec<f32> = saved.get("mean")?;
        let denoiser = Denoiser { shape: self.shape.clone(), parameters };
        ensure!(
            denoiser.parameters.len() == self.shape.network()?.parameters(),
            "{} holds {} parameters; train again",
            path.display(),
            denoiser.parameters.len()
        );
        Ok(denoiser)
    }
}
