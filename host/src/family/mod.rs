//! Families of models. Each is a paper's method, from settings to a float graph.
//!
//! A family is a folder beside this file and a handful of functions, [`Family`]. It uses the
//! mechanisms (`net`, `engine`, `population`, `data`, `report`) and never another family.

pub mod bimt;
pub mod lottery;
pub mod parsnets;
pub mod restart;
pub mod sid;

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use smidgen_shared::artifact::{Artifact, Provenance};

use crate::compress;
use crate::data::Source;
use crate::fit::Search;
use crate::graph::Graph;
use crate::output::Output;
use crate::report::Page;
use crate::run::Request;

/// What every family can do. The verbs call nothing else.
pub trait Family: Sync {
    /// Name, claim and paper.
    fn about(&self) -> &'static About;

    /// Trains as `request` asks and writes the run into `folder`; gives the JSON object of `train`.
    ///
    /// # Errors
    /// An unknown setting, data that are not there, a loss that is not finite, a folder that cannot
    /// be written, or Ctrl-C; the last leaves what `train --resume` goes on from.
    fn train(&self, request: &Request, folder: &Path, place: &Place) -> Result<Value>;

    /// The page that shows what the run in `folder` computes.
    ///
    /// # Errors
    /// A folder that holds no finished run of this family, or data that are not there.
    fn look(&self, folder: &Path, place: &Place) -> Result<Page>;

    /// What `export` quantises.
    ///
    /// # Errors
    /// As [`Family::look`].
    fn export(&self, folder: &Path, place: &Place) -> Result<Export>;

    /// The samples that a model's training held out, raw, of the data set that `provenance` names
    /// or of `data`: what `run` and `verify` take.
    ///
    /// # Errors
    /// Data that are not there, or that the model does not take.
    fn samples(&self, provenance: &Provenance<'_>, data: Option<&str>, place: &Place) -> Result<Samples>;

    /// The row of the class table for a class that training did not see: `attributes` as the data set states them, or
    /// those of its class `name`.
    ///
    /// # Errors
    /// A family whose classes have no attributes, data that are not there, an unknown class, or a table that does
    /// not follow from the data set's attributes.
    fn class_row(
        &self,
        model: &Artifact<'_>,
        name: &str,
        attributes: Option<&[f32]>,
        place: &Place,
    ) -> Result<Vec<f32>> {
        let _ = (model, name, attributes, place);
        anyhow::bail!("{}: its models know no classes by attributes, so they cannot be taught one", self.about().name)
    }

    /// Gives `found` the candidates that `fit` searches: trained as `request` says, but for their shape.
    ///
    /// # Errors
    /// A family that offers none, data that are not there, an unknown setting; and whatever `found` meets.
    fn search(&self, request: &Request, place: &Place, found: &mut dyn FnMut(&dyn Search) -> Result<()>) -> Result<()> {
        let _ = (request, place, found);
        anyhow::bail!("{}: fit searches none of its settings; it does of {}", self.about().name, FITTED.join(", "))
    }

    /// Measures the paper's claims beside its figures; gives the JSON object of `reproduce`.
    ///
    /// # Errors
    /// An unknown part, or a training that fails.
    fn reproduce(&self, request: &Reproduce, place: &Place) -> Result<Value>;
}

/// What a family is, for `smidgen families`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// What `smidgen train` takes.
    pub name: &'static str,
    /// What the paper says, in a sentence.
    pub claim: &'static str,
    /// Where it says so.
    pub paper: &'static str,
}

/// Where a family works: how it speaks, where data lie, how many threads there are.
#[derive(Clone, Debug)]
pub struct Place {
    /// Text, tables, progress.
    pub output: Output,
    /// Data sets.
    pub data: Source,
    /// Threads to train on, at least 1. Results do not depend on it.
    pub threads: usize,
}

/// A trained model, ready to be quantised.
pub struct Export {
    /// The float graph.
    pub graph: Graph,
    /// Inputs to calibrate on, as [`Graph::run`] takes them.
    pub inputs: Vec<Vec<f32>>,
    /// Where the model comes from.
    pub provenance: compress::Provenance,
    /// How samples are drawn, where it is a denoiser.
    pub sampler: Option<compress::Sampler>,
}

/// Raw inputs with what is true of them.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Index in the data set.
    pub ids: Vec<u32>,
    /// As [`crate::infer::Model::answer`] takes them.
    pub inputs: Vec<Vec<i16>>,
    /// One an input.
    pub truths: Truths,
    /// Whether they are a stream, whose order matters.
    pub ordered: bool,
}

/// What is true of samples.
#[derive(Clone, Debug)]
pub enum Truths {
    /// Names of classes.
    Classes(Vec<String>),
    /// Values that the outputs should have.
    Values(Vec<Vec<f32>>),
}

impl Default for Truths {
    fn default() -> Self {
        Truths::Classes(Vec::new())
    }
}

impl Samples {
    /// At most `count` of the samples, evenly spread; of a stream the first.
    pub fn spread(&self, count: usize) -> Samples {
        let rows = if self.ordered { (0..count.min(self.ids.len())).collect() } else { spread(self.ids.len(), count) };
        self.of(&rows)
    }

    /// Those of one class.
    ///
    /// # Errors
    /// Where there is none; names the classes that there are.
    pub fn of_class(&self, class: &str) -> Result<Samples> {
        let Truths::Classes(names) = &self.truths else { anyhow::bail!("the model's samples have no classes") };
        let rows: Vec<usize> = (0..names.len()).filter(|&i| names[i] == class).collect();
        let mut known: Vec<&str> = names.iter().map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        anyhow::ensure!(
            !rows.is_empty(),
            "training held out no sample of a class {class:?}, but of {}",
            known.join(", ")
        );
        Ok(self.of(&rows))
    }

    fn of(&self, rows: &[usize]) -> Samples {
        Samples {
            ordered: self.ordered,
            ids: rows.iter().map(|&i| self.ids[i]).collect(),
            inputs: rows.iter().map(|&i| self.inputs[i].clone()).collect(),
            truths: match &self.truths {
                Truths::Classes(names) => Truths::Classes(rows.iter().map(|&i| names[i].clone()).collect()),
                Truths::Values(values) => Truths::Values(rows.iter().map(|&i| values[i].clone()).collect()),
            },
        }
    }
}

/// At most `count` of the indices 0..n, evenly spread.
pub fn spread(n: usize, count: usize) -> Vec<usize> {
    let count = count.min(n);
    (0..count).map(|i| i * n / count).collect()
}

/// What `reproduce` was asked.
#[derive(Clone, Debug, Default)]
pub struct Reproduce {
    /// Fewer seeds and settings, in under two minutes.
    pub quick: bool,
    /// Only this part of the paper.
    pub only: Option<String>,
    /// Number of seeds; the family's own where there is none.
    pub seeds: Option<u64>,
    /// Folder for tables and plots; none are written where there is none.
    pub folder: Option<std::path::PathBuf>,
}

/// A figure of the paper's with ours beside it: a row of `reproduce`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What is measured, e.g. `independence: test MSE, median of 10 seeds`.
    pub figure: String,
    /// The paper's; `None` where it is not known.
    pub paper: Option<f64>,
    /// Ours.
    pub ours: f64,
    /// E.g. `%`, or nothing.
    pub unit: &'static str,
    /// What counts as within; `None` where the row is only shown.
    pub tolerance: Option<Tolerance>,
    /// The command that gives our figure.
    pub command: String,
}

/// How close is close enough, agreed on beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// At most this many times the paper's figure (errors, counts of weights).
    AtMostTimes(f64),
    /// At least the paper's figure less this (accuracies).
    AtLeastLess(f64),
    /// Within this of the paper's figure.
    PlusMinus(f64),
}

impl Row {
    /// Whether ours is within tolerance of the paper's; `None` where that cannot be said.
    pub fn within(&self) -> Option<bool> {
        let (paper, tolerance) = (self.paper?, self.tolerance?);
        Some(match tolerance {
            Tolerance::AtMostTimes(factor) => self.ours <= factor * paper,
            Tolerance::AtLeastLess(margin) => self.ours >= paper - margin,
            Tolerance::PlusMinus(margin) => (self.ours - paper).abs() <= margin,
        })
    }

    /// Its object in the JSON of `reproduce`.
    pub fn json(&self) -> Value {
        let tolerance = self.tolerance.map(|t| match t {
            Tolerance::AtMostTimes(factor) => format!("at most {factor} times"),
            Tolerance::AtLeastLess(0.0) => "at least".to_string(),
            Tolerance::AtLeastLess(margin) => format!("at least, less {margin}"),
            Tolerance::PlusMinus(margin) => format!("± {margin}"),
        });
        json!({
            "figure": self.figure, "paper": self.paper, "ours": self.ours, "unit": self.unit,
            "tolerance": tolerance, "within": self.within(), "command": self.command,
        })
    }
}

/// Prints `rows` as a table and gives the JSON object of `reproduce`.
pub fn reproduced(family: &str, rows: &[Row], seconds: f64, output: Output) -> Value {
    let number = |v: f64| match v.abs() {
        0.0 => "0".to_string(),
        a if (1e-2..1e6).contains(&a) => format!("{}", (v * 1e4).round() / 1e4),
        _ => format!("{v:.2e}"),
    };
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let unit = if row.unit.is_empty() { String::new() } else { format!(" {}", row.unit) };
            vec![
                row.figure.clone(),
                row.paper.map_or("–".into(), |p| format!("{}{unit}", number(p))),
                format!("{}{unit}", number(row.ours)),
                row.within().map_or("–", |w| if w { "yes" } else { "no" }).to_string(),
                row.command.clone(),
            ]
        })
        .collect();
    output.table(&["figure", "paper", "ours", "within", "command"], &table);
    let total = rows.iter().filter(|r| r.within().is_some()).count();
    let within = rows.iter().filter(|r| r.within() == Some(true)).count();
    output.line(format!("\n{within} of {total} rows within tolerance; {seconds:.0} s"));
    json!({
        "family": family, "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "within": within, "total": total, "seconds": (seconds * 10.0).round() / 10.0,
    })
}

/// All families; each is a folder beside this file.
pub const FAMILIES: &[&dyn Family] =
    &[&parsnets::ParsNets, &bimt::Bimt, &lottery::Lottery, &sid::Sid, &restart::RestartSampling];

/// Families that have a [`Family::search`].
const FITTED: [&str; 3] = [parsnets::NAME, bimt::NAME, lottery::NAME];

/// The family of that name; the error names the nearest ones.
///
/// # Errors
/// Where there is none.
pub fn find(name: &str) -> Result<&'static dyn Family> {
    FAMILIES.iter().copied().find(|family| family.about().name == name).ok_or_else(|| {
        let names: Vec<&str> = FAMILIES.iter().map(|family| family.about().name).collect();
        anyhow::anyhow!(
            "there is no family {name:?}; nearest: {}; `smidgen families` lists all",
            nearest(name, &names).join(", ")
        )
    })
}

/// At most three of `names`, the most like `name` first.
pub fn nearest<'n>(name: &str, names: &[&'n str]) -> Vec<&'n str> {
    let mut names = names.to_vec();
    names.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
    names.truncate(3);
    names
}
