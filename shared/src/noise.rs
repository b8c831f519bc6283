//! Random numbers that host and chip draw alike: Philox4x32-10, and standard normals from it.
//!
//! A draw is a function of (seed, number of the draw, position), nothing is carried along. Normals by Box and Muller
//! (1958), `√(−2 ln u)·(cos 2πv, sin 2πv)`, from sums and products in f32 in one order, nothing fused: the same bits on
//! every processor with f32 arithmetic.
//! Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

use crate::kernel::poly::{rsqrt_f32, sin_f32};

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Ten rounds of Philox4x32: 128 random bits for a counter and a key.
#[inline]
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
    }
    counter
}

/// FNV-1a: a stream's number from its name.
pub const fn stream(name: &str) -> u32 {
    let (name, mut hash, mut i) = (name.as_bytes(), 0x811C_9DC5u32, 0);
    while i < name.len() {
        hash = (hash ^ name[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    hash
}

/// Calls `each` with `out.len()` pairs (element, standard normal): draw `number` of the stream of `seed`.
///
/// Block b of the counter `(b, number, 0, stream)` gives four normals: two pairs of words (u, v), the cosine first.
pub fn normals(seed: u32, stream: u32, number: u32, out: &mut [f32], mut each: impl FnMut(&mut f32, f32)) {
    for (block, part) in (0u32..).zip(out.chunks_mut(4)) {
        let [a, b, c, d] = philox([block, number, 0, stream], [seed, 0]);
        let ((p, q), (r, s)) = (pair(a, b), pair(c, d));
        for (value, normal) in part.iter_mut().zip([p, q, r, s]) {
            each(value, normal);
        }
    }
}

/// Two independent standard normals of two random words; |z| < 5.8.
#[inline(never)]
fn pair(u: u32, v: u32) -> (f32, f32) {
    // Multiples of 2⁻²⁴: u in (0, 1], v in [0, 1).
    const STEP: f32 = 1.0 / 16_777_216.0;
    let square = -2.0 * ln(((u >> 8) + 1) as f32 * STEP);
    // √s = s·(1/√s), which is 0 at 0.
    let radius = if square > 0.0 { square * rsqrt_f32(square) } else { 0.0 };
    let turn = (v >> 8) as f32 * STEP;
    (radius * sin_f32(turn + 0.25), radius * sin_f32(turn))
}

/// `ln u` of a positive normal number to 2e-7 of max(1, |ln u|): `u = m·2^e`, m in [√½, √2), and
/// `ln m = 2(s + s³/3 + s⁵/5 + s⁷/7 + s⁹/9)`, `s = (m − 1)/(m + 1)`, |s| < 0.1716.
fn ln(u: f32) -> f32 {
    // The bits of √½: subtracting them moves the exponent's step there.
    const ROOT: u32 = 0x3F35_04F3;
    let moved = u.to_bits().wrapping_sub(ROOT) as i32;
    let exponent = moved >> 23;
    let m = f32::from_bits(((moved & 0x007F_FFFF) as u32).wrapping_add(ROOT));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let series = [1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0].iter().fold(0.0f32, |sum, &c: &f32| (sum + c) * z);
    exponent as f32 * core::f32::consts::LN_2 + 2.0 * (s + s * series)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Known answers of the Random123 distribution (kat_vectors).
    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
        assert_eq!(
            philox([0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0]),
            [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
        );
    }

    proptest! {
        #[test]
        fn logarithms_are_logarithms(bits in 1u32..=1 << 24) {
            let u = bits as f32 / (1 << 24) as f32;
            let want = f64::from(u).ln();
            prop_assert!((f64::from(ln(u)) - want).abs() <= 2e-7 * want.abs().max(1.0), "{} {} {}", u, ln(u), want);
        }

        /// Box and Muller's formula on the same words.
        #[test]
        fn normals_are_box_and_mullers(u: u32, v: u32) {
            let radius = (-2.0 * ((f64::from(u >> 8) + 1.0) / 16_777_216.0).ln()).sqrt();
            let angle = core::f64::consts::TAU * f64::from(v >> 8) / 16_777_216.0;
            let (cos, sin) = pair(u, v);
            prop_assert!((f64::from(cos) - radius * angle.cos()).abs() < 4e-6, "{} {}", cos, radius * angle.cos());
            prop_assert!((f64::from(sin) - radius * angle.sin()).abs() < 4e-6, "{} {}", sin, radius * angle.sin());
        }
    }

    #[test]
    fn the_extremes_of_the_words_are_finite() {
        for word in [0, u32::MAX] {
            for other in [0, u32::MAX] {
                let (a, b) = pair(word, other);
                assert!(a.abs() < 5.8 && b.abs() < 5.8, "{a} {b}");
            }
        }
    }

    #[test]
    fn moments_are_the_normals() {
        let mut z = std::vec![0.0; 40_001];
        normals(7, stream("test"), 3, &mut z, |z, normal| *z = normal);
        let moment = |k: i32| z.iter().map(|&z| f64::from(z).powi(k)).sum::<f64>() / z.len() as f64;
        for (k, want, tolerance) in [(1, 0.0, 0.02), (2, 1.0, 0.03), (3, 0.0, 0.08), (4, 3.0, 0.2)] {
            assert!((moment(k) - want).abs() < tolerance, "moment {k}: {}", moment(k));
        }
        let mut other = std::vec![0.0; 40_001];
        normals(7, stream("test"), 4, &mut other, |z, normal| *z = normal);
        let together: f64 = z.iter().zip(&other).map(|(a, b)| f64::from(a * b)).sum();
        assert!((together / z.len() as f64).abs() < 0.02);
        // A shorter draw is the beginning of a longer one.
        let mut short = [0.0; 7];
        normals(7, stream("test"), 3, &mut short, |z, normal| *z = normal);
        assert_eq!(short.map(f32::to_bits).to_vec(), z.iter().take(7).map(|z| z.to_bits()).collect::<Vec<_>>());
    }
}
