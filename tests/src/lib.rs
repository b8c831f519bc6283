//! Models for tests: small enough to try every byte of, with every operator that a family uses.

pub mod calls;
pub mod source;
mod spar;

use smidgen::compress::{Aligned, Description, Provenance, export};
use smidgen::graph::{Class, Graph, Input, Matrix, Node, Op, Smooth};

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
        node("base", Op::Dense { x: 4, w: r.matrix(hidden, 8), b: r.values(hidden), relu: false }),
        node("gate", Op::Gate { x: 4, w: r.matrix(bases, 8), c: r.values(bases), keep: 2, temperature: 2.0 }),
        node(
            "bases",
            Op::Mix {
                x: 4,
                gate: 6,
                base: Some(5),
                v: Some((0..bases).map(|_| (r.matrix(rank, 8), r.values(rank))).collect()),
                u: (0..bases).map(|_| (r.matrix(hidden, rank), r.values(hidden))).collect(),
            },
        ),
        node(
            "classes",
            Op::Match { x: 7, rows: unit_rows(r.matrix(classes, hidden)), handicaps: vec![0.1, 0.1, 0.0, 0.0, 0.0] },
        ),
    ];
    let classes = (0..classes).map(|c| Class { name: format!("c{c}"), seen: c < 2 }).collect();
    let graph = Graph { family: "test".into(), input: Input::Vector(n), nodes, classes };
    let inputs = (0..300).map(|_| r.values(n).iter().map(|v| (v * 1500.0).round()).collect()).collect();
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
    let (graph, inputs) = graph(n, seed);
    let provenance = Provenance { dataset: "none".into(), split: "none".into(), ..Provenance::default() };
    export(&graph, &inputs, &Description { provenance, boards: vec![] }).expect("the test graph exports")
}
