//! Accuracy against cost, and who is best for what one can pay.
//!
//! The Pareto front (`pareto.rs`) is a step line; points on it are filled, the others hollow. Each
//! kind of model has a colour, a marker and its name beside one of its points.

use super::canvas::{self, Anchor, Canvas, Marker, SMALL, TEXT, WIDTH, bold_width, text_width};
use super::frame::{FOOT, Frame, HEAD};
use super::label::{Box2, Crowd};
use super::pareto::{pareto, stairs};
use super::scale::{Axis, Mapping, Scale};
use super::{Plot, number, theme};

/// One model: what it costs and how good it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrontPoint {
    /// Multiply-accumulates or bytes, in the unit of the x axis; > 0 on a logarithmic axis.
    pub cost: f64,
    /// Mean accuracy, in the unit of the y axis; more is better.
    pub value: f64,
    /// Deviation over seeds, drawn as a bar of ± this.
    pub deviation: Option<f64>,
    /// Its setting ("K=8 r=4"), drawn where there is room and always shown when pointed at.
    pub label: Option<String>,
}

impl FrontPoint {
    /// A point without deviation or label.
    pub fn new(cost: f64, value: f64) -> Self {
        FrontPoint { cost, value, ..FrontPoint::default() }
    }

    /// The same point with a bar of ± `deviation`.
    pub fn deviation(mut self, deviation: f64) -> Self {
        self.deviation = Some(deviation);
        self
    }

    /// The same point with its setting.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    fn spread(&self) -> f64 {
        self.deviation.filter(|d| d.is_finite()).unwrap_or(0.0).abs()
    }
}

/// Models of one kind: one colour, one marker, one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrontSeries {
    /// Written beside one of its points.
    pub name: String,
    /// Its models; joined by a thin line in order of cost.
    pub points: Vec<FrontPoint>,
}

impl FrontSeries {
    /// A named series.
    pub fn new(name: impl Into<String>, points: Vec<FrontPoint>) -> Self {
        FrontSeries { name: name.into(), points }
    }
}

/// Accuracy against cost for several kinds of model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrontPlot {
    /// The cost, usually logarithmic: `Axis::count("multiply-accumulates").log()`.
    pub cost: Axis,
    /// The accuracy.
    pub value: Axis,
    /// The kinds of model.
    pub series: Vec<FrontSeries>,
    /// Whether points of a kind are single models, not one model's settings along a line.
    pub single: bool,
}

impl FrontPlot {
    /// A plot of `series`, with the cost on a logarithmic axis.
    pub fn new(cost: Axis, value: Axis, series: Vec<FrontSeries>) -> Self {
        FrontPlot { cost: Axis { scale: Scale::Log, ..cost }, value, series, single: false }
    }

    /// The same plot without lines between points of a kind.
    pub fn single(mut self) -> Self {
        self.single = true;
        self
    }

    fn drawn(&self) -> impl Iterator<Item = &FrontPoint> {
        self.series.iter().flat_map(|s| &s.points).filter(|p| self.takes(p))
    }

    fn takes(&self, point: &FrontPoint) -> bool {
        self.cost.takes(point.cost) && self.value.takes(point.value)
    }
}

/// Of more points than this only those on the front carry their setting.
const MANY: usize = 20;
/// Radius of a marker.
const R: f64 = 4.2;

impl Plot for FrontPlot {
    fn svg(&self) -> String {
        let name = match self.value.label.as_str() {
            "" => "Value against cost".into(),
            label => format!("{label} against {}", self.cost.label),
        };
        let values = self.drawn().flat_map(|p| [p.value - p.spread(), p.value, p.value + p.spread()]);
        let places = (HEAD + 330.0, HEAD);
        let Some(y) = Mapping::new(&self.value, values, 0.07, places) else {
            return canvas::empty(&name, "no data");
        };
        let y_ticks = y.ticks(6);
        let frame = Frame { left: Frame::margin(&y_ticks), right: WIDTH - 16.0, top: places.1, bottom: places.0 };
        let Some(x) = Mapping::new(&self.cost, self.drawn().map(|p| p.cost), 0.06, (frame.left, frame.right)) else {
            return canvas::empty(&name, "no data");
        };
        let mut canvas = Canvas::new(frame.bottom + FOOT);
        frame.draw_y(&mut canvas, &y_ticks, &self.value.label);
        frame.draw_x(&mut canvas, &x.ticks(6), &self.cost.label);
        let total: usize = self.series.iter().map(|s| s.points.len()).sum();
        let left_out = total - self.drawn().count();
        if left_out > 0 {
            let text = format!("{left_out} of {total} points are not finite or cost nothing: not drawn");
            frame.note(&mut canvas, &text);
        }
        self.draw(&mut canvas, &frame, &x, &y);
        canvas.finish(&name)
    }
}

impl FrontPlot {
    fn draw(&self, canvas: &mut Canvas, frame: &Frame, x: &Mapping, y: &Mapping) {
        let area = Box2 { x0: frame.left + 2.0, y0: frame.top - 8.0, x1: WIDTH - 2.0, y1: frame.bottom - 3.0 };
        let mut crowd = Crowd::new(area);
        let at = |p: &FrontPoint| Some((x.at(p.cost)?, y.at(p.value)?));

        let points: Vec<&FrontPoint> = self.drawn().collect();
        let front = pareto(&points.iter().map(|p| (p.cost, p.value)).collect::<Vec<_>>());
        let steps = stairs(&front.iter().filter_map(|i| at(points[*i])).collect::<Vec<_>>(), frame.right);
        canvas.path("front", &steps, false);
        for w in steps.windows(2) {
            crowd.block_line(w[0], w[1], 1.0);
        }
        let best: Vec<&FrontPoint> = front.iter().map(|i| points[*i]).collect();

        for (i, series) in self.series.iter().enumerate() {
            canvas.open(&theme::hue(i));
            let mut order: Vec<&FrontPoint> = series.points.iter().filter(|p| self.takes(p)).collect();
            order.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.value.total_cmp(&b.value)));
            let line: Vec<(f64, f64)> = order.iter().filter_map(|p| at(p)).collect();
            if !self.single {
                canvas.path("thin", &line, false);
                for w in line.windows(2) {
                    crowd.block_line(w[0], w[1], 0.7);
                }
            }
            for (point, place) in order.iter().zip(&line) {
                if let (true, Some(lo), Some(hi)) = (
                    point.spread() > 0.0,
                    y.at_or_low(point.value - point.spread()),
                    y.at(point.value + point.spread()),
                ) {
                    canvas.line("err", (place.0, lo), (place.0, hi));
                    crowd.block_line((place.0, lo), (place.0, hi), 2.0);
                }
            }
            for (point, place) in order.iter().zip(&line) {
                let filled = best.iter().any(|b| std::ptr::eq(*b, *point));
                canvas.open_titled("", &self.title(series, point));
                canvas.marker(if filled { "dot" } else { "ring" }, Marker::of(i), *place, R);
                canvas.close();
                crowd.block(Box2::around(*place, R + 1.0, R + 1.0), 4.0);
            }
            canvas.close();
        }
        self.name_series(canvas, &mut crowd, at);
        name_front(canvas, &mut crowd, &steps);
        self.name_points(canvas, &mut crowd, &best, at);
    }

    /// The name of each series, beside whichever of its points has most room.
    fn name_series(&self, canvas: &mut Canvas, crowd: &mut Crowd, at: impl Fn(&FrontPoint) -> Option<(f64, f64)>) {
        for (i, series) in self.series.iter().enumerate() {
            let name = canvas::fit(&series.name, 200.0, TEXT);
            let places: Vec<(f64, f64)> = series.points.iter().filter(|p| self.takes(p)).filter_map(&at).collect();
            let tries: Vec<_> = places.iter().flat_map(|p| around(*p, bold_width(&name, TEXT), TEXT)).collect();
            let boxes: Vec<(Box2, f64)> = tries.iter().map(|t| (t.0, t.1)).collect();
            let Some(best) = crowd.settle(&boxes, f64::INFINITY) else {
                continue;
            };
            let (b, _, point) = tries[best];
            canvas.open(&theme::hue(i));
            lead(canvas, &b, point);
            canvas.text("b halo", Anchor::Start, (b.x0, b.y1 - 3.0), &name);
            canvas.close();
        }
    }

    /// Settings, those on the front first, where they cover nothing; of many points only those.
    fn name_points(
        &self,
        canvas: &mut Canvas,
        crowd: &mut Crowd,
        best: &[&FrontPoint],
        at: impl Fn(&FrontPoint) -> Option<(f64, f64)>,
    ) {
        let on_front = |p: &FrontPoint| best.iter().any(|b| std::ptr::eq(*b, p));
        let all = self.series.iter().enumerate().flat_map(|(i, s)| s.points.iter().map(move |p| (i, p)));
        let mut points: Vec<(usize, &FrontPoint)> = all.filter(|(_, p)| self.takes(p)).collect();
        points.sort_by_key(|(_, p)| !on_front(p));
        if points.len() > MANY {
            points.retain(|(_, p)| on_front(p));
        }
        for (series, point) in points {
            let (Some(text), Some(place)) = (point.label.as_ref().filter(|l| !l.is_empty()), at(point)) else {
                continue;
            };
            let text = canvas::fit(text, 120.0, SMALL);
            let tries = around(place, text_width(&text, SMALL), SMALL);
            let near: Vec<(Box2, f64)> = tries.iter().take(NEAR).map(|t| (t.0, t.1)).collect();
            if let Some(i) = crowd.settle(&near, if on_front(point) { 60.0 } else { 30.0 }) {
                let b = near[i].0;
                canvas.open(&theme::hue(series));
                canvas.text("sm halo", Anchor::Start, (b.x0, b.y1 - 3.0), &text);
                canvas.close();
            }
        }
    }

    fn title(&self, series: &FrontSeries, point: &FrontPoint) -> String {
        let mut title = series.name.clone();
        if let Some(label) = point.label.as_ref().filter(|l| !l.is_empty()) {
            title += &format!(", {label}");
        }
        title += &format!(": {}", number::figure(point.value, self.value.unit));
        if point.spread() > 0.0 {
            title += &format!(" ± {}", number::figure(point.spread(), self.value.unit));
        }
        title + &format!(" at {} {}", number::figure(point.cost, self.cost.unit), self.cost.label)
    }
}

/// The front's own name, above or below one of its level stretches, if one has room.
fn name_front(canvas: &mut Canvas, crowd: &mut Crowd, steps: &[(f64, f64)]) {
    const NAME: &str = "Pareto front";
    let w = text_width(NAME, SMALL);
    let mut tries = Vec::new();
    for level in steps.windows(2).filter(|s| s[0].1 == s[1].1 && s[1].0 - s[0].0 > w) {
        for (y0, cost) in [(level[0].1 + 3.0, 0.0), (level[0].1 - SMALL - 5.0, 1.0)] {
            let x0 = level[1].0 - w - 4.0;
            tries.push((Box2 { x0, y0, x1: x0 + w, y1: y0 + SMALL + 3.0 }, cost));
        }
    }
    if let Some(b) = crowd.settle(&tries, 20.0).map(|i| tries[i].0) {
        canvas.text("soft sm halo", Anchor::Start, (b.x0, b.y1 - 3.0), NAME);
    }
}

/// Places of [`around`] that touch their point and need no leader.
const NEAR: usize = 8;

/// Places for a label `w` wide about `p`: (box, its own cost, the point), nearest first.
fn around(p: (f64, f64), w: f64, size: f64) -> Vec<(Box2, f64, (f64, f64))> {
    let h = size + 3.0;
    let mut out = Vec::new();
    for (ring, gap) in [R + 3.5, R + 14.0, R + 27.0].into_iter().enumerate() {
        let (x, y) = p;
        let corner = gap * 0.75;
        let places = [
            (x + gap, y - h / 2.0, 0.0),
            (x - w / 2.0, y - gap - h, 2.0),
            (x + corner, y - corner - h, 3.0),
            (x - corner - w, y - corner - h, 4.0),
            (x - gap - w, y - h / 2.0, 4.0),
            (x - w / 2.0, y + gap, 5.0),
            (x + corner, y + corner, 5.0),
            (x - corner - w, y + corner, 6.0),
        ];
        out.extend(
            places.map(|(x0, y0, cost)| (Box2 { x0, y0, x1: x0 + w, y1: y0 + h }, cost + 25.0 * ring as f64, p)),
        );
    }
    out
}

/// A leader from a point to a label that does not touch it.
fn lead(canvas: &mut Canvas, b: &Box2, (x, y): (f64, f64)) {
    let near = (x.clamp(b.x0, b.x1), y.clamp(b.y0, b.y1));
    let far = (near.0 - x).hypot(near.1 - y);
    if far > R + 8.0 {
        let t = (R + 2.0) / far;
        canvas.line("err", (x + (near.0 - x) * t, y + (near.1 - y) * t), near);
    }
}
