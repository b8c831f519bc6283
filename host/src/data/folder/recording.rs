//! One CSV recording to runs of counts: rows in time that share class and subject.

use super::{
    config::{Channel, Config},
    nearest,
};
use crate::data::table::{Row, Table};
use anyhow::{anyhow, bail, ensure};
use std::path::Path;

/// Uninterrupted rows of one class and subject.
#[derive(Debug)]
pub(super) struct Run {
    pub class: u16,
    pub subject: String,
    /// (rows, channels) row-major
    pub samples: Vec<i16>,
    /// First line in the file.
    pub line: u64,
}

/// What is known of a file before it is read.
pub(super) struct Known<'a> {
    pub config: &'a Config,
    pub classes: &'a [String],
    /// From the file's name; needed unless a column says it.
    pub class: Option<u16>,
    pub subject: Option<String>,
}

/// The channels to read from a table like this: those listed, or every column that is not class,
/// subject or ignored.
///
/// # Errors
/// If none is left.
pub(super) fn channels(config: &Config, table: &Table) -> anyhow::Result<Vec<Channel>> {
    if !config.channels.is_empty() {
        return Ok(config.channels.clone());
    }
    let other = [config.class_column.as_ref(), config.subject_column.as_ref()];
    let channels: Vec<Channel> = table
        .header
        .iter()
        .filter(|name| !other.contains(&Some(*name)) && !config.ignore.contains(name))
        .map(|name| Channel { name: name.clone(), scale: None, unit: "count".into() })
        .collect();
    ensure!(!channels.is_empty(), "{}:1: no column is left to be a channel", table.file);
    Ok(channels)
}

/// Reads the runs of a file in order. Rows whose class cell is empty are left out and end a run.
///
/// # Errors
/// By file, row and column: a missing column, a class that is not in classes.csv, a value that is
/// not a finite number, not a whole number though no scale is given, or does not fit 16 bits.
pub(super) fn read(path: &Path, known: &Known, channels: &[Channel]) -> anyhow::Result<Vec<Run>> {
    let table = Table::open(path, known.config.delimiter)?;
    if known.config.channels.is_empty() {
        let here = self::channels(known.config, &table)?;
        let names = |channels: &[Channel]| channels.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        ensure!(
            here == channels,
            "{}:1: columns {}, expected {} as in the first recording; list the channels to use \
             in dataset.toml, or the columns to ignore",
            table.file,
            names(&here),
            names(channels)
        );
    }
    let columns: Vec<usize> = channels.iter().map(|channel| table.column(&channel.name)).collect::<Result<_, _>>()?;
    let column = |name: &Option<String>| name.as_ref().map(|name| table.column(name)).transpose();
    let class_column = column(&known.config.class_column)?;
    let subject_column = column(&known.config.subject_column)?;

    let mut runs: Vec<Run> = Vec::new();
    let mut interrupted = true;
    table.for_each(|row| {
        let class = match class_column {
            Some(column) if row.cell(column).is_empty() => None,
            Some(column) => Some(class_of(row.cell(column), known.classes, &row.place(column))?),
            None => known.class,
        };
        let Some(class) = class else {
            interrupted = true;
            return Ok(());
        };
        let subject = match subject_column {
            Some(column) => row.cell(column),
            None => known.subject.as_deref().unwrap_or_default(),
        };
        let same = |run: &&mut Run| !interrupted && run.class == class && run.subject == subject;
        let run = match runs.last_mut().filter(same) {
            Some(run) => run,
            None => {
                let subject = subject.to_string();
                runs.push(Run { class, subject, samples: Vec::new(), line: row.line });
                runs.last_mut().ok_or_else(|| anyhow!("no run"))?
            }
        };
        interrupted = false;
        for (channel, &column) in channels.iter().zip(&columns) {
            run.samples.push(counts(row, column, channel)?);
        }
        Ok(())
    })?;
    Ok(runs)
}

/// The index of class `name`; `place` begins the error.
pub(super) fn class_of(name: &str, classes: &[String], place: &str) -> anyhow::Result<u16> {
    match classes.iter().position(|class| class == name) {
        Some(index) => Ok(index as u16),
        None => bail!(
            "{place}: class \"{name}\" has no row in classes.csv, so it has no attributes{}; add \
             the row or correct the name",
            nearest(name, classes)
        ),
    }
}

fn counts(row: &Row<'_>, column: usize, channel: &Channel) -> anyhow::Result<i16> {
    let value = row.number(column)?;
    let name = &channel.name;
    let count = match channel.scale {
        Some(scale) => (value * scale).round(),
        None => {
            ensure!(
                value.fract() == 0.0,
                "{}: expected a whole number of counts, got \"{}\"; give channel \"{name}\" a \
                 scale (counts a unit) in dataset.toml, or list \"{name}\" under ignore",
                row.place(column),
                row.cell(column)
            );
            value
        }
    };
    if !(f64::from(i16::MIN)..=f64::from(i16::MAX)).contains(&count) {
        bail!(
            "{}: \"{}\" is {count} counts, expected -32768 to 32767; {} in dataset.toml",
            row.place(column),
            row.cell(column),
            match channel.scale {
                Some(scale) => format!("lower the scale of channel \"{name}\", now {scale},"),
                None => format!("give channel \"{name}\" a scale below 1"),
            }
        );
    }
    Ok(count as i16)
}
