//! One element at a time: a change of width, a clamp, a table.

use crate::fixed::requant_i8;

/// `y_i = clamp(requant(x_i, multiplier), −127, 127)`.
pub fn rescale(x: &[i16], multiplier: i32, y: &mut [i8]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = requant_i8(i32::from(x), multiplier, -127);
    }
}

/// `y_i = clamp(x_i, lo, hi)`, total also for `lo > hi` (then `hi`).
pub fn clamp(x: &[i8], lo: i8, hi: i8, y: &mut [i8]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x.max(lo).min(hi);
    }
}

/// `y_i = table[x_i + 128]`, `table` of 256 entries.
pub fn lookup(x: &[i8], table: &[i8], y: &mut [i8]) {
    for (y, &x) in y.iter_mut().zip(x) {
        let index = usize::from((x as u8) ^ 0x80);
        *y = table.get(index).copied().unwrap_or(0);
    }
}
