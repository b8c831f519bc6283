//! Float graph against its int8 artifact.

use smidgen::infer::{Host, Oracle};
use smidgen_tests::{artifact, graph};

fn raw(input: &[f32]) -> Vec<i16> {
    input.iter().map(|&v| v as i16).collect()
}

/// The int8 scores rank classes as the float graph does, but for near ties.
#[test]
fn int8_scores_follow_the_float_graph() {
    for seed in 0..8 {
        let (graph, inputs) = graph(10, seed);
        let bytes = artifact(10, seed);
        let mut arena = Vec::new();
        let mut host = Host::new(bytes.artifact().unwrap(), &mut arena).unwrap();
        let (mut agree, mut dot, mut aa, mut bb) = (0, 0.0f64, 0.0f64, 0.0f64);
        for input in &inputs {
            let float = graph.run(input).pop().unwrap();
            let best = (0..float.len()).max_by(|&a, &b| float[a].total_cmp(&float[b])).unwrap();
            agree += usize::from(host.answer(&raw(input)).unwrap().class as usize == best);
            for (a, b) in float.iter().zip(host.scores()) {
                let (a, b) = (f64::from(*a), f64::from(b));
                (dot, aa, bb) = (dot + a * b, aa + a * a, bb + b * b);
            }
        }
        let cosine = dot / (aa * bb).sqrt();
        assert!(cosine > 0.99, "seed {seed}: the cosine of all scores is {cosine}");
        assert!(agree * 100 >= inputs.len() * 90, "seed {seed}: {agree} of {} answers agree", inputs.len());
    }
}

#[test]
fn fast_kernels_give_the_oracles_bits_operator_by_operator() {
    let (_, inputs) = graph(13, 3);
    let bytes = artifact(13, 3);
    let artifact = bytes.artifact().unwrap();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let (mut fast, mut naive) = (Host::new(artifact, &mut a).unwrap(), Oracle::new(artifact, &mut b).unwrap());
    for input in &inputs {
        for op in 0..artifact.ops().count() as u8 {
            assert_eq!(fast.trace(&raw(input), op).unwrap(), naive.trace(&raw(input), op).unwrap());
        }
    }
}

#[test]
fn scores_of_features_are_those_of_the_raw_input() {
    let (_, inputs) = graph(13, 5);
    let bytes = artifact(13, 5);
    let mut arena = Vec::new();
    let mut host = Host::new(bytes.artifact().unwrap(), &mut arena).unwrap();
    for input in &inputs {
        host.answer(&raw(input)).unwrap();
        let whole = host.scores();
        assert_eq!(host.scores_of_features(input).unwrap(), whole);
    }
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    assert_eq!(&*artifact(9, 1), &*artifact(9, 1));
    assert_ne!(&*artifact(9, 1), &*artifact(9, 2));
}
