//! What an engine trains on: inputs and targets of n samples, shared by all members.

use anyhow::{Result, ensure};

use crate::net::{Layer, Network};
use crate::rng::Rng;

/// Inputs and targets; sample i is row i of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples<T> {
    /// What goes in.
    pub inputs: Inputs<T>,
    /// What should come out.
    pub targets: Targets<T>,
}

/// Inputs of n samples.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs<T> {
    /// `(n, width)` row-major
    Values { width: usize, data: Vec<T> },
    /// `(n, folds)` row-major: token numbers for an embedding
    Tokens { folds: usize, data: Vec<u32> },
}

/// Targets of n samples.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets<T> {
    /// `(n, width)` row-major, for the mean square error
    Values { width: usize, data: Vec<T> },
    /// `(n)` indices of classes, for the cross-entropy
    Classes(Vec<u32>),
}

/// What is minimised, besides a penalty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// `Σ (y − t)² / (n · outputs)`
    MeanSquare,
    /// `−Σ log softmax(y)_t / n`
    CrossEntropy,
}

/// `n` of the numbers 0..`all`, without replacement: the batch of a seed at a step (Floyd's method).
///
/// # Panics
/// Where n is above `all`.
pub fn draw(n: usize, all: usize, seed: u64, step: usize) -> Vec<u32> {
    let (mut taken, mut order) = (vec![false; all], Vec::with_capacity(n));
    draw_into(&mut taken, &mut order, n, seed, step);
    order
}

/// [`draw`] into buffers that are kept: `taken` holds `false` for each number, before and after.
pub(super) fn draw_into(taken: &mut [bool], order: &mut Vec<u32>, n: usize, seed: u64, step: usize) {
    let mut rng = Rng::new(seed, "batch", step as u64);
    order.clear();
    for last in taken.len() - n..taken.len() {
        let i = rng.below(last + 1);
        let i = if taken[i] { last } else { i };
        taken[i] = true;
        order.push(i as u32);
    }
    for &i in order.iter() {
        taken[i as usize] = false;
    }
}

impl<T> Inputs<T> {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Inputs::Values { width, data } => data.len() / (*width).max(1),
            Inputs::Tokens { folds, data } => data.len() / (*folds).max(1),
        }
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Samples<T> {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether they fit a network and a loss.
    ///
    /// # Errors
    /// What does not: widths, lengths, a token or a class out of range, no samples.
    pub fn check(&self, network: &Network, loss: Loss) -> Result<()> {
        let n = self.len();
        ensure!(n > 0, "no samples to train on");
        match (&self.inputs, network.layers()[0]) {
            (Inputs::Tokens { folds, data }, Layer::Embedding { vocabulary, folds: wanted, .. }) => {
                ensure!(*folds == wanted, "inputs of {folds} tokens for an embedding of {wanted}");
                ensure!(data.iter().all(|&t| (t as usize) < vocabulary), "a token is not below {vocabulary}");
            }
            (Inputs::Values { width, .. }, layer) if !matches!(layer, Layer::Embedding { .. }) => {
                ensure!(*width == layer.inputs(), "inputs of {width} values for a layer of {}", layer.inputs());
            }
            (Inputs::Tokens { .. }, _) => anyhow::bail!("tokens need an embedding as the first layer"),
            (Inputs::Values { .. }, _) => anyhow::bail!("an embedding takes tokens, not values"),
        }
        match (&self.targets, loss) {
            (Targets::Values { width, data }, Loss::MeanSquare) => {
                ensure!(*width == network.outputs(), "targets of {width} values for {} outputs", network.outputs());
                ensure!(data.len() == n * width, "{} targets for {n} samples of {width}", data.len());
            }
            (Targets::Classes(classes), Loss::CrossEntropy) => {
                ensure!(classes.len() == n, "{} classes for {n} samples", classes.len());
                let outputs = network.outputs();
                ensure!(classes.iter().all(|&c| (c as usize) < outputs), "a class is not below {outputs}");
            }
            (Targets::Classes(_), Loss::MeanSquare) => anyhow::bail!("the mean square error needs values as targets"),
            (Targets::Values { .. }, Loss::CrossEntropy) => anyhow::bail!("the cross-entropy needs classes as targets"),
        }
        Ok(())
    }
}
