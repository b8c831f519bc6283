//! The loop as a whole: resuming, threads, errors.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::net::{Composite, CosineLoss, load_balance};
use crate::rng::Rng;

const STEPS: usize = 40;

fn plan(checkpoint: Option<CheckpointPlan>) -> Plan {
    Plan { schedule: OneCycle { steps: STEPS, peak: 3e-3 }, weight_decay: 0.1, report_every: 5, checkpoint }
}

fn checkpoint(path: &Path, identity: &str) -> CheckpointPlan {
    CheckpointPlan { path: path.to_owned(), every: 7, resume: true, identity: identity.to_owned() }
}

/// Trains a small composite on random batches, stopping at `stop_at`; gives the bits of all parameters.
fn run(plan: &Plan, stop_at: usize) -> Result<(Outcome, Vec<u32>)> {
    let mut parameters = Parameters::new(DType::F32, 5);
    let net = Composite::new(&mut parameters, 20, 4, 3, 6)?;
    let mut rng = Rng::new(5, "rows", 0);
    let rows = Arc::new((0..9 * 6).map(|_| 0.4 * rng.normal()).collect());
    let loss = CosineLoss { rows, width: 6, temperature: 8.0 };
    let outcome = train(
        &parameters,
        plan,
        |step| {
            let mut rng = Rng::new(5, "batch", step as u64);
            let x: Vec<f32> = (0..70 * 20).map(|_| rng.normal()).collect();
            let y = Arc::new((0..70).map(|_| rng.below(9) as u16).collect());
            let out = net.forward(&Tensor::from_vec(x, (70, 20), &Device::Cpu)?, 2, 4.0, false)?;
            Ok((loss.of(&out.s, y)? + (load_balance(&out.q, &out.g, 2)? * 0.05)?)?)
        },
        |p| if p.step >= stop_at { Control::Stop } else { Control::Continue },
    )?;
    let mut bits = Vec::new();
    for (name, _) in parameters.iter() {
        bits.extend(parameters.values(name)?.1.iter().map(|x| x.to_bits()));
    }
    Ok((outcome, bits))
}

#[test]
fn a_resumed_run_gives_the_bits_of_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (whole, expected) = run(&plan(None), usize::MAX).unwrap();
    assert!(!whole.stopped && whole.step == STEPS);
    let with = plan(Some(checkpoint(&path, "a")));
    let (first, partial) = run(&with, 15).unwrap();
    assert_eq!((first.step, first.stopped), (15, true));
    assert_ne!(partial, expected);
    let (second, resumed) = run(&with, usize::MAX).unwrap();
    assert_eq!((second.step, second.stopped), (STEPS, false));
    assert_eq!(second.losses[0].0, 20, "it went on after step 15");
    assert_eq!(resumed, expected);
}

#[test]
fn the_same_seed_gives_the_same_bits_on_one_thread_and_on_two() {
    let (_, expected) = run(&plan(None), usize::MAX).unwrap();
    for threads in [1, 2] {
        for bits in in_parallel(&[(), ()], threads, |()| Ok(run(&plan(None), usize::MAX)?.1)).unwrap() {
            assert_eq!(bits, expected);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| run(&plan(None), usize::MAX)).unwrap().1, expected);
    }
}

#[test]
fn the_loss_falls() {
    // A parabola: the minimum is where it should be.
    let mut parameters = Parameters::new(DType::F32, 1);
    let w = parameters.normal("w", &[4], 1.0).unwrap();
    let target = Tensor::new(&[0.3f32, -0.2, 0.1, 0.0], &Device::Cpu).unwrap();
    let plan =
        Plan { schedule: OneCycle { steps: 400, peak: 0.05 }, weight_decay: 0.0, report_every: 100, checkpoint: None };
    train(&parameters, &plan, |_| Ok((&w - &target)?.sqr()?.sum_all()?), |_| Control::Continue).unwrap();
    let (_, w) = parameters.values("w").unwrap();
    assert!(w.iter().zip([0.3, -0.2, 0.1, 0.0]).all(|(w, t)| (w - t).abs() < 1e-3), "{w:?}");
}

#[test]
fn one_step_of_adamw_by_hand() {
    let mut parameters = Parameters::new(DType::F32, 1);
    let w = parameters.add("w", &[2], vec![1.0, -2.0]).unwrap();
    let mut optimiser = AdamW::new(&parameters, 0.1);
    let gradients = (w * 3.0).unwrap().sum_all().unwrap().backward().unwrap();
    optimiser.step(&parameters, &gradients, 0.01).unwrap();
    // The first step moves by lr·sign(gradient) and decays by lr·decay·w.
    let (_, w) = parameters.values("w").unwrap();
    assert!((w[0] - (1.0 - 0.01 - 0.001)).abs() < 1e-6 && (w[1] - (-2.0 - 0.01 + 0.002)).abs() < 1e-6, "{w:?}");
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    run(&plan(Some(checkpoint(&path, "seed 1"))), 15).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = run(&plan(Some(checkpoint(&path, "seed 2"))), 15).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("seed 1") && error.contains("seed 2"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_torn_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    run(&plan(Some(checkpoint(&path, "a"))), 15).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for len in [0, 5, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let error = format!("{:#}", run(&plan(Some(checkpoint(&path, "a"))), 15).unwrap_err());
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/run.safetensors");
    let error = format!("{:#}", run(&plan(Some(checkpoint(&path, "a"))), 15).unwrap_err());
    assert!(error.contains("missing/run.safetensors"), "{error}");
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run() {
    let mut parameters = Parameters::new(DType::F32, 1);
    let w = parameters.normal("w", &[1], 1.0).unwrap();
    let count = Cell::new(0);
    let loss = |_| {
        count.set(count.get() + 1);
        Ok((w.sum_all()? * if count.get() > 3 { f64::NAN } else { 1.0 })?)
    };
    let error = train(&parameters, &plan(None), loss, |_| Control::Continue).unwrap_err().to_string();
    assert!(error.contains("step 3"), "{error}");
}
