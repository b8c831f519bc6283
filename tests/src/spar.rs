//! A small model of real data: a composite with a residual, trained for a few steps on `spar`.

use anyhow::{Context, Result};
use smidgen::compress::{Aligned, Provenance};
use smidgen::data::{Task, load};
use smidgen::family::parsnets::{Control, Experiment, plan, test_rows};
use smidgen::infer;
use smidgen::run::{held_out_name, split_of};

/// A model and all that its training held out.
pub struct Spar {
    /// The artifact, with Gate, Mix, Rescale and Match in it.
    pub model: Aligned,
    /// Raw windows of the first zero-shot split's test rows, `(steps, channels)` int16 each.
    pub windows: Vec<Vec<i16>>,
}

/// Trains 40 steps of `K4 r6 m2 + W₀`: enough for weights that matter, not for a good classifier.
pub fn spar() -> Result<Spar> {
    let dataset = load("spar", None)?;
    let sets = ["bases=4", "rank=6", "keep=2", "residual=true", "steps=40"].map(String::from);
    let plan = plan(&dataset, Task::ZeroShot, &sets)?;
    let (name, settings) = plan.candidates.last().context("the plan has no candidate")?;
    let split = split_of(&dataset, Task::ZeroShot, None)?;
    let experiment = Experiment::new(&dataset, Task::ZeroShot, plan.stats)?;
    let fitted = experiment.fit(settings, &split, 0, None, &mut |_| Control::Continue)?;
    let provenance = Provenance {
        dataset: dataset.name.clone(),
        split: held_out_name(Task::ZeroShot, &split),
        settings: name.clone(),
        ..Provenance::default()
    };
    let model = experiment.artifact(&fitted, &split, provenance)?;
    let windows = test_rows(&split).iter().map(|&row| infer::raw(&dataset, row as usize)).collect::<Result<_>>()?;
    Ok(Spar { model, windows })
}
