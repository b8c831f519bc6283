//! `y_i = clamp(requant(Σ_j w_ij·x_j + b_i, m_i))`, and two of them in a row for a low-rank map.

use super::{Kernel, Layer, Out, Packing};
use crate::fixed::requant;

/// Dense layer. `scratch`: [`Packing::scratch_words`](super::Packing::scratch_words).
pub fn dense<K: Kernel>(x: &[i8], layer: &Layer<'_>, scratch: &mut [u32], mut y: Out<'_>) {
    if layer.matrix().packing() == Packing::RowMajor {
        row_major::<K>(x, layer, &mut y);
    } else {
        K::layer(x, layer, scratch, &mut y);
    }
}

/// Of a matrix row by row, which every core runs. A frame of its own: what it needs would cost the others.
#[inline(never)]
fn row_major<K: Kernel>(x: &[i8], layer: &Layer<'_>, y: &mut Out<'_>) {
    let matrix = layer.matrix();
    K::accumulate(x.get(..matrix.n_in()).unwrap_or(&[]), matrix.weights(), &mut |i, sum| {
        if let Some(row) = layer.rows().row(i) {
            y.put(i, requant(sum.wrapping_add(row.bias), row.multiplier));
        }
    });
}

/// Low-rank layer `y = U(Vx + b) + c`; `v` `(r, n_in)`, `u` `(n_out, r)`, `z` `(r)`.
pub fn low_rank<K: Kernel>(x: &[i8], v: &Layer<'_>, z: &mut [i8], u: &Layer<'_>, scratch: &mut [u32], y: Out<'_>) {
    dense::<K>(x, v, scratch, Out::I8(z));
    dense::<K>(z, u, scratch, y);
}
