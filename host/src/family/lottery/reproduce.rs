//! `reproduce lottery`: the paper's exponents, its ticket and its scatter, row by row.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::NAME;
use super::look::{PAPER_PLACES, found, histogram, loss_plot, scatter};
use super::record::{Group, Kit};
use super::settings::Plan;
use super::ticket::Found;
use super::train;
use crate::family::{Place, Reproduce, Row, Tolerance, reproduced};
use crate::interrupt;
use crate::population::Watch;
use crate::report::{Plot, standalone, write_atomic};

/// A part of the paper: a population and what is read off it.
struct Part {
    key: &'static str,
    sets: Vec<String>,
    seeds: u64,
}

fn parts(quick: bool, seeds: Option<u64>) -> Vec<Part> {
    let part = |key, widths: &str, most: u64, few: u64, more: &[&str]| {
        let mut sets = vec![format!("activation={key}"), format!("width={widths}")];
        sets.extend(more.iter().map(|s| s.to_string()));
        Part { key, sets, seeds: seeds.unwrap_or(if quick { few } else { most }) }
    };
    if quick {
        vec![part("silu", "2,4,8,16,32,64", 0, 40, &[]), part("relu", "2,4,8,16,32,64,128,256,512", 0, 8, &["fit=4"])]
    } else {
        vec![
            part("silu", "2,4,8,16,32,64,128,256", 1000, 0, &[]),
            part("relu", "2,4,8,16,32,64,128,256,512,1024", 200, 0, &["fit=4"]),
        ]
    }
}

/// Trains what was asked for and sets the rows side by side.
pub fn run(request: &Reproduce, place: &Place) -> Result<Value> {
    interrupt::listen();
    let started = Instant::now();
    let mut parts = parts(request.quick, request.seeds);
    if let Some(only) = &request.only {
        let keys: Vec<&str> = parts.iter().map(|p| p.key).collect();
        ensure!(keys.contains(&only.as_str()), "no part {only:?}; there are {}", keys.join(", "));
        parts.retain(|p| p.key == only);
    }
    ensure!(parts.iter().all(|p| p.seeds > 0), "--seeds 0: at least one is needed");
    let mut rows = Vec::new();
    for part in &parts {
        let plan = Plan::of(&part.sets)?;
        let members = plan.grid.members(0, part.seeds)?;
        let watch = Watch::new(place.output, part.key, &plan.grid, &members);
        let population = train::train(&members, &train::unsaved(place.threads), &watch)?;
        let (kit, _) = Kit::of(&plan, &members, &population)?;
        for failure in &kit.record.failures {
            place.output.note(format!("failed: {failure}; the others count"));
        }
        let sets: Vec<String> = part.sets.iter().map(|s| format!("--set {s}")).collect();
        let command = format!("smidgen train {NAME} {} --population {}", sets.join(" "), part.seeds);
        rows.extend(part_rows(part, &kit, &command)?);
        if let Some(folder) = &request.folder {
            plots(folder, part.key, &kit)?;
        }
    }
    let result = reproduced(NAME, &rows, started.elapsed().as_secs_f64(), place.output);
    place.output.line(super::look::NOTE);
    Ok(result)
}

fn part_rows(part: &Part, kit: &Kit, command: &str) -> Result<Vec<Row>> {
    let group = kit.record.groups.first().context("a population has a group")?;
    let row = |figure: String, paper, ours, unit, tolerance| Row {
        figure: format!("{}: {figure}", part.key),
        paper,
        ours,
        unit,
        tolerance,
        command: command.to_string(),
    };
    let near = Some(Tolerance::PlusMinus(EXPONENT));
    let mut rows = Vec::new();
    match (part.key, &group.law, &group.regimes) {
        ("silu", Some(law), _) => rows.push(row(law.sentence(), Some(1.0), law.exponent, "", near)),
        ("relu", _, Some((low, high))) => {
            rows.push(row(format!("first regime, {}", low.sentence()), Some(4.0), low.exponent, "", near));
            rows.push(row(format!("second regime, {}", high.sentence()), Some(1.0), high.exponent, "", near));
        }
        _ => {}
    }
    rows.extend(
        ticket_rows(kit, group)
            .into_iter()
            .map(|(figure, paper, ours)| row(figure, paper, ours, "%", paper.map(|_| Tolerance::AtLeastLess(0.0)))),
    );
    if part.key == "silu" {
        for (w, paper, ours) in places(kit, group) {
            let figure = format!("median b of neurons at |w| = {w} ± {BAND}, paper’s read off its figure");
            rows.push(row(figure, Some(paper), ours, "", Some(Tolerance::PlusMinus(PLACE))));
        }
    }
    Ok(rows)
}

/// How near an exponent has to come.
const EXPONENT: f64 = 0.25;
/// Share of the networks of two neurons that counts as the lowest.
const LOWEST: f64 = 0.01;
/// Half width of the band of |w| whose biases are compared.
const BAND: f64 = 0.05;
/// How near a bias has to come to one that is read off a figure.
const PLACE: f64 = 0.15;

/// The ticket among networks of two neurons: (figure, paper, ours), in percent.
fn ticket_rows(kit: &Kit, group: &Group) -> Vec<(String, Option<f64>, f64)> {
    let mut all = found(kit, &group.label);
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    let lowest = ((all.len() as f64 * LOWEST).ceil() as usize).max(1).min(all.len());
    if all.is_empty() {
        return vec![];
    }
    let share =
        |of: &[(u64, f64, Found)]| 100.0 * of.iter().filter(|f| f.2 == Found::Ticket).count() as f64 / of.len() as f64;
    vec![
        (format!("N = 2: the best network ({:.2e}) is the ticket", all[0].1), Some(100.0), share(&all[..1])),
        (format!("N = 2: tickets among the best {lowest} of {}", all.len()), None, share(&all[..lowest])),
        (format!("N = 2: tickets among all {}", all.len()), None, share(&all)),
    ]
}

/// Places of the widest networks' neurons: (|w|, paper's b, median b).
fn places(kit: &Kit, group: &Group) -> Vec<(f64, f64, f64)> {
    let widest = kit.neurons.iter().filter(|n| n.group == group.label).map(|n| n.width).max().unwrap_or(0);
    let of = || kit.neurons.iter().filter(|n| n.group == group.label && n.width == widest);
    let each = PAPER_PLACES.iter().filter_map(|&(w, b)| {
        let mut biases: Vec<f64> =
            of().filter(|n| (f64::from(n.w).abs() - w).abs() <= BAND).map(|n| n.b.into()).collect();
        biases.sort_unstable_by(f64::total_cmp);
        (!biases.is_empty()).then(|| (w, b, crate::population::quantile(&biases, 0.5)))
    });
    each.collect()
}

/// `lottery-PART-loss.svg`, `-two.svg` and `-places.svg`.
fn plots(folder: &Path, key: &str, kit: &Kit) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let write = |name: &str, svg: String| {
        write_atomic(&folder.join(format!("{NAME}-{key}-{name}.svg")), standalone(&svg).as_bytes())
    };
    let Some(group) = kit.record.groups.first() else { return Ok(()) };
    write("loss", loss_plot(kit, group).svg())?;
    if let Some(plot) = histogram(kit, &group.label) {
        write("two", plot.svg())?;
    }
    if let Some((_, plot)) = scatter(kit, &group.label) {
        write("places", plot.svg())?;
    }
    Ok(())
}
