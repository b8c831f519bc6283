//! Which models are trained side by side on a kind of data, and with which features.
//!
//! The plain linear map stands first: it is the opponent to beat, and what is exported where
//! validation does not prefer a composite.

use anyhow::{Result, bail};
use smidgen_shared::features::Stats;

use super::{Kind, Settings};
use crate::data::{Dataset, Input, Task};

/// Six a channel for a sensor worn any way round: under a half turn each keeps its size or changes sign.
pub const ANY_ORIENTATION: Stats = Stats(
    Stats::MEAN.0 | Stats::DEVIATION.0 | Stats::RANGE.0 | Stats::SIGNED_LOG.0 | Stats::CHANGE.0 | Stats::CROSSINGS.0,
);

/// What `train` trains.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Features of windows.
    pub stats: Stats,
    /// Candidates for export by name, the plain map first.
    pub candidates: Vec<(String, Settings)>,
    /// The candidate that was asked for by its shape: exported whatever validation prefers.
    pub asked: Option<usize>,
    /// Baselines, never exported.
    pub opponents: Vec<(String, Settings)>,
    /// How many validation splits choose among the candidates.
    pub validation_splits: usize,
    /// Over how many seeds a validation figure is averaged.
    pub validation_seeds: u64,
}

/// The plan for a data set and a task, changed by `KEY=VALUE` settings.
///
/// `features=NAMES` chooses the features ([`features_named`]); `preset=NAME` or any other key asks for one model,
/// which then stands alone beside the plain map (or replaces it, where the kind is linear).
pub fn plan(dataset: &Dataset, task: Task, sets: &[String]) -> Result<Plan> {
    let vectors = matches!(dataset.input, Input::Vectors { .. });
    let mut stats = match &dataset.input {
        Input::Windows { .. } if dataset.name.contains("rotations") => ANY_ORIENTATION,
        Input::Windows { channels, .. } if *channels > 6 => Stats::RICH,
        _ => Stats::WRIST,
    };
    let mut preset = None;
    let mut changes = Vec::new();
    for set in sets {
        match set.split_once('=') {
            Some(("features", names)) => stats = features_named(names)?,
            Some(("preset", name)) => preset = Some(name),
            _ => changes.push(set.as_str()),
        }
    }
    let like = conditions(task, vectors, stats)?;
    let linear =
        Settings { kind: Kind::Linear, rank: 0, steps: if vectors { 400 } else { like.steps }, ..like.clone() };
    let composite = |bases: usize, rank: usize, keep: usize, residual: bool| {
        let s = Settings { kind: Kind::Composite, bases, rank, keep, residual, ..like.clone() };
        (name(&s), s)
    };
    let mut candidates = vec![(name(&linear), linear.clone())];
    let mut asked_for = None;
    if preset.is_some() || !changes.is_empty() {
        let mut asked = match preset {
            Some(preset) => {
                let shape = Settings::preset(preset)?;
                Settings {
                    kind: shape.kind,
                    bases: shape.bases,
                    rank: shape.rank,
                    keep: shape.keep,
                    residual: shape.residual,
                    widths: shape.widths,
                    ..like.clone()
                }
            }
            None if vectors => Settings::preset("trunk")?,
            None if task == Task::ZeroShot => composite(8, 12, 4, true).1,
            None => composite(8, 8, 2, false).1,
        };
        for change in &changes {
            asked.apply(change)?;
        }
        if matches!(asked.kind, Kind::Linear | Kind::Mlp) {
            candidates.clear();
        }
        candidates.push((name(&asked), asked));
        asked_for = Some(candidates.len() - 1);
    } else if vectors {
        let trunk = Settings::preset("trunk")?;
        candidates.push((name(&trunk), trunk));
        candidates.push(composite(4, 24, 1, true));
    } else if task == Task::ZeroShot {
        candidates.push(composite(8, 12, 4, false));
        candidates.push(composite(8, 12, 4, true));
    } else {
        candidates.push(composite(8, 8, 2, false));
        candidates.push(composite(16, 8, 4, false));
    }
    let mut opponents = Vec::new();
    if task == Task::ZeroShot {
        opponents.push(("ESZSL".to_string(), Settings::preset("eszsl")?));
        opponents.push((
            "bilinear ranking".to_string(),
            Settings { kind: Kind::Bilinear, rank: like.rank, weight_decay: 0.01, ..linear.clone() },
        ));
    }
    for widths in if vectors { vec![vec![1024, 1024]] } else { vec![vec![64], vec![256, 256]] } {
        let mlp = mlp(&like, widths, vectors);
        opponents.push((name(&mlp), mlp));
    }
    Ok(Plan {
        stats,
        candidates,
        asked: asked_for,
        opponents,
        validation_splits: 10,
        validation_seeds: if vectors { 1 } else { 3 },
    })
}

/// A set of features by name: `cheap` (six a channel), `wrist` (and correlations), `rich`, or
/// single ones joined by `+`, as in `mean+deviation+bands`.
pub fn features_named(names: &str) -> Result<Stats> {
    const ALL: [(&str, Stats); 14] = [
        ("cheap", Stats::CHEAP),
        ("wrist", Stats::WRIST),
        ("rich", Stats::RICH),
        ("mean", Stats::MEAN),
        ("deviation", Stats::DEVIATION),
        ("range", Stats::RANGE),
        ("excursion", Stats::EXCURSION),
        ("change", Stats::CHANGE),
        ("turns", Stats::TURNS),
        ("bands", Stats::BANDS),
        ("crossings", Stats::CROSSINGS),
        ("correlation", Stats::CORRELATION),
        ("magnitude", Stats::MAGNITUDE),
        ("signed-log", Stats::SIGNED_LOG),
    ];
    let mut set = 0;
    for name in names.split('+') {
        let Some((_, stats)) = ALL.iter().find(|(known, _)| *known == name.trim()) else {
            bail!(
                "features={names}: there is no feature {name:?}; there are {}",
                ALL.map(|(known, _)| known).join(", ")
            );
        };
        set |= stats.0;
    }
    Ok(Stats(set))
}

/// Training conditions of a task: what all models of it share.
pub fn conditions(task: Task, vectors: bool, stats: Stats) -> Result<Settings> {
    Ok(match (task, vectors) {
        // Few subjects on one wrist: others wear it at another angle and move at another pace.
        (Task::Supervised, false) if stats == Stats::WRIST => {
            Settings { steps: 400, augment: 2, ..Settings::preset("tiny")? }
        }
        // Many features find ways to tell subjects apart: fewer steps, more dropout.
        (Task::Supervised, false) if stats == Stats::RICH => {
            Settings { steps: 400, dropout: 0.3, ..Settings::preset("tiny")? }
        }
        (_, true) => Settings::preset("trunk")?,
        (Task::ZeroShot, false) => Settings::preset("zero-shot")?,
        (Task::Supervised, false) => Settings::preset("tiny")?,
    })
}

/// A multilayer perceptron under the conditions of `like`.
pub fn mlp(like: &Settings, widths: Vec<usize>, vectors: bool) -> Settings {
    let base = Settings { kind: Kind::Mlp, widths, ..like.clone() };
    if vectors {
        Settings {
            tau: 8.0,
            rate: 3e-4,
            steps: 200,
            dropout: 0.5,
            hidden_dropout: 0.3,
            weight_decay: 1.0,
            components: 81,
            ..base
        }
    } else {
        Settings { rate: 1e-3, hidden_dropout: 0.2, ..base }
    }
}

/// A short name that says the shape: `K8 r12 m4 + W₀`.
pub fn name(s: &Settings) -> String {
    match s.kind {
        Kind::Linear if s.rank == 0 => "linear".into(),
        Kind::Linear => format!("linear rank {}", s.rank),
        Kind::Composite => format!("K{} r{} m{}{}", s.bases, s.rank, s.keep, if s.residual { " + W₀" } else { "" }),
        Kind::Trunk => format!("trunk K{} r{} m{}", s.bases, s.rank, s.keep),
        Kind::Mlp => format!("MLP {}", s.widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-")),
        Kind::Eszsl => "ESZSL".into(),
        Kind::Bilinear => "bilinear ranking".into(),
    }
}
