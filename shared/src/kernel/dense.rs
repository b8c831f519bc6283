//! `y_i = clamp(requant(Σ_j w_ij·x_j + b_i, m_i))`, and two of them in a row for a low-rank map.

use super::{Kernel, Matrix, Out, Packing, Rows};
use crate::fixed::requant;

/// Dense layer. `rows`: of the matrix's rows; `scratch`: [`Packing::scratch_words`](super::Packing::scratch_words).
pub fn dense<K: Kernel>(x: &[i8], matrix: &Matrix<'_>, rows: Rows<'_>, scratch: &mut [u32], mut y: Out<'_>) {
    if matrix.packing() == Packing::RowMajor {
        row_major::<K>(x, matrix, rows, &mut y);
    } else {
        K::layer(x, matrix, rows, scratch, &mut y);
    }
}

/// Of a matrix row by row, which every core runs. A frame of its own: what it needs would cost the others.
#[inline(never)]
fn row_major<K: Kernel>(x: &[i8], matrix: &Matrix<'_>, rows: Rows<'_>, y: &mut Out<'_>) {
    K::accumulate(x.get(..matrix.n_in()).unwrap_or(&[]), matrix.weights(), &mut |i, sum| {
        if let Some(row) = rows.row(i) {
            y.put(i, requant(sum.wrapping_add(row.bias), row.multiplier));
        }
    });
}

/// Low-rank layer `y = U(Vx + b) + c`; `v` `(r, n_in)`, `u` `(n_out, r)`, `z` `(r)`.
pub fn low_rank<K: Kernel>(
    x: &[i8],
    (v, v_rows): (&Matrix<'_>, Rows<'_>),
    z: &mut [i8],
    (u, u_rows): (&Matrix<'_>, Rows<'_>),
    scratch: &mut [u32],
    y: Out<'_>,
) {
    dense::<K>(x, v, v_rows, scratch, Out::I8(z));
    dense::<K>(z, u, u_rows, scratch, y);
}
