//! The geometry that the paper claims: low rank within a class, wide angles between classes.

use anyhow::{Result, anyhow};
use faer::Mat;

use crate::engine::sequential_algebra;

/// Spectra and angles of embedded samples.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Geometry {
    /// Classes that have samples, in order
    pub classes: Vec<u16>,
    /// Singular values of each class's rows (not centred), largest first, over the largest: `(classes)`
    /// vectors
    pub within: Vec<Vec<f64>>,
    /// The same of the class means
    pub between: Vec<f64>,
    /// Smallest principal angle between the leading directions of two classes, degrees in
    /// [0, 90], `(classes, classes)`
    pub angles: Vec<Vec<f64>>,
}

impl Geometry {
    /// Of `s (n, a)` with classes `y (n)`; a class's subspace is spanned by its `directions` leading
    /// right singular vectors.
    ///
    /// # Errors
    /// If a decomposition fails: values are not finite.
    pub fn of(s: &[f32], a: usize, y: &[u16], directions: usize) -> Result<Self> {
        sequential_algebra();
        let mut classes = y.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let mut within = Vec::new();
        let mut bases: Vec<Mat<f64>> = Vec::new();
        let mut means = Mat::<f64>::zeros(classes.len(), a);
        for (c, class) in classes.iter().enumerate() {
            let rows: Vec<usize> = (0..y.len()).filter(|&i| y[i] == *class).collect();
            let x = Mat::from_fn(rows.len(), a, |i, j| f64::from(s[rows[i] * a + j]));
            (0..a).for_each(|j| means[(c, j)] = (0..rows.len()).map(|i| x[(i, j)]).sum::<f64>() / rows.len() as f64);
            let (values, v) = right(&x)?;
            let kept = directions.clamp(1, v.ncols());
            bases.push(v.subcols(0, kept).to_owned());
            within.push(values);
        }
        let (between, _) = right(&means)?;
        let mut angles = vec![vec![0.0; classes.len()]; classes.len()];
        for (i, j) in (0..classes.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
            // Principal angles' cosines are the singular values of QᵢᵀQⱼ (Björck and Golub 1973).
            let (values, _) = svd(&(bases[i].transpose() * &bases[j]))?;
            angles[i][j] = values.first().map_or(90.0, |c| c.clamp(0.0, 1.0).acos().to_degrees());
            angles[j][i] = angles[i][j];
        }
        Ok(Geometry { classes, within, between, angles })
    }
}

fn svd(x: &Mat<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let svd = x.thin_svd().map_err(|e| anyhow!("embedded samples have no singular values: {e:?}"))?;
    Ok((svd.S().column_vector().iter().copied().collect(), svd.V().to_owned()))
}

/// Singular values over the largest, and right singular vectors.
fn right(x: &Mat<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let (values, v) = svd(x)?;
    let largest = values.first().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
    Ok((values.iter().map(|s| s / largest).collect(), v))
}

/// Mean weight of each base for each of `classes`: rows of K that sum to 1, or zeros where a class
/// has no samples. `gates (n, K)`, `y (n)`.
pub fn use_of_bases(gates: &[f32], y: &[u16], classes: usize) -> Vec<Vec<f64>> {
    let bases = gates.len() / y.len().max(1);
    let mut sums = vec![vec![0.0; bases]; classes];
    let mut counts = vec![0usize; classes];
    for (g, &y) in gates.chunks_exact(bases.max(1)).zip(y) {
        counts[usize::from(y)] += 1;
        sums[usize::from(y)].iter_mut().zip(g).for_each(|(s, g)| *s += f64::from(*g));
    }
    for (sums, count) in sums.iter_mut().zip(counts) {
        sums.iter_mut().for_each(|s| *s /= count.max(1) as f64);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_and_spectra_of_known_subspaces() {
        // Class 0 along e1; class 1 at 60° to it; class 2 spans e2 and e3 alike.
        let s = [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.5, 0.75f32.sqrt(), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let g = Geometry::of(&s, 3, &[0, 0, 1, 2, 2], 1).unwrap();
        assert!((g.angles[0][1] - 60.0).abs() < 1e-4 && (g.angles[2][0] - 90.0).abs() < 1e-4);
        assert!(g.within[0][1].abs() < 1e-9 && (g.within[2][1] - 1.0).abs() < 1e-9);
        assert_eq!(g.between.len(), 3);
        let plane = Geometry::of(&s, 3, &[0, 0, 1, 2, 2], 2).unwrap();
        assert!((plane.angles[1][2] - 30.0).abs() < 1e-3, "{:?}", plane.angles);
    }

    #[test]
    fn shares_of_use() {
        let use_ = use_of_bases(&[1.0, 0.0, 0.5, 0.5, 0.0, 1.0], &[0, 0, 2], 3);
        assert_eq!(use_, [[0.75, 0.25], [0.0, 0.0], [0.0, 1.0]]);
    }
}
