//! Preconditioning, noise levels and grids of Karras et al. (EDM, arXiv 2206.00364, table 1), σ(t) = t.
//!
//! A denoiser is `D(x, σ) = c_skip·x + c_out·F(c_in·x, emb(σ))` with
//! `c_skip = σ_d²/(σ² + σ_d²)`, `c_out = σ·σ_d/√(σ² + σ_d²)`, `c_in = 1/√(σ² + σ_d²)`, so that F's
//! inputs and targets have variance 1 at every σ. Weighted by `λ = 1/c_out²` the denoising loss
//! `λ‖D − y‖²` is the plain square error of F against `(y − c_skip·x)/c_out`.

use crate::rng::Rng;

/// Smallest noise level of a sampler's grid.
pub const SIGMA_MIN: f64 = 0.002;
/// Largest noise level.
pub const SIGMA_MAX: f64 = 80.0;
/// ρ of the grid.
pub const RHO: f64 = 7.0;

/// The coefficients at one noise level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precondition {
    /// Share of the noisy sample in the denoised one.
    pub skip: f64,
    /// Scale of the network's output.
    pub out: f64,
    /// Scale of the network's input.
    pub input: f64,
}

impl Precondition {
    /// At noise level `sigma` for data of deviation `data`.
    pub fn at(sigma: f64, data: f64) -> Self {
        let total = sigma * sigma + data * data;
        Precondition { skip: data * data / total, out: sigma * data / total.sqrt(), input: 1.0 / total.sqrt() }
    }
}

/// How a noise level enters the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Embedding {
    /// `ln σ / 4`, one value.
    Logarithm,
    /// `cos(ω_k ln σ)`, then `sin(ω_k ln σ)`, `ω_k = 2^{k/2}/4`, 8 of each: over the grid ln σ goes from
    /// −6.2 to 4.4, so the slowest makes less than half a turn and the fastest five.
    Fourier,
}

/// Frequencies of [`Embedding::Fourier`].
const FREQUENCIES: usize = 8;

impl Embedding {
    /// Number of values.
    pub fn width(self) -> usize {
        match self {
            Embedding::Logarithm => 1,
            Embedding::Fourier => 2 * FREQUENCIES,
        }
    }

    /// The values at `sigma` > 0.
    pub fn at(self, sigma: f64) -> Vec<f32> {
        let log = sigma.ln();
        match self {
            Embedding::Logarithm => vec![(log / 4.0) as f32],
            Embedding::Fourier => {
                let angles = (0..FREQUENCIES).map(|k| log * 2f64.powf(k as f64 / 2.0) / 4.0);
                angles.clone().map(|a| a.cos() as f32).chain(angles.map(|a| a.sin() as f32)).collect()
            }
        }
    }
}

/// Noise levels of the training: `ln σ ~ N(mean, deviation²)`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Levels {
    /// P_mean
    pub mean: f64,
    /// P_std
    pub deviation: f64,
}

impl Default for Levels {
    fn default() -> Self {
        Levels { mean: -1.2, deviation: 1.2 }
    }
}

impl Levels {
    /// One level.
    pub fn draw(self, rng: &mut Rng) -> f64 {
        (self.mean + self.deviation * f64::from(rng.normal())).exp()
    }
}

/// `n` noise levels from `high` down to `low`, `t_i = (high^{1/ρ} + i/(n−1)·(low^{1/ρ} − high^{1/ρ}))^ρ`;
/// the ends exactly. `high` alone where n is 1.
pub fn grid(low: f64, high: f64, n: usize) -> Vec<f64> {
    let (from, to) = (high.powf(1.0 / RHO), low.powf(1.0 / RHO));
    let at = |i: usize| match i {
        0 => high,
        i if i + 1 == n => low,
        i => (from + i as f64 / (n - 1) as f64 * (to - from)).powf(RHO),
    };
    (0..n).map(at).collect()
}

/// The main grid of n levels from 80 to .002, then 0.
pub fn main_grid(n: usize) -> Vec<f64> {
    let mut levels = grid(SIGMA_MIN, SIGMA_MAX, n);
    levels.push(0.0);
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What the coefficients are for (EDM, appendix B.6): F's input and target have variance 1, and
        /// λ·c_out² = 1 for λ = (σ² + σ_d²)/(σ·σ_d)².
        #[test]
        fn inputs_and_targets_have_variance_1(sigma in 0.002f64..80.0, data in 0.1f64..2.0) {
            let c = Precondition::at(sigma, data);
            let noisy = sigma * sigma + data * data;
            prop_assert!((c.input * c.input * noisy - 1.0).abs() < 1e-12);
            // y − c_skip·(y + σn) has variance (1 − c_skip)²·σ_d² + c_skip²·σ².
            let target = ((1.0 - c.skip).powi(2) * data * data + c.skip.powi(2) * sigma * sigma) / c.out.powi(2);
            prop_assert!((target - 1.0).abs() < 1e-9, "{target}");
            let lambda = noisy / (sigma * data).powi(2);
            prop_assert!((lambda * c.out * c.out - 1.0).abs() < 1e-12);
        }

        #[test]
        fn grids_fall_from_end_to_end(n in 2usize..64, low in 0.002f64..0.5, more in 0.1f64..80.0) {
            let levels = grid(low, low + more, n);
            prop_assert_eq!((levels[0], levels[n - 1], levels.len()), (low + more, low, n));
            prop_assert!(levels.windows(2).all(|w| w[0] > w[1]));
        }
    }

    #[test]
    fn embeddings_are_bounded_and_tell_levels_apart() {
        let levels = grid(SIGMA_MIN, SIGMA_MAX, 64);
        let rows: Vec<Vec<f32>> = levels.iter().map(|&t| Embedding::Fourier.at(t)).collect();
        for (i, row) in rows.iter().enumerate() {
            assert!(row.len() == Embedding::Fourier.width() && row.iter().all(|v| v.abs() <= 1.0));
            for other in &rows[..i] {
                let distance: f32 = row.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum();
                assert!(distance > 1e-3, "{distance}");
            }
        }
        assert_eq!(Embedding::Logarithm.at(1.0), [0.0]);
    }
}
