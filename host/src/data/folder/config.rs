//! `dataset.toml`: how a folder of recordings is to be read. Every key has a default, so the file
//! may be absent; docs/data.md lists the keys.

use super::pattern::Pattern;
use anyhow::{Context, anyhow, ensure};
use serde::Deserialize;
use std::path::Path;

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: Option<String>,
    licence: Option<String>,
    attribution: Option<String>,
    rate_hz: Option<f32>,
    window: Option<usize>,
    stride: Option<usize>,
    delimiter: Option<String>,
    class: Option<Source>,
    subject: Option<Source>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    channel: Vec<Channel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    column: Option<String>,
    file_name: Option<String>,
}

/// A column that is used, `[[channel]]`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Channel {
    pub name: String,
    /// Counts a unit of the column: `count = round(value · scale)`. `None`: whole numbers are
    /// counts as they are.
    pub scale: Option<f64>,
    #[serde(default = "count")]
    pub unit: String,
}

fn count() -> String {
    "count".into()
}

/// The file, checked.
#[derive(Debug)]
pub(super) struct Config {
    pub title: Option<String>,
    pub licence: String,
    pub attribution: String,
    pub rate_hz: f32,
    /// Rows a window, 1 to 65536.
    pub window: usize,
    /// Rows from one window's start to the next, 1 to 65536.
    pub stride: usize,
    pub delimiter: u8,
    pub class_column: Option<String>,
    pub subject_column: Option<String>,
    /// Patterns of file names that say class or subject; both parts may be in one.
    pub patterns: Vec<Pattern>,
    /// Columns that are no channels.
    pub ignore: Vec<String>,
    /// Empty: every column that is not class, subject or ignored.
    pub channels: Vec<Channel>,
}

const FILE: &str = "dataset.toml";
const DEFAULT_NAMES: &str = "{class}_{subject}_*.csv";
const DEFAULT_RATE_HZ: f32 = 50.0;
const DEFAULT_WINDOW: usize = 100;
/// Of a window and of a stride: far more than any chip holds.
const MAX_ROWS: usize = 65_536;

impl Config {
    /// Reads `dataset.toml` in `folder`; defaults if there is none.
    ///
    /// # Errors
    /// By line for what is not TOML or no known key, else by key: what was expected and what came.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(anyhow!("cannot read {}: {error}", path.display())),
        };
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        let window = file.window.unwrap_or(DEFAULT_WINDOW);
        let stride = file.stride.unwrap_or((window / 2).max(1));
        let rate_hz = file.rate_hz.unwrap_or(DEFAULT_RATE_HZ);
        for (key, rows) in [("window", window), ("stride", stride)] {
            ensure!((1..=MAX_ROWS).contains(&rows), "{key}: expected 1 to {MAX_ROWS} rows, got {rows}");
        }
        ensure!(rate_hz.is_finite() && rate_hz > 0.0, "rate_hz: expected a number above 0, got {rate_hz}");
        let delimiter = file.delimiter.unwrap_or(",".into());
        let &[delimiter] = delimiter.as_bytes() else {
            anyhow::bail!("delimiter: expected one ASCII character, got \"{delimiter}\"");
        };
        for (index, channel) in file.channel.iter().enumerate() {
            let name = &channel.name;
            ensure!(
                channel.scale.is_none_or(|scale| scale.is_finite() && scale > 0.0),
                "channel \"{name}\": scale: expected counts a unit, a number above 0, got {}",
                channel.scale.unwrap_or_default()
            );
            ensure!(
                !file.channel[..index].iter().any(|other| other.name == *name),
                "channel \"{name}\" is listed twice"
            );
        }
        let mut patterns = Vec::new();
        let mut column = |key: &str, source: Option<Source>| -> anyhow::Result<Option<String>> {
            match source {
                None => Ok(None),
                Some(Source { column: Some(column), file_name: None }) => Ok(Some(column)),
                Some(Source { column: None, file_name: Some(text) }) => {
                    let pattern = Pattern::parse(&text).with_context(|| format!("{key}.file_name"))?;
                    ensure!(
                        text.contains(&format!("{{{key}}}")),
                        "{key}.file_name: expected a pattern with {{{key}}} in it, got \"{text}\""
                    );
                    patterns.push(pattern);
                    Ok(None)
                }
                Some(_) => {
                    anyhow::bail!("{key}: expected either column or file_name, not both, not neither")
                }
            }
        };
        let by_default = file.class.is_none();
        let class_column = column("class", file.class)?;
        let subject_column = column("subject", file.subject)?;
        if by_default {
            patterns.insert(0, Pattern::parse(DEFAULT_NAMES)?);
        }
        Ok(Self {
            title: file.title,
            licence: file.licence.unwrap_or("not stated".into()),
            attribution: file.attribution.unwrap_or("the folder's owner".into()),
            rate_hz,
            window,
            stride,
            delimiter,
            class_column,
            subject_column,
            patterns,
            ignore: file.ignore,
            channels: file.channel,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold_without_a_file() {
        let config = Config::read(Path::new("/nowhere")).unwrap();
        assert_eq!((config.window, config.stride, config.delimiter), (100, 50, b','));
        assert_eq!(config.patterns.len(), 1);
        assert!(config.class_column.is_none() && config.channels.is_empty());
    }

    #[test]
    fn reads_every_key() {
        let config = Config::parse(
            "title = 'a'\nrate_hz = 25\nwindow = 50\nstride = 10\ndelimiter = ';'\n\
             class = { column = 'label' }\nsubject = { file_name = '{subject}/*.csv' }\n\
             ignore = ['t']\n[[channel]]\nname = 'ax'\nscale = 2048\nunit = 'g'\n",
        )
        .unwrap();
        assert_eq!((config.rate_hz, config.stride, config.delimiter), (25.0, 10, b';'));
        assert_eq!(config.class_column.as_deref(), Some("label"));
        assert_eq!(config.patterns.len(), 1);
        assert_eq!(config.channels[0].scale, Some(2048.0));
    }

    #[test]
    fn names_the_key_that_is_wrong() {
        let cases = [
            ("window = 0", "window: expected 1 to 65536 rows, got 0"),
            ("window = 4000000000", "window: expected 1 to 65536 rows"),
            ("stride = 0", "stride: expected 1 to 65536 rows, got 0"),
            ("rate_hz = -1", "rate_hz: expected a number above 0, got -1"),
            ("rate_hz = nan", "rate_hz: expected a number above 0"),
            ("delimiter = ', '", "delimiter: expected one ASCII character, got \", \""),
            ("windw = 10", "unknown field `windw`"),
            ("window = 'x", "line 1"),
            ("class = {}", "class: expected either column or file_name"),
            ("class = { file_name = '*.csv' }", "expected a pattern with {class} in it"),
            ("class = { file_name = '{clas}.csv' }", "{clas}"),
            ("[[channel]]\nname = 'a'\nscale = 0", "channel \"a\": scale: expected counts a unit"),
            ("[[channel]]\nname = 'a'\n[[channel]]\nname = 'a'", "channel \"a\" is listed twice"),
        ];
        for (text, expected) in cases {
            let got = format!("{:#}", Config::parse(text).unwrap_err());
            assert!(got.contains(expected), "for {text:?} got {got:?}, expected {expected:?}");
        }
    }
}
