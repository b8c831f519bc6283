//! From a sensor's own clock to the even steps of a model's window, by straight lines between samples:
//!
//! ```text
//! y(t) = a + (b − a)·(t − t_a)/(t_b − t_a)      t_a ≤ t ≤ t_b, t = t₀, t₀ + T, t₀ + 2T, …
//! ```
//!
//! rounded to the nearest count, ties away from a. A sensor's "104 Hz" is a few per cent off and drifts;
//! the board's crystal is what a window of 50 Hz can rely on.
//!
//! Nothing overflows: |b − a| < 2¹⁶ and t_b − t_a ≤ 60 000 µs, so |b − a|·(t − t_a) + (t_b − t_a)/2 < 2³².

use super::{CHANNELS, Sample};

/// Longest time between two samples that a line may bridge [µs].
const LONGEST_GAP: u32 = 60_000;

/// Makes steps of one period out of samples at any times.
pub struct Resampler {
    /// Time between two steps [µs].
    period: u32,
    /// Time of the next step [µs], if there was a sample since the last gap.
    due: u32,
    latest: Option<(u32, Sample)>,
}

impl Resampler {
    /// `period` in microseconds, at least 1: 20 000 for 50 Hz.
    pub const fn new(period: u32) -> Self {
        Resampler { period: if period == 0 { 1 } else { period }, due: 0, latest: None }
    }

    /// Takes a sample read at `now` [µs, modulo 2³²] and gives the steps that became due, none or a few.
    ///
    /// False where samples were missing before this one: the steps begin anew with it, and what was
    /// gathered of a window should be dropped. True for the very first one.
    pub fn push(&mut self, now: u32, sample: Sample, mut step: impl FnMut(Sample)) -> bool {
        let (before, from) = match self.latest.replace((now, sample)) {
            Some(latest) if now.wrapping_sub(latest.0) <= LONGEST_GAP => latest,
            first => {
                self.due = now.wrapping_add(self.period);
                step(sample);
                return first.is_none();
            }
        };
        let span = now.wrapping_sub(before);
        // Ends after LONGEST_GAP / period turns at most: each brings `due` a period closer to `now`.
        loop {
            let into = self.due.wrapping_sub(before);
            // A step lies in (before, now], or is still to come.
            if into == 0 || into > span {
                return true;
            }
            step(core::array::from_fn::<i16, CHANNELS, _>(|c| {
                between(from.get(c).copied().unwrap_or(0), sample.get(c).copied().unwrap_or(0), into, span)
            }));
            self.due = self.due.wrapping_add(self.period);
        }
    }
}

/// The line from `a` to `b` at `into` of `span`, 0 < into ≤ span ≤ LONGEST_GAP.
fn between(a: i16, b: i16, into: u32, span: u32) -> i16 {
    let rise = u32::from(a.abs_diff(b));
    let part = (rise * into + span / 2).checked_div(span).unwrap_or(0) as i32;
    // Between a and b, so it fits.
    (i32::from(a) + if b < a { -part } else { part }) as i16
}
