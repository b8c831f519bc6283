//! Values over the steps of a training: constant, in stairs, along a cosine, or one cycle.
//!
//! One cycle is a linear warm-up, then a cosine to nearly nothing: warm-up from `peak/25` over the first tenth; then `peak·(1 + cos(π·t))/2`, t from 0 to 1.
//! Smith and Topin, "Super-convergence", arXiv 1708.07120.

use serde::{Deserialize, Serialize};

/// A value for every step: a learning rate, or the strength of a penalty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// `(from step, value)`, ascending; the first from step 0.
    Stairs(Vec<(usize, f64)>),
    /// From `start` to `end` along half a cosine over `steps` steps, then `end`.
    Cosine { start: f64, end: f64, steps: usize },
    /// [`OneCycle`].
    OneCycle { steps: usize, peak: f64 },
}

impl Schedule {
    /// The same value at all steps.
    pub fn constant(value: f64) -> Self {
        Schedule::Stairs(vec![(0, value)])
    }

    /// The value at `step`, counted from 0.
    pub fn at(&self, step: usize) -> f64 {
        match self {
            Schedule::Stairs(stairs) => {
                stairs.iter().take_while(|(from, _)| *from <= step).last().map_or(0.0, |(_, value)| *value)
            }
            Schedule::Cosine { start, end, steps } => {
                let t = (step as f64 / (*steps).max(1) as f64).min(1.0);
                end + 0.5 * (start - end) * (1.0 + (std::f64::consts::PI * t).cos())
            }
            Schedule::OneCycle { steps, peak } => OneCycle { steps: *steps, peak: *peak as f32 }.rate(step).into(),
        }
    }
}

/// The schedule's shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    /// Number of steps.
    pub steps: usize,
    /// Largest rate, reached after a tenth of the steps.
    pub peak: f32,
}

impl OneCycle {
    /// Share of the steps that warm up.
    pub const WARM_UP: f64 = 0.1;

    /// Rate of step 0 ≤ `step` < steps.
    pub fn rate(&self, step: usize) -> f32 {
        let t = step as f64 / self.steps.max(1) as f64;
        let share = if t < Self::WARM_UP {
            0.04 + 0.96 * t / Self::WARM_UP
        } else {
            0.5 * (1.0 + (std::f64::consts::PI * (t - Self::WARM_UP) / (1.0 - Self::WARM_UP)).cos()) + 1e-6
        };
        (f64::from(self.peak) * share) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stairs_hold_until_the_next() {
        let stairs = Schedule::Stairs(vec![(0, 1.0), (5, 10.0), (15, 1.0)]);
        assert_eq!([0, 4, 5, 14, 15, 99].map(|t| stairs.at(t)), [1.0, 1.0, 10.0, 10.0, 1.0, 1.0]);
        assert_eq!(Schedule::constant(0.5).at(7), 0.5);
        let cosine = Schedule::Cosine { start: 1.0, end: 0.2, steps: 10 };
        assert!((cosine.at(0) - 1.0).abs() < 1e-12 && (cosine.at(5) - 0.6).abs() < 1e-12 && cosine.at(50) == 0.2);
    }

    #[test]
    fn it_rises_to_the_peak_and_falls_to_nearly_nothing() {
        let schedule = OneCycle { steps: 1000, peak: 0.01 };
        let rates: Vec<f32> = (0..1000).map(|t| schedule.rate(t)).collect();
        assert!((rates[0] - 0.0004).abs() < 1e-9 && (rates[100] - 0.01).abs() < 1e-7 && rates[999] < 1e-6);
        assert!(rates[..101].is_sorted() && rates[100..].windows(2).all(|w| w[0] >= w[1]));
    }
}
