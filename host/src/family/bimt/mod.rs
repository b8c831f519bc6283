//! BIMT: networks that become modular because connections have a length.
//!
//! `loss + λ·Σ R(|w_oi|·(A·d_oi + l0))`, and every K steps neurons change places where that makes
//! the cost smaller. The paper (Liu, Gan and Tegmark, "Seeing is believing: brain-inspired modular
//! training for mechanistic interpretability", arXiv 2305.08746) claims that networks trained so
//! are sparse, modular and can be read.

mod command;
mod export;
mod in_context;
mod look;
mod modularity;
#[cfg(test)]
mod naive;
mod prune;
mod reproduce;
mod result;
mod samples;
mod search;
mod settings;
mod swap;
mod task;
mod train;
mod wiring;

#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use smidgen_shared::artifact::Provenance;

use super::{About, Export, Family, Place, Reproduce, Samples};
use crate::fit::Search;
use crate::report::Page;
use crate::run::Request;

/// The family's name on the command line.
pub const NAME: &str = "bimt";

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Bimt;

const ABOUT: About = About {
    name: NAME,
    claim: "Neurons with places and connections that cost their length make networks modular, sparse and readable.",
    paper: "Seeing is believing: brain-inspired modular training for mechanistic interpretability, arXiv 2305.08746",
};

impl Family for Bimt {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn train(&self, request: &Request, folder: &Path, place: &Place) -> Result<Value> {
        command::train(request, folder, place)
    }

    fn look(&self, folder: &Path, place: &Place) -> Result<Page> {
        command::page(folder, place)
    }

    fn export(&self, folder: &Path, place: &Place) -> Result<Export> {
        export::export(folder, place)
    }

    fn samples(&self, provenance: &Provenance<'_>, data: Option<&str>, place: &Place) -> Result<Samples> {
        export::samples(provenance, data, place)
    }

    fn search(&self, request: &Request, place: &Place, found: &mut dyn FnMut(&dyn Search) -> Result<()>) -> Result<()> {
        search::search(request, place, found)
    }

    fn reproduce(&self, request: &Reproduce, place: &Place) -> Result<Value> {
        reproduce::run(request, place)
    }
}

/// A whole training of `steps` steps of a task that draws its samples, swaps included: what `bench
/// train` measures. Gives the last loss.
///
/// # Errors
/// An unknown task, or one that needs data.
pub fn speed(task: &str, steps: usize) -> Result<f64> {
    let settings = settings::Settings::of(&[("task".into(), task.into())])?;
    // The published stairs are kept: `steps` are the first of them.
    if settings.recipe()?.double {
        command::first_steps::<f64>(&settings, steps)
    } else {
        command::first_steps::<f32>(&settings, steps)
    }
}
