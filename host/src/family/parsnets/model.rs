//! The networks: trainable in candle, and what is kept of them afterwards.

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};

use super::{ClassTable, Kind, Settings, Targets};
use crate::graph::Matrix;
use crate::net::{Composed, Composite, Dense, Parameters, unit_rms};
use crate::rng::Rng;

/// A network being trained.
#[derive(Clone, Debug)]
pub(super) enum Net {
    Linear(Dense),
    LowRank { v: Dense, u: Dense },
    Composite { bases: Composite, residual: Option<Dense> },
    Trunk { v: Dense, u0: Dense, bases: Composite },
    Mlp(Vec<Dense>),
}

/// What a network computes for a batch.
pub(super) struct Output {
    /// `(batch, a)`
    pub s: Tensor,
    /// Of composites and trunks
    pub gate: Option<Composed>,
}

/// How a network runs.
pub(super) struct Mode<'a> {
    pub keep: usize,
    pub temperature: f64,
    /// For an MLP's hidden layers in training
    pub dropout: Option<(f32, &'a mut Rng)>,
}

impl Net {
    /// A fresh network of `n_in` inputs and `a` outputs.
    pub fn new(settings: &Settings, n_in: usize, a: usize, parameters: &mut Parameters) -> Result<Self> {
        let s = settings;
        Ok(match s.kind {
            Kind::Linear if s.rank > 0 => Net::LowRank {
                v: Dense::new(parameters, "v", n_in, s.rank, 0.1)?,
                u: Dense::new(parameters, "u", s.rank, a, 1.0)?,
            },
            Kind::Linear | Kind::Eszsl | Kind::Bilinear => Net::Linear(Dense::new(parameters, "w", n_in, a, 0.1)?),
            Kind::Composite => Net::Composite {
                bases: Composite::new(parameters, n_in, s.bases, s.rank, a)?,
                residual: if s.residual { Some(Dense::new(parameters, "w0", n_in, a, 0.1)?) } else { None },
            },
            Kind::Trunk => Net::Trunk {
                v: Dense::new(parameters, "trunk", n_in, s.rank, 1.0)?,
                u0: Dense::new(parameters, "u0", s.rank, a, 1.0)?,
                bases: Composite::shared(parameters, s.bases, s.rank, a)?,
            },
            Kind::Mlp => {
                let widths: Vec<usize> = [n_in].into_iter().chain(s.widths.iter().copied()).chain([a]).collect();
                let layers = widths.windows(2).enumerate();
                Net::Mlp(
                    layers
                        .map(|(i, w)| Dense::new(parameters, &format!("layer{i}"), w[0], w[1], 1.0))
                        .collect::<Result<_>>()?,
                )
            }
        })
    }

    /// `x (batch, n_in)`
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Output> {
        let (keep, temperature) = (mode.keep, mode.temperature);
        Ok(match self {
            Net::Linear(w) => Output { s: w.forward(x, false)?, gate: None },
            Net::LowRank { v, u } => Output { s: u.forward(&v.forward(x, false)?, true)?, gate: None },
            Net::Composite { bases, residual } => {
                let composed = bases.forward(x, keep, temperature, false)?;
                let s = match residual {
                    Some(w) => (&composed.s + w.forward(x, false)?)?,
                    None => composed.s.clone(),
                };
                Output { s, gate: Some(composed) }
            }
            Net::Trunk { v, u0, bases } => {
                let z = unit_rms(&v.forward(x, false)?)?;
                let composed = bases.forward(&z, keep, temperature, true)?;
                Output { s: (&composed.s + u0.forward(&z, true)?)?, gate: Some(composed) }
            }
            Net::Mlp(layers) => {
                let mut x = x.clone();
                let mut dropout = mode.dropout;
                for (i, layer) in layers.iter().enumerate() {
                    if i > 0 {
                        x = x.relu()?;
                        if let Some((p, rng)) = dropout.as_mut().filter(|(p, _)| *p > 0.0) {
                            let mut mask = vec![1.0; x.elem_count()];
                            rng.drop_out(&mut mask, *p);
                            x = (x.clone() * Tensor::from_vec(mask, x.shape(), &Device::Cpu)?)?;
                        }
                    }
                    x = layer.forward(&x, i > 0)?;
                }
                Output { s: x, gate: None }
            }
        })
    }
}

/// One named tensor of a trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// E.g. `v.w`; layers' matrices are `(n_in, n_out)`
    pub name: String,
    pub shape: Vec<usize>,
    /// Row-major
    pub values: Vec<f32>,
}

/// A trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub settings: Settings,
    pub targets: Targets,
    /// Number of inputs
    pub n_in: usize,
    pub weights: Vec<Weight>,
}

impl Model {
    /// What training left in `parameters`.
    pub(super) fn of(settings: &Settings, targets: &Targets, n_in: usize, parameters: &Parameters) -> Result<Self> {
        let weights = parameters.iter().map(|(name, _)| {
            let (shape, values) = parameters.values(name)?;
            Ok(Weight { name: name.to_owned(), shape, values })
        });
        Ok(Model {
            settings: settings.clone(),
            targets: targets.clone(),
            n_in,
            weights: weights.collect::<Result<_>>()?,
        })
    }

    /// A linear model with the given `w (n_in, a)` and no bias.
    pub fn linear(settings: &Settings, targets: &Targets, n_in: usize, w: Vec<f32>) -> Result<Self> {
        let a = targets.width();
        ensure!(w.len() == n_in * a, "a linear map of {} weights, expected {n_in} x {a}", w.len());
        let w = Weight { name: "w.w".to_owned(), shape: vec![n_in, a], values: w };
        let b = Weight { name: "w.b".to_owned(), shape: vec![a], values: vec![0.0; a] };
        Ok(Model { settings: settings.clone(), targets: targets.clone(), n_in, weights: vec![w, b] })
    }

    /// The tensor called `name`.
    pub fn weight(&self, name: &str) -> Result<&Weight> {
        let names = || self.weights.iter().map(|w| w.name.as_str()).collect::<Vec<_>>().join(", ");
        self.weights
            .iter()
            .find(|w| w.name == name)
            .ok_or_else(|| anyhow::anyhow!("no weight {name}; there are {}", names()))
    }

    /// Number of trained numbers.
    pub fn parameters(&self) -> usize {
        self.weights.iter().map(|w| w.values.len()).sum()
    }

    /// Multiply-accumulates a sample, only the bases that run counted; without the class table.
    pub fn macs(&self) -> usize {
        let (s, d, a) = (&self.settings, self.n_in, self.targets.width());
        match s.kind {
            Kind::Linear if s.rank > 0 => s.rank * (d + a),
            Kind::Linear | Kind::Eszsl | Kind::Bilinear => d * a,
            Kind::Composite => d * s.bases + s.keep * s.rank * (d + a) + if s.residual { d * a } else { 0 },
            Kind::Trunk => d * s.rank + s.rank * s.bases + (1 + s.keep) * s.rank * a,
            Kind::Mlp => {
                let widths: Vec<usize> = [d].into_iter().chain(s.widths.iter().copied()).chain([a]).collect();
                widths.windows(2).map(|w| w[0] * w[1]).sum()
            }
        }
    }

    fn run(&self, x: &[f32]) -> Result<Output> {
        ensure!(
            x.len().is_multiple_of(self.n_in),
            "{} values are no whole number of samples of {}",
            x.len(),
            self.n_in
        );
        let mut parameters = Parameters::new(DType::F32, 0);
        let net = Net::new(&self.settings, self.n_in, self.targets.width(), &mut parameters)?;
        for weight in &self.weights {
            parameters.set(&weight.name, weight.values.clone())?;
        }
        let x = Tensor::from_slice(x, (x.len() / self.n_in, self.n_in), &Device::Cpu)?;
        let temperature = f64::from(Settings::TEMPERATURE);
        net.forward(&x, Mode { keep: self.settings.keep, temperature, dropout: None })
    }

    /// `x (n, n_in)`, standardised, to `s (n, a)`.
    pub fn s(&self, x: &[f32]) -> Result<Vec<f32>> {
        if x.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.run(x)?.s.flatten_all()?.to_vec1()?)
    }

    /// Weights of the bases `(n, K)`, as deployed; none for models without a gate.
    pub fn gates(&self, x: &[f32]) -> Result<Option<Vec<f32>>> {
        if x.is_empty() || !matches!(self.settings.kind, Kind::Composite | Kind::Trunk) {
            return Ok(None);
        }
        match self.run(x)?.gate {
            Some(gate) => Ok(Some(gate.g.flatten_all()?.to_vec1()?)),
            None => Ok(None),
        }
    }

    /// Scores `(n, C)` of all classes, as the chip ranks them: `s` itself if supervised, else
    /// `a_c·s − h_c‖s‖` with handicap 0.
    pub fn scores(&self, x: &[f32]) -> Result<Vec<f32>> {
        let s = self.s(x)?;
        Ok(if self.targets.supervised { s } else { scores_of(&s, &self.targets.rows, None) })
    }

    /// `cos(s, a_c)` `(n, C)` for unit rows: scores over `‖s‖`, in which a handicap is subtracted.
    pub fn cosines(&self, x: &[f32]) -> Result<Vec<f32>> {
        let s = self.s(x)?;
        let mut scores = scores_of(&s, &self.targets.rows, None);
        for (scores, s) in scores.chunks_exact_mut(self.targets.classes()).zip(s.chunks_exact(self.targets.width())) {
            let norm = norm(s).max(1e-12);
            scores.iter_mut().for_each(|x| *x /= norm);
        }
        Ok(scores)
    }

    /// Scores `(n, C)` of the classes of `table`.
    pub fn scores_by(&self, x: &[f32], table: &ClassTable) -> Result<Vec<f32>> {
        Ok(scores_of(&self.s(x)?, &table.rows, Some(&table.handicaps)))
    }
}

fn norm(s: &[f32]) -> f32 {
    s.iter().map(|s| s * s).sum::<f32>().sqrt()
}

fn scores_of(s: &[f32], rows: &Matrix, handicaps: Option<&[f32]>) -> Vec<f32> {
    let mut scores = Vec::with_capacity(s.len() / rows.cols * rows.rows);
    for s in s.chunks_exact(rows.cols) {
        let norm = norm(s);
        let handicap = |c: usize| handicaps.map_or(0.0, |h| h[c]);
        scores.extend(rows.times(s).iter().enumerate().map(|(c, score)| score - handicap(c) * norm));
    }
    scores
}
