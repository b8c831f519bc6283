//! The same bits on host and board: runs both on the same inputs and compares every score.
//!
//! Where they differ, both are run again up to each operator in turn, and the first whose outputs
//! differ is named.

mod draws;

pub use draws::{Draw, compare_draws, compare_kernels, draws};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use smidgen_shared::op::Width;

use crate::compress::Aligned;
use crate::device::{Board, Counts, Device, Link, Qemu, Stats};
use crate::infer::Host;

/// What came of a comparison.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Inputs that were compared.
    pub samples: usize,
    /// The first difference, if there is any.
    pub first_difference: Option<Difference>,
    /// The board's own figures.
    pub stats: Stats,
}

/// Where host and device part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Index among the compared inputs.
    pub sample: usize,
    /// Index of the operator.
    pub operator: usize,
    /// Its kind; `sampler` where no operator differs but the sample drawn does.
    pub kind: &'static str,
    /// Index of the first output element that differs.
    pub index: usize,
    /// The host's value of it; of a sample, its bits.
    pub host: i64,
    /// The device's.
    pub device: i64,
}

impl Difference {
    /// The JSON object of `verify`.
    pub fn json(&self) -> Value {
        json!({
            "sample": self.sample, "operator": format!("{} {}", self.operator, self.kind),
            "index": self.index, "host": self.host, "device": self.device,
        })
    }
}

/// Compares a board that runs some model with the host's `model` on raw `inputs`.
///
/// `progress` hears the number of inputs done. Ends at the first difference.
pub fn compare<L: Link>(
    device: &mut Device<L>,
    model: &Aligned,
    inputs: &[Vec<i16>],
    mut progress: impl FnMut(usize),
) -> Result<Verified> {
    let artifact = model.artifact()?;
    let channels = channels(&artifact);
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena)?;
    // Where the board serves other bytes than ours, scores may hide on every input what rounding swallowed.
    let other_bytes = device.hello().model != Ok(artifact.hash());
    let mut samples = 0;
    let mut first_difference = None;
    for (i, raw) in inputs.iter().enumerate() {
        let ours = host.answer(raw)?;
        let theirs = device.infer(raw, channels)?;
        samples += 1;
        progress(samples);
        // Of the first input every operator is compared: scores may hide what rounding swallowed.
        if (i == 0 || other_bytes)
            && let Some(difference) = locate(device, &mut host, model, raw, i)?
        {
            first_difference = Some(difference);
            break;
        }
        if ours.class != theirs.class || ours.scores != theirs.scores {
            let found = locate(device, &mut host, model, raw, i)?;
            first_difference = Some(found.with_context(|| {
                format!("scores of input {i} differ, but no operator's output does when run again: the link or the board is unsteady")
            })?);
            break;
        }
    }
    Ok(Verified { samples, first_difference, stats: device.stats()? })
}

fn locate<L: Link>(
    device: &mut Device<L>,
    host: &mut Host<'_, '_>,
    model: &Aligned,
    raw: &[i16],
    sample: usize,
) -> Result<Option<Difference>> {
    let artifact = model.artifact()?;
    for (i, op) in artifact.ops().enumerate() {
        let ours = host.trace(raw, i as u8)?;
        let theirs = device.infer_until(raw, channels(&artifact), i as u8)?;
        let width = op.output().1;
        let (a, b) = (values(&ours, width), values(&theirs, width));
        if let Some(index) = (0..a.len().max(b.len())).find(|&j| a.get(j) != b.get(j)) {
            let value = |v: &[i64]| v.get(index).copied().unwrap_or(i64::MIN);
            return Ok(Some(Difference {
                sample,
                operator: i,
                kind: op.kind(),
                index,
                host: value(&a),
                device: value(&b),
            }));
        }
    }
    Ok(None)
}

/// Elements of an operator's output, given its bytes.
pub fn values(bytes: &[u8], width: Width) -> Vec<i64> {
    match width {
        Width::I8 => bytes.iter().map(|&b| i64::from(b as i8)).collect(),
        Width::I16 => bytes.chunks_exact(2).map(|b| i64::from(i16::from_le_bytes([b[0], b[1]]))).collect(),
        Width::I32 => bytes.chunks_exact(4).map(|b| i64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect(),
    }
}

/// Values in a time step of a model's input.
pub fn channels(artifact: &smidgen_shared::artifact::Artifact<'_>) -> usize {
    match artifact.manifest().input {
        smidgen_shared::artifact::Input::Window { spec, .. } => spec.channels.into(),
        smidgen_shared::artifact::Input::Vector { .. } => 1,
    }
}

/// Starts `board` in QEMU with `loaded` in its flash slot and waits until it answers.
pub fn start(board: &Board, loaded: &[u8]) -> Result<Device<Qemu>> {
    let device = Device::connect(Qemu::start(board, loaded, false)?)?;
    if let Err(fault) = device.hello().model {
        anyhow::bail!("{} refuses the model: {}", board.name, crate::device::in_words(fault));
    }
    Ok(device)
}

/// Executed instructions on `board`, counted over `inputs` in a QEMU of its own; the reason where
/// they can't be counted.
pub fn count(board: &Board, model: &Aligned, inputs: &[Vec<i16>]) -> Result<Result<Counts, String>> {
    let artifact = model.artifact()?;
    let mut device = Device::connect(Qemu::start(board, model, true)?)?;
    for raw in inputs {
        device.infer(raw, channels(&artifact)).with_context(|| format!("counting on {}", board.name))?;
    }
    Ok(device.into_link().stop())
}
