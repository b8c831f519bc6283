//! The table of classes: which there are, which are unseen, and their attributes.
//!
//! CSV with a header: `name[,split],ATTRIBUTE…`, one class a row. The column `split` says `seen`
//! or `unseen`; without it every class is seen. Attributes are finite numbers.

use super::table::{Row, Table};
use anyhow::{Context, bail, ensure};

/// One row a class, in the file's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClassTable {
    pub classes: Vec<String>,
    /// Classes marked `unseen`, ascending.
    pub unseen: Vec<u16>,
    pub attribute_names: Vec<String>,
    /// (classes, attribute_names) row-major
    pub attributes: Vec<f32>,
}

impl ClassTable {
    /// Reads the table; `file` is its name in errors.
    ///
    /// # Errors
    /// By file, row and column: a value that is not a finite number, an empty cell, a ragged row,
    /// a class named twice, a split that is neither `seen` nor `unseen`, an unseen class where
    /// there are no attributes to know it by.
    pub(super) fn parse(text: &[u8], file: &str) -> anyhow::Result<Self> {
        let table = Table::new(text.to_vec(), file, b',')?;
        let split = table.header.iter().position(|name| name == "split");
        let columns: Vec<usize> = (1..table.header.len()).filter(|&column| Some(column) != split).collect();
        let mut classes =
            Self { attribute_names: columns.iter().map(|&c| table.header[c].clone()).collect(), ..Self::default() };
        table.for_each(|row| classes.add(&table, row, split, &columns))?;
        ensure!(
            classes.unseen.is_empty() || !classes.attribute_names.is_empty(),
            "{file}: class \"{}\" is unseen but the table has no attribute columns; an unseen \
             class is known by its attributes alone, so add at least one column of them",
            classes.classes[usize::from(classes.unseen[0])]
        );
        Ok(classes)
    }

    fn add(&mut self, table: &Table, row: &Row<'_>, split: Option<usize>, columns: &[usize]) -> anyhow::Result<()> {
        let name = row.cell(0);
        ensure!(!name.is_empty(), "{}: expected a class name, got nothing", row.place(0));
        ensure!(
            !self.classes.iter().any(|class| class == name),
            "{}: class \"{name}\" is here for the second time; keep one row a class",
            row.place(0)
        );
        let index =
            u16::try_from(self.classes.len()).with_context(|| format!("{}: more than 65536 classes", row.place(0)))?;
        if let Some(column) = split {
            match row.cell(column) {
                "seen" => {}
                "unseen" => self.unseen.push(index),
                other => bail!("{}: expected seen or unseen, got \"{other}\"", row.place(column)),
            }
        }
        for &column in columns {
            ensure!(
                !row.cell(column).is_empty(),
                "{}: class \"{name}\" has no attribute \"{}\" (the cell is empty); give every \
                 class a number for every attribute",
                row.place(column),
                table.header[column]
            );
            self.attributes.push(row.number(column)? as f32);
        }
        self.classes.push(name.to_string());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", ClassTable::parse(text.as_bytes(), "classes.csv").unwrap_err())
    }

    #[test]
    fn reads_names_splits_and_attributes() {
        let text = "name,split,fast,round\nstir,seen,0,1\nshake,unseen,1,0.25\n";
        let table = ClassTable::parse(text.as_bytes(), "classes.csv").unwrap();
        assert_eq!(table.classes, ["stir", "shake"]);
        assert_eq!(table.unseen, [1]);
        assert_eq!(table.attribute_names, ["fast", "round"]);
        assert_eq!(table.attributes, [0.0, 1.0, 1.0, 0.25]);
    }

    #[test]
    fn names_row_and_column_of_what_is_wrong() {
        let cases = [
            ("name,fast\nstir,\n", "class \"stir\" has no attribute \"fast\""),
            ("name,fast\nstir,NaN\n", "classes.csv:2: column \"fast\": expected a finite number"),
            ("name,fast\nstir,quick\n", "got \"quick\""),
            ("name,fast\nstir,1\nstir,2\n", "classes.csv:3: column \"name\": class \"stir\" is here for the second"),
            ("name,split,fast\nstir,sean,1\n", "expected seen or unseen, got \"sean\""),
            ("name,split\nstir,unseen\n", "no attribute columns"),
            ("name,fast\nstir,1,2\n", "classes.csv:2: 3 cells, expected 2"),
            ("name,fast\n,2\n", "expected a class name, got nothing"),
            ("name,fast\n", "no rows of data"),
        ];
        for (text, expected) in cases {
            let got = error(text);
            assert!(got.contains(expected), "for {text:?} got {got:?}, expected {expected:?}");
        }
    }
}
