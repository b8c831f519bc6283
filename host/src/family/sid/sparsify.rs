//! From any basis of the null space to one that can be read.
//!
//! 1. Rotate: minimise `‖QΘ‖₁` over rotations Q (arXiv 2305.19525, section II B). The paper writes
//!    `Q = (I−A)(I+A)⁻¹` and uses L-BFGS; here Q is a product of plane rotations, each the best for its
//!    two rows, over and over: the same objective, no step size.
//! 2. Eliminate: reduced echelon form, which also leaves the rotations behind (sparse laws need not be
//!    orthogonal), then add multiples of rows to others as long as a sum has fewer terms.

use crate::rng::Rng;

/// Rows above which the rotation is left out: elimination alone gives rows as sparse, sooner.
const ROTATED: usize = 24;
/// Rows above which sums are left out too: all pairs are tried.
const SUMMED: usize = 100;
const STARTS: u64 = 4;
const SWEEPS: usize = 30;

/// A sparse basis of the span of `rows` `(null, terms)`; entries below `zero` of a row's largest are 0.
pub fn sparsify(rows: &[Vec<f64>], zero: f64) -> Vec<Vec<f64>> {
    let plain = eliminate(rows.to_vec(), zero);
    if rows.len() < 2 || rows.len() > ROTATED {
        return plain;
    }
    let turned = eliminate(rotate(rows, STARTS), zero);
    if terms(&turned) <= terms(&plain) { turned } else { plain }
}

fn terms(rows: &[Vec<f64>]) -> usize {
    rows.iter().flatten().filter(|v| **v != 0.0).count()
}

/// The rotation of `rows` of least `‖QΘ‖₁` among those found from `starts` random ones.
pub fn rotate(rows: &[Vec<f64>], starts: u64) -> Vec<Vec<f64>> {
    let mut best = (f64::INFINITY, rows.to_vec());
    for start in 0..starts.max(1) {
        let mut rng = Rng::new(start, "sid rotation", 0);
        let mut turned = rows.to_vec();
        // The first start is the basis as it is.
        if start > 0 {
            for i in 0..rows.len() {
                for j in 0..i {
                    turn(&mut turned, i, j, f64::from(rng.uniform()) * std::f64::consts::PI);
                }
            }
        }
        let mut norm = l1(&turned);
        for _ in 0..SWEEPS {
            for i in 0..rows.len() {
                for j in 0..i {
                    let angle = best_angle(&turned[i], &turned[j]);
                    turn(&mut turned, i, j, angle);
                }
            }
            let now = l1(&turned);
            let done = norm - now < 1e-10 * norm;
            norm = now;
            if done {
                break;
            }
        }
        if norm < best.0 {
            best = (norm, turned);
        }
    }
    best.1
}

fn l1(rows: &[Vec<f64>]) -> f64 {
    rows.iter().flatten().map(|v| v.abs()).sum()
}

/// `a ← c·a + s·b`, `b ← −s·a + c·b`.
fn turn(rows: &mut [Vec<f64>], i: usize, j: usize, angle: f64) {
    let (s, c) = angle.sin_cos();
    for k in 0..rows[i].len() {
        let (a, b) = (rows[i][k], rows[j][k]);
        (rows[i][k], rows[j][k]) = (c * a + s * b, c * b - s * a);
    }
}

/// The angle in [−π/4, π/4] (a quarter turn only swaps the rows) with the least sum of magnitudes. Between
/// angles that zero an entry the sum is concave, so it is least at one of them: the grid finds the piece, golden
/// sections the corner.
fn best_angle(a: &[f64], b: &[f64]) -> f64 {
    let pairs: Vec<(f64, f64)> =
        a.iter().zip(b).map(|(a, b)| (*a, *b)).filter(|(a, b)| a.abs() + b.abs() > 1e-13).collect();
    let sum = |angle: f64| -> f64 {
        let (s, c) = angle.sin_cos();
        pairs.iter().map(|(a, b)| (c * a + s * b).abs() + (c * b - s * a).abs()).sum()
    };
    const GRID: usize = 32;
    let width = std::f64::consts::FRAC_PI_2 / GRID as f64;
    let at = |i: usize| -std::f64::consts::FRAC_PI_4 + width * i as f64;
    let middle = (0..=GRID).min_by(|&i, &j| sum(at(i)).total_cmp(&sum(at(j)))).unwrap_or(GRID / 2);
    let (mut low, mut high) = (at(middle) - width, at(middle) + width);
    let golden = 0.618_033_988_749_894_9;
    for _ in 0..60 {
        let (p, q) = (high - golden * (high - low), low + golden * (high - low));
        if sum(p) < sum(q) { high = q } else { low = p }
    }
    let found = (low + high) / 2.0;
    // No turn where none helps, so that a minimum stays where it is.
    if sum(found) < sum(0.0) * (1.0 - 1e-13) { found } else { 0.0 }
}

/// Reduced echelon form by complete pivoting, then sums of rows with fewer terms.
pub fn eliminate(mut rows: Vec<Vec<f64>>, zero: f64) -> Vec<Vec<f64>> {
    let n = rows.first().map_or(0, Vec::len);
    for at in 0..rows.len() {
        let largest = (at..rows.len())
            .flat_map(|r| (0..n).map(move |k| (r, k)))
            .max_by(|a, b| rows[a.0][a.1].abs().total_cmp(&rows[b.0][b.1].abs()));
        let Some((r, k)) = largest else { break };
        rows.swap(at, r);
        let head = rows[at][k];
        if head == 0.0 {
            break;
        }
        rows[at].iter_mut().for_each(|v| *v /= head);
        let row = rows[at].clone();
        for (_, other) in rows.iter_mut().enumerate().filter(|(i, _)| *i != at) {
            let factor = other[k];
            other.iter_mut().zip(&row).for_each(|(v, p)| *v -= factor * p);
            other[k] = 0.0;
        }
    }
    rows.iter_mut().for_each(|row| clean(row, zero));
    if rows.len() <= SUMMED {
        thin(&mut rows, zero);
    }
    rows
}

fn clean(row: &mut [f64], zero: f64) {
    let largest = row.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    row.iter_mut().filter(|v| v.abs() < zero * largest).for_each(|v| *v = 0.0);
}

/// `row_i ← row_i − t·row_j` wherever that has fewer terms, until it never has.
fn thin(rows: &mut [Vec<f64>], zero: f64) {
    // Each change takes a term away.
    loop {
        let mut changed = false;
        for i in 0..rows.len() {
            loop {
                let better = (0..rows.len()).filter(|&j| j != i).filter_map(|j| {
                    let (t, gain) = best_multiple(&rows[i], &rows[j])?;
                    Some((gain, j, t))
                });
                let Some((_, j, t)) = better.max_by_key(|b| (b.0, std::cmp::Reverse(b.1))) else { break };
                let other = rows[j].clone();
                let before = rows[i].iter().filter(|v| **v != 0.0).count();
                let mut sum = rows[i].clone();
                sum.iter_mut().zip(&other).for_each(|(v, p)| *v -= t * p);
                clean(&mut sum, zero);
                if sum.iter().filter(|v| **v != 0.0).count() >= before {
                    break;
                }
                rows[i] = sum;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
}

/// The multiple of `b` that takes most terms from `a`, and how many less the difference has, if any.
fn best_multiple(a: &[f64], b: &[f64]) -> Option<(f64, usize)> {
    let mut ratios: Vec<f64> = Vec::new();
    let mut filled = 0usize;
    for (a, b) in a.iter().zip(b) {
        match (*a != 0.0, *b != 0.0) {
            (true, true) => ratios.push(a / b),
            (false, true) => filled += 1,
            _ => {}
        }
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let mut best = (0.0, 0usize);
    let mut from = 0;
    for to in 0..ratios.len() {
        while (ratios[to] - ratios[from]).abs() > 1e-7 * ratios[to].abs() {
            from += 1;
        }
        if to + 1 - from > best.1 {
            best = (ratios[from], to + 1 - from);
        }
    }
    (best.1 > filled).then(|| (best.0, best.1 - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sparse rows, mixed by a rotation, come out again: up to sign, scale and order.
    #[test]
    fn mixed_laws_are_told_apart() {
        let (a, b, c) = (0.5f64.sqrt(), (1.0f64 / 3.0).sqrt(), 1.0);
        let laws =
            vec![vec![a, a, 0.0, 0.0, 0.0, 0.0], vec![0.0, 0.0, b, -b, b, 0.0], vec![0.0, 0.0, 0.0, 0.0, 0.0, c]];
        let mut mixed = laws.clone();
        for (i, j, angle) in [(0, 1, 0.7), (1, 2, 1.9), (0, 2, -0.4)] {
            turn(&mut mixed, i, j, angle);
        }
        let turned = rotate(&mixed, 4);
        assert!((l1(&turned) - l1(&laws)).abs() < 1e-9, "{} {}", l1(&turned), l1(&laws));
        for rows in [sparsify(&mixed, 1e-9), eliminate(mixed.clone(), 1e-9)] {
            let mut counts: Vec<usize> = rows.iter().map(|r| r.iter().filter(|v| **v != 0.0).count()).collect();
            counts.sort_unstable();
            assert_eq!(counts, [1, 2, 3], "{rows:?}");
        }
    }

    /// Laws that share a term: only sums that are not orthogonal are sparse.
    #[test]
    fn laws_need_not_be_orthogonal() {
        let mixed = vec![vec![1.0, 1.0, 2.0, 0.0, 0.0], vec![1.0, 1.0, 1.0, 1.0, 1.0], vec![0.0, 0.0, 1.0, 1.0, -1.0]];
        let rows = eliminate(mixed, 1e-9);
        assert!(terms(&rows) <= 8, "{rows:?}");
    }
}
