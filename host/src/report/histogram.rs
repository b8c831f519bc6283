//! How often values fall where: bars over equal bins, stacked by kind.
//!
//! Bins are equal on the axis, so by ratio on a logarithmic one: bin i of n reaches from
//! `lo + i·(hi − lo)/n` to the next, over ln v there. Values without a place on the axis are counted
//! in the note at the foot.

use super::canvas::{self, Anchor, Canvas, SMALL, TEXT, WIDTH, bold_width, text_width};
use super::frame::{FOOT, Frame, HEAD};
use super::scale::{Axis, Mapping, Scale};
use super::{Plot, number, theme};
use crate::report::Unit;

/// Values by kind, over one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// What the values are.
    pub x: Axis,
    /// What is counted, e.g. `networks`.
    pub counted: String,
    /// Kinds with their values, the first at the bottom of every bar.
    pub kinds: Vec<(String, Vec<f64>)>,
    /// Number of bins, 1 to 200; 0 is 60.
    pub bins: usize,
}

/// Height of the bars' area.
const HEIGHT: f64 = 240.0;
/// Widest that the names at the right may be.
const NAMES: f64 = 190.0;
/// Width of bold type to that of plain.
const BOLD: f64 = 1.13;
/// Room of one name with its count below.
const ENTRY: f64 = 34.0;

impl Histogram {
    /// A histogram of 60 bins.
    pub fn new(x: Axis, counted: impl Into<String>, kinds: Vec<(String, Vec<f64>)>) -> Self {
        Histogram { x, counted: counted.into(), kinds, bins: 0 }
    }

    /// Counts of each kind by bin, and the bins' edges on the axis; `None` of no values.
    fn counts(&self) -> Option<(Vec<Vec<usize>>, Vec<f64>)> {
        let bins = if self.bins == 0 { 60 } else { self.bins.min(200) };
        let log = self.x.scale == Scale::Log;
        let inner = |v: f64| if log { v.clamp(1e-150, 1e150).ln() } else { v.clamp(-1e150, 1e150) };
        let outer = |v: f64| if log { v.exp() } else { v };
        let taken = || self.kinds.iter().flat_map(|k| &k.1).copied().filter(|v| self.x.takes(*v)).map(inner);
        let (mut lo, mut hi) = taken().fold((f64::INFINITY, f64::NEG_INFINITY), |m, v| (m.0.min(v), m.1.max(v)));
        if lo > hi {
            return None;
        }
        if hi - lo <= lo.abs().max(hi.abs()) * 1e-12 {
            let half = if log || lo == 0.0 { 0.5 } else { lo.abs() * 0.1 };
            (lo, hi) = (lo - half, hi + half);
        }
        let bin = |v: f64| (((v - lo) / (hi - lo) * bins as f64) as usize).min(bins - 1);
        let counts = self.kinds.iter().map(|(_, values)| {
            let mut row = vec![0; bins];
            for v in values.iter().copied().filter(|v| self.x.takes(*v)) {
                row[bin(inner(v))] += 1;
            }
            row
        });
        let edges = (0..=bins).map(|i| outer(lo + (hi - lo) * i as f64 / bins as f64));
        Some((counts.collect(), edges.collect()))
    }

    fn name(&self) -> String {
        match self.x.label.as_str() {
            "" => "Histogram".into(),
            label => format!("{} by {label}", if self.counted.is_empty() { "count" } else { &self.counted }),
        }
    }
}

impl Plot for Histogram {
    fn svg(&self) -> String {
        let Some((counts, edges)) = self.counts() else { return canvas::empty(&self.name(), "no data") };
        let bins = edges.len() - 1;
        let totals: Vec<usize> = (0..bins).map(|b| counts.iter().map(|c| c[b]).sum()).collect();
        let entries: Vec<(String, String)> = self
            .kinds
            .iter()
            .zip(&counts)
            .map(|((name, _), row)| {
                let count = number::figure(row.iter().sum::<usize>() as f64, Unit::Count);
                (canvas::fit(name, NAMES / BOLD, TEXT), count)
            })
            .collect();
        let widest = entries.iter().map(|(n, c)| bold_width(n, TEXT).max(text_width(c, SMALL))).fold(0.0, f64::max);
        let height = HEIGHT.max(ENTRY * entries.len() as f64);
        let places = (HEAD + height, HEAD);
        let tallest = totals.iter().copied().max().unwrap_or(0) as f64;
        let axis = Axis::new(self.counted.clone(), Unit::Count).at_least(0.0, 0.0);
        let Some(y) = Mapping::new(&axis, [0.0, tallest].into_iter(), 0.0, places) else {
            return canvas::empty(&self.name(), "no data");
        };
        let ticks = y.ticks(5);
        let right = WIDTH - (widest + 18.0).clamp(24.0, NAMES + 18.0);
        let frame = Frame { left: Frame::margin(&ticks), right, top: places.1, bottom: places.0 };
        let Some(x) = Mapping::new(&self.x, edges.iter().copied(), 0.0, (frame.left, frame.right)) else {
            return canvas::empty(&self.name(), "no data");
        };
        let mut canvas = Canvas::new(frame.bottom + FOOT);
        frame.draw_y(&mut canvas, &ticks, &self.counted);
        let mut floors = vec![0usize; bins];
        for (k, row) in counts.iter().enumerate() {
            canvas.open(&theme::hue(k));
            for b in (0..bins).filter(|b| row[*b] > 0) {
                let (Some(from), Some(to)) = (x.at(edges[b]), x.at(edges[b + 1])) else { continue };
                let (low, high) = (floors[b], floors[b] + row[b]);
                if let (Some(bottom), Some(top)) = (y.at(low as f64), y.at(high as f64)) {
                    let gap = if to - from > 3.0 { 0.5 } else { 0.0 };
                    canvas.rect("cell", 1.0, (from + gap, top), (to - from - 2.0 * gap, bottom - top));
                }
                floors[b] = high;
            }
            canvas.close();
        }
        frame.draw_x(&mut canvas, &x.ticks(6), &self.x.label);
        for (k, (name, count)) in entries.iter().enumerate() {
            let at = (frame.right + 12.0, frame.top + 10.0 + ENTRY * k as f64);
            canvas.open(&theme::hue(k));
            canvas.text("b", Anchor::Start, at, name);
            canvas.close();
            canvas.text("soft sm", Anchor::Start, (at.0, at.1 + 14.0), count);
        }
        let lost = self.kinds.iter().map(|k| k.1.len()).sum::<usize>() - totals.iter().sum::<usize>();
        if lost > 0 {
            frame.note(&mut canvas, &format!("{lost} without a place on this axis"));
        }
        canvas.finish(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bin() {
        let values: Vec<f64> = (1..=1000).map(|i| f64::from(i) * 1e-3).collect();
        for axis in [Axis::plain("loss"), Axis::plain("loss").log()] {
            let plot = Histogram::new(axis, "networks", vec![("all".into(), values.clone())]);
            let (counts, edges) = plot.counts().unwrap();
            assert_eq!((counts[0].iter().sum::<usize>(), edges.len()), (1000, 61));
            assert!((edges[0] - 1e-3).abs() < 1e-9 && (edges[60] - 1.0).abs() < 1e-9);
        }
        let linear = Histogram::new(Axis::plain(""), "", vec![("".into(), values)]).counts().unwrap();
        assert!(linear.0[0].iter().all(|c| (16..=17).contains(c)), "{:?}", linear.0);
    }

    #[test]
    fn values_without_a_place_are_named() {
        let kinds = vec![("a".to_string(), vec![1.0, 10.0, -1.0, f64::NAN])];
        let svg = Histogram::new(Axis::plain("loss").log(), "networks", kinds).svg();
        assert!(svg.contains("2 without a place"), "{svg}");
    }
}
