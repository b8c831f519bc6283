//! The numbers that networks are trained in: f32, and f64 where a paper uses it.
//!
//! Kernels work on blocks of `LANES` numbers, 64 bytes, whatever the processor's registers: so the
//! order of sums, and with it every bit of a result, is the same on all of them.

/// f32 or f64, and a block of lanes of it.
pub trait Float:
    Copy
    + Default
    + PartialOrd
    + Send
    + Sync
    + std::fmt::Debug
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Neg<Output = Self>
    + std::ops::AddAssign
    + std::ops::SubAssign
    + std::ops::MulAssign
    + bytemuck::Pod
    + candle_core::WithDType
    + 'static
{
    /// Numbers in a block.
    const LANES: usize;
    /// `[Self; LANES]`
    type Block: Copy + AsRef<[Self]> + AsMut<[Self]> + std::fmt::Debug;

    /// The nearest number.
    fn of(x: f64) -> Self;
    /// As f64, exactly.
    fn f64(self) -> f64;
    /// Absolute value.
    fn magnitude(self) -> Self;
    /// Square root.
    fn root(self) -> Self;
    /// `self · a + b`, rounded once.
    fn fused(self, a: Self, b: Self) -> Self;
    /// `2^k` for a whole number `k` in the exponent's range, given `k + MAGIC`: the sum's low bits
    /// are shifted into the exponent.
    fn power_of_two(shifted: Self) -> Self;
    /// 1.5 · 2^(digits − 1): adding it rounds to a whole number.
    const MAGIC: Self;
    /// Arguments of e^x beyond which it is 0 or infinite, less a margin.
    const EXP_RANGE: (Self, Self);
    /// ln 2 in two parts: the first exact in few bits.
    const LN_2: (Self, Self);
    /// Coefficients of e^r on |r| ≤ ln 2 / 2, highest power first, down to r².
    const EXP: &'static [Self];

    /// The whole blocks of a slice; what is left over is left out.
    fn blocks(x: &[Self]) -> &[Self::Block];
    /// The whole blocks of a slice, to be written.
    fn blocks_mut(x: &mut [Self]) -> &mut [Self::Block];
    /// A block of equal numbers.
    fn splat(x: Self) -> Self::Block;
    /// The first block of a slice that has one.
    fn load(x: &[Self]) -> Self::Block;
    /// Writes the first block of a slice that has one.
    fn store(y: &mut [Self], block: Self::Block);
    /// `f` of every lane.
    fn map(a: Self::Block, f: impl Fn(Self) -> Self) -> Self::Block;
    /// `f` of two blocks, lane by lane.
    fn zip(a: Self::Block, b: Self::Block, f: impl Fn(Self, Self) -> Self) -> Self::Block;
    /// `a · b + c`, lane by lane.
    fn multiply_add(a: Self::Block, b: Self::Block, c: Self::Block) -> Self::Block;
    /// The lanes' sum, halves added to halves.
    fn sum(a: Self::Block) -> Self;
}

macro_rules! float {
    ($t:ident, $bits:ident, $lanes:literal, $magic:literal, $mantissa:literal, $range:expr, $ln2:expr, $exp:expr) => {
        impl Float for $t {
            const LANES: usize = $lanes;
            type Block = [$t; $lanes];
            const MAGIC: $t = $magic;
            const EXP_RANGE: ($t, $t) = $range;
            const LN_2: ($t, $t) = $ln2;
            const EXP: &'static [$t] = $exp;

            #[inline(always)]
            fn of(x: f64) -> $t {
                x as $t
            }
            #[inline(always)]
            fn f64(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn magnitude(self) -> $t {
                self.abs()
            }
            #[inline(always)]
            fn root(self) -> $t {
                self.sqrt()
            }
            #[inline(always)]
            fn fused(self, a: $t, b: $t) -> $t {
                self.mul_add(a, b)
            }
            #[inline(always)]
            fn power_of_two(shifted: $t) -> $t {
                $t::from_bits((1.0 as $t).to_bits().wrapping_add(shifted.to_bits() << $mantissa))
            }
            #[inline(always)]
            fn blocks(x: &[$t]) -> &[[$t; $lanes]] {
                x.as_chunks().0
            }
            #[inline(always)]
            fn blocks_mut(x: &mut [$t]) -> &mut [[$t; $lanes]] {
                x.as_chunks_mut().0
            }
            #[inline(always)]
            fn splat(x: $t) -> [$t; $lanes] {
                [x; $lanes]
            }
            #[inline(always)]
            fn load(x: &[$t]) -> [$t; $lanes] {
                match x.first_chunk() {
                    Some(block) => *block,
                    None => unreachable!("a block beyond the end"),
                }
            }
            #[inline(always)]
            fn store(y: &mut [$t], block: [$t; $lanes]) {
                match y.first_chunk_mut() {
                    Some(place) => *place = block,
                    None => unreachable!("a block beyond the end"),
                }
            }
            #[inline(always)]
            fn map(a: [$t; $lanes], f: impl Fn($t) -> $t) -> [$t; $lanes] {
                let mut y = a;
                for l in 0..$lanes {
                    y[l] = f(a[l]);
                }
                y
            }
            #[inline(always)]
            fn zip(a: [$t; $lanes], b: [$t; $lanes], f: impl Fn($t, $t) -> $t) -> [$t; $lanes] {
                let mut y = a;
                for l in 0..$lanes {
                    y[l] = f(a[l], b[l]);
                }
                y
            }
            #[inline(always)]
            fn multiply_add(a: [$t; $lanes], b: [$t; $lanes], c: [$t; $lanes]) -> [$t; $lanes] {
                let mut y = c;
                for l in 0..$lanes {
                    y[l] = a[l].mul_add(b[l], c[l]);
                }
                y
            }
            #[inline(always)]
            fn sum(a: [$t; $lanes]) -> $t {
                let mut half = $lanes / 2;
                let mut a = a;
                while half > 0 {
                    for l in 0..half {
                        a[l] += a[l + half];
                    }
                    half /= 2;
                }
                a[0]
            }
        }
    };
}

// e^r: minimax of degree 6 in f32 (Cephes' expf), Taylor of degree 13 in f64 (remainder below 2⁻⁵⁶).
float!(
    f32,
    u32,
    16,
    12_582_912.0,
    23,
    (-87.0, 88.0),
    (0.693_359_4, -2.121_944_4e-4),
    &[1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]
);
float!(
    f64,
    u64,
    8,
    6_755_399_441_055_744.0,
    52,
    (-708.0, 709.0),
    (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10),
    &[
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ]
);

/// `e^x` for finite x, relative error below 2 units in the last place; 0 < e^x < ∞ at the ends of
/// the range, where x is clamped. NaN stays NaN.
#[inline(always)]
pub fn exponential<T: Float>(x: T) -> T {
    let (low, high) = T::EXP_RANGE;
    // Comparisons in this order let a NaN through.
    let x = if x < low { low } else { x };
    let x = if x > high { high } else { x };
    let shifted = x.fused(T::of(std::f64::consts::LOG2_E), T::MAGIC);
    let k = shifted - T::MAGIC;
    let r = k.fused(-T::LN_2.0, x);
    let r = k.fused(-T::LN_2.1, r);
    let mut p = T::EXP[0];
    for &c in &T::EXP[1..] {
        p = p.fused(r, c);
    }
    p.fused(r * r, r + T::of(1.0)) * T::power_of_two(shifted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_the_last_digits() {
        let (mut worst32, mut worst64) = (0f64, 0f64);
        for i in -70_000..70_000 {
            let x = f64::from(i) * 1e-3 + 1.7e-5;
            let exact = f64::from(x as f32).exp();
            worst32 = worst32.max(((f64::from(exponential(x as f32)) - exact) / exact).abs());
            worst64 = worst64.max(((exponential(x) - x.exp()) / x.exp()).abs());
        }
        assert!(worst32 < 2.5e-7, "f32: {worst32:e}");
        assert!(worst64 < 4.5e-16, "f64: {worst64:e}");
        assert!(exponential(f32::NAN).is_nan() && exponential(f64::NAN).is_nan());
        assert!(exponential(1e9f32).is_finite() && exponential(-1e9f32) > 0.0);
    }

    #[test]
    fn the_sum_of_a_block_adds_halves() {
        let block: [f32; 16] = std::array::from_fn(|i| (1 << i) as f32);
        assert_eq!(f32::sum(block), 65535.0);
    }
}
