//! The family as a whole: graphs equal candle, composites pay on mixtures, the same seed the same bits.

use super::*;
use crate::engine::in_parallel;
use crate::graph::{Input, softmax_of_top};
use crate::rng::Rng;

/// `classes` classes in `width` dimensions seen in four orientations: class c in orientation o lies
/// at `R_o μ_c + noise`. No linear map tells the classes apart in all of them.
fn mixture(n: usize, width: usize, classes: usize, stream: &str) -> (Vec<f32>, Vec<u16>) {
    let mut fixed = Rng::new(1, "mixture", 0);
    let means: Vec<f32> = (0..classes * width).map(|_| 1.5 * fixed.normal()).collect();
    // An orientation flips the signs of its own half of the dimensions, and shows in the last two.
    let mut rng = Rng::new(2, stream, 0);
    let (mut features, mut y) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let (class, turn) = (rng.below(classes), rng.below(4));
        for j in 0..width {
            let flip = [1.0, if j % 2 == 0 { -1.0 } else { 1.0 }, if j % 4 < 2 { -1.0 } else { 1.0 }, -1.0][turn];
            let offset = if j + 2 >= width {
                [4.0, -4.0][(turn >> (width - 1 - j)) & 1]
            } else {
                flip * means[class * width + j]
            };
            features.push((100.0 * (offset + 0.7 * rng.normal())).round());
        }
        y.push(class as u16);
    }
    (features, y)
}

fn attributes(classes: usize, a: usize) -> Vec<f32> {
    let mut rng = Rng::new(9, "attributes", 0);
    (0..classes * a).map(|_| rng.uniform()).collect()
}

fn settings(sets: &[&str]) -> Settings {
    let mut s = Settings::preset("tiny").unwrap();
    for set in ["steps=60", "batch=64"].iter().chain(sets) {
        s.apply(set).unwrap();
    }
    s
}

fn fit(settings: &Settings, x: &[f32], width: usize, y: &[u16], targets: Targets, seed: u64) -> Model {
    train(settings, &Task { x, width, y, targets }, seed, None, &mut |_| Control::Continue).unwrap().model
}

const KINDS: [&[&str]; 10] = [
    &["kind=linear", "rank=0"],
    &["kind=linear", "rank=4"],
    &["kind=composite"],
    &["kind=composite", "residual=true"],
    &["kind=composite", "keep=1", "ole=0.25"],
    &["kind=trunk", "unit_rms=true", "clip=6"],
    &["kind=mlp", "widths=16"],
    &["kind=mlp", "widths=16,12", "hidden_dropout=0.2"],
    &["kind=eszsl"],
    &["kind=bilinear"],
];

#[test]
fn graphs_equal_candle_for_every_kind() {
    let (width, classes) = (12, 6);
    let (features, y) = mixture(300, width, classes, "train");
    let names: Vec<String> = (0..classes).map(|c| format!("class {c}")).collect();
    for (kind, zero_shot) in KINDS.iter().flat_map(|k| [(k, false), (k, true)]) {
        let settings = settings(kind);
        let rows: Vec<usize> = (0..300).collect();
        let standardise = Standardise::fit(&features, width, &rows, settings.clip, settings.unit_rms).unwrap();
        let targets = if zero_shot {
            Targets::attributes(&attributes(classes, 9), &vec![true; classes], &settings).unwrap()
        } else {
            Targets::simplex(classes)
        };
        let x = standardise.apply(&features);
        let model = fit(&settings, &x, width, &y, targets, 3);
        let all: Vec<usize> = (0..classes).collect();
        let table = model.targets.table(&all, &names, 0.15);
        let graph = to_graph(&model, Input::Vector(width), &standardise, &table).unwrap();
        let scores = if zero_shot { model.scores_by(&x, &table) } else { model.scores(&x) }.unwrap();
        let largest = scores.iter().fold(0.0f32, |m, s| m.max(s.abs()));
        assert!(largest > 1e-3, "{kind:?}: scores of {largest}");
        // The graph reads what the chip reads: the integers behind x.
        let plain = Standardise { unit_rms: false, ..standardise.clone() };
        for (x, expected) in plain.apply(&features).chunks_exact(width).zip(scores.chunks_exact(classes)) {
            let got = graph.run_from(x.to_vec()).pop().unwrap();
            for (g, e) in got.iter().zip(expected) {
                assert!((g - e).abs() <= 1e-5 * largest, "{kind:?}, zero-shot {zero_shot}: {g} {e} of {largest}");
            }
        }
        let weights: usize = model.weights.iter().map(|w| w.values.len()).sum();
        assert_eq!(model.parameters(), weights);
    }
}

#[test]
fn a_composite_beats_the_linear_map_on_a_mixture() {
    let (width, classes) = (16, 5);
    let ((train_f, train_y), (test_f, test_y)) =
        (mixture(2000, width, classes, "train"), mixture(1000, width, classes, "test"));
    let rows: Vec<usize> = (0..2000).collect();
    let standardise = Standardise::fit(&train_f, width, &rows, 3.0, false).unwrap();
    let (train_x, test_x) = (standardise.apply(&train_f), standardise.apply(&test_f));
    let all: Vec<usize> = (0..classes).collect();
    let accuracy_of = |sets: &[&str]| {
        let model = fit(&settings(sets), &train_x, width, &train_y, Targets::simplex(classes), 0);
        accuracy(&classify(&model.scores(&test_x).unwrap(), classes, &all), &test_y)
    };
    let linear = accuracy_of(&["kind=linear", "rank=0", "steps=400"]);
    let composite = accuracy_of(&["kind=composite", "bases=8", "rank=5", "keep=2", "steps=400"]);
    assert!(composite > linear + 0.2, "composite {composite}, linear {linear}");
    assert!(composite > 0.8, "composite {composite}");
}

#[test]
fn the_same_seed_gives_the_same_bits_whatever_the_threads() {
    let (features, y) = mixture(300, 12, 6, "train");
    let rows: Vec<usize> = (0..300).collect();
    let x = Standardise::fit(&features, 12, &rows, 3.0, false).unwrap().apply(&features);
    let bits_of = |sets: &[&str], seed: u64| -> Vec<u32> {
        let model = fit(&settings(sets), &x, 12, &y, Targets::simplex(6), seed);
        model.weights.iter().flat_map(|w| w.values.iter().map(|v| v.to_bits())).collect()
    };
    let bits = |seed: &u64| Ok(bits_of(&["residual=true"], *seed));
    let one = in_parallel(&[0, 1, 0], 1, bits).unwrap();
    let two = in_parallel(&[0, 1, 0], 2, bits).unwrap();
    assert_eq!(one, two);
    assert_eq!(one[0], one[2]);
    assert_ne!(one[0], one[1]);
    for sets in [&["kind=eszsl"][..], &["ole=0.25"]] {
        let under = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bits_of(sets, 0))
        };
        assert_eq!(under(1), under(2), "{sets:?}");
    }
}

#[test]
fn a_stopped_run_goes_on_to_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let (features, y) = mixture(300, 12, 6, "train");
    let rows: Vec<usize> = (0..300).collect();
    let x = Standardise::fit(&features, 12, &rows, 3.0, false).unwrap().apply(&features);
    let settings = settings(&["dropout=0.3"]);
    let task = Task { x: &x, width: 12, y: &y, targets: Targets::simplex(6) };
    let whole = train(&settings, &task, 4, None, &mut |_| Control::Continue).unwrap().model;
    let c = Checkpointing { path: folder.path().join("c.safetensors"), every: 10, resume: true };
    let stop = &mut |p: Progress| if p.step >= 25 { Control::Stop } else { Control::Continue };
    let part = train(&settings, &task, 4, Some(&c), stop).unwrap();
    assert!(part.outcome.stopped && part.model != whole);
    let resumed = train(&settings, &task, 4, Some(&c), &mut |_| Control::Continue).unwrap();
    assert!(!resumed.outcome.stopped);
    assert_eq!(resumed.model, whole);
    let error = train(&settings, &task, 5, Some(&c), &mut |_| Control::Continue).unwrap_err().to_string();
    assert!(error.contains("another run"), "{error}");
}

#[test]
fn gates_are_those_deployed() {
    let (features, y) = mixture(200, 12, 6, "train");
    let rows: Vec<usize> = (0..200).collect();
    let x = Standardise::fit(&features, 12, &rows, 3.0, false).unwrap().apply(&features);
    let model = fit(&settings(&[]), &x, 12, &y, Targets::simplex(6), 0);
    let gates = model.gates(&x).unwrap().unwrap();
    let (w, c) = (model.weight("gate.w").unwrap(), model.weight("gate.b").unwrap());
    for (x, g) in x.chunks_exact(12).zip(gates.chunks_exact(8)) {
        let q: Vec<f32> =
            (0..8).map(|k| c.values[k] + (0..12).map(|j| x[j] * w.values[j * 8 + k]).sum::<f32>()).collect();
        assert!(softmax_of_top(&q, 2, 4.0).iter().zip(g).all(|(a, b)| (a - b).abs() < 1e-4));
        assert_eq!(g.iter().filter(|g| **g > 0.0).count(), 2);
    }
    assert!(use_of_bases(&gates, &y, 6).iter().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-4));
}

#[test]
fn samples_of_unseen_classes_are_refused() {
    let settings = settings(&[]);
    let targets = Targets::attributes(&attributes(3, 4), &[true, true, false], &settings).unwrap();
    let task = Task { x: &[0.0; 6], width: 2, y: &[0, 1, 2], targets };
    let error = train(&settings, &task, 0, None, &mut |_| Control::Continue).unwrap_err().to_string();
    assert!(error.contains("sample 2") && error.contains("class 2"), "{error}");
}
