//! Singular values within and between classes: how many directions the data of a class need, and
//! how many tell classes apart.
//!
//! Faint lines are single classes, the strong one their root mean square at each index. The ring
//! marks the least k whose values hold 95 % of the energy: Σ_{i≤k} σᵢ² ≥ 0.95 Σ σᵢ².

use super::canvas::{self, Anchor, Canvas, Marker, SMALL, TEXT, WIDTH, bold_width, text_width};
use super::frame::{FOOT, Frame, HEAD};
use super::scale::{Axis, Mapping, Scale, Tick};
use super::{Plot, label, theme};

/// Two kinds of spectrum over the index of the singular value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpectrumPlot {
    /// Singular values of each class about its own mean, largest first.
    pub within: Vec<(String, Vec<f64>)>,
    /// Singular values of the class means, largest first.
    pub between: Vec<f64>,
}

/// The share of the energy that the ring marks.
const ENERGY: f64 = 0.95;

impl SpectrumPlot {
    /// A plot of the spectra of classes (`within`: name, values) and of their means (`between`).
    pub fn new(within: Vec<(String, Vec<f64>)>, between: Vec<f64>) -> Self {
        SpectrumPlot { within, between }
    }

    /// Root mean square over the classes at each index, over those that have one.
    fn typical(&self) -> Vec<f64> {
        let longest = self.within.iter().map(|w| w.1.len()).max().unwrap_or(0);
        (0..longest)
            .filter_map(|i| {
                let there: Vec<f64> =
                    self.within.iter().filter_map(|w| w.1.get(i)).copied().filter(|v| v.is_finite()).collect();
                // Scaled by the largest, so that squares neither overflow nor vanish.
                let top = there.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                if there.is_empty() || top == 0.0 {
                    return (!there.is_empty()).then_some(0.0);
                }
                let mean = there.iter().map(|v| (v / top).powi(2)).sum::<f64>() / there.len() as f64;
                Some(mean.sqrt() * top)
            })
            .collect()
    }
}

/// 1 and the multiples of a round step up to `longest`, at most nine in all.
fn index_ticks(longest: usize) -> Vec<usize> {
    let steps = std::iter::successors(Some(1usize), |s| s.checked_mul(10)).flat_map(|s| [s, s * 2, s * 5]);
    let step = steps.into_iter().take(40).find(|s| longest / s <= 8).unwrap_or(longest);
    let multiples = (1..=longest / step).map(|k| k * step).filter(|k| *k > 1);
    std::iter::once(1).chain(multiples).collect()
}

/// The least k whose first k values hold `share` of the sum of squares; `None` if all are zero.
pub(super) fn energy_rank(values: &[f64], share: f64) -> Option<usize> {
    let top = values.iter().filter(|v| v.is_finite()).fold(0.0, |m: f64, v| m.max(v.abs()));
    if top == 0.0 {
        return None;
    }
    let squares: Vec<f64> = values.iter().map(|v| if v.is_finite() { (v / top).powi(2) } else { 0.0 }).collect();
    let total: f64 = squares.iter().sum();
    let mut sum = 0.0;
    let found = squares.iter().position(|s| {
        sum += s;
        sum >= share * total * (1.0 - 1e-12)
    });
    found.map(|k| k + 1)
}

impl Plot for SpectrumPlot {
    fn svg(&self) -> String {
        const NAME: &str = "Singular values within and between classes";
        let typical = self.typical();
        let all = || self.within.iter().map(|w| &w.1).chain([&self.between]);
        let finite = || all().flatten().copied().filter(|v| v.is_finite() && *v >= 0.0);
        let top = finite().fold(0.0, f64::max);
        if top == 0.0 {
            return canvas::empty(NAME, "no data");
        }
        // A numerical zero is no point of a logarithmic axis: six decades are enough.
        let floor = top * 1e-6;
        let low = finite().filter(|v| *v > floor).fold(top, f64::min);
        let scale = if top / low > 30.0 { Scale::Log } else { Scale::Linear };
        let mut axis = Axis { scale, ..Axis::plain("singular value σₖ") };
        if scale == Scale::Linear {
            axis = axis.at_least(0.0, 0.0);
        }
        let kept = |v: f64| v.is_finite() && (scale == Scale::Linear || v > floor);

        let mut lines: Vec<(&str, String, &[f64])> = Vec::new();
        if !typical.is_empty() {
            let of = format!("root mean square of {}", self.within.len());
            lines.push(("within classes", of, &typical));
        }
        if !self.between.is_empty() {
            lines.push(("between classes", String::new(), &self.between));
        }
        for (_, remark, values) in &mut lines {
            if let Some(k) = energy_rank(values, ENERGY) {
                let energy = format!("95% of energy: k = {k}");
                *remark = if remark.is_empty() { energy } else { format!("{energy} ({remark})") };
            }
        }
        // The long remark about the mean is for the screen reader and the pointer; the page shows
        // the short part.
        let short = |remark: &str| remark.split(" (").next().unwrap_or_default().to_string();
        let widest =
            lines.iter().map(|l| bold_width(l.0, TEXT).max(text_width(&short(&l.1), SMALL))).fold(0.0, f64::max);

        let places = (HEAD + 240.0, HEAD);
        let Some(y) = Mapping::new(&axis, finite().filter(|v| kept(*v)), 0.05, places) else {
            return canvas::empty(NAME, "no data");
        };
        let ticks = y.ticks(5);
        let frame =
            Frame { left: Frame::margin(&ticks), right: WIDTH - widest - 18.0, top: places.1, bottom: places.0 };
        let longest = all().map(Vec::len).max().unwrap_or(1).max(1);
        let span = [1.0, longest as f64].into_iter();
        let Some(x) = Mapping::new(&Axis::plain(""), span, 0.0, (frame.left + 6.0, frame.right)) else {
            return canvas::empty(NAME, "no data");
        };
        let mut canvas = Canvas::new(frame.bottom + FOOT);
        frame.draw_y(&mut canvas, &ticks, &axis.label);
        let ticks = index_ticks(longest).into_iter();
        let ticks = ticks.filter_map(|k| Some(Tick { at: x.at(k as f64)?, label: k.to_string() }));
        frame.draw_x(&mut canvas, &ticks.collect::<Vec<_>>(), "index k");

        let place = |values: &[f64]| -> Vec<(f64, f64)> {
            let kept = values.iter().enumerate().filter(|(_, v)| kept(**v));
            kept.filter_map(|(k, v)| Some((x.at((k + 1) as f64)?, y.at(*v)?))).collect()
        };
        canvas.open(&theme::hue(0));
        for (name, values) in &self.within {
            canvas.open_titled("", name);
            canvas.path("faint", &place(values), false);
            canvas.close();
        }
        canvas.close();
        let ends: Vec<Option<(f64, f64)>> = lines.iter().map(|l| place(l.2).last().copied()).collect();
        let wanted: Vec<f64> = ends.iter().map(|e| e.map_or(frame.top, |e| e.1)).collect();
        let spots = label::spread(&wanted, 34.0, (frame.top, frame.bottom - 16.0));
        for (i, ((name, remark, values), spot)) in lines.iter().zip(spots).enumerate() {
            let hue = if *name == "within classes" { 0 } else { 1 };
            canvas.open_titled(&theme::hue(hue), &format!("{name}: {remark}"));
            let points = place(values);
            canvas.path("ln", &points, false);
            for p in points.iter().take(if points.len() > 60 { 0 } else { 60 }) {
                canvas.marker("dot", Marker::of(hue), *p, 2.6);
            }
            if let Some(p) = energy_rank(values, ENERGY).and_then(|k| points.get(k - 1)) {
                canvas.marker("ring", Marker::of(hue), *p, 5.0);
            }
            if let Some(end) = ends[i] {
                let at = frame.right + 12.0;
                if (spot - end.1).abs() > 3.0 || end.0 < frame.right - 4.0 {
                    canvas.line("lead", (end.0 + 5.0, end.1), (at - 2.0, spot));
                }
                canvas.text("b", Anchor::Start, (at, spot + 4.0), name);
                canvas.text("soft sm", Anchor::Start, (at, spot + 18.0), &short(remark));
            }
            canvas.close();
        }
        canvas.finish(NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_rank_counts_squares() {
        assert_eq!(energy_rank(&[3.0, 1.0, 0.0], 0.9), Some(1));
        assert_eq!(energy_rank(&[3.0, 1.0, 0.0], 0.95), Some(2));
        assert_eq!(energy_rank(&[1.0; 20], 0.95), Some(19));
        assert_eq!(energy_rank(&[0.0, 0.0], 0.95), None);
        assert_eq!(energy_rank(&[1e300, 1e300], 0.5), Some(1));
    }

    #[test]
    fn indices_are_whole_and_start_at_one() {
        assert_eq!(index_ticks(1), [1]);
        assert_eq!(index_ticks(4), [1, 2, 3, 4]);
        assert_eq!(index_ticks(24), [1, 5, 10, 15, 20]);
        assert_eq!(index_ticks(561), [1, 100, 200, 300, 400, 500]);
    }

    #[test]
    fn the_typical_class_is_the_root_mean_square() {
        let plot = SpectrumPlot::new(vec![("a".into(), vec![3.0, 1.0]), ("b".into(), vec![1.0])], vec![]);
        let typical = plot.typical();
        assert!((typical[0] - 5f64.sqrt()).abs() < 1e-12 && typical[1] == 1.0);
    }
}
