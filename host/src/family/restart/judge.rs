//! The judge of pictures: features of a classifier of our own, and the figures of samples in them.
//!
//! A network 64-64-32-10 with ReLU learns the training digits; the 32 activations before its last layer are
//! the features, standardised over the data, those that never fire left out.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::metrics::{Moments, nearest, precision_recall, sliced};
use super::set::Set;
use crate::engine::{Adam, Fused, Inputs, Loss, Samples, Schedule, Targets, Training};
use crate::family::spread;
use crate::net::{Activation, Network};

/// Width of the feature layer.
const FEATURES: usize = 32;
/// Samples for the figures that take time with the square of their number.
const FEW: usize = 1000;
/// Directions of sliced W₁.
const DIRECTIONS: usize = 64;
/// Neighbour of precision and recall.
const NEIGHBOUR: usize = 3;

/// A trained judge with what it knows of the data.
pub struct Judge {
    features: Features,
    data: Moments,
    /// `(n, dim)`
    values: Arc<Set>,
    /// Share of the data that the classifier gets right.
    pub accuracy: f64,
    /// Fréchet distance between two halves of the data: what no sampler can be expected to go below.
    pub floor: f64,
}

/// Figures of one set of samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Fréchet distance to the data.
    pub frechet: f64,
    /// Sliced W₁ of pixels.
    pub sliced: f64,
    /// Share of samples within the data's manifold.
    pub precision: f64,
    /// Share of data within the samples' manifold.
    pub recall: f64,
    /// Mean distance in pixels to the nearest of the training data.
    pub nearest: f64,
    /// Share of samples that the classifier takes for what they were asked to be.
    pub agreement: f64,
}

struct Features {
    network: Network,
    parameters: Vec<f32>,
    /// (kept unit, mean, deviation)
    kept: Vec<(usize, f32, f32)>,
}

impl Features {
    /// Penultimate activations and class of each row.
    fn raw(&self, values: &[f32], dim: usize) -> (Vec<f32>, Vec<u8>) {
        let tensors = self.network.tensors();
        let at = |k: usize| &self.parameters[tensors[k].range()];
        let layer = |x: &[f32], k: usize, relu: bool| -> Vec<f32> {
            let rows = at(2 * k).chunks_exact(x.len()).zip(at(2 * k + 1));
            rows.map(|(w, b)| {
                let y = b + w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>();
                if relu { y.max(0.0) } else { y }
            })
            .collect()
        };
        let (mut features, mut classes) = (Vec::new(), Vec::new());
        for x in values.chunks_exact(dim) {
            let h = layer(&layer(x, 0, true), 1, true);
            let scores = layer(&h, 2, false);
            let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0);
            features.extend(h);
            classes.push(best as u8);
        }
        (features, classes)
    }

    /// Standardised features and class of each row.
    fn of(&self, values: &[f32], dim: usize) -> (Vec<f32>, Vec<u8>) {
        let (raw, classes) = self.raw(values, dim);
        let standardise = |row: &[f32]| self.kept.iter().map(|&(k, m, d)| (row[k] - m) / d).collect::<Vec<f32>>();
        (raw.chunks_exact(FEATURES).flat_map(standardise).collect(), classes)
    }
}

impl Judge {
    /// Trains the classifier on all of `set`, always with the same seed.
    ///
    /// # Errors
    /// A set without classes.
    pub fn new(set: &Arc<Set>) -> Result<Judge> {
        ensure!(set.classes > 1, "{} has no classes to tell apart", set.name);
        let network = Network::mlp(&[set.dim, 64, FEATURES, set.classes], Activation::Relu)?;
        let samples = Samples {
            inputs: Inputs::Values { width: set.dim, data: set.values.clone() },
            targets: Targets::Classes(set.labels.iter().map(|&l| l.into()).collect()),
        };
        let steps = 3000;
        let training = Training {
            steps,
            rate: Schedule::Cosine { start: 2e-3, end: 0.0, steps },
            adam: Adam { weight_decay: 1e-2, ..Adam::default() },
            loss: Loss::CrossEntropy,
            batch: Some(128.min(set.len())),
        };
        let mut engine = Fused::new(&network, Arc::new(samples), training, 0)?;
        let advance = engine.run(steps);
        ensure!(advance.failed.is_none(), "the classifier's loss is not finite");
        let mut features = Features { network, parameters: engine.at().parameters.clone(), kept: vec![] };
        let (raw, classes) = features.raw(&set.values, set.dim);
        let n = set.len() as f32;
        for k in 0..FEATURES {
            let column = || raw.iter().skip(k).step_by(FEATURES);
            let mean = column().sum::<f32>() / n;
            let deviation = (column().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt();
            if deviation > 1e-3 {
                features.kept.push((k, mean, deviation));
            }
        }
        let (all, _) = features.of(&set.values, set.dim);
        let width = features.kept.len();
        let half = |odd: usize| -> Vec<f32> {
            all.chunks_exact(width).skip(odd).step_by(2).flat_map(<[f32]>::iter).copied().collect()
        };
        let right = classes.iter().zip(&set.labels).filter(|(a, b)| a == b).count();
        Ok(Judge {
            data: Moments::of(&all, width)?,
            floor: Moments::of(&half(0), width)?.frechet(&Moments::of(&half(1), width)?)?,
            accuracy: right as f64 / set.len() as f64,
            features,
            values: set.clone(),
        })
    }

    /// Number of features that are used.
    pub fn features(&self) -> usize {
        self.features.kept.len()
    }

    /// The Fréchet distance alone.
    ///
    /// # Errors
    /// Samples that are not finite.
    pub fn frechet(&self, samples: &[f32]) -> Result<f64> {
        let (features, _) = self.features.of(samples, self.values.dim);
        Moments::of(&features, self.features())?.frechet(&self.data)
    }

    /// All figures of samples that were to be of `labels`.
    ///
    /// # Errors
    /// Samples that are not finite.
    pub fn figures(&self, samples: &[f32], labels: &[Option<u8>]) -> Result<Figures> {
        let dim = self.values.dim;
        let (features, classes) = self.features.of(samples, dim);
        let width = self.features();
        let n = samples.len() / dim;
        // Samples come with classes in turn: the first ones have all of them.
        let count = FEW.min(n).min(self.values.len());
        let (few, few_data) = (&samples[..count * dim], self.some(count));
        let (data_features, _) = self.features.of(&few_data, dim);
        let (precision, recall) = precision_recall(&data_features, &features[..count * width], width, NEIGHBOUR);
        let right = classes.iter().zip(labels).filter(|(a, b)| Some(**a) == **b).count();
        Ok(Figures {
            frechet: Moments::of(&features, width)?.frechet(&self.data)?,
            sliced: sliced(few, &few_data, dim, DIRECTIONS, 0)?,
            precision,
            recall,
            nearest: nearest(few, &self.values.values, dim, false),
            agreement: right as f64 / n as f64,
        })
    }

    /// `count` samples of the data, evenly spread.
    fn some(&self, count: usize) -> Vec<f32> {
        spread(self.values.len(), count).into_iter().flat_map(|i| self.values.row(i).to_vec()).collect()
    }

    /// Mean distance of a training sample to the nearest other one, over the first ones.
    pub fn spacing(&self) -> f64 {
        let count = FEW.min(self.values.len());
        nearest(&self.values.values[..count * self.values.dim], &self.values.values, self.values.dim, true)
    }
}
