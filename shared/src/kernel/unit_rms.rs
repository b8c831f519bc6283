//! `y = x / rms(x)` in integers: `y_i = clamp((x_i·R + 2¹⁵) >> 16)`, `R = 256·gain / isqrt(256·Σx²)`.
//!
//! With `gain = round(2¹²·√n / y_scale)`: `isqrt(256·Σx²) = 16·√Σx²`, so `R = 2¹⁶·√n / (y_scale·√Σx²)`.

use crate::fixed::isqrt;

/// `isqrt(256·Σx²)`: sixteen times the Euclidean norm. Below 2²³ for up to 2¹⁶ elements.
pub fn norm(x: &[i8]) -> u32 {
    let mut sum = 0u64;
    // Blocks keep the 64-bit addition out of the inner loop: 4096·127² < 2³².
    for block in x.chunks(4096) {
        let mut part = 0u32;
        for &x in block {
            part = part.wrapping_add((i32::from(x) * i32::from(x)) as u32);
        }
        sum = sum.wrapping_add(u64::from(part));
    }
    isqrt(sum << 8)
}

/// Scales `x` to unit root mean square. An all-zero `x` stays zero.
pub fn unit_rms(x: &[i8], gain: u32, y: &mut [i8]) {
    let ratio = i64::from((gain << 8) / norm(x).max(1));
    for (y, &x) in y.iter_mut().zip(x) {
        *y = ((i64::from(x) * ratio + (1 << 15)) >> 16).clamp(-127, 127) as i8;
    }
}
