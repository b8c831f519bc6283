//! How far activations reach: largest magnitudes over calibration inputs.
//!
//! `scale = reach / 127` (int8) or `reach / 32767` (int16). The reach of an int8 activation is a
//! high quantile rather than the maximum, so that a single outlier does not cost all others a bit.

use crate::graph::{Graph, Op, affine};

/// Largest magnitude, or quantile of magnitudes, per node and per inner vector of a node.
#[derive(Clone, Debug)]
pub struct Ranges {
    /// Maximum of |y| per node.
    pub maximum: Vec<f32>,
    /// Quantile of |y| per node.
    pub reach: Vec<f32>,
    /// Quantile of |z| per node that has an inner vector, else 0.
    pub inner: Vec<f32>,
}

/// Share of magnitudes that an int8 activation covers without saturating.
pub const QUANTILE: f64 = 0.9998;

/// Runs `graph` over `inputs` (features or raw values, one input each) and records the reaches.
pub fn calibrate(graph: &Graph, inputs: &[Vec<f32>]) -> Ranges {
    let mut outputs: Vec<Vec<f32>> = vec![Vec::new(); graph.nodes.len()];
    let mut inner: Vec<Vec<f32>> = vec![Vec::new(); graph.nodes.len()];
    for input in inputs {
        let values = graph.run(input);
        for (i, node) in graph.nodes.iter().enumerate() {
            outputs[i].extend(values[i].iter().map(|y| y.abs()));
            match &node.op {
                Op::LowRank { x, v, b, .. } => inner[i].extend(affine(v, &values[*x], b).iter().map(|z| z.abs())),
                Op::Mix { x, gate, v: Some(v), .. } => {
                    for (k, _) in values[*gate].iter().enumerate().filter(|(_, g)| **g > 0.0) {
                        inner[i].extend(affine(&v[k].0, &values[*x], &v[k].1).iter().map(|z| z.abs()));
                    }
                }
                _ => {}
            }
        }
    }
    Ranges {
        maximum: outputs.iter().map(|y| y.iter().copied().fold(0.0, f32::max)).collect(),
        reach: outputs.iter_mut().map(|y| quantile(y)).collect(),
        inner: inner.iter_mut().map(|z| quantile(z)).collect(),
    }
}

/// The [`QUANTILE`] of `values`, 0 of none. Reorders them.
fn quantile(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() - 1) as f64 * QUANTILE).ceil() as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}
