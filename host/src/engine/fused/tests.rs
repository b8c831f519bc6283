//! The fused engine against candle in f64, against finite differences, and against itself: alone or
//! in tiles, resumed or not.

use std::sync::Arc;

use candle_core::Device;

use super::*;
use crate::engine::{Adam, Candle, Chain, Loss, Schedule, Targets};
use crate::net::{Activation, Layer};
use crate::rng::Rng;

fn values(n: usize, stream: &str) -> Vec<f64> {
    let mut rng = Rng::new(1, stream, 0);
    (0..n).map(|_| f64::from(rng.normal())).collect()
}

fn regression(n: usize, inputs: usize, outputs: usize) -> Samples<f64> {
    Samples {
        inputs: Inputs::Values { width: inputs, data: values(n * inputs, "x") },
        targets: Targets::Values { width: outputs, data: values(n * outputs, "y") },
    }
}

fn classification(n: usize, vocabulary: usize, folds: usize, classes: u32) -> Samples<f64> {
    let mut rng = Rng::new(2, "tokens", 0);
    Samples {
        inputs: Inputs::Tokens { folds, data: (0..n * folds).map(|_| rng.below(vocabulary) as u32).collect() },
        targets: Targets::Classes((0..n).map(|_| rng.below(classes as usize) as u32).collect()),
    }
}

fn training(loss: Loss, steps: usize, batch: Option<usize>) -> Training {
    let adam = Adam { weight_decay: 0.01, ..Adam::default() };
    Training { steps, rate: Schedule::Stairs(vec![(0, 0.01), (5, 0.003)]), adam, loss, batch }
}

/// Every kind of layer, activation and loss, with samples for it.
fn cases() -> Vec<(&'static str, Network, Samples<f64>, Loss)> {
    let mut cases = Vec::new();
    for (name, function) in Activation::ALL {
        cases.push((name, Network::mlp(&[3, 7, 6, 2], function).unwrap(), regression(37, 3, 2), Loss::MeanSquare));
    }
    let low_rank = vec![
        Layer::LowRank { inputs: 5, rank: 2, outputs: 9 },
        Layer::Activation { width: 9, function: Activation::Tanh },
        Layer::Dense { inputs: 9, outputs: 1 },
    ];
    cases.push(("low-rank", Network::new(low_rank).unwrap(), regression(21, 5, 1), Loss::MeanSquare));
    let embedded = Network::embedded(11, 4, 2, &[8, 10, 7], Activation::Silu).unwrap();
    cases.push(("embedding and dense", embedded, classification(45, 11, 2, 7), Loss::CrossEntropy));
    let wide = Network::embedded(11, 4, 2, &[8, 10, 7], Activation::Silu).unwrap();
    cases.push(("embedding in tiles", wide, classification(2_050, 11, 2, 7), Loss::CrossEntropy));
    let alone = vec![
        Layer::Embedding { vocabulary: 6, width: 3, folds: 3 },
        Layer::Activation { width: 9, function: Activation::Gelu },
        Layer::Dense { inputs: 9, outputs: 4 },
    ];
    cases.push(("embedding", Network::new(alone).unwrap(), classification(30, 6, 3, 4), Loss::CrossEntropy));
    cases
}

/// A penalty with all that it can have: L1 by parameter, L2, a strength that changes.
fn penalty(network: &Network) -> Penalty<f64> {
    let absolute = values(network.parameters(), "penalty").iter().map(|c| c.abs()).collect();
    let square = Penalty::l2(network, Schedule::constant(1.0)).square;
    Penalty { strength: Schedule::Stairs(vec![(0, 0.02), (4, 0.05)]), absolute, square }
}

#[test]
fn losses_and_gradients_are_candles() {
    for (name, network, samples, loss) in cases() {
        let samples = Arc::new(samples);
        let training = training(loss, 10, None);
        let chain = Arc::new(Chain::new(&network, samples.clone(), &training, &Device::Cpu).unwrap());
        let mut oracle = Candle::new(chain, training.clone(), &[3, 4], &Device::Cpu).unwrap();
        for (member, seed) in [3, 4].into_iter().enumerate() {
            let mut fused = Fused::new(&network, samples.clone(), training.clone(), seed).unwrap();
            fused.penalise(0, penalty(&network)).unwrap();
            oracle.penalise(member, penalty(&network)).unwrap();
            let (ours, theirs) = (&fused.gradients().unwrap()[0], &oracle.gradients().unwrap()[member]);
            assert!((ours.loss - theirs.loss).abs() < 1e-12 * theirs.loss, "{name}: {} {}", ours.loss, theirs.loss);
            assert!((ours.penalty - theirs.penalty).abs() < 1e-12 * theirs.penalty, "{name}");
            let size = theirs.gradient.iter().fold(0f64, |m, g| m.max(g.abs()));
            for (i, (a, b)) in ours.gradient.iter().zip(&theirs.gradient).enumerate() {
                assert!((a - b).abs() < 1e-12 * size, "{name}, parameter {i}: {a} {b}");
            }
        }
    }
}

#[test]
fn gradients_are_finite_differences() {
    for (name, network, samples, loss) in cases() {
        let mut fused = Fused::new(&network, Arc::new(samples), training(loss, 10, None), 5).unwrap();
        fused.penalise(0, penalty(&network)).unwrap();
        let gradient = fused.gradients().unwrap().remove(0).gradient;
        for i in (0..network.parameters()).step_by(3) {
            let h = 1e-6;
            let mut at = |delta: f64| {
                fused.edit(0, &mut |s| s.parameters[i] += delta).unwrap();
                let g = fused.gradients().unwrap().remove(0);
                fused.edit(0, &mut |s| s.parameters[i] -= delta).unwrap();
                g.loss + g.penalty
            };
            let difference = (at(h) - at(-h)) / (2.0 * h);
            let error = (difference - gradient[i]).abs();
            assert!(error < 1e-7 * (1.0 + difference.abs()), "{name}, {i}: {} {difference}", gradient[i]);
        }
    }
}

#[test]
fn trainings_are_candles() {
    for (name, network, samples, loss) in cases() {
        let samples = Arc::new(samples);
        let batch = if name == "silu" || name == "embedding" { Some(10) } else { None };
        let training = training(loss, 12, batch);
        let chain = Arc::new(Chain::new(&network, samples.clone(), &training, &Device::Cpu).unwrap());
        let mut oracle = Candle::new(chain, training.clone(), &[8, 9], &Device::Cpu).unwrap();
        let mut fused = Fused::new(&network, samples.clone(), training, 9).unwrap();
        fused.penalise(0, penalty(&network)).unwrap();
        oracle.penalise(1, penalty(&network)).unwrap();
        let (ours, theirs) = (fused.advance(50).unwrap()[0], oracle.advance(50).unwrap()[1]);
        assert_eq!((ours.step, theirs.step, ours.failed, theirs.failed), (12, 12, None, None));
        assert!((ours.loss - theirs.loss).abs() < 1e-9 * theirs.loss.abs(), "{name}: {} {}", ours.loss, theirs.loss);
        let (a, b) = (fused.state(0).unwrap(), oracle.state(1).unwrap());
        for (x, y) in a.parameters.iter().zip(&b.parameters) {
            assert!((x - y).abs() < 1e-9, "{name}: {x} {y}");
        }
        let (p, q) = (fused.outputs(&samples.inputs).unwrap(), oracle.outputs(&samples.inputs).unwrap());
        assert_eq!(p[0].len(), samples.len() * network.outputs());
        assert!(p[0].iter().zip(&q[1]).all(|(x, y)| (x - y).abs() < 1e-9), "{name}");
    }
}

#[test]
fn f32_follows_f64() {
    for (name, network, samples, loss) in cases() {
        let single = Samples {
            inputs: match &samples.inputs {
                Inputs::Values { width, data } => {
                    Inputs::Values { width: *width, data: data.iter().map(|&v| v as f32).collect() }
                }
                Inputs::Tokens { folds, data } => Inputs::Tokens { folds: *folds, data: data.clone() },
            },
            targets: match &samples.targets {
                Targets::Values { width, data } => {
                    Targets::Values { width: *width, data: data.iter().map(|&v| v as f32).collect() }
                }
                Targets::Classes(classes) => Targets::Classes(classes.clone()),
            },
        };
        let mut single = Fused::<f32>::new(&network, Arc::new(single), training(loss, 9, None), 1).unwrap();
        let mut double = Fused::<f64>::new(&network, Arc::new(samples), training(loss, 9, None), 1).unwrap();
        let (a, b) = (single.gradients().unwrap().remove(0), double.gradients().unwrap().remove(0));
        let size = b.gradient.iter().fold(0f64, |m, g| m.max(g.abs()));
        for (x, y) in a.gradient.iter().zip(&b.gradient) {
            assert!((f64::from(*x) - y).abs() < 2e-5 * size, "{name}: {x} {y}");
        }
    }
}

#[test]
fn tiles_padding_and_resumption_change_nothing() {
    // 2,500 samples are several tiles and no whole number of blocks.
    let network = Network::mlp(&[6, 40, 30, 2], Activation::Silu).unwrap();
    let samples = Arc::new(regression(2_501, 6, 2));
    let training = training(Loss::MeanSquare, 8, None);
    let mut whole = Fused::new(&network, samples.clone(), training.clone(), 3).unwrap();
    whole.run(8);
    let mut first = Fused::new(&network, samples.clone(), training.clone(), 3).unwrap();
    first.run(5);
    // Predictions between steps leave no trace.
    first.predict(&samples.inputs);
    let mut second = Fused::new(&network, samples.clone(), training.clone(), 77).unwrap();
    second.seed = 3;
    second.edit(0, &mut |s| *s = first.at().clone()).unwrap();
    assert_eq!(second.run(100).step, 8);
    assert_eq!(second.at(), whole.at());
    let chain = Arc::new(Chain::new(&network, samples, &training, &Device::Cpu).unwrap());
    let oracle = Candle::new(chain, training, &[3], &Device::Cpu).unwrap().gradients().unwrap().remove(0);
    let mut fresh = Fused::new(&network, Arc::new(regression(2_501, 6, 2)), whole.training.clone(), 3).unwrap();
    let ours = fresh.gradients().unwrap().remove(0);
    assert!((ours.loss - oracle.loss).abs() < 1e-12 * oracle.loss);
    assert!(ours.gradient.iter().zip(&oracle.gradient).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn a_loss_that_is_not_finite_is_named_with_its_step() {
    let network = Network::mlp(&[2, 4, 1], Activation::Silu).unwrap();
    let mut bad = regression(9, 2, 1);
    let Targets::Values { data, .. } = &mut bad.targets else { panic!("values") };
    data[4] = f64::NAN;
    let mut fused = Fused::new(&network, Arc::new(bad), training(Loss::MeanSquare, 9, None), 0).unwrap();
    let advance = fused.run(5);
    assert_eq!((advance.failed, advance.step), (Some(0), 0));
    let mut wild = training(Loss::MeanSquare, 400, None);
    wild.rate = Schedule::constant(1e200);
    let mut fused = Fused::new(&network, Arc::new(regression(9, 2, 1)), wild, 0).unwrap();
    assert!(fused.run(400).failed.is_some());
}
