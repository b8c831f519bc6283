//! The one list of datasets, and how a name finds its data.

use super::{Dataset, dsads, flo, folder, spar};
use anyhow::{anyhow, bail, ensure};
use std::path::{Path, PathBuf};

/// A dataset that the tool knows by name.
pub struct Entry {
    pub name: &'static str,
    pub title: &'static str,
    /// Its file under the data folder; `None` if it is embedded.
    pub file: Option<&'static str>,
    pub licence: &'static str,
    /// One line: what is in it and what it is good for.
    pub description: &'static str,
    /// What may follow the name as `KEY=VALUE`.
    pub settings: &'static [Setting],
    load: fn(&Settings, &Path) -> anyhow::Result<Dataset>,
}

/// A setting of a dataset.
pub struct Setting {
    pub key: &'static str,
    pub default: u64,
    /// Values that it takes; empty if any number.
    pub values: &'static [u64],
    pub meaning: &'static str,
}

/// Zero-shot splits test the seen classes, too.
const GENERALISED: Setting = Setting {
    key: "generalised",
    default: 0,
    values: &[0, 1],
    meaning: "1: zero-shot splits hold a fifth of each seen class's recordings out, so that models tell all classes apart",
};

static REGISTRY: [Entry; 3] = [
    Entry {
        name: "spar",
        title: "SPAR: shoulder exercises on a smartwatch",
        file: None,
        licence: "BSD-3-Clause",
        description: "7 exercises, 10 subjects, wrist accelerometer and gyroscope at 50 Hz: 2,229 \
                      windows of 4 s",
        settings: &[GENERALISED],
        load: |settings, _| spar::load(settings),
    },
    Entry {
        name: "dsads",
        title: "Daily and Sports Activities, right arm",
        file: Some("dsads/dsads_right_arm.npz"),
        licence: "CC-BY-4.0",
        description: "19 activities, 8 subjects, accelerometer, gyroscope and magnetometer at \
                      25 Hz: 9,120 windows of 5 s",
        settings: &[
            Setting {
                key: "rotations",
                default: 1,
                values: &[1, 4],
                meaning: "4: turn each window to one of four wearing orientations (synthetic)",
            },
            Setting {
                key: "rotation_seed",
                default: 0,
                values: &[],
                meaning: "which window is turned which way, with rotations=4",
            },
            GENERALISED,
        ],
        load: dsads::load,
    },
    Entry {
        name: "flo",
        title: "Oxford Flowers-102, EfficientNet-Lite0 features",
        file: Some("flo/flo.npz"),
        licence: "research only",
        description: "102 flowers, 82 seen and 20 unseen, 8,189 image feature vectors of 1280: \
                      generalised zero-shot learning",
        settings: &[],
        load: |_, path| flo::load(path),
    },
];

/// All datasets known by name. A folder of the user's own recordings needs no entry.
pub fn registry() -> &'static [Entry] {
    &REGISTRY
}

/// Whether `KEY=VALUE` sets something of a data set, not of a model.
pub fn is_setting(word: &str) -> bool {
    let key = word.split('=').next().unwrap_or_default();
    REGISTRY.iter().flat_map(|entry| entry.settings).any(|setting| setting.key == key)
}

/// Loads `NAME [KEY=VALUE]…` of [`registry`], or the folder of recordings at that path.
///
/// `data_dir` is the folder with the files that are not embedded; if `None`, the environment
/// variable `SMIDGEN_DATA`.
///
/// # Errors
/// Unknown name (the nearest are offered), setting or value; missing folder or file (which is
/// said); and whatever is wrong inside the data, by file, row and column.
pub fn load(name: &str, data_dir: Option<&Path>) -> anyhow::Result<Dataset> {
    let mut words = name.split_whitespace();
    let first = words.next().unwrap_or_default();
    match REGISTRY.iter().find(|entry| entry.name == first) {
        Some(entry) => entry.load(words, data_dir),
        None if Path::new(name).is_dir() => folder::load(Path::new(name)),
        None => Err(unknown(name)),
    }
}

/// Checked settings of one dataset.
pub(super) struct Settings {
    values: Vec<(&'static str, u64, u64)>,
}

impl Settings {
    fn parse<'a>(entry: &Entry, words: impl Iterator<Item = &'a str>) -> anyhow::Result<Self> {
        let mut values: Vec<_> = entry.settings.iter().map(|s| (s.key, s.default, s.default)).collect();
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| anyhow!("dataset {}: expected KEY=VALUE after the name, got \"{word}\"", entry.name))?;
            let Some(index) = entry.settings.iter().position(|s| s.key == key) else {
                let keys: Vec<&str> = entry.settings.iter().map(|s| s.key).collect();
                bail!(
                    "dataset {} has no setting \"{key}\"{}",
                    entry.name,
                    match keys.is_empty() {
                        true => "; it has none".to_string(),
                        false => format!("; it has {}", keys.join(", ")),
                    }
                );
            };
            let allowed = entry.settings[index].values;
            let parsed = value.parse::<u64>().ok();
            let Some(value) = parsed.filter(|v| allowed.is_empty() || allowed.contains(v)) else {
                let expected = match allowed {
                    [] => "a whole number".to_string(),
                    some => some.iter().map(u64::to_string).collect::<Vec<_>>().join(" or "),
                };
                bail!("dataset {}: {key}: expected {expected}, got \"{value}\"", entry.name);
            };
            values[index].1 = value;
        }
        Ok(Self { values })
    }

    /// The value of a setting of the entry; 0 for a key that it does not list.
    pub(super) fn get(&self, key: &str) -> u64 {
        self.values.iter().find(|(known, ..)| *known == key).map_or(0, |&(_, value, _)| value)
    }

    /// The name with the settings that differ from their defaults.
    pub(super) fn full_name(&self, name: &str) -> String {
        let changed = self.values.iter().filter(|(_, value, default)| value != default);
        changed.fold(name.to_string(), |name, (key, value, _)| format!("{name} {key}={value}"))
    }
}

impl Entry {
    fn load<'a>(&self, words: impl Iterator<Item = &'a str>, data_dir: Option<&Path>) -> anyhow::Result<Dataset> {
        let settings = Settings::parse(self, words)?;
        let path = match self.file {
            Some(file) => self.find(file, data_dir)?,
            None => PathBuf::new(),
        };
        (self.load)(&settings, &path)
    }

    /// Where this dataset's file lies.
    fn find(&self, file: &str, data_dir: Option<&Path>) -> anyhow::Result<PathBuf> {
        let from_environment = std::env::var_os("SMIDGEN_DATA").map(PathBuf::from);
        let (dir, how) = match (data_dir, &from_environment) {
            (Some(dir), _) => (dir, "--data-dir"),
            (None, Some(dir)) => (dir.as_path(), "SMIDGEN_DATA"),
            (None, None) => bail!(
                "dataset {} is not embedded: it needs the file {file}; name the folder that holds \
                 it with --data-dir FOLDER or the variable SMIDGEN_DATA (docs/data.md says how to \
                 make it), or use the embedded dataset spar",
                self.name
            ),
        };
        ensure!(dir.is_dir(), "{how} is {}, which is not a folder", dir.display());
        let path = dir.join(file);
        ensure!(
            path.is_file(),
            "dataset {} needs {}, which is not there; {how} is {} (docs/data.md says how to make \
             the file)",
            self.name,
            path.display(),
            dir.display()
        );
        Ok(path)
    }
}

fn unknown(name: &str) -> anyhow::Error {
    let lower = name.to_lowercase();
    let mut nearest: Vec<(f64, &str)> =
        REGISTRY.iter().map(|e| (strsim::jaro_winkler(&lower, e.name), e.name)).collect();
    nearest.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = nearest.iter().filter(|near| near.0 > 0.7).map(|near| near.1).collect();
    let known: Vec<&str> = REGISTRY.iter().map(|entry| entry.name).collect();
    match near.is_empty() {
        false => anyhow!(
            "no dataset and no folder is called \"{name}\"; did you mean {}? (known: {})",
            near.join(" or "),
            known.join(", ")
        ),
        true => anyhow!(
            "no dataset and no folder is called \"{name}\"; known: {}, or the path of a folder of \
             recordings (docs/data.md)",
            known.join(", ")
        ),
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
