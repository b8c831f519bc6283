//! What a verb says: text for a reader on stdout, progress on stderr, and with `--json` one object
//! on the last line of stdout instead of the text.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// How a verb was asked to speak.
#[derive(Clone, Copy, Debug, Default)]
pub struct Output {
    /// One JSON object on the last line of stdout; text goes to stderr.
    pub json: bool,
    /// No progress and no text but errors.
    pub quiet: bool,
}

impl Output {
    /// A line for the reader.
    pub fn line(&self, text: impl AsRef<str>) {
        if self.quiet {
        } else if self.json {
            eprintln!("{}", text.as_ref());
        } else {
            print(text.as_ref());
        }
    }

    /// A passing remark: progress, what is being built. Always on stderr.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{}", text.as_ref());
        }
    }

    /// The verb's result for a program.
    pub fn result(&self, value: Value) {
        if self.json {
            print(&value.to_string());
        }
    }

    /// Whether the reader of stdout has gone, as `head` does: what has no other end should stop then.
    pub fn is_closed(&self) -> bool {
        CLOSED.load(Ordering::Relaxed)
    }

    /// A table with a header; columns from the second on are set right.
    pub fn table(&self, header: &[&str], rows: &[Vec<String>]) {
        let width = |c: usize| {
            rows.iter().map(|row| row[c].chars().count()).chain([header[c].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        // A column of text is set left: one whose cells do not start with a digit, a sign or a dash.
        let left: Vec<bool> = (0..header.len())
            .map(|c| {
                c == 0
                    || rows.iter().any(|row| {
                        row[c].chars().next().is_some_and(|ch| !ch.is_ascii_digit() && !"+-−–±.".contains(ch))
                    })
            })
            .collect();
        let put = |cells: Vec<&str>| {
            let mut line = String::new();
            for (c, cell) in cells.iter().enumerate() {
                let pad = " ".repeat(widths[c].saturating_sub(cell.chars().count()));
                let gap = if c == 0 { "" } else { "  " };
                line += &if left[c] { format!("{gap}{cell}{pad}") } else { format!("{gap}{pad}{cell}") };
            }
            self.line(line.trim_end());
        };
        put(header.to_vec());
        put(widths.iter().map(|w| "─".repeat(*w)).collect::<Vec<_>>().iter().map(String::as_str).collect());
        for row in rows {
            put(row.iter().map(String::as_str).collect());
        }
    }

    /// A progress bar on stderr with the time left; hidden where quiet or where stderr is no terminal.
    pub fn bar(&self, length: u64, what: &str) -> ProgressBar {
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        if let Ok(style) = ProgressStyle::with_template("   {prefix:10} {bar:30} {pos}/{len}  {eta} left  {msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_prefix(what.to_string());
        bar.enable_steady_tick(Duration::from_millis(250));
        bar
    }
}

/// Whether a line on stdout had no reader.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// A line on stdout. A reader that has gone stops no work: the verb goes on without words.
fn print(line: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        CLOSED.store(true, Ordering::Relaxed);
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("warning: standard output cannot be written: {error}");
        }
    }
}

/// An error and its causes on one line.
pub fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// `1234567` as `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_grouped() {
        assert_eq!(super::thousands(7), "7");
        assert_eq!(super::thousands(1234), "1,234");
        assert_eq!(super::thousands(1_234_567), "1,234,567");
    }
}
