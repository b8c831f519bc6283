//! Many points on a plane: where a population's parameters lie.
//!
//! Points are drawn as cells of 2 × 2 units; k of them in one cell are drawn once, with opacity
//! `1 − (1 − 0.4)^k`, so that ten thousand points stay small and dense places are darker. Marks are
//! places to compare with, e.g. a paper's.

use std::collections::BTreeMap;

use super::canvas::{self, Anchor, Canvas, Marker, SMALL, TEXT, WIDTH, bold_width, text_width};
use super::frame::{FOOT, Frame, HEAD};
use super::scale::{Axis, Mapping};
use super::{Plot, number, theme};
use crate::report::Unit;

/// Points of several kinds, and marks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScatterPlot {
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// Kinds with their points.
    pub kinds: Vec<(String, Vec<(f64, f64)>)>,
    /// Rings, with a name in the list at the right.
    pub marks: Vec<(f64, f64)>,
    /// What the marks are.
    pub marked: String,
}

/// Side of a cell.
const CELL: f64 = 2.0;
/// Opacity of one point.
const ONE: f64 = 0.4;
/// Widest that the names at the right may be.
const NAMES: f64 = 190.0;
/// Width of bold type to that of plain.
const BOLD: f64 = 1.13;
/// Room of one name with its count below.
const ENTRY: f64 = 34.0;

impl ScatterPlot {
    /// A plot without marks.
    pub fn new(x: Axis, y: Axis, kinds: Vec<(String, Vec<(f64, f64)>)>) -> Self {
        ScatterPlot { x, y, kinds, ..ScatterPlot::default() }
    }

    /// The same plot with rings at `marks`.
    pub fn marks(mut self, marked: impl Into<String>, marks: Vec<(f64, f64)>) -> Self {
        self.marked = marked.into();
        self.marks = marks;
        self
    }

    fn takes(&self, point: &(f64, f64)) -> bool {
        self.x.takes(point.0) && self.y.takes(point.1)
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.kinds.iter().flat_map(|k| &k.1).chain(&self.marks).filter(|p| self.takes(p))
    }
}

impl Plot for ScatterPlot {
    fn svg(&self) -> String {
        let name = match (self.y.label.as_str(), self.x.label.as_str()) {
            ("", "") => "Points".to_string(),
            (y, x) => format!("{y} against {x}"),
        };
        let mut entries: Vec<(String, String)> = Vec::new();
        for (kind, points) in &self.kinds {
            let count = points.iter().filter(|p| self.takes(p)).count();
            entries.push((canvas::fit(kind, NAMES / BOLD, TEXT), number::figure(count as f64, Unit::Count)));
        }
        let marked = !self.marked.is_empty() && self.marks.iter().any(|p| self.takes(p));
        if marked {
            entries.push((canvas::fit(&self.marked, NAMES / BOLD, TEXT), String::new()));
        }
        let widest = entries.iter().map(|(n, c)| bold_width(n, TEXT).max(text_width(c, SMALL))).fold(0.0, f64::max);
        let height = 330f64.max(ENTRY * entries.len() as f64);
        let places = (HEAD + height, HEAD);
        let Some(y) = Mapping::new(&self.y, self.points().map(|p| p.1), 0.04, places) else {
            return canvas::empty(&name, "no data");
        };
        let ticks = y.ticks(6);
        let right = WIDTH - (widest + 30.0).clamp(24.0, NAMES + 30.0);
        let frame = Frame { left: Frame::margin(&ticks), right, top: places.1, bottom: places.0 };
        let Some(x) = Mapping::new(&self.x, self.points().map(|p| p.0), 0.04, (frame.left, frame.right)) else {
            return canvas::empty(&name, "no data");
        };
        let mut canvas = Canvas::new(frame.bottom + FOOT);
        frame.draw_y(&mut canvas, &ticks, &self.y.label);
        frame.draw_x(&mut canvas, &x.ticks(7), &self.x.label);
        let place = |p: &(f64, f64)| Some((x.at(p.0)?, y.at(p.1)?));
        for (k, (_, points)) in self.kinds.iter().enumerate() {
            let mut cells: BTreeMap<(i64, i64), i32> = BTreeMap::new();
            for (px, py) in points.iter().filter_map(place) {
                // The last cell of an axis may not reach beyond it.
                let column = (((px - frame.left).min(frame.right - frame.left - CELL)) / CELL).floor() as i64;
                let row = (((py - frame.top).min(frame.bottom - frame.top - CELL)) / CELL).floor() as i64;
                *cells.entry((column, row)).or_default() += 1;
            }
            canvas.open(&theme::hue(k));
            for ((column, row), count) in cells {
                let at = (frame.left + CELL * column as f64, frame.top + CELL * row as f64);
                canvas.rect("cell", 1.0 - (1.0 - ONE).powi(count), at, (CELL, CELL));
            }
            canvas.close();
        }
        let hue = theme::hue(self.kinds.len());
        canvas.open(&hue);
        for at in self.marks.iter().filter_map(place) {
            canvas.line("err", (at.0 - 5.0, at.1), (at.0 + 5.0, at.1));
            canvas.line("err", (at.0, at.1 - 5.0), (at.0, at.1 + 5.0));
            canvas.marker("thin", Marker::Circle, at, 4.0);
        }
        canvas.close();
        for (k, (name, count)) in entries.iter().enumerate() {
            let at = (frame.right + 24.0, frame.top + 10.0 + ENTRY * k as f64);
            canvas.open(&theme::hue(k));
            canvas.text("b", Anchor::Start, at, name);
            canvas.close();
            canvas.text("soft sm", Anchor::Start, (at.0, at.1 + 14.0), count);
        }
        canvas.finish(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_take_few_cells() {
        let points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i % 7), f64::from(i % 11))).collect();
        let svg = ScatterPlot::new(Axis::plain("w"), Axis::plain("b"), vec![("neurons".into(), points)]).svg();
        assert_eq!(svg.matches("class=\"cell\"").count(), 77);
        assert!(svg.contains("100k"));
    }
}
