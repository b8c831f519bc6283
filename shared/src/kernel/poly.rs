//! Laws watched over: sparse polynomials of a raw sample, their running deviations, their scores.
//!
//! A straight-line program over registers: the first hold the sample, each [`Step`] writes the next one.
//!
//! ```text
//! h_l = register of law l                      d_l ← d_l + (h_l − centre_l − d_l)·2^−smoothing
//! y_0 = 1024 ("holds")                         y_l = |d_l|·gain_l, 1024 at the edge of the band
//! ```
//!
//! In i32, where `p >> shift` is a floor and every register's scale was chosen on the host so that no
//! sample overflows it; or in f32, each operation rounded once, in the order of the program, nothing fused.
//! Both give the same bits everywhere.

use bytemuck::{Pod, Zeroable};

/// The score of "holds": a law is broken where its own is larger.
pub const BAND: i32 = 1024;
/// As an operand: no register, a zero.
pub const NONE: u8 = 255;
/// `a·b` (>> shift)
pub const PRODUCT: u8 = 0;
/// `c·a` (>> shift) `+ b`
pub const AFFINE: u8 = 1;
/// `c/√a`: in i32 `c·2^(44 − shift)/√a`; the largest value where a ≤ 0
pub const RSQRT: u8 = 2;
/// `sin(2π·a)`: in i32 a turn of a is 2³² and a value of one 2³⁰
pub const SIN: u8 = 3;
/// `cos(2π·a)`, as the sine
pub const COS: u8 = 4;
/// Number of kinds.
pub const KINDS: u8 = 5;

/// One step of a program, 8 bytes in the weight section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Step {
    /// [`PRODUCT`] …
    pub kind: u8,
    /// Register of an earlier step.
    pub a: u8,
    /// Register of an earlier step, or [`NONE`].
    pub b: u8,
    /// 0..64, of i32 programs
    pub shift: u8,
    /// The constant: an i32, or the bits of an f32.
    pub c: i32,
}

/// One law, 12 bytes in the weight section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Law {
    /// Register that holds its value.
    pub value: u8,
    /// The running deviation's weight of a sample is 2^−smoothing; 0..=16.
    pub smoothing: u8,
    /// 0..64: `y = |d|·gain >> shift`, of i32 programs
    pub shift: u8,
    /// 0
    pub zero: u8,
    /// Value of the law: an i32, or the bits of an f32.
    pub centre: i32,
    /// An i32, or the bits of an f32.
    pub gain: i32,
}

/// Arithmetic of a program; registers are kept as words.
pub trait Number {
    /// A raw value.
    fn input(x: i16) -> u32;
    /// The next register.
    fn step(step: &Step, a: u32, b: u32) -> u32;
    /// Score, and the new running deviation.
    fn score(law: &Law, value: u32, deviation: u32) -> (i32, u32);
}

/// Runs one sample, which stands in the first `inputs` registers. `registers`: one more a step; `state`: one
/// word a law, 0 at the start; `y`: one score more than laws.
pub fn poly<N: Number>(
    inputs: usize,
    steps: &[Step],
    laws: &[Law],
    registers: &mut [u32],
    state: &mut [u32],
    y: &mut [u32],
) {
    // There are at most 255 registers: NONE reads as 0.
    let read = |registers: &[u32], i: u8| registers.get(usize::from(i)).copied().unwrap_or(0);
    for (i, step) in (inputs..).zip(steps) {
        let value = N::step(step, read(registers, step.a), read(registers, step.b));
        if let Some(register) = registers.get_mut(i) {
            *register = value;
        }
    }
    let Some((holds, scores)) = y.split_first_mut() else { return };
    *holds = BAND as u32;
    for ((law, deviation), score) in laws.iter().zip(state).zip(scores) {
        let (new, now) = N::score(law, read(registers, law.value), *deviation);
        (*score, *deviation) = (new as u32, now);
    }
}

/// i32 registers.
pub struct Fixed;

impl Number for Fixed {
    #[inline(always)]
    fn input(x: i16) -> u32 {
        i32::from(x) as u32
    }

    #[inline(always)]
    fn step(step: &Step, a: u32, b: u32) -> u32 {
        let shift = u32::from(step.shift);
        match step.kind {
            PRODUCT => product(a as i32, b as i32, shift) as u32,
            AFFINE => (product(step.c, a as i32, shift) as u32).wrapping_add(b),
            RSQRT => rsqrt(a as i32, step.c, shift) as u32,
            SIN => sin(a as i32) as u32,
            _ => sin(a.wrapping_add(1 << 30) as i32) as u32,
        }
    }

    #[inline(always)]
    fn score(law: &Law, value: u32, deviation: u32) -> (i32, u32) {
        let (deviation, now) = (deviation as i32, (value as i32).wrapping_sub(law.centre));
        let deviation = deviation.wrapping_add(now.wrapping_sub(deviation) >> (law.smoothing & 31));
        (below(product(deviation, law.gain, law.shift.into()).unsigned_abs(), i32::MAX), deviation as u32)
    }
}

/// `a·b >> shift`. The one 64-bit product: on cores without one it is kept in one place.
#[inline(never)]
fn product(a: i32, b: i32, shift: u32) -> i64 {
    (i64::from(a) * i64::from(b)) >> (shift & 63)
}

/// The lesser of `value` and `limit`.
#[inline(always)]
fn below(value: u64, limit: i32) -> i32 {
    if value > limit as u64 { limit } else { value as i32 }
}

/// `c·2^(44 − shift)/√a`, at most 2³⁰, which also stands for a ≤ 0.
///
/// With `a = m·2^−z`, m in [2³⁰, 2³²) and z even: `1/√a = (m/2³²)^−½ · 2^(z/2 − 16)`; the root r, in 2⁻²⁸, by four
/// Newton steps `r ← r(3 − m·r²)/2` from a line that is off by 10 %: 1 %, 3e-4, 1e-7, 2⁻²⁷.
#[inline(never)]
fn rsqrt(a: i32, c: i32, shift: u32) -> i32 {
    const LARGEST: i32 = 1 << 30;
    if a <= 0 {
        return LARGEST;
    }
    let z = a.leading_zeros() & 30;
    let m = (((a as u32) << z) >> 1) as i32;
    // 2.1 − 1.15·m/2³²
    let mut r = 563_714_458 - product(m, 308_700_775, 31) as i32;
    for _ in 0..4 {
        let square = product(r, r, 28) as i32;
        r = product(r, (3i32 << 28).wrapping_sub(product(m, square, 31) as i32), 29) as i32;
    }
    below(product(r, c, shift.wrapping_sub(z / 2)).unsigned_abs(), LARGEST)
}

/// Taylor coefficients of `sin(πz/2)` at z, z³, …, z¹¹; the next is below 6e-8.
const SINE: [f64; 6] = [
    core::f64::consts::FRAC_PI_2,
    -0.645_964_097_506_246_3,
    0.079_692_626_246_167_05,
    -0.004_681_754_135_318_688,
    0.000_160_441_184_787_359_82,
    -0.000_003_598_843_235_212_085,
];

/// `2³⁰·sin(2πa/2³²)`.
#[inline(never)]
fn sin(a: i32) -> i32 {
    const Q30: [i32; 6] = {
        let mut q = [0; 6];
        let mut i = 0;
        while i < 6 {
            q[i] = (SINE[i] * (1u32 << 30) as f64) as i32;
            i += 1;
        }
        q
    };
    // A quarter of a turn is one: 2³⁰. Beyond it the sine comes back.
    let z = if a.unsigned_abs() > 1 << 30 { i32::MIN.wrapping_sub(a) } else { a };
    let times = |p: i32, q: i32| product(p, q, 30) as i32;
    let square = times(z, z);
    times(z, Q30.iter().rev().fold(0, |sum, &c| times(sum, square).wrapping_add(c)))
}

/// f32 registers.
pub struct Float;

impl Number for Float {
    #[inline(always)]
    fn input(x: i16) -> u32 {
        f32::from(x).to_bits()
    }

    #[inline(always)]
    fn step(step: &Step, a: u32, b: u32) -> u32 {
        let (a, b, c) = (f32::from_bits(a), f32::from_bits(b), f32::from_bits(step.c as u32));
        let value = match step.kind {
            PRODUCT => a * b,
            AFFINE => c * a + b,
            RSQRT => c * rsqrt_f32(a),
            SIN => sin_f32(a),
            _ => sin_f32(a + 0.25),
        };
        value.to_bits()
    }

    #[inline(always)]
    fn score(law: &Law, value: u32, before: u32) -> (i32, u32) {
        let deviation = f32::from_bits(before);
        let now = f32::from_bits(value) - f32::from_bits(law.centre as u32);
        let weight = f32::from_bits((127 - u32::from(law.smoothing & 31)) << 23);
        let deviation = deviation + (now - deviation) * weight;
        if deviation.abs() < f32::MAX {
            ((deviation.abs() * f32::from_bits(law.gain as u32)) as i32, deviation.to_bits())
        } else {
            // Neither an infinity nor a NaN stays for the next sample.
            (i32::MAX, before)
        }
    }
}

/// `1/√a` to 1e-7, f32's largest where a is not positive: three Newton steps from Lomont's guess.
pub(crate) fn rsqrt_f32(a: f32) -> f32 {
    if a > 0.0 {
        let mut r = f32::from_bits(0x5F37_59DF_u32.wrapping_sub(a.to_bits() >> 1));
        for _ in 0..3 {
            r = r * (1.5 - 0.5 * a * r * r);
        }
        r
    } else {
        f32::MAX
    }
}

/// `sin(2πa)` to 2e-7.
#[inline(never)]
pub(crate) fn sin_f32(a: f32) -> f32 {
    let nearest = if a < 0.0 { a - 0.5 } else { a + 0.5 } as i32;
    let z = 4.0 * (a - nearest as f32);
    let z = if z > 1.0 {
        2.0 - z
    } else if z < -1.0 {
        -2.0 - z
    } else {
        z
    };
    // Rounded when compiled: a core with f32 alone would call a library for each.
    const F32: [f32; 6] = {
        let mut f = [0.0; 6];
        let mut i = 0;
        while i < 6 {
            f[i] = SINE[i] as f32;
            i += 1;
        }
        f
    };
    let square = z * z;
    z * F32.iter().rev().fold(0.0, |sum, &c| sum * square + c)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    fn step(kind: u8, shift: u8, c: i32) -> Step {
        Step { kind, a: 0, b: 0, shift, c }
    }

    proptest! {
        #[test]
        fn inverse_roots_are_inverse_roots(a in 1..i32::MAX) {
            // c = 2³⁰ and shift 42: 2³⁰·2²/√a stays below 2³⁰ from a = 16 on.
            let got = f64::from(Fixed::step(&step(RSQRT, 42, 1 << 30), a as u32, 0));
            let want = (2f64.powi(32) / f64::from(a).sqrt()).min(2f64.powi(30));
            prop_assert!((got - want).abs() <= 2.0 + want * 1.2e-8, "{} {} {}", a, got, want);
            let float = f32::from_bits(Float::step(&step(RSQRT, 0, 1f32.to_bits() as i32), (a as f32).to_bits(), 0));
            let want = 1.0 / f64::from(a as f32).sqrt();
            prop_assert!((f64::from(float) - want).abs() <= 3e-7 * want, "{} {} {}", a, float, want);
        }

        #[test]
        fn sines_are_sines(a: i32, turns in -100.0f32..100.0) {
            for (kind, want) in [(SIN, f64::sin as fn(f64) -> f64), (COS, f64::cos)] {
                let got = f64::from(Fixed::step(&step(kind, 0, 0), a as u32, 0) as i32) / 2f64.powi(30);
                let want_fixed = want(f64::from(a) / 2f64.powi(32) * core::f64::consts::TAU);
                prop_assert!((got - want_fixed).abs() < 7e-8, "{} {} {}", a, got, want_fixed);
                let got = f64::from(f32::from_bits(Float::step(&step(kind, 0, 0), turns.to_bits(), 0)));
                // The cosine adds a quarter to turns that have 17 bits after the point at least.
                let want = want(f64::from(turns) * core::f64::consts::TAU);
                prop_assert!((got - want).abs() < 4e-5, "{} {} {}", turns, got, want);
            }
        }

        /// Any program over any sample gives scores: nothing panics, no NaN stays in the state.
        #[test]
        fn every_program_is_total(
            x in proptest::collection::vec(any::<i16>(), 1..5),
            program in proptest::collection::vec(any::<(u8, u8, u8, u8, i32)>(), 0..12),
            laws in proptest::collection::vec(any::<(u8, u8, u8, i32, i32)>(), 1..4),
        ) {
            let steps: std::vec::Vec<Step> =
                program.iter().map(|&(kind, a, b, shift, c)| Step { kind, a, b, shift, c }).collect();
            let laws: std::vec::Vec<Law> = laws
                .iter()
                .map(|&(value, smoothing, shift, centre, gain)| Law { value, smoothing, shift, zero: 0, centre, gain })
                .collect();
            let mut registers = std::vec![0; x.len() + steps.len()];
            let (mut state, mut y) = (std::vec![0; laws.len()], std::vec![0; laws.len() + 1]);
            for _ in 0..3 {
                x.iter().enumerate().for_each(|(i, &x)| registers[i] = Fixed::input(x));
                poly::<Fixed>(x.len(), &steps, &laws, &mut registers, &mut state, &mut y);
                prop_assert_eq!(y[0], BAND as u32);
            }
            state.fill(0);
            for _ in 0..3 {
                x.iter().enumerate().for_each(|(i, &x)| registers[i] = Float::input(x));
                poly::<Float>(x.len(), &steps, &laws, &mut registers, &mut state, &mut y);
                prop_assert!(state.iter().all(|&d| f32::from_bits(d).is_finite()));
            }
        }
    }

    /// x·y − 6 with a band of 10 and a running mean over two samples, in both arithmetics.
    #[test]
    fn a_law_is_scored_by_its_formula() {
        let steps = [Step { kind: PRODUCT, a: 0, b: 1, shift: 0, c: 0 }];
        let scores = |gain: i32, centre: i32, float: bool| {
            let laws = [Law { value: 2, smoothing: 1, shift: 0, zero: 0, centre, gain }];
            let (mut registers, mut state, mut y) = ([0; 3], [0; 1], [0; 2]);
            [[2i16, 3], [4, 4], [2, 3], [-30000, 30000]].map(|x| {
                let input = if float { Float::input } else { Fixed::input };
                (registers[0], registers[1]) = (input(x[0]), input(x[1]));
                if float {
                    poly::<Float>(2, &steps, &laws, &mut registers, &mut state, &mut y);
                } else {
                    poly::<Fixed>(2, &steps, &laws, &mut registers, &mut state, &mut y);
                }
                y.map(|y| y as i32)
            })
        };
        // d = 0, 5, 2.5 (2 in i32), then 450,000,001.75 (…002)
        assert_eq!(scores(102, 6, false), [[BAND, 0], [BAND, 510], [BAND, 204], [BAND, i32::MAX]]);
        let float = scores(102.4f32.to_bits() as i32, 6f32.to_bits() as i32, true);
        assert_eq!(float, [[BAND, 0], [BAND, 512], [BAND, 256], [BAND, i32::MAX]]);
    }
}
