//! A search for a sampler's settings at a budget of function evaluations.
//!
//! A population of settings, drawn from a grid, is halved again and again: each round measures the ones
//! that are left on twice as many samples and keeps the better half. Restart and EDM's stochastic sampler
//! are searched with the same population, the same rounds and the same samples.

use anyhow::{Context, Result};

use super::denoiser::{Denoiser, labels};
use super::judge::Judge;
use super::plan::Plan;
use crate::engine::in_parallel;
use crate::interrupt;
use crate::rng::Rng;

/// How thoroughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Settings to begin with.
    pub population: usize,
    /// Samples of the first round.
    pub samples: usize,
    /// Rounds.
    pub rounds: usize,
}

impl Effort {
    /// Some minutes on two cores.
    pub const FULL: Effort = Effort { population: 48, samples: 1000, rounds: 4 };
    /// Half a minute.
    pub const QUICK: Effort = Effort { population: 12, samples: 500, rounds: 2 };
}

/// Seed of the samples that a search draws, not used elsewhere.
const SEED: u64 = 0x5EA2C4;

/// Settings of Restart for `budget` evaluations, all of the grid.
pub fn restarts(budget: usize) -> Vec<Plan> {
    let mut all = Vec::new();
    for levels in [6, 8, 9, 10, 12, 14, 18] {
        for low in [0.02, 0.06, 0.1, 0.14, 0.2, 0.3] {
            for high in [0.3, 0.4, 0.5, 0.7, 1.0, 1.5] {
                for again in [3, 4, 5] {
                    for noise in [1.0, 1.003] {
                        all.extend(Plan::restart(levels, (low, high), again, noise, budget));
                    }
                }
            }
        }
    }
    all
}

/// Settings of EDM's stochastic sampler for `budget` evaluations, all of the grid.
pub fn edms(budget: usize) -> Vec<Plan> {
    let mut all = Vec::new();
    for share in [0.1, 0.25, 0.5, 0.75, 1.0] {
        for low in [0.01, 0.03, 0.05, 0.1, 0.2] {
            for high in [0.5, 1.0, 2.0, 10.0, 50.0] {
                for noise in [1.0, 1.003, 1.007] {
                    all.push(Plan::edm(share, (low, high), noise, budget));
                }
            }
        }
    }
    all
}

/// The best of `grid`, with its Fréchet distance in the last round; `on` are the denoisers to be judged on.
///
/// # Errors
/// An empty grid, or a stop that was asked for.
pub fn search(
    mut grid: Vec<Plan>,
    denoiser: &Denoiser,
    judge: &Judge,
    effort: Effort,
    threads: usize,
) -> Result<(Plan, f64)> {
    let mut rng = Rng::new(SEED, "search", grid.len() as u64);
    let order = rng.permutation(grid.len());
    let mut population: Vec<(Plan, f64)> =
        order.iter().take(effort.population).map(|&i| (grid[i].clone(), f64::NAN)).collect();
    grid.clear();
    let mut samples = effort.samples;
    for round in 0..effort.rounds {
        let labels = labels(samples, denoiser.shape.classes);
        let seed = SEED + round as u64;
        let plans: Vec<&Plan> = population.iter().map(|p| &p.0).collect();
        let distances = in_parallel(&plans, threads, |plan| {
            interrupt::check()?;
            judge.frechet(&denoiser.sample(plan.sampler(), &labels, seed, 1)?.values)
        })?;
        population.iter_mut().zip(distances).for_each(|(p, d)| p.1 = d);
        population.sort_by(|a, b| a.1.total_cmp(&b.1));
        if round + 1 < effort.rounds {
            population.truncate(population.len().div_ceil(2));
        }
        samples *= 2;
    }
    population.into_iter().next().context("no settings fit the budget")
}
