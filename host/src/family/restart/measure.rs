//! Every sampler on every denoiser, judged: the front of function evaluations against quality.

use std::sync::Arc;

use anyhow::Result;

use super::denoiser::{Denoiser, labels};
use super::judge::{Figures, Judge};
use super::matching::wasserstein;
use super::plan::Plan;
use super::record::{Measured, Yard};
use super::sampler::{Ddim, Edm, Restart};
use super::search::{Effort, edms, restarts, search};
use super::set::Set;
use super::solver::Solver;
use crate::interrupt;
use crate::output::Output;

/// How samples are judged.
pub enum Yardstick {
    /// By the features of a classifier.
    Judge(Box<Judge>),
    /// Points, by W₁ to as many points of the data.
    Matching(Arc<Set>),
}

/// Most points that are matched.
const MATCHED: usize = 2000;

impl Yardstick {
    /// Pictures and windows by a classifier, points by W₁.
    ///
    /// # Errors
    /// As [`Judge::new`].
    pub fn of(set: &Arc<Set>) -> Result<Yardstick> {
        Ok(match set.dim {
            // Few features: points.
            0..=32 => Yardstick::Matching(set.clone()),
            _ => Yardstick::Judge(Box::new(Judge::new(set)?)),
        })
    }

    /// What it is, for the record.
    pub fn yard(&self, samples: usize) -> Yard {
        match self {
            Yardstick::Judge(judge) => Yard {
                name: "Fréchet distance".into(),
                floor: judge.floor,
                accuracy: Some(judge.accuracy),
                spacing: Some(judge.spacing()),
                samples,
            },
            Yardstick::Matching(set) => {
                let half = set.len() / 2 * set.dim;
                let floor = wasserstein(&set.values[..half], &set.values[half..2 * half], set.dim);
                Yard { name: "W₁".into(), floor, accuracy: None, spacing: None, samples: self.count(samples) }
            }
        }
    }

    /// Samples that are judged where `asked` were asked for.
    pub fn count(&self, asked: usize) -> usize {
        match self {
            Yardstick::Judge(_) => asked,
            Yardstick::Matching(set) => asked.min(MATCHED).min(set.len()),
        }
    }

    /// Distance to the data, and all figures where a classifier judges.
    ///
    /// # Errors
    /// Samples that are not finite.
    pub fn measure(&self, samples: &[f32], labels: &[Option<u8>]) -> Result<(f64, Option<Figures>)> {
        match self {
            Yardstick::Judge(judge) => {
                let figures = judge.figures(samples, labels)?;
                Ok((figures.frechet, Some(figures)))
            }
            Yardstick::Matching(set) => {
                Ok((wasserstein(samples, &set.values[..samples.len().min(set.values.len())], set.dim), None))
            }
        }
    }
}

/// Restart's settings where none were searched for: those that the search found on the digits.
pub fn default_restart(budget: usize) -> Option<Plan> {
    let (levels, again) = if budget < 50 { (9, 3) } else { (12, 4) };
    Plan::restart(levels, (0.14, 0.5), again, 1.0, budget)
}

/// The Restart that goes with an exported denoiser: 41 evaluations.
pub fn exported() -> Restart {
    match default_restart(41) {
        Some(Plan::Restart(restart)) => restart,
        _ => Restart { levels: 9, intervals: vec![], noise: 1.0, solver: Solver::Heun },
    }
}

/// Samplers of the front, settings as they are published or known.
pub fn front() -> Vec<Plan> {
    let mut all: Vec<Plan> = [17, 35, 41, 63, 127, 255].map(|n| Plan::ode(Solver::Heun, n)).into();
    all.extend([18, 36, 64, 128].map(|n| Plan::ode(Solver::Euler, n)));
    all.extend([17, 35, 63].map(|n| Plan::ode(Solver::Dpm2, n)));
    all.extend([16, 34, 64].map(|n| Plan::ode(Solver::Dpm3, n)));
    all.extend([36, 64, 128].map(|levels| Plan::Ddim(Ddim { levels, eta: 1.0 })));
    all.extend([64, 128, 255].map(|n| Plan::sde(1.0, n)));
    all.extend([18, 32, 64, 128].map(|levels| Plan::Edm(Edm { levels, churn: 10.0, within: (0.1, 1.0), noise: 1.0 })));
    all.extend([41, 64, 127].into_iter().filter_map(default_restart));
    all
}

/// Judges `plans` on all `denoisers`; every one draws the same noise.
///
/// # Errors
/// A stop that was asked for, or samples that are not finite.
pub fn measure(
    plans: Vec<(Plan, bool)>,
    denoisers: &[Denoiser],
    yardstick: &Yardstick,
    samples: usize,
    (seed, threads): (u64, usize),
    output: Output,
) -> Result<Vec<Measured>> {
    let bar = output.bar(plans.len() as u64, "sampling");
    let mut all = Vec::new();
    for (plan, searched) in plans {
        let mut measured = Measured { plan, searched, distances: vec![], figures: None };
        for denoiser in denoisers {
            interrupt::check()?;
            let labels = labels(yardstick.count(samples), denoiser.shape.classes);
            let sampled = denoiser.sample(measured.plan.sampler(), &labels, seed, threads)?;
            let (distance, figures) = yardstick.measure(&sampled.values, &labels)?;
            measured.distances.push(distance);
            measured.figures = measured.figures.or(figures);
        }
        bar.inc(1);
        all.push(measured);
    }
    bar.finish_and_clear();
    Ok(all)
}

/// The best of Restart and of EDM's sampler at each budget, searched for on `denoiser`.
///
/// # Errors
/// As [`search`]; no classifier to judge by.
pub fn searched(
    budgets: &[usize],
    denoiser: &Denoiser,
    yardstick: &Yardstick,
    effort: Effort,
    threads: usize,
    output: Output,
) -> Result<Vec<(Plan, bool)>> {
    if budgets.is_empty() {
        return Ok(Vec::new());
    }
    let Yardstick::Judge(judge) = yardstick else {
        anyhow::bail!("settings are searched by the Fréchet distance; points are judged by W₁: leave search out")
    };
    let mut all = Vec::new();
    for &budget in budgets {
        for (name, grid) in [("EDM-SDE", edms(budget)), ("Restart", restarts(budget))] {
            let points = grid.len();
            let (plan, distance) = search(grid, denoiser, judge, effort, threads)?;
            output.line(format!(
                "search  {name}, {budget} evaluations: {}; {distance:.3} ({} of {points} settings tried)",
                plan.sampler().settings(),
                effort.population.min(points)
            ));
            all.push((plan, true));
        }
    }
    Ok(all)
}
