//! The paper's claim, measured: accuracy against cost for composites and their opponents.
//!
//! The claim is that a composite of low-rank linear networks matches deep ones. The paper's own
//! tables could not be found, so every row stands without a figure of the paper's; what is shown
//! are fronts of accuracy against multiply-accumulates and int8 bytes, mean and deviation over
//! seeds, with the plain linear map, ESZSL and MLPs measured in the same run. Conditions of
//! training are fixed beforehand per kind of task ([`super::plan::conditions`]); ESZSL's γ and λ
//! come from validation classes.

use anyhow::Result;
use smidgen_shared::features::Stats;

use super::plan::{ANY_ORIENTATION, conditions, mlp, name};
use super::{Control, Experiment, Kind, Settings, Summary};
use crate::compress::Provenance;
use crate::data::{Dataset, Split, Task};
use crate::engine::in_parallel;

/// One data set and task with the models to compare.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Names its files: `dsads-rotations-supervised`.
    pub key: &'static str,
    /// In words.
    pub title: &'static str,
    /// Data set with settings.
    pub dataset: &'static str,
    /// What is held out.
    pub task: Task,
    /// Features of windows.
    pub stats: Stats,
    /// Group (a series of the plot) and settings.
    pub models: Vec<(&'static str, Settings)>,
}

/// Figures of one model in a suite.
#[derive(Clone, Debug)]
pub struct Row {
    /// Series of the plot.
    pub group: &'static str,
    /// Shape.
    pub name: String,
    /// Trained numbers.
    pub parameters: usize,
    /// Products of an inference, class table included.
    pub macs: usize,
    /// Bytes of the artifact.
    pub int8_bytes: usize,
    /// Metric, float and int8, each a mean over splits per seed.
    pub metrics: Vec<(String, Vec<f64>, Vec<f64>)>,
}

impl Row {
    /// Float and int8 summary of the last metric: accuracy, T1 or H.
    pub fn last(&self) -> (Summary, Summary) {
        self.metrics.last().map_or((Summary::of(&[]), Summary::of(&[])), |m| (Summary::of(&m.1), Summary::of(&m.2)))
    }
}

/// All suites; `quick` keeps those of the data that is built in.
pub fn suites(quick: bool) -> Result<Vec<Suite>> {
    let windows = |task: Task, stats: Stats, small: bool| -> Result<Vec<(&'static str, Settings)>> {
        let like = conditions(task, false, stats)?;
        let mut models = Vec::new();
        models.push(("linear", Settings { kind: Kind::Linear, rank: 0, ..like.clone() }));
        for rank in if small { vec![] } else { vec![4, 8] } {
            models.push(("linear", Settings { kind: Kind::Linear, rank, ..like.clone() }));
        }
        let zero_shot = task == Task::ZeroShot;
        let shapes: &[(usize, usize, usize)] = if small {
            &[(8, 8, 2), (8, 12, 4)]
        } else if zero_shot {
            &[(4, 8, 2), (8, 8, 2), (8, 12, 4), (16, 8, 4)]
        } else {
            &[(4, 8, 1), (8, 8, 2), (4, 16, 1), (16, 8, 4)]
        };
        for &(bases, rank, keep) in shapes {
            models.push((
                "composite",
                Settings { kind: Kind::Composite, bases, rank, keep, residual: false, ..like.clone() },
            ));
        }
        if zero_shot {
            models.push((
                "composite + W₀",
                Settings { kind: Kind::Composite, bases: 8, rank: 12, keep: 4, residual: true, ..like.clone() },
            ));
            models.push(("ESZSL", Settings::preset("eszsl")?));
        }
        for widths in if small { vec![vec![64]] } else { vec![vec![32], vec![64], vec![128], vec![256, 256]] } {
            models.push(("MLP", mlp(&like, widths, false)));
        }
        Ok(models)
    };
    let mut all = vec![
        Suite {
            key: "spar-zero-shot",
            title: "SPAR, zero-shot over the 21 pairs of unseen exercises",
            dataset: "spar",
            task: Task::ZeroShot,
            stats: Stats::WRIST,
            models: windows(Task::ZeroShot, Stats::WRIST, quick)?,
        },
        Suite {
            key: "spar-supervised",
            title: "SPAR, across subjects (5 folds of 2)",
            dataset: "spar",
            task: Task::Supervised,
            stats: Stats::WRIST,
            models: windows(Task::Supervised, Stats::WRIST, quick)?,
        },
    ];
    if quick {
        return Ok(all);
    }
    all.push(Suite {
        key: "dsads-zero-shot-cheap",
        title: "DSADS right arm, zero-shot (4 folds), 54 cheap features",
        dataset: "dsads",
        task: Task::ZeroShot,
        stats: Stats::CHEAP,
        models: windows(Task::ZeroShot, Stats::CHEAP, true)?,
    });
    all.push(Suite {
        key: "dsads-zero-shot",
        title: "DSADS right arm, zero-shot (4 folds), rich features",
        dataset: "dsads",
        task: Task::ZeroShot,
        stats: Stats::RICH,
        models: windows(Task::ZeroShot, Stats::RICH, false)?,
    });
    all.push(Suite {
        key: "dsads-supervised",
        title: "DSADS right arm, one subject left out, rich features",
        dataset: "dsads",
        task: Task::Supervised,
        stats: Stats::RICH,
        models: windows(Task::Supervised, Stats::RICH, false)?,
    });
    all.push(Suite {
        key: "dsads-rotations-zero-shot",
        title: "DSADS with four wearing orientations (synthetic), zero-shot, 54 features",
        dataset: "dsads rotations=4",
        task: Task::ZeroShot,
        stats: ANY_ORIENTATION,
        models: windows(Task::ZeroShot, ANY_ORIENTATION, false)?,
    });
    all.push(Suite {
        key: "dsads-rotations-supervised",
        title: "DSADS with four wearing orientations (synthetic), one subject left out, 54 features",
        dataset: "dsads rotations=4",
        task: Task::Supervised,
        stats: ANY_ORIENTATION,
        models: windows(Task::Supervised, ANY_ORIENTATION, false)?,
    });
    all.push(Suite {
        key: "flo",
        title: "Flowers, generalised zero-shot",
        dataset: "flo",
        task: Task::ZeroShot,
        stats: Stats::CHEAP,
        models: flowers()?,
    });
    Ok(all)
}

fn flowers() -> Result<Vec<(&'static str, Settings)>> {
    let like = conditions(Task::ZeroShot, true, Stats::CHEAP)?;
    let linear = |rank: usize| Settings { kind: Kind::Linear, rank, steps: 400, ..like.clone() };
    let trunk =
        |bases: usize, rank: usize, keep: usize| Settings { kind: Kind::Trunk, bases, rank, keep, ..like.clone() };
    let mut models = vec![("linear", linear(4)), ("linear", linear(7)), ("linear", linear(12)), ("linear", linear(0))];
    models.extend([trunk(4, 4, 2), trunk(4, 7, 2), trunk(4, 12, 2)].map(|s| ("trunk composite", s)));
    models.push((
        "composite + W₀",
        Settings { kind: Kind::Composite, bases: 3, rank: 24, keep: 1, residual: true, ..like.clone() },
    ));
    models.push(("ESZSL", Settings { kind: Kind::Eszsl, ..like.clone() }));
    models.push(("MLP", mlp(&like, vec![64], true)));
    models.push(("MLP", mlp(&like, vec![1024, 1024], true)));
    Ok(models)
}

/// Measures a suite over `seeds`; `tick` hears of every model trained.
///
/// A metric of a seed is its mean over the suite's splits.
pub fn measure(
    suite: &Suite,
    dataset: &Dataset,
    seeds: &[u64],
    threads: usize,
    tick: &(dyn Fn() + Sync),
) -> Result<Vec<Row>> {
    let experiment = Experiment::new(dataset, suite.task, suite.stats)?;
    let splits = dataset.splits(suite.task, 0)?;
    let mut jobs: Vec<(usize, usize, u64)> = Vec::new();
    for (m, (_, settings)) in suite.models.iter().enumerate() {
        // A closed form is the same for every seed.
        let seeds = if settings.kind == Kind::Eszsl { &seeds[..1] } else { seeds };
        jobs.extend(seeds.iter().flat_map(|&seed| (0..splits.len()).map(move |s| (m, s, seed))));
    }
    let done = in_parallel(&jobs, threads, |&(m, s, seed)| {
        let result = one(&experiment, &splits[s], &suite.models[m].1, seed);
        tick();
        result
    })?;
    let rows = suite.models.iter().enumerate().map(|(m, (group, settings))| {
        let of_model: Vec<_> = jobs.iter().zip(&done).filter(|(job, _)| job.0 == m).collect();
        let (_, first) = of_model[0];
        let metrics = first.metrics.iter().enumerate().map(|(i, (name, ..))| {
            let mean = |pick: &dyn Fn(&(String, f64, f64)) -> f64| -> Vec<f64> {
                let by_seed = of_model.chunks(splits.len());
                by_seed
                    .map(|chunk| chunk.iter().map(|(_, d)| pick(&d.metrics[i])).sum::<f64>() / chunk.len() as f64)
                    .collect()
            };
            (name.clone(), mean(&|m| m.1), mean(&|m| m.2))
        });
        Row {
            group,
            name: name(settings),
            parameters: first.parameters,
            macs: first.macs,
            int8_bytes: first.bytes,
            metrics: metrics.collect(),
        }
    });
    Ok(rows.collect())
}

/// Number of trainings of a suite.
pub fn trainings(suite: &Suite, dataset: &Dataset, seeds: usize) -> Result<usize> {
    let splits = dataset.splits(suite.task, 0)?.len();
    Ok(suite.models.iter().map(|(_, s)| splits * if s.kind == Kind::Eszsl { 1 } else { seeds }).sum())
}

struct One {
    metrics: Vec<(String, f64, f64)>,
    parameters: usize,
    macs: usize,
    bytes: usize,
}

fn one(experiment: &Experiment, split: &Split, settings: &Settings, seed: u64) -> Result<One> {
    let settings = if settings.kind == Kind::Eszsl { experiment.tune_eszsl(split, 3)? } else { settings.clone() };
    let mut fitted = experiment.fit(&settings, split, seed, None, &mut |_| Control::Continue)?;
    fitted.handicap = experiment.calibrate(&settings, split, seed)?;
    let float = experiment.float_metrics(&fitted, split)?;
    let bytes = experiment.artifact(&fitted, split, Provenance::default())?;
    let artifact = bytes.artifact()?;
    let int8 = experiment.int8_metrics(artifact, split)?;
    Ok(One {
        metrics: float.into_iter().zip(int8).map(|((name, f), (_, q))| (name, f, q)).collect(),
        parameters: fitted.model.parameters(),
        macs: artifact.ops().map(|op| smidgen_shared::cost::macs(&op) as usize).sum(),
        bytes: bytes.len(),
    })
}
