//! THE rounding rule: how a 32-bit accumulator becomes an activation.
//!
//! `y = clamp((acc·256·m + 2³¹) >> 32, lo, hi)`
//!
//! One rounding, half up, the same on every core and on the host: it is one SMMULR
//! instruction on a Cortex-M4 when the bias is stored shifted left by 8.

use bytemuck::{Pod, Zeroable};

/// Largest magnitude of a quantised weight or activation; −128 never occurs.
pub const MAX_I8: i32 = 127;

/// Accumulators stay strictly below this magnitude, so that `acc·256` fits in 32 bits.
pub const ACC_LIMIT: i64 = 1 << 23;

/// What follows a row's sum of products: `requant(sum + bias, multiplier)`.
///
/// Stored little-endian in the artifact's weight section, 8 bytes a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Row {
    /// Added to the sum of products, in its scale.
    pub bias: i32,
    /// Fraction `multiplier / 2²⁴` from the accumulator's scale to the output's.
    pub multiplier: i32,
}

/// Applies the rounding rule without a clamp.
///
/// `acc`: |acc| < 2²³ ([`ACC_LIMIT`]); the result is `acc · multiplier / 2²⁴`, rounded half up,
/// and always fits in an `i32` for such an `acc`.
#[inline(always)]
pub fn requant(acc: i32, multiplier: i32) -> i32 {
    let product = i64::from(acc.wrapping_shl(8)) * i64::from(multiplier);
    ((product + (1 << 31)) >> 32) as i32
}

/// The rounding rule with the clamp of an 8-bit activation: `lo` is −127, or 0 after a ReLU.
#[inline(always)]
pub fn requant_i8(acc: i32, multiplier: i32, lo: i8) -> i8 {
    requant(acc, multiplier).clamp(i32::from(lo), MAX_I8) as i8
}

/// The rounding rule with the clamp of a 16-bit activation, [−32767, 32767].
#[inline(always)]
pub fn requant_i16(acc: i32, multiplier: i32) -> i16 {
    requant(acc, multiplier).clamp(-32767, 32767) as i16
}

/// Floor of the square root, digit by digit: 32 turns, no division.
///
/// `u64::isqrt` gives the same, but brings 1.4 KB of code to a core without a 64-bit divider.
pub fn isqrt(n: u64) -> u32 {
    let (mut rest, mut root, mut bit) = (n, 0u64, 1u64 << 62);
    while bit != 0 {
        if rest >= root + bit {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    root as u32
}

/// [`isqrt`] of 32 bits: 16 turns in registers.
pub fn isqrt32(n: u32) -> u32 {
    let (mut rest, mut root, mut bit) = (n, 0u32, 1u32 << 30);
    while bit != 0 {
        if rest >= root + bit {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    root
}

/// CRC-32 (ISO-HDLC), the one checksum of artifacts, frames and golden outputs. Bit by bit: its
/// 40 instructions a byte are little beside a serial line, and a table would be 1 KB of flash.
pub(crate) static CRC: crc::Crc<u32, crc::NoTable> = crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISO_HDLC);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn roots_are_floors(n: u64, small: u32) {
            prop_assert_eq!(u64::from(isqrt(n)), n.isqrt());
            prop_assert_eq!(isqrt(small.into()), small.isqrt());
            prop_assert_eq!(isqrt32(small), small.isqrt());
        }

        #[test]
        fn rounds_half_up_like_exact_arithmetic(acc in -(1i32 << 23) + 1..1 << 23, m: i32) {
            let exact = (i128::from(acc) * 256 * i128::from(m) + (1 << 31)).div_euclid(1 << 32);
            prop_assert_eq!(i128::from(requant(acc, m)), exact);
        }

        #[test]
        fn is_monotone_in_the_accumulator(a in -(1i32 << 23) + 1..1 << 23, b in -(1i32 << 23) + 1..1 << 23, m in 0..i32::MAX) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(requant(low, m) <= requant(high, m));
        }
    }

    #[test]
    fn known_answers() {
        for n in [0, 1, 3, 4, u64::MAX, u64::MAX - 1, (1 << 32) - 1] {
            assert_eq!(u64::from(isqrt(n)), n.isqrt());
        }
        assert_eq!(isqrt32(u32::MAX), 65535);
        // multiplier 2²³ is one half: 1/2 rounds up to 1, −1/2 rounds up to 0.
        assert_eq!(requant(1, 1 << 23), 1);
        assert_eq!(requant(-1, 1 << 23), 0);
        assert_eq!(requant(3, 1 << 24), 3);
        assert_eq!(requant_i8(1000, 1 << 24, -127), 127);
        assert_eq!(requant_i8(-1000, 1 << 24, 0), 0);
        assert_eq!(requant_i16(-40_000, 1 << 24), -32767);
    }
}
