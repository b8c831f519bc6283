//! Opponents in closed form.
//!
//! ESZSL: `W = (XᵀX + γI)⁻¹ XᵀYS (SᵀS + λI)⁻¹`, Y ±1 (Romera-Paredes and Torr, ICML 2015, eq. 5). With
//! `XᵀX = QΛQᵀ` and `SᵀS = PMPᵀ` it is `Q [(Qᵀ XᵀYS P)_ij / ((Λ_i + γ)(M_j + λ))] Pᵀ`: two
//! decompositions serve the whole grid of γ and λ.
//! Ridge regression: `W = (XᵀX + γI)⁻¹ XᵀT`.

use anyhow::{Result, anyhow, ensure};
use faer::{Mat, MatRef, Side};

use super::Task;
use crate::engine::sequential_algebra;

/// ESZSL's decompositions, for any γ and λ.
#[derive(Clone, Debug)]
pub struct Eszsl {
    /// Q, Λ
    x: (Mat<f64>, Vec<f64>),
    /// P, M
    s: (Mat<f64>, Vec<f64>),
    /// `Qᵀ XᵀYS P`
    middle: Mat<f64>,
}

impl Eszsl {
    /// Of the training rows and the seen classes.
    ///
    /// # Errors
    /// If sizes do not agree, or a decomposition fails.
    pub fn new(task: &Task) -> Result<Self> {
        sequential_algebra();
        let (n, d, t) = (task.y.len(), task.width, &task.targets);
        ensure!(n > 0 && task.x.len() == n * d, "{} input values for {n} samples of {d}", task.x.len());
        let seen: Vec<usize> = (0..t.classes()).filter(|c| t.seen[*c]).collect();
        let s = Mat::from_fn(seen.len(), t.width(), |c, j| f64::from(t.rows.row(seen[c])[j]));
        // YS for a sample of class y is 2·a_y − Σ_c a_c.
        let mut sum = vec![0.0; t.width()];
        seen.iter().for_each(|&c| sum.iter_mut().zip(t.rows.row(c)).for_each(|(s, a)| *s += f64::from(*a)));
        let ys = Mat::from_fn(n, t.width(), |i, j| 2.0 * f64::from(t.rows.row(usize::from(task.y[i]))[j]) - sum[j]);
        let x = wide(task.x, n, d);
        let x_parts = eigen((x.transpose() * &x).as_ref())?;
        let s_parts = eigen((s.transpose() * &s).as_ref())?;
        let middle = x_parts.0.transpose() * (x.transpose() * ys) * &s_parts.0;
        Ok(Eszsl { x: x_parts, s: s_parts, middle })
    }

    /// W `(d, a)`, row-major.
    pub fn solve(&self, gamma: f64, lambda: f64) -> Vec<f32> {
        let ((q, values), (p, m)) = (&self.x, &self.s);
        let shrunk = Mat::from_fn(values.len(), m.len(), |i, j| {
            self.middle[(i, j)] / ((values[i].max(0.0) + gamma) * (m[j].max(0.0) + lambda))
        });
        row_major((q * shrunk * p.transpose()).as_ref())
    }
}

/// Ridge regression of `x (n, d)` on `t (n, a)`: W `(d, a)`, row-major.
///
/// # Errors
/// If sizes do not agree, or `XᵀX + γI` is not positive definite.
pub fn ridge(x: &[f32], t: &[f32], n: usize, gamma: f64) -> Result<Vec<f32>> {
    sequential_algebra();
    ensure!(
        n > 0 && x.len().is_multiple_of(n) && t.len().is_multiple_of(n),
        "{} inputs and {} targets for {n} samples",
        x.len(),
        t.len()
    );
    let (x, t) = (wide(x, n, x.len() / n), wide(t, n, t.len() / n));
    let mut a = x.transpose() * &x;
    (0..a.nrows()).for_each(|i| a[(i, i)] += gamma);
    let llt = a
        .llt(Side::Lower)
        .map_err(|e| anyhow!("ridge regression with gamma {gamma} has no solution ({e:?}): try a larger one"))?;
    Ok(row_major(faer::linalg::solvers::Solve::solve(&llt, x.transpose() * t).as_ref()))
}

fn wide(x: &[f32], rows: usize, cols: usize) -> Mat<f64> {
    Mat::from_fn(rows, cols, |i, j| f64::from(x[i * cols + j]))
}

fn row_major(m: MatRef<'_, f64>) -> Vec<f32> {
    (0..m.nrows()).flat_map(|i| (0..m.ncols()).map(move |j| m[(i, j)] as f32)).collect()
}

fn eigen(a: MatRef<'_, f64>) -> Result<(Mat<f64>, Vec<f64>)> {
    let e = a.self_adjoint_eigen(Side::Lower).map_err(|e| anyhow!("ESZSL's products have no eigenvalues: {e:?}"))?;
    Ok((e.U().to_owned(), e.S().column_vector().iter().copied().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::parsnets::{Settings, Targets};
    use crate::rng::Rng;

    #[test]
    fn eszsl_is_the_direct_solution_of_its_equations() {
        let mut rng = Rng::new(4, "eszsl", 0);
        let (n, d) = (60, 7);
        let x: Vec<f32> = (0..n * d).map(|_| rng.normal()).collect();
        let seen = [true, true, false, true, true, false];
        let y: Vec<u16> = (0..n).map(|_| *rng.choice(&[0, 1, 3, 4])).collect();
        let raw: Vec<f32> = (0..6 * 5).map(|_| rng.uniform()).collect();
        let targets = Targets::attributes(&raw, &seen, &Settings::preset("eszsl").unwrap()).unwrap();
        let task = Task { x: &x, width: d, y: &y, targets: targets.clone() };
        let ours = Eszsl::new(&task).unwrap().solve(3.0, 0.7);

        let classes = [0usize, 1, 3, 4];
        let s = Mat::from_fn(4, 5, |c, j| f64::from(targets.rows.row(classes[c])[j]));
        let labels = Mat::from_fn(n, 4, |i, c| if usize::from(y[i]) == classes[c] { 1.0 } else { -1.0 });
        let x = wide(&x, n, d);
        let with = |m: Mat<f64>, add: f64| {
            Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)] + if i == j { add } else { 0.0 })
        };
        // (XᵀX + γI)·W·(SᵀS + λI) must be XᵀYS.
        let w = wide(&ours, d, 5);
        let left = with(x.transpose() * &x, 3.0) * w * with(s.transpose() * &s, 0.7);
        let right = x.transpose() * labels * s;
        for (i, j) in (0..d).flat_map(|i| (0..5).map(move |j| (i, j))) {
            assert!((left[(i, j)] - right[(i, j)]).abs() < 1e-4, "{} {}", left[(i, j)], right[(i, j)]);
        }
    }

    #[test]
    fn ridge_recovers_a_linear_map() {
        let mut rng = Rng::new(4, "ridge", 0);
        let (n, w) = (50, [[1.0f32, -2.0], [0.5, 0.0], [0.0, 3.0]]);
        let x: Vec<f32> = (0..n * 3).map(|_| rng.normal()).collect();
        let t: Vec<f32> =
            x.chunks(3).flat_map(|x| [0, 1].map(|j| (0..3).map(|i| x[i] * w[i][j]).sum::<f32>())).collect();
        let found = ridge(&x, &t, n, 1e-6).unwrap();
        assert!(found.iter().zip(w.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}");
    }
}
