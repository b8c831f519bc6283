//! The user's own data: a folder of CSV recordings, a `classes.csv` and, if the defaults do not
//! suit, a `dataset.toml`. docs/data.md describes them; examples/data/kettle is a small one.
//!
//! Classes that `classes.csv` marks as unseen make the task zero-shot; else subjects are left out.

mod config;
mod pattern;
mod recording;

use super::{Dataset, Input, Protocol, attributes::ClassTable, table::Table};
use anyhow::{Context, anyhow, ensure};
use config::{Channel, Config};
use recording::{Known, Run};
use std::path::{Path, PathBuf};

const CLASSES: &str = "classes.csv";
/// Folders below the dataset's that are looked into.
const MAX_DEPTH: usize = 4;
/// Bounds memory: 512 MiB of i16.
const MAX_VALUES: usize = 1 << 28;
/// More subjects than this share folds.
const MAX_FOLDS: usize = 10;
/// Folds of recordings, where there are no subjects to leave out.
const RECORDING_FOLDS: usize = 5;

/// Reads the folder. A window holds `window` rows of one run of one class; the next starts
/// `stride` rows later; what is left at a run's end is dropped.
///
/// # Errors
/// Whatever is wrong in a file, by file, row and column; a file without a single whole window; a
/// class without recordings.
pub(super) fn load(folder: &Path) -> anyhow::Result<Dataset> {
    let config = Config::read(folder)?;
    let table = classes(folder)?;
    let files = csv_files(folder)?;
    let mut reader = Reader { config: &config, classes: &table.classes, channels: Vec::new() };
    let mut windows = Windows::default();
    for file in &files {
        let runs = reader.read(folder, file)?;
        windows.add(&config, reader.channels.len(), &runs, &folder.join(file))?;
    }
    for (index, class) in table.classes.iter().enumerate() {
        ensure!(
            windows.class.contains(&(index as u16)),
            "{}: no recording shows class \"{class}\"; every class is needed to train or to test. \
             Record it, or take its row out",
            folder.join(CLASSES).display()
        );
    }
    let channels = reader.channels;
    let protocol = protocol(&windows, &table);
    let dataset = Dataset {
        name: folder.display().to_string(),
        title: config
            .title
            .unwrap_or_else(|| folder.file_name().map_or_else(|| "recordings".into(), |n| n.to_string_lossy().into())),
        licence: config.licence,
        attribution: config.attribution,
        input: Input::Windows {
            channels: channels.len(),
            channel_names: channels.iter().map(|c| c.name.clone()).collect(),
            window: config.window,
            rate_hz: config.rate_hz,
            samples: windows.samples,
            lsb: channels.iter().map(|c| c.scale.map_or(1.0, |scale| 1.0 / scale as f32)).collect(),
            units: channels.into_iter().map(|c| c.unit).collect(),
        },
        class: windows.class,
        subject: windows.subject,
        recording: windows.recording,
        subject_names: windows.subject_names,
        classes: table.classes,
        attribute_names: table.attribute_names,
        attributes: table.attributes,
        protocol,
    };
    dataset.check()?;
    Ok(dataset)
}

fn classes(folder: &Path) -> anyhow::Result<ClassTable> {
    let path = folder.join(CLASSES);
    let text = std::fs::read(&path).with_context(|| {
        format!(
            "cannot read {}; expected a table of the classes, one a row: name, split (seen or \
             unseen) and their attributes (docs/data.md)",
            path.display()
        )
    })?;
    ClassTable::parse(&text, &path.display().to_string())
}

/// All CSV files below `folder` but `classes.csv`, relative to it, in order of their names.
fn csv_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_path_buf(), 0)];
    while let Some((current, depth)) = folders.pop() {
        let entries =
            std::fs::read_dir(&current).with_context(|| format!("cannot read the folder {}", current.display()))?;
        for entry in entries {
            let path = entry?.path();
            let relative = path.strip_prefix(folder)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') || relative == Path::new(CLASSES) {
                continue;
            }
            if path.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
                files.push(relative.to_path_buf());
            }
        }
    }
    ensure!(!files.is_empty(), "{}: no recordings; expected CSV files beside or below {CLASSES}", folder.display());
    files.sort();
    Ok(files)
}

struct Reader<'a> {
    config: &'a Config,
    classes: &'a [String],
    /// As the first recording has them.
    channels: Vec<Channel>,
}

impl Reader<'_> {
    /// The runs of one file, whose `name` is relative to `folder`.
    fn read(&mut self, folder: &Path, name: &Path) -> anyhow::Result<Vec<Run>> {
        let path = folder.join(name);
        if self.channels.is_empty() {
            let table = Table::open(&path, self.config.delimiter)?;
            self.channels = recording::channels(self.config, &table)?;
        }
        let mut known = Known { config: self.config, classes: self.classes, class: None, subject: None };
        let slashed = name.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        for pattern in &self.config.patterns {
            let found = pattern.find(&slashed, self.classes).ok_or_else(|| {
                anyhow!(
                    "{}: the name does not match \"{}\"; rename the file, or say in dataset.toml \
                     class = {{ file_name = \"…{{class}}…\" }} or class = {{ column = \"…\" }}",
                    path.display(),
                    pattern.text()
                )
            })?;
            if let (Some(class), None) = (found.class, &self.config.class_column) {
                let place = format!("{}: file name", path.display());
                known.class = Some(recording::class_of(&class, self.classes, &place)?);
            }
            known.subject = found.subject.or(known.subject);
        }
        recording::read(&path, &known, &self.channels)
    }
}

/// All windows, grown file by file.
#[derive(Default)]
struct Windows {
    samples: Vec<i16>,
    class: Vec<u16>,
    subject: Vec<u16>,
    recording: Vec<u32>,
    subject_names: Vec<String>,
    recordings: u32,
}

impl Windows {
    fn add(&mut self, config: &Config, channels: usize, runs: &[Run], path: &Path) -> anyhow::Result<()> {
        let size = config.window * channels;
        let longest = runs.iter().max_by_key(|run| run.samples.len());
        let longest = longest.with_context(|| format!("{}: no row has a class; fill in its column", path.display()))?;
        ensure!(
            longest.samples.len() >= size,
            "{}: {} rows of one class (from line {}), fewer than a window's {}; record for longer, \
             or set a smaller window in dataset.toml",
            path.display(),
            longest.samples.len() / channels,
            longest.line,
            config.window
        );
        for run in runs {
            let subject = match self.subject_names.iter().position(|s| *s == run.subject) {
                Some(index) => index,
                None => {
                    self.subject_names.push(run.subject.clone());
                    self.subject_names.len() - 1
                }
            };
            let subject = u16::try_from(subject).context("more than 65536 subjects")?;
            let starts = (0..).step_by(config.stride.saturating_mul(channels));
            for start in starts.take_while(|start| start + size <= run.samples.len()) {
                ensure!(
                    self.samples.len() + size <= MAX_VALUES,
                    "{}: more than {MAX_VALUES} values in windows; set a larger stride in \
                     dataset.toml, now {}, or use fewer channels",
                    path.display(),
                    config.stride
                );
                self.samples.extend_from_slice(&run.samples[start..][..size]);
                self.class.push(run.class);
                self.subject.push(subject);
                self.recording.push(self.recordings);
            }
            self.recordings += 1;
        }
        Ok(())
    }
}

fn protocol(windows: &Windows, table: &ClassTable) -> Protocol {
    let subjects = windows.subject_names.len();
    let (fold_of, fold_names) = match subjects {
        0 | 1 => recording_folds(windows, table.classes.len()),
        _ => {
            let folds = subjects.min(MAX_FOLDS);
            let fold_of = windows.subject.iter().map(|s| s % folds as u16).collect();
            let name = |fold| {
                let names = windows.subject_names.iter().skip(fold).step_by(folds);
                format!("subject {}", names.map(String::as_str).collect::<Vec<_>>().join("/"))
            };
            (fold_of, (0..folds).map(name).collect())
        }
    };
    Protocol {
        fold_of,
        fold_names,
        unseen: match table.unseen.is_empty() {
            true => Vec::new(),
            false => vec![("unseen classes".into(), table.unseen.clone())],
        },
        fixed: None,
        hold_out_seen: true,
    }
}

/// With one subject: each class's recordings dealt to folds in turn. None if a class has but one.
fn recording_folds(windows: &Windows, classes: usize) -> (Vec<u16>, Vec<String>) {
    let mut dealt = vec![0usize; classes];
    let mut last = None;
    let mut rank = Vec::with_capacity(windows.class.len());
    for (&class, &recording) in windows.class.iter().zip(&windows.recording) {
        let count = &mut dealt[usize::from(class)];
        if last != Some(recording) {
            *count += 1;
            last = Some(recording);
        }
        rank.push(*count - 1);
    }
    let folds = dealt.into_iter().min().unwrap_or(0).min(RECORDING_FOLDS);
    if folds < 2 {
        return (Vec::new(), Vec::new());
    }
    let fold_of = rank.into_iter().map(|rank| (rank % folds) as u16).collect();
    (fold_of, (1..=folds).map(|fold| format!("recordings, fold {fold}")).collect())
}

/// `; did you mean …?` if a name is near, else nothing.
fn nearest(name: &str, known: &[String]) -> String {
    let near = known
        .iter()
        .map(|other| (strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase()), other))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((likeness, other)) if likeness > 0.7 => format!("; did you mean \"{other}\"?"),
        _ => format!("; it has {}", known.join(", ")),
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
