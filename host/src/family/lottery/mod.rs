//! Lottery-ticket ensembling: why the loss falls as 1/N where approximation theory says N⁻⁴.
//!
//! Networks `f(x) = Σ_{i≤N} v_i σ(w_i x + b_i) + c` learn y = x² on [−2, 2]. The paper (arXiv
//! 2310.02258) finds that the median loss over many seeds falls as `N⁻¹`: with SiLU from the start,
//! with ReLU after a first regime of `N⁻⁴`. It explains this by tickets, small sub-networks that
//! fit alone: a network of N neurons averages about N of them, and the variance of an average of n
//! is 1/n. The authors note on the paper's page that this theory is questionable and that the
//! empirical results stand; what is measured here is the latter.
//!
//! Seeds × widths are one population, trained at once; the fitted [`Law`](crate::law::Law) is kept
//! as data.

mod export;
mod look;
mod record;
mod reproduce;
mod search;
mod settings;
pub mod speed;
mod ticket;
mod train;

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use smidgen_shared::artifact::Provenance;

use super::{About, Export, Family, Place, Reproduce, Samples};
use crate::fit::Search;
use crate::graph::Graph;
use crate::interrupt;
use crate::output::thousands;
use crate::population::Watch;
use crate::report::{Page, write_atomic};
use crate::run::{Request, read_json};
use record::{Kit, law_file};
use settings::{Plan, Settings};

/// The family's name on the command line.
pub const NAME: &str = "lottery";

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Lottery;

const ABOUT: About = About {
    name: NAME,
    claim: "On y = x² the median loss of networks of N neurons falls as 1/N, as if they averaged lottery tickets.",
    paper: "A neural scaling law from lottery ticket ensembling, arXiv 2310.02258",
};

impl Family for Lottery {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn train(&self, request: &Request, folder: &Path, place: &Place) -> Result<Value> {
        interrupt::listen();
        ensure!(request.data.is_none(), "lottery makes its own data, y = x²; leave --data out");
        ensure!(request.task.is_none() && request.split.is_none(), "lottery holds nothing out by --task or --split");
        let engine = request.engine.as_deref().unwrap_or("fused");
        ensure!(engine == "fused", "lottery trains with the fused engine; --engine {engine} is not built for it");
        ensure!(request.device.as_deref().unwrap_or("cpu") == "cpu", "lottery trains on the CPU; leave --device out");
        let plan = Plan::of(&request.set)?;
        let seeds = request.population;
        let members = plan.grid.members(request.seed, seeds)?;
        request.write(folder)?;
        place.output.line(format!(
            "train   {NAME}: {} networks on y = x², {} settings × {} seed{}",
            thousands(members.len() as u64),
            members.len() as u64 / seeds,
            thousands(seeds),
            if seeds == 1 { "" } else { "s" }
        ));
        let watch = Watch::new(place.output, "training", &plan.grid, &members);
        let run = train::saved(place.threads, folder, request.resume, plan.identity(request.seed, seeds));
        let population = train::train(&members, &run, &watch)?;
        let (kit, chosen) = Kit::of(&plan, &members, &population)?;
        let activation = members
            .iter()
            .map(Settings::of)
            .find_map(|s| s.ok().filter(|s| s.words() == kit.record.chosen.settings).map(|s| s.activation));
        let graph = export::graph(activation.unwrap_or(crate::net::Activation::Silu), &chosen);
        write_atomic(&folder.join("graph.json"), &serde_json::to_vec(&graph)?)?;
        kit.write(folder)?;
        show(&kit, place);
        Ok(summary(&kit, folder))
    }

    fn look(&self, folder: &Path, _: &Place) -> Result<Page> {
        look::page(&Kit::read(folder)?)
    }

    fn export(&self, folder: &Path, _: &Place) -> Result<Export> {
        let kit = Kit::read(folder)?;
        let graph: Graph = read_json(folder, "graph.json")?;
        graph.shapes()?;
        let provenance = export::provenance(&kit.record.chosen, export::errors(&graph)?);
        Ok(Export { graph, inputs: export::calibration(), provenance, sampler: None })
    }

    fn samples(&self, provenance: &Provenance<'_>, data: Option<&str>, _: &Place) -> Result<Samples> {
        ensure!(data.is_none(), "a lottery network takes numbers from −2 to 2; leave --data out");
        ensure!(export::is_ours(provenance), "the model was made from {:?}, not by lottery", provenance.dataset);
        Ok(export::held_out())
    }

    fn search(&self, request: &Request, place: &Place, found: &mut dyn FnMut(&dyn Search) -> Result<()>) -> Result<()> {
        search::search(request, place.threads, found)
    }

    fn reproduce(&self, request: &Reproduce, place: &Place) -> Result<Value> {
        reproduce::run(request, place)
    }
}

/// The laws as a table.
fn show(kit: &Kit, place: &Place) {
    let number = |v: f64| format!("{v:.2e}");
    for group in &kit.record.groups {
        let mut table = Vec::new();
        for s in kit.sizes(&group.label) {
            let mut losses = s.losses.clone();
            losses.sort_unstable_by(f64::total_cmp);
            let at = |q| number(crate::population::quantile(&losses, q));
            table.push(vec![
                s.size.to_string(),
                losses.len().to_string(),
                at(0.0),
                at(0.25),
                at(0.5),
                at(0.75),
                at(1.0),
            ]);
        }
        place.output.line(format!("\n{}", group.label));
        place.output.table(&["N", "networks", "best", "quarter", "median", "three quarters", "worst"], &table);
        match &group.law {
            Some(law) => place.output.line(format!("loss = {:.2e} · N^−α, {}", law.coefficient, law.sentence())),
            None => place.output.line("no law: fewer than two widths in the range of the fit (--set fit=N)"),
        }
    }
    let failures = &kit.record.failures;
    if let Some(first) = failures.first() {
        place.output.line(format!("{} networks failed; the first: {first}", failures.len()));
    }
    let chosen = &kit.record.chosen;
    place.output.line(format!(
        "\nexport takes {} width {} seed {}, loss {:.2e}",
        chosen.label, chosen.width, chosen.seed, chosen.loss
    ));
}

/// The JSON object of `train`.
fn summary(kit: &Kit, folder: &Path) -> Value {
    let groups = kit.record.groups.iter().map(|group| {
        let widths = kit.sizes(&group.label).into_iter().map(|mut s| {
            s.losses.sort_unstable_by(f64::total_cmp);
            let at = |q| crate::population::quantile(&s.losses, q);
            json!({ "width": s.size, "networks": s.losses.len(), "best": at(0.0), "median": at(0.5), "quartiles": [at(0.25), at(0.75)] })
        });
        let law = group.law.as_ref().map(|law| {
            json!({
                "exponent": law.exponent, "interval": law.interval, "coefficient": law.coefficient,
                "range": law.range, "confidence": law.confidence, "file": law_file(&group.label),
            })
        });
        json!({
            "label": group.label, "settings": group.settings, "widths": widths.collect::<Vec<_>>(), "law": law,
        })
    });
    let chosen = &kit.record.chosen;
    json!({
        "family": NAME, "seed": kit.record.seed, "population": kit.record.population,
        "groups": groups.collect::<Vec<_>>(), "failed": kit.record.failures,
        "chosen": { "label": chosen.label, "width": chosen.width, "seed": chosen.seed, "loss": chosen.loss },
        "run": folder,
    })
}

#[cfg(test)]
mod tests;
