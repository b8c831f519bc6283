//! `y_i = clamp(requant(Σ_j w_ij·x_j + b_i, m_i))`, and two of them in a row for a low-rank map.

use super::{Kernel, Out};
use crate::fixed::{Row, requant};

/// Dense layer. `weights` `(n_out, n_in)`, `rows` `(n_out)`.
pub fn dense<K: Kernel>(x: &[i8], weights: &[i8], rows: &[Row], mut y: Out<'_>) {
    K::accumulate(x, weights, &mut |i, sum| {
        if let Some(row) = rows.get(i) {
            y.put(i, requant(sum.wrapping_add(row.bias), row.multiplier));
        }
    });
}

/// Low-rank layer `y = U(Vx + b) + c`; `v` `(r, n_in)`, `u` `(n_out, r)`, `z` `(r)`.
pub fn low_rank<K: Kernel>(
    x: &[i8],
    (v, v_rows): (&[i8], &[Row]),
    z: &mut [i8],
    (u, u_rows): (&[i8], &[Row]),
    y: Out<'_>,
) {
    dense::<K>(x, v, v_rows, Out::I8(z, -127));
    dense::<K>(z, u, u_rows, y);
}
