//! How many laws say something that the others do not: the rank of their gradients.
//!
//! At a sample the gradients `∇H_l`, each of unit length, are the columns of a matrix; its singular values over
//! their sum count where above a tolerance. The count is the mode over samples, the confidence the share of
//! samples at the mode (arXiv 2305.19525, section II C). A set of independent laws is chosen greedily, the
//! simplest first: by the entropy `−Σ θ² ln(θ² + 1e-6)` of its coefficients, least first.

use anyhow::{Result, anyhow};
use faer::Mat;

/// What the gradients say.
#[derive(Clone, Debug, PartialEq)]
pub struct Independence {
    /// Number of independent laws.
    pub rank: usize,
    /// Share of samples that say so.
    pub confidence: f64,
    /// Laws that were chosen, in the order given; `rank` many unless the tolerances disagree.
    pub chosen: Vec<usize>,
}

/// Independence of laws, simplest first, from their gradients at samples `(samples, laws, states)`.
pub fn independence(gradients: &[Vec<Vec<f64>>], tolerance: f64) -> Result<Independence> {
    let laws = gradients.first().map_or(0, Vec::len);
    let mut ranks: Vec<usize> = Vec::new();
    // At each sample an orthonormal basis of the gradients chosen so far.
    let mut spans: Vec<Vec<Vec<f64>>> = vec![Vec::new(); gradients.len()];
    for at in gradients {
        ranks.push(rank(at, tolerance)?);
    }
    let mut chosen = Vec::new();
    for law in 0..laws {
        let rests: Vec<Option<Vec<f64>>> =
            gradients.iter().zip(&spans).map(|(at, span)| rest(&at[law], span, tolerance)).collect();
        if 2 * rests.iter().flatten().count() > gradients.len() {
            chosen.push(law);
            for (span, rest) in spans.iter_mut().zip(rests) {
                span.extend(rest);
            }
        }
    }
    let largest = ranks.iter().copied().max().unwrap_or(0);
    let count = |r: usize| ranks.iter().filter(|k| **k == r).count();
    let mode = (0..=largest).max_by_key(|&r| count(r)).unwrap_or(0);
    let confidence = if ranks.is_empty() { 1.0 } else { count(mode) as f64 / ranks.len() as f64 };
    Ok(Independence { rank: mode, confidence, chosen })
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn rank(gradients: &[Vec<f64>], tolerance: f64) -> Result<usize> {
    let units: Vec<Vec<f64>> = gradients
        .iter()
        .filter(|g| norm(g) > 0.0 && norm(g).is_finite())
        .map(|g| {
            let n = norm(g);
            g.iter().map(|v| v / n).collect()
        })
        .collect();
    let Some(first) = units.first() else { return Ok(0) };
    let m = Mat::from_fn(first.len(), units.len(), |i, l| units[l][i]);
    let values = m.singular_values().map_err(|e| anyhow!("gradients have no singular values: {e:?}"))?;
    let sum: f64 = values.iter().sum();
    Ok(values.iter().filter(|v| **v > tolerance * sum).count())
}

/// The unit vector of what `v` adds to `span`; none if nothing.
fn rest(v: &[f64], span: &[Vec<f64>], tolerance: f64) -> Option<Vec<f64>> {
    let length = norm(v);
    if length == 0.0 || !length.is_finite() {
        return None;
    }
    let mut rest: Vec<f64> = v.iter().map(|x| x / length).collect();
    // Twice is enough (Kahan).
    for _ in 0..2 {
        for u in span {
            let along: f64 = u.iter().zip(&rest).map(|(a, b)| a * b).sum();
            rest.iter_mut().zip(u).for_each(|(r, u)| *r -= along * u);
        }
    }
    let left = norm(&rest);
    (left > tolerance * (span.len() + 1) as f64).then(|| rest.iter().map(|r| r / left).collect())
}

/// Entropy of a law's coefficients, as of unit length.
pub fn entropy(coefficients: &[f64]) -> f64 {
    let n = norm(coefficients).max(f64::MIN_POSITIVE);
    coefficients.iter().map(|c| (c / n).powi(2)).map(|p| -p * (p + 1e-6).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependent_laws_are_left_out() {
        // Gradients of x, y, x·y (depends on both), and z at a few points.
        let points = [[1.0, 2.0], [0.5, -3.0], [2.0, 2.0]];
        let at =
            |p: &[f64; 2]| vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![p[1], p[0], 0.0], vec![0.0, 0.0, 1e-3]];
        let gradients: Vec<_> = points.iter().map(at).collect();
        let found = independence(&gradients, 1e-6).unwrap();
        assert_eq!(found, Independence { rank: 3, confidence: 1.0, chosen: vec![0, 1, 3] });
    }

    #[test]
    fn the_confidence_is_the_share_at_the_mode() {
        let mut gradients = vec![vec![vec![1.0, 0.0], vec![0.0, 1.0]]; 3];
        gradients.push(vec![vec![1.0, 0.0], vec![1.0, 0.0]]);
        let found = independence(&gradients, 1e-6).unwrap();
        assert_eq!((found.rank, found.confidence), (2, 0.75));
    }
}
