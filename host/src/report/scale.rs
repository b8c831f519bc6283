//! From data to places on the page: linear and logarithmic axes and their ticks.
//!
//! Linear: p(v) = from + (v − lo) / (hi − lo) · (to − from). Logarithmic: the same over ln v.
//! Ticks stand at k·s with s in {1, 2, 2.5, 5}·10ⁿ; on a logarithmic axis at powers of ten (of two
//! for bytes), with 2 and 5 between them when the axis is short.
//!
//! Bounds: values are held to |v| ≤ 1e150 (and v ≥ 1e-150 on a logarithmic axis), so that no
//! difference or ratio of two of them overflows; at most [`MAX_TICKS`] ticks are made.

use super::number::{self, Unit};

/// More ticks than this are never drawn.
pub(super) const MAX_TICKS: usize = 9;
const LARGEST: f64 = 1e150;
const SMALLEST: f64 = 1e-150;

/// How values are spaced along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equal lengths.
    #[default]
    Linear,
    /// Equal ratios are equal lengths; values ≤ 0 are left out.
    Log,
}

/// An axis: what it measures and how it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What is measured, in words, without the unit.
    pub label: String,
    /// How its figures are written.
    pub unit: Unit,
    /// Linear or logarithmic.
    pub scale: Scale,
    /// The axis reaches at least over this range; it widens to hold the data.
    pub at_least: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis in `unit`.
    pub fn new(label: impl Into<String>, unit: Unit) -> Self {
        Axis { label: label.into(), unit, scale: Scale::Linear, at_least: None }
    }

    /// A linear axis of plain numbers.
    pub fn plain(label: impl Into<String>) -> Self {
        Axis::new(label, Unit::Plain)
    }

    /// A linear axis of fractions, written in percent.
    pub fn percent(label: impl Into<String>) -> Self {
        Axis::new(label, Unit::Percent)
    }

    /// A linear axis of counts.
    pub fn count(label: impl Into<String>) -> Self {
        Axis::new(label, Unit::Count)
    }

    /// A linear axis of bytes.
    pub fn bytes(label: impl Into<String>) -> Self {
        Axis::new(label, Unit::Bytes)
    }

    /// The same axis, logarithmic.
    pub fn log(mut self) -> Self {
        self.scale = Scale::Log;
        self
    }

    /// The same axis, reaching at least from `lo` to `hi`.
    pub fn at_least(mut self, lo: f64, hi: f64) -> Self {
        self.at_least = Some((lo, hi));
        self
    }

    /// Whether `value` has a place on this axis: finite, and positive on a logarithmic one.
    pub(super) fn takes(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }
}

/// A tick: its place on the page and its label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) label: String,
}

/// An axis laid over the data and over a stretch of the page.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    log: bool,
    unit: Unit,
    lo: f64,
    hi: f64,
    from: f64,
    to: f64,
}

impl Mapping {
    /// Lays `axis` over `data`, widened by the fraction `pad` at both ends, between the places
    /// `from` and `to`. `None` if no value has a place on the axis.
    pub(super) fn new(axis: &Axis, data: impl Iterator<Item = f64>, pad: f64, (from, to): (f64, f64)) -> Option<Self> {
        let log = axis.scale == Scale::Log;
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in data.filter(|v| axis.takes(*v)) {
            lo = lo.min(inner(v, log));
            hi = hi.max(inner(v, log));
        }
        if lo > hi {
            return None;
        }
        if hi - lo <= lo.abs().max(hi.abs()) * 1e-12 {
            let half = if log { 0.7 } else { (lo.abs() * 0.1).max(SMALLEST.sqrt()) };
            let half = if !log && lo == 0.0 { 1.0 } else { half };
            (lo, hi) = (lo - half, hi + half);
        } else {
            let room = (hi - lo) * pad;
            (lo, hi) = (lo - room, hi + room);
        }
        if let Some((a, b)) = axis.at_least {
            for v in [a, b].into_iter().filter(|v| axis.takes(*v)) {
                lo = lo.min(inner(v, log));
                hi = hi.max(inner(v, log));
            }
        }
        Some(Mapping { log, unit: axis.unit, lo, hi, from, to })
    }

    /// The place of `value`, never outside the stretch; `None` if it has none on this axis.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.log && value <= 0.0) {
            return None;
        }
        Some(self.place(inner(value, self.log)))
    }

    /// As [`Mapping::at`], with values that a logarithmic axis cannot hold at its low end.
    pub(super) fn at_or_low(&self, value: f64) -> Option<f64> {
        match self.at(value) {
            None if value.is_finite() => Some(self.from),
            place => place,
        }
    }

    fn place(&self, v: f64) -> f64 {
        let t = ((v - self.lo) / (self.hi - self.lo)).clamp(0.0, 1.0);
        self.from + t * (self.to - self.from)
    }

    /// About `wanted` ticks (2 ≤ ticks ≤ [`MAX_TICKS`] where the range allows).
    pub(super) fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let wanted = wanted.clamp(2, MAX_TICKS);
        let ticks = if self.log { self.log_ticks(wanted) } else { self.linear_ticks(wanted) };
        // One notation along a logarithmic axis: powers of ten as soon as one needs it.
        let powers = self.log && self.unit == Unit::Plain && ticks.iter().any(|(v, _)| !(1e-3..1e6).contains(v));
        let label = |v: f64, step: f64| {
            if powers { number::scientific(v) } else { number::tick(v, step, self.unit) }
        };
        let mut ticks: Vec<Tick> = ticks
            .into_iter()
            .map(|(v, step)| Tick { at: self.place(if self.log { v.ln() } else { v }), label: label(v, step) })
            .collect();
        ticks.dedup_by(|a, b| a.label == b.label);
        ticks.truncate(MAX_TICKS);
        ticks
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<(f64, f64)> {
        steps(self.lo, self.hi, wanted)
    }

    fn log_ticks(&self, wanted: usize) -> Vec<(f64, f64)> {
        let base: f64 = if self.unit == Unit::Bytes { 2.0 } else { 10.0 };
        let within = |v: f64| v.ln() >= self.lo - 1e-9 && v.ln() <= self.hi + 1e-9;
        let (first, last) = ((self.lo / base.ln()).ceil(), (self.hi / base.ln()).floor());
        let powers = (last - first + 1.0).max(0.0);
        if powers >= 3.0 || (base == 2.0 && powers >= 2.0) {
            let stride = (powers / wanted as f64).ceil().max(1.0);
            let count = (powers / stride).ceil() as i32;
            return (0..count)
                .map(|k| base.powf(first + f64::from(k) * stride))
                .filter(|v| within(*v))
                .map(|v| (v, v))
                .collect();
        }
        let short: Vec<(f64, f64)> = (-1..=powers as i32)
            .map(|k| 10f64.powf((self.lo / 10f64.ln()).ceil() + f64::from(k)))
            .flat_map(|decade| [1.0, 2.0, 5.0].map(|m| (decade * m, decade)))
            .filter(|(v, _)| within(*v))
            .collect();
        if short.len() >= 2 {
            short
        } else {
            steps(self.lo.exp(), self.hi.exp(), wanted.min(4)).into_iter().filter(|(v, _)| *v > 0.0).collect()
        }
    }
}

/// Where `value` lies on the axis before it is stretched: held to the bounds above.
fn inner(value: f64, log: bool) -> f64 {
    if log { value.clamp(SMALLEST, LARGEST).ln() } else { value.clamp(-LARGEST, LARGEST) }
}

/// The multiples of a round step within `lo..=hi`, each with the step.
fn steps(lo: f64, hi: f64, wanted: usize) -> Vec<(f64, f64)> {
    let rough = (hi - lo) / wanted as f64;
    let size = 10f64.powf(rough.log10().floor());
    if !(size.is_normal() && rough.is_normal()) {
        return vec![(lo, 1.0)];
    }
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * size).find(|s| *s >= rough * 0.999).unwrap_or(size * 10.0);
    let slack = step * 1e-6;
    let first = ((lo - slack) / step).ceil();
    (0..=MAX_TICKS)
        .map(|k| (first + k as f64) * step)
        .take_while(|v| *v <= hi + slack)
        .map(|v| (v.clamp(lo, hi), step))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: &Axis, data: &[f64], wanted: usize) -> Vec<String> {
        let mapping = Mapping::new(axis, data.iter().copied(), 0.0, (0.0, 100.0)).unwrap();
        mapping.ticks(wanted).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&Axis::plain(""), &[0.0, 1.0], 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::percent(""), &[0.58, 0.81], 4), ["60%", "70%", "80%"]);
        assert_eq!(labels(&Axis::count("").log(), &[90.0, 2e5], 6), ["100", "1k", "10k", "100k"]);
        assert_eq!(labels(&Axis::bytes("").log(), &[1000.0, 9000.0], 6), ["1 KiB", "2 KiB", "4 KiB", "8 KiB"]);
        assert_eq!(labels(&Axis::count("").log(), &[900.0, 9000.0], 6), ["1k", "2k", "5k"]);
    }

    #[test]
    fn values_without_a_place_have_none() {
        assert!(Mapping::new(&Axis::plain("").log(), [0.0, -1.0].into_iter(), 0.0, (0.0, 1.0)).is_none());
        let log = Mapping::new(&Axis::plain("").log(), [1.0, 10.0].into_iter(), 0.0, (0.0, 1.0)).unwrap();
        assert_eq!(log.at(-3.0), None);
        assert_eq!(log.at(f64::NAN), None);
        assert_eq!(log.at_or_low(-3.0), Some(0.0));
        assert!((log.at(10f64.sqrt()).unwrap() - 0.5).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn any_range_has_few_ordered_ticks_in_place(
            a in any::<f64>().prop_filter("finite", |v| v.is_finite()),
            b in any::<f64>().prop_filter("finite", |v| v.is_finite()),
            log in any::<bool>(),
            bytes in any::<bool>(),
            wanted in 0usize..20,
        ) {
            let mut axis = if bytes { Axis::bytes("") } else { Axis::plain("") };
            if log { axis = axis.log(); }
            if let Some(mapping) = Mapping::new(&axis, [a, b].into_iter(), 0.05, (40.0, 640.0)) {
                let ticks = mapping.ticks(wanted);
                prop_assert!(ticks.len() <= MAX_TICKS);
                prop_assert!(ticks.iter().all(|t| (40.0..=640.0).contains(&t.at)));
                prop_assert!(ticks.windows(2).all(|w| w[0].at < w[1].at), "{:?}", ticks);
                for v in [a, b] {
                    prop_assert!(mapping.at_or_low(v).is_some_and(|p| (40.0..=640.0).contains(&p)));
                }
            }
        }
    }
}
