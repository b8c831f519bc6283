//! Penalties: `λ(step) · (Σ_j a_j |w_j| + Σ_j b_j w_j²)`, with a coefficient for each parameter.
//!
//! L1, L2 and distance-weighted L1 are ways to fill the coefficients; weights of single layers and
//! changes during training are too. The subgradient of |w| at 0 is 0.

use super::Schedule;
use crate::net::{Float, Network, Role, Tensor};

/// Coefficients of the absolute values and of the squares, and their common strength.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalty<T> {
    /// λ over the steps.
    pub strength: Schedule,
    /// a, one a parameter; empty for none.
    pub absolute: Vec<T>,
    /// b, one a parameter; empty for none.
    pub square: Vec<T>,
}

impl<T: Float> Penalty<T> {
    /// No penalty.
    pub fn none() -> Self {
        Penalty { strength: Schedule::constant(0.0), absolute: vec![], square: vec![] }
    }

    /// `strength · Σ |w|` over weights and embeddings, biases left out.
    pub fn l1(network: &Network, strength: Schedule) -> Self {
        Penalty { strength, absolute: Self::coefficients(network, not_bias), square: vec![] }
    }

    /// `strength · Σ w²` over weights and embeddings, biases left out.
    pub fn l2(network: &Network, strength: Schedule) -> Self {
        Penalty { strength, absolute: vec![], square: Self::coefficients(network, not_bias) }
    }

    /// One coefficient a tensor, for each of its elements.
    pub fn coefficients(network: &Network, of: impl Fn(&Tensor) -> f64) -> Vec<T> {
        network.tensors().iter().flat_map(|t| std::iter::repeat_n(T::of(of(t)), t.len())).collect()
    }

    /// Its value, with λ = `strength`.
    pub fn value(&self, strength: f64, parameters: &[T]) -> f64 {
        let absolute: f64 = self.absolute.iter().zip(parameters).map(|(a, w)| a.f64() * w.f64().abs()).sum();
        let square: f64 = self.square.iter().zip(parameters).map(|(b, w)| b.f64() * w.f64() * w.f64()).sum();
        strength * (absolute + square)
    }
}

fn not_bias(tensor: &Tensor) -> f64 {
    if tensor.role == Role::Bias { 0.0 } else { 1.0 }
}
