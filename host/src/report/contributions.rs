//! What adds up to a score: a bar a term, to the right of the axis where it speaks for the class, to the left where
//! against it, and their sum.

use super::canvas::{self, Anchor, Canvas, TEXT, WIDTH, text_width};
use super::{Plot, number, theme};

/// Named whole numbers and the score that they sum to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contributions {
    /// From top to bottom.
    pub terms: Vec<(String, i64)>,
    /// Their sum.
    pub score: i64,
}

const ROW: f64 = 20.0;

impl Contributions {
    /// `terms` from top to bottom.
    pub fn new(terms: Vec<(String, i64)>, score: i64) -> Self {
        Contributions { terms, score }
    }

    fn problem(&self) -> Option<String> {
        if self.terms.is_empty() {
            return Some("no data".into());
        }
        let sum: i128 = self.terms.iter().map(|term| i128::from(term.1)).sum();
        (sum != i128::from(self.score)).then(|| format!("the terms sum to {sum}, not to the score {}", self.score))
    }
}

impl Plot for Contributions {
    fn svg(&self) -> String {
        let name = "Terms of a score";
        if let Some(why) = self.problem() {
            return canvas::empty(name, &why);
        }
        let figure = |value: i64| number::fixed(value as f64, 0);
        let names = self.terms.iter().map(|term| text_width(&term.0, TEXT)).fold(0.0, f64::max).min(200.0);
        let figures = self.terms.iter().map(|term| term.1).chain([self.score]);
        let figures = figures.map(|value| text_width(&figure(value), TEXT)).fold(0.0, f64::max);
        let left = names + figures + 34.0;
        let middle = left + (WIDTH - left) / 2.0;
        let most = self.terms.iter().map(|term| term.1.unsigned_abs()).max().unwrap_or(0).max(1) as f64;
        let mut canvas = Canvas::new(ROW * (self.terms.len() as f64 + 1.4));
        for (i, (term, value)) in self.terms.iter().enumerate() {
            let y = ROW * i as f64;
            let length = value.unsigned_abs() as f64 / most * (WIDTH - middle);
            let start = if *value < 0 { middle - length } else { middle };
            canvas.text("", Anchor::Start, (0.0, y + 14.0), &canvas::fit(term, names + 6.0, TEXT));
            canvas.text("soft", Anchor::End, (left - 12.0, y + 14.0), &figure(*value));
            canvas.open_titled(&theme::hue(usize::from(*value < 0)), &format!("{term}: {}", figure(*value)));
            canvas.rect("cell", 1.0, (start, y + 3.0), (length, ROW - 6.0));
            canvas.close();
        }
        let end = ROW * self.terms.len() as f64;
        canvas.line("axis", (middle, 0.0), (middle, end));
        canvas.line("grid", (0.0, end + 2.0), (left - 12.0, end + 2.0));
        canvas.text("b", Anchor::Start, (0.0, end + 18.0), "score");
        canvas.text("b", Anchor::End, (left - 12.0, end + 18.0), &figure(self.score));
        canvas.finish(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_that_do_not_sum_are_said() {
        let plot = |score| Contributions::new(vec![("x".into(), 3), ("y".into(), -5)], score).svg();
        assert!(plot(-1).contains("sum to -2, not to the score -1"));
        assert!(!plot(-2).contains("sum to"));
        assert!(Contributions::default().svg().contains("no data"));
    }
}
