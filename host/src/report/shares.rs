//! Where the bytes and the multiply-accumulates go: one bar of shares for each measure, cut by
//! operator, and below it the figures.
//!
//! A segment's length is its share of its own bar, vᵢ / Σ v. Segments with room carry their name;
//! every part has its row of figures, so no label has to point at a sliver.

use super::canvas::{self, Anchor, Canvas, SMALL, TEXT, WIDTH, bold_width, text_width};
use super::number::{self, Unit};
use super::{Plot, theme};

/// One measure: a bar and a column of figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareColumn {
    /// What is measured ("flash bytes").
    pub name: String,
    /// How its figures are written.
    pub unit: Unit,
    /// One value ≥ 0 for each part.
    pub values: Vec<f64>,
}

impl ShareColumn {
    /// A named measure with one value for each part.
    pub fn new(name: impl Into<String>, unit: Unit, values: Vec<f64>) -> Self {
        ShareColumn { name: name.into(), unit, values }
    }

    fn total(&self) -> f64 {
        self.values.iter().sum()
    }
}

/// Several measures shared out over the same parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareBars {
    /// Names of the parts (operators), in the order they run.
    pub parts: Vec<String>,
    /// The measures.
    pub columns: Vec<ShareColumn>,
}

impl ShareBars {
    /// Bars of `columns` over `parts`.
    pub fn new(parts: Vec<String>, columns: Vec<ShareColumn>) -> Self {
        ShareBars { parts, columns }
    }

    fn problem(&self) -> Option<String> {
        if self.parts.is_empty() || self.columns.is_empty() {
            return Some("no data".into());
        }
        self.columns.iter().find_map(|c| {
            let (got, expected) = (c.values.len(), self.parts.len());
            if got != expected {
                return Some(format!("“{}” has {got} values for {expected} parts", c.name));
            }
            let bad = c.values.iter().position(|v| !v.is_finite() || *v < 0.0)?;
            Some(format!("“{}” of part {} is not a finite number ≥ 0", c.name, bad + 1))
        })
    }

    fn hue(&self, part: usize) -> (String, f64) {
        // Parts beyond the palette repeat its hues, paler.
        (theme::hue(part), if part < 8 { 1.0 } else { 0.62 })
    }
}

const BAR: f64 = 26.0;
const ROW: f64 = 20.0;

impl Plot for ShareBars {
    fn svg(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
        let name = format!("Shares of {}", names.join(" and "));
        if let Some(why) = self.problem() {
            return canvas::empty(&name, &why);
        }
        let head =
            |c: &ShareColumn| bold_width(&c.name, TEXT).max(text_width(&number::figure(c.total(), c.unit), SMALL));
        let left = self.columns.iter().map(head).fold(0.0, f64::max).min(180.0) + 14.0;
        let bars = self.columns.len() as f64 * (BAR + 14.0);
        let table = bars + 22.0;
        let height = table + ROW * (self.parts.len() + 1) as f64;
        let mut canvas = Canvas::new(height);
        for (i, column) in self.columns.iter().enumerate() {
            self.draw_bar(&mut canvas, column, i as f64 * (BAR + 14.0), left);
        }
        self.draw_table(&mut canvas, table, left);
        canvas.finish(&name)
    }
}

impl ShareBars {
    fn draw_bar(&self, canvas: &mut Canvas, column: &ShareColumn, y: f64, left: f64) {
        let total = column.total();
        let name = canvas::fit(&column.name, (left - 14.0) / 1.13, TEXT);
        canvas.text("b", Anchor::End, (left - 12.0, y + 12.0), &name);
        let sum = number::figure(total, column.unit);
        canvas.text("soft sm", Anchor::End, (left - 12.0, y + 25.0), &sum);
        if !(total > 0.0 && total.is_finite()) {
            canvas.line("axis", (left, y + BAR / 2.0), (WIDTH, y + BAR / 2.0));
            return;
        }
        let full = WIDTH - left;
        let mut start = left;
        for (i, (part, value)) in self.parts.iter().zip(&column.values).enumerate() {
            let width = (value / total * full).min(WIDTH - start);
            let (hue, opacity) = self.hue(i);
            let share = format!("{}%", number::fixed(value / total * 100.0, 1));
            canvas.open_titled(&hue, &format!("{part}: {} ({share})", number::figure(*value, column.unit)));
            let gap = if width > 3.0 { 1.0 } else { 0.0 };
            canvas.rect("cell", opacity, (start, y), (width - gap, BAR));
            let percent = format!("{}%", number::fixed(value / total * 100.0, 0));
            let both = format!("{part} {percent}");
            let class = theme::on_cell(opacity);
            for text in [&both, part, &percent] {
                if text_width(text, TEXT) <= width - 10.0 {
                    canvas.text(class, Anchor::Middle, (start + (width - gap) / 2.0, y + 17.0), text);
                    break;
                }
            }
            canvas.close();
            start += width;
        }
    }

    fn draw_table(&self, canvas: &mut Canvas, top: f64, left: f64) {
        let pitch = ((WIDTH - left) / (self.columns.len() as f64 + 0.8)).min(150.0);
        let ends: Vec<f64> =
            (0..self.columns.len()).map(|i| WIDTH - pitch * (self.columns.len() - 1 - i) as f64).collect();
        let first = ends.first().map_or(WIDTH, |e| e - pitch);
        for (column, end) in self.columns.iter().zip(&ends) {
            let name = canvas::fit(&column.name, pitch - 10.0, TEXT);
            canvas.text("soft", Anchor::End, (*end, top + 4.0), &name);
        }
        for (i, part) in self.parts.iter().enumerate() {
            let y = top + ROW * (i + 1) as f64;
            canvas.line("grid", (0.0, y - 9.5), (WIDTH, y - 9.5));
            let (hue, opacity) = self.hue(i);
            canvas.open(&hue);
            canvas.rect("cell", opacity, (0.0, y - 4.5), (10.0, 10.0));
            canvas.close();
            canvas.text("", Anchor::Start, (18.0, y + 4.0), &canvas::fit(part, first - 24.0, TEXT));
            for (column, end) in self.columns.iter().zip(&ends) {
                let value = column.values.get(i).copied().unwrap_or(0.0);
                let total = column.total();
                let share = if total > 0.0 { value / total * 100.0 } else { 0.0 };
                let figure = number::column(value, column.unit);
                canvas.text("", Anchor::End, (*end - 52.0, y + 4.0), &figure);
                canvas.text("soft", Anchor::End, (*end, y + 4.0), &format!("{}%", number::fixed(share, 1)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_measures_are_named() {
        let parts = vec!["dense".to_string(), "match".to_string()];
        let bars = |values| ShareBars::new(parts.clone(), vec![ShareColumn::new("bytes", Unit::Bytes, values)]).svg();
        assert!(bars(vec![1.0]).contains("“bytes” has 1 values for 2 parts"));
        assert!(bars(vec![1.0, -1.0]).contains("“bytes” of part 2 is not a finite number ≥ 0"));
        assert!(bars(vec![3.0, 1.0]).contains("dense 75%"));
        assert!(!bars(vec![0.0, 0.0]).contains("NaN"));
    }
}
