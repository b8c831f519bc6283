//! The tables of docs/results/kernels.md, as `bench kernels -o FILE` writes them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::{Measured, Row, Work};
use crate::output::thousands;

/// What stands between these marks in a file is written anew.
const MARKS: [&str; 2] = ["<!-- bench kernels: begin -->", "<!-- bench kernels: end -->"];

/// Writes the tables to `file`.
pub fn write(file: &Path, measured: &Measured) -> Result<()> {
    let there = std::fs::read_to_string(file).unwrap_or_default();
    let text = between(&there, &tables(measured, &today()));
    std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

/// `there` with the tables between its marks; the tables and marks alone where it has none.
fn between(there: &str, tables: &str) -> String {
    let [begin, end] = MARKS;
    let (before, after) = there
        .split_once(begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)))
        .unwrap_or(("", "\n"));
    format!("{before}{begin}\n{tables}{end}{after}")
}

fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule: Vec<String> = (0..header.len()).map(|i| if i == 0 { "---".into() } else { "---:".into() }).collect();
    rows.iter().fold(line(header) + &line(&rule), |text, row| text + &line(row))
}

/// Distinct values in order.
fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    values.fold(Vec::new(), |mut seen, value| {
        if !seen.contains(&value) {
            seen.push(value);
        }
        seen
    })
}

/// A line for each of `lines`, a column for each of `subjects`; `–` where there is nothing.
fn grid(first: &str, lines: &[&str], subjects: &[&str], cell: impl Fn(&str, &str) -> Option<String>) -> String {
    let header: Vec<String> = [first].iter().chain(subjects).map(ToString::to_string).collect();
    let rows = lines.iter().map(|line| {
        let cells = subjects.iter().map(|subject| cell(line, subject).unwrap_or_else(|| "–".into()));
        [line.to_string()].into_iter().chain(cells).collect()
    });
    table(&header, &rows.collect::<Vec<Vec<String>>>())
}

/// All tables, each under its heading.
fn tables(measured: &Measured, date: &str) -> String {
    let rows: Vec<(&Row, &Work)> = measured.rows.iter().filter_map(|row| Some((row, row.work.as_ref()?))).collect();
    let workloads: Vec<&(&Row, &Work)> = rows.iter().filter(|(_, work)| work.estimate.is_none()).collect();
    let subjects = distinct(workloads.iter().map(|(_, work)| work.subject.as_str()));
    let boards = distinct(workloads.iter().map(|(_, work)| work.board.as_str()));
    let find = |board: &str, subject: &str| {
        workloads.iter().find(|(_, work)| work.board == board && work.subject == subject).copied()
    };
    let versions: Vec<String> = measured.versions.iter().map(|(name, version)| name_once(name, version)).collect();
    let mut text = format!("{date}; {}.\n", versions.join("; "));
    if !workloads.is_empty() {
        text += "\n### A whole answer\n\nFrom the last value of the input to the scores, executor included.\n\n";
        text += &grid("board", &boards, &subjects, |board, subject| {
            find(board, subject).map(|(row, _)| thousands(row.ours as u64))
        });
        text += "\n### The kernels alone\n\nAn image of the kernels and the layers' constants, with the firmware's settings \
                 and without the executor; its scores are the host's.\n\n";
        text += &grid("board", &boards, &subjects, |board, subject| {
            find(board, subject).and_then(|(_, work)| Some(thousands(work.alone?.instructions)))
        });
        text += "\nBytes of this image: code beyond weights and rows' constants / RAM of buffers and scratch / the stack's \
                 highest use.\n\n";
        text += &grid("board", &boards, &subjects, |board, subject| {
            let alone = find(board, subject)?.1.alone?;
            let [code, buffers, stack] =
                [alone.code_bytes, alone.static_bytes, alone.stack_bytes].map(|bytes| thousands(bytes.into()));
            Some(format!("{code} / {buffers} / {stack}"))
        });
        text += &parts(&workloads);
    }
    if workloads.iter().any(|(row, _)| !row.peers.is_empty()) {
        text += "\n### Peers\n\nIn brackets: by how much it takes more than our whole answer.\n";
    }
    for board in &boards {
        let of_board = workloads.iter().filter(|(_, work)| work.board == *board);
        let engines = distinct(of_board.flat_map(|(row, _)| row.peers.iter().map(|(name, _)| name.as_str())));
        if engines.is_empty() {
            continue;
        }
        text += "\n";
        text += &grid(board, &engines, &subjects, |engine, subject| {
            let (row, _) = find(board, subject)?;
            let (_, count) = row.peers.iter().find(|(name, _)| name == engine)?;
            Some(format!("{} ({:.1})", thousands(*count as u64), count / row.ours))
        });
    }
    let models: Vec<Vec<String>> = rows.iter().filter_map(|(row, work)| model(row, work)).collect();
    if !models.is_empty() {
        let header = ["model", "board", "counted", "estimate", "error, %", "bound", "holds"].map(String::from);
        text += &format!("\n### Models\n\nThe cost model's estimate and bound.\n\n{}", table(&header, &models));
    }
    if !measured.absent.is_empty() {
        text += "\nNot counted:\n\n";
        for (name, why) in &measured.absent {
            text += &format!("- {name}: {why}\n");
        }
    }
    text
}

fn model(row: &Row, work: &Work) -> Option<Vec<String>> {
    let estimate = work.estimate?;
    let holds = if row.ours <= estimate.bound as f64 { "yes" } else { "no" };
    Some(vec![
        work.subject.clone(),
        work.board.clone(),
        thousands(row.ours as u64),
        thousands(estimate.instructions),
        format!("{:+.2}", estimate.off(row.ours)),
        thousands(estimate.bound),
        holds.into(),
    ])
}

/// What was counted in several models.
fn parts(workloads: &[&(&Row, &Work)]) -> String {
    let cut = workloads.iter().filter(|(_, work)| work.parts > 1);
    let cut: Vec<String> = cut.map(|(row, work)| format!("{}: {}", row.name, work.parts)).collect();
    if cut.is_empty() {
        return String::new();
    }
    format!("\nCounted in parts, as a model slot holds them, and summed, bytes of the largest: {}.\n", cut.join(", "))
}

/// A version that does not say of what it is gets the name.
fn name_once(name: &str, version: &str) -> String {
    if version.starts_with(name) { version.into() } else { format!("{name}: {version}") }
}

/// The date, UTC, e.g. 24 November 2026.
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    date(seconds / 86_400)
}

/// The date of a number of days since 1 January 1970.
fn date(mut days: u64) -> String {
    const MONTHS: [(&str, u64); 12] = [
        ("January", 31),
        ("February", 28),
        ("March", 31),
        ("April", 30),
        ("May", 31),
        ("June", 30),
        ("July", 31),
        ("August", 31),
        ("September", 30),
        ("October", 31),
        ("November", 30),
        ("December", 31),
    ];
    let leap = |year: u64| u64::from(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)));
    let mut year = 1970;
    while days >= 365 + leap(year) {
        days -= 365 + leap(year);
        year += 1;
    }
    let mut month = 0;
    while month < 11 && days >= MONTHS[month].1 + leap(year) * u64::from(month == 1) {
        days -= MONTHS[month].1 + leap(year) * u64::from(month == 1);
        month += 1;
    }
    format!("{} {} {year}", days + 1, MONTHS[month].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (days, text) in [
            (0, "1 January 1970"),
            (58, "28 February 1970"),
            (59, "1 March 1970"),
            (11_016, "29 February 2000"),
            (11_017, "1 March 2000"),
            (20_781, "24 November 2026"),
            (20_818, "31 December 2026"),
        ] {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn what_stands_around_the_marks_is_kept() {
        let there = format!("# A\n\n{}\nold\n{}\n\nB\n", MARKS[0], MARKS[1]);
        let once = between(&there, "new\n");
        assert_eq!(once, format!("# A\n\n{}\nnew\n{}\n\nB\n", MARKS[0], MARKS[1]));
        assert_eq!(between(&once, "new\n"), once);
        assert_eq!(between("", "new\n"), format!("{}\nnew\n{}\n", MARKS[0], MARKS[1]));
    }
}
