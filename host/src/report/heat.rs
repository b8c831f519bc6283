//! Tables of numbers read by shade: confusion matrix, angles between class subspaces, base networks
//! used per class.
//!
//! One hue from paper to full: a cell's shade is t in 0..=1, drawn as opacity, so that it works on
//! light and on dark paper. In a confusion matrix t is the share of the row; what is right and what
//! is wrong have a hue each. Cells large enough carry their figure.

use super::canvas::{self, Anchor, Canvas, SMALL, TEXT, WIDTH, text_width};
use super::number::{self, Unit};
use super::{Plot, theme};

/// What a cell's shade says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Shading {
    /// The share of its row's sum; cells whose row and column have one name count as right.
    RowShare,
    /// Strong is much: value / the largest value.
    #[default]
    High,
    /// Strong is little: 1 − value / this.
    Low {
        /// The value that is left as paper.
        paper: f64,
    },
}

/// A matrix with named rows and columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatMap {
    /// What it shows, in words.
    pub name: String,
    /// What the rows are ("true class"); may be empty.
    pub row_title: String,
    /// What the columns are ("predicted class"); may be empty.
    pub column_title: String,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// (rows, columns); not finite: left blank.
    pub values: Vec<Vec<f64>>,
    /// How the figures are written.
    pub unit: Unit,
    /// What the shades say.
    pub shading: Shading,
}

impl HeatMap {
    /// A confusion matrix: `counts` // (rows: true classes, columns: predicted classes).
    pub fn confusion(rows: Vec<String>, columns: Vec<String>, counts: &[Vec<u64>]) -> Self {
        HeatMap {
            name: "Confusion matrix".into(),
            row_title: "true class".into(),
            column_title: "predicted class".into(),
            rows,
            columns,
            values: counts.iter().map(|r| r.iter().map(|c| *c as f64).collect()).collect(),
            unit: Unit::Count,
            shading: Shading::RowShare,
        }
    }

    /// Angles between the subspaces of classes in degrees, 0..=90 // (classes, classes); small
    /// angles, where classes are alike, are strong. The diagonal is left blank.
    pub fn angles(classes: Vec<String>, degrees: &[Vec<f64>]) -> Self {
        let blank = |i: usize, (j, v): (usize, &f64)| if i == j { f64::NAN } else { *v };
        HeatMap {
            name: "Angles between class subspaces".into(),
            row_title: String::new(),
            column_title: String::new(),
            rows: classes.clone(),
            columns: classes,
            values: degrees
                .iter()
                .enumerate()
                .map(|(i, r)| r.iter().enumerate().map(|c| blank(i, c)).collect())
                .collect(),
            unit: Unit::Degrees,
            shading: Shading::Low { paper: 90.0 },
        }
    }

    /// Shares (fractions of one) of `columns` in each row, written in percent, such as the base
    /// networks that a class uses. Shares below 0.5 % carry no figure.
    pub fn shares(name: &str, rows: Vec<String>, columns: Vec<String>, values: Vec<Vec<f64>>) -> Self {
        HeatMap {
            name: name.into(),
            row_title: String::new(),
            column_title: String::new(),
            rows,
            columns,
            values,
            unit: Unit::Percent,
            shading: Shading::High,
        }
    }

    fn problem(&self) -> Option<String> {
        if self.rows.is_empty() || self.columns.is_empty() {
            return Some("no data".into());
        }
        if self.values.len() != self.rows.len() {
            let (got, expected) = (self.values.len(), self.rows.len());
            return Some(format!("{got} rows of values for {expected} row names"));
        }
        let expected = self.columns.len();
        let ragged = self.values.iter().position(|r| r.len() != expected);
        ragged.map(|i| {
            let got = self.values.get(i).map_or(0, Vec::len);
            format!("row {} has {got} values for {expected} column names", i + 1)
        })
    }

    /// Shade of a cell, 0..=1, and whether it is in the second hue.
    fn shade(&self, row: usize, column: usize, largest: f64) -> Option<(f64, bool)> {
        let values = self.values.get(row)?;
        let value = values.get(column).copied().filter(|v| v.is_finite())?;
        Some(match self.shading {
            Shading::RowShare => {
                let sum: f64 = values.iter().filter(|v| v.is_finite()).map(|v| v.max(0.0)).sum();
                let wrong = self.rows.get(row) != self.columns.get(column);
                (if sum > 0.0 { (value / sum).clamp(0.0, 1.0) } else { 0.0 }, wrong)
            }
            Shading::High if largest > 0.0 => ((value / largest).clamp(0.0, 1.0), false),
            Shading::High => (0.0, false),
            Shading::Low { paper } if paper > 0.0 => ((1.0 - value / paper).clamp(0.0, 1.0), false),
            Shading::Low { .. } => (0.0, false),
        })
    }

    /// A cell's figure, without the unit that the title names.
    fn cell_text(&self, value: f64) -> String {
        match self.unit {
            Unit::Percent if value.abs() < 0.005 => String::new(),
            Unit::Percent => number::fixed(value * 100.0, 0),
            Unit::Degrees => number::fixed(value, 0),
            Unit::Count if value == 0.0 => String::new(),
            Unit::Count if value.abs() < 1e5 => number::fixed(value, 0),
            unit => number::figure(value, unit),
        }
    }

    /// The share of each row that lies in the column of its own name.
    fn recall(&self, row: usize) -> Option<f64> {
        let column = self.columns.iter().position(|c| Some(c) == self.rows.get(row))?;
        let values = self.values.get(row)?;
        let sum: f64 = values.iter().filter(|v| v.is_finite()).sum();
        let hit = values.get(column).copied().filter(|v| v.is_finite())?;
        (sum > 0.0).then_some(hit / sum)
    }
}

/// A cell of shade 0 is still a cell.
fn opacity(shade: f64) -> f64 {
    0.03 + 0.97 * shade
}

/// Cells narrower than this carry no figure.
const FIGURE_CELL: f64 = 18.0;

impl Plot for HeatMap {
    fn svg(&self) -> String {
        if let Some(why) = self.problem() {
            return canvas::empty(&self.name, &why);
        }
        let widest = |names: &[String]| names.iter().map(|n| text_width(n, TEXT)).fold(0.0, f64::max);
        let left = widest(&self.rows).min(170.0) + 8.5;
        let recalls = self.shading == Shading::RowShare;
        let tail = if recalls { 62.0 } else { 4.0 };
        let count = self.columns.len() as f64;
        let name_length = widest(&self.columns).min(150.0);
        // Level names if they fit their cells at the largest size, else names that rise at 45°.
        let cell = ((WIDTH - left - tail) / count).min(64.0);
        let level = name_length <= cell - 6.0;
        let slack = if level { 0.0 } else { (name_length * 0.71).max(tail) - tail };
        let cell = ((WIDTH - left - tail - slack) / count).min(64.0);
        let size = if cell < FIGURE_CELL { cell.min(14.0) } else { cell.clamp(FIGURE_CELL, 28.0) };
        let title = match (self.row_title.as_str(), self.column_title.as_str()) {
            ("", "") => String::new(),
            (row, "") => format!("{row} ↓"),
            ("", column) => format!("{column} →"),
            (row, column) => format!("{row} ↓  {column} →"),
        };
        let head = if title.is_empty() { 6.0 } else { 26.0 } + if level { 18.0 } else { name_length * 0.71 + 14.0 };

        let bottom = head + size * self.rows.len() as f64;
        let mut canvas = Canvas::new(bottom + 8.0);
        if !title.is_empty() {
            canvas.text("soft", Anchor::Start, (0.0, 12.0), &canvas::fit(&title, WIDTH, TEXT));
        }
        // Names stand at every k-th line where lines are closer than type.
        let every = |pitch: f64, needed: f64| (needed / pitch).ceil().max(1.0) as usize;
        for (j, name) in self.columns.iter().enumerate().step_by(every(cell, if level { 13.0 } else { 18.0 })) {
            let x = left + (j as f64 + 0.5) * cell;
            let name = canvas::fit(name, name_length + 0.5, TEXT);
            match level {
                true => canvas.text("", Anchor::Middle, (x, head - 8.0), &name),
                false => canvas.turned("", Anchor::Start, (x + 2.0, head - 7.0), -45.0, &name),
            }
        }
        for (i, name) in self.rows.iter().enumerate().step_by(every(size, 13.0)) {
            let y = head + (i as f64 + 0.5) * size + 4.0;
            canvas.text("", Anchor::End, (left - 8.0, y), &canvas::fit(name, left - 8.0, TEXT));
        }
        self.draw_cells(&mut canvas, (left, head), (cell, size));
        if recalls {
            let x = left + cell * count + 10.0;
            let mut shown = false;
            for i in (0..self.rows.len()).step_by(every(size, 13.0)) {
                if let Some(share) = self.recall(i) {
                    let y = head + (i as f64 + 0.5) * size + 4.0;
                    canvas.text("soft", Anchor::End, (x + 40.0, y), &format!("{}%", number::fixed(share * 100.0, 0)));
                    shown = true;
                }
            }
            if shown && level {
                canvas.text("soft", Anchor::End, (x + 40.0, head - 8.0), "recall");
            } else if shown {
                canvas.turned("soft", Anchor::Start, (x + 22.0, head - 7.0), -45.0, "recall");
            }
        }
        canvas.finish(&self.name)
    }
}

impl HeatMap {
    fn draw_cells(&self, canvas: &mut Canvas, (left, head): (f64, f64), (cell, size): (f64, f64)) {
        let finite = self.values.iter().flatten().copied().filter(|v| v.is_finite());
        let largest = finite.fold(0.0, f64::max);
        let gap = if cell >= FIGURE_CELL { 1.0 } else { 0.0 };
        for (hue, second) in [(theme::hue(0), false), (theme::hue(1), true)] {
            canvas.open(&hue);
            for (i, row) in self.values.iter().enumerate() {
                for (j, value) in row.iter().enumerate() {
                    let Some((t, wrong)) = self.shade(i, j, largest) else {
                        continue;
                    };
                    if wrong != second || (t == 0.0 && gap == 0.0) {
                        continue;
                    }
                    let at = (left + j as f64 * cell, head + i as f64 * size);
                    canvas.open_titled("", &self.cell_title(i, j, *value));
                    canvas.rect("cell", opacity(t), at, (cell - gap, size - gap));
                    canvas.close();
                }
            }
            canvas.close();
        }
        if cell < FIGURE_CELL {
            return;
        }
        for (i, row) in self.values.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                let Some((t, _)) = self.shade(i, j, largest) else {
                    continue;
                };
                let text = self.cell_text(*value);
                let small = text_width(&text, TEXT) > cell - 5.0;
                if text.is_empty() || (small && text_width(&text, SMALL) > cell - 2.0) {
                    continue;
                }
                let class = theme::on_cell(opacity(t));
                let class = if small { format!("{class} sm") } else { class.into() };
                let at = (left + (j as f64 + 0.5) * cell - 0.5, head + (i as f64 + 0.5) * size + 3.5);
                canvas.text(&class, Anchor::Middle, at, &text);
            }
        }
    }

    fn cell_title(&self, row: usize, column: usize, value: f64) -> String {
        let name = |names: &[String], i: usize| names.get(i).cloned().unwrap_or_default();
        let (row, column) = (name(&self.rows, row), name(&self.columns, column));
        format!("{row} → {column}: {}", number::figure(value, self.unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class {i}")).collect()
    }

    #[test]
    fn a_confusion_matrix_tells_right_from_wrong_by_name() {
        let columns = vec!["b".to_string(), "a".to_string()];
        let map = HeatMap::confusion(vec!["a".into(), "b".into()], columns, &[vec![1, 3], vec![4, 0]]);
        assert_eq!(map.shade(0, 1, 4.0), Some((0.75, false)));
        assert_eq!(map.shade(0, 0, 4.0), Some((0.25, true)));
        assert_eq!((map.recall(0), map.recall(1)), (Some(0.75), Some(1.0)));
    }

    #[test]
    fn small_angles_are_strong_and_the_diagonal_is_blank() {
        let map = HeatMap::angles(names(2), &[vec![0.0, 30.0], vec![30.0, 0.0]]);
        assert_eq!(map.shade(0, 0, 90.0), None);
        let (t, _) = map.shade(0, 1, 90.0).unwrap();
        assert!((t - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn ragged_values_are_named() {
        let map = HeatMap::shares("x", names(2), names(3), vec![vec![0.1; 3], vec![0.2; 2]]);
        assert!(map.svg().contains("row 2 has 2 values for 3 column names"));
    }
}
