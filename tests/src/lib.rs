//! Models for tests: small enough to try every byte of, with every operator that a family uses.

pub mod calls;
pub mod costs;
mod denoiser;
pub mod random;
mod ready;
pub mod source;
mod spar;

use smidgen::compress::{Aligned, Description, Provenance, export};
use smidgen::graph::{Class, Graph, Input, Matrix, Node, Op, Smooth};
use smidgen_shared::cost::Core;

pub use denoiser::{denoiser, denoiser_graph, sampler};
pub use ready::ready;
pub use spar::{Spar, spar};

/// A generator for tests: the 64-bit linear congruential one of Knuth.
pub struct Lcg(pub u64);

impl Lcg {
    /// In [−1, 1).
    pub fn draw(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1 << 23) as f32) - 1.0
    }

    /// `n` values.
    pub fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.draw()).collect()
    }

    /// A `(rows, cols)` matrix.
    pub fn matrix(&mut self, rows: usize, cols: usize) -> Matrix {
        let scale = 1.5 / (cols as f32).sqrt();
        Matrix::new(rows, cols, self.values(rows * cols).iter().map(|v| v * scale).collect())
    }
}

/// A graph over `n` raw values with every operator, and inputs for it.
pub fn graph(n: usize, seed: u64) -> (Graph, Vec<Vec<f32>>) {
    let mut r = Lcg(seed);
    let (rank, bases, hidden, classes) = (3, 4, 6, 5);
    let node = |name: &str, op| Node { name: name.into(), op };
    let nodes = vec![
        node(
            "input",
            Op::Standardise {
                mean: r.values(n).iter().map(|v| (v * 300.0).round()).collect(),
                deviation: vec![700.0; n],
                clip: 3.0,
            },
        ),
        node("norm", Op::UnitRms { x: 0 }),
        node("hidden", Op::Dense { x: 1, w: r.matrix(8, n), b: r.values(8), relu: true }),
        node(
            "low-rank",
            Op::LowRank { x: 2, v: r.matrix(rank, 8), b: r.values(rank), u: r.matrix(8, rank), c: r.values(8) },
        ),
        node("smooth", Op::Lookup { x: 3, function: Smooth::Tanh }),
        // Every third row alone, then six columns alone: one is cheapest as CSR, the other as 4×1 blocks.
        node(
            "pruned",
            Op::Dense {
                x: 4,
                w: pruned(r.matrix(24, 8), |i, j| i % 3 == 0 && j % 3 == i % 2),
                b: r.values(24),
                relu: false,
            },
        ),
        node(
            "columns",
            Op::Dense { x: 5, w: pruned(r.matrix(8, 24), |_, j| j % 3 == 0 && j != 12), b: r.values(8), relu: false },
        ),
        node("base", Op::Dense { x: 6, w: r.matrix(hidden, 8), b: r.values(hidden), relu: false }),
        node("gate", Op::Gate { x: 6, w: r.matrix(bases, 8), c: r.values(bases), keep: 2, temperature: 2.0 }),
        node(
            "bases",
            Op::Mix {
                x: 6,
                gate: 8,
                base: Some(7),
                v: Some((0..bases).map(|_| (r.matrix(rank, 8), r.values(rank))).collect()),
                u: (0..bases).map(|_| (r.matrix(hidden, rank), r.values(hidden))).collect(),
            },
        ),
        node(
            "classes",
            Op::Match { x: 9, rows: unit_rows(r.matrix(classes, hidden)), handicaps: vec![0.1, 0.1, 0.0, 0.0, 0.0] },
        ),
    ];
    let classes = (0..classes).map(|c| Class { name: format!("c{c}"), seen: c < 2 }).collect();
    let graph = Graph { family: "test".into(), input: Input::Vector(n), nodes, classes };
    let inputs = (0..300).map(|_| r.values(n).iter().map(|v| (v * 1500.0).round()).collect()).collect();
    (graph, inputs)
}

/// `m` with zeros wherever `keep(i, j)` does not hold, and the rest scaled up for it.
pub fn pruned(mut m: Matrix, keep: impl Fn(usize, usize) -> bool) -> Matrix {
    let kept = (0..m.data.len()).filter(|k| keep(k / m.cols, k % m.cols)).count().max(1);
    let gain = (m.data.len() as f32 / kept as f32).sqrt();
    for (k, w) in m.data.iter_mut().enumerate() {
        *w = if keep(k / m.cols, k % m.cols) { *w * gain } else { 0.0 };
    }
    m
}

/// A multilayer perceptron `sizes[0]-sizes[1]-…` with ReLU between its layers and a share `density` of
/// random weights, the others 0, and `count` inputs for it.
pub fn pruned_mlp(sizes: &[usize], density: f32, seed: u64, count: usize) -> (Graph, Vec<Vec<f32>>) {
    let mut r = Lcg(seed);
    let n = sizes[0];
    let mut nodes = vec![Node {
        name: "input".into(),
        op: Op::Standardise { mean: vec![0.0; n], deviation: vec![700.0; n], clip: 3.0 },
    }];
    for (x, pair) in sizes.windows(2).enumerate() {
        let draws: Vec<bool> = (0..pair[0] * pair[1]).map(|_| r.draw() < 2.0 * density - 1.0).collect();
        let w = pruned(r.matrix(pair[1], pair[0]), |i, j| draws[i * pair[0] + j]);
        let relu = x + 2 < sizes.len();
        nodes.push(Node { name: format!("layer {x}"), op: Op::Dense { x, w, b: r.values(pair[1]), relu } });
    }
    let graph = Graph { family: "test".into(), input: Input::Vector(n), nodes, classes: vec![] };
    let inputs = (0..count).map(|_| r.values(n).iter().map(|v| (v * 1500.0).round()).collect()).collect();
    (graph, inputs)
}

/// A graph over two tokens of eleven, `embedding → dense, ReLU → GELU → dense`, without classes, and all
/// its inputs.
pub fn tokens(seed: u64) -> (Graph, Vec<Vec<f32>>) {
    let mut r = Lcg(seed);
    let (vocabulary, dim) = (11, 6);
    let node = |name: &str, op| Node { name: name.into(), op };
    let nodes = vec![
        node("embedding", Op::Embed { tokens: 2, table: r.matrix(vocabulary, dim) }),
        node("hidden", Op::Dense { x: 0, w: r.matrix(16, 2 * dim), b: r.values(16), relu: false }),
        node("smooth", Op::Lookup { x: 1, function: Smooth::Gelu }),
        node("sums", Op::Dense { x: 2, w: r.matrix(vocabulary, 16), b: r.values(vocabulary), relu: false }),
    ];
    let graph = Graph { family: "test".into(), input: Input::Vector(2), nodes, classes: vec![] };
    let inputs = (0..vocabulary * vocabulary).map(|k| vec![(k / vocabulary) as f32, (k % vocabulary) as f32]).collect();
    (graph, inputs)
}

fn unit_rows(mut m: Matrix) -> Matrix {
    for row in m.data.chunks_mut(m.cols) {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter_mut().for_each(|v| *v /= norm);
    }
    m
}

/// The artifact of [`graph`].
pub fn artifact(n: usize, seed: u64) -> Aligned {
    exported(&graph(n, seed))
}

/// The artifact of [`tokens`].
pub fn token_artifact(seed: u64) -> Aligned {
    exported(&tokens(seed))
}

fn exported((graph, inputs): &(Graph, Vec<Vec<f32>>)) -> Aligned {
    let provenance = Provenance { dataset: "none".into(), split: "none".into(), ..Provenance::default() };
    // The costs of a core on which both sparse layouts pay.
    let description = Description { provenance, core: Some(Core::ArmV7M), ..Description::default() };
    export(graph, inputs, &description).expect("the test graph exports").bytes
}
