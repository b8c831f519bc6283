//! One batch of samples on its way from noise to data: the state that every sampler moves, its noise,
//! and the one counter of function evaluations.
//!
//! Samples lie features × samples. Noise is a function of (seed, sample, draw): a sample is the same
//! alone or among ten thousand, in whatever order chunks of them are worked on.

use crate::rng::Rng;

/// A denoiser at work on a fixed number of samples, features × samples.
pub trait Denoise {
    /// Features.
    fn dim(&self) -> usize;
    /// Elements from one feature to the next.
    fn stride(&self) -> usize;
    /// `y = D(x, σ)`, both `(dim, stride)`.
    fn denoise(&mut self, x: &[f32], sigma: f64, y: &mut [f32]);
}

/// Where a batch of samples stands.
pub struct Walk<'d> {
    denoiser: &'d mut dyn Denoise,
    /// `(dim, stride)`
    pub x: Vec<f32>,
    seed: u64,
    /// Number of the first sample among all.
    first: usize,
    /// Noise draws so far.
    draws: u32,
    evaluations: usize,
    /// buffers: the denoised samples, and one sample's noise
    denoised: Vec<f32>,
    noise: Vec<f32>,
}

impl<'d> Walk<'d> {
    /// Samples `first…` of those of `seed`, all 0.
    pub fn new(denoiser: &'d mut dyn Denoise, seed: u64, first: usize) -> Self {
        let (len, dim) = (denoiser.dim() * denoiser.stride(), denoiser.dim());
        let (x, denoised, noise) = (vec![0.0; len], vec![0.0; len], vec![0.0; dim]);
        Walk { denoiser, x, seed, first, draws: 0, evaluations: 0, denoised, noise }
    }

    /// Function evaluations so far, of each sample.
    pub fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// Adds noise of deviation `deviation` to all samples.
    pub fn diffuse(&mut self, deviation: f64) {
        let stride = self.denoiser.stride();
        for s in 0..stride {
            let step = u64::from(self.draws) << 32 | (self.first + s) as u64;
            Rng::new(self.seed, "sampling", step).normals(&mut self.noise);
            for (i, n) in self.noise.iter().enumerate() {
                self.x[i * stride + s] += deviation as f32 * n;
            }
        }
        self.draws += 1;
    }

    /// `d = (x − D(x, t))/t` of `x`, one function evaluation.
    pub fn slope_of(&mut self, x: &[f32], t: f64) -> Vec<f32> {
        self.denoiser.denoise(x, t, &mut self.denoised);
        self.evaluations += 1;
        let inverse = (1.0 / t) as f32;
        x.iter().zip(&self.denoised).map(|(x, y)| (x - y) * inverse).collect()
    }

    /// [`Walk::slope_of`] the present samples.
    pub fn slope(&mut self, t: f64) -> Vec<f32> {
        let x = std::mem::take(&mut self.x);
        let d = self.slope_of(&x, t);
        self.x = x;
        d
    }

    /// `x + h·d`.
    pub fn moved(&self, h: f64, d: &[f32]) -> Vec<f32> {
        let h = h as f32;
        self.x.iter().zip(d).map(|(x, d)| x + h * d).collect()
    }

    /// `x ← x + h·d`.
    pub fn go(&mut self, h: f64, d: &[f32]) {
        let h = h as f32;
        self.x.iter_mut().zip(d).for_each(|(x, d)| *x += h * d);
    }
}
