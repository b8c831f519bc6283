//! Which dense maps become products of two thin ones: those whose outputs lie in few directions.
//!
//! For outputs `y = Wx + b` over the calibration inputs with covariance `C = QΛQᵀ`, the best map of rank r in the
//! mean square of the outputs is `U (Uᵀ W x + Uᵀ(b − ȳ)) + ȳ` with the first r columns U of Q and the mean ȳ
//! (reduced-rank regression; Izenman 1975): the truncated SVD of W, weighted by the inputs that really come, and
//! refitted to them. The smallest rank is taken at which the whole artifact, int8 and all, errs no more against the
//! float graph than the dense one does, or than is allowed, and takes fewer instructions and no more bytes. The
//! values between the two are int8, too, so that a pair of the true rank still errs a little more than the full
//! matrix: what is allowed decides.

use std::fmt;

use anyhow::{Result, anyhow};
use faer::{Mat, Side};
use smidgen_shared::artifact::Artifact;
use smidgen_shared::cost::{self, Core};

use super::quantise::{Description, Exported, export};
use crate::graph::{Graph, Matrix, Op};
use crate::infer::{Host, values};
use crate::output::thousands;

/// Calibration inputs that the outputs are compared on.
const COMPARED: usize = 200;
/// Ranks that are tried, below the layer's own.
const RANKS: [usize; 10] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];

/// A dense map and the thin pair that took its place, or the one that came nearest.
#[derive(Clone, Debug, PartialEq)]
pub struct Factored {
    /// The graph node's name.
    pub node: String,
    /// Columns and rows.
    pub shape: (usize, usize),
    /// Its rank; `None` where dense stays.
    pub rank: Option<usize>,
    /// The whole model's: root mean square error against the float graph as a share of the outputs' size,
    /// instructions and bytes. Dense, then the thin pair.
    pub dense: Figures,
    /// Of the last pair that was tried.
    pub thin: Option<Figures>,
}

/// What a whole artifact is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Root mean square error of the outputs, a share of their root mean square.
    pub error: f64,
    /// By the cost model.
    pub instructions: u32,
    /// Of the artifact.
    pub bytes: usize,
}

impl fmt::Display for Factored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Factored { node, shape: (n_in, n_out), rank, dense, thin } = self;
        let percent = |x: f64| format!("{:.2} %", 100.0 * x);
        let cost = |x: &Figures| {
            format!("{} instructions and {} bytes", thousands(x.instructions.into()), thousands(x.bytes as u64))
        };
        write!(f, "{node} ({n_in} → {n_out}): ")?;
        match (rank, thin) {
            (Some(r), Some(thin)) => write!(
                f,
                "low-rank, rank {r}: the whole model takes {} and errs {}; with the full matrix {} and {}",
                cost(thin),
                percent(thin.error),
                cost(dense),
                percent(dense.error)
            ),
            (None, Some(thin)) => write!(
                f,
                "full: the largest rank that would save anything errs {}, the full matrix {}",
                percent(thin.error),
                percent(dense.error)
            ),
            _ => write!(f, "full: no lower rank would save anything"),
        }
    }
}

/// The artifact of `graph` with thin pairs where they pay, and what was decided of every map. `allowed`: the root mean
/// square error of the outputs, a share of their root mean square, that a pair may bring.
///
/// # Errors
/// As [`export`].
pub fn export_factored(
    graph: &Graph,
    inputs: &[Vec<f32>],
    description: &Description,
    allowed: f64,
) -> Result<(Exported, Vec<Factored>)> {
    let core = description.core.unwrap_or(Core::ArmV7EM);
    let mut best = export(graph, inputs, description)?;
    let mut decided = Vec::new();
    let step = inputs.len().div_ceil(COMPARED).max(1);
    let compared: Vec<&Vec<f32>> = inputs.iter().step_by(step).collect();
    let truth: Vec<Vec<f32>> = compared.iter().map(|x| graph.run(x).pop().unwrap_or_default()).collect();
    let figures = |exported: &Exported| -> Result<Figures> {
        let artifact = exported.bytes.artifact()?;
        let instructions = cost::estimate(&artifact, core);
        Ok(Figures { error: error(&artifact, &compared, &truth)?, instructions, bytes: exported.bytes.len() })
    };
    let mut current = graph.clone();
    for i in 0..graph.nodes.len() {
        let Op::Dense { x, w, b, relu: false } = &graph.nodes[i].op else { continue };
        // A matrix of mostly zeros is for the sparse layouts.
        if w.rows.min(w.cols) < 2 || w.data.iter().filter(|w| **w != 0.0).count() * 2 < w.data.len() {
            continue;
        }
        let dense = figures(&best)?;
        let mut entry =
            Factored { node: graph.nodes[i].name.clone(), shape: (w.cols, w.rows), rank: None, dense, thin: None };
        let directions = Directions::of(&current, *x, w, b, inputs)?;
        for rank in RANKS.into_iter().filter(|r| r * (w.rows + w.cols) < w.rows * w.cols) {
            let mut thinner = current.clone();
            thinner.nodes[i].op = directions.pair(*x, w, b, rank);
            let exported = export(&thinner, inputs, description)?;
            let thin = figures(&exported)?;
            if thin.instructions >= dense.instructions || thin.bytes > dense.bytes {
                break;
            }
            entry.thin = Some(thin);
            if thin.error <= dense.error.max(allowed) {
                entry.rank = Some(rank);
                (best, current) = (exported, thinner);
                break;
            }
        }
        decided.push(entry);
    }
    Ok((best, decided))
}

/// Directions of a map's outputs, the one in which they vary most first.
struct Directions {
    /// `(n_out, n_out)`, a direction a column
    q: Mat<f64>,
    mean: Vec<f64>,
}

impl Directions {
    fn of(graph: &Graph, x: usize, w: &Matrix, b: &[f32], inputs: &[Vec<f32>]) -> Result<Directions> {
        let n = w.rows;
        let mut outputs = Mat::<f64>::zeros(inputs.len(), n);
        for (i, input) in inputs.iter().enumerate() {
            let before = graph.run(input);
            for (j, y) in crate::graph::affine(w, &before[x], b).into_iter().enumerate() {
                outputs[(i, j)] = y.into();
            }
        }
        let mean: Vec<f64> =
            (0..n).map(|j| (0..inputs.len()).map(|i| outputs[(i, j)]).sum::<f64>() / inputs.len() as f64).collect();
        for j in 0..n {
            for i in 0..inputs.len() {
                outputs[(i, j)] -= mean[j];
            }
        }
        let covariance = outputs.transpose() * &outputs;
        let eigen = covariance.self_adjoint_eigen(Side::Lower).map_err(|e| anyhow!("eigenvalues: {e:?}"))?;
        // faer gives the smallest first.
        let q = Mat::from_fn(n, n, |i, j| eigen.U()[(i, n - 1 - j)]);
        Ok(Directions { q, mean })
    }

    /// The pair of rank `rank` that takes the map's place.
    fn pair(&self, x: usize, w: &Matrix, b: &[f32], rank: usize) -> Op {
        let (n_in, n_out) = (w.cols, w.rows);
        let q = |i: usize, k: usize| self.q[(i, k)];
        let v = (0..rank * n_in).map(|at| {
            let (k, j) = (at / n_in, at % n_in);
            (0..n_out).map(|i| q(i, k) * f64::from(w.data[i * n_in + j])).sum::<f64>() as f32
        });
        let inner =
            (0..rank).map(|k| (0..n_out).map(|i| q(i, k) * (f64::from(b[i]) - self.mean[i])).sum::<f64>() as f32);
        let u = (0..n_out * rank).map(|at| q(at / rank, at % rank) as f32);
        Op::LowRank {
            x,
            v: Matrix::new(rank, n_in, v.collect()),
            b: inner.collect(),
            u: Matrix::new(n_out, rank, u.collect()),
            c: self.mean.iter().map(|m| *m as f32).collect(),
        }
    }
}

/// Root mean square error of the artifact's outputs, a share of the float outputs' root mean square.
fn error(artifact: &Artifact<'_>, inputs: &[&Vec<f32>], truth: &[Vec<f32>]) -> Result<f64> {
    let mut arena = Vec::new();
    let mut host = Host::new(*artifact, &mut arena)?;
    let (mut wrong, mut size) = (0.0, 0.0);
    for (input, truth) in inputs.iter().zip(truth) {
        let scores = host.scores_of_features(input)?;
        for (y, t) in values(artifact, &scores).iter().zip(truth) {
            wrong += f64::from(y - t).powi(2);
            size += f64::from(*t).powi(2);
        }
    }
    Ok((wrong / size.max(f64::MIN_POSITIVE)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Input, Node};
    use crate::rng::Rng;

    fn node(name: &str, op: Op) -> Node {
        Node { name: name.into(), op }
    }

    /// A graph with one map of `rank` from 40 to 24 values, and inputs.
    fn graph(rank: usize, seed: u64) -> (Graph, Vec<Vec<f32>>) {
        let mut random = Rng::new(seed, "low rank", 0);
        let mut draws = |n: usize| (0..n).map(|_| random.normal()).collect::<Vec<f32>>();
        let (n_in, n_out) = (40, 24);
        let (u, v) = (Matrix::new(n_out, rank, draws(n_out * rank)), Matrix::new(rank, n_in, draws(rank * n_in)));
        let w: Vec<f32> =
            (0..n_in).flat_map(|j| u.times(&(0..rank).map(|k| v.row(k)[j]).collect::<Vec<_>>())).collect();
        let w = Matrix::new(n_in, n_out, w).transposed();
        let standardise = Op::Standardise { mean: vec![0.0; n_in], deviation: vec![100.0; n_in], clip: 3.0 };
        let nodes = vec![node("input", standardise), node("map", Op::Dense { x: 0, w, b: draws(n_out), relu: false })];
        let graph = Graph { family: "test".into(), input: Input::Vector(n_in), nodes, classes: vec![] };
        let inputs = (0..300).map(|_| draws(n_in).iter().map(|v| (v * 100.0).round()).collect()).collect();
        (graph, inputs)
    }

    #[test]
    fn a_map_of_low_rank_is_found_and_costs_less() {
        let (graph, inputs) = graph(3, 1);
        let (exported, decided) = export_factored(&graph, &inputs, &Description::default(), 0.02).unwrap();
        let Factored { rank, dense, thin, .. } = &decided[0];
        assert_eq!(*rank, Some(3), "{}", decided[0]);
        let thin = thin.unwrap();
        assert!(thin.instructions < dense.instructions && thin.bytes < dense.bytes && thin.error <= 0.02);
        assert_eq!(exported.bytes.len(), thin.bytes);
        assert!(decided[0].to_string().contains("low-rank, rank 3"), "{}", decided[0]);
    }

    #[test]
    fn a_map_of_full_rank_stays() {
        let (graph, inputs) = graph(24, 2);
        let (exported, decided) = export_factored(&graph, &inputs, &Description::default(), 0.02).unwrap();
        assert_eq!(decided[0].rank, None, "{}", decided[0]);
        let plain = export(&graph, &inputs, &Description::default()).unwrap();
        assert_eq!(exported.bytes[..], plain.bytes[..]);
    }
}
