//! Inference on the host: the very code that the chip runs, over memory of the host's.

use anyhow::{Context, Result, anyhow, ensure};
use smidgen_shared::artifact::{Artifact, Sampler};
use smidgen_shared::draw::Drawn;
use smidgen_shared::fixed::requant_i8;
use smidgen_shared::kernel::{Kernel, Naive, Packing, Portable};
use smidgen_shared::op::Op;
use smidgen_shared::run::{self, Runner};
use smidgen_shared::{explain, features};

use smidgen_shared::cost::Core;

use crate::compress::{self, Aligned, Description, Layout, Provenance};
use crate::data::{Dataset, Input};
use crate::device::Board;
use crate::graph::{self, Graph};

/// Value of one count where a dataset gives float vectors: ±16 in int16.
pub const VECTOR_LSB: f32 = 1.0 / 2048.0;

/// What a model answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Index of the largest score.
    pub class: u16,
    /// Scores, little-endian, of the artifact's output type.
    pub scores: Vec<u8>,
}

/// A model in memory, run by the kernels that the portable firmware has.
pub type Host<'m, 'a> = Model<'m, 'a, Portable>;

/// A model in memory, run by the naive kernels.
pub type Oracle<'m, 'a> = Model<'m, 'a, Naive>;

/// A model in memory, ready to be run.
pub struct Model<'m, 'a, K> {
    runner: Runner<'m, 'a, K>,
}

impl<'m, 'a, K: Kernel> Model<'m, 'a, K> {
    /// `arena` is grown to what the model needs.
    pub fn new(artifact: Artifact<'m>, arena: &'a mut Vec<u32>) -> Result<Self> {
        arena.resize(artifact.arena_bytes().div_ceil(4) as usize, 0);
        let runner = Runner::new(artifact, arena).map_err(|e| anyhow!("the model does not run: {e:?}"))?;
        Ok(Model { runner })
    }

    /// Runs one raw input, `(steps, channels)`.
    pub fn answer(&mut self, raw: &[i16]) -> Result<Answer> {
        self.run(raw, None)?;
        Ok(Answer { class: self.runner.class(), scores: self.bytes(None)? })
    }

    /// Scores of one input whose features (or raw values) are already there, as whole numbers: the
    /// bits of [`Model::answer`], without taking the window in again.
    pub fn scores_of_features(&mut self, features: &[f32]) -> Result<Vec<i32>> {
        let (y, rows) = match self.runner.artifact().ops().next() {
            Some(Op::Standardise { y, rows }) => (y, rows),
            // Tokens are their own features.
            _ => {
                let tokens: Vec<i16> = features.iter().map(|&t| t as i16).collect();
                self.run(&tokens, None)?;
                return Ok(self.scores());
            }
        };
        let rows = self.runner.artifact().rows(rows, y.len as usize)?;
        ensure!(features.len() == rows.len(), "{} features for a model of {}", features.len(), rows.len());
        let x: Vec<i8> = features
            .iter()
            .zip(rows)
            .map(|(f, row)| requant_i8((*f as i32).wrapping_add(row.bias), row.multiplier, -127))
            .collect();
        self.runner.infer(&x, None).map_err(|e| anyhow!("{e:?}"))?;
        Ok(self.scores())
    }

    /// Bytes that operator `op` writes for one raw input.
    pub fn trace(&mut self, raw: &[i16], op: u8) -> Result<Vec<u8>> {
        self.run(raw, Some(op))?;
        self.bytes(Some(op))
    }

    /// Scores of the last input as numbers.
    pub fn scores(&self) -> Vec<i32> {
        (0..).map_while(|i| self.runner.score(i)).collect()
    }

    /// Scores of the last input in the float model's own unit: what a regression answers.
    pub fn values(&self) -> Vec<f32> {
        values(self.runner.artifact(), &self.scores())
    }

    /// Values of an input.
    pub fn inputs(&self) -> usize {
        self.runner.channels() * usize::from(self.runner.steps())
    }

    /// The operators in order.
    pub fn operators(&self) -> Vec<Op> {
        self.runner.artifact().ops().collect()
    }

    /// The sampler of a denoiser.
    pub fn sampler(&self) -> Option<&'m Sampler> {
        self.runner.artifact().sampler()
    }

    /// Draws a sample of a class (`None`: of none).
    ///
    /// # Errors
    /// A model that draws no samples, or knows no such class.
    pub fn draw(&mut self, label: Option<u8>, seed: u32) -> Result<Sample> {
        let mut drawn = self.draw_until(label, seed, 0)?;
        while drawn.done < drawn.total {
            drawn = self.draw_until(label, seed, drawn.done + 1)?;
        }
        Ok(Sample { values: self.sample()?, evaluations: drawn.done })
    }

    /// One step of a draw, as [`Runner::draw`].
    ///
    /// # Errors
    /// As [`Model::draw`].
    pub fn draw_until(&mut self, label: Option<u8>, seed: u32, evaluations: u16) -> Result<Drawn> {
        let labels = self.sampler().map_or(0, |sampler| sampler.labels);
        self.runner.draw(label, seed, evaluations).map_err(|e| match e {
            run::Error::NoSampler => anyhow!("the model draws no samples"),
            run::Error::NoLabel => anyhow!("the model draws classes 0 to {}", labels.saturating_sub(1)),
            e => anyhow!("{e:?}"),
        })
    }

    /// The sample as it is.
    ///
    /// # Errors
    /// Where none is begun.
    pub fn sample(&self) -> Result<Vec<f32>> {
        Ok(floats(self.runner.sample().context("no sample is begun")?))
    }

    /// Terms of the score of `class` for one raw input, as [`explain::terms`] gives them.
    pub fn explain(&mut self, raw: &[i16], class: usize) -> Result<Vec<i32>> {
        let artifact = *self.runner.artifact();
        let no = |e: explain::Error| anyhow!("{e:?}: the model's scores have no exact terms");
        self.run(raw, Some(explain::stop(&artifact).map_err(no)?))?;
        let count = explain::count(&artifact).map_err(no)?;
        let mut terms = Vec::new();
        while terms.len() < count {
            let mut part = [0; explain::MAX_TERMS];
            let n = explain::terms(&artifact, self.runner.arena(), class, None, terms.len(), &mut part).map_err(no)?;
            terms.extend_from_slice(&part[..n]);
        }
        Ok(terms)
    }

    fn bytes(&self, op: Option<u8>) -> Result<Vec<u8>> {
        let bytes = match op {
            Some(op) => self.runner.output_of(op),
            None => self.runner.output(),
        };
        Ok(bytes.map_err(|e| anyhow!("{e:?}"))?.to_vec())
    }

    fn run(&mut self, raw: &[i16], last: Option<u8>) -> Result<()> {
        let (channels, steps) = (self.runner.channels(), usize::from(self.runner.steps()));
        ensure!(
            raw.len() == channels * steps,
            "an input of {} values, but the model takes {steps} steps of {channels} channels",
            raw.len()
        );
        if let Some(Op::Embed { vocabulary, .. }) = self.runner.artifact().ops().next() {
            for (i, &token) in raw.iter().enumerate() {
                let known = u16::try_from(token).is_ok_and(|token| token < vocabulary);
                ensure!(known, "token {i} is {token}, but the model knows 0 to {} alone", vocabulary - 1);
            }
        }
        self.runner.begin();
        for step in raw.chunks_exact(channels) {
            self.runner.push(step).map_err(|e| anyhow!("{e:?}"))?;
        }
        self.runner.finish(last).map_err(|e| anyhow!("{e:?}"))
    }
}

/// A sample that a denoiser drew.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// In the data's unit.
    pub values: Vec<f32>,
    /// Of the network.
    pub evaluations: u16,
}

/// A sample's values, given its bytes.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

/// Scores in the float model's own unit.
pub fn values(artifact: &Artifact<'_>, scores: &[i32]) -> Vec<f32> {
    scores.iter().map(|&score| score as f32 * artifact.manifest().unit).collect()
}

/// Raw int16 input `i` of a dataset: a window's counts, or a vector in units of [`VECTOR_LSB`].
pub fn raw(dataset: &Dataset, i: usize) -> Result<Vec<i16>> {
    if let Some(window) = dataset.input.window(i) {
        return Ok(window.to_vec());
    }
    let vector = dataset.input.vector(i).with_context(|| format!("{} has no sample {i}", dataset.name))?;
    let counts = vector.iter().enumerate().map(|(j, v)| {
        let count = (v / VECTOR_LSB).round();
        ensure!(
            count.abs() <= 32767.0,
            "{}, sample {i}, value {j}: {v} is beyond ±16; divide the vectors by a common factor",
            dataset.name
        );
        Ok(count as i16)
    });
    counts.collect()
}

/// What standardisation takes of every sample in `rows`: integer features of windows, raw counts of
/// vectors. `(rows, n)` row-major, and n.
pub fn features(dataset: &Dataset, spec: Option<&features::Spec>, rows: &[u32]) -> Result<(Vec<f32>, usize)> {
    let mut out = Vec::new();
    let n = match (&dataset.input, spec) {
        (Input::Windows { channels, .. }, Some(spec)) => {
            ensure!(
                usize::from(spec.channels) == *channels,
                "features of {} channels for data of {channels}",
                spec.channels
            );
            for &row in rows {
                let window = dataset.input.window(row as usize).with_context(|| format!("no window {row}"))?;
                window_features(spec, window, &mut out).with_context(|| format!("window {row}"))?;
            }
            spec.count()
        }
        (Input::Windows { .. }, None) => anyhow::bail!("windows need a set of features"),
        (Input::Vectors { dim, .. }, _) => {
            for &row in rows {
                out.extend(raw(dataset, row as usize)?.iter().map(|&v| f32::from(v)));
            }
            *dim
        }
    };
    Ok((out, n))
}

/// Appends the features of one window, `(window, channels)`, as whole numbers.
pub fn window_features(spec: &features::Spec, window: &[i16], out: &mut Vec<f32>) -> Result<()> {
    let mut state = vec![0u32; spec.state_words()];
    features::begin(spec, &mut state);
    for step in window.chunks_exact(spec.channels.into()) {
        features::push(spec, &mut state, step).map_err(|e| anyhow!("features: {e:?}"))?;
    }
    features::finish(spec, &mut state, |_, v| out.push(v as f32)).map_err(|e| anyhow!("features: {e:?}"))
}

/// Rows that calibration looks at, at most.
const CALIBRATION_ROWS: usize = 1000;

/// What calibration looks at: at most 1,000 of `rows`, evenly spread, as [`Graph::run`] takes them.
///
/// # Errors
/// Data that the graph does not take.
pub fn calibration(graph: &Graph, dataset: &Dataset, rows: &[u32]) -> Result<Vec<Vec<f32>>> {
    let count = rows.len().min(CALIBRATION_ROWS);
    let spread: Vec<u32> = (0..count).map(|i| rows[i * rows.len() / count]).collect();
    let spec = match &graph.input {
        graph::Input::Window(spec) => Some(spec),
        graph::Input::Vector(_) => None,
    };
    let (values, n) = features(dataset, spec, &spread)?;
    Ok(values.chunks(n).map(<[f32]>::to_vec).collect())
}

/// Quantises `graph`, calibrated on `rows` of the data set, with bounds for every board.
///
/// # Errors
/// As [`calibration`] and [`compress::export`].
pub fn export(graph: &Graph, dataset: &Dataset, rows: &[u32], provenance: Provenance) -> Result<Aligned> {
    let description = description(provenance, Layout::Auto, None)?;
    Ok(compress::export(graph, &calibration(graph, dataset, rows)?, &description)?.bytes)
}

/// A model's origin, with bounds to be stated for every board, and a say in how matrices are
/// stored; `board`: whose instructions decide, and whose packing dense matrices get.
///
/// # Errors
/// A board.toml with a core that has no cost model.
pub fn description(provenance: Provenance, layout: Layout, board: Option<&Board>) -> Result<Description> {
    // A bound is stated where it can be measured; a board on a desk has those of its core.
    let boards = Board::emulated().map(|board| Ok((board.name.clone(), core(&board.core)?))).collect::<Result<_>>()?;
    let core = board.map(|board| core(&board.core)).transpose()?;
    let packing = board.map(packing).transpose()?.unwrap_or_default();
    Ok(Description { provenance, boards, layout, core, sampler: None, packing })
}

/// Instructions of one inference on a board, from the last sample to the scores, as the cost model estimates them.
///
/// # Errors
/// A board.toml with a core that has no cost model.
pub fn instructions(artifact: &Artifact<'_>, board: &Board) -> Result<u32> {
    Ok(smidgen_shared::cost::estimate(artifact, core(&board.core)?))
}

/// The packing that a board's kernel has code of its own for.
///
/// # Errors
/// A board.toml with a core that has no cost model.
pub fn packing(board: &Board) -> Result<Packing> {
    Ok(match core(&board.core)? {
        Core::ArmV7EM | Core::ArmV8M => Packing::HighLow,
        Core::ArmV81M => Packing::Vectors,
        Core::ArmV6M => Packing::Pairs,
        Core::ArmV7M | Core::Rv32 => Packing::Columns,
    })
}

/// The cost model's instruction set of a board.toml's core.
///
/// # Errors
/// A core that there is no model of.
pub fn core(name: &str) -> Result<Core> {
    Ok(match name {
        "cortex-m0" | "cortex-m0+" => Core::ArmV6M,
        "cortex-m3" => Core::ArmV7M,
        "cortex-m4" | "cortex-m7" => Core::ArmV7EM,
        "cortex-m33" => Core::ArmV8M,
        "cortex-m55" => Core::ArmV81M,
        "rv32imac" | "rv32imc" => Core::Rv32,
        other => anyhow::bail!("board.toml: no cost model for core {other:?}"),
    })
}
