//! The paper's figures with ours beside them, task by task.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::command::crowd;
use super::result::{Figures, measure};
use super::settings::{Method, Settings};
use super::task::Task;
use crate::family::{Place, Reproduce, Row, Tolerance, reproduced};
use crate::net::Float;
use crate::output::Output;
use crate::population::{Grid, Outcome, Run, quantile};
use crate::report::write_atomic;

/// A task with the seeds that its figures are taken over.
struct Part {
    task: Task,
    /// Times the published λ.
    strength: f64,
    seeds: u64,
    quick: bool,
}

/// Seeds as the issue of fidelity asks: ten where a median is quoted, fewer where a run takes minutes.
const PARTS: [Part; 9] = [
    Part { task: Task::Independence, strength: 1.0, seeds: 10, quick: true },
    Part { task: Task::Sharing, strength: 1.0, seeds: 10, quick: true },
    Part { task: Task::Compositional, strength: 1.0, seeds: 10, quick: true },
    Part { task: Task::TwoMoons, strength: 1.0, seeds: 10, quick: true },
    Part { task: Task::ModularAddition, strength: 1.0, seeds: 2, quick: false },
    Part { task: Task::S4, strength: 1.0, seeds: 5, quick: false },
    Part { task: Task::Mnist, strength: 1.0, seeds: 2, quick: false },
    Part { task: Task::Mnist, strength: 0.2, seeds: 2, quick: false },
    Part { task: Task::InContext, strength: 1.0, seeds: 1, quick: false },
];

impl Part {
    fn name(&self) -> String {
        if self.strength == 1.0 {
            self.task.name().into()
        } else {
            format!("{}, λ × {}", self.task.name(), self.strength)
        }
    }
}

pub fn run(request: &Reproduce, place: &Place) -> Result<Value> {
    let started = Instant::now();
    let names: Vec<&str> = PARTS.iter().map(|p| p.task.name()).chain(["ablations"]).collect();
    if let Some(only) = &request.only {
        ensure!(names.contains(&only.as_str()), "no part {only:?}; there are {}", names.join(", "));
    }
    let wanted = |name: &str, quick: bool| match &request.only {
        Some(only) => only == name,
        None => quick || !request.quick,
    };
    let mut rows = Vec::new();
    let mut text = String::new();
    for part in PARTS.iter().filter(|p| wanted(p.task.name(), p.quick)) {
        let seeds = request.seeds.unwrap_or(if request.quick { part.seeds.min(3) } else { part.seeds });
        ensure!(seeds > 0, "--seeds 0: at least one is needed");
        let settings = Settings { strength: part.strength, ..Settings::published(part.task) };
        match figures(&[settings], seeds, place) {
            Ok(figures) => {
                show(part, &figures, place.output);
                text += &table(part, &figures);
                rows.extend(rows_of(part, &figures, seeds));
            }
            Err(error) if part.task == Task::Mnist => {
                place.output.line(format!("skipped  mnist: {}", crate::output::chain(&error)));
            }
            Err(error) => return Err(error.context(part.task.name())),
        }
    }
    if wanted("ablations", false) {
        rows.extend(ablations(request.seeds.unwrap_or(5), place)?);
    }
    let result = reproduced(super::NAME, &rows, started.elapsed().as_secs_f64(), place.output);
    if let Some(folder) = &request.folder {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        write_atomic(&folder.join("bimt-members.md"), text.as_bytes())?;
    }
    Ok(result)
}

/// Figures of `seeds` members of each of `settings`.
fn figures(settings: &[Settings], seeds: u64, place: &Place) -> Result<Vec<Figures>> {
    if settings[0].recipe()?.double {
        figures_of::<f64>(settings, seeds, place)
    } else {
        figures_of::<f32>(settings, seeds, place)
    }
}

fn figures_of<T: Float>(settings: &[Settings], seeds: u64, place: &Place) -> Result<Vec<Figures>> {
    let mut grid = Grid::default();
    grid.put("method", settings.iter().map(|s| s.method.name().to_string()).collect())?;
    let members = grid.members(0, seeds)?;
    let each: Vec<Settings> = members.iter().map(|m| settings[m.point].clone()).collect();
    let run = Run {
        threads: place.threads,
        checkpoint: None,
        resume: false,
        identity: String::new(),
        every: Duration::from_secs(3600),
    };
    crate::interrupt::listen();
    let (outcomes, _) = crowd::<T>((&grid, &members, &each), &run, place)?;
    let mut figures = Vec::new();
    for (member, outcome) in members.iter().zip(outcomes) {
        match outcome {
            Outcome::Done(mut model) => figures.push(measure(&mut model, member.seed, member.point_label(&grid))?.0),
            Outcome::Failed { step, reason } => anyhow::bail!("seed {} failed at step {step}: {reason}", member.seed),
        }
    }
    Ok(figures)
}

fn median(figures: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = figures.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    quantile(&values, 0.5)
}

fn cells(task: Task, f: &Figures) -> Vec<String> {
    let figure = |v: f64| if task.counts() { format!("{:.2} %", 100.0 * v) } else { format!("{v:.2e}") };
    vec![
        f.seed.to_string(),
        figure(f.train),
        figure(f.test),
        format!("{:.2}", f.cost),
        figure(f.pruned),
        format!("{} of {}", f.weights.0, f.weights.1),
        f.active.iter().map(ToString::to_string).collect::<Vec<_>>().join("+"),
        format!("{:.2}", f.modularity.0),
    ]
}

const HEADER: [&str; 8] = ["seed", "train", "test", "cost", "test, pruned", "weights", "neurons", "modularity"];

fn show(part: &Part, figures: &[Figures], output: Output) {
    let task = part.task;
    output.line(format!("\n{}: {} ({})", part.name(), task.title(), task.figure()));
    output.table(&HEADER, &figures.iter().map(|f| cells(task, f)).collect::<Vec<_>>());
}

fn table(part: &Part, figures: &[Figures]) -> String {
    let task = part.task;
    let rows = figures.iter().map(|f| format!("| {} |\n", cells(task, f).join(" | ")));
    format!(
        "### {}: {}\n\n| {} |\n|---|---:|---:|---:|---:|---:|---:|---:|\n{}\n",
        part.name(),
        task.figure(),
        HEADER.join(" | "),
        rows.collect::<String>()
    )
}

fn rows_of(part: &Part, figures: &[Figures], seeds: u64) -> Vec<Row> {
    let task = part.task;
    let command = format!("smidgen reproduce bimt --only {} --seeds {seeds}", task.name());
    let row = |figure: &str, paper: Option<f64>, ours: f64, unit: &'static str, tolerance: Option<Tolerance>| Row {
        figure: format!("{}: {figure}, median of {seeds}", part.name()),
        paper,
        ours,
        unit,
        tolerance,
        command: command.clone(),
    };
    let test = median(figures, |f| f.test);
    let weights = median(figures, |f| f.weights.0 as f64);
    let percent = |of: &dyn Fn(&Figures) -> f64| 100.0 * median(figures, of);
    let twice = Some(Tolerance::AtMostTimes(2.0));
    match task {
        Task::Independence => vec![
            row("test MSE", Some(7.4e-3), test, "", twice),
            row("weights left of 520", Some(19.0), weights, "", twice),
        ],
        Task::Sharing => vec![
            row("test MSE", Some(8.5e-5), test, "", twice),
            row("weights left of 520", Some(18.0), weights, "", twice),
        ],
        Task::Compositional => vec![row("test MSE", Some(1.3e-3), test, "", twice)],
        Task::TwoMoons => vec![
            row("accuracy, pruned", Some(99.0), percent(&|f| f.pruned), "%", Some(Tolerance::AtLeastLess(0.5))),
            row("weights left of 480", Some(11.0), weights, "", Some(Tolerance::AtMostTimes(15.0 / 11.0))),
        ],
        Task::ModularAddition => vec![
            row("test accuracy", Some(100.0), percent(&|f| f.test), "%", Some(Tolerance::AtLeastLess(0.0))),
            row(
                "neurons in layer 2",
                Some(7.0),
                median(figures, |f| f.active.get(1).map_or(0.0, |n| *n as f64)),
                "",
                twice,
            ),
        ],
        Task::S4 => vec![
            row("test accuracy", Some(100.0), percent(&|f| f.test), "%", Some(Tolerance::AtLeastLess(0.0))),
            row(
                "neurons in layer 2",
                Some(8.0),
                median(figures, |f| f.active.get(1).map_or(0.0, |n| *n as f64)),
                "",
                twice,
            ),
        ],
        Task::Mnist => vec![
            row("test accuracy", Some(97.0), percent(&|f| f.test), "%", Some(Tolerance::AtLeastLess(0.0))),
            row("test accuracy, pruned", Some(97.0), percent(&|f| f.pruned), "%", Some(Tolerance::AtLeastLess(0.0))),
            row(
                "weights left",
                Some(5.0),
                percent(&|f| f.weights.0 as f64 / f.weights.1 as f64),
                "%",
                Some(Tolerance::AtMostTimes(1.0)),
            ),
        ],
        Task::InContext => vec![row("test MSE", None, test, "", None)],
    }
}

/// All five methods on independence: the paper's ablation; its table of modularity is not known.
fn ablations(seeds: u64, place: &Place) -> Result<Vec<Row>> {
    let settings: Vec<Settings> =
        Method::ALL.iter().map(|&(_, method)| Settings { method, ..Settings::published(Task::Independence) }).collect();
    let figures = figures(&settings, seeds, place)?;
    let command = format!("smidgen reproduce bimt --only ablations --seeds {seeds}");
    let mut rows = Vec::new();
    for (chunk, (name, _)) in figures.chunks(seeds as usize).zip(Method::ALL) {
        for (what, value) in [
            ("cost", median(chunk, |f| f.cost)),
            ("test MSE", median(chunk, |f| f.test)),
            ("weights left", median(chunk, |f| f.weights.0 as f64)),
            ("modularity", median(chunk, |f| f.modularity.0)),
        ] {
            rows.push(Row {
                figure: format!("independence, {name}: {what}, median of {seeds}"),
                paper: None,
                ours: value,
                unit: "",
                tolerance: None,
                command: command.clone(),
            });
        }
    }
    Ok(rows)
}
