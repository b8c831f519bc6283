//! ParsNets: a composite of low-rank linear networks, put together anew for each sample.
//!
//! `s(x) = Σ_{k kept} g_k(x) (U_k (V_kᵀ x + b_k) + u_k) [+ W₀ x]`, `g = softmax(4·(Gx + c))` over the
//! top m of K; `p(c|x) = softmax_c(τ·cos(s, a_c))`. The paper (arXiv 2312.09709) claims that
//! locally linear maps chosen per sample match deep ones on zero-shot learning. The plain linear
//! map, ESZSL, a bilinear ranking model and an MLP are trained by the same code as its opponents.
//!
//! ```no_run
//! use smidgen::family::parsnets::{self, Settings, Targets, Task};
//! # let (x, y): (Vec<f32>, Vec<u16>) = (vec![], vec![]);
//! let settings = Settings::preset("tiny")?;
//! let task = Task { x: &x, width: 54, y: &y, targets: Targets::simplex(19) };
//! let model = parsnets::train(&settings, &task, 0, None, &mut |_| parsnets::Control::Continue)?.model;
//! println!("{} MACs a sample", model.macs());
//! # anyhow::Ok(())
//! ```

mod baselines;
mod command;
mod experiment;
mod export;
mod geometry;
mod look;
mod metrics;
mod model;
pub mod plan;
pub mod reproduce;
mod search;
mod settings;
mod standardise;
mod tables;
mod targets;
mod taught;
mod train;

use std::path::Path;

use anyhow::Result;
use smidgen_shared::artifact::{Artifact, Provenance};

use super::{About, Export, Family, Place, Reproduce, Samples, Truths};
use crate::compress;
use crate::fit::Search;
use crate::run::{Request, Run, held_out};

/// The family's name on the command line.
pub const NAME: &str = "parsnets";

#[cfg(test)]
mod tests;

pub use crate::engine::{Control, Progress};
pub use baselines::{Eszsl, ridge};
pub use command::train as train_run;
pub use experiment::{Experiment, Fitted, Metrics, test_rows};
pub use export::to_graph;
pub use geometry::{Geometry, use_of_bases};
pub use look::page;
pub use metrics::{Generalised, Summary, accuracy, best_handicap, classify, per_class};
pub use model::{Model, Weight};
pub use plan::{Plan, plan};
pub use settings::{Kind, Settings};
pub use standardise::Standardise;
pub use targets::{ClassTable, Targets};
pub use train::{Checkpointing, Task, Trained, train};

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct ParsNets;

const ABOUT: About = About {
    name: NAME,
    claim: "Low-rank linear networks, put together anew for each sample, match deep ones on zero-shot learning.",
    paper: "ParsNets: a parsimonious composition of orthogonal and low-rank linear networks for zero-shot learning, arXiv 2312.09709",
};

impl Family for ParsNets {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn train(&self, request: &Request, folder: &Path, place: &Place) -> Result<serde_json::Value> {
        command::run(request, folder, place)
    }

    fn look(&self, folder: &Path, place: &Place) -> Result<crate::report::Page> {
        let (run, graph) = Run::read(folder)?;
        page(&run, &graph, &place.data.load(&run.dataset)?)
    }

    fn export(&self, folder: &Path, place: &Place) -> Result<Export> {
        let (run, graph) = Run::read(folder)?;
        let dataset = place.data.load(&run.dataset)?;
        let (_, split) = held_out(&dataset, &run.held_out)?;
        let inputs = crate::infer::calibration(&graph, &dataset, &split.train)?;
        Ok(Export { graph, inputs, provenance: provenance(&run), sampler: None })
    }

    fn samples(&self, provenance: &Provenance<'_>, data: Option<&str>, place: &Place) -> Result<Samples> {
        let dataset = place.data.load(data.unwrap_or(provenance.dataset))?;
        anyhow::ensure!(!dataset.is_empty(), "{} has no samples", dataset.name);
        let ids: Vec<u32> = if dataset.name == provenance.dataset {
            let (_, split) = held_out(&dataset, provenance.split)?;
            test_rows(&split)
        } else {
            (0..dataset.len() as u32).collect()
        };
        let name = |&row: &u32| dataset.classes[usize::from(dataset.class[row as usize])].clone();
        let inputs = ids.iter().map(|&row| crate::infer::raw(&dataset, row as usize)).collect::<Result<_>>()?;
        Ok(Samples { truths: Truths::Classes(ids.iter().map(name).collect()), inputs, ids, ordered: false })
    }

    fn class_row(
        &self,
        model: &Artifact<'_>,
        name: &str,
        attributes: Option<&[f32]>,
        place: &Place,
    ) -> Result<Vec<f32>> {
        taught::class_row(model, name, attributes, place)
    }

    fn search(&self, request: &Request, place: &Place, found: &mut dyn FnMut(&dyn Search) -> Result<()>) -> Result<()> {
        search::search(request, place, found)
    }

    fn reproduce(&self, request: &Reproduce, place: &Place) -> Result<serde_json::Value> {
        tables::run(request, place)
    }
}

/// What an artifact says of its origin.
pub fn provenance(run: &Run) -> compress::Provenance {
    let model = &run.models[run.chosen];
    let metrics = model.metrics.iter().filter_map(|(name, float, int8)| {
        Some(compress::Metric { name: name.clone(), float: *float.first()?, int8: *int8.first()? })
    });
    compress::Provenance {
        dataset: run.dataset.clone(),
        split: run.held_out.clone(),
        seed: run.seed,
        settings: run.settings.clone(),
        metrics: metrics.collect(),
    }
}
