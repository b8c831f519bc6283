//! What engines with arithmetic of their own get: the layers in f32, and our scores to be compared with.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Job, TOLERANCE};
use crate::graph::Op;
use crate::infer::{Host, values};

/// One input, and what must come out.
pub struct Expected {
    /// The input, standardised.
    pub input: Vec<f32>,
    /// Our scores, in the float model's unit.
    pub scores: Vec<f32>,
    /// How far a score may lie from ours.
    pub tolerance: f32,
}

impl Expected {
    /// Of the input whose largest score leads most, so that the same largest means something.
    pub fn of(job: &Job<'_>) -> Result<Expected> {
        let artifact = job.part.model.artifact()?;
        let mut arena = Vec::new();
        let mut host = Host::new(artifact, &mut arena)?;
        let mut best: Option<(f32, Expected)> = None;
        for (input, raw) in job.inputs.iter().zip(&job.part.inputs) {
            host.answer(raw)?;
            let scores = values(&artifact, &host.scores());
            let mut sorted = scores.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let size = scores.iter().fold(0.0f32, |most, s| most.max(s.abs()));
            let lead = sorted.first().zip(sorted.get(1)).map_or(0.0, |(a, b)| (a - b) / size);
            if best.as_ref().is_none_or(|(most, _)| lead > *most) {
                let input = job.graph.run(input).swap_remove(0);
                best = Some((lead, Expected { input, scores, tolerance: TOLERANCE * size }));
            }
        }
        Ok(best.context("there is no input")?.1)
    }
}

/// The layers and the inputs that calibrate, as the scripts in host/bench/kernels take them.
pub fn work(job: &Job<'_>) -> Result<Value> {
    let mut layers = Vec::new();
    for node in &job.graph.nodes[1..] {
        let Op::Dense { x, w, b, relu } = &node.op else { anyhow::bail!("{} is no dense layer", node.name) };
        ensure!(*x == layers.len(), "{} does not follow on the layer before it", node.name);
        let rows: Vec<&[f32]> = (0..w.rows).map(|i| w.row(i)).collect();
        layers.push(json!({ "weights": rows, "biases": b, "relu": relu }));
    }
    let inputs: Vec<Vec<f32>> = job.inputs.iter().map(|input| job.graph.run(input).swap_remove(0)).collect();
    Ok(json!({ "layers": layers, "inputs": inputs }))
}
