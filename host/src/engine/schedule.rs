//! One-cycle learning rate: a linear warm-up, then a cosine to nearly nothing.
//!
//! Warm-up from `peak/25` over the first tenth; then `peak·(1 + cos(π·t))/2`, t from 0 to 1.
//! Smith and Topin, "Super-convergence", arXiv 1708.07120.

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
    fn it_rises_to_the_peak_and_falls_to_nearly_nothing() {
        let schedule = OneCycle { steps: 1000, peak: 0.01 };
        let rates: Vec<f32> = (0..1000).map(|t| schedule.rate(t)).collect();
        assert!((rates[0] - 0.0004).abs() < 1e-9 && (rates[100] - 0.01).abs() < 1e-7 && rates[999] < 1e-6);
        assert!(rates[..101].is_sorted() && rates[100..].windows(2).all(|w| w[0] >= w[1]));
    }
}
