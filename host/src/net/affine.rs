//! Dense layer: `y = xW + b`; `∂x = ∂y Wᵀ`, `∂W = xᵀ ∂y`, `∂b = Σ_rows ∂y`.

use anyhow::Result;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result as CandleResult, Shape, Tensor};

use super::Parameters;
use super::real::{Real, matrix, product, slice, with_type};

/// A dense layer, `x (batch, n_in) → (batch, n_out)`.
#[derive(Clone, Debug)]
pub struct Dense {
    /// `(n_in, n_out)`
    pub w: Tensor,
    /// `(n_out)`
    pub b: Tensor,
}

impl Dense {
    /// Weights normal with standard deviation `gain / √n_in`, biases 0.
    pub fn new(parameters: &mut Parameters, name: &str, n_in: usize, n_out: usize, gain: f32) -> Result<Self> {
        let w = parameters.normal(&format!("{name}.w"), &[n_in, n_out], gain / (n_in as f32).sqrt())?;
        Ok(Dense { w, b: parameters.zeros(&format!("{name}.b"), &[n_out])? })
    }

    /// `xW + b`. Set `input_gradient` where something trainable lies before `x`.
    pub fn forward(&self, x: &Tensor, input_gradient: bool) -> Result<Tensor> {
        affine(x, &self.w, &self.b, input_gradient)
    }
}

/// `x (batch, n_in) · w (n_in, n_out) + b (n_out)`. Without `input_gradient` the product that would
/// give `∂x` is not computed.
pub fn affine(x: &Tensor, w: &Tensor, b: &Tensor, input_gradient: bool) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op3(w, b, Affine { input_gradient })?)
}

struct Affine {
    input_gradient: bool,
}

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (batch, n_in) = lx.shape().dims2()?;
        let (rows, n_out) = lw.shape().dims2()?;
        if rows != n_in || lb.shape().elem_count() != n_out {
            candle_core::bail!("affine: x {:?}, w {:?}, b {:?}", lx.shape(), lw.shape(), lb.shape());
        }
        let y = with_type!("affine", x, T => {
            let bias = slice::<T>(b, lb)?;
            let mut y: Vec<T> = Vec::with_capacity(batch * n_out);
            (0..batch).for_each(|_| y.extend_from_slice(bias));
            product(&mut y, true, matrix(slice::<T>(x, lx)?, batch, n_in), matrix(slice::<T>(w, lw)?, n_in, n_out));
            y
        });
        Ok((y, (batch, n_out).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let dx = if self.input_gradient { Some(dy.apply_op2_no_bwd(w, &TimesTransposed)?) } else { None };
        let dw = x.apply_op2_no_bwd(&dy, &TransposedTimes)?;
        let db = dy.apply_op1_no_bwd(&SumRows)?.reshape(b.shape())?;
        Ok((dx, Some(dw), Some(db)))
    }
}

/// `a (m, k) · b (n, k)ᵀ`
struct TimesTransposed;

impl CustomOp2 for TimesTransposed {
    fn name(&self) -> &'static str {
        "a·bᵀ"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let ((m, k), (n, _)) = (la.shape().dims2()?, lb.shape().dims2()?);
        let y = with_type!("a·bᵀ", a, T => {
            let mut y = vec![T::real(0.0); m * n];
            product(&mut y, false, matrix(slice::<T>(a, la)?, m, k), matrix(slice::<T>(b, lb)?, n, k).transpose());
            y
        });
        Ok((y, (m, n).into()))
    }
}

/// `a (k, m)ᵀ · b (k, n)`
struct TransposedTimes;

impl CustomOp2 for TransposedTimes {
    fn name(&self) -> &'static str {
        "aᵀ·b"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let ((k, m), (_, n)) = (la.shape().dims2()?, lb.shape().dims2()?);
        let y = with_type!("aᵀ·b", a, T => {
            let mut y = vec![T::real(0.0); m * n];
            product(&mut y, false, matrix(slice::<T>(a, la)?, k, m).transpose(), matrix(slice::<T>(b, lb)?, k, n));
            y
        });
        Ok((y, (m, n).into()))
    }
}

/// `(m, n) → (n)`
struct SumRows;

impl candle_core::CustomOp1 for SumRows {
    fn name(&self) -> &'static str {
        "sum of rows"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (_, n) = la.shape().dims2()?;
        let y = with_type!("sum of rows", a, T => {
            let mut y = vec![T::real(0.0); n];
            for row in slice::<T>(a, la)?.chunks_exact(n) {
                y.iter_mut().zip(row).for_each(|(y, x)| *y += *x);
            }
            y
        });
        Ok((y, n.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::check;

    #[test]
    fn its_gradients_are_those_of_finite_differences() {
        check::gradients(&[&[5, 3], &[3, 4], &[4]], |t| {
            let y = affine(&t[0], &t[1], &t[2], true)?;
            Ok((y.sqr()?.sum_all()? + y.sum_all()?)?)
        });
    }

    #[test]
    fn it_equals_candles_own_product() {
        let t = check::random(&[&[7, 6], &[6, 5], &[5]]);
        let ours = affine(&t[0], &t[1], &t[2], false).unwrap();
        let candles = t[0].matmul(&t[1]).unwrap().broadcast_add(&t[2]).unwrap();
        let difference = (ours - candles).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        assert!(difference < 1e-14, "{difference}");
    }
}
