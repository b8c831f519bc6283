//! Samplers: from noise of deviation 80 to data, by ODE, by SDE, or by restarts in between.
//!
//! Restart (arXiv 2306.14878, algorithm 1): the ODE runs down the main grid; where it passes t_min of an
//! interval, K times noise `√(t_max² − t_min²)·S_noise` is added, which is the forward process back to
//! t_max, and the ODE runs down again over N levels. `NFE = 2·N_main − 1 + Σ_j K_j·2(N_j − 1)` by Heun.

use serde::{Deserialize, Serialize};

use super::edm::{SIGMA_MAX, grid, main_grid};
use super::solver::Solver;
use super::walk::Walk;

/// A way from noise to data.
pub trait Sampler: Sync + Send {
    /// Its name in tables; samplers of one name are one curve.
    fn name(&self) -> String;
    /// Its settings in a few words.
    fn settings(&self) -> String;
    /// Function evaluations of a sample: NFE.
    fn evaluations(&self) -> usize;
    /// Down from samples at deviation 80.
    fn descend(&self, walk: &mut Walk<'_>);

    /// From nothing: noise of deviation 80, then down.
    fn sample(&self, walk: &mut Walk<'_>) {
        walk.diffuse(SIGMA_MAX);
        self.descend(walk);
    }
}

/// The probability-flow ODE by a one-step method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ode {
    /// The method.
    pub solver: Solver,
    /// N, levels of the main grid.
    pub levels: usize,
}

impl Sampler for Ode {
    fn name(&self) -> String {
        self.solver.name().into()
    }

    fn settings(&self) -> String {
        format!("{} levels", self.levels)
    }

    fn evaluations(&self) -> usize {
        self.solver.evaluations_along(self.levels + 1, true)
    }

    fn descend(&self, walk: &mut Walk<'_>) {
        self.solver.along(walk, &main_grid(self.levels));
    }
}

/// DDIM with noise (arXiv 2010.02502, eq. 16): of the variance t′² a share η² of what one step could
/// renew, `t′²(t² − t′²)/t²`, is renewed. η = 0 is Euler, η = 1 ancestral sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ddim {
    /// N
    pub levels: usize,
    /// η
    pub eta: f64,
}

impl Sampler for Ddim {
    fn name(&self) -> String {
        if self.eta == 0.0 { "DDIM".into() } else { format!("DDIM η {}", self.eta) }
    }

    fn settings(&self) -> String {
        format!("{} levels", self.levels)
    }

    fn evaluations(&self) -> usize {
        self.levels
    }

    fn descend(&self, walk: &mut Walk<'_>) {
        for pair in main_grid(self.levels).windows(2) {
            let (t, to) = (pair[0], pair[1]);
            let renewed = self.eta * to * (1.0 - (to / t).powi(2)).max(0.0).sqrt();
            let kept = (to * to - renewed * renewed).max(0.0).sqrt();
            let d = walk.slope(t);
            walk.go(kept - t, &d);
            if renewed > 0.0 {
                walk.diffuse(renewed);
            }
        }
    }
}

/// EDM's stochastic sampler (arXiv 2206.00364, algorithm 2): before each Heun step inside [from, to] the
/// noise level is raised by `γ = min(S_churn/N, √2 − 1)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edm {
    /// N
    pub levels: usize,
    /// S_churn
    pub churn: f64,
    /// S_tmin, S_tmax
    pub within: (f64, f64),
    /// S_noise
    pub noise: f64,
}

impl Sampler for Edm {
    fn name(&self) -> String {
        "EDM-SDE".into()
    }

    fn settings(&self) -> String {
        let (low, high) = self.within;
        format!("{} levels, S_churn {}, in [{low}, {high}], S_noise {}", self.levels, self.churn, self.noise)
    }

    fn evaluations(&self) -> usize {
        Solver::Heun.evaluations_along(self.levels + 1, true)
    }

    fn descend(&self, walk: &mut Walk<'_>) {
        let gamma = (self.churn / self.levels as f64).min(std::f64::consts::SQRT_2 - 1.0);
        for pair in main_grid(self.levels).windows(2) {
            let (t, to) = (pair[0], pair[1]);
            let up = if gamma > 0.0 && (self.within.0..=self.within.1).contains(&t) {
                let up = t * (1.0 + gamma);
                walk.diffuse(self.noise * (up * up - t * t).sqrt());
                up
            } else {
                t
            };
            Solver::Heun.step(walk, up, to);
        }
    }
}

/// The reverse SDE by Euler and Maruyama: `x′ = x + (1 + β)(t′ − t)d + √(2βt(t − t′))·z`. β = 0 is the ODE,
/// β = 1 the reverse of the forward process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sde {
    /// N
    pub levels: usize,
    /// β
    pub beta: f64,
}

/// One such step.
pub fn maruyama(walk: &mut Walk<'_>, t: f64, to: f64, beta: f64) {
    let d = walk.slope(t);
    if to == 0.0 {
        return walk.go(-t, &d);
    }
    walk.go((1.0 + beta) * (to - t), &d);
    if beta > 0.0 {
        walk.diffuse((2.0 * beta * t * (t - to)).sqrt());
    }
}

impl Sampler for Sde {
    fn name(&self) -> String {
        "SDE".into()
    }

    fn settings(&self) -> String {
        format!("{} levels, β {}", self.levels, self.beta)
    }

    fn evaluations(&self) -> usize {
        self.levels
    }

    fn descend(&self, walk: &mut Walk<'_>) {
        for pair in main_grid(self.levels).windows(2) {
            maruyama(walk, pair[0], pair[1], self.beta);
        }
    }
}

/// An interval that is run through again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// t_min; it moves to the nearest level of the main grid.
    pub low: f64,
    /// t_max
    pub high: f64,
    /// K
    pub repeats: usize,
    /// N_Restart: levels from t_max to t_min, both included.
    pub levels: usize,
}

/// Restart sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restart {
    /// N_main
    pub levels: usize,
    /// From high to low.
    pub intervals: Vec<Interval>,
    /// S_noise
    pub noise: f64,
    /// How the ODE is solved.
    pub solver: Solver,
}

impl Restart {
    /// Intervals by the index of the main grid's level that their t_min moves to, t_min moved. An interval
    /// whose t_max is not above that level is left out: there would be nothing to run through.
    pub fn placed(&self) -> Vec<(usize, Interval)> {
        let levels = grid(super::edm::SIGMA_MIN, SIGMA_MAX, self.levels);
        let distance = |t: f64, low: f64| (t - low).abs();
        let place = |interval: &Interval| {
            // Never level 0: no step ends there.
            let near = (1..levels.len())
                .min_by(|&a, &b| distance(levels[a], interval.low).total_cmp(&distance(levels[b], interval.low)))?;
            let placed = Interval { low: levels[near], ..*interval };
            (placed.high > placed.low && placed.repeats > 0 && placed.levels > 1).then_some((near, placed))
        };
        self.intervals.iter().filter_map(place).collect()
    }

    /// `√(t_max² − t_min²)·S_noise`
    pub fn jump(&self, interval: &Interval) -> f64 {
        self.noise * (interval.high * interval.high - interval.low * interval.low).sqrt()
    }
}

impl Sampler for Restart {
    fn name(&self) -> String {
        "Restart".into()
    }

    fn settings(&self) -> String {
        let mut words = format!("{} levels", self.levels);
        for i in &self.intervals {
            words += &format!(", [{}, {}] K {} N {}", i.low, i.high, i.repeats, i.levels);
        }
        if self.noise != 1.0 {
            words += &format!(", S_noise {}", self.noise);
        }
        if self.solver != Solver::Heun {
            words += &format!(", {}", self.solver.name());
        }
        words
    }

    fn evaluations(&self) -> usize {
        let again = |i: &Interval| i.repeats * self.solver.evaluations_along(i.levels, false);
        let restarts: usize = self.placed().iter().map(|(_, i)| again(i)).sum();
        self.solver.evaluations_along(self.levels + 1, true) + restarts
    }

    fn descend(&self, walk: &mut Walk<'_>) {
        let (main, placed) = (main_grid(self.levels), self.placed());
        for (i, pair) in main.windows(2).enumerate() {
            self.solver.step(walk, pair[0], pair[1]);
            for (_, interval) in placed.iter().filter(|(at, _)| *at == i + 1) {
                let levels = grid(interval.low, interval.high, interval.levels);
                for _ in 0..interval.repeats {
                    walk.diffuse(self.jump(interval));
                    self.solver.along(walk, &levels);
                }
            }
        }
    }
}
