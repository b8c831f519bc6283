//! Work for `bench`: digits by Restart, ours and what a peer needs to draw them too.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::denoiser::{Denoiser, labels};
use super::edm::{SIGMA_MAX, grid, main_grid};
use super::plan::Plan;
use super::sampler::{Restart, Sampler};
use super::settings::Settings;
use super::solver::Solver;
use super::walk::Walk;
use crate::data::Source;

/// A denoiser of digits with initial weights (speed does not depend on training), and Restart with 75
/// function evaluations.
pub struct Digits {
    denoiser: Denoiser,
    restart: Restart,
    classes: usize,
}

impl Digits {
    /// The denoiser of `train restart`.
    ///
    /// # Errors
    /// None: the data are embedded.
    pub fn new() -> Result<Digits> {
        let settings = Settings::of(&[], None)?;
        let set = settings.set(&Source::default())?;
        let shape = settings.shape(&set);
        let parameters = shape.network()?.initial(0);
        let Some(Plan::Restart(restart)) = Plan::restart(18, (0.06, 0.3), 3, 1.0, 75) else {
            anyhow::bail!("Restart has no settings at 75 evaluations")
        };
        Ok(Digits { denoiser: Denoiser { shape, parameters }, restart, classes: set.classes })
    }

    /// Function evaluations of a digit.
    pub fn evaluations(&self) -> usize {
        self.restart.evaluations()
    }

    /// Draws `n` digits on one thread.
    ///
    /// # Errors
    /// None.
    pub fn draw(&self, n: usize, seed: u64) -> Result<()> {
        self.denoiser.sample(&self.restart, &labels(n, self.classes), seed, 1)?;
        Ok(())
    }

    /// Where Heun's ODE takes the given starts, `(n, dim)`, with classes in turn: what a peer is compared by.
    ///
    /// # Errors
    /// None.
    pub fn ends(&self, starts: &[f32]) -> Result<Vec<f32>> {
        let dim = self.denoiser.shape.dim;
        let labels = labels(starts.len() / dim, self.classes);
        let levels = main_grid(self.restart.levels);
        let sampled = self.denoiser.walk(&labels, 0, 1, |walk: &mut Walk<'_>, first| {
            let stride = walk.x.len() / dim;
            for (s, row) in starts.chunks_exact(dim).skip(first).take(stride).enumerate() {
                row.iter().enumerate().for_each(|(i, v)| walk.x[i * stride + s] = *v);
            }
            Solver::Heun.along(walk, &levels);
            Ok(())
        })?;
        Ok(sampled.values)
    }

    /// The same work for a peer (host/bench/torch_sampler.py).
    ///
    /// # Errors
    /// A Restart without its interval.
    pub fn work(&self, starts: &[f32]) -> Result<Value> {
        let shape = &self.denoiser.shape;
        let network = shape.network()?;
        let mut widths = vec![network.inputs()];
        widths.extend(std::iter::repeat_n(shape.hidden, shape.depth));
        widths.push(shape.dim);
        let (after, interval) = *self.restart.placed().first().context("Restart without an interval")?;
        let main = main_grid(self.restart.levels);
        let again = grid(interval.low, interval.high, interval.levels);
        let embeddings: Vec<(f64, Vec<f32>)> =
            main.iter().chain(&again).filter(|t| **t > 0.0).map(|&t| (t, shape.embedding.at(t))).collect();
        Ok(json!({
            "widths": widths, "parameters": self.denoiser.parameters, "dim": shape.dim, "classes": shape.classes,
            "deviation": shape.deviation, "reach": shape.reach, "start": SIGMA_MAX, "main": main, "again": again, "after": after,
            "repeats": interval.repeats, "noise": self.restart.jump(&interval), "embeddings": embeddings,
            "starts": starts.chunks_exact(shape.dim).map(<[f32]>::to_vec).collect::<Vec<_>>(),
        }))
    }
}
