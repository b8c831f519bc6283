//! One step of the probability-flow ODE `dx/dt = (x − D(x, t))/t` from noise level t to t′ < t.
//!
//! All of them take a last step to 0 as Euler does: `x′ = D(x, t)`.

use super::walk::Walk;

/// A one-step method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Solver {
    /// `x′ = x + (t′ − t)·d`, order 1. It is also DDIM (Song et al., arXiv 2010.02502, eq. 12 without
    /// noise): for σ(t) = t its step `D + (t′/t)(x − D)` is the same number.
    Euler,
    /// Euler's step, then the mean of both ends' slopes, order 2 (EDM, algorithm 1).
    Heun,
    /// The slope at √(t·t′), order 2 (Lu et al., DPM-Solver, arXiv 2206.00927, algorithm 1, r₁ = ½).
    Dpm2,
    /// Two slopes between in ln t, order 3 (the same, algorithm 2, r₁ = ⅓, r₂ = ⅔).
    Dpm3,
}

impl Solver {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Solver::Euler => "Euler (DDIM)",
            Solver::Heun => "Heun",
            Solver::Dpm2 => "DPM-Solver-2",
            Solver::Dpm3 => "DPM-Solver-3",
        }
    }

    /// Function evaluations of a step that does not end at 0; one that does has 1.
    pub fn evaluations(self) -> usize {
        match self {
            Solver::Euler => 1,
            Solver::Heun | Solver::Dpm2 => 2,
            Solver::Dpm3 => 3,
        }
    }

    /// Function evaluations along levels; `last` whether the last is 0.
    pub fn evaluations_along(self, levels: usize, last: bool) -> usize {
        let steps = levels.saturating_sub(1);
        if last && steps > 0 { (steps - 1) * self.evaluations() + 1 } else { steps * self.evaluations() }
    }

    /// From t to t′.
    pub fn step(self, walk: &mut Walk<'_>, t: f64, to: f64) {
        let d = walk.slope(t);
        if to == 0.0 {
            return walk.go(-t, &d);
        }
        match self {
            Solver::Euler => walk.go(to - t, &d),
            Solver::Heun => {
                let ahead = walk.moved(to - t, &d);
                let e = walk.slope_of(&ahead, to);
                walk.go((to - t) / 2.0, &d);
                walk.go((to - t) / 2.0, &e);
            }
            Solver::Dpm2 => {
                let between = (t * to).sqrt();
                let middle = walk.moved(between - t, &d);
                let e = walk.slope_of(&middle, between);
                walk.go(to - t, &e);
            }
            Solver::Dpm3 => {
                // h = λ′ − λ for λ = −ln t, and d is DPM-Solver's ε.
                let h = (t / to).ln();
                let (r1, r2) = (1.0 / 3.0, 2.0 / 3.0);
                let at = |r: f64| t * (-r * h).exp();
                let (t1, t2) = (at(r1), at(r2));
                let first = walk.moved(t1 - t, &d);
                let mut bent = walk.slope_of(&first, t1);
                bent.iter_mut().zip(&d).for_each(|(e, d)| *e -= d);
                let curve = |s: f64, r: f64| -s * ((r * h).exp_m1() / (r * h) - 1.0);
                let mut second = walk.moved(t2 - t, &d);
                let c = (curve(t2, r2) * r2 / r1) as f32;
                second.iter_mut().zip(&bent).for_each(|(x, e)| *x += c * e);
                let mut bent = walk.slope_of(&second, t2);
                bent.iter_mut().zip(&d).for_each(|(e, d)| *e -= d);
                walk.go(to - t, &d);
                walk.go(curve(to, 1.0) / r2, &bent);
            }
        }
    }

    /// From the first of `levels` to the last.
    pub fn along(self, walk: &mut Walk<'_>, levels: &[f64]) {
        for pair in levels.windows(2) {
            self.step(walk, pair[0], pair[1]);
        }
    }
}
