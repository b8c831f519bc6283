//! Samplers against a denoiser in closed form: data `N(μ, s²)`, for which
//! `D(x, t) = (s²x + t²μ)/(s² + t²)` and the ODE's solution is `μ + (x − μ)·√((s² + t′²)/(s² + t²))`.

use super::edm::{SIGMA_MAX, grid};
use super::sampler::{Ddim, Edm, Interval, Ode, Restart, Sampler, Sde};
use super::solver::Solver;
use super::walk::{Denoise, Walk};

const MEAN: f64 = 0.5;
const SPREAD: f64 = 0.8;

struct Gaussian {
    stride: usize,
    calls: usize,
}

impl Denoise for Gaussian {
    fn dim(&self) -> usize {
        1
    }

    fn stride(&self) -> usize {
        self.stride
    }

    fn denoise(&mut self, x: &[f32], sigma: f64, y: &mut [f32]) {
        self.calls += 1;
        let (s2, t2) = (SPREAD * SPREAD, sigma * sigma);
        for (y, x) in y.iter_mut().zip(x) {
            *y = ((s2 * f64::from(*x) + t2 * MEAN) / (s2 + t2)) as f32;
        }
    }
}

/// Where the ODE takes `x` from `from` to `to`.
fn exact(x: f64, from: f64, to: f64) -> f64 {
    let s2 = SPREAD * SPREAD;
    MEAN + (x - MEAN) * ((s2 + to * to) / (s2 + from * from)).sqrt()
}

/// Error of a solver from 5 to .2 over n steps that are equal in ln t, smooth to both ends.
fn error(solver: Solver, n: usize) -> f64 {
    let mut denoiser = Gaussian { stride: 16, calls: 0 };
    let mut walk = Walk::new(&mut denoiser, 0, 0);
    let start: Vec<f32> = (0..16).map(|i| 8.0 - i as f32).collect();
    walk.x.clone_from(&start);
    let levels: Vec<f64> = (0..=n).map(|i| 5.0 * (0.2f64 / 5.0).powf(i as f64 / n as f64)).collect();
    solver.along(&mut walk, &levels);
    let gap = |(x, y): (&f32, &f32)| (f64::from(*y) - exact(f64::from(*x), 5.0, 0.2)).abs();
    start.iter().zip(&walk.x).map(gap).fold(0.0, f64::max)
}

#[test]
fn solvers_have_their_order() {
    for (solver, order) in [(Solver::Euler, 1.0), (Solver::Heun, 2.0), (Solver::Dpm2, 2.0), (Solver::Dpm3, 3.0)] {
        // Coarse enough that f32 does not show.
        let found = (error(solver, 8) / error(solver, 16)).log2();
        assert!((found - order).abs() < 0.45, "{solver:?}: order {found:.2}");
    }
    assert!(error(Solver::Euler, 16) > 5.0 * error(Solver::Heun, 16));
}

fn every_sampler() -> Vec<Box<dyn Sampler>> {
    let interval = |low, high, repeats, levels| Interval { low, high, repeats, levels };
    let mut all: Vec<Box<dyn Sampler>> = vec![
        Box::new(Ddim { levels: 60, eta: 0.0 }),
        Box::new(Ddim { levels: 90, eta: 1.0 }),
        Box::new(Edm { levels: 18, churn: 10.0, within: (0.05, 1.0), noise: 1.0 }),
        Box::new(Sde { levels: 60, beta: 1.0 }),
    ];
    for solver in [Solver::Euler, Solver::Heun, Solver::Dpm2, Solver::Dpm3] {
        // Euler's error falls with the number of steps alone.
        let levels = if solver == Solver::Euler { 60 } else { 18 };
        all.push(Box::new(Ode { solver, levels }));
        let more = if solver == Solver::Euler { 6 } else { 1 };
        let intervals = vec![interval(0.6, 2.0, 3, 4 * more), interval(0.06, 0.3, 5, 3 * more)];
        all.push(Box::new(Restart { levels, intervals, noise: 1.0, solver }));
    }
    all
}

#[test]
fn evaluations_are_as_stated_and_counted() {
    for sampler in every_sampler() {
        let mut denoiser = Gaussian { stride: 16, calls: 0 };
        let mut walk = Walk::new(&mut denoiser, 1, 0);
        sampler.sample(&mut walk);
        let counted = walk.evaluations();
        assert_eq!((counted, denoiser.calls), (sampler.evaluations(), counted), "{}", sampler.settings());
    }
}

/// The paper's formula and its published pairs of settings and NFE.
#[test]
fn restarts_evaluations_are_the_papers() {
    for (repeats, nfe) in [(2, 43), (5, 55), (10, 75), (20, 115)] {
        let intervals = vec![Interval { low: 0.06, high: 0.3, repeats, levels: 3 }];
        let restart = Restart { levels: 18, intervals, noise: 1.0, solver: Solver::Heun };
        assert_eq!(restart.evaluations(), nfe);
    }
    assert_eq!(Ode { solver: Solver::Heun, levels: 18 }.evaluations(), 35);
}

/// Every sampler ends at the data's mean and deviation.
#[test]
fn samples_are_those_of_the_data() {
    for sampler in every_sampler() {
        let mut denoiser = Gaussian { stride: 8192, calls: 0 };
        let mut walk = Walk::new(&mut denoiser, 7, 0);
        sampler.sample(&mut walk);
        let n = walk.x.len() as f64;
        let mean = walk.x.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let deviation = (walk.x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n).sqrt();
        let (name, settings) = (sampler.name(), sampler.settings());
        // Steps are coarse: they draw the deviation in by up to a tenth.
        assert!((mean - MEAN).abs() < 0.05, "{name} {settings}: mean {mean}");
        assert!((deviation / SPREAD - 1.0).abs() < 0.12, "{name} {settings}: deviation {deviation}");
    }
}

#[test]
fn ddim_without_noise_is_euler() {
    let ends = |sampler: &dyn Sampler| {
        let mut denoiser = Gaussian { stride: 64, calls: 0 };
        let mut walk = Walk::new(&mut denoiser, 3, 0);
        sampler.sample(&mut walk);
        walk.x
    };
    let (a, b) = (ends(&Ddim { levels: 20, eta: 0.0 }), ends(&Ode { solver: Solver::Euler, levels: 20 }));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
    // No churn and no repeats: both are Heun's ODE, to the bit.
    let heun = ends(&Ode { solver: Solver::Heun, levels: 20 });
    assert_eq!(ends(&Edm { levels: 20, churn: 0.0, within: (0.0, 100.0), noise: 1.0 }), heun);
    let none = Interval { low: 0.1, high: 0.5, repeats: 0, levels: 4 };
    assert_eq!(ends(&Restart { levels: 20, intervals: vec![none], noise: 1.0, solver: Solver::Heun }), heun);
}

/// A restart's jump is the forward process: variance t_max² − t_min² on top.
#[test]
fn a_jump_leads_back_to_t_max() {
    let interval = Interval { low: 0.3, high: 1.2, repeats: 1, levels: 3 };
    let restart = Restart { levels: 18, intervals: vec![interval], noise: 1.0, solver: Solver::Heun };
    let (at, placed) = restart.placed()[0];
    let levels = grid(0.002, SIGMA_MAX, 18);
    assert_eq!(placed.low, levels[at]);
    assert!(levels.iter().all(|t| (t - 0.3).abs() >= (placed.low - 0.3).abs()));
    assert!((restart.jump(&placed).powi(2) + placed.low.powi(2) - 1.44).abs() < 1e-12);
    // Nothing to run through: t_max at or below the level that t_min moves to.
    let empty = Interval { low: 0.002, high: 0.002, repeats: 4, levels: 3 };
    let restart = Restart { levels: 18, intervals: vec![empty], noise: 1.0, solver: Solver::Heun };
    assert_eq!(restart.evaluations(), 35);
}
