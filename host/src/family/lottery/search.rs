//! What `fit lottery` searches: widths. Only the narrow ones are trained, [`SEEDS`] times each; the law that their
//! losses follow (`crate::law`) says what the wider ones would give.

use anyhow::{Context, Result, ensure};

use super::settings::{Plan, Settings};
use super::train::{Trained as Network, train, unsaved};
use super::{NAME, export};
use crate::compress::{Aligned, Metric as Figure, Provenance};
use crate::family::{Export, Truths};
use crate::fit::{COUNTED, Candidate, Metric, Quality, Search, Trained};
use crate::infer::Host;
use crate::law::{Law, Sized};
use crate::population::{Watch, quantile};
use crate::run::Request;

/// Widths that are searched.
const WIDTHS: [usize; 16] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384];
/// The widest that is trained before the choice.
const WIDEST_TRAINED: usize = 32;
/// Networks of a width.
const SEEDS: u64 = 5;

/// As [`crate::family::Family::search`] says.
pub fn search(request: &Request, threads: usize, found: &mut dyn FnMut(&dyn Search) -> Result<()>) -> Result<()> {
    ensure!(request.data.is_none(), "lottery makes its own data, y = x²; leave --data out");
    let given =
        request.set.iter().find(|set| ["width", "export", "fit"].contains(&set.split('=').next().unwrap_or("")));
    ensure!(given.is_none(), "--set {}: this is what fit searches; leave it out", given.map_or("", |set| set));
    // Trained once, before costs are asked for: the law needs all of them.
    let narrow: Vec<String> = WIDTHS.iter().filter(|w| **w <= WIDEST_TRAINED).map(usize::to_string).collect();
    let (losses, fit_from) = losses(request, &narrow.join(","), threads)?;
    let law = Law::fit((NAME, &request.set.join(" "), "width"), &losses, (fit_from, WIDEST_TRAINED))?;
    let candidates = WIDTHS.map(|width| {
        let sets = [vec![format!("width={width}"), format!("export={width}")], request.set.clone()].concat();
        Candidate { name: format!("width {width}"), kind: "one hidden layer".into(), sets }
    });
    found(&Space { candidates: candidates.to_vec(), law, losses, request: request.clone() })
}

/// Losses of all seeds at each width, and from which width on the law is fitted.
fn losses(request: &Request, widths: &str, threads: usize) -> Result<(Vec<Sized>, usize)> {
    let plan = Plan::of(&[request.set.clone(), vec![format!("width={widths}")]].concat())?;
    ensure!(
        plan.grid.axes.iter().all(|(key, values)| key == "width" || values.len() == 1),
        "fit takes one value of each setting, no grid"
    );
    let members = plan.grid.members(request.seed, SEEDS)?;
    let population = train(&members, &unsaved(threads), &Watch::silent(members.len()))?;
    let mut sized: Vec<Sized> = Vec::new();
    for (member, outcome) in members.iter().zip(population) {
        let (size, Ok(trained)) = (Settings::of(member)?.width, outcome) else { continue };
        match sized.iter_mut().find(|s| s.size == size) {
            Some(s) => s.losses.push(trained.loss),
            None => sized.push(Sized { size, losses: vec![trained.loss] }),
        }
    }
    Ok((sized, plan.fit_from))
}

struct Space {
    candidates: Vec<Candidate>,
    law: Law,
    losses: Vec<Sized>,
    request: Request,
}

impl Space {
    /// Settings of a candidate, and the best of `seeds` networks after `steps`.
    fn best(&self, candidate: usize, seeds: u64, steps: Option<usize>) -> Result<(Settings, Network)> {
        let mut sets = self.candidates[candidate].sets.clone();
        sets.extend(steps.map(|steps| format!("steps={steps}")));
        let plan = Plan::of(&sets)?;
        let members = plan.grid.members(self.request.seed, seeds)?;
        let population = train(&members, &unsaved(1), &Watch::silent(members.len()))?;
        let best = population.into_iter().flatten().min_by(|a, b| a.loss.total_cmp(&b.loss));
        Ok((Settings::of(&members[0])?, best.context("every network failed; a lower rate may help")?))
    }

    fn export(&self, candidate: usize, seeds: u64, steps: Option<usize>) -> Result<Export> {
        let (settings, network) = self.best(candidate, seeds, steps)?;
        let graph = export::graph(settings.activation, &network);
        let words = format!("width={} {}", settings.width, settings.words());
        // Figures that take as many bytes in an artifact as the true ones at most.
        let metrics = vec![Figure { name: "MSE".into(), float: 1.0, int8: 1.0 }];
        let provenance = Provenance { metrics, ..export::origin(&words, self.request.seed) };
        Ok(Export { graph, inputs: export::calibration(), provenance, sampler: None })
    }
}

impl Search for Space {
    fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    fn metric(&self) -> Metric {
        Metric { name: "mean square error".into(), share: false }
    }

    fn law(&self) -> Option<String> {
        let Law { exponent, interval, range, .. } = &self.law;
        Some(format!(
            "widths up to {WIDEST_TRAINED} were trained with {SEEDS} seeds each; by law: C·N^−α, fitted to widths {} to {}, α = {exponent:.2} [{:.2}, {:.2}]: what wider ones would reach if it went on like that",
            range.0, range.1, interval.0, interval.1
        ))
    }

    fn shape(&self, candidate: usize) -> Result<Export> {
        self.export(candidate, 1, Some(1))
    }

    fn rounds(&self) -> usize {
        1
    }

    fn quality(&self, candidate: usize, _: usize) -> Result<(Quality, Option<Export>)> {
        let width = WIDTHS[candidate];
        let trained = self.losses.iter().find(|s| s.size == width);
        let (value, by_law) = match trained {
            Some(s) => {
                let mut losses = s.losses.clone();
                losses.sort_unstable_by(f64::total_cmp);
                (quantile(&losses, 0.5), false)
            }
            None => (self.law.loss(width as f64), true),
        };
        Ok((Quality { value, deviation: None, by_law }, None))
    }

    fn train(&self, candidate: usize) -> Result<Trained> {
        let export = self.export(candidate, SEEDS, None)?;
        Ok(Trained { export, inputs: export::held_out().spread(COUNTED).inputs })
    }

    fn test(&self, _: usize, model: &Aligned) -> Result<f64> {
        let samples = export::held_out();
        let Truths::Values(truths) = &samples.truths else { anyhow::bail!("points without values") };
        let mut arena = Vec::new();
        let mut host = Host::new(model.artifact()?, &mut arena)?;
        let mut sum = 0.0;
        for (raw, y) in samples.inputs.iter().zip(truths) {
            host.answer(raw)?;
            sum += f64::from(host.values()[0] - y[0]).powi(2);
        }
        Ok(sum / truths.len() as f64)
    }
}
