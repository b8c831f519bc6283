//! What the fused operators need of a number, and how they reach a tensor's storage.

use candle_core::{CpuStorage, Layout, Result, WithDType, bail};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// f32 in training, f64 in gradient checks.
pub(crate) trait Real: WithDType + faer::traits::RealField {
    fn exponential(self) -> Self;
    fn root(self) -> Self;
    fn real(x: f64) -> Self;
}

impl Real for f32 {
    fn exponential(self) -> f32 {
        self.exp()
    }
    fn root(self) -> f32 {
        self.sqrt()
    }
    fn real(x: f64) -> f32 {
        x as f32
    }
}

impl Real for f64 {
    fn exponential(self) -> f64 {
        self.exp()
    }
    fn root(self) -> f64 {
        self.sqrt()
    }
    fn real(x: f64) -> f64 {
        x
    }
}

/// The elements of a contiguous tensor.
pub(crate) fn slice<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((from, to)) = layout.contiguous_offsets() else {
        bail!("a fused operator met strides {:?}", layout.stride())
    };
    Ok(&storage.as_slice::<T>()?[from..to])
}

/// A row-major matrix.
pub(crate) fn matrix<T>(data: &[T], rows: usize, cols: usize) -> MatRef<'_, T> {
    MatRef::from_row_major_slice(data, rows, cols)
}

/// `y (rows, cols) = [y +] a · b`, on this thread.
pub(crate) fn product<T: Real>(y: &mut [T], accumulate: bool, a: MatRef<'_, T>, b: MatRef<'_, T>) {
    let y = MatMut::from_row_major_slice_mut(y, a.nrows(), b.ncols());
    let mode = if accumulate { Accum::Add } else { Accum::Replace };
    matmul(y, mode, a, b, T::real(1.0), Par::Seq);
}

/// Runs `$body` with `$t` bound to the element type of `$storage`; the body gives a `Vec<$t>`.
macro_rules! with_type {
    ($name:expr, $storage:expr, $t:ident => $body:expr) => {
        match $storage {
            candle_core::CpuStorage::F32(_) => {
                type $t = f32;
                candle_core::CpuStorage::F32($body)
            }
            candle_core::CpuStorage::F64(_) => {
                type $t = f64;
                candle_core::CpuStorage::F64($body)
            }
            _ => candle_core::bail!("{} takes f32 or f64", $name),
        }
    };
}
pub(crate) use with_type;
