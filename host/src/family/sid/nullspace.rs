//! The directions that G does not see: its smallest singular values and their right vectors.
//!
//! Small matrices by a full SVD. Large ones by a pivoted `GP = QR` and inverse iteration of a block on R,
//! `Z ← orth(R⁻¹ orth(R⁻ᵀ Z))`, then the SVD of `R·Z`: as accurate as the full SVD (R carries G's rounding,
//! ε‖G‖), at the price of one QR. Values are relative to ‖G‖_F, which is within √n of the sum that the
//! paper divides by.

use anyhow::{Result, anyhow, ensure};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Mat, MatRef, Par};

use crate::rng::Rng;

/// Largest number of columns that get a full SVD.
pub const FULL: usize = 512;
/// First block of the inverse iteration.
const BLOCK: usize = 96;
const ITERATIONS: usize = 5;

/// The lower end of a spectrum.
#[derive(Clone, Debug)]
pub struct NullSpace {
    /// Singular values over ‖G‖_F, smallest first; all, or of a large matrix those of the block.
    pub values: Vec<f64>,
    /// Right vectors of those below the tolerance, orthonormal, `(null, terms)`.
    pub vectors: Mat<f64>,
}

impl NullSpace {
    /// Number of conserved directions.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.vectors.nrows()
    }

    /// Largest value below the tolerance and the smallest above it.
    pub fn gap(&self) -> (Option<f64>, Option<f64>) {
        (self.len().checked_sub(1).map(|i| self.values[i]), self.values.get(self.len()).copied())
    }
}

/// The null space of `g` `(samples, terms)`, samples ≥ terms.
pub fn null_space(g: &Mat<f64>, tolerance: f64) -> Result<NullSpace> {
    if g.ncols() <= FULL { full(g, tolerance) } else { by_inverse_iteration(g, tolerance, Par::rayon(0)) }
}

/// By a full SVD: the oracle.
pub fn full(g: &Mat<f64>, tolerance: f64) -> Result<NullSpace> {
    let norm = norm(g)?;
    let svd = g.thin_svd().map_err(|e| anyhow!("no singular values: {e:?}"))?;
    let mut values: Vec<f64> = svd.S().column_vector().iter().map(|s| s / norm).collect();
    values.reverse();
    let null = values.iter().take_while(|v| **v < tolerance).count();
    let n = g.ncols();
    let vectors = Mat::from_fn(null, n, |i, k| svd.V()[(k, n - 1 - i)]);
    Ok(NullSpace { values, vectors })
}

/// By a QR and inverse iteration.
pub fn by_inverse_iteration(g: &Mat<f64>, tolerance: f64, par: Par) -> Result<NullSpace> {
    let (norm, n) = (norm(g)?, g.ncols());
    let before = faer::get_global_parallelism();
    faer::set_global_parallelism(par);
    // Column k of R stands for column order[k] of G: dependent ones come last. Without pivots they would stand
    // between others, where each solve grows by 1/ε a pivot.
    let qr = g.col_piv_qr();
    let order: Vec<usize> = qr.P().arrays().0.to_vec();
    let mut r = qr.thin_R().to_owned();
    faer::set_global_parallelism(before);
    for i in 0..n {
        (0..i).for_each(|j| r[(i, j)] = 0.0);
    }
    // The last block is rounding, and as a matrix of noise far worse to solve with than its size says. What the
    // solves need of it is its null space, so there it is a small multiple of one.
    let from = n - (0..n).rev().take_while(|&i| r[(i, i)].abs() < tolerance * norm).count();
    let mut solved = r.clone();
    for i in from..n {
        (i..n).for_each(|j| solved[(i, j)] = if i == j { tolerance * norm } else { 0.0 });
    }
    let mut block = BLOCK.min(n);
    loop {
        let found = smallest([r.as_ref(), solved.as_ref()], block, norm, tolerance, par)?;
        // A few values above the tolerance show the gap.
        if found.len() + 8 <= block || block == n {
            let mut vectors = Mat::zeros(found.len(), n);
            for (j, &k) in order.iter().enumerate() {
                (0..found.len()).for_each(|i| vectors[(i, k)] = found.vectors[(i, j)]);
            }
            return Ok(NullSpace { vectors, ..found });
        }
        block = (2 * block).min(n);
    }
}

/// From R and, for the solves, R without its noise.
fn smallest([r, solved]: [MatRef<'_, f64>; 2], block: usize, norm: f64, tolerance: f64, par: Par) -> Result<NullSpace> {
    let n = r.ncols();
    let mut rng = Rng::new(0, "sid inverse iteration", block as u64);
    let mut z = Mat::from_fn(n, block, |_, _| f64::from(rng.normal()));
    for _ in 0..ITERATIONS {
        solve_lower_triangular_in_place(solved.transpose(), z.as_mut(), par);
        z = z.qr().compute_thin_Q();
        solve_upper_triangular_in_place(solved, z.as_mut(), par);
        z = z.qr().compute_thin_Q();
    }
    let svd = (r * &z).thin_svd().map_err(|e| anyhow!("no singular values: {e:?}"))?;
    let mut values: Vec<f64> = svd.S().column_vector().iter().map(|s| s / norm).collect();
    values.reverse();
    let null = values.iter().take_while(|v| **v < tolerance).count();
    let v = &z * svd.V();
    let vectors = Mat::from_fn(null, n, |i, k| v[(k, block - 1 - i)]);
    Ok(NullSpace { values, vectors })
}

fn norm(g: &Mat<f64>) -> Result<f64> {
    ensure!(
        g.nrows() >= g.ncols(),
        "{} samples for {} terms of the basis; give at least as many samples, or fewer terms",
        g.nrows(),
        g.ncols()
    );
    let norm = g.norm_l2();
    ensure!(norm.is_finite() && norm > 0.0, "the samples' rates have a norm of {norm}: does the system move at all?");
    Ok(norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix of known singular values: both ways find the same null space and the same gap.
    #[test]
    fn inverse_iteration_equals_the_full_decomposition() {
        let (rows, n, null) = (170, 150, 40);
        let mut rng = Rng::new(3, "test", 0);
        let mut random = |m: usize, n: usize| Mat::<f64>::from_fn(m, n, |_, _| f64::from(rng.normal()));
        let (u, v) = (random(rows, n).qr().compute_thin_Q(), random(n, n).qr().compute_thin_Q());
        // 40 zeros, then values from 1e-7 up to 1
        let sigma =
            |k: usize| if k < null { 0.0 } else { 10f64.powf(-7.0 * (n - 1 - k) as f64 / (n - 1 - null) as f64) };
        let g = Mat::from_fn(rows, n, |i, j| (0..n).map(|k| u[(i, k)] * sigma(k) * v[(j, k)]).sum::<f64>());
        let (a, b) = (full(&g, 1e-11).unwrap(), by_inverse_iteration(&g, 1e-11, Par::Seq).unwrap());
        assert_eq!((a.len(), b.len()), (null, null));
        assert!(b.values.len() < n && a.values.len() == n);
        for k in null..null + 8 {
            assert!((a.values[k] / b.values[k] - 1.0).abs() < 1e-3, "{k}: {} {}", a.values[k], b.values[k]);
        }
        assert!(b.values[null - 1] < 1e-15);
        // Each of b's vectors lies in a's space: its projection keeps its length.
        let lengths = &a.vectors * b.vectors.transpose();
        for j in 0..null {
            let length: f64 = (0..null).map(|i| lengths[(i, j)].powi(2)).sum();
            assert!((length - 1.0).abs() < 1e-9, "{j}: {length}");
        }
    }

    /// Copies of columns between others: pivots of zero all over R.
    #[test]
    fn dependent_columns_may_stand_anywhere() {
        let mut rng = Rng::new(4, "test", 0);
        let a = Mat::<f64>::from_fn(130, 60, |_, _| f64::from(rng.normal()));
        let g = Mat::from_fn(130, 120, |i, j| a[(i, j / 2)]);
        let found = by_inverse_iteration(&g, 1e-11, Par::Seq).unwrap();
        assert_eq!(found.len(), 60);
        assert!((&g * found.vectors.transpose()).norm_l2() < 1e-10, "{}", (&g * found.vectors.transpose()).norm_l2());
    }

    #[test]
    fn fewer_samples_than_terms_are_refused() {
        let g = Mat::<f64>::zeros(3, 4);
        let error = null_space(&g, 1e-10).unwrap_err().to_string();
        assert!(error.contains("3 samples for 4 terms"), "{error}");
    }
}
