//! Float graph against its int8 artifact.

use smidgen::compress::{Aligned, Description, Exported, Layout, export};
use smidgen::graph::{self, Matrix};
use smidgen::infer::{Host, Oracle};
use smidgen_shared::op::{self, Op, Width};
use smidgen_tests::{artifact, graph, pruned_mlp, token_artifact, tokens};

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

/// Two kept bases leave four bytes of pairs; four outputs that come to lie where they lay are no pairs. Where they lie
/// follows from all sizes: several numbers of classes are tried.
#[test]
fn outputs_may_lie_where_a_gates_pairs_lay() {
    let there = (3..30).filter(|&classes| {
        let bytes = gated(10, classes);
        let ops: Vec<Op> = bytes.artifact().unwrap().ops().collect();
        let (Op::Gate { y, .. }, Op::Match { x, .. }) = (ops[1], ops[ops.len() - 1]) else { panic!("{ops:?}") };
        (y.at, y.len) == (x.at, x.len)
    });
    assert!(there.count() > 0, "no graph tests any more what it should");
}

/// A mixture of two of four bases over `n` inputs, with a residual, and a table of classes.
fn gated(n: usize, classes: usize) -> Aligned {
    let values = |n: usize, from: f32| (0..n).map(|i| (from + i as f32).sin()).collect::<Vec<f32>>();
    let matrix = |rows: usize, cols: usize, from: f32| Matrix::new(rows, cols, values(rows * cols, from));
    let bases = |rows: usize, cols: usize, from: f32| {
        (0..4).map(|k| (matrix(rows, cols, from + k as f32), values(rows, from))).collect::<Vec<_>>()
    };
    let standardise = graph::Op::Standardise { mean: vec![0.0; n], deviation: vec![700.0; n], clip: 3.0 };
    let nodes = [
        standardise,
        graph::Op::Gate { x: 0, w: matrix(4, n, 0.3), c: values(4, 0.7), keep: 2, temperature: 4.0 },
        graph::Op::Dense { x: 0, w: matrix(4, n, 1.1), b: values(4, 0.2), relu: false },
        graph::Op::Mix { x: 0, gate: 1, base: Some(2), v: Some(bases(4, n, 2.0)), u: bases(4, 4, 3.0) },
        graph::Op::Match { x: 3, rows: matrix(classes, 4, 5.0), handicaps: vec![0.0; classes] },
    ];
    let nodes = nodes.into_iter().map(|op| graph::Node { name: "node".into(), op }).collect();
    let classes = (0..classes).map(|c| graph::Class { name: format!("c{c}"), seen: true }).collect();
    let graph = graph::Graph { family: "test".into(), input: graph::Input::Vector(n), nodes, classes };
    let inputs: Vec<Vec<f32>> = (0..50).map(|i| values(n, i as f32).iter().map(|v| v * 1500.0).collect()).collect();
    export(&graph, &inputs, &Description::default()).unwrap().bytes
}

/// Scores of a ReLU are int8, and none is below 0.
#[test]
fn a_graph_may_end_in_a_relu() {
    let values = |n: usize, from: f32| (0..n).map(|i| (from + i as f32).sin()).collect::<Vec<f32>>();
    let standardise = graph::Op::Standardise { mean: vec![0.0; 10], deviation: vec![700.0; 10], clip: 3.0 };
    let last = graph::Op::Dense { x: 0, w: Matrix::new(12, 10, values(120, 0.3)), b: values(12, 0.7), relu: true };
    let nodes = [standardise, last].into_iter().map(|op| graph::Node { name: "node".into(), op }).collect();
    let graph = graph::Graph { family: "test".into(), input: graph::Input::Vector(10), nodes, classes: vec![] };
    let inputs: Vec<Vec<f32>> =
        (0..50).map(|i| values(10, i as f32).iter().map(|v| (v * 1500.0).round()).collect()).collect();
    let bytes = export(&graph, &inputs, &Description::default()).unwrap().bytes;
    let artifact = bytes.artifact().unwrap();
    let Some(Op::Dense { width: Width::I8, relu: true, .. }) = artifact.ops().last() else { panic!("no ReLU is left") };
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena).unwrap();
    let (mut positive, mut off) = (0, 0f32);
    let reach = inputs.iter().flat_map(|input| graph.run(input).pop().unwrap()).fold(0f32, f32::max);
    for input in &inputs {
        let raw: Vec<i16> = input.iter().map(|&v| v as i16).collect();
        let scores = host.answer(&raw).unwrap().scores;
        for (score, truth) in scores.iter().map(|&byte| byte as i8).zip(graph.run(input).pop().unwrap()) {
            assert!(score >= 0, "{score}");
            positive += usize::from(score > 0);
            off = off.max((f32::from(score) / 127.0 - truth / reach).abs());
        }
    }
    assert!(positive > 0 && off < 0.05, "{positive} above 0, {off} of the reach off");
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    assert_eq!(&*artifact(9, 1), &*artifact(9, 1));
    assert_ne!(&*artifact(9, 1), &*artifact(9, 2));
}

/// Pruned layers of either width: the same scores whatever the layout, on either kernel.
#[test]
fn sparse_layouts_give_the_dense_bits_operator_by_operator() {
    let (graph, inputs) = pruned_mlp(&[300, 40, 24, 3], 0.06, 4, 20);
    let artifact = |layout| {
        let Exported { bytes, choices } =
            export(&graph, &inputs, &Description { layout, ..Description::default() }).unwrap();
        let sparse = bytes.artifact().unwrap().ops().filter(|op| matches!(op, Op::Sparse { .. })).count();
        assert_eq!(choices.iter().filter(|c| c.chosen.layout.is_some()).count(), sparse);
        assert_eq!(choices.len(), 3);
        (bytes, sparse)
    };
    let ((auto, sparse), (dense, none)) = (artifact(Layout::Auto), artifact(Layout::Dense));
    assert!(sparse >= 2 && none == 0, "{sparse} sparse layers");
    assert!(auto.len() < dense.len());
    let (a, d) = (auto.artifact().unwrap(), dense.artifact().unwrap());
    let (mut x, mut y, mut z) = (Vec::new(), Vec::new(), Vec::new());
    let (mut fast, mut naive) = (Host::new(a, &mut x).unwrap(), Oracle::new(a, &mut y).unwrap());
    let mut dense = Oracle::new(d, &mut z).unwrap();
    for input in &inputs {
        for i in 0..4 {
            let expected = dense.trace(&raw(input), i).unwrap();
            assert_eq!(fast.trace(&raw(input), i).unwrap(), expected);
            assert_eq!(naive.trace(&raw(input), i).unwrap(), expected);
        }
    }
}

/// Both layouts stand in the graph with every operator, so that its tests are theirs.
#[test]
fn the_test_graph_has_both_layouts() {
    let bytes = artifact(8, 1);
    for wanted in [op::Layout::Csr, op::Layout::Blocks] {
        let found =
            bytes.artifact().unwrap().ops().any(|op| matches!(op, Op::Sparse { layout, .. } if layout == wanted));
        assert!(found, "no {wanted:?}");
    }
}

/// Without classes the unit of the outputs gives the float model's numbers back.
#[test]
fn a_token_net_answers_the_float_graphs_numbers() {
    let (graph, inputs) = tokens(3);
    let bytes = token_artifact(3);
    let artifact = bytes.artifact().unwrap();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let (mut host, mut naive) = (Host::new(artifact, &mut a).unwrap(), Oracle::new(artifact, &mut b).unwrap());
    let (mut error, mut power) = (0.0f64, 0.0f64);
    for input in &inputs {
        let answer = host.answer(&raw(input)).unwrap();
        assert_eq!(naive.answer(&raw(input)).unwrap(), answer);
        assert_eq!(host.scores_of_features(input).unwrap(), naive.scores());
        for (ours, float) in host.values().iter().zip(graph.run(input).pop().unwrap()) {
            error += f64::from(ours - float).powi(2);
            power += f64::from(float).powi(2);
        }
    }
    assert!(error < power * 1e-3, "relative error {:.5}", (error / power).sqrt());
    assert!(error > 0.0);
}

/// The host names a token that the model does not know; the device's code reads it as the nearest.
#[test]
fn a_token_outside_the_vocabulary_is_named() {
    let bytes = token_artifact(3);
    let artifact = bytes.artifact().unwrap();
    let mut arena = Vec::new();
    let error = Host::new(artifact, &mut arena).unwrap().answer(&[3, 11]).unwrap_err();
    assert_eq!(error.to_string(), "token 1 is 11, but the model knows 0 to 10 alone");
    let scores = |tokens: [i16; 2]| {
        let mut arena = vec![0u32; artifact.arena_bytes().div_ceil(4) as usize];
        let mut runner =
            smidgen_shared::run::Runner::<smidgen_shared::kernel::Portable>::new(artifact, &mut arena).unwrap();
        tokens.iter().for_each(|token| runner.push(&[*token]).unwrap());
        runner.finish(None).unwrap();
        runner.output().unwrap().to_vec()
    };
    assert_eq!(scores([3, 11]), scores([3, 10]));
    assert_eq!(scores([-32768, 32767]), scores([0, 10]));
    assert_ne!(scores([3, 9]), scores([3, 10]));
}
