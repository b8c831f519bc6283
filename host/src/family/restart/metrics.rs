//! How far samples are from data: the Fréchet distance of features, sliced W₁, precision and recall, and
//! the distance to the nearest training sample, by which memorising shows.

use anyhow::{Context, Result, ensure};
use faer::{Mat, Side};

use crate::rng::Rng;

/// Mean and covariance of features.
#[derive(Clone, Debug)]
pub struct Moments {
    mean: Vec<f64>,
    covariance: Mat<f64>,
}

impl Moments {
    /// Of `(n, width)` row-major, n at least 2; the covariance divides by n − 1.
    ///
    /// # Errors
    /// Fewer than two rows.
    pub fn of(rows: &[f32], width: usize) -> Result<Moments> {
        let n = rows.len() / width.max(1);
        ensure!(n >= 2, "{n} samples have no covariance");
        let mut mean = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / n as f64);
        }
        let centred = Mat::from_fn(n, width, |i, j| f64::from(rows[i * width + j]) - mean[j]);
        let sum = centred.transpose() * &centred;
        Ok(Moments { mean, covariance: Mat::from_fn(width, width, |i, j| sum[(i, j)] / (n - 1) as f64) })
    }

    /// `‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁^½ Σ₂ Σ₁^½)^½)`: the squared W₂ of the two normal distributions
    /// (Heusel et al., arXiv 1706.08500, eq. 6).
    ///
    /// # Errors
    /// Features that are not finite.
    pub fn frechet(&self, other: &Moments) -> Result<f64> {
        let n = self.mean.len();
        let apart: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b).powi(2)).sum();
        let (vectors, values) = eigen(&self.covariance)?;
        let root = Mat::from_fn(n, n, |i, j| {
            (0..n).map(|k| vectors[(i, k)] * values[k].max(0.0).sqrt() * vectors[(j, k)]).sum::<f64>()
        });
        let (_, values) = eigen(&(&root * &other.covariance * &root))?;
        let shared: f64 = values.iter().map(|v| v.max(0.0).sqrt()).sum();
        let trace = |m: &Mat<f64>| (0..n).map(|i| m[(i, i)]).sum::<f64>();
        Ok(apart + trace(&self.covariance) + trace(&other.covariance) - 2.0 * shared)
    }
}

/// Eigenvectors in columns, and eigenvalues, of a symmetric matrix.
fn eigen(a: &Mat<f64>) -> Result<(Mat<f64>, Vec<f64>)> {
    let parts = a.self_adjoint_eigen(Side::Lower).ok().context("the features have no eigenvalues: not finite?")?;
    let values = parts.S().column_vector().iter().copied().collect();
    Ok((parts.U().to_owned(), values))
}

/// Mean over `directions` random ones of W₁ between the projections of `x` and `y`, `(n, dim)` each; of
/// equal numbers of points.
///
/// # Errors
/// Unequal numbers of points.
pub fn sliced(x: &[f32], y: &[f32], dim: usize, directions: usize, seed: u64) -> Result<f64> {
    ensure!(x.len() == y.len() && !x.is_empty(), "{} points and {}", x.len() / dim, y.len() / dim);
    let mut total = 0.0;
    let mut direction = vec![0f32; dim];
    for k in 0..directions {
        Rng::new(seed, "slices", k as u64).normals(&mut direction);
        let norm = direction.iter().map(|v| v * v).sum::<f32>().sqrt();
        let project = |rows: &[f32]| {
            let mut all: Vec<f32> = rows
                .chunks_exact(dim)
                .map(|row| row.iter().zip(&direction).map(|(a, b)| a * b).sum::<f32>() / norm)
                .collect();
            all.sort_unstable_by(f32::total_cmp);
            all
        };
        let gaps = project(x).into_iter().zip(project(y)).map(|(a, b)| f64::from((a - b).abs()));
        total += gaps.sum::<f64>() / (x.len() / dim) as f64;
    }
    Ok(total / directions as f64)
}

fn square(a: &[f32], b: &[f32]) -> f32 {
    // Four sums, which the compiler keeps in one register.
    let mut sums = [0f32; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f32 = a4.remainder().iter().zip(b4.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a4.zip(b4) {
        for k in 0..4 {
            sums[k] += (a[k] - b[k]) * (a[k] - b[k]);
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Mean distance of each row of `x` to its nearest in `y`, `(n, dim)` each; `same` leaves out the row of
/// the same number.
pub fn nearest(x: &[f32], y: &[f32], dim: usize, same: bool) -> f64 {
    let each = x.chunks_exact(dim).enumerate().map(|(i, a)| {
        let others = y.chunks_exact(dim).enumerate().filter(|(j, _)| !(same && *j == i));
        others.map(|(_, b)| square(a, b)).fold(f32::INFINITY, f32::min)
    });
    each.map(|d| f64::from(d).sqrt()).sum::<f64>() / (x.len() / dim) as f64
}

/// Balls around points, each reaching to its k-th nearest: the manifold that precision and recall take.
fn radii(points: &[f32], dim: usize, k: usize) -> Vec<f32> {
    let mut row = Vec::new();
    let each = points.chunks_exact(dim).map(|a| {
        row.clear();
        row.extend(points.chunks_exact(dim).map(|b| square(a, b)));
        // The nearest is the point itself.
        let at = k.min(row.len() - 1);
        *row.select_nth_unstable_by(at, f32::total_cmp).1
    });
    each.collect()
}

fn covered(points: &[f32], by: &[f32], radii: &[f32], dim: usize) -> f64 {
    let inside = |a: &[f32]| by.chunks_exact(dim).zip(radii).any(|(b, r)| square(a, b) <= *r);
    let n = points.len() / dim;
    points.chunks_exact(dim).filter(|a| inside(a)).count() as f64 / n as f64
}

/// Precision, the share of `samples` within the `data`'s balls, and recall, the share of data within the
/// samples' (Kynkäänniemi et al., arXiv 1904.06991), with the k-th neighbour.
pub fn precision_recall(data: &[f32], samples: &[f32], dim: usize, k: usize) -> (f64, f64) {
    let (of_data, of_samples) = (radii(data, dim, k), radii(samples, dim, k));
    (covered(samples, data, &of_data, dim), covered(data, samples, &of_samples, dim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(n: usize, dim: usize, seed: u64, shift: f32, scale: f32) -> Vec<f32> {
        let mut x = vec![0f32; n * dim];
        Rng::new(seed, "metrics", 0).normals(&mut x);
        x.iter_mut().for_each(|v| *v = shift + scale * *v);
        x
    }

    #[test]
    fn the_frechet_distance_of_known_normals() {
        // N(0, I) and N(a, b²I): dim·(a² + (1 − b)²).
        let (n, dim) = (20_000, 4);
        let (x, y) = (normals(n, dim, 1, 0.0, 1.0), normals(n, dim, 2, 0.5, 2.0));
        let (p, q) = (Moments::of(&x, dim).unwrap(), Moments::of(&y, dim).unwrap());
        assert!((p.frechet(&q).unwrap() - 4.0 * 1.25).abs() < 0.15, "{}", p.frechet(&q).unwrap());
        assert!((p.frechet(&q).unwrap() - q.frechet(&p).unwrap()).abs() < 1e-9);
        assert!(p.frechet(&p).unwrap().abs() < 1e-9);
        assert!(Moments::of(&x[..dim], dim).is_err());
    }

    #[test]
    fn a_shift_shows_in_every_slice() {
        let (x, y) = (normals(500, 3, 1, 0.0, 1.0), normals(500, 3, 1, 0.0, 1.0));
        assert_eq!(sliced(&x, &y, 3, 20, 0).unwrap(), 0.0);
        let moved: Vec<f32> = x.iter().map(|v| v + 1.0).collect();
        // E|⟨1, θ⟩| = √3·½ for θ uniform on the sphere in three dimensions.
        let found = sliced(&x, &moved, 3, 400, 0).unwrap();
        assert!((found - 3f64.sqrt() / 2.0).abs() < 0.06, "{found}");
    }

    #[test]
    fn precision_and_recall_tell_what_is_missing() {
        let data = [normals(300, 2, 1, 0.0, 0.5), normals(300, 2, 2, 20.0, 0.5)].concat();
        let half = normals(300, 2, 3, 0.0, 0.5);
        let (precision, recall) = precision_recall(&data, &half, 2, 3);
        assert!(precision > 0.9 && (0.4..0.6).contains(&recall), "{precision} {recall}");
        let (precision, recall) = precision_recall(&data, &normals(300, 2, 4, 40.0, 0.5), 2, 3);
        assert_eq!((precision, recall), (0.0, 0.0));
    }

    #[test]
    fn copies_are_at_distance_0() {
        let x = normals(50, 5, 1, 0.0, 1.0);
        assert_eq!(nearest(&x, &x, 5, false), 0.0);
        assert!(nearest(&x, &x, 5, true) > 0.1);
    }
}
