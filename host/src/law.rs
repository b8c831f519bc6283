//! Scaling laws: how a loss falls with a network's size, fitted to populations and kept as data.
//!
//! `loss(N) = C · N^−α`, fitted by least squares to `ln(median loss)` against `ln N` over a stated
//! range. The interval of α comes from the bootstrap (Efron 1979): losses are drawn with
//! replacement within every size, medians taken, the line fitted again; the interval lies between
//! quantiles of those exponents. It says what other seeds would give, not that a straight line is
//! right: see [`Law::slopes`] for that.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::population::quantile;
use crate::report::write_atomic;
use crate::rng::Rng;

/// Version of the file's layout.
const VERSION: u32 = 1;
/// Times that losses are drawn anew for the interval.
pub const REPLICATES: u32 = 1000;
/// Share of the replicates inside the interval.
pub const CONFIDENCE: f64 = 0.95;

/// The losses of all members of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Sized {
    /// N, e.g. the width
    pub size: usize,
    /// One a member, positive.
    pub losses: Vec<f64>,
}

/// A fitted law, with what it was fitted to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Law {
    /// Version of this layout.
    pub version: u32,
    /// What was trained, e.g. `lottery y=x² silu`.
    pub what: String,
    /// All settings that the law depends on, as `KEY=VALUE` words.
    pub settings: String,
    /// What N counts, e.g. `width`.
    pub size: String,
    /// Smallest and largest N of the fit.
    pub range: (usize, usize),
    /// α
    pub exponent: f64,
    /// Of α, at [`Law::confidence`].
    pub interval: (f64, f64),
    /// C
    pub coefficient: f64,
    /// Share of the bootstrap's exponents inside the interval.
    pub confidence: f64,
    /// Number of the bootstrap's replicates.
    pub replicates: u32,
    /// One a size, ascending, inside the range or not.
    pub points: Vec<Point>,
}

/// Losses at one size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// N
    pub size: usize,
    /// Members behind the figures.
    pub members: usize,
    /// Median loss.
    pub median: f64,
    /// First and third quartile.
    pub quartiles: (f64, f64),
    /// Smallest and largest loss.
    pub extremes: (f64, f64),
}

impl Law {
    /// Fits `losses` between the sizes of `range`; `what`, `settings` and `size` as the fields.
    ///
    /// # Errors
    /// Fewer than two sizes in the range, a size without losses, or a loss that is not positive.
    pub fn fit((what, settings, size): (&str, &str, &str), losses: &[Sized], range: (usize, usize)) -> Result<Law> {
        let mut losses = losses.to_vec();
        losses.sort_by_key(|s| s.size);
        for s in &mut losses {
            ensure!(s.size > 0 && !s.losses.is_empty(), "{what}: {size} {} has no members to fit", s.size);
            let bad = s.losses.iter().find(|l| !(l.is_finite() && **l > 0.0));
            ensure!(bad.is_none(), "{what}: {size} {} has a loss of {bad:?}; a power law needs positive ones", s.size);
            s.losses.sort_unstable_by(f64::total_cmp);
        }
        let inside: Vec<&Sized> = losses.iter().filter(|s| (range.0..=range.1).contains(&s.size)).collect();
        ensure!(
            inside.len() >= 2,
            "{what}: a fit from {size} {} to {} needs at least two of them, there are {}",
            range.0,
            range.1,
            inside.len()
        );
        let sizes: Vec<f64> = inside.iter().map(|s| (s.size as f64).ln()).collect();
        let medians: Vec<f64> = inside.iter().map(|s| quantile(&s.losses, 0.5).ln()).collect();
        let (intercept, slope) = line(&sizes, &medians);
        let exponents = bootstrap(&inside, &sizes);
        let outside = (1.0 - CONFIDENCE) / 2.0;
        let points = losses.iter().map(|s| Point {
            size: s.size,
            members: s.losses.len(),
            median: quantile(&s.losses, 0.5),
            quartiles: (quantile(&s.losses, 0.25), quantile(&s.losses, 0.75)),
            extremes: (quantile(&s.losses, 0.0), quantile(&s.losses, 1.0)),
        });
        Ok(Law {
            version: VERSION,
            what: what.into(),
            settings: settings.into(),
            size: size.into(),
            range: (inside[0].size, inside[inside.len() - 1].size),
            exponent: -slope,
            interval: (quantile(&exponents, outside), quantile(&exponents, 1.0 - outside)),
            coefficient: intercept.exp(),
            confidence: CONFIDENCE,
            replicates: REPLICATES,
            points: points.collect(),
        })
    }

    /// `C · N^−α`: the median loss to expect at size N.
    pub fn loss(&self, size: f64) -> f64 {
        self.coefficient * size.powf(-self.exponent)
    }

    /// The smallest size whose expected loss is at most `loss`; `None` where that lies outside the
    /// range of the fit or the loss does not fall with size.
    pub fn size_for(&self, loss: f64) -> Option<usize> {
        let (low, high) = self.range;
        let size = (self.coefficient / loss).powf(1.0 / self.exponent);
        // Rounding must not ask for one more than a size that is exactly enough.
        let size = (size * (1.0 - 1e-9)).ceil().max(low as f64);
        (self.exponent > 0.0 && size.is_finite() && size <= high as f64).then_some(size as usize)
    }

    /// `(N, M, α)` between neighbouring sizes: where these differ, no single power law holds.
    pub fn slopes(&self) -> Vec<(usize, usize, f64)> {
        let pairs = self.points.windows(2).map(|p| {
            let sizes = (p[1].size as f64 / p[0].size as f64).ln();
            (p[0].size, p[1].size, (p[0].median / p[1].median).ln() / sizes)
        });
        pairs.collect()
    }

    /// `α = 0.89, 95 % within 0.85 … 0.93, N from 8 to 128`
    pub fn sentence(&self) -> String {
        format!(
            "α = {:.2}, {:.0} % within {:.2} … {:.2}, N from {} to {}",
            self.exponent,
            100.0 * self.confidence,
            self.interval.0,
            self.interval.1,
            self.range.0,
            self.range.1
        )
    }

    /// Writes it as JSON, whole or not at all.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomic(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Reads what [`Law::write`] wrote.
    ///
    /// # Errors
    /// A file that is not there, is no law, is of another version or holds figures that no fit gives.
    pub fn read(path: &Path) -> Result<Law> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let law: Law = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is no fitted law; train the population again", path.display()))?;
        let at = path.display();
        ensure!(law.version == VERSION, "{at} has version {}, this program reads version {VERSION}", law.version);
        let sound = law.exponent.is_finite()
            && law.coefficient.is_finite()
            && law.coefficient > 0.0
            && law.range.0 > 0
            && law.range.0 <= law.range.1;
        ensure!(sound, "{at} is damaged: a law of {} · N^−{}; train again", law.coefficient, law.exponent);
        Ok(law)
    }
}

/// Two laws in place of one, the second from the size on where the first ends: the pair whose lines
/// leave the least sum of squares, each over at least `least` sizes of `range`. `None` where there
/// are too few.
///
/// # Errors
/// As [`Law::fit`].
pub fn regimes(
    names: (&str, &str, &str),
    losses: &[Sized],
    range: (usize, usize),
    least: usize,
) -> Result<Option<(Law, Law)>> {
    let whole = Law::fit(names, losses, range)?;
    let points: Vec<(f64, f64)> = whole
        .points
        .iter()
        .filter(|p| (whole.range.0..=whole.range.1).contains(&p.size))
        .map(|p| ((p.size as f64).ln(), p.median.ln()))
        .collect();
    let (x, y): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
    let least = least.max(2);
    let squares = |k: usize| residual(&x[..=k], &y[..=k]) + residual(&x[k..], &y[k..]);
    let breaks = least.saturating_sub(1)..(x.len() + 1).saturating_sub(least);
    let Some(k) = breaks.min_by(|a, b| squares(*a).total_cmp(&squares(*b))) else { return Ok(None) };
    let at = x[k].exp().round() as usize;
    let (low, high) = (Law::fit(names, losses, (whole.range.0, at))?, Law::fit(names, losses, (at, whole.range.1))?);
    Ok(Some((low, high)))
}

/// Sum of squares that the least-squares line leaves.
fn residual(x: &[f64], y: &[f64]) -> f64 {
    let (intercept, slope) = line(x, y);
    x.iter().zip(y).map(|(x, y)| (y - intercept - slope * x).powi(2)).sum()
}

/// Intercept and slope of the least-squares line through `(x, y)`.
fn line(x: &[f64], y: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let covariance: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    let variance: f64 = x.iter().map(|x| (x - mx) * (x - mx)).sum();
    let slope = covariance / variance;
    (my - slope * mx, slope)
}

/// Exponents of populations drawn anew, ascending.
fn bootstrap(sizes: &[&Sized], x: &[f64]) -> Vec<f64> {
    let mut drawn = Vec::new();
    let mut exponents: Vec<f64> = (0..REPLICATES)
        .map(|replicate| {
            let mut rng = Rng::new(0, "bootstrap", replicate.into());
            let medians: Vec<f64> = sizes
                .iter()
                .map(|s| {
                    // Ranks in place of values: the losses are ascending already.
                    drawn.clear();
                    drawn.extend((0..s.losses.len()).map(|_| rng.below(s.losses.len())));
                    median_of_ranks(&mut drawn, &s.losses).ln()
                })
                .collect();
            -line(x, &medians).1
        })
        .collect();
    exponents.sort_unstable_by(f64::total_cmp);
    exponents
}

/// The median of `sorted[ranks]`.
fn median_of_ranks(ranks: &mut [usize], sorted: &[f64]) -> f64 {
    let half = ranks.len() / 2;
    let (below, upper, _) = ranks.select_nth_unstable(half);
    let upper = sorted[*upper];
    match below.iter().max() {
        Some(&lower) if sorted.len().is_multiple_of(2) => 0.5 * (sorted[lower] + upper),
        _ => upper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    /// Losses `c · N^−α` times a lognormal of deviation `spread`.
    fn population(c: f64, alpha: f64, spread: f64, seeds: usize) -> Vec<Sized> {
        [4usize, 8, 16, 32, 64]
            .map(|size| {
                let mut rng = Rng::new(3, "law", size as u64);
                let loss = |_| c * (size as f64).powf(-alpha) * (spread * f64::from(rng.normal())).exp();
                Sized { size, losses: (0..seeds).map(loss).collect() }
            })
            .into()
    }

    fn fit(losses: &[Sized], range: (usize, usize)) -> Result<Law> {
        Law::fit(("test", "steps=1", "width"), losses, range)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_law_without_spread_is_found_exactly(c in 1e-6f64..1e3, alpha in 0.1f64..5.0) {
            let law = fit(&population(c, alpha, 0.0, 5), (4, 64)).unwrap();
            prop_assert!((law.exponent - alpha).abs() < 1e-9 && (law.coefficient / c - 1.0).abs() < 1e-9);
            prop_assert!((law.interval.0 - alpha).abs() < 1e-9 && (law.interval.1 - alpha).abs() < 1e-9);
            prop_assert!(law.slopes().iter().all(|s| (s.2 - alpha).abs() < 1e-9));
            let loss = law.loss(20.0);
            prop_assert!(matches!(law.size_for(loss), Some(20 | 21)), "{:?}", law.size_for(loss));
            prop_assert!(law.size_for(law.loss(70.0)).is_none(), "beyond the range of the fit");
        }
    }

    #[test]
    fn the_interval_holds_the_exponent_and_narrows_with_seeds() {
        let width = |seeds| {
            let law = fit(&population(1.0, 1.0, 0.8, seeds), (4, 64)).unwrap();
            assert!(law.interval.0 < law.exponent && law.exponent < law.interval.1, "{}", law.sentence());
            law.interval.1 - law.interval.0
        };
        let law = fit(&population(1.0, 1.0, 0.8, 400), (4, 64)).unwrap();
        assert!(law.interval.0 < 1.0 && 1.0 < law.interval.1, "{}", law.sentence());
        // Twenty-five times the seeds, a fifth of the width, give or take.
        let ratio = width(16) / width(400);
        assert!((3.0..8.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn only_the_range_is_fitted() {
        let mut losses = population(1.0, 1.0, 0.1, 50);
        losses[0].losses = vec![1e6; 50];
        let law = fit(&losses, (8, 1000)).unwrap();
        assert!((law.exponent - 1.0).abs() < 0.1 && law.range == (8, 64));
        assert_eq!((law.points.len(), law.points[0].median), (5, 1e6));
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let losses = population(1.0, 1.0, 0.1, 5);
        assert!(fit(&losses, (8, 9)).unwrap_err().to_string().contains("needs at least two"));
        for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
            let mut losses = losses.clone();
            losses[1].losses[2] = bad;
            assert!(fit(&losses, (4, 64)).unwrap_err().to_string().contains("width 8"));
        }
    }

    #[test]
    fn a_bend_is_found_where_it_is() {
        let losses: Vec<Sized> = [4usize, 8, 16, 32, 64, 128, 256, 512]
            .map(|size| {
                let n = size as f64;
                // N^−4 up to 32, N^−1 from there.
                let loss = if size <= 32 { n.powi(-4) } else { 32f64.powi(-3) / n };
                Sized { size, losses: vec![loss; 3] }
            })
            .into();
        let (low, high) = regimes(("test", "", "width"), &losses, (4, 512), 3).unwrap().unwrap();
        assert_eq!((low.range, high.range), ((4, 32), (32, 512)));
        assert!((low.exponent - 4.0).abs() < 1e-9 && (high.exponent - 1.0).abs() < 1e-9);
        assert!(regimes(("test", "", "width"), &losses, (4, 32), 3).unwrap().is_none());
    }

    #[test]
    fn medians_of_ranks_are_medians() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(median_of_ranks(&mut [0, 3, 1, 2], &sorted), 3.0);
        assert_eq!(median_of_ranks(&mut [3, 3, 0, 0], &sorted), 4.5);
        assert_eq!(median_of_ranks(&mut [2, 0, 1], &sorted[..3]), 2.0);
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("law.json");
        let law = fit(&population(2.0, 0.9, 0.3, 20), (4, 64)).unwrap();
        law.write(&path).unwrap();
        let read = Law::read(&path).unwrap();
        // JSON keeps all but the last bit.
        assert!(
            (read.exponent / law.exponent - 1.0).abs() < 1e-15 && (read.loss(9.0) / law.loss(9.0) - 1.0).abs() < 1e-14
        );
        assert_eq!((read.range, read.points.len(), &read.settings), (law.range, law.points.len(), &law.settings));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"version\": 1", "\"version\": 7")).unwrap();
        assert!(Law::read(&path).unwrap_err().to_string().contains("version 7"));
        std::fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert!(Law::read(&path).unwrap_err().to_string().contains("no fitted law"));
    }
}
