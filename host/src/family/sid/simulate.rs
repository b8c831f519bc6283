//! A recording that no sensor made: the equations integrated, noise added, counts as int16.
//!
//! Runge and Kutta's fourth-order steps, several between two samples; a fault adds its push times an amplitude.

use anyhow::{Result, ensure};

use super::system::{Fault, System};
use crate::rng::Rng;

/// Steps of integration between two samples.
const SUBSTEPS: usize = 16;

/// States at `samples` instants from the system's start on, `fault` acting from instant `onset` on.
pub fn trajectory(
    system: &System,
    samples: usize,
    fault: Option<(&Fault, f64)>,
    onset: usize,
) -> Result<Vec<Vec<f64>>> {
    let (orbit, start) = system.start()?;
    follow(system, &start, orbit.step, samples, fault, onset)
}

/// The same from any start.
pub fn follow(
    system: &System,
    start: &[f64],
    step: f64,
    samples: usize,
    fault: Option<(&Fault, f64)>,
    onset: usize,
) -> Result<Vec<Vec<f64>>> {
    ensure!(!system.equations.is_empty(), "{} has no equations to follow", system.name);
    let h = step / SUBSTEPS as f64;
    let mut x = start.to_vec();
    let mut states = Vec::with_capacity(samples);
    for t in 0..samples {
        states.push(x.clone());
        let push = fault.filter(|_| t >= onset);
        let field = |x: &[f64]| {
            let mut f = system.field(x);
            if let Some((fault, amplitude)) = push {
                let v = system.values(x);
                fault.push.iter().for_each(|(i, e)| f[*i] += amplitude * e.value(&v));
            }
            f
        };
        let along = |x: &[f64], k: &[f64], h: f64| x.iter().zip(k).map(|(x, k)| x + h * k).collect::<Vec<f64>>();
        for _ in 0..SUBSTEPS {
            let k1 = field(&x);
            let k2 = field(&along(&x, &k1, h / 2.0));
            let k3 = field(&along(&x, &k2, h / 2.0));
            let k4 = field(&along(&x, &k3, h));
            for i in 0..x.len() {
                x[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
            }
        }
        ensure!(
            x.iter().all(|v| v.is_finite()),
            "{}: the trajectory leaves all bounds after sample {t}, at {}; lower orbit.step or start elsewhere",
            system.name,
            system.at(&x)
        );
    }
    Ok(states)
}

/// How sensors give states: the value of a count, and the noise's deviation, by state.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensors {
    /// Value of one count.
    pub units: Vec<f64>,
    /// Deviation of the noise, in the state's own unit.
    pub noise: Vec<f64>,
}

/// Share of the int16 range that a recording fills.
const FILLED: f64 = 0.7;

impl Sensors {
    /// Sensors whose range the recording fills to seven tenths, with noise of `share` of each state's root mean square.
    pub fn of(states: &[Vec<f64>], share: f64) -> Sensors {
        let n = states.first().map_or(0, Vec::len);
        let over = |f: &dyn Fn(f64) -> f64, fold: fn(f64, f64) -> f64| -> Vec<f64> {
            (0..n).map(|i| states.iter().map(|x| f(x[i])).fold(0.0, fold)).collect()
        };
        let reach = over(&|v| v.abs(), f64::max);
        let squares = over(&|v| v * v, |a, b| a + b);
        let count = states.len().max(1) as f64;
        Sensors {
            // A state that rests at 0 has any unit.
            units: reach.iter().map(|r| if *r > 0.0 { r / (FILLED * 32767.0) } else { 1.0 / 32767.0 }).collect(),
            noise: squares.iter().map(|s| share * (s / count).sqrt()).collect(),
        }
    }

    /// One sample in counts, with noise.
    pub fn counts(&self, state: &[f64], rng: &mut Rng) -> Vec<i16> {
        let noisy = state.iter().zip(&self.noise).map(|(x, n)| x + n * f64::from(rng.normal()));
        noisy.zip(&self.units).map(|(x, u)| (x / u).round().clamp(-32768.0, 32767.0) as i16).collect()
    }
}
