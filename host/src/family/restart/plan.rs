//! A sampler as data: what a run keeps, a search varies and a table names.

use serde::{Deserialize, Serialize};

use super::sampler::{Ddim, Edm, Interval, Ode, Restart, Sampler, Sde};
use super::solver::Solver;

/// Any of the samplers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Plan {
    /// An ODE.
    Ode(Ode),
    /// DDIM with noise.
    Ddim(Ddim),
    /// EDM's stochastic sampler.
    Edm(Edm),
    /// The reverse SDE.
    Sde(Sde),
    /// Restart.
    Restart(Restart),
}

impl Plan {
    /// The sampler.
    pub fn sampler(&self) -> &dyn Sampler {
        match self {
            Plan::Ode(s) => s,
            Plan::Ddim(s) => s,
            Plan::Edm(s) => s,
            Plan::Sde(s) => s,
            Plan::Restart(s) => s,
        }
    }

    /// The same sampler and the same settings with about `budget` function evaluations, not more.
    pub fn ode(solver: Solver, budget: usize) -> Plan {
        let levels = (1..=budget).rev().find(|&n| solver.evaluations_along(n + 1, true) <= budget).unwrap_or(1);
        Plan::Ode(Ode { solver, levels })
    }

    /// The reverse SDE with `budget` evaluations.
    pub fn sde(beta: f64, budget: usize) -> Plan {
        Plan::Sde(Sde { levels: budget, beta })
    }

    /// EDM's with at most `budget` evaluations; churn as a share of its largest, N·(√2 − 1).
    pub fn edm(share: f64, within: (f64, f64), noise: f64, budget: usize) -> Plan {
        let levels = budget.div_ceil(2).max(1);
        let churn = (share * levels as f64 * (std::f64::consts::SQRT_2 - 1.0) * 10.0).round() / 10.0;
        Plan::Edm(Edm { levels, churn, within, noise })
    }

    /// Heun with one interval, repeated as often as `budget` evaluations allow; none where not once.
    pub fn restart(levels: usize, (low, high): (f64, f64), again: usize, noise: f64, budget: usize) -> Option<Plan> {
        let main = Solver::Heun.evaluations_along(levels + 1, true);
        let repeats = budget.checked_sub(main)? / Solver::Heun.evaluations_along(again, false);
        if repeats == 0 {
            return None;
        }
        let intervals = vec![Interval { low, high, repeats, levels: again }];
        let restart = Restart { levels, intervals, noise, solver: Solver::Heun };
        (!restart.placed().is_empty()).then_some(Plan::Restart(restart))
    }

    /// [`Sampler::evaluations`]
    pub fn evaluations(&self) -> usize {
        self.sampler().evaluations()
    }
}
