//! `look` at a restart run: quality against function evaluations, the table behind it, and samples.

use std::path::Path;

use anyhow::Result;

use super::denoiser::labels;
use super::measure::front;
use super::plan::Plan;
use super::record::{Measured, Record};
use super::set::Set;
use crate::family::Place;
use crate::report::{Axis, Cell, LinePlot, Page, Pictures, ScatterPlot, Section, Series, Table};

/// Evaluations at which samples are shown side by side, about.
const EQUAL: usize = 41;
/// Pictures of a row.
const SHOWN: usize = 10;
/// Seed of the samples that are shown.
const SEED: u64 = 1;

/// The report of a run.
///
/// # Errors
/// Data or denoisers that are not there.
pub fn page(folder: &Path, record: &Record, place: &Place) -> Result<Page> {
    let yard = &record.yard;
    let mut page = Page::new(format!("restart: samplers on {}", record.data))
        .subtitle(record.settings.clone())
        .provenance("paper", "arXiv 2306.14878")
        .provenance("seeds", format!("{} to {}", record.seed, record.seed + record.population - 1))
        .provenance("tool", concat!("smidgen ", env!("CARGO_PKG_VERSION")))
        .fact("parameters", crate::output::thousands(record.shape.network()?.parameters() as u64));
    if let Some(best) = record.measured.iter().min_by(|a, b| a.mean().total_cmp(&b.mean())) {
        let sampler = best.plan.sampler();
        page = page.fact("best sampler", format!("{}, {} NFE", sampler.name(), sampler.evaluations()));
        page = page.fact(yard.name.clone(), format!("{:.3}", best.mean()));
    }
    if !record.measured.is_empty() {
        let caption = format!(
            "{} between {} samples and the data, smaller is better, mean over {} denoiser{}; two halves of the data \
             are {:.3} apart. NFE: function evaluations of the denoiser for one sample.",
            yard.name,
            yard.samples,
            record.population,
            if record.population == 1 { "" } else { "s" },
            yard.floor
        );
        page =
            page.section(Section::new("Quality and evaluations").figure(&plot(&yard.name, &record.measured), caption));
    }
    let set = Set::load(&record.data, record.draw, &place.data)?;
    let denoiser = record.denoiser(folder, 0)?;
    let plans = shown(record);
    if let Some(side) = set.side() {
        let mut pictures = Pictures { name: "Samples of each sampler".into(), side, rows: vec![] };
        let labels = labels(SHOWN, set.classes);
        for plan in &plans {
            let sampler = plan.sampler();
            let values = denoiser.sample(sampler, &labels, SEED, place.threads)?.values;
            let ink = values.chunks_exact(set.dim).map(|p| p.iter().map(|v| (v + 1.0) / 2.0).collect()).collect();
            pictures.rows.push((sampler.name(), format!("{} NFE", sampler.evaluations()), ink));
        }
        let data = (0..SHOWN).filter_map(|c| {
            let i = set.labels.iter().position(|&l| usize::from(l) == c)?;
            Some(set.row(i).iter().map(|v| (v + 1.0) / 2.0).collect())
        });
        pictures.rows.push(("data".into(), String::new(), data.collect()));
        let caption =
            format!("Samples of the same noise at about {EQUAL} evaluations, one of each class; below, data.");
        page = page.section(Section::new("Samples").figure(&pictures, caption));
    } else if set.dim == 2 {
        let mut section = Section::new("Samples");
        for plan in &plans {
            let sampler = plan.sampler();
            let labels = labels(1000, set.classes);
            let values = denoiser.sample(sampler, &labels, SEED, place.threads)?.values;
            let points = |v: &[f32]| v.chunks_exact(2).map(|p| (f64::from(p[0]), f64::from(p[1]))).collect::<Vec<_>>();
            let plot = ScatterPlot::new(
                Axis::plain("x"),
                Axis::plain("y"),
                vec![("data".into(), points(&set.values[..2000])), (sampler.name(), points(&values))],
            );
            section = section.figure(&plot, format!("{}, {} NFE.", sampler.name(), sampler.evaluations()));
        }
        page = page.section(section);
    }
    if !record.measured.is_empty() {
        page = page.section(table(record));
    }
    Ok(page)
}

/// One plan a sampler: of the run's, or of the front, the one nearest to [`EQUAL`] evaluations.
fn shown(record: &Record) -> Vec<Plan> {
    let measured: Vec<Plan> = record.measured.iter().map(|m| m.plan.clone()).collect();
    let all = if measured.is_empty() { front() } else { measured };
    let mut plans: Vec<Plan> = Vec::new();
    for plan in all {
        let gap = |p: &Plan| p.evaluations().abs_diff(EQUAL);
        match plans.iter_mut().find(|p| p.sampler().name() == plan.sampler().name()) {
            Some(known) if gap(&plan) < gap(known) => *known = plan,
            Some(_) => {}
            None => plans.push(plan),
        }
    }
    plans
}

/// Distance against evaluations, both logarithmic, a line a sampler; of one sampler at one budget the best.
pub fn plot(name: &str, measured: &[Measured]) -> LinePlot {
    let mut series: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for m in measured {
        let (sampler, point) = (m.plan.sampler().name(), (m.plan.evaluations() as f64, m.mean()));
        match series.iter_mut().find(|s| s.0 == sampler) {
            Some(known) => match known.1.iter_mut().find(|p| p.0 == point.0) {
                Some(same) => same.1 = same.1.min(point.1),
                None => known.1.push(point),
            },
            None => series.push((sampler, vec![point])),
        }
    }
    let lines = series.into_iter().map(|(name, mut points)| {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series::new(name, points).dots()
    });
    LinePlot::new(Axis::count("function evaluations").log(), Axis::plain(name).log(), lines.collect())
}

fn table(record: &Record) -> Section {
    let judged = record.measured.iter().any(|m| m.figures.is_some());
    let mut columns = vec!["sampler", "settings", "NFE", record.yard.name.as_str()];
    if judged {
        columns.extend(["sliced W₁", "precision", "recall", "nearest", "agreement"]);
    }
    let mut table = Table::new(columns);
    for m in &record.measured {
        let sampler = m.plan.sampler();
        let mark = if m.searched { " (searched)" } else { "" };
        let mut cells = vec![
            Cell::Text(sampler.name()),
            Cell::Text(format!("{}{mark}", sampler.settings())),
            Cell::Count(sampler.evaluations() as u64),
            Cell::over(&m.distances, 3),
        ];
        if let (true, Some(f)) = (judged, m.figures) {
            cells.push(Cell::Number { value: f.sliced, decimals: 4 });
            let rest = [f.precision, f.recall, f.nearest, f.agreement];
            cells.extend(rest.map(|value| Cell::Number { value, decimals: 2 }));
        }
        table = table.row(cells);
    }
    let mut section = Section::new("All samplers").table(table, "Figures after the distance are the first denoiser's.");
    if let (Some(spacing), Some(accuracy)) = (record.yard.spacing, record.yard.accuracy) {
        section = section.text(format!(
            "The classifier gets {:.1} % of the data right; agreement is the share of samples that it takes for what \
             they were to be. Nearest: mean distance to the nearest training sample; from one training sample to the \
             next it is {spacing:.2}. A sampler whose samples lie much nearer repeats the data.",
            100.0 * accuracy
        ));
    }
    section
}
