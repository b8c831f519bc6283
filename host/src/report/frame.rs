//! The frame of a plot: hairline grid, few ticks, axis names written where they are read.
//!
//! No box and no vertical rule: the grid's lines carry the y ticks, a thin line the x axis.

use super::canvas::{Anchor, Canvas, SMALL, TEXT, WIDTH, text_width};
use super::scale::Tick;

/// Room above the plot for the name of the y axis.
pub(super) const HEAD: f64 = 30.0;
/// Room below the plot for ticks and the name of the x axis.
pub(super) const FOOT: f64 = 42.0;

/// The rectangle that the data fill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// Room that y labels need at the left of the plot.
    pub(super) fn margin(ticks: &[Tick]) -> f64 {
        ticks.iter().map(|t| text_width(&t.label, TEXT)).fold(24.0, f64::max) + 10.0
    }

    /// Horizontal hairlines with their labels, and the axis' name above.
    pub(super) fn draw_y(&self, canvas: &mut Canvas, ticks: &[Tick], name: &str) {
        for tick in ticks {
            canvas.line("grid", (self.left, tick.at), (self.right, tick.at));
            canvas.text("soft", Anchor::End, (self.left - 8.0, tick.at + 4.0), &tick.label);
        }
        let name = super::canvas::fit(&format!("↑ {name}"), WIDTH, TEXT);
        canvas.text("soft", Anchor::Start, (0.0, self.top - 14.0), &name);
    }

    /// The base line with short ticks, and the axis' name at its right end.
    pub(super) fn draw_x(&self, canvas: &mut Canvas, ticks: &[Tick], name: &str) {
        canvas.line("axis", (self.left, self.bottom), (self.right, self.bottom));
        let mut used = f64::NEG_INFINITY;
        for tick in ticks {
            canvas.line("axis", (tick.at, self.bottom), (tick.at, self.bottom + 4.0));
            let half = text_width(&tick.label, TEXT) / 2.0;
            let x = tick.at.max(half).min(WIDTH - half);
            if x - half >= used {
                canvas.text("soft", Anchor::Middle, (x, self.bottom + 17.0), &tick.label);
                used = x + half + 6.0;
            }
        }
        let name = super::canvas::fit(&format!("{name} →"), self.right, TEXT);
        canvas.text("soft", Anchor::End, (self.right, self.bottom + 34.0), &name);
    }

    /// A remark in small type at the foot, left.
    pub(super) fn note(&self, canvas: &mut Canvas, text: &str) {
        let text = super::canvas::fit(text, (self.right - self.left) * 0.6, SMALL);
        canvas.text("soft sm", Anchor::Start, (self.left, self.bottom + 34.0), &text);
    }
}
