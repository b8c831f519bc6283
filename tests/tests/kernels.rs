//! Every core's own kernels against the host's, on boards: models packed for the core, whose many layers have random
//! shapes, compared operator by operator; and packings that a board does not know are refused.

use smidgen::compress::{Aligned, Description, export, pack};
use smidgen::device::Board;
use smidgen::graph::{Graph, Input, Node, Op};
use smidgen::infer::{Host, Oracle, packing};
use smidgen::verify::{compare, start};
use smidgen_shared::kernel::Packing;
use smidgen_shared::op::{self, Layout};
use smidgen_tests::{Lcg, artifact, graph, pruned, ready};

/// Pairs of layers a model.
const PAIRS: usize = 27;

/// Pairs of layers of random shapes, the first of each from the input, and inputs. Some are wide enough for an unrolled
/// loop's second round.
fn shapes(seed: u64) -> (Graph, Vec<Vec<f32>>) {
    let mut r = Lcg(seed);
    let mut size = |most: usize| 1 + ((r.draw() + 1.0) / 2.0 * most as f32) as usize % most;
    let n = 20 + size(60);
    let sizes: Vec<[usize; 3]> =
        (0..PAIRS).map(|k| [if k % 9 == 4 { 60 + size(90) } else { size(37) }, size(21), size(11)]).collect();
    let mut r = Lcg(seed + 1000);
    let standardise = Op::Standardise { mean: vec![0.0; n], deviation: vec![700.0; n], clip: 3.0 };
    let mut nodes = vec![Node { name: "input".into(), op: standardise }];
    for (k, &[inner, n_out, rank]) in sizes.iter().enumerate() {
        // Few rows may all be 0 behind a ReLU.
        let relu = k % 2 == 0 && inner > 4;
        let first = Op::Dense { x: 0, w: r.matrix(inner, n), b: r.values(inner), relu };
        nodes.push(Node { name: format!("first {k}"), op: first });
        let x = nodes.len() - 1;
        let second = if k % 3 == 2 {
            let (v, u) = (r.matrix(rank, inner), r.matrix(n_out, rank));
            Op::LowRank { x, v, b: r.values(rank), u, c: r.values(n_out) }
        } else {
            Op::Dense { x, w: r.matrix(n_out, inner), b: r.values(n_out), relu: k % 3 == 1 && n_out > 4 }
        };
        nodes.push(Node { name: format!("second {k}"), op: second });
    }
    let graph = Graph { family: "test".into(), input: Input::Vector(n), nodes, classes: vec![] };
    let inputs = (0..30).map(|_| r.values(n).iter().map(|v| (v * 1500.0).round()).collect()).collect();
    (graph, inputs)
}

/// Pruned layers of random shapes and densities, int8 and int16, with and without ReLU: the first of each pair from the
/// input of `n` values.
fn pruned_shapes(seed: u64, n: usize) -> (Graph, Vec<Vec<f32>>) {
    let mut r = Lcg(seed);
    let standardise = Op::Standardise { mean: vec![0.0; n], deviation: vec![700.0; n], clip: 3.0 };
    let mut nodes = vec![Node { name: "input".into(), op: standardise }];
    for k in 0..4 {
        let (inner, n_out) = (40 + 9 * k, 33 + 10 * k);
        let mut layer = |x: usize, n_in: usize, n_out: usize, relu: bool| {
            let density = 0.04 + 0.05 * (r.draw() + 1.0);
            let kept: Vec<bool> = (0..n_in * n_out).map(|_| r.draw() < 2.0 * density - 1.0).collect();
            let w = pruned(r.matrix(n_out, n_in), |i, j| kept[i * n_in + j]);
            Op::Dense { x, w, b: r.values(n_out), relu }
        };
        nodes.push(Node { name: format!("first {k}"), op: layer(0, n, inner, k % 2 == 0) });
        let x = nodes.len() - 1;
        nodes.push(Node { name: format!("second {k}"), op: layer(x, inner, n_out, false) });
    }
    let graph = Graph { family: "test".into(), input: Input::Vector(n), nodes, classes: vec![] };
    let inputs = (0..30).map(|_| r.values(n).iter().map(|v| (v * 1500.0).round()).collect()).collect();
    (graph, inputs)
}

fn raw(inputs: &[Vec<f32>], n: usize) -> Vec<Vec<i16>> {
    inputs.iter().take(n).map(|input| input.iter().map(|&v| v as i16).collect()).collect()
}

/// Random shapes, dense and pruned, and the model with every operator.
fn models() -> Vec<(Aligned, Vec<Vec<i16>>)> {
    let mut models: Vec<(Aligned, Vec<Vec<i16>>)> = (1..3)
        .map(|seed| {
            let (graph, inputs) = shapes(seed);
            (export(&graph, &inputs, &Description::default()).unwrap().bytes, raw(&inputs, 2))
        })
        .collect();
    models.extend([(3, 70), (4, 256), (5, 600)].map(|(seed, n)| {
        let (graph, inputs) = pruned_shapes(seed, n);
        (export(&graph, &inputs, &Description::default()).unwrap().bytes, raw(&inputs, 3))
    }));
    models.extend([(5, 1), (14, 2)].map(|(n, seed)| (artifact(n, seed), raw(&graph(n, seed).1, 6))));
    models
}

#[test]
fn a_packed_model_gives_the_hosts_bits_on_its_board() {
    let models = models();
    for board in Board::emulated().filter(|board| ready("a_packed_model_gives_the_hosts_bits_on_its_board", board)) {
        let packing = packing(board).unwrap();
        for (portable, inputs) in &models {
            let packed = pack(portable, packing).unwrap();
            let verified = compare(&mut start(board, &packed).unwrap(), &packed, inputs, |_| {}).unwrap();
            assert_eq!((verified.first_difference, verified.samples), (None, inputs.len()), "{}", board.name);
        }
        println!("{}: {} models, {}", board.name, models.len(), packing.name());
    }
}

#[test]
fn every_packing_gives_the_portable_bits_on_the_host() {
    for (portable, inputs) in models() {
        let mut arena = Vec::new();
        let artifact = portable.artifact().unwrap();
        let mut host = Host::new(artifact, &mut arena).unwrap();
        for packing in Packing::ALL {
            let packed = pack(&portable, packing).unwrap();
            let again = pack(&pack(&packed, Packing::RowMajor).unwrap(), packing).unwrap();
            assert!(again == packed, "{}, there and back", packing.name());
            let (mut a, mut b) = (Vec::new(), Vec::new());
            let mut fast = Host::new(packed.artifact().unwrap(), &mut a).unwrap();
            let mut naive = Oracle::new(packed.artifact().unwrap(), &mut b).unwrap();
            for input in &inputs {
                for op in 0..artifact.ops().count() as u8 {
                    let expected = host.trace(input, op).unwrap();
                    assert_eq!(fast.trace(input, op).unwrap(), expected, "{} operator {op}", packing.name());
                    assert_eq!(naive.trace(input, op).unwrap(), expected, "{} operator {op}", packing.name());
                }
            }
        }
    }
}

/// Pairs are made of layers of one window and of several, for outputs of every kind; other packings have none.
#[test]
fn a_pruned_model_is_packed_in_pairs() {
    let mut seen = Vec::new();
    for (portable, _) in models() {
        for packing in Packing::ALL {
            let packed = pack(&portable, packing).unwrap();
            for op in packed.artifact().unwrap().ops() {
                if let op::Op::Sparse { x, width, relu, layout: Layout::Pairs, .. } = op {
                    assert_eq!(packing, Packing::HighLow);
                    seen.push((x.len > 256, width, relu));
                }
            }
        }
    }
    for wide in [false, true] {
        for wanted in [(op::Width::I8, true), (op::Width::I8, false)] {
            assert!(seen.contains(&(wide, wanted.0, wanted.1)), "{wide} {wanted:?}");
        }
    }
    assert!(seen.contains(&(false, op::Width::I16, false)));
}

#[test]
fn a_board_names_a_packing_that_is_not_its_own() {
    let board = Board::find("qemu-m3").unwrap();
    if !ready("a_board_names_a_packing_that_is_not_its_own", board) {
        return;
    }
    let other = pack(&artifact(6, 1), Packing::HighLow).unwrap();
    let error = match start(board, &other) {
        Ok(_) => panic!("a model packed for another core is served"),
        Err(error) => format!("{error:#}"),
    };
    assert!(error.contains("packed for another core"), "{error}");
}
