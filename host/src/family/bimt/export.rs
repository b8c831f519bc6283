//! The best member, pruned, as a float graph; and the samples that it was not trained on.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use smidgen_shared::artifact::Provenance;

use super::command::{BimtRun, mnist, read, restored};
use super::result::measure;
use super::samples::Data;
use super::task::Task;
use super::train::Member as Model;
use crate::compress::{self, Aligned, Metric};
use crate::engine::{Inputs, Targets};
use crate::family::{Export, Place, Samples, Truths};
use crate::graph::{Class, Graph, Input, Matrix, Node, Op, Smooth};
use crate::infer::{Host, VECTOR_LSB, description};
use crate::net::{Float, Layer, Network};

/// Counts of a pixel.
const PIXEL: f32 = 255.0;
/// Inputs that calibration looks at.
const CALIBRATION: usize = 1000;
/// Held-out samples that the int8 figure is measured on.
const MEASURED: usize = 2000;

pub fn export(folder: &Path, place: &Place) -> Result<Export> {
    let run = read(folder)?;
    let (settings, _) = run.member(run.best)?;
    let task = settings.task()?;
    ensure!(
        task != Task::InContext,
        "a transformer has no operators on the chip: in-context regression is looked at, not exported"
    );
    if settings.recipe()?.double { of::<f64>(folder, &run, task, place) } else { of::<f32>(folder, &run, task, place) }
}

fn of<T: Float>(folder: &Path, run: &BimtRun, task: Task, place: &Place) -> Result<Export> {
    let mut model: Model<T> = restored(folder, run, place)?;
    let (_, member) = run.member(run.best)?;
    trained(&mut model, task, member.seed)
}

/// A trained member, pruned, with the figure of its artifact.
///
/// # Errors
/// Where the engine fails, or the network cannot be quantised.
pub fn trained<T: Float>(model: &mut Model<T>, task: Task, seed: u64) -> Result<Export> {
    let (figures, pruned) = measure(model, seed, String::new())?;
    let mut export = network(model, task, seed, &pruned)?;
    if task.counts() {
        let description = description(export.provenance.clone(), compress::Layout::Auto, None)?;
        let bytes = compress::export(&export.graph, &export.inputs, &description)?.bytes;
        let int8 = int8_figure(&bytes, &held_out(task, &model.data.test)?)?;
        export.provenance.metrics.push(Metric { name: task.figure().into(), float: figures.pruned, int8 });
    }
    Ok(export)
}

/// A member with these parameters, as a float graph.
///
/// # Errors
/// A task whose inputs the chip does not take.
pub fn network<T: Float>(model: &Model<T>, task: Task, seed: u64, parameters: &[T]) -> Result<Export> {
    let network = model.settings.recipe()?.network()?;
    let inputs = raw(task, &model.data.train.inputs)?;
    let step = inputs.len().div_ceil(CALIBRATION).max(1);
    let calibration: Vec<Vec<f32>> =
        inputs.iter().step_by(step).map(|x| x.iter().map(|&v| f32::from(v)).collect()).collect();
    let graph = graph(task, &network, parameters, &calibration)?;
    let provenance = compress::Provenance {
        dataset: task.name().into(),
        split: "test".into(),
        seed,
        settings: serde_json::to_string(&model.settings)?,
        metrics: vec![],
    };
    Ok(Export { graph, inputs: calibration, provenance, sampler: None })
}

/// Accuracy, or the mean square error, of an artifact on at most [`MEASURED`] of the samples.
///
/// # Errors
/// Samples that the model does not take.
pub fn int8_figure(model: &Aligned, samples: &Samples) -> Result<f64> {
    let held = samples.spread(MEASURED);
    let mut arena = Vec::new();
    let artifact = model.artifact()?;
    let classes: Vec<&str> = artifact.classes().map(|class| class.name).collect();
    let mut host = Host::new(artifact, &mut arena)?;
    let (mut sum, mut count) = (0.0, 0);
    for (i, raw) in held.inputs.iter().enumerate() {
        let class = usize::from(host.answer(raw)?.class);
        match &held.truths {
            Truths::Classes(truths) => {
                sum += f64::from(u8::from(classes.get(class).is_some_and(|name| *name == truths[i])));
                count += 1;
            }
            Truths::Values(truths) => {
                let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
                sum += host.values().iter().zip(&truths[i]).map(square).sum::<f64>();
                count += truths[i].len();
            }
        }
    }
    Ok(sum / count.max(1) as f64)
}

/// The network as a graph: inputs standardised or embedded, dense layers with tables between them.
fn graph<T: Float>(task: Task, network: &Network, parameters: &[T], inputs: &[Vec<f32>]) -> Result<Graph> {
    let single = |range: std::ops::Range<usize>| parameters[range].iter().map(|w| w.f64() as f32).collect::<Vec<f32>>();
    let mut nodes = Vec::new();
    let unit = if task == Task::Mnist { 1.0 / PIXEL } else { VECTOR_LSB };
    if !matches!(network.layers()[0], Layer::Embedding { .. }) {
        let n = network.inputs();
        let reach = inputs.iter().flatten().fold(0f32, |m, v| m.max(v.abs())) * unit;
        let op = Op::Standardise { mean: vec![0.0; n], deviation: vec![1.0 / unit; n], clip: reach.max(1e-3) };
        nodes.push(Node { name: "inputs".into(), op });
    }
    for (i, layer) in network.layers().iter().enumerate() {
        let x = nodes.len().saturating_sub(1);
        let mut tensors = network.tensors_of(i);
        let (name, op) = match *layer {
            Layer::Embedding { vocabulary, width, folds } => {
                let table = tensors.next().context("an embedding without a table")?;
                let table = Matrix::new(vocabulary, width, single(table.range()));
                ("embedding".to_string(), Op::Embed { tokens: folds, table })
            }
            Layer::Dense { inputs, outputs } => {
                let (w, b) = tensors.next().zip(tensors.next()).context("a layer without weights")?;
                let w = Matrix::new(outputs, inputs, single(w.range()));
                (format!("layer {i}"), Op::Dense { x, w, b: single(b.range()), relu: false })
            }
            Layer::Activation { .. } => (format!("silu {i}"), Op::Lookup { x, function: Smooth::Silu }),
            Layer::LowRank { .. } => bail!("BIMT has no low-rank layers"),
        };
        nodes.push(Node { name, op });
    }
    let classes = match task {
        Task::TwoMoons => task.labels().1,
        Task::Mnist | Task::ModularAddition | Task::S4 => (0..network.outputs()).map(|c| c.to_string()).collect(),
        _ => vec![],
    };
    let classes = classes.into_iter().map(|name| Class { name, seen: true }).collect();
    let graph = Graph { family: super::NAME.into(), input: Input::Vector(network.inputs()), nodes, classes };
    graph.shapes()?;
    Ok(graph)
}

/// Inputs as the chip takes them.
fn raw<T: Float>(task: Task, inputs: &Inputs<T>) -> Result<Vec<Vec<i16>>> {
    let unit = if task == Task::Mnist { 1.0 / PIXEL } else { VECTOR_LSB };
    Ok(match inputs {
        Inputs::Values { width, data } => data
            .chunks(*width)
            .map(|x| x.iter().map(|v| (v.f64() / f64::from(unit)).round().clamp(-32767.0, 32767.0) as i16).collect())
            .collect(),
        Inputs::Tokens { folds, data } => {
            let token = |&t: &u32| i16::try_from(t).context("a token beyond 32,767");
            data.chunks(*folds).map(|x| x.iter().map(token).collect()).collect::<Result<_>>()?
        }
    })
}

/// Samples as a device takes them.
///
/// # Errors
/// A token beyond what an int16 holds.
pub fn held_out<T: Float>(task: Task, samples: &crate::engine::Samples<T>) -> Result<Samples> {
    let inputs = raw(task, &samples.inputs)?;
    let name = |c: usize| if task == Task::TwoMoons { task.labels().1[c].clone() } else { c.to_string() };
    let truths = match &samples.targets {
        Targets::Classes(classes) => Truths::Classes(classes.iter().map(|&c| name(c as usize)).collect()),
        Targets::Values { width, data } if task == Task::Mnist => Truths::Classes(
            data.chunks(*width).map(|row| name(row.iter().position(|v| v.f64() > 0.5).unwrap_or(0))).collect(),
        ),
        Targets::Values { width, data } => {
            Truths::Values(data.chunks(*width).map(|row| row.iter().map(|v| v.f64() as f32).collect()).collect())
        }
    };
    Ok(Samples { ids: (0..inputs.len() as u32).collect(), inputs, truths, ordered: false })
}

pub fn samples(provenance: &Provenance<'_>, data: Option<&str>, place: &Place) -> Result<Samples> {
    if let Some(data) = data {
        bail!("a bimt model takes the samples of its own task, not --data {data}");
    }
    let task = Task::ALL.iter().find(|t| t.0 == provenance.dataset).map(|t| t.1);
    let task =
        task.with_context(|| format!("the model was trained on {:?}, which bimt does not know", provenance.dataset))?;
    let data: Data<f64> =
        if task == Task::Mnist { Data::mnist(&*mnist(place)?) } else { Data::drawn(task, provenance.seed) };
    held_out(task, &data.test)
}
