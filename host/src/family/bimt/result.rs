//! What a trained member is: its figures, whole and pruned.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::prune::{left, prune};
use super::settings::Settings;
use super::train::{Member, first};
use crate::net::Float;

/// A member's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Its seed.
    pub seed: u64,
    /// Settings that differ over the grid.
    pub label: String,
    /// Steps done.
    pub step: usize,
    /// Figure on the training samples: accuracy, or the mean square error.
    pub train: f64,
    /// The same on the held-out samples.
    pub test: f64,
    /// The cost with all its terms.
    pub cost: f64,
    /// Swaps in all.
    pub swaps: usize,
    /// Weights below were pruned.
    pub threshold: f64,
    /// Weights left, and weights in all.
    pub weights: (usize, usize),
    /// Neurons of each hidden layer that are left.
    pub active: Vec<usize>,
    /// Figure of the pruned network on the held-out samples.
    pub pruned: f64,
    /// Newman modularity of the pruned network, and its number of modules.
    pub modularity: (f64, usize),
    /// The first digits of the SHA-256 of parameters and places.
    pub hash: String,
}

/// Thresholds that are tried where none is given: 12 a decade from 1e-4 on.
fn candidates() -> impl Iterator<Item = f64> {
    (0..=48).map(|i| 10f64.powf(-4.0 + f64::from(i) / 12.0))
}

/// Training samples that a threshold is found on.
const SOUGHT_ON: usize = 5_000;
/// What pruning may cost where its threshold is sought: accuracy, or times the error.
const ALLOWED: (f64, f64) = (0.002, 1.1);

/// The largest threshold that costs next to nothing on training samples.
pub fn threshold<T: Float>(member: &mut Member<T>, settings: &Settings) -> Result<f64> {
    if let Some(threshold) = settings.threshold {
        return Ok(threshold);
    }
    let samples = first(&member.data.train, SOUGHT_ON);
    let counts = settings.task()?.counts();
    let whole = member.figure(&samples)?;
    let mut found = 0.0;
    for candidate in candidates() {
        let mut parameters = member.parameters()?;
        prune(&member.wiring, &mut parameters, candidate);
        let figure = member.figure_with(&parameters, &samples)?;
        let fine = if counts { figure >= whole - ALLOWED.0 } else { figure <= whole * ALLOWED.1 };
        if fine {
            found = candidate;
        }
    }
    Ok(found)
}

/// Measures a member and gives its pruned parameters.
///
/// # Errors
/// Where the engine fails.
pub fn measure<T: Float>(member: &mut Member<T>, seed: u64, label: String) -> Result<(Figures, Vec<T>)> {
    let settings = member.settings.clone();
    let threshold = threshold(member, &settings)?;
    let mut parameters = member.parameters()?;
    prune(&member.wiring, &mut parameters, threshold);
    let left = left(&member.wiring, &parameters);
    let (train, test) = (member.data.train.clone(), member.data.test.clone());
    let figures = Figures {
        seed,
        label,
        step: member.step()?,
        train: member.figure(&train)?,
        test: member.figure(&test)?,
        cost: member.cost()?,
        swaps: member.history.swaps,
        threshold,
        weights: (left.weights, left.of),
        active: left.active,
        pruned: member.figure_with(&parameters, &test)?,
        modularity: (left.modules.q, left.modules.count),
        hash: member.hash()?,
    };
    Ok((figures, parameters))
}
