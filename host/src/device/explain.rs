//! Why a board gave a score: the terms it computes, and what they leave.

use super::{Device, Link};
use crate::infer::Host;
use anyhow::{Context, Result, bail, ensure};
use smidgen_shared::{
    artifact::Artifact,
    explain,
    op::Width,
    wire::{Ask, Reply},
};

/// A score in whole numbers: `constant + Σ features + rest = score`, and
/// `Σ networks + rest_of_networks = score`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The score that the model gave.
    pub score: i32,
    /// What no feature brings: biases.
    pub constant: i32,
    /// The common map (base `None`), then the base networks that the gate kept; biases included.
    pub networks: Vec<(Option<u8>, i32)>,
    /// One a feature.
    pub features: Vec<i32>,
}

impl Explanation {
    /// From the board's terms.
    pub fn new(score: i32, terms: &[i32], kept: &[u8]) -> Result<Explanation> {
        let (constant, rest) = terms.split_first().context("no terms")?;
        let (networks, features) = rest.split_at_checked(1 + kept.len()).context("too few terms")?;
        let names = std::iter::once(None).chain(kept.iter().copied().map(Some));
        Ok(Explanation {
            score,
            constant: *constant,
            networks: names.zip(networks.iter().copied()).collect(),
            features: features.to_vec(),
        })
    }

    /// What rounding, clamping and a seen class's handicap add to the features' terms.
    pub fn rest(&self) -> i64 {
        let sum: i64 = self.features.iter().map(|&term| i64::from(term)).sum();
        i64::from(self.score) - i64::from(self.constant) - sum
    }

    /// The same for the networks' terms, a class's own bias included.
    pub fn rest_of_networks(&self) -> i64 {
        i64::from(self.score) - self.networks.iter().map(|term| i64::from(term.1)).sum::<i64>()
    }
}

impl<L: Link> Device<L> {
    /// Why class `class` got its score for `raw`, `(steps, channels)`. The board serves `model`.
    pub fn explain(&mut self, model: &Artifact<'_>, raw: &[i16], channels: usize, class: u16) -> Result<Explanation> {
        let not_linear = || anyhow::anyhow!(super::in_words(smidgen_shared::wire::Fault::NotLinear));
        let stop = explain::stop(model).map_err(|_| not_linear())?;
        let count = explain::count(model).map_err(|_| not_linear())?;
        ensure!(
            self.hello().model == Ok(model.hash()),
            "{} serves another model than the file given",
            self.hello().board
        );
        let answer = self.infer(raw, channels)?;
        let score = score_of(&answer.scores, model.output().1, class.into())
            .with_context(|| format!("the answer has no score of class {class}"))?;
        self.stop_after(raw, channels, stop)?;
        let mut terms: Vec<i32> = Vec::with_capacity(count);
        while terms.len() < count {
            match self.ask(Ask::Explain { class, from: u16::try_from(terms.len())? })? {
                Reply::Bytes { data, .. } if data.len() >= 4 => {
                    terms.extend(data.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)));
                }
                other => bail!("terms of a score were expected, {other:?} came"),
            }
        }
        Explanation::new(score, &terms, &kept(model, raw)?)
    }
}

/// Score `class` of an answer's bytes.
pub fn score_of(scores: &[u8], width: Width, class: usize) -> Option<i32> {
    crate::verify::values(scores, width).get(class).map(|&score| score as i32)
}

/// The base networks that the gate keeps for `raw`, in its order.
pub fn kept(model: &Artifact<'_>, raw: &[i16]) -> Result<Vec<u8>> {
    let Some((i, _)) = model.ops().enumerate().find(|(_, op)| op.kind() == "gate") else { return Ok(Vec::new()) };
    let mut arena = Vec::new();
    let pairs = Host::new(*model, &mut arena)?.trace(raw, i as u8)?;
    Ok(pairs.chunks_exact(2).map(|pair| pair[0]).collect())
}
