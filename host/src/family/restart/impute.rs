//! Filling gaps in a sensor's window by conditional sampling.
//!
//! What is known is given back at every function evaluation: `D(x, σ)` is replaced by the known value where
//! there is one, so that the ODE takes those features straight to it, and Restart's jumps let the unknown
//! ones settle beside them (as resampling does in RePaint, arXiv 2201.09865). Several samples of one window
//! have a mean, which fills the gap, and a deviation, which says how sure that is.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::denoiser::Denoiser;
use super::measure::default_restart;
use super::plan::Plan;
use super::set::{CHANNELS, Set, WINDOW, spar};
use super::settings::Settings;
use super::train;
use super::walk::{Denoise, Walk};
use crate::data::Source;
use crate::engine::in_parallel;
use crate::interrupt;
use crate::population::Watch;

/// Samples of the window that are missing, in all channels.
pub const GAP: std::ops::Range<usize> = 12..20;
/// Samples drawn of each window.
const DRAWS: usize = 16;
/// Subjects that are held out.
const HELD_OUT: [u16; 2] = [8, 9];
/// Windows that are filled, at most.
const WINDOWS: usize = 200;

/// A denoiser of which some features are known.
struct Conditioned<'a> {
    inner: &'a mut dyn Denoise,
    /// `(dim)`: whether a feature is known
    known: &'a [bool],
    /// `(dim)`: of the one window
    values: &'a [f32],
}

impl Denoise for Conditioned<'_> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn stride(&self) -> usize {
        self.inner.stride()
    }

    fn denoise(&mut self, x: &[f32], sigma: f64, y: &mut [f32]) {
        self.inner.denoise(x, sigma, y);
        let stride = self.stride();
        for (i, row) in y.chunks_exact_mut(stride).enumerate().filter(|(i, _)| self.known[*i]) {
            row.fill(self.values[i]);
        }
    }
}

/// Mean and deviation of several samples of each feature of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Filled {
    /// `(dim)`; the known values where they are known.
    pub mean: Vec<f32>,
    /// `(dim)`; 0 where they are known.
    pub deviation: Vec<f32>,
}

/// Fills what is not `known` of one window of class `label`.
///
/// # Errors
/// A window of another width.
pub fn fill(
    denoiser: &Denoiser,
    plan: &Plan,
    values: &[f32],
    known: &[bool],
    label: Option<u8>,
    (draws, seed): (usize, u64),
) -> Result<Filled> {
    let dim = denoiser.shape.dim;
    ensure!(values.len() == dim && known.len() == dim, "a window of {} values, expected {dim}", values.len());
    let mut running = denoiser.on(&vec![label; draws])?;
    let stride = running.stride();
    let mut conditioned = Conditioned { inner: &mut running, known, values };
    let mut walk = Walk::new(&mut conditioned, seed, 0);
    plan.sampler().sample(&mut walk);
    let (mut mean, mut deviation) = (values.to_vec(), vec![0.0; dim]);
    for i in (0..dim).filter(|&i| !known[i]) {
        let row = &walk.x[i * stride..][..draws];
        let m = row.iter().sum::<f32>() / draws as f32;
        mean[i] = m;
        deviation[i] = (row.iter().map(|v| (v - m).powi(2)).sum::<f32>() / (draws - 1).max(1) as f32).sqrt();
    }
    Ok(Filled { mean, deviation })
}

/// The gap of each channel as the straight line between its neighbours.
pub fn interpolate(values: &[f32], known: &[bool]) -> Vec<f32> {
    let mut filled = values.to_vec();
    for (row, known) in filled.chunks_exact_mut(WINDOW).zip(known.chunks_exact(WINDOW)) {
        for t in (0..row.len()).filter(|&t| !known[t]) {
            let before = (0..t).rev().find(|&s| known[s]);
            let after = (t..row.len()).find(|&s| known[s]);
            row[t] = match (before, after) {
                (Some(a), Some(b)) => row[a] + (row[b] - row[a]) * (t - a) as f32 / (b - a) as f32,
                (Some(s), None) | (None, Some(s)) => row[s],
                (None, None) => 0.0,
            };
        }
    }
    filled
}

/// Errors over the gaps of held-out windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaps {
    /// Windows that were filled.
    pub windows: usize,
    /// Root mean square error of the samples' mean [g].
    pub mean: f64,
    /// Root mean square error of a single sample [g].
    pub one: f64,
    /// Root mean square error of linear interpolation [g].
    pub line: f64,
    /// Share of true values within two deviations of the mean.
    pub covered: f64,
    /// Rank correlation of a window's mean deviation with its error.
    pub telling: f64,
}

/// Trains on 8 subjects, fills gaps of the windows of 2 others.
///
/// # Errors
/// Data that are not there, or a training that failed.
pub fn measure(source: &Source, steps: usize, threads: usize) -> Result<Gaps> {
    let seen = Arc::new(spar(source, |s| !HELD_OUT.contains(&s))?);
    let held = spar(source, |s| HELD_OUT.contains(&s))?;
    let settings = Settings::of(&[format!("steps={steps}")], Some("spar"))?;
    let tasks = settings.tasks(&seen, 0, 1);
    let trained = train::train(&tasks, &train::unsaved(threads), &Watch::silent(1))?;
    gaps(&trained[0].denoiser, &held, threads)
}

fn gaps(denoiser: &Denoiser, held: &Set, threads: usize) -> Result<Gaps> {
    let known: Vec<bool> = (0..CHANNELS * WINDOW).map(|i| !GAP.contains(&(i % WINDOW))).collect();
    let plan = default_restart(41).unwrap_or(Plan::ode(super::solver::Solver::Heun, 41));
    let windows = crate::family::spread(held.len(), WINDOWS);
    let each = in_parallel(&windows, threads, |&w| {
        interrupt::check()?;
        let (truth, label) = (held.row(w), Some(held.labels[w]));
        let with = (DRAWS, w as u64);
        let filled = fill(denoiser, &plan, truth, &known, label, with)?;
        let line = interpolate(truth, &known);
        let gap = || (0..truth.len()).filter(|&i| !known[i]);
        let square = |guess: &[f32]| gap().map(|i| f64::from(guess[i] - truth[i]).powi(2)).sum::<f64>();
        // A single sample's square error: that of the mean and the deviation's square, in expectation.
        let variance: f64 = gap().map(|i| f64::from(filled.deviation[i]).powi(2)).sum();
        let inside = gap().filter(|&i| (filled.mean[i] - truth[i]).abs() <= 2.0 * filled.deviation[i]).count();
        Ok((square(&filled.mean), square(&line), variance, inside))
    })?;
    let values = (GAP.len() * CHANNELS * each.len()) as f64;
    let sum = |get: fn(&(f64, f64, f64, usize)) -> f64| each.iter().map(get).sum::<f64>();
    let variance = sum(|e| e.2) * (DRAWS as f64 - 1.0) / DRAWS as f64;
    Ok(Gaps {
        windows: each.len(),
        mean: (sum(|e| e.0) / values).sqrt(),
        one: ((sum(|e| e.0) + variance) / values).sqrt(),
        line: (sum(|e| e.1) / values).sqrt(),
        covered: sum(|e| e.3 as f64) / values,
        telling: rank_correlation(&each.iter().map(|e| (e.2, e.0)).collect::<Vec<_>>()),
    })
}

/// Spearman's.
fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |get: fn(&(f64, f64)) -> f64| {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by(|&a, &b| get(&pairs[a]).total_cmp(&get(&pairs[b])));
        let mut ranks = vec![0.0; pairs.len()];
        order.iter().enumerate().for_each(|(rank, &i)| ranks[i] = rank as f64);
        ranks
    };
    let (a, b) = (ranks(|p| p.0), ranks(|p| p.1));
    let middle = (pairs.len() as f64 - 1.0) / 2.0;
    let together: f64 = a.iter().zip(&b).map(|(a, b)| (a - middle) * (b - middle)).sum();
    let alone: f64 = a.iter().map(|a| (a - middle).powi(2)).sum();
    together / alone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::restart::denoiser::Shape;
    use crate::family::restart::edm::Embedding;

    #[test]
    fn lines_go_through_their_ends() {
        let values: Vec<f32> = (0..CHANNELS * WINDOW).map(|i| 0.5 * (i % WINDOW) as f32 - 1.0).collect();
        let known: Vec<bool> = (0..values.len()).map(|i| !GAP.contains(&(i % WINDOW))).collect();
        let blank: Vec<f32> = values.iter().zip(&known).map(|(v, k)| if *k { *v } else { 99.0 }).collect();
        let filled = interpolate(&blank, &known);
        assert!(filled.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn what_is_known_stays_as_it_is() {
        let shape = Shape {
            dim: 6,
            classes: 0,
            embedding: Embedding::Logarithm,
            hidden: 8,
            depth: 1,
            deviation: 1.0,
            reach: None,
        };
        let parameters = shape.network().unwrap().initial(3);
        let denoiser = Denoiser { shape, parameters };
        let plan = default_restart(41).unwrap();
        let values = [0.1, -0.2, 0.3, 9.0, 9.0, -0.6];
        let known = [true, true, true, false, false, true];
        let filled = fill(&denoiser, &plan, &values, &known, None, (8, 1)).unwrap();
        for i in 0..6 {
            assert_eq!(known[i], filled.deviation[i] == 0.0, "{i}");
            assert_eq!(known[i], filled.mean[i] == values[i], "{i}");
        }
        let same = fill(&denoiser, &plan, &values, &known, None, (8, 1)).unwrap();
        assert_eq!(same, filled);
        assert!(fill(&denoiser, &plan, &values[..5], &known, None, (8, 1)).is_err());
    }

    #[test]
    fn ranks_that_agree_correlate() {
        assert!((rank_correlation(&[(1.0, 2.0), (2.0, 4.0), (5.0, 4.5)]) - 1.0).abs() < 1e-12);
        assert!((rank_correlation(&[(1.0, 3.0), (2.0, 2.0), (5.0, 1.0)]) + 1.0).abs() < 1e-12);
    }
}
