//! AdamW: `m ← β₁m + (1−β₁)∂`, `v ← β₂v + (1−β₂)∂²`,
//! `w ← w − lr·(m̂ / (√v̂ + ε) + decay·w)`, `m̂ = m/(1−β₁ᵗ)`, `v̂ = v/(1−β₂ᵗ)`.
//!
//! Loshchilov and Hutter, arXiv 1711.05101, algorithm 2. One pass over each tensor: candle's own
//! makes a dozen temporaries of every one.

use anyhow::{Context, Result, ensure};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};

use crate::net::Parameters;

/// β₁
pub const BETA_1: f32 = 0.9;
/// β₂
pub const BETA_2: f32 = 0.99;
/// ε
pub const EPSILON: f32 = 1e-8;

/// The optimiser's state for one model.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// m, v per parameter, in the parameters' order
    pub(super) moments: Vec<[Vec<f32>; 2]>,
    /// t: steps done
    pub(super) steps: usize,
    weight_decay: f32,
}

impl AdamW {
    /// Zero moments for every parameter.
    pub fn new(parameters: &Parameters, weight_decay: f32) -> Self {
        let zeros = |n: usize| [vec![0.0; n], vec![0.0; n]];
        AdamW { moments: parameters.iter().map(|(_, var)| zeros(var.elem_count())).collect(), steps: 0, weight_decay }
    }

    /// One step at learning rate `rate`. A parameter without a gradient is left alone.
    pub fn step(&mut self, parameters: &Parameters, gradients: &GradStore, rate: f32) -> Result<()> {
        self.steps += 1;
        let correct = |beta: f32| 1.0 / (1.0 - f64::from(beta).powi(self.steps as i32)) as f32;
        let (correct_1, correct_2) = (correct(BETA_1), correct(BETA_2));
        for ((name, var), [m, v]) in parameters.iter().zip(&mut self.moments) {
            let Some(gradient) = gradients.get(var) else { continue };
            ensure!(var.dtype() == DType::F32, "parameter {name} is {:?}, but training is f32", var.dtype());
            let gradient: Vec<f32> =
                gradient.flatten_all()?.to_vec1().with_context(|| format!("gradient of {name}"))?;
            let mut w: Vec<f32> = var.flatten_all()?.to_vec1()?;
            for (((w, g), m), v) in w.iter_mut().zip(&gradient).zip(m.iter_mut()).zip(v.iter_mut()) {
                *m = BETA_1 * *m + (1.0 - BETA_1) * g;
                *v = BETA_2 * *v + (1.0 - BETA_2) * g * g;
                *w -= rate * (*m * correct_1 / ((*v * correct_2).sqrt() + EPSILON) + self.weight_decay * *w);
            }
            var.set(&Tensor::from_vec(w, var.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }
}
