//! Float graph → int8 operators, by row.
//!
//! A weight row's scale is `max|w| / 127`, its bias and multiplier follow:
//! `b = round(bias / (s_x·s_w))`, `m = round(2²⁴·s_x·s_w / s_y)`; where `Σ|w|·127 + |b|` would reach
//! 2²³ the row gets a larger scale until it does not.

use anyhow::{Context, Result, ensure};
use smidgen_shared::artifact;
use smidgen_shared::cost::{Core, Model};
use smidgen_shared::fixed::{ACC_LIMIT, Row};
use smidgen_shared::kernel::Packing;
use smidgen_shared::op::{Op, Region, Width};

use super::arena::{Lifetime, place};
use super::calibrate::{Ranges, calibrate};
use super::pack::pack;
use super::sampler::Sampler;
use super::sparse::{Choice, Layout, Shape, store};
use super::write::{Aligned, Parts, Provenance, Weights, bounds};
use crate::graph::{self, Graph, Matrix};

/// What goes into the manifest besides the graph.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// Where the model comes from.
    pub provenance: Provenance,
    /// Boards to state bounds for: name and core.
    pub boards: Vec<(String, Core)>,
    /// How matrices may be stored.
    pub layout: Layout,
    /// The core whose instructions decide between layouts [default: Cortex-M4's].
    pub core: Option<Core>,
    /// How samples are drawn, where the graph is a denoiser.
    pub sampler: Option<Sampler>,
    /// How dense matrices are stored [default: row-major, for every board].
    pub packing: Packing,
}

/// An artifact, and what was decided on the way.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The artifact.
    pub bytes: Aligned,
    /// Of every layer whose matrix has many zeros: how it is stored, and why.
    pub choices: Vec<Choice>,
}

/// How an activation is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Format {
    width: Width,
    /// value of one unit
    scale: f64,
}

/// Quantises `graph` with the ranges met on `inputs` (features or raw values) and gives the artifact.
///
/// The first few inputs become golden vectors.
pub fn export(graph: &Graph, inputs: &[Vec<f32>], description: &Description) -> Result<Exported> {
    if let [graph::Node { op: graph::Op::Poly(program), .. }] = &graph.nodes[..] {
        graph.shapes()?;
        let bytes = pack(&super::poly::export(graph, program, inputs, description)?, description.packing)?;
        return Ok(Exported { bytes, choices: Vec::new() });
    }
    let graph = &graph.with_rescales();
    let shapes = graph.shapes()?;
    ensure!(!inputs.is_empty(), "calibration needs at least one input");
    let ranges = calibrate(graph, inputs);
    let formats = formats(graph, &ranges);
    let plan = Plan::new(graph, &shapes, &formats);
    let mut weights = Weights::default();
    let mut ops = Vec::new();
    let mut choices = Vec::new();
    let layout = (description.layout, description.core.unwrap_or(Core::ArmV7EM), description.packing);
    for (i, node) in graph.nodes.iter().enumerate() {
        let (op, choice) = quantise(graph, i, &formats, &ranges, &plan, layout, &mut weights)
            .with_context(|| format!("node {i}, {}", node.name))?;
        ops.push(op);
        choices.extend(choice);
    }
    let input = match graph.input {
        graph::Input::Window(spec) => artifact::Input::Window { spec, state: plan.state },
        graph::Input::Vector(n) => {
            artifact::Input::Vector { len: u16::try_from(n).context("a vector of over 65,535 values")? }
        }
    };
    let (sampler, arena_bytes) = match (&description.sampler, &graph.input) {
        (Some(sampler), graph::Input::Vector(n)) => {
            let outputs = shapes.last().copied().unwrap_or(0);
            let (at, bytes) = sampler.write(&mut weights, *n, outputs, plan.arena_bytes)?;
            (at, bytes)
        }
        (Some(_), _) => anyhow::bail!("sampler: a denoiser takes vectors, not windows"),
        (None, _) => (0, plan.arena_bytes),
    };
    let bounds = bounds(description, &Model { input: &input, packing: Packing::RowMajor, steps: None }, &ops);
    let parts = Parts {
        family: &graph.family,
        input,
        arena_bytes,
        ops: &ops,
        classes: &graph.classes,
        unit: formats.last().map_or(1.0, |format| format.scale as f32),
        bounds: &bounds,
        provenance: &description.provenance,
        weights: &weights,
        sampler,
    };
    let scale = formats[0].scale;
    let golden: Vec<Vec<i8>> = inputs.iter().take(3).map(|input| first_output(graph, input, scale)).collect();
    Ok(Exported { bytes: pack(&parts.assemble(&golden)?, description.packing)?, choices })
}

/// Node 0's int8 output in float arithmetic: near enough for a golden vector's input.
fn first_output(graph: &Graph, input: &[f32], scale: f64) -> Vec<i8> {
    graph.run(input)[0].iter().map(|x| (f64::from(*x) / scale).round().clamp(-127.0, 127.0) as i8).collect()
}

/// Nodes that are added to a wider sum are kept in int16; the last node of a graph without a class
/// table gives int16 scores; all else is int8.
fn formats(graph: &Graph, ranges: &Ranges) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    let last = graph.nodes.len() - 1;
    let bases: Vec<usize> =
        graph.nodes.iter().filter_map(|n| if let graph::Op::Mix { base, .. } = &n.op { *base } else { None }).collect();
    for (i, node) in graph.nodes.iter().enumerate() {
        let int8 = |reach: f32| Format { width: Width::I8, scale: f64::from(reach.max(1e-6)) / 127.0 };
        let int16 = |reach: f32| Format { width: Width::I16, scale: f64::from(reach.max(1e-6)) / 32767.0 };
        formats.push(match &node.op {
            graph::Op::Standardise { clip, .. } => int8(*clip),
            // All of the table, met in calibration or not.
            graph::Op::Embed { table, .. } => int8(table.data.iter().fold(0.0, |m, w| w.abs().max(m))),
            graph::Op::Gate { .. } => Format { width: Width::I8, scale: 1.0 / 128.0 },
            graph::Op::Match { x, rows, .. } => {
                // Eight units for the finest class row's product of one unit with one unit.
                let finest = (0..rows.rows).map(|c| scale_of(rows.row(c))).fold(0.0, f64::max);
                Format { width: Width::I32, scale: formats[*x].scale * finest / 8.0 }
            }
            _ if bases.contains(&i) => {
                // In the scale of the sum it is added to.
                let reach = graph.nodes.iter().zip(&ranges.maximum).filter_map(|(n, m)| match &n.op {
                    graph::Op::Mix { base: Some(base), .. } if *base == i => Some(*m),
                    _ => None,
                });
                int16(reach.fold(ranges.maximum[i], f32::max) * 1.25)
            }
            graph::Op::Mix { base: Some(base), .. } => formats[*base],
            // A ReLU's outputs are int8, scores or not.
            graph::Op::Dense { relu: false, .. } | graph::Op::LowRank { .. } | graph::Op::Mix { .. } if i == last => {
                int16(ranges.maximum[i] * 1.25)
            }
            _ => int8(ranges.reach[i]),
        });
    }
    formats
}

/// Where every node's output and inner vectors lie.
struct Plan {
    output: Vec<Region>,
    /// z and acc
    inner: Vec<[Region; 2]>,
    state: u32,
    arena_bytes: u32,
}

impl Plan {
    fn new(graph: &Graph, shapes: &[usize], formats: &[Format]) -> Plan {
        let n = graph.nodes.len();
        let last_use = |i: usize| {
            let uses = (0..n).filter(|&j| graph.nodes[j].op.inputs().contains(&i)).max();
            if i == n - 1 { n } else { uses.unwrap_or(i) }
        };
        let mut lifetimes = Vec::new();
        let mut lens = Vec::new();
        for i in 0..n {
            let len = match graph.nodes[i].op {
                graph::Op::Gate { keep, .. } => 2 * keep,
                _ => shapes[i],
            };
            let bytes = len * formats[i].width.bytes() as usize;
            lifetimes.push(Lifetime { bytes, from: i, to: last_use(i) });
            lens.push(len);
            let inner = match &graph.nodes[i].op {
                graph::Op::LowRank { v, .. } => [v.rows, 0],
                graph::Op::Mix { v, .. } => [v.as_ref().map_or(0, |v| v[0].0.rows), shapes[i]],
                _ => [0, 0],
            };
            for (len, size) in inner.into_iter().zip([1, 4]) {
                lifetimes.push(Lifetime { bytes: len * size, from: i, to: i });
                lens.push(len);
            }
        }
        let state_words = if let graph::Input::Window(spec) = graph.input { spec.state_words() } else { 0 };
        lifetimes.push(Lifetime { bytes: 4 * state_words, from: 0, to: 0 });
        let (offsets, arena_bytes) = place(&lifetimes);
        let region = |k: usize| Region { at: offsets[k] as u32, len: lens[k] as u32 };
        Plan {
            output: (0..n).map(|i| region(3 * i)).collect(),
            inner: (0..n).map(|i| [region(3 * i + 1), region(3 * i + 2)]).collect(),
            state: offsets[3 * n] as u32,
            arena_bytes: arena_bytes as u32,
        }
    }
}

fn quantise(
    graph: &Graph,
    i: usize,
    formats: &[Format],
    ranges: &Ranges,
    plan: &Plan,
    layout: (Layout, Core, Packing),
    weights: &mut Weights,
) -> Result<(Op, Option<Choice>)> {
    let (y, format) = (plan.output[i], formats[i]);
    let (scale, width) = (format.scale, format.width);
    let x_of = |x: &usize| -> Result<(Region, f64)> {
        ensure!(formats[*x].width == Width::I8, "node {x} gives {:?} where int8 is read", formats[*x].width);
        Ok((plan.output[*x], formats[*x].scale))
    };
    let [z, acc] = plan.inner[i];
    let z_scale = f64::from(ranges.inner[i].max(1e-6)) / 127.0;
    let mut choice = None;
    let op = match &graph.nodes[i].op {
        graph::Op::Standardise { mean, deviation, .. } => {
            let rows = mean.iter().zip(deviation).enumerate().map(|(i, (&mean, &deviation))| {
                let bias = -f64::from(mean).round();
                ensure!(bias.abs() < f64::from(1 << 22), "input {i} has a mean of {mean}, beyond 2²²");
                Ok(Row {
                    bias: bias as i32,
                    multiplier: multiplier(1.0 / (f64::from(deviation) * scale)).context("an input hardly varies")?,
                })
            });
            let rows = rows.collect::<Result<Vec<_>>>()?;
            Op::Standardise { y, rows: weights.rows(&rows) }
        }
        graph::Op::Embed { table, .. } => {
            let q: Vec<i8> = table.data.iter().map(|w| (f64::from(*w) / scale).round() as i8).collect();
            let vocabulary = u16::try_from(table.rows).context("too large a vocabulary")?;
            let dim = u16::try_from(table.cols).context("an embedding of over 65,535 values")?;
            Op::Embed { y, vocabulary, dim, table: weights.i8s(&q) }
        }
        graph::Op::UnitRms { x } => {
            let (x, _) = x_of(x)?;
            let gain = (4096.0 * f64::from(x.len).sqrt() / scale).round();
            ensure!(gain < f64::from(1 << 24), "a unit-rms gain of {gain}");
            Op::UnitRms { x, y, gain: gain as u32 }
        }
        graph::Op::Poly(_) => anyhow::bail!("laws are watched by a graph of that one node"),
        graph::Op::Dense { x, w, b, relu } => {
            ensure!(!relu || width == Width::I8, "a mixture adds to a ReLU's outputs: put a layer without one between");
            let (x, x_scale) = x_of(x)?;
            let (q, rows) = layer(w, b, x_scale, |_| scale)?;
            let shape = Shape { x, y, width, relu: *relu };
            let (op, why) = store(&graph.nodes[i].name, &shape, &q, &rows, layout, weights);
            choice = why;
            op
        }
        graph::Op::LowRank { x, v, b, u, c } => {
            let (x, x_scale) = x_of(x)?;
            let (vq, v_rows) = layer(v, b, x_scale, |_| z_scale)?;
            let (uq, u_rows) = layer(u, c, z_scale, |_| scale)?;
            let (v, v_rows) = (weights.i8s(&vq), weights.rows(&v_rows));
            Op::LowRank { x, z, y, width, v, v_rows, u: weights.i8s(&uq), u_rows: weights.rows(&u_rows) }
        }
        graph::Op::Gate { x, w, c, temperature, .. } => {
            let (x, x_scale) = x_of(x)?;
            // Logits in 1/32 nat.
            let (q, rows) = layer(w, c, x_scale, |_| 1.0 / (32.0 * f64::from(*temperature)))?;
            let bases = u16::try_from(w.rows).context("too many bases")?;
            Op::Gate { x, y, bases, weights: weights.i8s(&q), rows: weights.rows(&rows) }
        }
        graph::Op::Mix { x, gate, base, v, u } => {
            let (x, x_scale) = x_of(x)?;
            let mut vq = Vec::new();
            let mut v_rows = Vec::new();
            for (v, b) in v.iter().flatten() {
                let (q, rows) = layer(v, b, x_scale, |_| z_scale)?;
                vq.extend(q);
                v_rows.extend(rows);
            }
            let in_scale = if v.is_some() { z_scale } else { x_scale };
            let (uq, u_bias, scales) = shared_rows(u, in_scale)?;
            let multipliers: Vec<i32> =
                scales.iter().map(|s| multiplier(s * in_scale / scale)).collect::<Result<_>>()?;
            Op::Mix {
                x,
                gate: plan.output[*gate],
                base: base.map(|base| plan.output[base]),
                z,
                acc,
                y,
                width,
                bases: u16::try_from(u.len()).context("too many bases")?,
                v: weights.i8s(&vq),
                v_rows: weights.rows(&v_rows),
                u: weights.i8s(&uq),
                u_bias: weights.i32s(&u_bias),
                multipliers: weights.i32s(&multipliers),
            }
        }
        graph::Op::Lookup { x, function } => {
            let (x, x_scale) = x_of(x)?;
            let table: Vec<i8> = (-128..128)
                .map(|q| {
                    (f64::from(function.at((f64::from(q) * x_scale) as f32)) / scale).round().clamp(-127.0, 127.0) as i8
                })
                .collect();
            Op::Lookup { x, y, table: weights.i8s(&table) }
        }
        graph::Op::Rescale { x } => {
            ensure!(formats[*x].width == Width::I16, "only int16 is narrowed");
            Op::Rescale { x: plan.output[*x], y, multiplier: multiplier(formats[*x].scale / scale)? }
        }
        graph::Op::Match { x, rows: table, handicaps } => {
            let (x, x_scale) = x_of(x)?;
            let (q, rows) = layer(table, &vec![0.0; table.rows], x_scale, |_| scale)?;
            let handicaps = if handicaps.iter().all(|h| *h == 0.0) {
                None
            } else {
                // ‖x‖ comes as 16·‖q‖.
                let h = handicaps.iter().map(|h| multiplier(f64::from(*h) * x_scale / 16.0 / scale));
                Some(weights.i32s(&h.collect::<Result<Vec<_>>>()?))
            };
            Op::Match { x, y, weights: weights.i8s(&q), rows: weights.rows(&rows), handicaps }
        }
    };
    Ok((op, choice))
}

/// `round(2²⁴·ratio)` as an i32.
fn multiplier(ratio: f64) -> Result<i32> {
    let m = (ratio * f64::from(1 << 24)).round();
    ensure!(
        m.abs() <= f64::from(i32::MAX),
        "a multiplier of {ratio:.3e} is beyond ±128: scales of this node and the one before lie too far apart"
    );
    Ok(m as i32)
}

/// Scale that makes the largest magnitude 127.
fn scale_of(row: &[f32]) -> f64 {
    f64::from(row.iter().fold(0.0f32, |m, w| m.max(w.abs()))) / 127.0
}

/// One row at `scale`, widened until its accumulator is proven below 2²³.
fn quantise_row(row: &[f32], bias: f32, x_scale: f64, scale: f64) -> (Vec<i8>, i32, f64) {
    let mut scale = scale;
    loop {
        let q: Vec<i8> = row.iter().map(|w| (f64::from(*w) / scale).round().clamp(-127.0, 127.0) as i8).collect();
        let b = (f64::from(bias) / (x_scale * scale)).round();
        let reach = q.iter().map(|w| i64::from(w.unsigned_abs())).sum::<i64>() as f64 * 127.0 + b.abs();
        if reach < ACC_LIMIT as f64 {
            return (q, b as i32, scale);
        }
        scale *= 1.05;
    }
}

/// All rows with a scale each: int8 weights `(n_out, n_in)` and the rows' constants.
fn layer(w: &Matrix, b: &[f32], x_scale: f64, y_scale: impl Fn(usize) -> f64) -> Result<(Vec<i8>, Vec<Row>)> {
    let mut weights = Vec::new();
    let mut rows = Vec::new();
    for (i, &bias) in b.iter().enumerate().take(w.rows) {
        // A row of zeros still carries its bias, in the output's scale.
        let scale = scale_of(w.row(i)).max(1e-4 * y_scale(i) / x_scale);
        let (q, bias, scale) = quantise_row(w.row(i), bias, x_scale, scale);
        weights.extend(q);
        rows.push(Row {
            bias,
            multiplier: multiplier(x_scale * scale / y_scale(i)).with_context(|| format!("row {i}"))?,
        });
    }
    Ok((weights, rows))
}

/// Rows of several bases with one scale for row i of all of them.
fn shared_rows(u: &[(Matrix, Vec<f32>)], x_scale: f64) -> Result<(Vec<i8>, Vec<i32>, Vec<f64>)> {
    let n_out = u[0].0.rows;
    let scales: Vec<f64> = (0..n_out)
        .map(|i| {
            let start = u.iter().map(|(u, _)| scale_of(u.row(i))).fold(1e-9, f64::max);
            u.iter().map(|(u, c)| quantise_row(u.row(i), c[i], x_scale, start).2).fold(start, f64::max)
        })
        .collect();
    let mut weights = Vec::new();
    let mut biases = Vec::new();
    for (u, c) in u {
        for i in 0..n_out {
            let (q, bias, scale) = quantise_row(u.row(i), c[i], x_scale, scales[i]);
            ensure!(scale == scales[i], "row {i} does not fit its scale");
            weights.extend(q);
            biases.push(bias);
        }
    }
    Ok((weights, biases, scales))
}
