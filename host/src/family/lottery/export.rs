//! A lottery network as a graph: one number in, its square out.
//!
//! Raw inputs are counts of 1/2048; standardised they are x itself, clipped to ±2, so that int8
//! steps are 2/127 wide.

use anyhow::Result;
use smidgen_shared::artifact::Provenance;

use super::settings::REACH;
use super::train::Trained;
use super::{NAME, record::Chosen};
use crate::compress::{self, Description};
use crate::family::{Samples, Truths};
use crate::graph::{Graph, Input, Matrix, Node, Op, Smooth};
use crate::infer::{Host, VECTOR_LSB};
use crate::net::Activation;

/// What `provenance` calls the data.
const DATASET: &str = "y = x² on [−2, 2]";
/// Points that are held out: between those of the training.
const HELD_OUT: usize = 250;
/// Inputs of the calibration.
const CALIBRATION: usize = 401;

/// The graph of a network.
pub fn graph(activation: Activation, trained: &Trained) -> Graph {
    let neurons: Vec<_> = trained.neurons().collect();
    let n = neurons.len();
    let column = |of: &dyn Fn(usize) -> f64| (0..n).map(|i| of(i) as f32).collect::<Vec<f32>>();
    let (w, b, v) = (column(&|i| neurons[i].w), column(&|i| neurons[i].b), column(&|i| neurons[i].v));
    let relu = activation == Activation::Relu;
    let standardise = Op::Standardise { mean: vec![0.0], deviation: vec![1.0 / VECTOR_LSB], clip: REACH as f32 };
    let mut nodes = vec![
        Node { name: "x".into(), op: standardise },
        Node { name: "hidden".into(), op: Op::Dense { x: 0, w: Matrix::new(n, 1, w), b, relu } },
    ];
    if !relu {
        nodes.push(Node { name: "silu".into(), op: Op::Lookup { x: 1, function: Smooth::Silu } });
    }
    let sum = Op::Dense { x: nodes.len() - 1, w: Matrix::new(1, n, v), b: vec![trained.offset()], relu: false };
    nodes.push(Node { name: "y".into(), op: sum });
    Graph { family: NAME.into(), input: Input::Vector(1), nodes, classes: vec![] }
}

/// Raw inputs to calibrate on, evenly spaced.
pub fn calibration() -> Vec<Vec<f32>> {
    counts(CALIBRATION, 0.0).iter().map(|&c| vec![f32::from(c)]).collect()
}

/// Raw inputs between the points of the training, with their squares.
pub fn held_out() -> Samples {
    let counts = counts(HELD_OUT, 0.37);
    let x = counts.iter().map(|&c| f32::from(c) * VECTOR_LSB);
    Samples {
        ids: (0..counts.len() as u32).collect(),
        truths: Truths::Values(x.map(|x| vec![x * x]).collect()),
        inputs: counts.iter().map(|&c| vec![c]).collect(),
        ordered: false,
    }
}

/// `n` counts from −2 to 2, moved up by `shift` of a step.
fn counts(n: usize, shift: f64) -> Vec<i16> {
    let step = 2.0 * REACH / (n - 1) as f64;
    let x = (0..n).map(|i| (-REACH + (i as f64 + shift) * step).min(REACH));
    x.map(|x| (x / f64::from(VECTOR_LSB)).round() as i16).collect()
}

/// Mean square errors on the held-out points: of the float graph, and of its artifact on raw inputs.
///
/// # Errors
/// A graph that cannot be quantised.
pub fn errors(graph: &Graph) -> Result<(f64, f64)> {
    let samples = held_out();
    let Truths::Values(truths) = &samples.truths else { anyhow::bail!("points without values") };
    let bytes = compress::export(graph, &calibration(), &Description::default())?.bytes;
    let mut arena = Vec::new();
    let mut host = Host::new(bytes.artifact()?, &mut arena)?;
    let (mut float, mut int8) = (0.0, 0.0);
    for (raw, y) in samples.inputs.iter().zip(truths) {
        host.answer(raw)?;
        let outputs = graph.run(&[f32::from(raw[0])]);
        float += f64::from(outputs[outputs.len() - 1][0] - y[0]).powi(2);
        int8 += f64::from(host.values()[0] - y[0]).powi(2);
    }
    let n = truths.len() as f64;
    Ok((float / n, int8 / n))
}

/// What an artifact says of its origin; `errors` as [`errors`] gives them.
pub fn provenance(chosen: &Chosen, (float, int8): (f64, f64)) -> compress::Provenance {
    let metrics = vec![compress::Metric { name: "MSE".into(), float, int8 }];
    compress::Provenance { metrics, ..origin(&format!("width={} {}", chosen.width, chosen.settings), chosen.seed) }
}

/// The same without figures.
pub fn origin(settings: &str, seed: u64) -> compress::Provenance {
    compress::Provenance {
        dataset: DATASET.into(),
        split: "points between those of the training".into(),
        seed,
        settings: settings.into(),
        metrics: Vec::new(),
    }
}

/// Whether a model is one of these.
pub fn is_ours(provenance: &Provenance<'_>) -> bool {
    provenance.dataset == DATASET
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::lottery::settings::Plan;
    use crate::family::lottery::train::{train, unsaved};
    use crate::infer::Oracle;
    use crate::population::Watch;

    #[test]
    fn the_chip_squares_numbers() {
        for activation in ["silu", "relu"] {
            let sets = ["width=8".to_string(), "steps=3000".into(), format!("activation={activation}")];
            let plan = Plan::of(&sets).unwrap();
            let members = plan.grid.members(0, 4).unwrap();
            let population = train(&members, &unsaved(1), &Watch::silent(4)).unwrap();
            let trained = population.iter().flatten().min_by(|a, b| a.loss.total_cmp(&b.loss)).unwrap();
            let settings = super::super::settings::Settings::of(&members[0]).unwrap();
            let graph = graph(settings.activation, trained);
            graph.shapes().unwrap();
            let (float, int8) = errors(&graph).unwrap();
            assert!(
                float < 3.0 * trained.loss + 1e-6,
                "{activation}: {float:.2e} between points, {:.2e} at",
                trained.loss
            );
            // Half a step of the input, 1/127, moves x² by at most 4/127.
            assert!(int8 < (4.0f64 / 127.0).powi(2) + 4.0 * float, "{activation}: int8 {int8:.2e}, float {float:.2e}");
            let bytes = compress::export(&graph, &calibration(), &Description::default()).unwrap().bytes;
            let artifact = bytes.artifact().unwrap();
            let mut arenas = (Vec::new(), Vec::new());
            let mut host = Host::new(artifact, &mut arenas.0).unwrap();
            let mut oracle = Oracle::new(artifact, &mut arenas.1).unwrap();
            for raw in held_out().inputs {
                assert_eq!(host.answer(&raw).unwrap(), oracle.answer(&raw).unwrap());
            }
        }
    }

    #[test]
    fn held_out_points_lie_between_those_of_the_training() {
        let samples = held_out();
        let training: Vec<i16> = counts(101, 0.0);
        let shared = samples.inputs.iter().filter(|x| training.contains(&x[0])).count();
        assert!(samples.inputs.len() == HELD_OUT && shared <= 5, "{shared}");
        assert!(samples.inputs.iter().all(|x| x[0].abs() <= 4096));
    }
}
