//! A denoiser: a chain of dense layers with SiLU in between, preconditioned as in [`edm`](super::edm).
//!
//! Its inputs are `[c_in·x, emb(σ), one-hot class]`, its outputs F. A residual network is not built: the
//! engine's networks are chains.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::edm::{Embedding, Precondition};
use super::sampler::Sampler;
use super::walk::{Denoise, Walk};
use crate::engine::{Forward, in_parallel};
use crate::net::{Activation, Network};

/// Shape of a denoiser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Features of a sample.
    pub dim: usize,
    /// Classes; 0 where it takes none.
    pub classes: usize,
    /// How the noise level enters.
    pub embedding: Embedding,
    /// Width of the hidden layers.
    pub hidden: usize,
    /// Number of hidden layers.
    pub depth: usize,
    /// σ_d
    pub deviation: f64,
    /// Largest |c_in·x| that F is shown, none where it sees all. Beyond what training saw F can rise faster than
    /// x, and a sample that strays there would run away over many restarts; what is cut off at four deviations
    /// comes back, since then D moves with c_skip·x alone. Exported networks cut off there too.
    pub reach: Option<f32>,
}

impl Shape {
    /// Inputs of the network.
    pub fn inputs(&self) -> usize {
        self.dim + self.embedding.width() + self.classes
    }

    /// The network F.
    ///
    /// # Errors
    /// A width of 0.
    pub fn network(&self) -> Result<Network> {
        let mut widths = vec![self.inputs()];
        widths.extend(std::iter::repeat_n(self.hidden, self.depth));
        widths.push(self.dim);
        Network::mlp(&widths, Activation::Silu)
    }
}

/// A trained denoiser.
#[derive(Clone, Debug, PartialEq)]
pub struct Denoiser {
    /// Its shape.
    pub shape: Shape,
    /// F's parameters.
    pub parameters: Vec<f32>,
}

/// Samples that go through a denoiser together: they stay in the cache, and are what a thread works on.
const CHUNK: usize = 256;

/// What a sampler gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// `(n, dim)` row-major
    pub values: Vec<f32>,
    /// Function evaluations of each sample, counted.
    pub evaluations: usize,
}

impl Denoiser {
    /// Ready for samples of the given classes; `None` where they have none.
    ///
    /// # Errors
    /// A class that there is not, or parameters of another shape.
    pub fn on(&self, labels: &[Option<u8>]) -> Result<Running<'_>> {
        let shape = &self.shape;
        let network = shape.network()?;
        ensure!(
            network.parameters() == self.parameters.len(),
            "{} parameters for a denoiser of {}",
            self.parameters.len(),
            network.parameters()
        );
        let mut forward = Forward::new(&network, labels.len())?;
        let stride = forward.stride();
        let first = shape.dim + shape.embedding.width();
        for (s, label) in labels.iter().enumerate() {
            let Some(label) = label.map(usize::from) else { continue };
            ensure!(label < shape.classes, "class {label} of a denoiser of {} classes", shape.classes);
            forward.inputs()[(first + label) * stride + s] = 1.0;
        }
        Ok(Running { denoiser: self, forward, stride })
    }

    /// One sample for each of `labels`, the work spread over `threads`; bits do not depend on them.
    ///
    /// # Errors
    /// As [`Denoiser::on`].
    pub fn sample(&self, sampler: &dyn Sampler, labels: &[Option<u8>], seed: u64, threads: usize) -> Result<Sampled> {
        self.walk(labels, seed, threads, |walk, _| {
            sampler.sample(walk);
            Ok(())
        })
    }

    /// As [`Denoiser::sample`], the way being what `go` makes of walks; it is given the number of the first
    /// sample of each.
    ///
    /// # Errors
    /// As [`Denoiser::on`], and those of `go`.
    pub fn walk(
        &self,
        labels: &[Option<u8>],
        seed: u64,
        threads: usize,
        go: impl Fn(&mut Walk<'_>, usize) -> Result<()> + Sync,
    ) -> Result<Sampled> {
        let dim = self.shape.dim;
        let chunks: Vec<(usize, &[Option<u8>])> =
            labels.chunks(CHUNK).enumerate().map(|(i, labels)| (i * CHUNK, labels)).collect();
        let parts = in_parallel(&chunks, threads, |(first, labels)| {
            let mut running = self.on(labels)?;
            let stride = running.stride;
            let mut walk = Walk::new(&mut running, seed, *first);
            go(&mut walk, *first)?;
            let rows = (0..labels.len()).flat_map(|s| (0..dim).map(move |i| i * stride + s));
            Ok((rows.map(|at| walk.x[at]).collect::<Vec<f32>>(), walk.evaluations()))
        })?;
        let evaluations = parts.first().map(|p| p.1).context("no samples were asked for")?;
        Ok(Sampled { values: parts.into_iter().flat_map(|p| p.0).collect(), evaluations })
    }
}

/// A denoiser with the buffers for some samples.
pub struct Running<'d> {
    denoiser: &'d Denoiser,
    forward: Forward<f32>,
    stride: usize,
}

impl Denoise for Running<'_> {
    fn dim(&self) -> usize {
        self.denoiser.shape.dim
    }

    fn stride(&self) -> usize {
        self.stride
    }

    fn denoise(&mut self, x: &[f32], sigma: f64, y: &mut [f32]) {
        let shape = &self.denoiser.shape;
        let c = Precondition::at(sigma, shape.deviation);
        let (skip, out, input) = (c.skip as f32, c.out as f32, c.input as f32);
        let inputs = self.forward.inputs();
        let reach = shape.reach.unwrap_or(f32::INFINITY);
        inputs.iter_mut().zip(x).for_each(|(i, x)| *i = (input * x).clamp(-reach, reach));
        for (row, value) in inputs[x.len()..].chunks_exact_mut(self.stride).zip(shape.embedding.at(sigma)) {
            row.fill(value);
        }
        self.forward.run(&self.denoiser.parameters, y);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = skip * x + out * *y);
    }
}

/// `n` labels, classes in turn; none where there are no classes.
pub fn labels(n: usize, classes: usize) -> Vec<Option<u8>> {
    (0..n).map(|i| (classes > 0).then(|| (i % classes) as u8)).collect()
}
