//! Artifacts as bytes: the weight section's builder, the assembly, and the memory they lie in.

use anyhow::{Context, Result, anyhow};
use smidgen_shared::artifact::{self, ALIGNMENT, Artifact, Golden, GoldenVector, HEADER_BYTES, Header, Manifest};
use smidgen_shared::cost::{self, Core};
use smidgen_shared::fixed::Row;
use smidgen_shared::kernel::Portable;
use smidgen_shared::op::Op;
use smidgen_shared::run::Runner;

use super::Description;
use crate::graph::Class;

/// Bytes at a 16-byte boundary, as flash gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aligned {
    words: Vec<u128>,
    len: usize,
}

impl Aligned {
    /// Copies `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0u128; bytes.len().div_ceil(ALIGNMENT)];
        bytemuck::cast_slice_mut::<u128, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Aligned { words, len: bytes.len() }
    }

    /// All bytes, to be altered in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    /// The artifact in them.
    pub fn artifact(&self) -> Result<Artifact<'_>, artifact::Error> {
        Artifact::exact(self)
    }
}

impl std::ops::Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}

/// Builds the weight section; every constant starts at a multiple of 4.
#[derive(Default)]
pub(super) struct Weights {
    bytes: Vec<u8>,
}

impl Weights {
    fn start(&mut self) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes.len() as u32
    }

    pub(super) fn i8s(&mut self, values: &[i8]) -> u32 {
        let at = self.start();
        self.bytes.extend(values.iter().map(|&v| v as u8));
        at
    }

    pub(super) fn u8s(&mut self, values: &[u8]) -> u32 {
        let at = self.start();
        self.bytes.extend(values);
        at
    }

    pub(super) fn u16s(&mut self, values: &[u16]) -> u32 {
        let at = self.start();
        self.bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        at
    }

    pub(super) fn i32s(&mut self, values: &[i32]) -> u32 {
        let at = self.start();
        self.bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        at
    }

    /// As they lie in this machine's memory, which is little-endian.
    pub(super) fn pods<T: bytemuck::Pod>(&mut self, values: &[T]) -> u32 {
        const { assert!(u16::from_ne_bytes([1, 0]) == 1, "the artifact is little-endian, and so are all hosts") };
        let at = self.start();
        self.bytes.extend(bytemuck::cast_slice::<T, u8>(values));
        at
    }

    pub(super) fn rows(&mut self, rows: &[Row]) -> u32 {
        let flat: Vec<i32> = rows.iter().flat_map(|row| [row.bias, row.multiplier]).collect();
        self.i32s(&flat)
    }
}

/// A figure of the model's quality, 0..1.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// E.g. `T1`.
    pub name: String,
    /// Of the float model.
    pub float: f64,
    /// Of the int8 model.
    pub int8: f64,
}

/// Where a model comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// Data set and its options.
    pub dataset: String,
    /// Split that was held out.
    pub split: String,
    /// Seed of the training.
    pub seed: u64,
    /// What was trained.
    pub settings: String,
    /// Measured on the held-out split.
    pub metrics: Vec<Metric>,
}

/// All that goes into an artifact besides its golden vectors.
pub(super) struct Parts<'a> {
    pub family: &'a str,
    pub input: artifact::Input,
    pub arena_bytes: u32,
    pub ops: &'a [Op],
    pub classes: &'a [Class],
    /// value of one unit of the outputs
    pub unit: f32,
    pub bounds: &'a [artifact::Bound<'a>],
    pub provenance: &'a Provenance,
    pub weights: &'a Weights,
    /// where the sampler lies in them, 0: there is none
    pub sampler: u32,
}

/// What holds for a model on every board of `description`.
pub(super) fn bounds<'d>(
    description: &'d Description,
    model: &cost::Model<'_>,
    ops: &[Op],
) -> Vec<artifact::Bound<'d>> {
    description.boards.iter().map(|(board, core)| bound(board, *core, model, ops)).collect()
}

/// What holds for a model on one board.
pub(super) fn bound<'b>(board: &'b str, core: Core, model: &cost::Model<'_>, ops: &[Op]) -> artifact::Bound<'b> {
    artifact::Bound {
        board,
        instructions: model.instructions(ops.iter().copied(), core),
        per_sample: cost::per_sample(model.input, ops.first(), core),
        stack_bytes: cost::stack_bytes(core),
    }
}

impl Parts<'_> {
    /// The artifact's bytes, golden vectors included: `inputs` are int8 outputs of the first operator.
    pub(super) fn assemble(&self, inputs: &[Vec<i8>]) -> Result<Aligned> {
        let without = self.layout(0, &[])?;
        let artifact = without.artifact().map_err(|e| anyhow!("the exported artifact is refused: {e}"))?;
        let mut arena = vec![0u32; artifact.arena_bytes().div_ceil(4) as usize];
        let mut runner = Runner::<Portable>::new(artifact, &mut arena).map_err(|e| anyhow!("{e:?}"))?;
        let mut vectors = Vec::new();
        for input in inputs {
            runner.infer(input, None).map_err(|e| anyhow!("{e:?}"))?;
            vectors.push((input.clone(), runner.output().map_err(|e| anyhow!("{e:?}"))?.to_vec()));
        }
        let front = runner.front_checksum().map_err(|e| anyhow!("{e:?}"))?;
        let whole = self.layout(front, &vectors)?;
        whole.artifact().map_err(|e| anyhow!("the exported artifact is refused: {e}"))?;
        Ok(whole)
    }

    fn layout(&self, front_crc: u32, vectors: &[(Vec<i8>, Vec<u8>)]) -> Result<Aligned> {
        let list = |items: Vec<Result<Vec<u8>, postcard::Error>>| {
            items.into_iter().collect::<Result<Vec<_>, _>>().map(|parts| parts.concat()).context("postcard")
        };
        let metrics = list(
            self.provenance
                .metrics
                .iter()
                .map(|m| {
                    let share = |v: f64| (v * 10_000.0).round().clamp(0.0, 10_000.0) as u16;
                    postcard::to_stdvec(&artifact::Metric { name: &m.name, float: share(m.float), int8: share(m.int8) })
                })
                .collect(),
        )?;
        let provenance = postcard::to_stdvec(&artifact::Provenance {
            dataset: &self.provenance.dataset,
            split: &self.provenance.split,
            seed: self.provenance.seed,
            tool: concat!("smidgen ", env!("CARGO_PKG_VERSION")),
            settings: &self.provenance.settings,
            metric_count: self.provenance.metrics.len() as u8,
            metrics: &metrics,
        })?;
        let ops = list(self.ops.iter().map(postcard::to_stdvec).collect())?;
        let classes = list(
            self.classes
                .iter()
                .map(|c| postcard::to_stdvec(&artifact::Class { name: &c.name, seen: c.seen }))
                .collect(),
        )?;
        let bounds = list(self.bounds.iter().map(postcard::to_stdvec).collect())?;
        let manifest = postcard::to_stdvec(&Manifest {
            family: self.family,
            input: self.input,
            arena_bytes: self.arena_bytes,
            op_count: u8::try_from(self.ops.len()).context("more than 255 operators")?,
            ops: &ops,
            class_count: u16::try_from(self.classes.len()).context("more than 65,535 classes")?,
            classes: &classes,
            unit: self.unit,
            bound_count: self.bounds.len() as u8,
            bounds: &bounds,
            provenance: &provenance,
            sampler: self.sampler,
        })?;
        let golden = list(
            vectors
                .iter()
                .map(|(input, output)| {
                    postcard::to_stdvec(&GoldenVector { input: bytemuck::cast_slice(input), output })
                })
                .collect(),
        )?;
        let golden = postcard::to_stdvec(&Golden { front_crc, count: vectors.len() as u8, vectors: &golden })?;

        sections(Header::default(), &manifest, self.weights, &golden)
    }
}

/// An artifact of its parts; counter and packing are those of `header`, its lengths are counted. Not signed.
pub(super) fn sections(header: Header, manifest: &[u8], weights: &Weights, golden: &[u8]) -> Result<Aligned> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes.extend(manifest);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    let weights_at = bytes.len();
    bytes.extend(&weights.bytes);
    let golden_at = bytes.len();
    bytes.extend(golden);
    let span = |at: usize, len: usize| (at as u32, len as u32);
    let mut header = Header {
        total: u32::try_from(bytes.len()).context("an artifact of 4 GB")?,
        manifest: span(HEADER_BYTES, manifest.len()),
        weights: span(weights_at, weights.bytes.len()),
        golden: span(golden_at, golden.len()),
        crc: 0,
        signed: false,
        ..header
    };
    bytes[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    header.crc = Header::checksum(&bytes);
    bytes[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    Ok(Aligned::new(&bytes))
}

/// Adds `delta` to byte `index` of the weight section and makes the checksum fit again: what a
/// drill needs, and a test, to show that `verify` finds a single altered weight.
pub fn rewrite_weight(bytes: &mut Aligned, index: usize, delta: i8) -> Result<()> {
    let mut header = *bytes.artifact()?.header();
    let (at, len) = header.weights;
    anyhow::ensure!(index < len as usize, "byte {index} of a weight section of {len} bytes");
    let slot = &mut bytes.bytes_mut()[at as usize + index];
    *slot = slot.wrapping_add(delta as u8);
    header.crc = Header::checksum(bytes);
    bytes.bytes_mut()[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    Ok(())
}
