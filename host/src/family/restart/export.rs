//! The denoiser's network F as a graph: raw int16 in, F out.
//!
//! Inputs are `[c_in·x in units of 2⁻¹², the embedding of σ in units of 2⁻¹⁴, one-hot class in units of
//! 2⁻¹⁴]`. What depends on σ alone comes from a table ([`program`](super::program::program)).

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::NAME;
use super::denoiser::{Denoiser, Shape, labels};
use super::edm::Precondition;
use super::judge::Judge;
use super::program::{PIXEL, UNIT, program, raw};
use super::record::Record;
use super::sampler::{Restart, Sampler as _};
use super::set::Set;
use crate::compress::{self, Aligned, Description, Metric, Sampler};
use crate::engine::in_parallel;
use crate::family::{Samples, Truths};
use crate::graph::{Graph, Input, Matrix, Node, Op, Smooth};
use crate::infer::Host;
use crate::net::Layer;
use crate::rng::Rng;

/// Inputs of the calibration.
const CALIBRATION: usize = 1024;
/// Inputs that are held out: other noise on the same data.
const HELD_OUT: usize = 256;
/// Samples that the float and the int8 distance are measured on.
const MEASURED: usize = 1000;
/// Largest standardised input: beyond four deviations the chip clips.
pub const REACH: f32 = 4.0;

/// The graph of a denoiser.
///
/// # Errors
/// A shape that does not fit its parameters.
pub fn graph(denoiser: &Denoiser) -> Result<Graph> {
    let Denoiser { shape, parameters } = denoiser;
    let network = shape.network()?;
    ensure!(network.parameters() == parameters.len(), "{} parameters of another shape", parameters.len());
    let n = shape.inputs();
    let deviation = (0..n).map(|i| if i < shape.dim { PIXEL } else { UNIT }).collect();
    let mut nodes =
        vec![Node { name: "inputs".into(), op: Op::Standardise { mean: vec![0.0; n], deviation, clip: REACH } }];
    for (i, layer) in network.layers().iter().enumerate() {
        let x = nodes.len() - 1;
        let slice = |k: usize| -> Vec<f32> {
            network.tensors_of(i).nth(k).map(|t| parameters[t.range()].to_vec()).unwrap_or_default()
        };
        let (name, op) = match *layer {
            Layer::Dense { inputs, outputs } => {
                let w = Matrix::new(outputs, inputs, slice(0));
                (format!("layer {i}"), Op::Dense { x, w, b: slice(1), relu: false })
            }
            _ => (format!("silu {i}"), Op::Lookup { x, function: Smooth::Silu }),
        };
        nodes.push(Node { name, op });
    }
    let graph = Graph { family: NAME.into(), input: Input::Vector(n), nodes, classes: vec![] };
    graph.shapes()?;
    Ok(graph)
}

/// Raw inputs as they come while `restart` samples, with the F that training asks for: noise of one of its
/// levels on a sample of the data.
fn inputs(set: &Set, shape: &Shape, restart: &Restart, count: usize, stream: &str) -> (Vec<Vec<i16>>, Vec<Vec<f32>>) {
    let program = program(restart, shape, None);
    let mut noise = vec![0.0; set.dim];
    let mut rng = Rng::new(0, stream, 0);
    let each = (0..count).map(|k| {
        let level = &program.levels[k % program.levels.len()];
        let i = rng.below(set.len());
        rng.normals(&mut noise);
        let y = set.row(i);
        let x: Vec<f32> = y.iter().zip(&noise).map(|(y, z)| y + level.sigma * z).collect();
        let class = (shape.classes > 0).then(|| set.labels[i]);
        let input = raw(x.iter().map(|x| level.c_in * x), &level.embedding, class, shape.classes);
        let c = Precondition::at(f64::from(level.sigma), shape.deviation);
        let target = x.iter().zip(y).map(|(x, y)| ((f64::from(*y) - c.skip * f64::from(*x)) / c.out) as f32);
        (input, target.collect())
    });
    each.unzip()
}

/// Inputs to calibrate on.
pub fn calibration(set: &Set, shape: &Shape, restart: &Restart) -> Vec<Vec<f32>> {
    let (inputs, _) = inputs(set, shape, restart, CALIBRATION, "calibration");
    inputs.into_iter().map(|x| x.into_iter().map(f32::from).collect()).collect()
}

/// Inputs of noise that training did not see, with the values that F should have on average.
pub fn held_out(set: &Set, shape: &Shape, restart: &Restart) -> Samples {
    let (inputs, values) = inputs(set, shape, restart, HELD_OUT, "held out");
    Samples { ids: (0..inputs.len() as u32).collect(), inputs, truths: Truths::Values(values), ordered: false }
}

/// `labels.len()` samples by the artifact, drawn by the chip's own code; sample i of seed i.
///
/// # Errors
/// An artifact that is damaged or draws no samples.
pub fn draw(bytes: &Aligned, labels: &[Option<u8>], threads: usize) -> Result<Vec<f32>> {
    let chunks: Vec<(usize, &[Option<u8>])> = labels.chunks(50).enumerate().map(|(i, l)| (i * 50, l)).collect();
    let parts = in_parallel(&chunks, threads, |(first, labels)| {
        let mut arena = Vec::new();
        let mut host = Host::new(bytes.artifact()?, &mut arena)?;
        let each = labels.iter().enumerate().map(|(i, label)| Ok(host.draw(*label, (first + i) as u32)?.values));
        Ok(each.collect::<Result<Vec<_>>>()?.concat())
    })?;
    Ok(parts.concat())
}

/// The sampler that goes with the denoiser.
pub fn sampler(record: &Record, set: &Set) -> Sampler {
    program(&record.restart, &record.shape, set.side())
}

/// What the artifact says of its origin, with the distance of samples by the float and by the int8 network.
///
/// # Errors
/// A graph that cannot be quantised, or a set without classes.
pub fn provenance(
    record: &Record,
    denoiser: &Denoiser,
    set: &Arc<Set>,
    threads: usize,
) -> Result<compress::Provenance> {
    let shape = &denoiser.shape;
    let description = Description { sampler: Some(sampler(record, set)), ..Description::default() };
    let inputs = calibration(set, shape, &record.restart);
    let bytes = compress::export(&graph(denoiser)?, &inputs, &description)?.bytes;
    let labels = labels(MEASURED, shape.classes);
    let judge = Judge::new(set)?;
    let float = judge.frechet(&denoiser.sample(&record.restart, &labels, 1, threads)?.values)?;
    let int8 = judge.frechet(&draw(&bytes, &labels, threads)?)?;
    Ok(compress::Provenance {
        dataset: set.name.into(),
        split: "other noise on the same samples".into(),
        seed: record.seed,
        settings: format!("{}; {}", record.settings, record.restart.settings()),
        metrics: vec![Metric { name: "Fréchet distance".into(), float, int8 }],
    })
}
