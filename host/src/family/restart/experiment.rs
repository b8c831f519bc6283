//! The paper's small experiment: where the error of a sampler comes from.
//!
//! All samplers share Euler's ODE above 1.5 and below 1.0 and differ in between. p is what they generate
//! from noise, q what they make of true samples at 1.5. `W₁(p, q)` is the contracted error, `W₁(q, data)`
//! the additional one, `W₁(p, data)` the total.

use std::sync::Arc;

use anyhow::Result;

use super::denoiser::{Denoiser, Shape};
use super::edm::{Embedding, Levels, SIGMA_MAX, SIGMA_MIN, grid};
use super::matching::wasserstein;
use super::sampler::maruyama;
use super::set::{Set, mixture};
use super::solver::Solver;
use super::train::{Recipe, Task};
use super::walk::Walk;
use crate::engine::in_parallel;
use crate::interrupt;

/// The interval.
pub const WITHIN: (f64, f64) = (1.0, 1.5);
/// Euler's steps above it, and levels below.
const OUTSIDE: usize = 20;
/// Restart's backward steps in the main pass.
const BACKWARD: usize = 40;

/// What happens between 1.5 and 1.0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Inner {
    /// Euler, n steps.
    Ode { steps: usize },
    /// The reverse SDE, n steps, β.
    Sde { steps: usize, beta: f64 },
    /// EDM's churn with Euler, n steps, S_churn.
    Churn { steps: usize, churn: f64 },
    /// 40 steps of Euler, then K times back up and down again in n steps.
    Restart { repeats: usize, steps: usize },
}

/// Errors of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// `W₁(p, q)`
    pub contracted: f64,
    /// `W₁(q, data)`
    pub additional: f64,
    /// `W₁(p, data)`
    pub total: f64,
}

impl Inner {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Inner::Ode { steps } => format!("{steps} steps"),
            Inner::Sde { steps, beta } => format!("{steps} steps, β {beta}"),
            Inner::Churn { steps, churn } => format!("{steps} steps, S_churn {churn}"),
            Inner::Restart { repeats, steps } => format!("K {repeats}, {steps} steps each"),
        }
    }

    fn go(self, walk: &mut Walk<'_>) {
        let (low, high) = WITHIN;
        let levels = |steps: usize| grid(low, high, steps + 1);
        match self {
            Inner::Ode { steps } => Solver::Euler.along(walk, &levels(steps)),
            Inner::Sde { steps, beta } => {
                levels(steps).windows(2).for_each(|pair| maruyama(walk, pair[0], pair[1], beta));
            }
            Inner::Churn { steps, churn } => {
                let gamma = (churn / steps as f64).min(std::f64::consts::SQRT_2 - 1.0);
                for pair in levels(steps).windows(2) {
                    let up = pair[0] * (1.0 + gamma);
                    if gamma > 0.0 {
                        walk.diffuse((up * up - pair[0] * pair[0]).sqrt());
                    }
                    Solver::Euler.step(walk, up, pair[1]);
                }
            }
            Inner::Restart { repeats, steps } => {
                Solver::Euler.along(walk, &levels(BACKWARD));
                for _ in 0..repeats {
                    walk.diffuse((high * high - low * low).sqrt());
                    Solver::Euler.along(walk, &levels(steps));
                }
            }
        }
    }

    /// Settings out of the paper's sweeps: ODE, SDE, churn, Restart.
    pub fn sweeps() -> [(&'static str, Vec<Inner>); 4] {
        let sde =
            [80, 320].into_iter().flat_map(|steps| [0.25, 1.0, 2.0, 4.0, 8.0].map(|beta| Inner::Sde { steps, beta }));
        let churn =
            [80, 320].into_iter().flat_map(|steps| [4.0, 16.0, 64.0].map(|churn| Inner::Churn { steps, churn }));
        let mut restart = [10, 20, 35].map(|repeats| Inner::Restart { repeats, steps: BACKWARD }).to_vec();
        for repeats in [10, 25] {
            restart.extend([3, 5, 7].map(|steps| Inner::Restart { repeats, steps }));
        }
        [
            ("ODE", [20, 80, 320, 640].map(|steps| Inner::Ode { steps }).into()),
            ("SDE", sde.collect()),
            ("EDM-SDE", churn.collect()),
            ("Restart", restart),
        ]
    }
}

/// The denoiser's training on draw `draw` of the data; `seed` is of its weights and noise.
pub fn task(draw: u64, seed: u64, quick: bool) -> Task {
    let set = Arc::new(mixture(draw));
    let shape = Shape {
        dim: set.dim,
        classes: 0,
        embedding: Embedding::Logarithm,
        hidden: 64,
        depth: 3,
        deviation: set.deviation,
        reach: None,
    };
    let recipe = Recipe {
        steps: if quick { 2000 } else { 5000 },
        batch: 256,
        rate: 1e-3,
        warm_up: false,
        mean: 0.999,
        levels: Levels::default(),
    };
    Task { set, shape, recipe, seed }
}

/// Runs of the experiment on one denoiser: for each, samples at 1.5 of p and of q.
pub struct Bench<'d> {
    denoiser: &'d Denoiser,
    set: &'d Set,
    starts: Vec<(u64, [Vec<f32>; 2])>,
}

impl<'d> Bench<'d> {
    /// Takes p down to 1.5, and noises the data up to there, in runs of the given seeds.
    ///
    /// # Errors
    /// None for a denoiser of the mixture.
    pub fn new(denoiser: &'d Denoiser, set: &'d Set, seeds: &[u64], threads: usize) -> Result<Self> {
        let labels = vec![None; set.len()];
        let upper = grid(WITHIN.1, SIGMA_MAX, OUTSIDE + 1);
        let starts = seeds.iter().map(|&seed| {
            let p = denoiser.walk(&labels, stream(seed, 0), threads, |walk, _| {
                walk.diffuse(SIGMA_MAX);
                Solver::Euler.along(walk, &upper);
                Ok(())
            })?;
            let q = denoiser.walk(&labels, stream(seed, 1), threads, |walk, first| {
                load(walk, &set.values, set.dim, first);
                walk.diffuse(WITHIN.1);
                Ok(())
            })?;
            Ok((seed, [p.values, q.values]))
        });
        Ok(Bench { denoiser, set, starts: starts.collect::<Result<_>>()? })
    }

    /// Samples at 0 of run `run`: of p, or of q.
    fn ends(&self, run: usize, inner: Inner, of_q: bool) -> Result<Vec<f32>> {
        let (seed, starts) = &self.starts[run];
        let mut lower = grid(SIGMA_MIN, WITHIN.0, OUTSIDE);
        lower.push(0.0);
        let labels = vec![None; self.set.len()];
        let sampled = self.denoiser.walk(&labels, stream(*seed, 2 + u64::from(of_q)), 1, |walk, first| {
            load(walk, &starts[usize::from(of_q)], self.set.dim, first);
            inner.go(walk);
            Solver::Euler.along(walk, &lower);
            Ok(())
        })?;
        Ok(sampled.values)
    }

    /// Total errors of run 0 for each of `inners`.
    ///
    /// # Errors
    /// A stop that was asked for.
    pub fn totals(&self, inners: &[Inner], threads: usize) -> Result<Vec<f64>> {
        in_parallel(inners, threads, |&inner| {
            interrupt::check()?;
            Ok(wasserstein(&self.ends(0, inner, false)?, &self.set.values, self.set.dim))
        })
    }

    /// All errors of every run.
    ///
    /// # Errors
    /// A stop that was asked for.
    pub fn errors(&self, inner: Inner, threads: usize) -> Result<Vec<Errors>> {
        let runs: Vec<usize> = (0..self.starts.len()).collect();
        in_parallel(&runs, threads, |&run| {
            interrupt::check()?;
            let (p, q) = (self.ends(run, inner, false)?, self.ends(run, inner, true)?);
            let (data, dim) = (&self.set.values, self.set.dim);
            Ok(Errors {
                contracted: wasserstein(&p, &q, dim),
                additional: wasserstein(&q, data, dim),
                total: wasserstein(&p, data, dim),
            })
        })
    }
}

/// Seeds of the four parts of a run.
fn stream(seed: u64, part: u64) -> u64 {
    4 * seed + part
}

/// Puts rows `first…` of `(n, dim)` into a walk's samples.
fn load(walk: &mut Walk<'_>, rows: &[f32], dim: usize, first: usize) {
    let stride = walk.x.len() / dim;
    for (s, row) in rows.chunks_exact(dim).skip(first).take(stride).enumerate() {
        for (i, v) in row.iter().enumerate() {
            walk.x[i * stride + s] = *v;
        }
    }
}
