//! Tables of results: words at the left, figures at the right, `mean ± deviation` with the digits
//! of one column the same, so that they compare by eye.

use super::canvas::escape;
use super::number::{self, MISSING, Unit};

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number with its decimals.
    Number {
        /// The number; not finite is written –.
        value: f64,
        /// Digits after the point.
        decimals: usize,
    },
    /// A mean over seeds with its deviation.
    Mean {
        /// The mean; not finite is written –.
        mean: f64,
        /// The deviation; not finite leaves the mean alone.
        deviation: f64,
        /// Digits after the point, of both.
        decimals: usize,
    },
    /// A number in a unit that says how it is written ([`Unit::Bytes`]: 2.1 KiB).
    Measure(f64, Unit),
    /// A whole number, written in full.
    Count(u64),
    /// Not measured.
    Missing,
}

impl Cell {
    /// `mean ± deviation`.
    pub fn mean(mean: f64, deviation: f64, decimals: usize) -> Self {
        Cell::Mean { mean, deviation, decimals }
    }

    /// Mean and sample deviation (n − 1) of `values`: none give [`Cell::Missing`], one no deviation.
    pub fn over(values: &[f64], decimals: usize) -> Self {
        let n = values.len() as f64;
        match values {
            [] => Cell::Missing,
            [value] => Cell::Number { value: *value, decimals },
            _ => {
                let mean = values.iter().sum::<f64>() / n;
                let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
                Cell::Mean { mean, deviation: (squares / (n - 1.0)).sqrt(), decimals }
            }
        }
    }

    fn is_figure(&self) -> bool {
        !matches!(self, Cell::Text(_))
    }

    fn text(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Number { value, decimals } => number::fixed(*value, *decimals),
            Cell::Mean { mean, deviation, decimals } if mean.is_finite() && deviation.is_finite() => {
                format!("{} ± {}", number::fixed(*mean, *decimals), number::fixed(*deviation, *decimals))
            }
            Cell::Mean { mean, decimals, .. } => number::fixed(*mean, *decimals),
            Cell::Measure(value, unit) => number::column(*value, *unit),
            Cell::Count(count) => number::grouped(&count.to_string()),
            Cell::Missing => MISSING.into(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Cell::Count(count)
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Cell::Count(count as u64)
    }
}

/// A table of results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows; short ones are filled with –, cells beyond the columns are not shown.
    pub rows: Vec<Vec<Cell>>,
    /// Rows set in bold.
    pub strong: Vec<usize>,
}

impl Table {
    /// A table without rows.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Table { columns: columns.into_iter().map(Into::into).collect(), ..Table::default() }
    }

    /// The same table with one more row.
    pub fn row(mut self, cells: Vec<Cell>) -> Self {
        self.rows.push(cells);
        self
    }

    /// The same table with its last row in bold.
    pub fn strong(mut self) -> Self {
        self.strong.extend(self.rows.len().checked_sub(1));
        self
    }

    /// Whether a column holds figures only, and is set to the right.
    fn right(&self, column: usize) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|r| r.get(column).is_none_or(Cell::is_figure))
    }

    fn cell(&self, row: &[Cell], column: usize) -> String {
        row.get(column).map_or_else(|| MISSING.into(), Cell::text)
    }

    /// A `<table>` element; it scrolls by itself where the page is too narrow.
    pub fn html(&self) -> String {
        if self.rows.is_empty() {
            return "<p class=\"none\">no data</p>\n".into();
        }
        let class = |j: usize| if self.right(j) { " class=\"num\"" } else { "" };
        let mut out = String::from("<div class=\"wide\"><table>\n<thead><tr>");
        for (j, name) in self.columns.iter().enumerate() {
            out += &format!("<th scope=\"col\"{}>{}</th>", class(j), escape(name));
        }
        out += "</tr></thead>\n<tbody>\n";
        for (i, row) in self.rows.iter().enumerate() {
            out += if self.strong.contains(&i) { "<tr class=\"strong\">" } else { "<tr>" };
            for j in 0..self.columns.len() {
                out += &format!("<td{}>{}</td>", class(j), escape(&self.cell(row, j)));
            }
            out += "</tr>\n";
        }
        out + "</tbody>\n</table></div>\n"
    }

    /// The same table in Markdown, for `docs/results/`.
    pub fn markdown(&self) -> String {
        let escape = |text: String| text.replace('|', "\\|").replace('\n', " ");
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut out = line(self.columns.iter().cloned().map(escape).collect());
        let rules = (0..self.columns.len()).map(|j| if self.right(j) { "---:" } else { "---" });
        out += &line(rules.map(String::from).collect());
        for (i, row) in self.rows.iter().enumerate() {
            let bold = |t: String| {
                if self.strong.contains(&i) { format!("**{t}**") } else { t }
            };
            out += &line((0..self.columns.len()).map(|j| bold(escape(self.cell(row, j)))).collect());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(["method", "T1", "bytes"])
            .row(vec!["ParsNets".into(), Cell::over(&[59.0, 60.0, 61.0], 1), Cell::Measure(9216.0, Unit::Bytes)])
            .strong()
            .row(vec!["a|b <c>".into(), Cell::mean(f64::NAN, 1.0, 1)])
    }

    #[test]
    fn figures_stand_at_the_right_and_words_at_the_left() {
        let html = table().html();
        assert!(html.contains("<th scope=\"col\">method</th><th scope=\"col\" class=\"num\">T1</th>"));
        assert!(html.contains("<td class=\"num\">60.0 ± 1.0</td><td class=\"num\">9.0 KiB</td>"));
        assert!(html.contains("<td>a|b &lt;c&gt;</td><td class=\"num\">–</td><td class=\"num\">–</td>"));
    }

    #[test]
    fn markdown_says_the_same() {
        let expected = "| method | T1 | bytes |\n| --- | ---: | ---: |\n\
            | **ParsNets** | **60.0 ± 1.0** | **9.0 KiB** |\n| a\\|b <c> | – | – |\n";
        assert_eq!(table().markdown(), expected);
    }

    #[test]
    fn few_seeds_are_said_plainly() {
        assert_eq!(Cell::over(&[], 1), Cell::Missing);
        assert_eq!(Cell::over(&[2.0], 1).text(), "2.0");
        assert_eq!(Cell::over(&[1.0, 3.0], 2).text(), "2.00 ± 1.41");
        assert_eq!(Cell::Count(1234567).text(), "1,234,567");
    }
}
