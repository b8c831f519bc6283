//! `smidgen bench train`: CPU time of training steps, ours and the peers', on the same work.
//!
//! a: an MLP 4-20-20-2 with SiLU, 1,000 samples, Adam and L1; b: a hundred of them; lottery: one
//! seed of every width; BIMT: whole trainings, swaps included. Data and initial parameters are handed to the peers in a file, and after
//! some steps their losses are compared with ours before anything is timed.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use cpu_time::ThreadTime;
use serde_json::{Value, json};

use super::peer::Peer;
use super::{Measured, Row, TrainArgs};
use crate::engine::{Adam, Engine, Fused, Inputs, Loss, Penalty, Samples, Schedule, Targets, Training};
use crate::family::{Place, bimt, lottery};
use crate::net::{Activation, Network};
use crate::rng::Rng;

/// The network of rows a and b.
const WIDTHS: [usize; 4] = [4, 20, 20, 2];
/// Their samples.
const SAMPLES: usize = 1000;
/// Their learning rate.
const RATE: f64 = 2e-3;
/// Their penalty's strength.
const L1: f64 = 1e-3;
/// Members of row b.
const MEMBERS: usize = 100;
/// Steps after which losses are compared.
const COMPARED: usize = 20;
/// Largest relative difference of the losses of peers that do the same work.
const SAME: f64 = 1e-3;
/// Peers: script and library.
const PEERS: [(&str, &str); 2] = [("jax_mlp.py", "JAX"), ("torch_mlp.py", "PyTorch")];

/// Measures all rows.
pub fn measure(args: &TrainArgs, place: &Place) -> Result<Measured> {
    let mut measured = Measured { rows: vec![], absent: vec![], versions: vec![] };
    let wanted = |name: &str| args.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    for (name, members, turns) in [
        ("a: MLP 4-20-20-2, 1,000 samples, Adam and L1", 1, Turns { ours: 2000, jax: 1000, torch: 200 }),
        ("b: 100 of a", MEMBERS, Turns { ours: 20, jax: 10, torch: 4 }),
    ] {
        if wanted(name) {
            place.output.note(format!("{name}: {} rounds", args.rounds));
            measured.rows.push(mlp(name, members, &turns, args, &mut measured.absent, &mut measured.versions)?);
        }
    }
    let name = "lottery: y = x², 2 to 256 neurons, one seed of 8 widths, 1,000 steps";
    if wanted(name) {
        place.output.note(format!("{name}: {} rounds", args.rounds));
        measured.rows.push(of_lottery(name, args.rounds)?);
    }
    // Steps of a round: whole stairs of K steps with their swaps, some tenths of a second each.
    for (task, steps, authors) in [("independence", 2000, 1.20), ("modular-addition", 200, 27.9)] {
        let name = format!("BIMT {task}: whole training with swaps, 1,000 steps");
        if wanted(&name) {
            place.output.note(format!("{name}: {} rounds", args.rounds));
            measured.rows.push(of_bimt(name, task, steps, authors, args.rounds)?);
        }
    }
    ensure!(!measured.rows.is_empty(), "no row's name contains {:?}", args.only.as_deref().unwrap_or(""));
    Ok(measured)
}

/// Steps of a turn, some tenths of a second for each.
struct Turns {
    ours: usize,
    jax: usize,
    torch: usize,
}

/// Members of one network in training on this thread.
struct Ours(Vec<Fused<f32>>);

impl Ours {
    /// `steps` steps of every member: CPU seconds.
    fn turn(&mut self, steps: usize) -> f64 {
        let started = ThreadTime::now();
        for member in &mut self.0 {
            member.run(steps);
        }
        started.elapsed().as_secs_f64()
    }

    fn losses(&mut self) -> Result<Vec<f64>> {
        self.0.iter_mut().map(|m| Ok(m.gradients()?[0].loss)).collect()
    }
}

fn mlp(
    name: &str,
    members: usize,
    turns: &Turns,
    args: &TrainArgs,
    absent: &mut Vec<(String, String)>,
    versions: &mut Vec<(String, String)>,
) -> Result<Row> {
    let network = Network::mlp(&WIDTHS, Activation::Silu)?;
    let samples = Arc::new(samples());
    let training = Training {
        steps: usize::MAX,
        rate: Schedule::constant(RATE),
        adam: Adam::default(),
        loss: Loss::MeanSquare,
        batch: None,
    };
    let fused = (0..members as u64).map(|seed| {
        let mut engine = Fused::new(&network, samples.clone(), training.clone(), seed)?;
        engine.penalise(0, Penalty::l1(&network, Schedule::constant(L1)))?;
        Ok(engine)
    });
    let mut ours = Ours(fused.collect::<Result<_>>()?);
    let work = work(&samples, &ours, &training.adam);
    let folder = tempfile::tempdir().context("a folder for the peers' work")?;
    ours.turn(COMPARED);
    let losses = ours.losses()?;
    let mut peers = Vec::new();
    for (script, library) in PEERS {
        match Peer::start(&args.peers, script, &work, folder.path()) {
            Ok(peer) => {
                let version = (library.to_string(), peer.version.clone());
                if !versions.contains(&version) {
                    versions.push(version);
                }
                let steps = if library == "JAX" { turns.jax } else { turns.torch };
                peers.push((peer, steps));
            }
            Err(error) => {
                let reason = (library.to_string(), crate::output::chain(&error));
                if !absent.contains(&reason) {
                    absent.push(reason);
                }
            }
        }
    }
    let mut notes = Vec::new();
    for (peer, _) in &mut peers {
        for way in peer.names.clone() {
            let theirs = peer.turn(&way, COMPARED)?.losses;
            let difference = difference(&losses, &theirs);
            ensure!(
                difference <= SAME,
                "{way} does other work: after {COMPARED} steps its losses differ by {difference:.1e} of ours; \
                 please report this with the versions"
            );
            notes.push(format!("{way}: losses after {COMPARED} steps within {difference:.0e} of ours"));
        }
    }
    let mut best = f64::INFINITY;
    let mut theirs: Vec<(String, f64)> =
        peers.iter().flat_map(|(p, _)| p.names.iter().map(|n| (n.clone(), f64::INFINITY))).collect();
    for _ in 0..args.rounds {
        best = best.min(ours.turn(turns.ours) / turns.ours as f64);
        for (peer, steps) in &mut peers {
            for way in peer.names.clone() {
                let cpu = peer.turn(&way, *steps)?.cpu / *steps as f64;
                if let Some(entry) = theirs.iter_mut().find(|t| t.0 == way) {
                    entry.1 = entry.1.min(cpu);
                }
            }
        }
    }
    let peers = theirs.into_iter().map(|(name, cpu)| (name, 1e3 * cpu)).collect();
    Ok(Row { name: name.into(), ours: 1e3 * best, unit: "CPU ms a step", peers, notes, work: None })
}

/// The largest relative difference; infinite where there are not as many.
fn difference(ours: &[f64], theirs: &[f64]) -> f64 {
    if ours.len() != theirs.len() {
        return f64::INFINITY;
    }
    // NaN counts as different.
    let each = ours.iter().zip(theirs).map(|(a, b)| ((a - b) / a).abs());
    each.fold(0.0, |m, d| {
        if d <= m {
            m
        } else if d.is_nan() {
            f64::INFINITY
        } else {
            d
        }
    })
}

/// x uniform in ±1, y = ((x₁ + x₃)³, x₂² + sin πx₄): the formula of BIMT's first task.
fn samples() -> Samples<f32> {
    let mut rng = Rng::new(0, "bench", 0);
    let inputs: Vec<f32> = (0..SAMPLES * WIDTHS[0]).map(|_| 2.0 * rng.uniform() - 1.0).collect();
    let targets = inputs
        .chunks_exact(WIDTHS[0])
        .flat_map(|x| [(x[0] + x[2]).powi(3), x[1] * x[1] + (std::f32::consts::PI * x[3]).sin()])
        .collect();
    Samples {
        inputs: Inputs::Values { width: WIDTHS[0], data: inputs },
        targets: Targets::Values { width: WIDTHS[3], data: targets },
    }
}

/// The file that peers read (host/bench/work.py).
fn work(samples: &Samples<f32>, ours: &Ours, adam: &Adam) -> Value {
    let rows = |data: &[f32], width: usize| data.chunks_exact(width).map(<[f32]>::to_vec).collect::<Vec<_>>();
    let (Inputs::Values { data: x, .. }, Targets::Values { data: y, .. }) = (&samples.inputs, &samples.targets) else {
        return Value::Null;
    };
    json!({
        "widths": WIDTHS, "inputs": rows(x, WIDTHS[0]), "targets": rows(y, WIDTHS[3]),
        "members": ours.0.iter().map(|m| m.at().parameters.clone()).collect::<Vec<_>>(),
        "rate": RATE, "l1": L1, "betas": [adam.betas.0, adam.betas.1], "epsilon": adam.epsilon,
    })
}

/// A whole training beside the authors' program, whose figures are constants: CPU seconds per 1,000
/// steps of their PyTorch code on one thread of another machine.
fn of_bimt(name: String, task: &str, steps: usize, authors: f64, rounds: usize) -> Result<Row> {
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let started = ThreadTime::now();
        bimt::speed(task, steps)?;
        best = best.min(started.elapsed().as_secs_f64() * 1000.0 / steps as f64);
    }
    Ok(Row {
        name,
        ours: best,
        unit: "CPU s",
        peers: vec![("the authors' PyTorch code, measured elsewhere".into(), authors)],
        notes: vec!["the authors' figure was not measured in this run: it is a constant, from another machine".into()],
        work: None,
    })
}

/// One seed of every width: CPU seconds, and what 1,000 seeds of 5,000 steps would take.
fn of_lottery(name: &str, rounds: usize) -> Result<Row> {
    const STEPS: usize = 1000;
    let mut best = f64::INFINITY;
    for seed in 0..rounds as u64 {
        let started = cpu_time::ProcessTime::now();
        lottery::speed::run(STEPS, seed)?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    let whole = best * 1000.0 * 5.0;
    Ok(Row {
        name: name.into(),
        ours: best,
        unit: "CPU s",
        peers: vec![],
        notes: vec![format!(
            "1,000 seeds × {} widths × 5,000 steps: {:.0} CPU-seconds",
            lottery::speed::networks(),
            whole
        )],
        work: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_losses_are_seen() {
        assert_eq!(difference(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        assert!((difference(&[1.0, 2.0], &[1.0, 2.2]) - 0.1).abs() < 1e-12);
        for other in [vec![1.0], vec![1.0, f64::NAN], vec![f64::NAN, 2.0]] {
            assert_eq!(difference(&[1.0, 2.0], &other), f64::INFINITY, "{other:?}");
        }
    }

    #[test]
    fn the_work_is_what_is_trained() {
        let network = Network::mlp(&WIDTHS, Activation::Silu).unwrap();
        let samples = Arc::new(samples());
        let training = Training {
            steps: 10,
            rate: Schedule::constant(RATE),
            adam: Adam::default(),
            loss: Loss::MeanSquare,
            batch: None,
        };
        let ours = Ours(vec![Fused::new(&network, samples.clone(), training.clone(), 0).unwrap()]);
        let work = work(&samples, &ours, &training.adam);
        assert_eq!(work["members"][0].as_array().unwrap().len(), network.parameters());
        assert_eq!((work["inputs"].as_array().unwrap().len(), work["targets"][0].as_array().unwrap().len()), (1000, 2));
    }
}
