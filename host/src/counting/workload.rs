//! The workloads that kernels are measured on, the same for us and for peers: int8 layers with random weights.
//!
//! | | shape | products |
//! |---|---|---|
//! | A | 640-128-128-128-128-8-128-128-128-128-640, ReLU: the anomaly detection of MLPerf Tiny (arXiv 2106.07597) | 264,192 |
//! | B | 64-32-10, ReLU | 2,368 |
//! | C | 561-64-6, ReLU | 36,288 |
//! | D | 256-256 | 65,536 |
//! | E | D, 9 of 10 weights are 0 | 65,536 as dense |

use anyhow::{Result, ensure};

use crate::compress::{Aligned, export};
use crate::device::Board;
use crate::graph::{Graph, Input, Matrix, Node, Op};
use crate::infer;
use crate::rng::Rng;

/// One of A to E.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workload {
    /// Its letter.
    pub name: &'static str,
    /// Layer sizes, the input's first.
    pub sizes: &'static [usize],
    /// Share of the weights that are not 0.
    pub density: f32,
}

/// A to E.
pub const ALL: [Workload; 5] = [
    Workload { name: "A", sizes: &[640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640], density: 1.0 },
    Workload { name: "B", sizes: &[64, 32, 10], density: 1.0 },
    Workload { name: "C", sizes: &[561, 64, 6], density: 1.0 },
    Workload { name: "D", sizes: &[256, 256], density: 1.0 },
    Workload { name: "E", sizes: &[256, 256], density: 0.1 },
];

/// Inputs that calibrate, and that are measured.
const INPUTS: usize = 24;

/// A model as a board takes it, with inputs.
pub struct Part {
    /// The artifact.
    pub model: Aligned,
    /// Raw int16.
    pub inputs: Vec<Vec<i16>>,
}

impl Workload {
    /// Products of one inference, as if dense.
    pub fn macs(&self) -> usize {
        self.sizes.windows(2).map(|pair| pair[0] * pair[1]).sum()
    }

    /// The graph of layers `from..to`, and inputs for it.
    pub fn graph(&self, from: usize, to: usize) -> (Graph, Vec<Vec<f32>>) {
        let n = self.sizes[from];
        let mut nodes = vec![Node {
            name: "input".into(),
            op: Op::Standardise { mean: vec![0.0; n], deviation: vec![700.0; n], clip: 3.0 },
        }];
        for layer in from..to {
            let (n_in, n_out) = (self.sizes[layer], self.sizes[layer + 1]);
            let mut rng = Rng::new(layer as u64, "weights", 0);
            let scale = 1.5 / (n_in as f32 * self.density).sqrt();
            let mut draw = |scale: f32| (2.0 * rng.uniform() - 1.0) * scale;
            let mut data: Vec<f32> = (0..n_in * n_out).map(|_| draw(scale)).collect();
            let b = (0..n_out).map(|_| draw(0.5)).collect();
            if self.density < 1.0 {
                data.iter_mut().for_each(|w| {
                    if draw(0.5).abs() * 2.0 >= self.density {
                        *w = 0.0
                    }
                });
            }
            // The last one ends in scores, as whole workloads do.
            let relu = layer + 1 < to;
            let (x, w) = (nodes.len() - 1, Matrix::new(n_out, n_in, data));
            nodes.push(Node { name: format!("layer {layer}"), op: Op::Dense { x, w, b, relu } });
        }
        let mut rng = Rng::new(n as u64, "inputs", 0);
        let inputs =
            (0..INPUTS).map(|_| (0..n).map(|_| ((2.0 * rng.uniform() - 1.0) * 1500.0).round()).collect()).collect();
        (Graph { family: "bench".into(), input: Input::Vector(n), nodes, classes: vec![] }, inputs)
    }

    /// The workload as `board` takes it: in as few parts as fit into its model slot, mostly one.
    ///
    /// # Errors
    /// Where a single layer does not fit.
    pub fn parts(&self, board: &Board) -> Result<Vec<Part>> {
        let layers = self.sizes.len() - 1;
        let (mut parts, mut from) = (Vec::new(), 0);
        while from < layers {
            let mut to = layers;
            loop {
                let part = self.part(board, from, to)?;
                let fits =
                    board.check_fit(part.model.len(), part.model.artifact()?.arena_bytes() as usize, "fewer layers");
                if fits.is_ok() {
                    parts.push(part);
                    break;
                }
                to -= 1;
                ensure!(to > from, "layer {from} of {} does not fit on {}", self.name, board.name);
            }
            from = to;
        }
        Ok(parts)
    }

    fn part(&self, board: &Board, from: usize, to: usize) -> Result<Part> {
        let (graph, inputs) = self.graph(from, to);
        let description = infer::description(Default::default(), Default::default(), Some(board))?;
        let model = export(&graph, &inputs, &description)?.bytes;
        let inputs = inputs.iter().map(|input| input.iter().map(|&v| v as i16).collect()).collect();
        Ok(Part { model, inputs })
    }
}
