//! `reproduce restart`: the small experiment beside the paper's figures, and what the samplers do on digits.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::NAME;
use super::denoiser::{Denoiser, labels};
use super::experiment::{Bench, Errors, Inner, task};
use super::impute;
use super::judge::Judge;
use super::metrics::nearest;
use super::plan::Plan;
use super::search::{Effort, edms, restarts, search};
use super::settings::Settings;
use super::solver::Solver;
use super::train;
use crate::engine::in_parallel;
use crate::family::{Place, Reproduce, Row, Tolerance, reproduced};
use crate::interrupt;
use crate::population::{Grid, Watch};

/// Parts.
const PARTS: [&str; 3] = ["experiment", "digits", "imputation"];
/// The paper's best totals, about: ODE, SDE, Restart.
const PAPER: [(&str, f64); 3] = [("ODE", 0.875), ("SDE", 0.825), ("Restart", 0.765)];

/// Measures what was asked for and sets the rows side by side.
pub fn run(request: &Reproduce, place: &Place) -> Result<Value> {
    interrupt::listen();
    let started = Instant::now();
    if let Some(only) = &request.only {
        ensure!(PARTS.contains(&only.as_str()), "no part {only:?}; there are {}", PARTS.join(", "));
    }
    ensure!(request.seeds != Some(0), "--seeds 0: at least one is needed");
    let wanted = |part: &str| request.only.as_deref().is_none_or(|only| only == part);
    let mut rows = Vec::new();
    let mut more = serde_json::Map::new();
    if wanted("experiment") {
        let (found, detail) = experiment(request, place)?;
        rows.extend(found);
        more.insert("experiment".into(), detail);
    }
    if wanted("digits") {
        let (found, detail) = digits(request, place)?;
        rows.extend(found);
        more.insert("digits".into(), detail);
    }
    if wanted("imputation") {
        rows.extend(imputation(request, place)?);
    }
    let mut result = reproduced(NAME, &rows, started.elapsed().as_secs_f64(), place.output);
    if let Value::Object(fields) = &mut result {
        fields.extend(more);
    }
    Ok(result)
}

fn command(part: &str, quick: bool) -> String {
    format!("smidgen reproduce {NAME} --only {part}{}", if quick { " --quick" } else { "" })
}

/// Mean and sample deviation.
fn over(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let square = values.map(|v| (v - mean).powi(2)).sum::<f64>();
    (mean, if n > 1.0 { (square / (n - 1.0)).sqrt() } else { 0.0 })
}

/// One draw of the small experiment: for each sampler its best settings and the errors of every run.
struct Draw {
    number: u64,
    best: Vec<(&'static str, Inner, Vec<Errors>)>,
}

impl Draw {
    fn total(&self, name: &str) -> Option<(f64, f64)> {
        let found = self.best.iter().find(|b| b.0 == name)?;
        Some(over(found.2.iter().map(|e| e.total)))
    }

    /// Whether Restart is below the SDE below the ODE; if not, why not, in a sentence.
    fn order(&self) -> Option<String> {
        let (ode, sde, restart) = (self.total("ODE")?, self.total("SDE")?, self.total("Restart")?);
        if restart.0 < sde.0 && sde.0 < ode.0 {
            return None;
        }
        let pair = |a: &str, b: &str, x: (f64, f64), y: (f64, f64)| {
            let noise = if (x.0 - y.0).abs() <= x.1.max(y.1) { ", within the deviation of the runs" } else { "" };
            (x.0 >= y.0).then(|| format!("{a}'s total {:.3} is not below {b}'s {:.3}{noise}", x.0, y.0))
        };
        let said = [pair("Restart", "the SDE", restart, sde), pair("the SDE", "the ODE", sde, ode)];
        Some(said.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

fn experiment(request: &Reproduce, place: &Place) -> Result<(Vec<Row>, Value)> {
    let (draws, runs) = if request.quick { (1, 2) } else { (5, request.seeds.unwrap_or(5)) };
    let tasks: Vec<_> = (0..draws).map(|draw| task(draw, draw, request.quick)).collect();
    let members = Grid::default().members(0, draws)?;
    let watch = Watch::new(place.output, "experiment", &Grid::default(), &members);
    let trained = train::train(&tasks, &train::unsaved(place.threads), &watch)?;
    // Settings are chosen on draw 0, in a run of its own: the best of many is not to be the luckiest.
    let mut chosen = Vec::new();
    let chooser = Bench::new(&trained[0].denoiser, &tasks[0].set, &[1000], place.threads)?;
    for (name, mut sweep) in Inner::sweeps() {
        if request.quick {
            sweep = sweep.into_iter().rev().step_by(3).collect();
        }
        place.output.note(format!("experiment: {name}, {} settings", sweep.len()));
        let totals = chooser.totals(&sweep, place.threads)?;
        let least = (0..sweep.len()).min_by(|&a, &b| totals[a].total_cmp(&totals[b])).context("an empty sweep")?;
        chosen.push((name, sweep[least]));
    }
    let bar = place.output.bar(draws * 4, "matching");
    let seeds: Vec<u64> = (0..runs).collect();
    let mut all = Vec::new();
    for (number, (task, trained)) in tasks.iter().zip(&trained).enumerate() {
        let bench = Bench::new(&trained.denoiser, &task.set, &seeds, place.threads)?;
        let mut best = Vec::new();
        for &(name, inner) in &chosen {
            best.push((name, inner, bench.errors(inner, place.threads)?));
            bar.inc(1);
        }
        all.push(Draw { number: number as u64, best });
    }
    bar.finish_and_clear();
    let mut table = Vec::new();
    for draw in &all {
        for (name, inner, errors) in &draw.best {
            let cell = |get: fn(&Errors) -> f64| {
                let (mean, deviation) = over(errors.iter().map(get));
                format!("{mean:.3} ± {deviation:.3}")
            };
            table.push(vec![
                draw.number.to_string(),
                name.to_string(),
                inner.words(),
                cell(|e| e.contracted),
                cell(|e| e.additional),
                cell(|e| e.total),
            ]);
        }
    }
    place.output.table(&["draw", "sampler", "settings", "contracted", "additional", "total"], &table);
    let mut words = Vec::new();
    for draw in &all {
        let said = match draw.order() {
            None => format!("draw {}: Restart < SDE < ODE", draw.number),
            Some(why) => format!("draw {}: the order fails: {why}", draw.number),
        };
        place.output.line(&said);
        words.push(said);
    }
    place.output.line(
        "settings are the best of a sweep on draw 0. W₁ between two fresh sets of 2,000 points of the mixture is \
         about .5; the draw of the data and the denoiser's recipe can move a total by more than samplers differ.\n",
    );
    let mut rows = Vec::new();
    for draw in &all {
        for (name, paper) in PAPER {
            let (mean, deviation) = draw.total(name).context("a sampler was not run")?;
            // The other draws are shown as they are.
            let first = draw.number == 0;
            rows.push(Row {
                figure: format!(
                    "experiment, draw {}: total W₁, {name}, ± {deviation:.3} over {runs} runs",
                    draw.number
                ),
                paper: first.then_some(paper),
                ours: mean,
                unit: "",
                tolerance: first.then_some(Tolerance::PlusMinus(0.1 * paper)),
                command: command("experiment", request.quick),
            });
        }
        rows.push(Row {
            figure: format!("experiment, draw {}: Restart < SDE < ODE (1 yes)", draw.number),
            paper: (draw.number == 0).then_some(1.0),
            ours: f64::from(u8::from(draw.order().is_none())),
            unit: "",
            tolerance: (draw.number == 0).then_some(Tolerance::AtLeastLess(0.0)),
            command: command("experiment", request.quick),
        });
    }
    let detail = all.iter().map(|draw| {
        let each = draw.best.iter().map(|(name, inner, errors)| {
            let runs = errors.iter().map(|e| json!([e.contracted, e.additional, e.total]));
            json!({ "sampler": name, "settings": inner.words(), "runs": runs.collect::<Vec<_>>() })
        });
        json!({ "draw": draw.number, "samplers": each.collect::<Vec<_>>(), "order": draw.order().is_none() })
    });
    Ok((rows, Value::Array(detail.collect())))
}

/// One sampler on digits: distances by denoiser and sampling seed.
struct Sampled {
    what: String,
    plan: Plan,
    distances: Vec<Vec<f64>>,
    nearest: Vec<f64>,
}

impl Sampled {
    /// Over all denoisers and seeds.
    fn over(&self) -> (f64, f64) {
        over(self.distances.iter().flatten().copied())
    }

    /// Over the denoisers on which no setting was chosen; over all where there is one.
    fn untouched(&self) -> f64 {
        let rest = &self.distances[usize::from(self.distances.len() > 1)..];
        over(rest.iter().flatten().copied()).0
    }
}

/// Samples that a distance is measured on.
const SAMPLES: usize = 10_000;

fn digits(request: &Reproduce, place: &Place) -> Result<(Vec<Row>, Value)> {
    let (trainings, seeds, samples, effort, sets) = if request.quick {
        (1, 2, 1000, Effort::QUICK, vec!["steps=3000".to_string()])
    } else {
        (3, request.seeds.unwrap_or(5), SAMPLES, Effort::FULL, vec![])
    };
    let settings = Settings::of(&sets, None)?;
    let set = settings.set(&place.data)?;
    let tasks = settings.tasks(&set, 0, trainings);
    let members = Grid::default().members(0, trainings)?;
    let watch = Watch::new(place.output, "digits", &Grid::default(), &members);
    let trained = train::train(&tasks, &train::unsaved(place.threads), &watch)?;
    let denoisers: Vec<&Denoiser> = trained.iter().map(|t| &t.denoiser).collect();
    let judge = Judge::new(&set)?;
    place.output.line(format!(
        "digits: {} denoisers of {} parameters; the classifier gets {:.1} % of the data right, {} features; two halves \
         of the data are {:.3} apart; nearest neighbours in the data {:.2}",
        trainings,
        crate::output::thousands(denoisers[0].parameters.len() as u64),
        100.0 * judge.accuracy,
        judge.features(),
        judge.floor,
        judge.spacing()
    ));
    let (few, many) = if request.quick { (63, 127) } else { (63, 255) };
    let mut plans: Vec<(String, Plan)> = Vec::new();
    for (name, budget, grid) in [
        ("EDM-SDE, searched", few, edms(few)),
        ("EDM-SDE, searched", many, edms(many)),
        ("Restart, searched", 41, restarts(41)),
        ("Restart, searched", 64, restarts(64)),
    ] {
        let (plan, distance) = search(grid, denoisers[0], &judge, effort, place.threads)?;
        place.output.note(format!("{name} at {budget}: {}, {distance:.3}", plan.sampler().settings()));
        plans.push((name.into(), plan));
    }
    let fixed: &[(Solver, usize)] = if request.quick {
        &[(Solver::Heun, 41), (Solver::Heun, 63)]
    } else {
        &[
            (Solver::Heun, 17),
            (Solver::Heun, 41),
            (Solver::Heun, 63),
            (Solver::Heun, 255),
            (Solver::Euler, 64),
            (Solver::Dpm2, 63),
            (Solver::Dpm3, 64),
        ]
    };
    plans.extend(fixed.iter().map(|&(solver, budget)| (solver.name().to_string(), Plan::ode(solver, budget))));
    let bar = place.output.bar(plans.len() as u64, "sampling");
    let labels = labels(samples, set.classes);
    let mut all: Vec<Sampled> = Vec::new();
    for (what, plan) in plans {
        let mut sampled = Sampled { what, plan, distances: vec![], nearest: vec![] };
        for denoiser in &denoisers {
            let jobs: Vec<u64> = (0..seeds).collect();
            let each = in_parallel(&jobs, place.threads, |&seed| {
                interrupt::check()?;
                let values = denoiser.sample(sampled.plan.sampler(), &labels, seed, 1)?.values;
                let few = &values[..set.dim * 500.min(samples)];
                Ok((judge.frechet(&values)?, nearest(few, &set.values, set.dim, false)))
            })?;
            sampled.distances.push(each.iter().map(|e| e.0).collect());
            sampled.nearest.push(over(each.iter().map(|e| e.1)).0);
        }
        bar.inc(1);
        all.push(sampled);
    }
    bar.finish_and_clear();
    let table: Vec<Vec<String>> = all
        .iter()
        .map(|s| {
            let (mean, deviation) = s.over();
            let each: Vec<String> = s.distances.iter().map(|d| format!("{:.3}", over(d.iter().copied()).0)).collect();
            vec![
                s.what.clone(),
                s.plan.evaluations().to_string(),
                format!("{mean:.3} ± {deviation:.3}"),
                each.join(" / "),
                format!("{:.3}", over(s.nearest.iter().copied()).0),
                s.plan.sampler().settings(),
            ]
        })
        .collect();
    place.output.table(&["sampler", "NFE", "distance", "by denoiser", "nearest", "settings"], &table);
    place.output.line(format!(
        "distance: Fréchet, {samples} samples, {seeds} sampling seeds on each of {trainings} denoisers; settings were \
         searched on the first denoiser, rows compare the others.\n"
    ));
    let rows = digits_rows(&all, request.quick, (few, many));
    let detail = all.iter().map(|s| {
        json!({
            "sampler": s.what, "nfe": s.plan.evaluations(), "settings": s.plan.sampler().settings(),
            "distances": s.distances, "nearest": s.nearest,
        })
    });
    Ok((rows, Value::Array(detail.collect())))
}

fn digits_rows(all: &[Sampled], quick: bool, (_, many): (usize, usize)) -> Vec<Row> {
    let find = |what: &str, nfe: usize| {
        all.iter().filter(|s| s.what.starts_with(what)).min_by_key(|s| s.plan.evaluations().abs_diff(nfe))
    };
    let (Some(sde), Some(restart)) = (find("EDM-SDE", many), find("Restart", 64)) else { return vec![] };
    let row = |figure: String, paper: f64, ours: f64, tolerance: Tolerance| Row {
        figure,
        paper: Some(paper),
        ours,
        unit: "",
        tolerance: Some(tolerance),
        command: command("digits", quick),
    };
    let mut rows = vec![row(
        format!(
            "digits: distance of Restart at {} NFE to that of EDM-SDE at {}",
            restart.plan.evaluations(),
            sde.plan.evaluations()
        ),
        1.0,
        restart.untouched() / sde.untouched(),
        Tolerance::AtMostTimes(1.05),
    )];
    for (nfe, with) in [(41, 41), (63, 64)] {
        if let (Some(heun), Some(restart)) = (find("Heun", nfe), find("Restart", with)) {
            rows.push(row(
                format!(
                    "digits: distance of Restart at {} NFE to that of Heun at {}",
                    restart.plan.evaluations(),
                    heun.plan.evaluations()
                ),
                0.7,
                restart.untouched() / heun.untouched(),
                Tolerance::AtMostTimes(1.0),
            ));
        }
    }
    rows
}

fn imputation(request: &Reproduce, place: &Place) -> Result<Vec<Row>> {
    let steps = if request.quick { 2000 } else { 16_000 };
    let gaps = impute::measure(&place.data, steps, place.threads)?;
    let row = |figure: String, ours: f64, unit: &'static str| Row {
        figure: format!("imputation: {figure}"),
        paper: None,
        ours,
        unit,
        tolerance: None,
        command: command("imputation", request.quick),
    };
    let length = impute::GAP.len();
    Ok(vec![
        row(format!("error of linear interpolation, gap of {length} in {} windows", gaps.windows), gaps.line, "g"),
        row("error of the mean of 16 samples".into(), gaps.mean, "g"),
        row("error of one sample".into(), gaps.one, "g"),
        row("true values within two deviations of the mean".into(), 100.0 * gaps.covered, "%"),
        row("rank correlation of a window's deviation with its error".into(), gaps.telling, ""),
    ])
}
