//! Integer features of windows of raw sensor samples: the same code in training and on the chip.
//!
//! A window is never stored: each time step goes into running sums, and the features come out at
//! its end. For channel x over n steps, in fixed point:
//!
//! ```text
//! mean        16·Σx/n                         excursion  L(max − mean), L(mean − min)
//! deviation   L(√(Σx²/n − (Σx/n)²))           change     L(Σ|x_t − x_{t−1}| / (n−1))
//! turns       times that x_t − x_{t−1} changes sign at once
//! crossings   times that x_t crosses its own running mean
//! bands       L(Σ|Haar differences of 2ˡ steps| / count), l = 0..4
//! correlation 1024·cov(x, y) / (σ_x σ_y), pairs of a three-axis sensor
//! range       16·least, 16·greatest; as signed logarithms ±(L(|v|) − L(0))
//! L(v) = 1024·log2(16·(v + 8)), linear between powers of two; v in counts, in sixteenths
//! ```
//!
//! Logarithms make products of gain and motion into sums, which a linear map can weigh; the 8 keeps
//! noise of a few counts from mattering. Magnitudes `√(x² + y² + z²)` of three-axis sensors may
//! stand as channels of their own, for what should not depend on orientation.
//!
//! Nothing overflows for any int16 input and n ≤ 4096: with d = x − x₀, |d| < 2¹⁶, Σd < 2²⁸,
//! Σd² < 2⁴⁴, and n²·variance < 2⁵⁴. Every feature is below 2²² in magnitude.

use serde::{Deserialize, Serialize};

use crate::divisor::Divisor;
use crate::fixed::{isqrt, isqrt32};

/// Most raw channels.
pub const MAX_CHANNELS: usize = 16;
/// Longest window, time steps.
pub const MAX_WINDOW: u16 = 4096;
/// Levels of Haar bands.
const LEVELS: usize = 5;
/// Words of one channel's sums.
const CHANNEL_WORDS: usize = 11;
const BAND_WORDS: usize = 2 * LEVELS;
/// Fraction bits of the running mean that crossings are counted against.
const BASELINE_BITS: u32 = 8;

/// Which features are taken: a set of bits.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stats(pub u16);

impl Stats {
    /// Mean.
    pub const MEAN: Stats = Stats(1);
    /// Logarithm of the standard deviation.
    pub const DEVIATION: Stats = Stats(2);
    /// Smallest and largest value.
    pub const RANGE: Stats = Stats(4);
    /// Logarithms of how far the largest and smallest value lie from the mean.
    pub const EXCURSION: Stats = Stats(8);
    /// Logarithm of the mean absolute difference of neighbours.
    pub const CHANGE: Stats = Stats(16);
    /// Number of turning points.
    pub const TURNS: Stats = Stats(32);
    /// Haar bands: mean absolute differences of neighbouring blocks of 1, 2, 4, 8 and 16 steps.
    pub const BANDS: Stats = Stats(64);
    /// Number of crossings of the running mean.
    pub const CROSSINGS: Stats = Stats(128);
    /// Correlations within each three-axis sensor.
    pub const CORRELATION: Stats = Stats(256);
    /// Magnitudes of three-axis sensors as further channels.
    pub const MAGNITUDE: Stats = Stats(512);

    /// The range as signed logarithms.
    pub const SIGNED_LOG: Stats = Stats(1024);

    /// Six a channel, for the smallest models.
    pub const CHEAP: Stats = Stats(1 | 2 | 8 | 16 | 32);
    /// Six a channel and the correlations: a wrist's accelerometer and gyroscope.
    pub const WRIST: Stats = Stats(1 | 2 | 4 | 16 | 128 | 256);
    /// Everything, magnitudes included: many activities, three sensors.
    pub const RICH: Stats = Stats(2047);

    /// Whether all of `other` are in the set.
    pub const fn has(self, other: Stats) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What is wrong with a spec or a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// No channels, or more than [`MAX_CHANNELS`].
    Channels,
    /// A window shorter than 32 steps, or longer than [`MAX_WINDOW`].
    Window,
    /// No features, or unknown ones.
    Stats,
    /// The state has another length than [`Spec::state_words`].
    State,
    /// A time step with another number of values than channels.
    Sample,
}

/// A window's shape and its features.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spec {
    /// Raw channels; each three in order are a sensor's axes.
    pub channels: u8,
    /// Time steps, 32..=4096.
    pub window: u16,
    /// Which features.
    pub stats: Stats,
}

impl Spec {
    /// Whether shape and features are within bounds.
    pub const fn check(&self) -> Result<(), Error> {
        if self.channels == 0 || self.channels as usize > MAX_CHANNELS {
            return Err(Error::Channels);
        }
        if self.window < 32 || self.window > MAX_WINDOW {
            return Err(Error::Window);
        }
        // MAGNITUDE and SIGNED_LOG alone give nothing.
        if self.stats.0 & !2047 != 0 || self.stats.0 & 511 == 0 || self.count() == 0 {
            return Err(Error::Stats);
        }
        Ok(())
    }

    /// Three-axis sensors.
    const fn sensors(&self) -> usize {
        self.channels as usize / 3
    }

    /// Channels with the magnitudes, where they are taken.
    const fn all_channels(&self) -> usize {
        self.channels as usize + if self.stats.has(Stats::MAGNITUDE) { self.sensors() } else { 0 }
    }

    const fn if_has(&self, stats: Stats, n: usize) -> usize {
        if self.stats.has(stats) { n } else { 0 }
    }

    /// Features of one channel.
    const fn per_channel(&self) -> usize {
        self.if_has(Stats::MEAN, 1)
            + self.if_has(Stats::DEVIATION, 1)
            + self.if_has(Stats::RANGE, 2)
            + self.if_has(Stats::EXCURSION, 2)
            + self.if_has(Stats::CHANGE, 1)
            + self.if_has(Stats::TURNS, 1)
            + self.if_has(Stats::CROSSINGS, 1)
            + self.if_has(Stats::BANDS, LEVELS)
    }

    /// Number of features.
    pub const fn count(&self) -> usize {
        self.all_channels() * self.per_channel() + self.if_has(Stats::CORRELATION, 3 * self.sensors())
    }

    /// Words of running sums: four bytes each.
    pub const fn state_words(&self) -> usize {
        1 + self.all_channels() * (CHANNEL_WORDS + self.if_has(Stats::BANDS, BAND_WORDS))
            + self.if_has(Stats::CORRELATION, 6 * self.sensors())
    }

    /// What feature `i` is, for a reader: `channel 4 deviation`.
    pub fn describe(&self, i: usize, out: &mut impl core::fmt::Write) -> core::fmt::Result {
        let names = [
            (Stats::MEAN, "mean"),
            (Stats::DEVIATION, "deviation"),
            (Stats::RANGE, "least"),
            (Stats::RANGE, "greatest"),
            (Stats::EXCURSION, "rise"),
            (Stats::EXCURSION, "fall"),
            (Stats::CHANGE, "change"),
            (Stats::TURNS, "turns"),
            (Stats::CROSSINGS, "crossings"),
            (Stats::BANDS, "band 1"),
            (Stats::BANDS, "band 2"),
            (Stats::BANDS, "band 4"),
            (Stats::BANDS, "band 8"),
            (Stats::BANDS, "band 16"),
        ];
        let taken = || names.iter().filter(|(stats, _)| self.stats.has(*stats));
        let mut left = i;
        for c in 0..self.all_channels() {
            for (_, name) in taken() {
                if left == 0 {
                    return match c.checked_sub(self.channels.into()) {
                        Some(sensor) => write!(out, "magnitude {sensor} {name}"),
                        None => write!(out, "channel {c} {name}"),
                    };
                }
                left -= 1;
            }
        }
        write!(out, "sensor {} correlation {}", left / 3, left % 3)
    }
}

/// The parts of a state: the clock t, then the channels' sums, their bands, and products of axes.
struct Parts<'a> {
    clock: &'a mut u32,
    channels: &'a mut [u32],
    bands: &'a mut [u32],
    products: &'a mut [u32],
}

impl<'a> Parts<'a> {
    fn of(spec: &Spec, state: &'a mut [u32]) -> Result<Self, Error> {
        let (clock, rest) = state.split_first_mut().ok_or(Error::State)?;
        let all = spec.all_channels();
        let (channels, rest) = rest.split_at_mut_checked(all * CHANNEL_WORDS).ok_or(Error::State)?;
        let bands = all * spec.if_has(Stats::BANDS, BAND_WORDS);
        let (bands, rest) = rest.split_at_mut_checked(bands).ok_or(Error::State)?;
        let products = rest.get_mut(..spec.if_has(Stats::CORRELATION, 6 * spec.sensors())).ok_or(Error::State)?;
        Ok(Parts { clock, channels, bands, products })
    }
}

/// Sums of one channel; lives in eleven words of the state.
#[derive(Clone, Copy)]
struct Channel {
    first: i32,
    last: i32,
    /// Σd, d = x − first
    sum: i32,
    /// Σd²
    squares: u64,
    least: i32,
    greatest: i32,
    /// Σ|x_t − x_{t−1}|
    change: u32,
    /// turning points, and in the low two bits the last difference's sign plus one
    turns: u32,
    /// running mean, in 1/256
    baseline: i32,
    /// crossings, and in the lowest bit whether the last value lay above
    crossings: u32,
}

impl Channel {
    #[inline(always)]
    fn load(words: &[u32; CHANNEL_WORDS]) -> Channel {
        let [first, last, sum, low, high, least, greatest, change, turns, baseline, crossings] = *words;
        Channel {
            first: first as i32,
            last: last as i32,
            sum: sum as i32,
            squares: u64::from(high) << 32 | u64::from(low),
            least: least as i32,
            greatest: greatest as i32,
            change,
            turns,
            baseline: baseline as i32,
            crossings,
        }
    }

    #[inline(always)]
    fn store(&self, words: &mut [u32; CHANNEL_WORDS]) {
        *words = [
            self.first as u32,
            self.last as u32,
            self.sum as u32,
            self.squares as u32,
            (self.squares >> 32) as u32,
            self.least as u32,
            self.greatest as u32,
            self.change,
            self.turns,
            self.baseline as u32,
            self.crossings,
        ];
    }

    #[inline(always)]
    fn take(&mut self, x: i32, t: u32) {
        if t == 0 {
            let sums =
                Channel { first: x, last: x, least: x, greatest: x, turns: 1, ..Channel::load(&[0; CHANNEL_WORDS]) };
            *self = Channel { baseline: x << BASELINE_BITS, ..sums };
            return;
        }
        let d = x.wrapping_sub(self.first);
        self.sum = self.sum.wrapping_add(d);
        // |d| ≤ 65,535: its square fits 32 bits.
        let magnitude = d.unsigned_abs();
        self.squares = self.squares.wrapping_add(u64::from(magnitude.wrapping_mul(magnitude)));
        self.least = self.least.min(x);
        self.greatest = self.greatest.max(x);
        let difference = x.wrapping_sub(self.last);
        self.last = x;
        self.change = self.change.wrapping_add(difference.unsigned_abs());
        let sign = difference.signum().wrapping_add(1) as u32;
        // Signs plus one: 0 and 2 are opposite, 1 is no change.
        let turned = self.turns & 3 != 1 && sign == 2 - (self.turns & 3) && sign != 1;
        // b += (x − b) / 2^⌊log2(t+1)⌋: a running mean without division. |x·256| ≤ 2²³.
        let scaled = x << BASELINE_BITS;
        let above = u32::from(scaled > self.baseline);
        let crossed = t > 1 && self.crossings & 1 != above;
        self.crossings = (self.crossings & !1).wrapping_add(if crossed { 2 } else { 0 }) | above;
        self.baseline =
            self.baseline.wrapping_add(scaled.wrapping_sub(self.baseline) >> t.wrapping_add(1).max(1).ilog2());
        self.turns = (self.turns & !3).wrapping_add(if turned { 4 } else { 0 }) | sign;
    }

    /// 16·mean, rounded down.
    fn mean(&self, n: &Divisor) -> i32 {
        let (size, rest) = n.sixteenths(self.sum.unsigned_abs());
        let size = size as i32;
        self.first * 16 + if self.sum < 0 { -size - i32::from(rest > 0) } else { size }
    }

    /// n²·variance.
    fn spread(&self, n: u64) -> u64 {
        let sum = u64::from(self.sum.unsigned_abs());
        (n * self.squares).saturating_sub(sum * sum)
    }
}

/// Starts a window.
pub fn begin(_spec: &Spec, state: &mut [u32]) {
    state.fill(0);
}

/// Takes one time step: `spec.channels` values.
pub fn push(spec: &Spec, state: &mut [u32], sample: &[i16]) -> Result<(), Error> {
    if sample.len() != usize::from(spec.channels) {
        return Err(Error::Sample);
    }
    let parts = Parts::of(spec, state)?;
    let t = *parts.clock;
    let mut channels = parts.channels.as_chunks_mut::<CHANNEL_WORDS>().0.iter_mut();
    let mut bands = parts.bands.as_chunks_mut::<BAND_WORDS>().0.iter_mut();
    let mut take = |x: i32| {
        if let Some(words) = channels.next() {
            let mut channel = Channel::load(words);
            channel.take(x, t);
            channel.store(words);
        }
        if let Some(words) = bands.next() {
            push_bands(x, t, words);
        }
    };
    for &x in sample {
        take(i32::from(x));
    }
    if spec.stats.has(Stats::MAGNITUDE) {
        for axes in sample.as_chunks::<3>().0 {
            take(magnitude(axes));
        }
    }
    // d of each axis is x − first, and the first step's are 0.
    for (i, (axes, words)) in sample.as_chunks::<3>().0.iter().zip(parts.products.as_chunks_mut::<6>().0).enumerate() {
        let first = |axis: usize| state_first(parts.channels, 3 * i + axis);
        let [x, y, z] = axes.map(i64::from);
        let (x, y, z) = (x - first(0), y - first(1), z - first(2));
        for (pair, product) in words.as_chunks_mut::<2>().0.iter_mut().zip([x * y, x * z, y * z]) {
            let sum = (i64::from(pair[1] as i32) << 32 | i64::from(pair[0])).wrapping_add(product);
            *pair = [sum as u32, (sum >> 32) as u32];
        }
    }
    *parts.clock = t.wrapping_add(1);
    Ok(())
}

/// The first value of channel `c`.
#[inline(always)]
fn state_first(channels: &[u32], c: usize) -> i64 {
    channels.get(c * CHANNEL_WORDS).map_or(0, |&first| i64::from(first as i32))
}

/// √(x² + y² + z²), at most 32,767.
#[inline(always)]
fn magnitude(axes: &[i16; 3]) -> i32 {
    let square = |x: i16| i32::from(x).unsigned_abs().wrapping_mul(i32::from(x).unsigned_abs());
    let [x, y, z] = *axes;
    // 3·2³⁰ < 2³².
    isqrt32(square(x).wrapping_add(square(y)).wrapping_add(square(z))).min(32767) as i32
}

/// Per level l the signed sum of the pair of blocks under way, and Σ|pairs|: with 2ˡ⁺¹ ≤ 32 steps of
/// |x| ≤ 2¹⁵ a pair is below 2²⁰, and 4096 steps' pairs sum to less than 2²⁸.
#[inline(always)]
fn push_bands(x: i32, t: u32, words: &mut [u32; BAND_WORDS]) {
    for (level, pair) in words.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let mut under_way = pair[0] as i32;
        under_way = if t >> level & 1 == 0 { under_way.wrapping_add(x) } else { under_way.wrapping_sub(x) };
        let ends = (t + 1) & ((2 << level) - 1) == 0;
        if ends {
            pair[1] = pair[1].wrapping_add(under_way.unsigned_abs());
            under_way = 0;
        }
        pair[0] = under_way as u32;
    }
}

/// Ends a window: calls `emit(i, feature)` for every i in order. All time steps must have been pushed.
pub fn finish(spec: &Spec, state: &mut [u32], mut emit: impl FnMut(usize, i32)) -> Result<(), Error> {
    let parts = Parts::of(spec, state)?;
    let n = u32::from(spec.window);
    if *parts.clock != n || n < 32 {
        return Err(Error::State);
    }
    let mut i = 0;
    let mut put = |value: i32| {
        emit(i, value);
        i += 1;
    };
    let has = |stats| spec.stats.has(stats);
    let average = |sum, by: &Divisor| by.sixteenths(sum).0;
    let (all, steps) = (Divisor::new(n), Divisor::new(if has(Stats::CHANGE) { n - 1 } else { 1 }));
    // n >> (level + 1) pairs of blocks of 2^level steps.
    let pairs = |level| if has(Stats::BANDS) { (n >> (level + 1)) << level } else { 1 };
    let blocks: [Divisor; BAND_WORDS / 2] = core::array::from_fn(|level| Divisor::new(pairs(level)));
    let mut bands = parts.bands.as_chunks::<BAND_WORDS>().0.iter();
    for words in parts.channels.as_chunks::<CHANNEL_WORDS>().0 {
        let channel = Channel::load(words);
        let mean = channel.mean(&all);
        if has(Stats::MEAN) {
            put(mean);
        }
        if has(Stats::DEVIATION) {
            // √(256·n²·variance) / n is the deviation in sixteenths; the inner floor changes nothing.
            put(log(all.divide(isqrt(channel.spread(n.into()) * 256)).0));
        }
        if has(Stats::RANGE) {
            let value = |v: i32| if has(Stats::SIGNED_LOG) { signed_log(v) } else { v * 16 };
            put(value(channel.least));
            put(value(channel.greatest));
        }
        if has(Stats::EXCURSION) {
            put(log((channel.greatest * 16).wrapping_sub(mean).max(0) as u32));
            put(log(mean.wrapping_sub(channel.least * 16).max(0) as u32));
        }
        if has(Stats::CHANGE) {
            put(log(average(channel.change, &steps)));
        }
        if has(Stats::TURNS) {
            put((channel.turns >> 2) as i32);
        }
        if has(Stats::CROSSINGS) {
            put((channel.crossings >> 1) as i32);
        }
        for (by, pair) in blocks.iter().zip(bands.next().map_or(&[][..], |words| words.as_chunks::<2>().0)) {
            put(log(average(pair[1], by)));
        }
    }
    for (sensor, words) in parts.products.as_chunks::<6>().0.iter().enumerate() {
        let axis = |axis: usize| {
            let words = parts.channels.as_chunks::<CHANNEL_WORDS>().0.get(3 * sensor + axis);
            words.map_or((0, 0), |words| {
                let channel = Channel::load(words);
                (i64::from(channel.sum), channel.spread(n.into()))
            })
        };
        for (pair, (a, b)) in words.as_chunks::<2>().0.iter().zip([(0, 1), (0, 2), (1, 2)]) {
            let sum = i64::from(pair[1] as i32) << 32 | i64::from(pair[0]);
            put(correlation(i64::from(n), sum, axis(a), axis(b)));
        }
    }
    Ok(())
}

/// `1024·(n·Σxy − Σx·Σy) / √(n²σ_x² · n²σ_y²)`, rounded towards zero; 0 where a channel stands still.
fn correlation(n: i64, products: i64, (sum_a, spread_a): (i64, u64), (sum_b, spread_b): (i64, u64)) -> i32 {
    // Both below 2⁵⁴, and by Cauchy-Schwarz the first hardly above the second.
    let covariance = n * products - sum_a * sum_b;
    let scale = u64::from(isqrt(spread_a)) * u64::from(isqrt(spread_b));
    // Both shrink together until 1024 times the first fits 32 bits.
    let shift = (64 - (covariance.unsigned_abs() | scale).leading_zeros()).saturating_sub(21);
    let (size, scale) = ((covariance.unsigned_abs() >> shift) as u32, (scale >> shift) as u32);
    if scale == 0 {
        return 0;
    }
    let r = (size * 1024 / scale).min(1024) as i32;
    if covariance < 0 { -r } else { r }
}

/// `±(L(|v|) − L(0))`, v in counts.
fn signed_log(v: i32) -> i32 {
    let size = log(v.unsigned_abs() * 16) - (7 << 10);
    if v < 0 { -size } else { size }
}

/// `1024·log2(v + 128)`, linear between powers of two; `v` in sixteenths of a count.
fn log(v: u32) -> i32 {
    let v = v.saturating_add(128);
    let exponent = v.ilog2();
    let fraction = (v << (31 - exponent)) >> 21 & 1023;
    (exponent << 10 | fraction) as i32
}

#[cfg(test)]
mod tests;
