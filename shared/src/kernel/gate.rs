//! Sample-wise indicator (ParsNets, arXiv 2312.09709): which base networks a sample uses.
//!
//! `q_k = requant(G_k·x + c_k, m_k)` in units of 1/32 nat; the top m of q, and among them
//! `g = softmax(q)` in 1/128, by a table of `exp(−d/32)` and one division each.

use super::{Kernel, Matrix};
use crate::fixed::{Row, requant};

/// `round(2¹⁵·exp(−d/32))` for d = 0..=255; beyond, 0.
static EXP: [u16; 256] = {
    // 2³²·exp(−1/32), rounded; each further entry is the one before times this.
    const STEP: u64 = 4_162_825_044;
    let mut table = [0; 256];
    let mut value: u64 = 1 << 32;
    let mut d = 0;
    while d < 256 {
        table[d] = ((value + (1 << 16)) >> 17) as u16;
        value = (value * STEP + (1 << 31)) >> 32;
        d += 1;
    }
    table
};

/// `2¹⁵·exp(−d/32)` for a difference `d ≥ 0` of two logits in 1/32 nat.
pub fn exp_neg(d: i32) -> u32 {
    usize::try_from(d).ok().and_then(|d| EXP.get(d)).map_or(0, |&e| e.into())
}

/// Writes `y.len() / 2` pairs (index, weight), largest logit first; equal logits by lower index.
///
/// `matrix` `(bases, n_in)`, bases ≤ 256. The weights sum to 128: what rounding leaves over or
/// short goes to the first.
pub fn gate<K: Kernel>(x: &[i8], matrix: &Matrix<'_>, rows: &[Row], scratch: &mut [u32], y: &mut [i8]) {
    // Insertion into the sorted kept list, whose logits are recomputed never: they live here.
    const MAX_KEPT: usize = 16;
    let mut kept = [(i32::MIN, 0u8); MAX_KEPT];
    let m = (y.len() / 2).min(MAX_KEPT);
    let Some(kept) = kept.get_mut(..m) else { return };
    K::sums(x, matrix, scratch, &mut |k, sum| {
        let Some(row) = rows.get(k) else { return };
        let mut entering = (requant(sum.wrapping_add(row.bias), row.multiplier), k as u8);
        let mut moving = false;
        for slot in kept.iter_mut() {
            if moving || entering.0 > slot.0 {
                core::mem::swap(slot, &mut entering);
                moving = true;
            }
        }
    });
    let top = kept.first().map_or(0, |slot| slot.0);
    let weight = |q: i32| exp_neg(top.saturating_sub(q));
    // At most 16·2¹⁵, at least 2¹⁵: the first weighs 2¹⁵.
    let total = kept.iter().map(|slot| weight(slot.0)).fold(0u32, u32::wrapping_add).max(1);
    let mut left = 128i32;
    for ([index, g], slot) in y.as_chunks_mut().0.iter_mut().zip(kept.iter()).skip(1) {
        let share = ((weight(slot.0) * 128 + total / 2) / total) as i32;
        left -= share;
        (*index, *g) = (slot.1 as i8, share as i8);
    }
    if let ([index, g, ..], Some(slot)) = (y, kept.first()) {
        // 128 does not fit in an i8: it is stored as its bits and read as a u8.
        (*index, *g) = (slot.1 as i8, left as u8 as i8);
    }
}
