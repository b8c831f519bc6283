//! Integer features to what the networks see, exactly as the chip computes it.
//!
//! `x_i = (clip/127)·clamp(requant(f_i − round(μ_i), m_i), ±127)`, `m_i = round(2²⁴·127/(clip·σ_i))`;
//! then, where wanted, `x / rms(x)`. Training on the rounded values leaves nothing to lose later.

use anyhow::{Result, ensure};
use smidgen_shared::fixed::{Row, requant_i8};

/// Mean and deviation of the training rows, and the integers that follow from them.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardise {
    /// Whole numbers
    pub mean: Vec<f32>,
    pub deviation: Vec<f32>,
    /// ± in deviations
    pub clip: f32,
    /// Whether each sample is then scaled to unit root mean square
    pub unit_rms: bool,
}

impl Standardise {
    /// Fits `features (n, width)`, whole numbers, over `rows`. With `unit_rms` all inputs share one
    /// deviation, so that their proportions stay.
    ///
    /// # Errors
    /// If there are no rows, or a mean lies beyond ±2²².
    pub fn fit(features: &[f32], width: usize, rows: &[usize], clip: f32, unit_rms: bool) -> Result<Self> {
        ensure!(!rows.is_empty() && width > 0, "nothing to standardise: {} rows of {width}", rows.len());
        let mut sum = vec![0.0f64; width];
        let mut squares = vec![0.0f64; width];
        let row = |i: usize| &features[i * width..][..width];
        for &i in rows {
            sum.iter_mut().zip(row(i)).for_each(|(s, f)| *s += f64::from(*f));
        }
        let mean: Vec<f64> = sum.iter().map(|s| s / rows.len() as f64).collect();
        for &i in rows {
            let deviations = row(i).iter().zip(&mean).map(|(f, m)| f64::from(*f) - m);
            squares.iter_mut().zip(deviations).for_each(|(s, d)| *s += d * d);
        }
        if unit_rms {
            let common = squares.iter().sum::<f64>() / width as f64;
            squares.fill(common);
        }
        // Below it one count of the feature would be over 100 steps of x.
        let smallest = 127.0 / (f64::from(clip) * 100.0);
        let deviation = squares.iter().map(|s| (s / rows.len() as f64).sqrt().max(smallest) as f32).collect();
        for (i, mean) in mean.iter().enumerate() {
            ensure!(
                mean.abs() < f64::from(1 << 22),
                "feature {i} has a mean of {mean:.0}, beyond ±2²²: scale the samples down"
            );
        }
        Ok(Standardise { mean: mean.iter().map(|m| m.round() as f32).collect(), deviation, clip, unit_rms })
    }

    /// The chip's constants.
    pub fn rows(&self) -> Vec<Row> {
        let scale = f64::from(self.clip) / 127.0;
        let constants = self.mean.iter().zip(&self.deviation);
        constants
            .map(|(mean, deviation)| Row {
                bias: -(mean.round() as i32),
                multiplier: (f64::from(1 << 24) / (f64::from(*deviation) * scale)).round() as i32,
            })
            .collect()
    }

    /// `features (n, width)` to x, the same shape.
    pub fn apply(&self, features: &[f32]) -> Vec<f32> {
        let rows = self.rows();
        let step = self.clip / 127.0;
        let mut x = Vec::with_capacity(features.len());
        for sample in features.chunks_exact(rows.len()) {
            let start = x.len();
            // As on the chip: features and means below 2²² leave the sum below 2²³.
            let sum = |f: f32, r: &Row| (f as i32).wrapping_add(r.bias);
            x.extend(
                sample.iter().zip(&rows).map(|(f, r)| f32::from(requant_i8(sum(*f, r), r.multiplier, -127)) * step),
            );
            if self.unit_rms {
                let x = &mut x[start..];
                let rms = (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt();
                x.iter_mut().for_each(|x| *x = if rms > 0.0 { *x / rms } else { 0.0 });
            }
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn steps_are_those_of_int8_and_near_the_formula() {
        let mut rng = Rng::new(1, "features", 0);
        let width = 5;
        let features: Vec<f32> =
            (0..400 * width).map(|i| (300.0 * rng.normal()).round() + 1000.0 * (i % width) as f32).collect();
        let rows: Vec<usize> = (0..200).collect();
        let s = Standardise::fit(&features, width, &rows, 3.0, false).unwrap();
        for (f, x) in features.iter().zip(s.apply(&features)).enumerate().map(|(i, (f, x))| ((i % width, *f), x)) {
            let exact = ((f.1 - s.mean[f.0]) / s.deviation[f.0]).clamp(-3.0, 3.0);
            assert!((exact - x).abs() <= 0.5 * 3.0 / 127.0 + 1e-4, "{exact} {x}");
            let steps = x / (3.0 / 127.0);
            assert!((steps - steps.round()).abs() < 1e-3);
        }
    }

    #[test]
    fn a_constant_feature_is_zero_and_a_huge_one_is_refused() {
        let s = Standardise::fit(&[7.0, 7.0, 7.0], 1, &[0, 1, 2], 3.0, false).unwrap();
        assert_eq!(s.apply(&[7.0]), [0.0]);
        assert!(Standardise::fit(&[1e8, 1e8], 1, &[0, 1], 3.0, false).unwrap_err().to_string().contains("feature 0"));
    }
}
