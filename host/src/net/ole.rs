//! OLÉ penalty: low rank within a class, high rank between classes.
//!
//! `L = (λ/N)·(Σ_c max(Δ, ‖X_c‖_*) − ‖X‖_*)`, Δ = 1; 0 exactly where class subspaces are orthogonal.
//! Subgradient: `U Vᵀ` of `X_c = U S Vᵀ` (singular values below 1e-6 left out) where `‖X_c‖_* > Δ`,
//! minus `U Vᵀ` of X. Lezama et al., "OLÉ: Orthogonal low-rank embedding", CVPR 2018, eq. 5 and 6.

use std::sync::Arc;

use anyhow::Result;
use candle_core::{CpuStorage, CustomOp1, Layout, Result as CandleResult, Shape, Tensor, bail};
use faer::{Mat, MatRef};

use super::real::{Real, matrix, slice, with_type};

/// The penalty's constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ole {
    /// λ; .25 in the paper
    pub weight: f64,
    /// Δ: nuclear norms of a class below it are left alone
    pub delta: f64,
}

impl Ole {
    /// Penalty of `x (batch, n)` with class labels `y`; a scalar.
    pub fn of(self, x: &Tensor, y: Arc<Vec<u16>>) -> Result<Tensor> {
        Ok(x.apply_op1(Penalty { ole: self, y })?)
    }
}

const SMALLEST: f64 = 1e-6;

struct Penalty {
    ole: Ole,
    y: Arc<Vec<u16>>,
}

impl Penalty {
    /// Rows of the batch by class, in order of labels.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut labels = self.y.to_vec();
        labels.sort_unstable();
        labels.dedup();
        labels.iter().map(|c| (0..self.y.len()).filter(|&i| self.y[i] == *c).collect()).collect()
    }

    /// Value, and gradient `(batch, n)`.
    fn evaluate<T: Real>(&self, x: MatRef<'_, T>) -> CandleResult<(T, Mat<T>)> {
        let scale = T::real(self.ole.weight / x.nrows() as f64);
        let (all, mut gradient) = nuclear(x)?;
        let mut value = T::real(0.0) - all;
        gradient.col_iter_mut().for_each(|c| c.iter_mut().for_each(|g| *g = T::real(0.0) - *g));
        for group in self.groups() {
            let (norm, direction) = nuclear(Mat::from_fn(group.len(), x.ncols(), |i, j| x[(group[i], j)]).as_ref())?;
            let delta = T::real(self.ole.delta);
            value += if norm > delta { norm } else { delta };
            if norm > delta {
                for (i, &row) in group.iter().enumerate() {
                    (0..x.ncols()).for_each(|j| gradient[(row, j)] += direction[(i, j)]);
                }
            }
        }
        gradient.col_iter_mut().for_each(|c| c.iter_mut().for_each(|g| *g *= scale));
        Ok((value * scale, gradient))
    }
}

/// Nuclear norm and its subgradient `U Vᵀ`.
fn nuclear<T: Real>(x: MatRef<'_, T>) -> CandleResult<(T, Mat<T>)> {
    let svd = match x.thin_svd() {
        Ok(svd) => svd,
        Err(e) => {
            bail!("the OLÉ penalty met a matrix without a singular value decomposition ({e:?}): has training diverged?")
        }
    };
    let s = svd.S().column_vector();
    let rank = s.iter().filter(|s| s.to_f64() >= SMALLEST).count();
    let mut norm = T::real(0.0);
    s.iter().for_each(|s| norm += *s);
    let direction = svd.U().subcols(0, rank) * svd.V().subcols(0, rank).transpose();
    Ok((norm, direction))
}

impl CustomOp1 for Penalty {
    fn name(&self) -> &'static str {
        "OLÉ"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (batch, n) = l.shape().dims2()?;
        let value = with_type!("OLÉ", x, T => vec![self.evaluate(matrix(slice::<T>(x, l)?, batch, n))?.0]);
        Ok((value, Shape::from(())))
    }

    fn bwd(&self, x: &Tensor, _value: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        let gradient = x.apply_op1_no_bwd(&Gradient(Penalty { ole: self.ole, y: self.y.clone() }))?;
        Ok(Some(gradient.broadcast_mul(grad)?))
    }
}

struct Gradient(Penalty);

impl CustomOp1 for Gradient {
    fn name(&self) -> &'static str {
        "gradient of OLÉ"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (batch, n) = l.shape().dims2()?;
        let gradient = with_type!("OLÉ", x, T => {
            let (_, g) = self.0.evaluate(matrix(slice::<T>(x, l)?, batch, n))?;
            (0..batch * n).map(|i| g[(i / n, i % n)]).collect()
        });
        Ok((gradient, l.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::check;

    #[test]
    fn its_subgradient_is_that_of_finite_differences() {
        let ole = Ole { weight: 0.25, delta: 1.0 };
        check::gradients(&[&[7, 5]], |t| ole.of(&t[0], Arc::new(vec![0, 0, 2, 2, 2, 1, 1])));
    }

    #[test]
    fn orthogonal_class_subspaces_cost_nothing() {
        let rows = [[2.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 2.0, 2.0]];
        let x = Tensor::new(&rows, &candle_core::Device::Cpu).unwrap();
        let ole = Ole { weight: 1.0, delta: 1.0 };
        let apart = ole.of(&x, Arc::new(vec![0, 0, 1, 1])).unwrap().to_scalar::<f64>().unwrap();
        let mixed = ole.of(&x, Arc::new(vec![0, 1, 0, 1])).unwrap().to_scalar::<f64>().unwrap();
        assert!(apart.abs() < 1e-9 && mixed > 0.5, "{apart} {mixed}");
    }
}
