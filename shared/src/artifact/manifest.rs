//! The manifest: what the model is, in postcard, decoded item by item and never copied.

use core::marker::PhantomData;
use serde::{Deserialize, Serialize};

use crate::features;

/// What a model is. Lists are runs of postcard items ([`Items`]) so that a chip decodes one at a time.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub struct Manifest<'a> {
    /// Family of models, e.g. `parsnets`.
    pub family: &'a str,
    /// What the model takes.
    pub input: Input,
    /// Bytes of arena, exactly.
    pub arena_bytes: u32,
    /// Number of operators in `ops`.
    pub op_count: u8,
    /// Operators in order, as [`Op`](crate::op::Op)s.
    #[serde(borrow)]
    pub ops: &'a [u8],
    /// Number of classes in `classes`; 0 for models that do not classify.
    pub class_count: u16,
    /// Classes in the order of the scores, as [`Class`]es.
    pub classes: &'a [u8],
    /// Value of one unit of the outputs, so that the host can say them as real numbers: scores of a
    /// classifier, or what a regression answers. No chip computes with it.
    pub unit: f32,
    /// Number of bounds in `bounds`.
    pub bound_count: u8,
    /// Bounds by board, as [`Bound`]s.
    pub bounds: &'a [u8],
    /// Where the model comes from, as a [`Provenance`]; the chip never decodes it.
    pub provenance: &'a [u8],
    /// Where the [`Sampler`](super::Sampler) of a denoiser lies in the weight section, behind the weights; 0: there is none.
    pub sampler: u32,
}

/// What a model takes.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A window of raw sensor samples, one time step after the other, turned into features on the
    /// way; `state` is the byte offset in the arena of the features' running sums.
    Window { spec: features::Spec, state: u32 },
    /// `len` raw int16 values.
    Vector { len: u16 },
}

/// One class.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether training saw samples of it.
    pub seen: bool,
}

/// What holds on one board.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<'a> {
    /// The board's name, e.g. `qemu-m4`.
    pub board: &'a str,
    /// No inference takes more instructions than this, from the last sample's arrival to the scores.
    pub instructions: u32,
    /// Instructions at most for taking in one time step.
    pub per_sample: u32,
    /// No request to a board that serves this model uses more stack, bytes, interrupts included.
    pub stack_bytes: u32,
}

/// One measured figure, in 1/10,000.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric<'a> {
    /// E.g. `T1`, `H`, `accuracy`.
    pub name: &'a str,
    /// Of the float model, in 1/10,000.
    pub float: u16,
    /// Of the int8 model, in 1/10,000.
    pub int8: u16,
}

/// Where a model comes from.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance<'a> {
    /// Data set and its options.
    pub dataset: &'a str,
    /// Split that was held out.
    pub split: &'a str,
    /// Seed of the training.
    pub seed: u64,
    /// Version of the tool that made it.
    pub tool: &'a str,
    /// What was trained: the model's settings.
    pub settings: &'a str,
    /// Number of metrics.
    pub metric_count: u8,
    /// [`Metric`]s.
    #[serde(borrow)]
    pub metrics: &'a [u8],
}

/// What a device replays before it serves the model.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Golden<'a> {
    /// CRC-32 of the first operator's output for the input of [`golden_sample`].
    pub front_crc: u32,
    /// Number of vectors.
    pub count: u8,
    /// [`GoldenVector`]s.
    #[serde(borrow)]
    pub vectors: &'a [u8],
}

/// One input of the second operator, and the scores it must give.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoldenVector<'a> {
    /// int8, the first operator's output
    pub input: &'a [u8],
    /// the last operator's output, little-endian
    pub output: &'a [u8],
}

/// The golden input of the front end: sample `t` of channel `c`, from no storage at all.
///
/// A xorshift-multiply hash of (t, c), scaled down by a power of two that changes with the channel.
pub fn golden_sample(t: u16, c: u8) -> i16 {
    let mut h = (u32::from(t) << 8 | u32::from(c)).wrapping_mul(0x9E37_79B1);
    h = (h ^ (h >> 15)).wrapping_mul(0x85EB_CA77);
    (h >> 16) as u16 as i16 >> (c & 3)
}

/// Decodes `count` postcard items one by one. Ends early where one does not decode:
/// `new_checked` has seen to it that all do.
#[derive(Clone, Debug)]
pub struct Items<'a, T> {
    bytes: &'a [u8],
    left: usize,
    item: PhantomData<T>,
}

impl<'a, T> Items<'a, T> {
    /// Items of a list in the manifest.
    pub fn new(bytes: &'a [u8], count: usize) -> Self {
        Items { bytes, left: count, item: PhantomData }
    }

    /// Whether nothing follows: all items decoded and no byte is left.
    pub fn is_done(&self) -> bool {
        self.left == 0 && self.bytes.is_empty()
    }
}

impl<'a, T: Deserialize<'a>> Iterator for Items<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let left = self.left.checked_sub(1)?;
        let (item, rest) = postcard::take_from_bytes(self.bytes).ok()?;
        (self.bytes, self.left) = (rest, left);
        Some(item)
    }
}
