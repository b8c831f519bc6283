//! CSV tables with a header, read so that every complaint can name file, row and column.
//!
//! Rows are counted as an editor shows them: from 1, the header included, empty lines too.

use anyhow::{Context, anyhow, ensure};
use std::path::Path;

/// A table whose header is checked; its rows are visited one at a time.
pub(super) struct Table {
    /// File name for errors.
    pub file: String,
    pub header: Vec<String>,
    text: Vec<u8>,
    delimiter: u8,
}

/// One row of data: as many cells as the header has, trimmed.
pub(super) struct Row<'a> {
    table: &'a Table,
    /// 1-based line of the file.
    pub line: u64,
    record: &'a csv::StringRecord,
}

impl Table {
    /// Opens a file; `delimiter` is a byte such as `b','`.
    ///
    /// # Errors
    /// As [`Table::new`], and if the file cannot be read.
    pub(super) fn open(path: &Path, delimiter: u8) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::new(text, &path.display().to_string(), delimiter)
    }

    /// # Errors
    /// An empty file, or a header with a column named twice or not at all, with numbers only, or
    /// of one column that seems to be parted by another delimiter.
    pub(super) fn new(mut text: Vec<u8>, file: &str, delimiter: u8) -> anyhow::Result<Self> {
        if text.starts_with(b"\xef\xbb\xbf") {
            text.drain(..3);
        }
        ensure!(
            !text.trim_ascii().is_empty(),
            "{file}: the file is empty; expected a header row and at least one row of data"
        );
        let mut table = Self { file: file.to_string(), header: Vec::new(), text, delimiter };
        let mut record = csv::StringRecord::new();
        table.reader().read_record(&mut record).map_err(|error| unreadable(file, &error))?;
        table.header = record.iter().map(str::to_string).collect();
        let line = Lines::new(&table.text).of_record(0);
        check_header(&table.header, file, line, delimiter)?;
        Ok(table)
    }

    /// Visits every row of data in order.
    ///
    /// # Errors
    /// The visitor's first; no rows at all, a row of another width than the header's, text that is
    /// not UTF-8.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Row<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut reader = self.reader();
        let mut record = csv::StringRecord::new();
        let mut lines = Lines::new(&self.text);
        let mut count = 0usize;
        while reader.read_record(&mut record).map_err(|error| unreadable(&self.file, &error))? {
            let line = lines.of_record(record.position().map_or(0, csv::Position::byte) as usize);
            count += 1;
            if count == 1 {
                continue;
            }
            let (got, expected) = (record.len(), self.header.len());
            ensure!(
                got == expected,
                "{}:{line}: {got} cells, expected {expected} as in the header; a delimiter is \
                 missing or too many, or the recording was cut short while it was written",
                self.file
            );
            visit(&Row { table: self, line, record: &record })?;
        }
        ensure!(count > 1, "{}: a header but no rows of data", self.file);
        Ok(())
    }

    /// The index of a column by name.
    ///
    /// # Errors
    /// If there is none, with the names there are.
    pub(super) fn column(&self, name: &str) -> anyhow::Result<usize> {
        self.header
            .iter()
            .position(|column| column == name)
            .ok_or_else(|| anyhow!("{}:1: no column \"{name}\"; the header has {}", self.file, self.header.join(", ")))
    }

    fn reader(&self) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(&self.text)
    }
}

impl Row<'_> {
    /// A cell's text; empty past the last column.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.record.get(column).unwrap_or_default()
    }

    /// A cell as a finite number.
    ///
    /// # Errors
    /// If it is not one, by file, row and column.
    pub(super) fn number(&self, column: usize) -> anyhow::Result<f64> {
        let cell = self.cell(column);
        match cell.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(anyhow!(
                "{}: expected a finite number, got {}; correct the cell or remove the row",
                self.place(column),
                if cell.is_empty() { "an empty cell".into() } else { format!("\"{cell}\"") }
            )),
        }
    }

    /// `FILE:LINE: column "NAME"`, to begin an error with.
    pub(super) fn place(&self, column: usize) -> String {
        let name = self.table.header.get(column).map_or("", String::as_str);
        format!("{}:{}: column \"{name}\"", self.table.file, self.line)
    }
}

fn check_header(header: &[String], file: &str, line: u64, delimiter: u8) -> anyhow::Result<()> {
    for (index, name) in header.iter().enumerate() {
        ensure!(!name.is_empty(), "{file}:{line}: column {} of the header has no name", index + 1);
        ensure!(!header[..index].contains(name), "{file}:{line}: column \"{name}\" is in the header twice");
    }
    if let [only] = header {
        for other in [b';', b'\t', b','] {
            ensure!(
                other == delimiter || !only.as_bytes().contains(&other),
                "{file}:{line}: the header is one column, \"{only}\"; if columns are parted by \
                 {:?}, say delimiter = {:?} in dataset.toml",
                char::from(other),
                char::from(other).to_string()
            );
        }
    }
    ensure!(
        header.iter().any(|name| name.parse::<f64>().is_err()),
        "{file}:{line}: the first row is all numbers; expected a header that names the columns"
    );
    Ok(())
}

fn unreadable(file: &str, error: &csv::Error) -> anyhow::Error {
    match (error.kind(), error.position()) {
        (csv::ErrorKind::Utf8 { err, .. }, Some(position)) => {
            anyhow!("{file}:{}: column {}: not UTF-8 text; save the file as UTF-8", position.line(), err.field() + 1)
        }
        _ => anyhow!("{file}: {error}"),
    }
}

/// Turns the reader's byte offsets, which only grow, into 1-based line numbers. The reader says
/// where it stood before it skipped empty lines, so those are counted here.
struct Lines<'a> {
    text: &'a [u8],
    byte: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, byte: 0, line: 1 }
    }

    /// Line of the first byte at or after `byte` that is not part of an empty line.
    fn of_record(&mut self, byte: usize) -> u64 {
        let rest = self.text.get(byte..).unwrap_or_default();
        let empty = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let passed = self.text.get(self.byte..byte + empty).unwrap_or_default();
        self.line += passed.iter().filter(|&&b| b == b'\n').count() as u64;
        self.byte += passed.len();
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lines and cells of every row.
    fn read(text: &[u8]) -> anyhow::Result<Vec<(u64, Vec<String>)>> {
        let table = Table::new(text.to_vec(), "a.csv", b',')?;
        let mut rows = Vec::new();
        table.for_each(|row| {
            rows.push((row.line, row.record.iter().map(str::to_string).collect()));
            Ok(())
        })?;
        Ok(rows)
    }

    fn error(text: &[u8]) -> String {
        format!("{:#}", read(text).unwrap_err())
    }

    #[test]
    fn counts_lines_as_an_editor_does() {
        let rows = read(b"\xef\xbb\xbfx,y\r\n\r\n1, 2\r\n\n\n3,4").unwrap();
        assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [3, 6]);
        assert_eq!(rows[0].1, ["1", "2"]);
        assert_eq!(read(b"\n\nx\n\"a\nb\"\nc\n").unwrap().iter().map(|r| r.0).collect::<Vec<_>>(), [4, 6]);
    }

    #[test]
    fn names_what_is_wrong() {
        let cases: [(&[u8], &str); 9] = [
            (b"", "a.csv: the file is empty"),
            (b" \n\n", "a.csv: the file is empty"),
            (b"x,y\n", "a.csv: a header but no rows"),
            (b"x,y\n1,2\n3\n", "a.csv:3: 1 cells, expected 2"),
            (b"x,y\n1,2,3\n", "a.csv:2: 3 cells, expected 2"),
            (b"x,x\n1,2\n", "column \"x\" is in the header twice"),
            (b"x;y\n1;2\n", "say delimiter = \";\" in dataset.toml"),
            (b"1,2\n3,4\n", "the first row is all numbers"),
            (b"x,y\n1,2\n3,\xff\n", "a.csv:3: column 2: not UTF-8"),
        ];
        for (text, expected) in cases {
            let got = error(text);
            assert!(got.contains(expected), "for {text:?} got {got:?}, expected {expected:?}");
        }
    }

    #[test]
    fn numbers_are_finite_or_named() {
        let text = b"x\n1.5\nNaN\ninf\n-inf\n\"\"\none\n".to_vec();
        let table = Table::new(text, "a.csv", b',').unwrap();
        let mut results = Vec::new();
        table
            .for_each(|row| {
                results.push((row.line, row.number(0).map_err(|error| error.to_string())));
                Ok(())
            })
            .unwrap();
        assert_eq!(results[0], (2, Ok(1.5)));
        assert_eq!(results.len(), 6);
        for (line, result) in &results[1..] {
            let expected = format!("a.csv:{line}: column \"x\": expected a finite number");
            let got = result.as_ref().unwrap_err();
            assert!(got.starts_with(&expected), "{got}");
        }
        let got = table.column("y").unwrap_err().to_string();
        assert_eq!(got, "a.csv:1: no column \"y\"; the header has x");
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(text in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(rows) = read(&text) {
                let lines = text.iter().filter(|&&b| b == b'\n').count() as u64 + 1;
                prop_assert!(rows.iter().all(|row| row.0 >= 1 && row.0 <= lines));
            }
        }
    }
}
