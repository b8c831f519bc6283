//! `train parsnets`: trains all models of a plan beside their opponents, chooses by validation, and
//! writes the run.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Checkpointing, Experiment, Fitted, Kind, Plan, Settings, Summary, plan};
use crate::compress::Provenance;
use crate::data::{Dataset, Split, is_setting};
use crate::engine::{Control, in_parallel};
use crate::family::Place;
use crate::graph::Graph;
use crate::interrupt;
use crate::output::{Output, thousands};
use crate::run::{Request, Run, Trained, held_out_name, split_of, task_of};

/// Loads the data that `request` names, with its settings, and trains.
pub fn run(request: &Request, folder: &Path, place: &Place) -> Result<Value> {
    let mut name = request.data.clone().unwrap_or_else(|| "spar".into());
    // Settings of the data set travel in its name.
    for set in request.set.iter().filter(|s| is_setting(s)) {
        name = format!("{name} {set}");
    }
    let dataset = place.data.load(&name)?;
    let (run, _) = train(request, &dataset, folder, place)?;
    Ok(summary(&run, folder))
}

/// The JSON object of `train`.
fn summary(run: &Run, folder: &Path) -> Value {
    let models = run.models.iter().map(|m| {
        let metrics = m.metrics.iter().map(|(name, float, int8)| {
            let (f, q) = (Summary::of(float), Summary::of(int8));
            (name.clone(), json!({
                "float": f.mean, "deviation": f.deviation,
                "int8": if int8.is_empty() { Value::Null } else { json!(q.mean) },
                "int8_deviation": if int8.is_empty() { Value::Null } else { json!(q.deviation) }, "seeds": float.len(),
            }))
        });
        json!({
            "name": m.name, "parameters": m.parameters, "macs": m.macs, "int8_bytes": m.int8_bytes,
            "validation": m.validation, "metrics": metrics.collect::<serde_json::Map<_, _>>(),
        })
    });
    json!({
        "family": run.family, "dataset": run.dataset, "held_out": run.held_out, "seed": run.seed,
        "chosen": run.models[run.chosen].name, "reason": run.reason, "models": models.collect::<Vec<_>>(), "run": folder,
    })
}

/// Trains all models of the plan over the seeds, chooses by validation, and writes the run.
pub fn train(request: &Request, dataset: &Dataset, folder: &Path, place: &Place) -> Result<(Run, Graph)> {
    interrupt::listen();
    let output = place.output;
    let task = task_of(dataset, request.task.as_deref())?;
    let split = split_of(dataset, task, request.split.as_deref())?;
    request.write(folder)?;
    let sets: Vec<String> = request.set.iter().filter(|s| !is_setting(s)).cloned().collect();
    let mut plan = plan(dataset, task, &sets)?;
    if request.alone {
        plan.opponents.clear();
    }
    let experiment = Experiment::new(dataset, task, plan.stats)?;
    output.line(format!(
        "train   {} on {}, held out: {}; {} inputs, {} training samples",
        super::NAME,
        dataset.name,
        held_out_name(task, &split),
        experiment.width(),
        thousands(split.train.len() as u64)
    ));

    let validation = validate(&plan, &experiment, &split, request, place)?;
    let jobs = jobs(&plan, &experiment, &split, request)?;
    let trained = train_all(&jobs, &experiment, &split, folder, request, place)?;
    let (chosen, reason) = choose(&plan, &validation);
    let models = tables(&jobs, &trained, &validation, request.population.max(1) as usize);
    let first = &trained[chosen * request.population.max(1) as usize];
    let graph = experiment.graph(&first.fitted, &split)?;
    let run = Run {
        family: super::NAME.into(),
        dataset: dataset.name.clone(),
        held_out: held_out_name(task, &split),
        seed: request.seed,
        settings: models[chosen].name.clone(),
        chosen,
        reason,
        models,
        curve: first.fitted.losses.iter().map(|&(step, loss)| (step, f64::from(loss))).collect(),
    };
    run.write(folder, &graph)?;
    show(&run, output);
    Ok((run, graph))
}

/// A model to be trained with one seed.
struct Job {
    name: String,
    settings: Settings,
    seed: u64,
}

/// What a job gave.
struct Done {
    fitted: Fitted,
    float: Vec<(String, f64)>,
    int8: Vec<(String, f64)>,
    bytes: usize,
    macs: usize,
}

/// Validation figures of the plan's candidates, in order.
fn validate(
    plan: &Plan,
    experiment: &Experiment,
    split: &Split,
    request: &Request,
    place: &Place,
) -> Result<Vec<Option<f64>>> {
    let bar = place.output.bar(plan.candidates.len() as u64 * plan.validation_seeds, "validation");
    let threads = place.threads;
    let seeds = plan.validation_seeds;
    let jobs: Vec<(usize, u64)> = (0..plan.candidates.len()).flat_map(|c| (0..seeds).map(move |i| (c, i))).collect();
    let each = in_parallel(&jobs, threads, |&(candidate, i)| {
        interrupt::check()?;
        let settings = &plan.candidates[candidate].1;
        let value = experiment.validate(settings, split, plan.validation_splits, request.seed + i);
        bar.inc(1);
        value
    })?;
    let mean = |values: &[Option<f64>]| {
        values.iter().copied().sum::<Option<f64>>().map(|sum| sum / values.len().max(1) as f64)
    };
    let values = each.chunks(seeds.max(1) as usize).map(mean).collect();
    bar.finish_and_clear();
    Ok(values)
}

fn jobs(plan: &Plan, experiment: &Experiment, split: &Split, request: &Request) -> Result<Vec<Job>> {
    let mut all = plan.candidates.clone();
    for (name, settings) in &plan.opponents {
        let settings = match settings.kind {
            Kind::Eszsl => experiment.tune_eszsl(split, plan.validation_splits)?,
            _ => settings.clone(),
        };
        all.push((name.clone(), settings));
    }
    let seeds = request.population.max(1);
    let each = all.iter().flat_map(|(name, settings)| {
        (0..seeds).map(move |i| Job { name: name.clone(), settings: settings.clone(), seed: request.seed + i })
    });
    Ok(each.collect())
}

fn train_all(
    jobs: &[Job],
    experiment: &Experiment,
    split: &Split,
    folder: &Path,
    request: &Request,
    place: &Place,
) -> Result<Vec<Done>> {
    let checkpoints = folder.join("checkpoints");
    std::fs::create_dir_all(&checkpoints).with_context(|| format!("{} cannot be made", checkpoints.display()))?;
    let total: usize = jobs.iter().map(|job| job.settings.steps).sum();
    let bar = place.output.bar(total as u64, "training");
    let steps: Mutex<HashMap<String, (usize, f32)>> = Mutex::new(HashMap::new());
    let trained = in_parallel(jobs, place.threads, |job| {
        let slug: String = job.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let checkpointing = Checkpointing {
            path: checkpoints.join(format!("{slug}-seed{}.safetensors", job.seed)),
            every: (job.settings.steps / 4).max(1),
            resume: request.resume,
        };
        let key = checkpointing.path.display().to_string();
        let mut progress = |p: crate::engine::Progress| {
            let mut steps = steps.lock().unwrap_or_else(|e| e.into_inner());
            steps.insert(key.clone(), (p.step, p.loss));
            bar.set_position(steps.values().map(|(step, _)| *step as u64).sum());
            bar.set_message(format!("{} seed {}: loss {:.3}", job.name, job.seed, p.loss));
            if interrupt::asked() { Control::Stop } else { Control::Continue }
        };
        let mut fitted = experiment.fit(&job.settings, split, job.seed, Some(&checkpointing), &mut progress)?;
        if fitted.stopped {
            bail!("stopped; go on with: smidgen train --resume {}", folder.display());
        }
        fitted.handicap = experiment.calibrate(&job.settings, split, job.seed)?;
        interrupt::check().with_context(|| format!("go on with: smidgen train --resume {}", folder.display()))?;
        let float = experiment.float_metrics(&fitted, split)?;
        let bytes = experiment.artifact(&fitted, split, Provenance::default())?;
        let artifact = bytes.artifact()?;
        let int8 = experiment.int8_metrics(artifact, split)?;
        let macs = artifact.ops().map(|op| smidgen_shared::cost::macs(&op) as usize).sum();
        Ok(Done { bytes: bytes.len(), macs, float, int8, fitted })
    });
    bar.finish_and_clear();
    trained
}

/// The first candidate is the plain map: another is taken only where validation prefers it.
fn choose(plan: &Plan, validation: &[Option<f64>]) -> (usize, String) {
    let name = |i: usize| plan.candidates[i].0.as_str();
    let Some(plain) = validation.first().copied().flatten() else {
        return (0, format!("{} is taken: there are too few classes or subjects to validate on", name(0)));
    };
    let best = validation
        .iter()
        .enumerate()
        .filter_map(|(i, v)| Some((i, (*v)?)))
        .fold((0, plain), |best, v| if v.1 > best.1 { v } else { best });
    let percent = |v: f64| format!("{:.2} %", 100.0 * v);
    if let Some(asked) = plan.asked.filter(|asked| *asked > 0) {
        let value = validation.get(asked).copied().flatten().map_or("nothing".into(), percent);
        (
            asked,
            format!(
                "{} is taken, as asked: validation gives it {value}, the {} map {}",
                name(asked),
                name(0),
                percent(plain)
            ),
        )
    } else if plan.candidates.len() == 1 {
        (0, format!("{} was asked for; validation {}", name(0), percent(plain)))
    } else if best.0 == 0 {
        let (other, value) = validation
            .iter()
            .enumerate()
            .skip(1)
            .filter_map(|(i, v)| Some((i, (*v)?)))
            .fold((1, f64::MIN), |b, v| if v.1 > b.1 { v } else { b });
        (
            0,
            format!(
                "{} is taken: validation gives it {}, the best composite ({}) {}",
                name(0),
                percent(plain),
                name(other),
                percent(value)
            ),
        )
    } else {
        (
            best.0,
            format!(
                "{} is taken: validation gives it {}, the {} map {}",
                name(best.0),
                percent(best.1),
                name(0),
                percent(plain)
            ),
        )
    }
}

fn tables(jobs: &[Job], trained: &[Done], validation: &[Option<f64>], seeds: usize) -> Vec<Trained> {
    let groups = jobs.chunks(seeds).zip(trained.chunks(seeds)).enumerate();
    groups
        .map(|(i, (jobs, done))| {
            let metrics = done[0].float.iter().enumerate().map(|(m, (name, _))| {
                let float = done.iter().map(|d| d.float[m].1).collect();
                let int8 = done.iter().map(|d| d.int8[m].1).collect();
                (name.clone(), float, int8)
            });
            Trained {
                name: jobs[0].name.clone(),
                parameters: done[0].fitted.model.parameters(),
                macs: done[0].macs,
                int8_bytes: done[0].bytes,
                metrics: metrics.collect(),
                validation: validation.get(i).copied().flatten().into_iter().collect(),
            }
        })
        .collect()
}

fn show(run: &Run, output: Output) {
    let metrics: Vec<&str> = run.models[0].metrics.iter().map(|m| m.0.as_str()).collect();
    let mut header = vec!["model", "parameters", "MACs", "int8 bytes", "validation"];
    header.extend(&metrics);
    header.push("int8");
    let figure = |values: &[f64]| {
        let s = Summary::of(values);
        match values.len() {
            0 => "–".into(),
            1 => format!("{:.1}", 100.0 * s.mean),
            _ => format!("{:.1} ± {:.1}", 100.0 * s.mean, 100.0 * s.deviation),
        }
    };
    let rows: Vec<Vec<String>> = run
        .models
        .iter()
        .enumerate()
        .map(|(i, m)| {
            let mut row = vec![
                format!("{}{}", if i == run.chosen { "→ " } else { "  " }, m.name),
                thousands(m.parameters as u64),
                thousands(m.macs as u64),
                thousands(m.int8_bytes as u64),
                figure(&m.validation),
            ];
            row.extend(m.metrics.iter().map(|(_, float, _)| figure(float)));
            row.push(m.metrics.last().map_or("–".into(), |(_, _, int8)| figure(int8)));
            row
        })
        .collect();
    output.line("");
    output.table(&header, &rows);
    output.line(format!("\n{}; figures in %, int8 is the last metric of the artifact\n", run.reason));
}
