//! Random models of every operator, shape and input: what the cost model is fitted to, and tried on.

use std::sync::LazyLock;

use smidgen::compress::{Aligned, Description, export};
use smidgen::data::load;
use smidgen::device::Board;
use smidgen::graph::{Class, Graph, Input, Node, Op, Smooth};
use smidgen::infer::{description, raw};
use smidgen::program::{Program, Step, Watched};
use smidgen_shared::features::{self, MAX_CHANNELS, Spec, Stats};
use smidgen_shared::kernel::Packing;

use crate::Lcg;

/// A model as a board takes it, with inputs.
pub struct Model {
    /// The artifact.
    pub bytes: Aligned,
    /// Raw int16.
    pub inputs: Vec<Vec<i16>>,
    /// What it is, in words.
    pub name: String,
}

/// Channels of spar's windows.
const SPAR_CHANNELS: usize = 6;
/// Inputs of a model.
const INPUTS: usize = 24;

impl Lcg {
    /// In `from..to`.
    pub fn range(&mut self, from: usize, to: usize) -> usize {
        from + ((self.draw() + 1.0) / 2.0 * (to - from) as f32) as usize % (to - from)
    }

    /// In `from..to`, small ones as likely as large ones.
    pub fn size(&mut self, from: usize, to: usize) -> usize {
        let t = f64::from((self.draw() + 1.0) / 2.0);
        ((from as f64) * (to as f64 / from as f64).powf(t)) as usize
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.range(0, of.len())]
    }
}

/// A model of at most `weights` weights, laid out for `board`: in its own packing, every third row-major.
///
/// # Panics
/// Where twenty draws in a row don't export: a mistake of this file's.
pub fn model(seed: u64, weights: usize, board: &Board) -> Model {
    let mut description: Description = description(Default::default(), Default::default(), Some(board)).unwrap();
    if seed / 8 % 3 == 2 {
        description.packing = Packing::RowMajor;
    }
    let mut why = String::new();
    for attempt in 0..20 {
        let mut r = Lcg((seed ^ attempt << 48).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED);
        for _ in 0..3 {
            r.draw();
        }
        let (graph, calibration, inputs) = match seed % 8 {
            0 => laws(&mut r, board.target.ends_with("eabihf")),
            1 => tokens(&mut r, weights),
            _ if takes_window(seed) => windows(&mut r, weights),
            _ => vector(&mut r, weights),
        };
        let kinds: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
        let name = format!("{seed}: {}", kinds.join(" → "));
        // Random layers may leave a neuron that never answers, or scales that lie too far apart.
        match export(&graph, &calibration, &description) {
            Ok(exported) => return Model { bytes: exported.bytes, inputs, name },
            Err(error) => why = format!("{name}: {error:#}"),
        }
    }
    panic!("{why}");
}

/// Whether the model of this seed takes windows.
pub fn takes_window(seed: u64) -> bool {
    matches!(seed % 8, 2 | 3)
}

type Made = (Graph, Vec<Vec<f32>>, Vec<Vec<i16>>);

fn int16(inputs: &[Vec<f32>]) -> Vec<Vec<i16>> {
    inputs.iter().map(|input| input.iter().map(|&v| v as i16).collect()).collect()
}

fn vector(r: &mut Lcg, weights: usize) -> Made {
    // Beyond 256 columns sparse matrices are stored otherwise: some models begin with such a one.
    let wide = r.draw() < -0.5;
    let n = if wide { r.range(257, 900) } else { r.size(1, 256) };
    let mean = r.values(n).iter().map(|v| (v * 300.0).round()).collect();
    let first = Op::Standardise { mean, deviation: vec![700.0; n], clip: 3.0 };
    let mut nodes = vec![Node { name: format!("{n} values"), op: first }];
    let mut width = n;
    if wide {
        width = r.range(3, 40);
        let op = sparse(r, 0, n, width);
        nodes.push(Node { name: format!("sparse to {width}"), op });
    }
    let inputs: Vec<Vec<f32>> =
        (0..INPUTS).map(|_| r.values(n).iter().map(|v| (v * 1500.0).round()).collect()).collect();
    let raw = int16(&inputs);
    (layers(r, Input::Vector(n), nodes, width, weights), inputs, raw)
}

fn tokens(r: &mut Lcg, weights: usize) -> Made {
    let (count, vocabulary, dim) = (r.range(1, 8), r.range(2, 120), r.range(1, 40));
    let first = Op::Embed { tokens: count, table: r.matrix(vocabulary, dim) };
    let nodes = vec![Node { name: format!("{count} tokens of {dim}"), op: first }];
    let inputs: Vec<Vec<f32>> =
        (0..INPUTS).map(|_| (0..count).map(|_| r.range(0, vocabulary) as f32).collect()).collect();
    let raw = int16(&inputs);
    (layers(r, Input::Vector(count), nodes, count * dim, weights), inputs, raw)
}

/// Windows of sines, noise and drift, or recorded ones of spar: the steps of a division in software depend on what is
/// divided, and a motion's sums differ from a sine's.
fn windows(r: &mut Lcg, weights: usize) -> Made {
    let spec = loop {
        let stats = r.one_of(&[Stats::CHEAP, Stats::WRIST, Stats::RICH, Stats(1), Stats(2), Stats(4 | 1024), Stats(0)]);
        let stats = if stats.0 == 0 { Stats(r.range(1, 2048) as u16) } else { stats };
        let spec = Spec { channels: r.range(1, 10) as u8, window: r.range(32, 200) as u16, stats };
        if spec.check().is_ok() && spec.count() <= 200 {
            break spec;
        }
    };
    let channels = usize::from(spec.channels);
    let recorded = r.draw() < 0.0;
    let raw: Vec<Vec<i16>> =
        (0..INPUTS).map(|_| if recorded { recording(r, &spec) } else { window(r, &spec) }).collect();
    let taken = |samples: &Vec<i16>| {
        let mut state = vec![0; spec.state_words()];
        features::begin(&spec, &mut state);
        for step in samples.chunks_exact(channels) {
            features::push(&spec, &mut state, step).unwrap();
        }
        let mut taken = vec![0.0; spec.count()];
        features::finish(&spec, &mut state, |i, v| taken[i] = v as f32).unwrap();
        taken
    };
    let calibration: Vec<Vec<f32>> = raw.iter().map(taken).collect();
    let n = spec.count();
    let mean: Vec<f32> = (0..n).map(|i| calibration.iter().map(|f| f[i]).sum::<f32>() / INPUTS as f32).collect();
    let deviation = (0..n)
        .map(|i| (calibration.iter().map(|f| (f[i] - mean[i]).powi(2)).sum::<f32>() / INPUTS as f32).sqrt().max(1.0));
    let first = Op::Standardise { deviation: deviation.collect(), mean, clip: 3.0 };
    let nodes = vec![Node { name: format!("{channels} channels, stats {:#x}", spec.stats.0), op: first }];
    (layers(r, Input::Window(spec), nodes, n, weights), calibration, raw)
}

/// A window of spar cut to length; channels beyond its six are those from the first on again.
fn recording(r: &mut Lcg, spec: &Spec) -> Vec<i16> {
    static WINDOWS: LazyLock<Vec<Vec<i16>>> = LazyLock::new(|| {
        let dataset = load("spar", None).expect("spar is embedded");
        (0..dataset.len()).map(|i| raw(&dataset, i).expect("a window of it")).collect()
    });
    let window = &WINDOWS[r.range(0, WINDOWS.len())];
    let steps = window.chunks_exact(SPAR_CHANNELS).take(spec.window.into());
    steps.flat_map(|step| (0..usize::from(spec.channels)).map(|c| step[c % SPAR_CHANNELS])).collect()
}

fn window(r: &mut Lcg, spec: &Spec) -> Vec<i16> {
    let wave: [(f32, f32, f32, f32); MAX_CHANNELS] = core::array::from_fn(|_| {
        let amplitude = 2f32.powf(7.0 + 5.0 * (r.draw() + 1.0) / 2.0);
        (amplitude, (r.draw() + 1.1) * 0.5, r.draw() * 4000.0, amplitude * 0.2)
    });
    let mut samples = Vec::new();
    for t in 0..spec.window {
        for (amplitude, frequency, offset, noise) in &wave[..spec.channels.into()] {
            samples.push((amplitude * (frequency * f32::from(t)).sin() + offset + noise * r.draw()) as i16);
        }
    }
    samples
}

/// A layer of which few weights, or few columns, are not 0.
fn sparse(r: &mut Lcg, x: usize, n_in: usize, n_out: usize) -> Op {
    let density = r.one_of(&[0.03, 0.06, 0.1, 0.15]);
    let columns = r.draw() < 0.0;
    let kept: Vec<bool> = (0..n_in * if columns { 1 } else { n_out }).map(|_| r.draw() < 2.0 * density - 1.0).collect();
    let w = crate::pruned(r.matrix(n_out, n_in), |i, j| kept[if columns { j } else { i * n_in + j }]);
    let relu = r.draw() < 0.0;
    Op::Dense { x, w, b: r.values(n_out), relu }
}

/// Layers behind the first node, of `width` values, until `weights` are spent.
fn layers(r: &mut Lcg, input: Input, mut nodes: Vec<Node>, mut width: usize, weights: usize) -> Graph {
    let mut left = weights;
    let depth = r.range(1, 7);
    let put = |nodes: &mut Vec<Node>, name: String, op| {
        nodes.push(Node { name, op });
        nodes.len() - 1
    };
    for _ in 0..depth {
        let x = nodes.len() - 1;
        let most = (left / (2 * width)).clamp(2, 220);
        let n_out = r.size(1, most + 1);
        match r.range(0, 10) {
            0 => {
                put(&mut nodes, "unit-rms".into(), Op::UnitRms { x });
            }
            1 => {
                let function = r.one_of(&[Smooth::Tanh, Smooth::Silu]);
                put(&mut nodes, "lookup".into(), Op::Lookup { x, function });
            }
            2 | 3 => {
                let rank = r.size(1, 1 + n_out.min(width)).max(1);
                let op = Op::LowRank {
                    x,
                    v: r.matrix(rank, width),
                    b: r.values(rank),
                    u: r.matrix(n_out, rank),
                    c: r.values(n_out),
                };
                put(&mut nodes, format!("low-rank {rank} to {n_out}"), op);
                left = left.saturating_sub(rank * (width + n_out));
                width = n_out;
            }
            4 | 5 => {
                let op = sparse(r, x, width, n_out);
                put(&mut nodes, format!("sparse to {n_out}"), op);
                left = left.saturating_sub(width * n_out);
                width = n_out;
            }
            6 | 7 => {
                let bases = r.range(2, 9);
                let keep = r.range(1, bases.min(5) + 1);
                let n_out = n_out.min((left / (bases * width)).max(2));
                let gate = Op::Gate { x, w: r.matrix(bases, width), c: r.values(bases), keep, temperature: 2.0 };
                let rank = (r.draw() < 0.3).then(|| r.size(1, 1 + n_out.min(width)).max(1));
                let base = (r.draw() < 0.0).then(|| {
                    let op = Op::Dense { x, w: r.matrix(n_out, width), b: r.values(n_out), relu: false };
                    put(&mut nodes, format!("dense to {n_out}"), op)
                });
                let gate = put(&mut nodes, format!("gate {keep} of {bases}"), gate);
                let v = rank.map(|rank| (0..bases).map(|_| (r.matrix(rank, width), r.values(rank))).collect());
                let inner = rank.unwrap_or(width);
                let u = (0..bases).map(|_| (r.matrix(n_out, inner), r.values(n_out))).collect();
                put(&mut nodes, format!("mix {rank:?} to {n_out}"), Op::Mix { x, gate, base, v, u });
                left = left.saturating_sub((bases + 1) * (inner * (width + n_out)));
                width = n_out;
            }
            _ => {
                let relu = r.draw() < 0.0;
                let op = Op::Dense { x, w: r.matrix(n_out, width), b: r.values(n_out), relu };
                put(&mut nodes, format!("dense to {n_out}"), op);
                left = left.saturating_sub(width * n_out);
                width = n_out;
            }
        }
        if left < 4 * width {
            break;
        }
    }
    let x = nodes.len() - 1;
    let n_out = r.range(1, 24);
    let mut classes = Vec::new();
    if r.draw() < 0.0 {
        let handicaps = if r.draw() < 0.0 { vec![0.1; n_out] } else { vec![0.0; n_out] };
        let rows = crate::unit_rows(r.matrix(n_out, width));
        put(&mut nodes, format!("match {n_out}"), Op::Match { x, rows, handicaps });
        classes = (0..n_out).map(|c| Class { name: format!("c{c}"), seen: true }).collect();
    } else {
        // Scores are int16, which some cores' sparse kernels do otherwise: every third such layer has few weights.
        if width.is_multiple_of(3) {
            let Op::Dense { x, w, b, .. } = sparse(r, x, width, n_out) else { unreachable!("a dense layer") };
            put(&mut nodes, format!("sparse to {n_out}"), Op::Dense { x, w, b, relu: false });
        } else {
            let op = Op::Dense { x, w: r.matrix(n_out, width), b: r.values(n_out), relu: false };
            put(&mut nodes, format!("dense to {n_out}"), op);
        }
    }
    Graph { family: "test".into(), input, nodes, classes }
}

/// A monitor of sums of products, sines, cosines and roots, in fixed point or, where `float`, mostly in f32.
fn laws(r: &mut Lcg, float: bool) -> Made {
    let float = float && r.draw() < 0.3;
    let n = r.range(1, 9);
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..r.range(1, 60) {
        let a = r.range(0, n + steps.len());
        let before = steps.iter().rposition(|s| matches!(s, Step::Affine { .. }));
        steps.push(match r.range(0, 10) {
            0..4 => Step::Product { a: r.range(0, n), b: r.range(0, n) },
            4 => Step::Rsqrt { a: r.range(0, n) },
            5 => Step::Sin { a: r.range(0, n) },
            6 => Step::Cos { a: r.range(0, n) },
            _ => Step::Affine {
                c: f64::from(r.draw()) + 1.5,
                a: if a < n { a } else { r.range(0, n) },
                b: before.filter(|_| r.draw() < 0.5).map(|b| n + b),
            },
        });
    }
    let laws: Vec<Watched> = (0..r.range(1, 6))
        .map(|_| Watched { value: r.range(0, n + steps.len()), centre: 0.1, band: 1.0, smoothing: r.range(0, 9) as u8 })
        .collect();
    let program = Program { units: vec![1.0 / 4096.0; n], steps, laws, float };
    let name = format!("{n} values, {} steps, {} laws", program.steps.len(), program.laws.len());
    let inputs: Vec<Vec<f32>> =
        (0..INPUTS).map(|_| r.values(n).iter().map(|v| (4200.0 + v * 4000.0).round()).collect()).collect();
    let nodes = vec![Node { name, op: Op::Poly(program) }];
    let raw = int16(&inputs);
    (Graph { family: "test".into(), input: Input::Vector(n), nodes, classes: vec![] }, inputs, raw)
}
