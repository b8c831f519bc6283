//! `smidgen fit FAMILY --board B`: what is best for what it costs, within a board's budget; trains the best.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use super::DoesNotHold;
use crate::device::Board;
use crate::family::{Place, find};
use crate::fit::{Budget, COUNTED, Candidate, Cost, Found, Metric, Point, lay_out, measure, search};
use crate::interrupt;
use crate::output::thousands;
use crate::report::{Axis, Cell, FrontPlot, FrontPoint, FrontSeries, Page, Section, Table, write_atomic};
use crate::run::Request;

/// How far a count may lie from what was predicted.
const TOLERANCE: f64 = 0.02;

#[derive(Args)]
pub struct FitArgs {
    /// Family of models
    family: String,
    /// The board that the model is for
    #[arg(long)]
    board: String,
    /// Flash for the model, bytes [default: the board's slot]
    #[arg(long, value_name = "BYTES")]
    flash: Option<u32>,
    /// RAM for the model's arena, bytes [default: the board's]
    #[arg(long, value_name = "BYTES")]
    ram: Option<u32>,
    /// Instructions of one answer, from the last sample to the scores [default: as many as it takes]
    #[arg(long, value_name = "N")]
    instructions: Option<u32>,
    /// Data set, for families that take one [default: the family's own]
    #[arg(long)]
    data: Option<String>,
    /// What is held out: zero-shot (classes) or supervised (subjects)
    #[arg(long)]
    task: Option<String>,
    /// Which split is held out, by name [default: the first]
    #[arg(long)]
    split: Option<String>,
    /// Seed of the search and of the model
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A setting that all candidates share; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Threads to train on [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Folder for the report, the best run and its artifact
    #[arg(short, long, default_value = "fit")]
    output: PathBuf,
}

pub fn run(args: &FitArgs, place: &Place) -> Result<()> {
    interrupt::listen();
    let start = std::time::Instant::now();
    let place = &Place { threads: args.threads.map_or(place.threads, usize::from), ..place.clone() };
    let output = place.output;
    let board = Board::find(&args.board)?;
    let family = find(&args.family)?;
    let budget = Budget::of(board, args.flash, args.ram, args.instructions);
    let request = Request {
        family: args.family.clone(),
        data: args.data.clone(),
        task: args.task.clone(),
        split: args.split.clone(),
        seed: args.seed,
        population: 1,
        set: args.set.clone(),
        alone: true,
        ..Request::default()
    };
    output.line(format!("fit     {} for {}: {}", args.family, board.name, budget.in_words()));
    let mut outcome = None;
    family.search(&request, place, &mut |space| {
        let mut found = search(space, board, &budget, place)?;
        measure(&mut found, space, (board, &budget), place)?;
        outcome = Some((found, space.candidates().to_vec(), space.metric(), space.law()));
        Ok(())
    })?;
    let (found, candidates, metric, law) = outcome.context("the family gave nothing to search")?;
    show(&found, &candidates, &metric, board, place);
    if let Some(law) = &law {
        output.line(law);
    }
    std::fs::create_dir_all(&args.output).with_context(|| format!("{} cannot be made", args.output.display()))?;
    page(&found, &candidates, &metric, (board, &budget), law.as_deref()).write(&args.output.join("fit.html"))?;

    let chosen = &found.front[found.chosen];
    let best = &candidates[chosen.candidate];
    output.line(format!("\n{} is best within the budget and is trained", best.name));
    let folder = args.output.join("run");
    family.train(&Request { set: best.sets.clone(), ..request }, &folder, place)?;
    let (bytes, cost) = lay_out(&family.export(&folder, place)?, board)?;
    let model = args.output.join("model.smg");
    write_atomic(&model, &bytes)?;
    output.line(format!(
        "{}: {} bytes of flash, {} of arena; {}: all of the search; next: smidgen verify {} --board {}",
        model.display(),
        thousands(cost.flash.into()),
        thousands(cost.arena.into()),
        args.output.join("fit.html").display(),
        model.display(),
        board.name
    ));
    let off = found.front.iter().filter_map(Point::off).fold(0.0, f64::max);
    let object = json!({
        "family": args.family, "board": board.name, "metric": metric.name,
        "budget": { "flash_bytes": budget.flash, "arena_bytes": budget.arena, "instructions": budget.instructions },
        "candidates": candidates.len(), "over_budget": found.over, "counted": counted(&found), "law": law,
        "front": found.front.iter().map(|point| describe(point, &candidates, &metric)).collect::<Vec<_>>(),
        "chosen": found.chosen, "worst_prediction": off, "run": folder, "model": model,
        "seconds": (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    });
    write_atomic(&args.output.join("fit.json"), object.to_string().as_bytes())?;
    output.result(object);
    if let Some(point) = found.front.iter().find(|p| !p.bound_holds()) {
        return Err(DoesNotHold(format!(
            "{}: a sample took more instructions than its artifact says is the most: see {}",
            candidates[point.candidate].name,
            args.output.join("fit.json").display()
        ))
        .into());
    }
    if off > TOLERANCE {
        return Err(DoesNotHold(format!(
            "a prediction is {:.1} % off, {} % were allowed: see {}",
            100.0 * off,
            100.0 * TOLERANCE,
            args.output.join("fit.html").display()
        ))
        .into());
    }
    Ok(())
}

/// Whether all of the front was counted.
fn counted(found: &Found) -> bool {
    found.front.iter().all(|p| p.measured.is_some_and(|m| m.counted.is_some()))
}

fn describe(point: &Point, candidates: &[Candidate], metric: &Metric) -> Value {
    let candidate = &candidates[point.candidate];
    let mut object = json!({
        "name": candidate.name, "settings": candidate.sets, "by_law": point.quality.by_law,
        "deviation": point.quality.deviation, "by_weights": point.by_weights,
        "flash_bytes": point.cost.flash, "arena_bytes": point.cost.arena, "instructions": point.cost.instructions,
        "test": point.measured.map(|m| m.test),
        "measured": point.measured.map(|m| json!({
            "flash_bytes": m.cost.flash, "arena_bytes": m.cost.arena, "estimate": m.cost.instructions,
            "bound": m.cost.bound, "instructions": m.counted.map(|n| n.mean), "most": m.counted.map(|n| n.most),
        })),
    });
    object[if metric.share { "accuracy" } else { "loss" }] = json!(point.quality.value);
    object
}

fn show(found: &Found, candidates: &[Candidate], metric: &Metric, board: &Board, place: &Place) {
    let output = place.output;
    let rows: Vec<Vec<String>> = found
        .front
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let mark = if i == found.chosen { "→ " } else { "  " };
            vec![
                format!("{mark}{}", candidates[p.candidate].name),
                thousands(p.cost.flash.into()),
                thousands(p.cost.arena.into()),
                thousands(p.cost.instructions.into()),
                p.measured.and_then(|m| m.counted).map_or("–".into(), |n| thousands(n.mean.into())),
                p.quality.in_words(metric),
                p.measured.map_or("–".into(), |m| metric.figure(m.test)),
            ]
        })
        .collect();
    output.line("");
    let held = format!("{}, held out", metric.title());
    output.table(&["model", "flash", "arena", "instructions", "counted", held.as_str(), "test"], &rows);
    let why = match (board.machine().is_ok(), counted(found)) {
        (_, true) => format!("counted: in QEMU, of the network trained whole, the mean of {COUNTED} samples"),
        (true, false) => "not counted: `smidgen doctor` says what is missing".into(),
        (false, _) => format!(
            "not counted: QEMU cannot be {}; a board of the same core that it can be: {}",
            board.name,
            counterpart(board)
        ),
    };
    output.line(format!(
        "\nflash, arena and instructions as predicted; {why}; held out: on samples that the search held out{}",
        match found.front.iter().any(|p| p.quality.deviation.is_some()) {
            true => ", ± deviation over seeds",
            false => "",
        }
    ));
    if found.front.iter().any(|p| p.by_weights) {
        output.line("zeros among the weights decide what a model costs: another training costs somewhat more or less");
    }
    if found.over > 0 {
        output.line(format!("{} of {} candidates were over the budget", found.over, candidates.len()));
    }
}

/// The emulated board of the same core, where there is one.
fn counterpart(board: &Board) -> String {
    Board::emulated().find(|b| b.core == board.core).map_or("none".into(), |b| b.name.clone())
}

/// The front as plots and a table.
fn page(
    found: &Found,
    candidates: &[Candidate],
    metric: &Metric,
    (board, budget): (&Board, &Budget),
    law: Option<&str>,
) -> Page {
    let value = |v: f64| if metric.share { v } else { -v.log10() };
    let axis = || match metric.share {
        true => Axis::percent(metric.name.clone()),
        false => Axis::plain(format!("−log₁₀ of {}", metric.name)),
    };
    let mut kinds: Vec<&str> = candidates.iter().map(|c| c.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let plot = |cost: Axis, of: &dyn Fn(&Cost) -> u32| {
        let series = kinds.iter().map(|kind| {
            let points = found.front.iter().chain(&found.others).filter(|p| candidates[p.candidate].kind == *kind);
            let points = points.map(|p| {
                let point = FrontPoint::new(of(&p.cost).into(), value(p.quality.value));
                let on_front = found.front.iter().any(|f| f.candidate == p.candidate);
                match p.quality.deviation.filter(|_| on_front && metric.share) {
                    Some(deviation) => point.deviation(deviation),
                    None => point,
                }
                .label(candidates[p.candidate].name.clone())
            });
            FrontSeries::new(*kind, points.collect())
        });
        FrontPlot::new(cost, axis(), series.filter(|s| !s.points.is_empty()).collect()).single()
    };
    let note = "Each point is a candidate, by what it was predicted to cost and what it reached on samples held out \
                from its training for the search; dropped ones as far as they came. The bars of the front are \
                deviations over seeds.";
    let note = format!("{note}{}", law.map_or(String::new(), |law| format!(" Losses: {law}.")));
    let chosen = &found.front[found.chosen];
    Page::new(format!("What fits {}", board.name))
        .subtitle(format!("{}; best: {}", budget.in_words(), candidates[chosen.candidate].name))
        .section(
            Section::new("Quality against cost")
                .text(note)
                .figure(&plot(Axis::bytes("flash"), &|c| c.flash), "Flash.")
                .figure(&plot(Axis::count("instructions"), &|c| c.instructions), "Instructions of one answer.")
                .figure(&plot(Axis::bytes("arena"), &|c| c.arena), "Arena."),
        )
        .section(table(found, candidates, metric))
}

fn table(found: &Found, candidates: &[Candidate], metric: &Metric) -> Section {
    let mut table = Table::new([
        "model".to_string(),
        "flash".into(),
        "arena".into(),
        "instructions".into(),
        "counted".into(),
        format!("{}, held out", metric.title()),
        "test".into(),
        "--set".into(),
    ]);
    for (i, p) in found.front.iter().enumerate() {
        table = table.row(vec![
            candidates[p.candidate].name.as_str().into(),
            u64::from(p.cost.flash).into(),
            u64::from(p.cost.arena).into(),
            u64::from(p.cost.instructions).into(),
            p.measured.and_then(|m| m.counted).map_or(Cell::Missing, |n| u64::from(n.mean).into()),
            p.quality.in_words(metric).into(),
            p.measured.map_or(Cell::Missing, |m| metric.figure(m.test).into()),
            candidates[p.candidate].sets.join(" ").into(),
        ]);
        if i == found.chosen {
            table = table.strong();
        }
    }
    Section::new("The front").table(table, "No other candidate is at least as good and as cheap in everything.")
}
