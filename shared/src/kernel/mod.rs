//! The operators' arithmetic, one operator a file, over slices.
//!
//! Sums of products come from a [`Kernel`]; the rest is the same for all. Slices whose lengths
//! do not fit together are cut to the shortest: nothing here indexes, so nothing panics.
//! The executor checks all lengths beforehand.

use crate::fixed::{Row, requant};

pub mod arch;
mod dense;
mod embed;
mod gate;
mod matching;
mod mix;
mod naive;
mod packing;
mod pointwise;
pub mod poly;
mod portable;
mod sparse;
mod unit_rms;

pub use dense::{dense, low_rank};
pub use embed::embed;
pub use gate::{exp_neg, gate};
pub use matching::matching;
pub use mix::{Bases, mix};
pub use naive::Naive;
pub use packing::{Aligned, Layer, Matrix, Packing, Place, Rows, runs_here};
pub use pointwise::{clamp, lookup, rescale};
pub use portable::Portable;
pub use sparse::{Sparse, WINDOW, counts_len, group, group_bytes, group_weights, order_len, sparse, windows};
pub use unit_rms::{norm, unit_rms};

/// How sums of products are formed. Every kernel gives the bits of [`Naive`].
pub trait Kernel {
    /// The packing that it has code of its own for, besides row-major.
    const PACKING: Packing = Packing::RowMajor;

    /// Calls `each(i, Σ_j weights[i·n + j]·x[j])` for each row i of `weights` `(rows, n)`, in order;
    /// `n = x.len()`. No rows where `x` is empty. `each` is called once a row, so that a call through a
    /// pointer costs little and the loops exist once.
    fn accumulate(x: &[i8], weights: &[i8], each: &mut dyn FnMut(usize, i32));

    /// Calls `each(i, Σ_j w_ij·x_j)` for each row of `matrix`, in order. `scratch`: [`Packing::scratch_words`] words of
    /// any content. Nothing where `x` is empty, or shorter than the matrix is wide.
    #[inline]
    fn sums(x: &[i8], matrix: &Matrix<'_>, _scratch: &mut [u32], each: &mut dyn FnMut(usize, i32)) {
        unpacked::<Self>(x, matrix, each);
    }

    /// A dense layer of a matrix that is packed: `y_i = clamp(requant(Σ_j w_ij·x_j + b_i, m_i))`. Of one row by row,
    /// and where something is too short, nothing.
    #[inline]
    fn layer(x: &[i8], layer: &Layer<'_>, scratch: &mut [u32], y: &mut Out<'_>) {
        Self::sums(x, layer.matrix(), scratch, &mut |i, sum| {
            if let Some(row) = layer.rows().row(i) {
                y.put(i, requant(sum.wrapping_add(row.bias), row.multiplier));
            }
        });
    }

    /// Calls `each(i, sums)` with the sums of rows i, i + 1, … of a sparse matrix of `x.len()` columns,
    /// a few rows at a time, in order. Up to three sums may follow the last row's: they mean nothing.
    /// `each` is a type, not a pointer: then the loops are compiled where the kernel is chosen, as fast
    /// as that crate is.
    fn sparse(x: &[i8], matrix: &Sparse<'_>, each: impl FnMut(usize, &[i32]));

    /// A sparse layer. `scratch`: [`Packing::scratch_words`] of [`Op::columns`](crate::op::Op::columns), of any content.
    #[inline]
    fn sparse_layer(x: &[i8], matrix: &Sparse<'_>, rows: &[Row], _scratch: &mut [u32], y: &mut Out<'_>) {
        // By a pointer, so that there is one loop that rounds, not one for each that sums.
        let each: &mut dyn FnMut(usize, &[i32]) = &mut |first, sums| y.put_rows(first, sums, rows);
        Self::sparse(x, matrix, each);
    }
}

/// The sums of a matrix that the kernel has no code of its own for: a row-major one, and on a host any.
fn unpacked<K: Kernel + ?Sized>(x: &[i8], matrix: &Matrix<'_>, each: &mut dyn FnMut(usize, i32)) {
    if matrix.packing() == Packing::RowMajor {
        K::accumulate(x.get(..matrix.n_in()).unwrap_or(&[]), matrix.weights(), each);
    } else if arch::HOST {
        matrix.sums(x.get(..matrix.n_in()).unwrap_or(&[]), each);
    }
}

/// Where an operator with a choice of widths writes.
pub enum Out<'a> {
    /// int8 in [0, 127]
    Relu(&'a mut [i8]),
    /// int8 in [−127, 127]
    I8(&'a mut [i8]),
    /// int16 in [−32767, 32767]
    I16(&'a mut [i16]),
}

impl Out<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Out::Relu(y) | Out::I8(y) => y.len(),
            Out::I16(y) => y.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Least and largest value that is written.
    #[inline]
    const fn limits(&self) -> (i32, i32) {
        match self {
            Out::Relu(_) => (0, 127),
            Out::I8(_) => (-127, 127),
            Out::I16(_) => (-32767, 32767),
        }
    }

    /// Adds biases to the sums of rows `first`, `first + 1`, …, rounds and writes them; ignored beyond the end.
    #[inline]
    fn put_rows(&mut self, first: usize, sums: &[i32], rows: &[Row]) {
        let sums = rows.get(first..).unwrap_or(&[]).iter().zip(sums);
        let values = sums.map(|(row, sum)| requant(sum.wrapping_add(row.bias), row.multiplier));
        let (lo, hi) = self.limits();
        match self {
            Out::Relu(y) | Out::I8(y) => {
                for (y, value) in y.get_mut(first..).unwrap_or(&mut []).iter_mut().zip(values) {
                    *y = value.clamp(lo, hi) as i8;
                }
            }
            Out::I16(y) => {
                for (y, value) in y.get_mut(first..).unwrap_or(&mut []).iter_mut().zip(values) {
                    *y = value.clamp(lo, hi) as i16;
                }
            }
        }
    }

    /// Writes `value` clamped to the width at `i`; ignored beyond the end.
    #[inline(always)]
    fn put(&mut self, i: usize, value: i32) {
        let (lo, hi) = self.limits();
        match self {
            Out::Relu(y) | Out::I8(y) => {
                if let Some(y) = y.get_mut(i) {
                    *y = value.clamp(lo, hi) as i8;
                }
            }
            Out::I16(y) => {
                if let Some(y) = y.get_mut(i) {
                    *y = value.clamp(lo, hi) as i16;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
