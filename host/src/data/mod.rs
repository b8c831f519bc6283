//! Datasets: where they come from, under which licence, and how they are split.
//!
//! Training must see exactly what the device will see, so sensor data stay raw here: i16 counts
//! as the sensor's registers give them, cut into windows, with the physical size of one count
//! beside them. Features are made later, by the code that the chip runs. Data that no sensor of
//! ours can give (image features) come as f32 vectors.
//!
//! ```no_run
//! use smidgen::data::{self, Task};
//! let spar = data::load("spar", None)?;
//! for split in spar.splits(Task::ZeroShot, 0)? {
//!     println!("{}: {} windows to train on", split.name, split.train.len());
//! }
//! # anyhow::Ok(())
//! ```

mod attributes;
pub mod augment;
pub mod digits;
pub mod dsads;
mod flo;
mod folder;
mod idx;
pub mod mnist;
mod npz;
mod packed;
mod registry;
pub mod spar;
mod split;
mod splitmix;
mod table;

pub use registry::{Entry, Setting, is_setting, load, registry};
pub use split::{FixedRows, Protocol, Split, Task};

/// Where data sets that are not built in are looked for.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The folder; `$SMIDGEN_DATA` where there is none.
    pub dir: Option<std::path::PathBuf>,
}

impl Source {
    /// [`load`] from here.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(&self, name: &str) -> anyhow::Result<Dataset> {
        load(name, self.dir.as_deref())
    }

    /// The folder, by option or environment.
    pub fn folder(&self) -> Option<std::path::PathBuf> {
        self.dir.clone().or_else(|| std::env::var_os("SMIDGEN_DATA").map(Into::into))
    }
}

/// A labelled set of `n` samples, ready to be split.
///
/// Every per-sample vector has length `n`; [`Dataset::check`] holds for whatever [`load`] returns.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// What [`load`] takes to get the same data again, settings included: `dsads rotations=4`.
    pub name: String,
    pub title: String,
    /// SPDX identifier where there is one, else a sentence.
    pub licence: String,
    /// Who is to be credited, and where the data were published.
    pub attribution: String,
    pub input: Input,
    /// (n) index into `classes`
    pub class: Vec<u16>,
    /// (n) index into `subject_names`; all 0 where the data have no subjects
    pub subject: Vec<u16>,
    /// (n) which uninterrupted recording a sample was cut from. Windows of one recording may
    /// overlap: what is held out is held out by recording.
    pub recording: Vec<u32>,
    pub subject_names: Vec<String>,
    pub classes: Vec<String>,
    /// (a); empty where the classes have no attributes, and then there is no zero-shot task
    pub attribute_names: Vec<String>,
    /// (classes, a) row-major, as the table states them, not normalised
    pub attributes: Vec<f32>,
    /// How this dataset is split.
    pub protocol: Protocol,
}

/// What a sample is.
#[derive(Clone, Debug)]
pub enum Input {
    /// Windows of raw sensor samples.
    Windows {
        channels: usize,
        /// (channels)
        channel_names: Vec<String>,
        /// samples a window, in time
        window: usize,
        rate_hz: f32,
        /// (n, window, channels) row-major, sensor counts
        samples: Vec<i16>,
        /// (channels) physical units a count: `value = count · lsb`
        lsb: Vec<f32>,
        /// (channels) the physical units' names, such as `g` or `deg/s`
        units: Vec<String>,
    },
    /// Feature vectors made elsewhere.
    Vectors {
        dim: usize,
        /// (n, dim) row-major, finite
        values: Vec<f32>,
    },
}

impl Dataset {
    /// Number of samples, n.
    pub fn len(&self) -> usize {
        self.class.len()
    }

    pub fn is_empty(&self) -> bool {
        self.class.is_empty()
    }

    /// The attributes of one class, (a); empty where there are none.
    ///
    /// # Panics
    /// If `class` is not below the number of classes.
    pub fn attributes_of(&self, class: u16) -> &[f32] {
        let a = self.attribute_names.len();
        &self.attributes[usize::from(class) * a..][..a]
    }

    /// The experiments of `task`, each with its validation splits.
    ///
    /// Deterministic in `seed`, which chooses validation classes and held-out recordings; the
    /// test classes and subjects are the dataset's own and do not depend on it.
    ///
    /// # Errors
    /// If the dataset does not have the task: no subjects to leave out, or no attributes.
    pub fn splits(&self, task: Task, seed: u64) -> anyhow::Result<Vec<Split>> {
        split::splits(self, task, seed)
    }

    /// The tasks that [`Dataset::splits`] has for this dataset, its own first.
    pub fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        if !self.protocol.unseen.is_empty() {
            tasks.push(Task::ZeroShot);
        }
        if !self.protocol.fold_names.is_empty() {
            tasks.push(Task::Supervised);
        }
        tasks
    }

    /// Whether all lengths and indices agree. Every loader ends with it.
    ///
    /// # Errors
    /// The first length or index that does not, by name.
    pub fn check(&self) -> anyhow::Result<()> {
        let n = self.len();
        let expect = |what: &str, got: usize, expected: usize| {
            anyhow::ensure!(got == expected, "dataset {}: {what} has {got} entries, expected {expected}", self.name);
            Ok(())
        };
        expect("subject", self.subject.len(), n)?;
        expect("recording", self.recording.len(), n)?;
        let per_sample = self.input.values_per_sample();
        match &self.input {
            Input::Windows { channels, channel_names, samples, lsb, units, .. } => {
                expect("samples", samples.len(), n * per_sample)?;
                expect("channel_names", channel_names.len(), *channels)?;
                expect("lsb", lsb.len(), *channels)?;
                expect("units", units.len(), *channels)?;
            }
            Input::Vectors { values, .. } => {
                expect("values", values.len(), n * per_sample)?;
                anyhow::ensure!(
                    values.iter().all(|v| v.is_finite()),
                    "dataset {}: not every feature is finite",
                    self.name
                );
            }
        }
        expect("attributes", self.attributes.len(), self.classes.len() * self.attribute_names.len())?;
        anyhow::ensure!(
            self.class.iter().all(|&c| usize::from(c) < self.classes.len()),
            "dataset {}: a class index is not below {}",
            self.name,
            self.classes.len()
        );
        anyhow::ensure!(
            self.subject.iter().all(|&s| usize::from(s) < self.subject_names.len()),
            "dataset {}: a subject index is not below {}",
            self.name,
            self.subject_names.len()
        );
        self.protocol.check(self)
    }
}

impl Input {
    /// Values in one sample: window · channels, or dim.
    pub fn values_per_sample(&self) -> usize {
        match self {
            Input::Windows { channels, window, .. } => window * channels,
            Input::Vectors { dim, .. } => *dim,
        }
    }

    /// Raw window `i`, (window, channels); `None` past the end or for vectors.
    pub fn window(&self, i: usize) -> Option<&[i16]> {
        match self {
            Input::Windows { samples, .. } => {
                let size = self.values_per_sample();
                samples.get(i.checked_mul(size)?..)?.get(..size)
            }
            Input::Vectors { .. } => None,
        }
    }

    /// Feature vector `i`, (dim); `None` past the end or for windows.
    pub fn vector(&self, i: usize) -> Option<&[f32]> {
        match self {
            Input::Vectors { dim, values } => values.get(i.checked_mul(*dim)?..)?.get(..*dim),
            Input::Windows { .. } => None,
        }
    }
}

/// The data folder, or `None` after a line that says which test is skipped.
#[cfg(test)]
fn data_dir_for_test(name: &str) -> Option<std::path::PathBuf> {
    let dir = std::env::var_os("SMIDGEN_DATA").map(std::path::PathBuf::from);
    if dir.is_none() {
        eprintln!("skipped: {name} needs SMIDGEN_DATA");
    }
    dir
}
