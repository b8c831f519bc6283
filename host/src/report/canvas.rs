//! The one place that writes SVG: escaped text, coordinates to a tenth, classes for colour.
//!
//! Nothing here knows a colour: marks use `currentColor`, which the classes of `theme.rs` set, so
//! the same drawing serves a light and a dark page. `text_width` bounds a label's width without the
//! reader's font: the widths are those of DejaVu Sans, the widest of the usual system fonts.

use std::fmt::Write;

/// Width of every figure, in view box units (CSS pixels at full size).
pub(super) const WIDTH: f64 = 700.0;
/// Height of ordinary text in a figure.
pub(super) const TEXT: f64 = 12.0;
/// Height of small text in a figure (class `sm`).
pub(super) const SMALL: f64 = 10.5;

/// Which end of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Shape of a marker; together with colour it tells families apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
    Diamond,
    Up,
    Down,
    Star,
}

impl Marker {
    /// The marker of the `index`-th family.
    pub(super) fn of(index: usize) -> Self {
        use Marker::*;
        [Circle, Square, Up, Diamond, Down, Star][index % 6]
    }
}

/// An SVG drawing under way.
pub(super) struct Canvas {
    height: f64,
    body: String,
}

impl Canvas {
    pub(super) fn new(height: f64) -> Self {
        Canvas { height, body: String::new() }
    }

    /// Opens a group of `class`; close it with [`Canvas::close`].
    pub(super) fn open(&mut self, class: &str) {
        let _ = write!(self.body, "<g class=\"{class}\">");
    }

    /// Opens a group that shows `title` when pointed at.
    pub(super) fn open_titled(&mut self, class: &str, title: &str) {
        let _ = write!(self.body, "<g class=\"{class}\"><title>{}</title>", escape(title));
    }

    pub(super) fn close(&mut self) {
        self.body.push_str("</g>");
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = write!(
            self.body,
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            n(x1),
            n(y1),
            n(x2),
            n(y2)
        );
    }

    /// A rectangle filled at `opacity` in 0..=1.
    pub(super) fn rect(&mut self, class: &str, opacity: f64, (x, y): (f64, f64), (w, h): (f64, f64)) {
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
            n(x),
            n(y),
            n(w.max(0.0)),
            n(h.max(0.0))
        );
        let opacity = opacity.clamp(0.0, 1.0);
        let _ = match opacity < 1.0 {
            true => write!(self.body, " fill-opacity=\"{opacity:.3}\"/>"),
            false => write!(self.body, "/>"),
        };
    }

    /// A line through `points`, closed into an area if `closed`.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)], closed: bool) {
        if points.len() < 2 {
            return;
        }
        let _ = write!(self.body, "<path class=\"{class}\" d=\"");
        for (i, (x, y)) in points.iter().enumerate() {
            let _ = write!(self.body, "{}{} {}", if i == 0 { 'M' } else { 'L' }, n(*x), n(*y));
        }
        self.body.push_str(if closed { "Z\"/>" } else { "\"/>" });
    }

    /// A marker of radius `r`.
    pub(super) fn marker(&mut self, class: &str, marker: Marker, (x, y): (f64, f64), r: f64) {
        let corners: &[(f64, f64)] = match marker {
            Marker::Circle => {
                let _ = write!(self.body, "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>", n(x), n(y), n(r));
                return;
            }
            Marker::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Marker::Diamond => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
            Marker::Up => &[(0.0, -1.25), (1.15, 0.8), (-1.15, 0.8)],
            Marker::Down => &[(0.0, 1.25), (1.15, -0.8), (-1.15, -0.8)],
            Marker::Star => {
                &[(0.0, -1.4), (0.4, -0.4), (1.4, 0.0), (0.4, 0.4), (0.0, 1.4), (-0.4, 0.4), (-1.4, 0.0), (-0.4, -0.4)]
            }
        };
        let points: Vec<_> = corners.iter().map(|(dx, dy)| (x + dx * r, y + dy * r)).collect();
        self.path(class, &points, true);
    }

    /// A text whose baseline starts, is centred or ends at the place.
    pub(super) fn text(&mut self, class: &str, anchor: Anchor, (x, y): (f64, f64), text: &str) {
        self.turned(class, anchor, (x, y), 0.0, text);
    }

    /// A text turned by `degrees` (clockwise, as SVG has it) about its place.
    pub(super) fn turned(&mut self, class: &str, anchor: Anchor, (x, y): (f64, f64), degrees: f64, text: &str) {
        let (x, y) = (n(x), n(y));
        let _ = write!(self.body, "<text x=\"{x}\" y=\"{y}\"");
        if !class.is_empty() {
            let _ = write!(self.body, " class=\"{class}\"");
        }
        match anchor {
            Anchor::Start => {}
            Anchor::Middle => self.body.push_str(" text-anchor=\"middle\""),
            Anchor::End => self.body.push_str(" text-anchor=\"end\""),
        }
        if degrees != 0.0 {
            let _ = write!(self.body, " transform=\"rotate({} {x} {y})\"", n(degrees));
        }
        let _ = write!(self.body, ">{}</text>", escape(text));
    }

    /// The finished element; `label` is what a screen reader says.
    pub(super) fn finish(self, label: &str) -> String {
        format!(
            "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" \
             width=\"{w}\" height=\"{h}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            escape(label),
            self.body,
            w = n(WIDTH),
            h = n(self.height),
        )
    }
}

/// A figure with no data: a frame of white space that says `why`.
pub(super) fn empty(label: &str, why: &str) -> String {
    let height = 90.0;
    let mut canvas = Canvas::new(height);
    canvas.line("grid", (0.0, 0.5), (WIDTH, 0.5));
    canvas.line("grid", (0.0, height - 0.5), (WIDTH, height - 0.5));
    let line = fit(&format!("{label}: {why}"), WIDTH - 20.0, TEXT);
    canvas.text("soft", Anchor::Middle, (WIDTH / 2.0, height / 2.0 + 4.0), &line);
    canvas.finish(&format!("{label}: {why}"))
}

/// Upper bound on the width of `text` set `size` high, in view box units.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let ems: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.34,
            'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '/' | '-' | '\\' | '"' => 0.43,
            'm' | 'w' | 'M' | 'W' | '@' | '%' | '—' | '…' => 1.0,
            '0'..='9' | 'a'..='z' | '_' | '·' | '–' | '°' => 0.64,
            'A'..='Z' | '&' => 0.79,
            '−' | '→' | '←' | '↑' | '↓' | '±' | '+' | '=' | '<' | '>' | '~' | '#' => 0.84,
            c if (c as u32) < 0x1100 && !c.is_control() => 0.75,
            _ => 1.05,
        })
        .sum();
    ems * size
}

/// Upper bound on the width of `text` in bold (class `b`).
pub(super) fn bold_width(text: &str, size: f64) -> f64 {
    text_width(text, size) * 1.13
}

/// `text`, cut with an ellipsis so that it is at most `width` wide.
pub(super) fn fit(text: &str, width: f64, size: f64) -> String {
    if text_width(text, size) <= width {
        return text.into();
    }
    let room = width - text_width("…", size);
    let mut used = 0.0;
    let mut out: String = text
        .chars()
        .take_while(|c| {
            used += text_width(c.encode_utf8(&mut [0; 4]), size);
            used <= room
        })
        .collect();
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// `text` with the five XML characters escaped and those that XML forbids replaced by U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A coordinate to a tenth, without trailing zeros.
fn n(value: f64) -> String {
    debug_assert!(value.is_finite(), "a coordinate that is not finite reached the canvas");
    let tenths = if value.is_finite() { (value * 10.0).round() / 10.0 } else { 0.0 };
    // Adding zero turns -0 into 0.
    format!("{}", tenths + 0.0)
}
