//! `y = x / rms(x)` by rows; `∂x = (∂y − y·mean(y ∂y)) / rms(x)`.

use anyhow::Result;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result as CandleResult, Shape, Tensor};

use super::real::{Real, slice, with_type};

/// Scales each row of `x (batch, n)` to unit root mean square.
pub fn unit_rms(x: &Tensor) -> Result<Tensor> {
    Ok(x.apply_op1(UnitRms)?)
}

/// Added to the mean square, so that a row of zeros stays one.
const EPSILON: f64 = 1e-20;

struct UnitRms;

fn rms<T: Real>(x: &[T]) -> T {
    let mut sum = T::real(0.0);
    x.iter().for_each(|x| sum += *x * *x);
    (sum / T::real(x.len() as f64) + T::real(EPSILON)).root()
}

impl CustomOp1 for UnitRms {
    fn name(&self) -> &'static str {
        "unit rms"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (_, n) = l.shape().dims2()?;
        let y = with_type!("unit rms", x, T => {
            let mut y = slice::<T>(x, l)?.to_vec();
            for row in y.chunks_exact_mut(n) {
                let scale = T::real(1.0) / rms(row);
                row.iter_mut().for_each(|x| *x *= scale);
            }
            y
        });
        Ok((y, l.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> CandleResult<Option<Tensor>> {
        Ok(Some(x.apply_op2_no_bwd(&dy.contiguous()?, &UnitRmsGradient)?))
    }
}

struct UnitRmsGradient;

impl CustomOp2 for UnitRmsGradient {
    fn name(&self) -> &'static str {
        "gradient of unit rms"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, dy: &CpuStorage, ld: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (_, n) = lx.shape().dims2()?;
        let dx = with_type!("gradient of unit rms", x, T => {
            let mut dx = Vec::with_capacity(lx.shape().elem_count());
            for (x, dy) in slice::<T>(x, lx)?.chunks_exact(n).zip(slice::<T>(dy, ld)?.chunks_exact(n)) {
                let scale = T::real(1.0) / rms(x);
                let mut mean = T::real(0.0);
                x.iter().zip(dy).for_each(|(x, dy)| mean += *x * *dy);
                mean *= scale / T::real(n as f64);
                dx.extend(x.iter().zip(dy).map(|(x, dy)| (*dy - *x * scale * mean) * scale));
            }
            dx
        });
        Ok((dx, lx.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::check;

    #[test]
    fn its_gradient_is_that_of_finite_differences() {
        check::gradients(&[&[4, 5], &[4, 5]], |t| Ok((unit_rms(&t[0])? * &t[1])?.sqr()?.sum_all()?));
    }

    #[test]
    fn a_row_of_zeros_stays_zero() {
        let y = unit_rms(&Tensor::zeros((2, 3), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap()).unwrap();
        assert_eq!(y.to_vec2::<f32>().unwrap(), [[0.0; 3]; 2]);
    }
}
