//! Curves against a step: loss and validation metric, with a band for mean ± deviation over seeds.
//!
//! Two measures with two units get two panels over one x axis, never two y axes in one panel. Each
//! curve is named at its end, with its last value. A value without a place (not finite, or ≤ 0 on a
//! logarithmic axis) leaves a gap. Of many points in one column of the page only the first, the
//! lowest, the highest and the last are drawn, which looks the same.

use super::canvas::{self, Anchor, Canvas, SMALL, TEXT, WIDTH, text_width};
use super::frame::{FOOT, Frame, HEAD};
use super::scale::{Axis, Mapping};
use super::{Plot, label, number, theme};

/// One curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Written at the curve's end. The same name has the same colour in every panel.
    pub name: String,
    /// (x, y), drawn in this order.
    pub points: Vec<(f64, f64)>,
    /// Half width of the band about each point, in units of y; as long as `points`.
    pub deviation: Option<Vec<f64>>,
    /// Lower and upper end of the band at each point, in its place; as long as `points`.
    pub interval: Option<Vec<(f64, f64)>>,
    /// Dashed, for a reference that was not measured along the way.
    pub dashed: bool,
    /// Markers at the points in place of the curve, for what was measured at these alone.
    pub dots: bool,
}

impl Series {
    /// A solid curve without a band.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, ..Series::default() }
    }

    /// The same curve with a band of `deviation` about it (as long as the points).
    pub fn band(mut self, deviation: Vec<f64>) -> Self {
        self.deviation = Some(deviation);
        self
    }

    /// The same curve with a band from the first to the second number (as long as the points).
    pub fn between(mut self, interval: Vec<(f64, f64)>) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Its points as markers, without the curve.
    pub fn dots(mut self) -> Self {
        self.dots = true;
        self
    }

    /// The same curve, dashed.
    pub fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }

    /// (x, lowest, middle, highest) of every point; without a band the three are one.
    fn rows(&self) -> impl Iterator<Item = (f64, f64, f64, f64)> + '_ {
        self.points.iter().enumerate().map(|(i, &(x, y))| {
            let ends = self.interval.as_ref().and_then(|ends| ends.get(i));
            if let Some(&(low, high)) = ends.filter(|e| e.0.is_finite() && e.1.is_finite()) {
                return (x, low, y, high);
            }
            let d = self.deviation.as_ref().and_then(|d| d.get(i)).copied().unwrap_or(0.0);
            let d = if d.is_finite() { d.abs() } else { 0.0 };
            (x, y - d, y, y + d)
        })
    }
}

/// Curves that share a y axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// The measure.
    pub y: Axis,
    /// The curves.
    pub series: Vec<Series>,
}

/// Panels of curves, one above the other, over one x axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinePlot {
    /// The step or setting.
    pub x: Axis,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

impl LinePlot {
    /// A plot of one panel.
    pub fn new(x: Axis, y: Axis, series: Vec<Series>) -> Self {
        LinePlot { x, panels: vec![Panel { y, series }] }
    }

    /// The same plot with one more panel below.
    pub fn panel(mut self, y: Axis, series: Vec<Series>) -> Self {
        self.panels.push(Panel { y, series });
        self
    }

    fn name(&self) -> String {
        let measures: Vec<&str> = self.panels.iter().map(|p| p.y.label.as_str()).collect();
        match measures.iter().all(|m| m.is_empty()) {
            true => "Curves".into(),
            false => format!("{} against {}", measures.join(" and "), self.x.label),
        }
    }

    fn problem(&self) -> Option<String> {
        for series in self.panels.iter().flat_map(|p| &p.series) {
            let points = series.points.len();
            let bands = [
                (series.deviation.as_ref().map(Vec::len), "deviations"),
                (series.interval.as_ref().map(Vec::len), "intervals"),
            ];
            for (band, what) in bands {
                if let Some(band) = band.filter(|b| *b != points) {
                    return Some(format!("“{}” has {points} points and {band} {what}", series.name));
                }
            }
        }
        let any = self
            .panels
            .iter()
            .any(|p| p.series.iter().any(|s| s.points.iter().any(|(x, y)| self.x.takes(*x) && p.y.takes(*y))));
        (!any).then(|| "no data".into())
    }

    /// Colour of a series: by the order in which names first appear.
    fn hue(&self, name: &str) -> String {
        let mut names: Vec<&str> = Vec::new();
        for series in self.panels.iter().flat_map(|p| &p.series) {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        theme::hue(names.iter().position(|n| *n == name).unwrap_or(0))
    }
}

/// Widest that labels at the right may be.
const LABELS: f64 = 190.0;
/// White space between two panels.
const GAP: f64 = 12.0;
/// Height of one label at the end of a curve.
const LABEL_GAP: f64 = 15.0;

impl Plot for LinePlot {
    fn svg(&self) -> String {
        if let Some(why) = self.problem() {
            return canvas::empty(&self.name(), &why);
        }
        let several = self.panels.len() > 1;
        let wanted = if several { 3 } else { 5 };
        let heights: Vec<f64> = self
            .panels
            .iter()
            .map(|p| (p.series.len() as f64 * LABEL_GAP).max(if several { 130.0 } else { 220.0 }))
            .collect();
        let ends = self.panels.iter().flat_map(|p| p.series.iter().map(|s| end_label(s, &p.y)));
        let widest = ends.map(|(a, b)| text_width(&format!("{a} {b}"), TEXT)).fold(0.0, f64::max);
        let right = WIDTH - (widest + 14.0).clamp(24.0, LABELS);

        // The left margin is that of the widest y label of all panels; it needs no final heights.
        let y_of = |p: &Panel, top: f64, bottom: f64| {
            let pairs = p.series.iter().flat_map(|s| s.rows()).filter(|r| self.x.takes(r.0));
            Mapping::new(&p.y, pairs.flat_map(|r| [r.1, r.2, r.3]), 0.05, (bottom, top))
        };
        let left = self
            .panels
            .iter()
            .filter_map(|p| y_of(p, 0.0, 100.0))
            .map(|y| Frame::margin(&y.ticks(wanted)))
            .fold(0.0, f64::max);

        let all = self.panels.iter().flat_map(|p| p.series.iter().flat_map(|s| s.points.iter().map(|q| q.0)));
        let Some(x) = Mapping::new(&self.x, all, 0.0, (left, right)) else {
            return canvas::empty(&self.name(), "no data");
        };
        let height = heights.iter().map(|h| h + HEAD + GAP).sum::<f64>() - GAP + FOOT;
        let mut canvas = Canvas::new(height);
        let mut top = 0.0;
        for (i, (panel, h)) in self.panels.iter().zip(&heights).enumerate() {
            let frame = Frame { left, right, top: top + HEAD, bottom: top + HEAD + h };
            top = frame.bottom + GAP;
            let last = i + 1 == self.panels.len();
            let Some(y) = y_of(panel, frame.top, frame.bottom) else {
                canvas.text(
                    "soft",
                    Anchor::Start,
                    (left, frame.top + h / 2.0),
                    &canvas::fit(&format!("{}: no data", panel.y.label), WIDTH - left, TEXT),
                );
                continue;
            };
            frame.draw_y(&mut canvas, &y.ticks(wanted), &panel.y.label);
            if last {
                frame.draw_x(&mut canvas, &x.ticks(6), &self.x.label);
            }
            self.draw(&mut canvas, panel, &x, &y, &frame);
        }
        canvas.finish(&self.name())
    }
}

impl LinePlot {
    fn draw(&self, canvas: &mut Canvas, panel: &Panel, x: &Mapping, y: &Mapping, frame: &Frame) {
        for series in &panel.series {
            canvas.open(&self.hue(&series.name));
            if series.deviation.is_some() || series.interval.is_some() {
                for run in runs(series, |r| Some((x.at(r.0)?, y.at(r.2)?, y.at_or_low(r.1)?, y.at(r.3)?))) {
                    let low = thin(run.iter().map(|r| (r.0, r.2)));
                    let mut area = thin(run.iter().map(|r| (r.0, r.3)));
                    area.extend(low.into_iter().rev());
                    canvas.path("band", &area, true);
                }
            }
            canvas.close();
        }
        let mut ends: Vec<(&Series, (f64, f64))> = Vec::new();
        for series in &panel.series {
            canvas.open(&self.hue(&series.name));
            let runs = runs(series, |r| Some((x.at(r.0)?, y.at(r.2)?)));
            for run in &runs {
                if series.dots {
                    for at in run {
                        canvas.marker("dot", canvas::Marker::Circle, *at, 3.5);
                    }
                    continue;
                }
                match run[..] {
                    [only] => canvas.marker("dot", canvas::Marker::Circle, only, 3.0),
                    _ => canvas.path(if series.dashed { "ln dash" } else { "ln" }, &thin(run.iter().copied()), false),
                }
            }
            ends.extend(runs.last().and_then(|r| r.last()).map(|end| (series, *end)));
            canvas.close();
        }
        let wanted: Vec<f64> = ends.iter().map(|(_, end)| end.1).collect();
        let places = label::spread(&wanted, LABEL_GAP, (frame.top, frame.bottom - 2.0));
        for ((series, end), place) in ends.iter().zip(places) {
            canvas.open(&self.hue(&series.name));
            let at = frame.right + 10.0;
            let room = end.0 < frame.right - 4.0;
            if (place - end.1).abs() > 3.0 || room {
                canvas.line("lead", (end.0.min(frame.right) + 2.0, end.1), (at - 2.0, place));
            }
            let (name, value) = end_label(series, &panel.y);
            let width = WIDTH - at;
            let name = canvas::fit(&name, width - text_width(&value, TEXT) - 5.0, TEXT);
            canvas.text("", Anchor::Start, (at, place + 4.0), &format!("{name} {value}"));
            canvas.close();
        }
    }
}

/// What stands at the end of a curve: its name and its last value.
fn end_label(series: &Series, y: &Axis) -> (String, String) {
    let last = series.points.iter().rev().map(|p| p.1).find(|v| y.takes(*v));
    let name = canvas::fit(&series.name, LABELS - 60.0, TEXT.max(SMALL));
    (name, number::figure(last.unwrap_or(f64::NAN), y.unit))
}

/// The stretches of `series` whose rows all have a place.
fn runs<T>(series: &Series, place: impl Fn((f64, f64, f64, f64)) -> Option<T>) -> Vec<Vec<T>> {
    let mut runs = vec![Vec::new()];
    for row in series.rows() {
        match (place(row), runs.last_mut()) {
            (Some(p), Some(run)) => run.push(p),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// At most four points in each half unit of x: the first, the lowest, the highest, the last.
fn thin(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let column = |p: &(f64, f64)| (p.0 * 2.0).floor() as i64;
    let points: Vec<_> = points.collect();
    let mut out = Vec::new();
    for chunk in points.chunk_by(|a, b| column(a) == column(b)) {
        let mut keep = vec![0, chunk.len() - 1];
        keep.extend((0..chunk.len()).min_by(|a, b| chunk[*a].1.total_cmp(&chunk[*b].1)));
        keep.extend((0..chunk.len()).max_by(|a, b| chunk[*a].1.total_cmp(&chunk[*b].1)));
        keep.sort_unstable();
        keep.dedup();
        out.extend(keep.into_iter().map(|i| chunk[i]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_extremes_of_a_column() {
        let many = (0..10_000).map(|i| (f64::from(i) / 100.0, if i == 777 { 50.0 } else { 1.0 }));
        let few = thin(many);
        assert!(few.len() <= 4 * 201, "{}", few.len());
        assert!(few.contains(&(7.77, 50.0)));
        assert_eq!((few[0].0, few[few.len() - 1].0), (0.0, 99.99));
    }

    #[test]
    fn a_gap_parts_a_curve() {
        let points = vec![(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 2.0), (4.0, 1.0)];
        let svg = LinePlot::new(Axis::count("step"), Axis::plain("loss"), vec![Series::new("a", points)]).svg();
        assert_eq!(svg.matches("class=\"ln\"").count(), 2);
    }

    #[test]
    fn a_band_of_another_length_is_named() {
        let series = Series::new("val", vec![(0.0, 1.0), (1.0, 2.0)]).band(vec![0.1]);
        let svg = LinePlot::new(Axis::count("step"), Axis::plain("loss"), vec![series]).svg();
        assert!(svg.contains("“val” has 2 points and 1 deviations"));
    }
}
