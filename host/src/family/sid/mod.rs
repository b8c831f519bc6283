//! SID, the sparse invariant detector (arXiv 2305.19525): the conserved quantities of a system.
//!
//! Claim: from a system's equations and a basis of terms, all laws `H = Σ θ_k b_k` with `∇H·f = 0` are found, as
//! sparse formulas, and the independent ones counted. A law is a null vector of `G_sk = ∇b_k(x_s)·f(x_s)`.

mod basis;
mod command;
mod detect;
mod expr;
mod file;
mod formula;
mod fraction;
mod independent;
mod look;
mod lower;
mod monitor;
mod nullspace;
mod reactions;
mod recording;
mod reproduce;
mod simulate;
mod sparsify;
mod stream;
mod system;

#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context, Result};
use smidgen_shared::artifact::Provenance;

use super::{About, Export, Family, Place, Reproduce, Samples};
use crate::compress;
use crate::report::Page;
use crate::run::Request;

pub use command::{Settings, SidRun, orbit};
pub use detect::{Found, Law, detect, detect_in_data};
pub use expr::Expr;
pub use monitor::{Drill, Monitor, Watch, build, drill, recording, watched};
pub use recording::Recording;
pub use reproduce::measure;
pub use simulate::{Sensors, trajectory};
pub use stream::{Stream, stream};
pub use system::{BUILT_IN, System};

/// The family's name on the command line.
pub const NAME: &str = "sid";

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Sid;

const ABOUT: About = About {
    name: NAME,
    claim: "From equations and a basis of terms, all conserved quantities are found as sparse formulas, and counted.",
    paper: "Discovering new interpretable conservation laws as sparse invariants, arXiv 2305.19525",
};

/// Samples that the exporter sees.
const CALIBRATION: usize = 1000;

impl Family for Sid {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn train(&self, request: &Request, folder: &Path, place: &Place) -> Result<serde_json::Value> {
        command::run(request, folder, place)
    }

    fn look(&self, folder: &Path, _: &Place) -> Result<Page> {
        look::page(folder)
    }

    fn export(&self, folder: &Path, _: &Place) -> Result<Export> {
        let run = SidRun::read(folder)?;
        let (graph, system) = (run.graph(folder)?, run.system()?);
        let counts = match &run.data {
            Some(data) => {
                let rows = Recording::read(Path::new(data))?.rows(&system)?;
                command::exact(&rows, &Sensors::of(&rows, 0.0))
            }
            None => {
                let (states, sensors) = orbit(&system)?;
                recording(&states, &sensors, run.seed).take(states.len()).collect()
            }
        };
        let step = counts.len().div_ceil(CALIBRATION).max(1);
        let inputs = counts.iter().step_by(step).map(|x| x.iter().map(|v| f32::from(*v)).collect()).collect();
        let provenance = compress::Provenance {
            dataset: run.data.clone().unwrap_or_else(|| "simulated".into()),
            split: run.watched.join("; "),
            seed: run.seed,
            settings: format!("system={} rate={}", run.system, run.rate),
            metrics: Vec::new(),
        };
        Ok(Export { graph, inputs, provenance, sampler: None })
    }

    fn samples(&self, provenance: &Provenance<'_>, data: Option<&str>, _: &Place) -> Result<Samples> {
        let name = provenance.settings.split(" rate=").next().and_then(|s| s.strip_prefix("system="));
        let name = name.context("the artifact does not say which system it watches")?;
        let data = data.or((provenance.dataset != "simulated").then_some(provenance.dataset));
        let system = match data {
            Some(data) if !BUILT_IN.iter().any(|b| b.0 == name) && !Path::new(name).exists() => {
                System::unknown(&Recording::read(Path::new(data))?.columns, 2)?
            }
            _ => System::load(name)?,
        };
        let watched: Vec<String> = provenance.split.split("; ").map(str::to_string).collect();
        Ok(stream(&system, data, &watched, provenance.seed)?.samples())
    }

    fn reproduce(&self, request: &Reproduce, place: &Place) -> Result<serde_json::Value> {
        reproduce::run(request, place)
    }
}
