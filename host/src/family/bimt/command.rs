//! `train bimt` and `look`: a population, its figures, and the run's folder.
//!
//! `run.json` holds [`BimtRun`]; `population.safetensors` all members' states, places and films.

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::in_context;
use super::look::{self, Shown};
use super::prune::left;
use super::result::{Figures, measure};
use super::samples::Data;
use super::settings::Settings;
use super::task::Task;
use super::train::Member as Model;
use crate::data::mnist::Mnist;
use crate::family::Place;
use crate::interrupt;
use crate::net::Float;
use crate::output::Output;
use crate::population::{self, Grid, Member, Outcome, Run, Saved, Spread, Standing, Watch, Work, quantile};
use crate::report::{Page, write_atomic};
use crate::run::{Request, read_json};

/// The file of all members' states.
pub const POPULATION: &str = "population.safetensors";

/// What a run's folder says of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BimtRun {
    /// `bimt`
    pub family: String,
    /// The grid: keys with their values.
    pub axes: Vec<(String, Vec<String>)>,
    /// First seed, number of seeds.
    pub seeds: (u64, u64),
    /// Index among `members`' numbers of the one that is shown and exported: the smallest loss on the training samples.
    pub best: usize,
    /// By number in the population; those that failed left out.
    pub members: Vec<(usize, Figures)>,
    /// Members that failed: number, step, reason.
    pub failed: Vec<(usize, usize, String)>,
}

impl BimtRun {
    /// Settings and seed of member `index`.
    pub fn member(&self, index: usize) -> Result<(Settings, Member)> {
        let grid = Grid { axes: self.axes.clone() };
        let member = grid.members(self.seeds.0, self.seeds.1)?.into_iter().nth(index).context("no such member")?;
        Ok((Settings::of(&member.settings)?, member))
    }

    /// Whether its figure is an accuracy: larger is better.
    fn counts(&self) -> bool {
        self.member(self.best).and_then(|(s, _)| s.task()).is_ok_and(Task::counts)
    }
}

/// Members of one task.
pub struct Crowd<T: Float> {
    members: Vec<Member>,
    settings: Vec<Settings>,
    /// Samples that are not drawn from the seed.
    fixed: Option<Data<T>>,
}

impl<T: Float> Crowd<T> {
    /// # Errors
    /// Data that are not there.
    pub fn new(members: &[Member], settings: &[Settings], place: &Place) -> Result<Self> {
        let fixed = if settings[0].task()? == Task::Mnist { Some(Data::mnist(&*mnist(place)?)) } else { None };
        Ok(Crowd { members: members.to_vec(), settings: settings.to_vec(), fixed })
    }
}

/// MNIST, read once.
pub fn mnist(place: &Place) -> Result<Arc<Mnist>> {
    static READ: LazyLock<Mutex<Option<Arc<Mnist>>>> = LazyLock::new(|| Mutex::new(None));
    let mut read = READ.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(mnist) = &*read {
        return Ok(mnist.clone());
    }
    let mnist = Arc::new(Mnist::load(&place.data)?);
    *read = Some(mnist.clone());
    Ok(mnist)
}

impl<T: Float> Work for Crowd<T> {
    type Model = Model<T>;

    fn start(&self, index: usize) -> Result<Model<T>> {
        start(&self.settings[index], self.members[index].seed, self.fixed.as_ref())
    }

    fn advance(&self, _: usize, model: &mut Model<T>) -> Result<Standing> {
        model.advance()
    }

    fn save(&self, model: &Model<T>) -> Result<Saved> {
        model.save()
    }

    fn restore(&self, index: usize, saved: &Saved) -> Result<Model<T>> {
        let mut model = self.start(index)?;
        model.restore(saved)?;
        Ok(model)
    }
}

/// A member before its first step.
pub fn start<T: Float>(settings: &Settings, seed: u64, fixed: Option<&Data<T>>) -> Result<Model<T>> {
    let task = settings.task()?;
    let data = fixed.cloned().unwrap_or_else(|| Data::drawn(task, seed));
    if task == Task::InContext { in_context::member(settings, data, seed) } else { Model::fused(settings, data, seed) }
}

/// The first `steps` steps with the published settings; the last loss.
pub fn first_steps<T: Float>(settings: &Settings, steps: usize) -> Result<f64> {
    let mut model: Model<T> = start(settings, 0, None)?;
    let mut standing = Standing { step: 0, steps, loss: f64::NAN, done: false };
    while standing.step < steps && !standing.done {
        standing = model.advance()?;
    }
    Ok(standing.loss)
}

/// Trains a population of one task.
#[allow(clippy::type_complexity)] // what became of the members, and their spread
pub fn crowd<T: Float>(
    (grid, members, settings): (&Grid, &[Member], &[Settings]),
    run: &Run,
    place: &Place,
) -> Result<(Vec<Outcome<Model<T>>>, Vec<Spread>)> {
    let work: Crowd<T> = Crowd::new(members, settings, place)?;
    let watch = Watch::new(place.output, &settings[0].task, grid, members);
    let outcomes = population::train(&work, members.len(), run, &watch)?;
    Ok((outcomes, watch.spreads()))
}

pub fn train(request: &Request, folder: &Path, place: &Place) -> Result<Value> {
    if let Some(data) = &request.data {
        bail!("bimt draws its own samples and takes no --data {data}; --set task=… chooses what is learned");
    }
    if request.engine.as_deref() == Some("candle") {
        bail!("bimt trains by the fused engine (in-context regression by candle of itself): leave --engine out");
    }
    if request.device.as_deref() == Some("cuda") {
        bail!("bimt trains on the CPU: leave --device out");
    }
    let grid = Grid::of(&request.set)?;
    let members = grid.members(request.seed, request.population)?;
    let settings = members.iter().map(|m| Settings::of(&m.settings)).collect::<Result<Vec<_>>>()?;
    ensure!(
        settings.iter().all(|s| s.task == settings[0].task),
        "one population has one task; train the tasks one by one"
    );
    interrupt::listen();
    request.write(folder)?;
    let task = settings[0].task()?;
    place.output.line(format!(
        "train   bimt, {}: {}; {} member{}",
        task.name(),
        task.title(),
        members.len(),
        if members.len() == 1 { "" } else { "s" }
    ));
    let run = Run {
        threads: place.threads,
        checkpoint: Some(folder.join(POPULATION)),
        resume: request.resume,
        identity:
            json!({ "family": super::NAME, "axes": grid.axes, "seed": request.seed, "population": request.population })
                .to_string(),
        every: Duration::from_secs(60),
    };
    let asked = (&grid, &members[..], &settings[..]);
    let bimt = if task.recipe().double {
        finish::<f64>(asked, &run, request, place)?
    } else {
        finish::<f32>(asked, &run, request, place)?
    };
    write_atomic(&folder.join("run.json"), &serde_json::to_vec_pretty(&bimt)?)?;
    show(&bimt, task, place.output);
    Ok(summary(&bimt, task, folder))
}

fn finish<T: Float>(
    asked: (&Grid, &[Member], &[Settings]),
    run: &Run,
    request: &Request,
    place: &Place,
) -> Result<BimtRun> {
    let (outcomes, _) = crowd::<T>(asked, run, place)?;
    let (grid, members, _) = asked;
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    let mut best = (f64::INFINITY, None);
    for (i, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Outcome::Done(mut model) => {
                let loss = model.history.curve.last().map_or(f64::INFINITY, |m| m.loss);
                if loss < best.0 || best.1.is_none() {
                    best = (loss, Some(i));
                }
                figures.push((i, measure(&mut model, members[i].seed, members[i].point_label(grid))?.0));
            }
            Outcome::Failed { step, reason } => failed.push((i, step, reason)),
        }
    }
    let Some(best) = best.1 else {
        let (i, step, reason) = failed.first().context("no members")?;
        bail!("all members failed, the first of them ({i}) at step {step}: {reason}");
    };
    Ok(BimtRun {
        family: super::NAME.into(),
        axes: grid.axes.clone(),
        seeds: (request.seed, request.population),
        best,
        members: figures,
        failed,
    })
}

/// Rows of the table, at most.
const SHOWN: usize = 20;

fn show(run: &BimtRun, task: Task, output: Output) {
    let figure = |v: f64| if task.counts() { format!("{:.2} %", 100.0 * v) } else { format!("{v:.2e}") };
    let rows: Vec<Vec<String>> = run
        .members
        .iter()
        .take(SHOWN)
        .map(|(i, f)| {
            vec![
                format!("{}{} {}", if *i == run.best { "→ " } else { "  " }, f.seed, f.label).trim_end().to_string(),
                figure(f.train),
                figure(f.test),
                format!("{:.2}", f.cost),
                figure(f.pruned),
                format!("{} of {}", f.weights.0, f.weights.1),
                f.active.iter().map(ToString::to_string).collect::<Vec<_>>().join("+"),
                format!("{:.2}", f.modularity.0),
                f.hash.clone(),
            ]
        })
        .collect();
    output.line("");
    output.table(&["seed", "train", "test", "cost", "test, pruned", "weights", "neurons", "modularity", "hash"], &rows);
    if run.members.len() > SHOWN {
        output.line(format!("… and {} more, in run.json", run.members.len() - SHOWN));
    }
    for (i, step, reason) in &run.failed {
        output.line(format!("member {i} failed at step {step}: {reason}"));
    }
    output.line(format!("\ntrain and test: {}\n", task.figure()));
}

fn summary(run: &BimtRun, task: Task, folder: &Path) -> Value {
    json!({
        "family": super::NAME, "task": task.name(), "figure": task.figure(), "best": run.best,
        "members": run.members.iter().map(|(i, f)| {
            let mut object = json!(f);
            object["member"] = json!(i);
            object
        }).collect::<Vec<_>>(),
        "failed": run.failed.iter().map(|(i, step, reason)| json!({ "member": i, "step": step, "reason": reason })).collect::<Vec<_>>(),
        "run": folder,
    })
}

/// The run in `folder` and its best member, restored.
pub fn restored<T: Float>(folder: &Path, run: &BimtRun, place: &Place) -> Result<Model<T>> {
    let (settings, member) = run.member(run.best)?;
    let saved = population::read(&folder.join(POPULATION))?;
    let saved = saved.get(&run.best).with_context(|| format!("{POPULATION} lacks member {}", run.best))?;
    let work: Crowd<T> = Crowd::new(std::slice::from_ref(&member), std::slice::from_ref(&settings), place)?;
    work.restore(0, saved)
}

/// What the folder holds.
pub fn read(folder: &Path) -> Result<BimtRun> {
    read_json(folder, "run.json")
}

pub fn page(folder: &Path, place: &Place) -> Result<Page> {
    let run = read(folder)?;
    let (settings, _) = run.member(run.best)?;
    if settings.recipe()?.double { page_of::<f64>(folder, &run, place) } else { page_of::<f32>(folder, &run, place) }
}

fn page_of<T: Float>(folder: &Path, run: &BimtRun, place: &Place) -> Result<Page> {
    let mut model: Model<T> = restored(folder, run, place)?;
    let (settings, member) = run.member(run.best)?;
    let (figures, pruned) = measure(&mut model, member.seed, String::new())?;
    let double = |p: &[T]| p.iter().map(|w| w.f64()).collect::<Vec<f64>>();
    let (trained, pruned) = (double(&model.parameters()?), double(&pruned));
    Ok(look::page(&Shown {
        task: settings.task()?,
        settings: &settings,
        seed: member.seed,
        spreads: &spreads(run),
        wiring: &model.wiring,
        places: &model.places,
        trained: &trained,
        pruned: &pruned,
        history: &model.history,
        threshold: figures.threshold,
        figures: (figures.test, figures.pruned),
        whole: &left(&model.wiring, &trained),
        left: &left(&model.wiring, &pruned),
    }))
}

/// Held-out figures by point of the grid.
fn spreads(run: &BimtRun) -> Vec<Spread> {
    let (grid, best_first) = (Grid { axes: run.axes.clone() }, run.counts());
    let members = grid.members(run.seeds.0, run.seeds.1).unwrap_or_default();
    let mut labels: Vec<String> = members.iter().map(|m| m.point_label(&grid)).collect();
    labels.dedup();
    let each = labels.into_iter().map(|label| {
        let of_point = run.members.iter().filter(|(_, f)| f.label == label);
        let mut figures: Vec<f64> = of_point.map(|(_, f)| f.test).collect();
        figures.sort_unstable_by(f64::total_cmp);
        let best = if best_first { figures.last() } else { figures.first() };
        let failed = run.failed.iter().filter(|(i, ..)| members.get(*i).is_some_and(|m| m.point_label(&grid) == label));
        let failed = failed.count();
        Spread {
            done: figures.len(),
            failed,
            count: figures.len() + failed,
            best: best.copied().unwrap_or(f64::NAN),
            median: quantile(&figures, 0.5),
            quartiles: (quantile(&figures, 0.25), quantile(&figures, 0.75)),
            label,
        }
    });
    each.collect()
}
