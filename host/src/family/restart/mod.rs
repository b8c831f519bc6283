//! Restart sampling: why a diffusion sampler that goes back up now and then is both fast and good.
//!
//! A denoiser learns `D(x, σ)`, the mean of the data given x = data + σ·noise. Its probability-flow ODE
//! leads from noise to data in few steps, but carries every error to the end; an SDE forgets errors but
//! needs many steps. Restart (arXiv 2306.14878) runs the ODE and, in an interval, adds the noise of its
//! whole length and runs it again: the jumps contract the errors made so far, the ODE adds few new ones.
//!
//! One trait has all samplers, one counter all function evaluations.

mod denoiser;
mod edm;
mod experiment;
mod export;
mod impute;
mod judge;
mod look;
mod matching;
mod measure;
mod metrics;
mod plan;
mod program;
mod record;
mod reproduce;
mod sampler;
mod search;
mod set;
mod settings;
mod solver;
pub mod speed;
mod train;
mod walk;

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use smidgen_shared::artifact::Provenance;

use super::{About, Export, Family, Place, Reproduce, Samples};
use crate::graph::Graph;
use crate::interrupt;
use crate::output::thousands;
use crate::population::{Grid, Watch};
use crate::report::{Page, write_atomic};
use crate::run::{Request, read_json};
use denoiser::Denoiser;
use measure::Yardstick;
use record::Record;
use search::Effort;
use settings::Settings;

/// The family's name on the command line.
pub const NAME: &str = "restart";

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct RestartSampling;

const ABOUT: About = About {
    name: NAME,
    claim: "Sampling that alternates jumps of added noise with a strict backward ODE is faster and better than either.",
    paper: "Restart sampling for improving generative processes, arXiv 2306.14878",
};

/// Seed of the samples that samplers are judged by.
const SAMPLES_SEED: u64 = 11;

impl Family for RestartSampling {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn train(&self, request: &Request, folder: &Path, place: &Place) -> Result<Value> {
        interrupt::listen();
        ensure!(request.task.is_none() && request.split.is_none(), "restart holds nothing out by --task or --split");
        let engine = request.engine.as_deref().unwrap_or("fused");
        ensure!(engine == "fused", "restart trains with the fused engine; --engine {engine} is not built for it");
        ensure!(request.device.as_deref().unwrap_or("cpu") == "cpu", "restart trains on the CPU; leave --device out");
        let settings = Settings::of(&request.set, request.data.as_deref())?;
        let set = settings.set(&place.data)?;
        let shape = settings.shape(&set);
        let seeds = request.population;
        ensure!(seeds > 0, "a population of 0; --population needs at least 1");
        request.write(folder)?;
        place.output.line(format!(
            "train   {NAME}: {} denoiser{} of {} parameters on {}, {} samples of {} values",
            seeds,
            if seeds == 1 { "" } else { "s" },
            thousands(shape.network()?.parameters() as u64),
            set.name,
            thousands(set.len() as u64),
            set.dim
        ));
        let tasks = settings.tasks(&set, request.seed, seeds);
        let members = Grid::default().members(request.seed, seeds)?;
        let watch = Watch::new(place.output, "training", &Grid::default(), &members);
        let identity = settings.identity(&set, request.seed, seeds)?;
        let trained = train::train(&tasks, &train::saved(place.threads, folder, request.resume, identity), &watch)?;
        let denoisers: Vec<Denoiser> = trained.iter().map(|t| t.denoiser.clone()).collect();
        let yardstick = Yardstick::of(&set)?;
        let mut plans = Vec::new();
        if settings.samples > 0 {
            plans.extend(measure::front().into_iter().map(|p| (p, false)));
            let budgets = &settings.search;
            let effort = Effort::FULL;
            plans.extend(measure::searched(budgets, &denoisers[0], &yardstick, effort, place.threads, place.output)?);
        }
        let with = (SAMPLES_SEED, place.threads);
        let measured = measure::measure(plans, &denoisers, &yardstick, settings.samples, with, place.output)?;
        let record = Record {
            family: NAME.into(),
            seed: request.seed,
            population: seeds,
            data: settings.data.clone(),
            draw: settings.draw,
            settings: settings.words(),
            shape,
            losses: trained.iter().map(|t| t.loss).collect(),
            yard: yardstick.yard(settings.samples),
            measured,
            restart: measure::exported(),
        };
        write_atomic(&folder.join("graph.json"), &serde_json::to_vec(&export::graph(&denoisers[0])?)?)?;
        record.write(folder)?;
        show(&record, place);
        Ok(summary(&record, folder))
    }

    fn look(&self, folder: &Path, place: &Place) -> Result<Page> {
        look::page(folder, &Record::read(folder)?, place)
    }

    fn export(&self, folder: &Path, place: &Place) -> Result<Export> {
        let record = Record::read(folder)?;
        ensure!(
            record.data == "digits",
            "a denoiser of {} is looked at, not exported: the chip draws digits of 8 × 8 pixels",
            record.data
        );
        let set = std::sync::Arc::new(set::Set::load(&record.data, record.draw, &place.data)?);
        let graph: Graph = read_json(folder, "graph.json")?;
        graph.shapes()?;
        let denoiser = record.denoiser(folder, 0)?;
        let inputs = export::calibration(&set, &record.shape, &record.restart);
        let provenance = export::provenance(&record, &denoiser, &set, place.threads)?;
        Ok(Export { graph, inputs, provenance, sampler: Some(export::sampler(&record, &set)) })
    }

    fn samples(&self, provenance: &Provenance<'_>, data: Option<&str>, place: &Place) -> Result<Samples> {
        ensure!(data.is_none(), "a denoiser takes noise on the data that it was trained on; leave --data out");
        ensure!(provenance.dataset == "digits", "the model was made from {:?}, not by restart", provenance.dataset);
        let settings = Settings::of(&[], None)?;
        let set = settings.set(&place.data)?;
        Ok(export::held_out(&set, &settings.shape(&set), &measure::exported()))
    }

    fn reproduce(&self, request: &Reproduce, place: &Place) -> Result<Value> {
        reproduce::run(request, place)
    }
}

/// The samplers as a table.
fn show(record: &Record, place: &Place) {
    let losses: Vec<String> = record.losses.iter().map(|l| format!("{l:.4}")).collect();
    place.output.line(format!("loss    {}", losses.join(", ")));
    if record.measured.is_empty() {
        return;
    }
    let each = record.measured.iter().map(|m| {
        let sampler = m.plan.sampler();
        let figures = |get: fn(&judge::Figures) -> f64| {
            m.figures.as_ref().map_or("–".to_string(), |f| format!("{:.2}", get(f)))
        };
        vec![
            sampler.name(),
            sampler.evaluations().to_string(),
            format!("{:.3}", m.mean()),
            figures(|f| f.precision),
            figures(|f| f.recall),
            figures(|f| f.nearest),
            sampler.settings(),
        ]
    });
    let rows: Vec<Vec<String>> = each.collect();
    place.output.line("");
    let name = record.yard.name.as_str();
    place.output.table(&["sampler", "NFE", name, "precision", "recall", "nearest", "settings"], &rows);
    place.output.line(format!("two halves of the data are {:.3} apart", record.yard.floor));
}

/// The JSON object of `train`.
fn summary(record: &Record, folder: &Path) -> Value {
    let samplers = record.measured.iter().map(|m| {
        let sampler = m.plan.sampler();
        json!({
            "name": sampler.name(), "settings": sampler.settings(), "nfe": sampler.evaluations(),
            "searched": m.searched, "distances": m.distances, "figures": m.figures,
        })
    });
    json!({
        "family": NAME, "data": record.data, "seed": record.seed, "population": record.population,
        "settings": record.settings, "losses": record.losses, "distance": record.yard.name,
        "floor": record.yard.floor, "samplers": samplers.collect::<Vec<_>>(), "run": folder,
    })
}

#[cfg(test)]
mod sampler_tests;
#[cfg(test)]
mod tests;
