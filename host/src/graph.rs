//! The waist: the float graph that every family exports to, and the only thing that is quantised.
//!
//! A graph is a list of nodes, each reading earlier nodes' outputs. It mirrors
//! `smidgen_shared::op` in f32, so that what the chip computes can be said without integers.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use smidgen_shared::features;

use crate::program::Program;

mod without;

/// A trained model as a float program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Graph {
    /// Family of models, e.g. `parsnets`.
    pub family: String,
    /// What it takes.
    pub input: Input,
    /// In order; node 0 standardises the input, or embeds its tokens.
    pub nodes: Vec<Node>,
    /// In the order of the last node's outputs.
    pub classes: Vec<Class>,
}

/// What a graph takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Windows of raw int16 samples, by way of integer features.
    Window(features::Spec),
    /// Vectors of `n` raw int16 values: measured ones, or tokens 0, 1, 2, …
    Vector(usize),
}

/// One class of a classifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Whether training saw samples of it.
    pub seen: bool,
}

/// One operator with its name in reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// E.g. `bases`.
    pub name: String,
    /// What it computes.
    pub op: Op,
}

/// A row-major matrix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// `(rows, cols)`
    pub data: Vec<f32>,
}

impl Matrix {
    /// `data` `(rows, cols)`.
    ///
    /// # Panics
    /// Where the lengths do not agree: a mistake of the caller's.
    pub fn new(rows: usize, cols: usize, data: Vec<f32>) -> Self {
        assert_eq!(rows * cols, data.len(), "a {rows} by {cols} matrix of {} values", data.len());
        Matrix { rows, cols, data }
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// `self · x`.
    pub fn times(&self, x: &[f32]) -> Vec<f32> {
        (0..self.rows).map(|i| self.row(i).iter().zip(x).map(|(w, x)| w * x).sum()).collect()
    }

    /// The transpose.
    pub fn transposed(&self) -> Matrix {
        let data = (0..self.cols).flat_map(|j| (0..self.rows).map(move |i| self.data[i * self.cols + j])).collect();
        Matrix::new(self.cols, self.rows, data)
    }
}

/// Float operators. `x`, `gate`, `base` are indices of earlier nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Op {
    /// `y = clip((f − mean) / deviation, ±clip)`, f the features or the raw values.
    Standardise { mean: Vec<f32>, deviation: Vec<f32>, clip: f32 },
    /// `y = (E_t₀, E_t₁, …)` for `tokens` token numbers t: rows of `table` `(vocabulary, dim)`, one after
    /// the other. Stands first, instead of [`Op::Standardise`].
    Embed { tokens: usize, table: Matrix },
    /// `y = x / rms(x)`.
    UnitRms { x: usize },
    /// `y = Wx + b`, then ReLU where `relu`. `w` `(n_out, n_in)`.
    Dense { x: usize, w: Matrix, b: Vec<f32>, relu: bool },
    /// `y = U(Vx + b) + c`; `v` `(r, n_in)`, `u` `(n_out, r)`.
    LowRank { x: usize, v: Matrix, b: Vec<f32>, u: Matrix, c: Vec<f32> },
    /// Softmax of `temperature·(Gx + c)` over its top `keep` entries, 0 elsewhere: `(K)`.
    Gate { x: usize, w: Matrix, c: Vec<f32>, keep: usize, temperature: f32 },
    /// `y = base + Σ_k g_k (U_k(V_k x + b_k) + c_k)`; without `v` the bases read x itself.
    Mix { x: usize, gate: usize, base: Option<usize>, v: Option<Vec<(Matrix, Vec<f32>)>>, u: Vec<(Matrix, Vec<f32>)> },
    /// `y = x`: where quantisation goes from int16 to int8. Export inserts it; families need not.
    Rescale { x: usize },
    /// A smooth activation, element by element.
    Lookup { x: usize, function: Smooth },
    /// Laws watched over; the only node of its graph, it takes the raw values. Scores of one sample by itself.
    Poly(Program),
    /// `y_c = a_c·x − h_c·‖x‖`: ranks classes by `cos(x, a_c) − h_c` for unit rows.
    Match { x: usize, rows: Matrix, handicaps: Vec<f32> },
}

/// Smooth activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Smooth {
    /// `1/(1 + e^−x)`
    Sigmoid,
    /// hyperbolic tangent
    Tanh,
    /// `x·sigmoid(x)`
    Silu,
    /// `x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2`
    Gelu,
}

impl Smooth {
    /// Its value.
    pub fn at(self, x: f32) -> f32 {
        match self {
            Smooth::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Smooth::Tanh => x.tanh(),
            Smooth::Silu => x / (1.0 + (-x).exp()),
            Smooth::Gelu => crate::net::Activation::Gelu.at(x.into()).0 as f32,
        }
    }
}

impl Op {
    /// Indices of the nodes that it reads.
    pub fn inputs(&self) -> Vec<usize> {
        match self {
            Op::Standardise { .. } | Op::Embed { .. } | Op::Poly(_) => vec![],
            Op::UnitRms { x }
            | Op::Dense { x, .. }
            | Op::LowRank { x, .. }
            | Op::Gate { x, .. }
            | Op::Lookup { x, .. }
            | Op::Rescale { x }
            | Op::Match { x, .. } => vec![*x],
            Op::Mix { x, gate, base, .. } => [*x, *gate].into_iter().chain(*base).collect(),
        }
    }

    /// The same operator reading node `to(x)` wherever it read node x.
    pub fn renumbered(mut self, to: impl Fn(usize) -> usize) -> Op {
        match &mut self {
            Op::Standardise { .. } | Op::Embed { .. } | Op::Poly(_) => {}
            Op::UnitRms { x }
            | Op::Dense { x, .. }
            | Op::LowRank { x, .. }
            | Op::Gate { x, .. }
            | Op::Lookup { x, .. }
            | Op::Rescale { x }
            | Op::Match { x, .. } => *x = to(*x),
            Op::Mix { x, gate, base, .. } => {
                *x = to(*x);
                *gate = to(*gate);
                *base = base.map(to);
            }
        }
        self
    }

    /// Number of outputs, given those of the nodes before.
    fn outputs(&self, before: &[usize]) -> Result<usize> {
        let width = |x: &usize, want: usize, what: &str| {
            ensure!(before.get(*x) == Some(&want), "{what} expects {want} inputs, node {x} gives {:?}", before.get(*x));
            Ok(())
        };
        Ok(match self {
            Op::Standardise { mean, deviation, .. } => {
                ensure!(mean.len() == deviation.len(), "{} means but {} deviations", mean.len(), deviation.len());
                mean.len()
            }
            Op::Poly(program) => {
                program.check()?;
                program.laws.len() + 1
            }
            Op::Embed { tokens, table } => {
                ensure!(before.is_empty(), "only node 0 embeds");
                ensure!((1..=1 << 15).contains(&table.rows), "a vocabulary of {}, not of 1 to 32,768", table.rows);
                tokens * table.cols
            }
            Op::UnitRms { x } | Op::Rescale { x } | Op::Lookup { x, .. } => {
                ensure!(*x < before.len(), "node {x} does not stand before");
                before[*x]
            }
            Op::Dense { x, w, b, .. } => {
                width(x, w.cols, "dense")?;
                ensure!(w.rows == b.len(), "dense has {} rows but {} biases", w.rows, b.len());
                w.rows
            }
            Op::LowRank { x, v, b, u, c } => {
                width(x, v.cols, "low-rank")?;
                ensure!(v.rows == b.len() && u.cols == v.rows && u.rows == c.len(), "low-rank shapes do not fit");
                u.rows
            }
            Op::Gate { x, w, c, keep, .. } => {
                width(x, w.cols, "gate")?;
                ensure!(w.rows == c.len() && (1..=w.rows).contains(keep), "gate keeps {keep} of {}", w.rows);
                w.rows
            }
            Op::Mix { x, gate, base, v, u } => {
                width(gate, u.len(), "mix")?;
                let n_out = u.first().map_or(0, |(u, _)| u.rows);
                if let Some(base) = base {
                    width(base, n_out, "mix's base")?;
                }
                for (k, (u, c)) in u.iter().enumerate() {
                    ensure!(u.rows == n_out && c.len() == n_out, "base {k} has {} outputs of {n_out}", u.rows);
                    match v {
                        Some(v) => {
                            let (v, b) = &v[k];
                            width(x, v.cols, "mix")?;
                            ensure!(v.rows == b.len() && v.rows == u.cols, "base {k}: rank {} and {}", v.rows, u.cols);
                        }
                        None => width(x, u.cols, "mix")?,
                    }
                }
                n_out
            }
            Op::Match { x, rows, handicaps } => {
                width(x, rows.cols, "match")?;
                ensure!(rows.rows == handicaps.len(), "{} class rows but {} handicaps", rows.rows, handicaps.len());
                rows.rows
            }
        })
    }
}

impl Graph {
    /// The same graph with a [`Op::Rescale`] after every [`Op::Mix`] that has a base and is read by
    /// others: such a sum is kept in int16, and all readers take int8.
    pub fn with_rescales(&self) -> Graph {
        let mut place = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        for (i, node) in self.nodes.iter().enumerate() {
            let op = node.op.clone().renumbered(|x| place[x]);
            let wide = matches!(op, Op::Mix { base: Some(_), .. }) && i + 1 < self.nodes.len();
            nodes.push(Node { name: node.name.clone(), op });
            if wide {
                let x = nodes.len() - 1;
                nodes.push(Node { name: format!("{}, narrowed", node.name), op: Op::Rescale { x } });
            }
            place.push(nodes.len() - 1);
        }
        Graph { nodes, ..self.clone() }
    }

    /// Checks that shapes fit; returns each node's number of outputs.
    pub fn shapes(&self) -> Result<Vec<usize>> {
        let takes = match self.nodes.first().map(|node| &node.op) {
            Some(Op::Standardise { mean, .. }) => mean.len(),
            Some(Op::Embed { tokens, .. }) => {
                ensure!(matches!(self.input, Input::Vector(_)), "windows are standardised, not embedded");
                *tokens
            }
            Some(Op::Poly(program)) if self.nodes.len() == 1 => program.units.len(),
            _ => bail!("node 0 must standardise, or embed tokens, or be a graph's only node and watch laws"),
        };
        let mut shapes = Vec::new();
        for (i, node) in self.nodes.iter().enumerate() {
            let n = node.op.outputs(&shapes).map_err(|e| e.context(format!("node {i}, {}", node.name)))?;
            ensure!(n > 0, "node {i}, {}, has no outputs", node.name);
            shapes.push(n);
        }
        let inputs = match self.input {
            Input::Window(spec) => spec.count(),
            Input::Vector(n) => n,
        };
        ensure!(takes == inputs, "{inputs} input values, but node 0 takes {takes}");
        ensure!(
            self.classes.is_empty() || Some(&self.classes.len()) == shapes.last(),
            "{} classes but {:?} outputs",
            self.classes.len(),
            shapes.last()
        );
        Ok(shapes)
    }

    /// Every node's output for one input of features or raw values.
    ///
    /// # Panics
    /// Where [`Graph::shapes`] fails.
    pub fn run(&self, input: &[f32]) -> Vec<Vec<f32>> {
        self.run_from(match &self.nodes[0].op {
            Op::Standardise { mean, deviation, clip } => {
                let x = input.iter().zip(mean).zip(deviation);
                x.map(|((f, mean), d)| ((f - mean) / d).clamp(-clip, *clip)).collect()
            }
            Op::Embed { table, .. } => {
                let last = (table.rows - 1) as f32;
                input.iter().flat_map(|t| table.row(t.clamp(0.0, last) as usize).iter().copied()).collect()
            }
            Op::Poly(program) => {
                let counts: Vec<f64> = input.iter().map(|v| f64::from(*v)).collect();
                program.scores(&counts).iter().map(|y| *y as f32).collect()
            }
            _ => panic!("node 0 must standardise, embed tokens, or watch laws"),
        })
    }

    /// Every node's output, given node 0's.
    pub fn run_from(&self, standardised: Vec<f32>) -> Vec<Vec<f32>> {
        let mut outputs = vec![standardised];
        for node in &self.nodes[1..] {
            let y = node.op.compute(&outputs);
            outputs.push(y);
        }
        outputs
    }
}

impl Op {
    fn compute(&self, outputs: &[Vec<f32>]) -> Vec<f32> {
        match self {
            Op::Standardise { .. } | Op::Embed { .. } | Op::Poly(_) => outputs[0].clone(),
            Op::UnitRms { x } => {
                let x = &outputs[*x];
                let rms = (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt();
                x.iter().map(|x| if rms > 0.0 { x / rms } else { 0.0 }).collect()
            }
            Op::Dense { x, w, b, relu } => {
                let y = affine(w, &outputs[*x], b);
                if *relu { y.iter().map(|y| y.max(0.0)).collect() } else { y }
            }
            Op::LowRank { x, v, b, u, c } => affine(u, &affine(v, &outputs[*x], b), c),
            Op::Gate { x, w, c, keep, temperature } => softmax_of_top(&affine(w, &outputs[*x], c), *keep, *temperature),
            Op::Mix { x, gate, base, v, u } => {
                let mut y = base.map_or_else(|| vec![0.0; u[0].0.rows], |base| outputs[base].clone());
                for (k, &g) in outputs[*gate].iter().enumerate().filter(|(_, g)| **g > 0.0) {
                    let part = match v {
                        Some(v) => affine(&u[k].0, &affine(&v[k].0, &outputs[*x], &v[k].1), &u[k].1),
                        None => affine(&u[k].0, &outputs[*x], &u[k].1),
                    };
                    y.iter_mut().zip(part).for_each(|(y, p)| *y += g * p);
                }
                y
            }
            Op::Rescale { x } => outputs[*x].clone(),
            Op::Lookup { x, function } => outputs[*x].iter().map(|&x| function.at(x)).collect(),
            Op::Match { x, rows, handicaps } => {
                let x = &outputs[*x];
                let norm = x.iter().map(|x| x * x).sum::<f32>().sqrt();
                rows.times(x).iter().zip(handicaps).map(|(y, h)| y - h * norm).collect()
            }
        }
    }
}

/// `Wx + b`.
pub fn affine(w: &Matrix, x: &[f32], b: &[f32]) -> Vec<f32> {
    w.times(x).iter().zip(b).map(|(y, b)| y + b).collect()
}

/// Softmax of `temperature·q` over the largest `keep` entries (the first of equals), 0 elsewhere.
pub fn softmax_of_top(q: &[f32], keep: usize, temperature: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..q.len()).collect();
    order.sort_by(|&a, &b| q[b].total_cmp(&q[a]).then(a.cmp(&b)));
    let mut g = vec![0.0; q.len()];
    for &k in order.iter().take(keep) {
        g[k] = (temperature * (q[k] - q[order[0]])).exp();
    }
    let total: f32 = g.iter().sum();
    g.iter().map(|g| g / total).collect()
}
