//! The composite of base networks (ParsNets): `y = base + Σ_{k kept} g_k (U_k z_k + u_k)`, `z_k = V_k x + b_k`.
//!
//! Only the kept bases are run. Their sums are mixed before the one rounding:
//! `y_i = requant((Σ_k g_k·acc_ki + 64) >> 7, m_i) + base_i`; with Σ g_k = 128 and each
//! |acc_ki| < 2²³ the mixture stays below 2³⁰ and the shifted one below 2²³.

use super::{Kernel, Layer, Matrix, Out, Rows, dense};
use crate::fixed::requant;

/// The constants of all base networks; each base's own part is a run of equal length.
#[derive(Clone, Copy)]
pub struct Bases<'a> {
    /// `bases` matrices `(r, n_in)`; without rows where the bases read `x` itself
    pub v: Matrix<'a>,
    /// of `r` rows each
    pub v_rows: Rows<'a>,
    /// `bases` matrices `(n_out, r)`
    pub u: Matrix<'a>,
    /// `(bases · n_out)`
    pub u_bias: &'a [i32],
    /// `(n_out)`, shared by all bases
    pub multipliers: &'a [i32],
}

/// The `index`-th run of `len` elements, empty where there is none.
fn part<T>(all: &[T], index: usize, len: usize) -> &[T] {
    let start = index.wrapping_mul(len);
    all.get(start..).and_then(|rest| rest.get(..len)).unwrap_or(&[])
}

/// Mixes the bases that `gate` names into `y`. `acc` `(n_out)` is scratch.
#[expect(clippy::too_many_arguments, reason = "the operator has as many regions")]
pub fn mix<K: Kernel>(
    x: &[i8],
    gate: &[i8],
    base: Option<&[i16]>,
    bases: Bases<'_>,
    z: &mut [i8],
    acc: &mut [i32],
    scratch: &mut [u32],
    mut y: Out<'_>,
) {
    let (rank, n_out) = (z.len(), y.len());
    let Some(acc) = acc.get_mut(..n_out) else { return };
    acc.fill(0);
    for [index, g] in gate.as_chunks().0 {
        let (index, g) = (usize::from(*index as u8), i32::from(*g as u8));
        let inner: &[i8] = if rank == 0 {
            x
        } else {
            let v = Layer::new(bases.v.part(index, rank), bases.v_rows.part(index, rank).words);
            let Some(v) = v else { continue };
            dense::<K>(x, &v, scratch, Out::I8(z));
            z
        };
        let u = bases.u.part(index, n_out);
        let u_bias = part(bases.u_bias, index, n_out);
        K::sums(inner, &u, scratch, &mut |i, sum| {
            if let (Some(acc), Some(&bias)) = (acc.get_mut(i), u_bias.get(i)) {
                *acc = acc.wrapping_add(g.wrapping_mul(sum.wrapping_add(bias)));
            }
        });
    }
    for (i, (&acc, &multiplier)) in acc.iter().zip(bases.multipliers).enumerate() {
        let base = base.and_then(|base| base.get(i)).copied().unwrap_or(0);
        y.put(i, requant(acc.wrapping_add(64) >> 7, multiplier).saturating_add(i32::from(base)));
    }
}
