//! The artifact (`.smg`): a model as bytes, read in place.
//!
//! `header (128) | manifest (postcard) | weights (16-byte aligned) | golden vectors`.
//! [`Artifact::new_checked`] is total: any bytes give an artifact or an [`Error`]; afterwards the
//! executor needs no further check of shapes. docs/artifact.md is the normative description.

mod check;
mod header;
mod manifest;
mod ops;
mod sampler;
mod sparse;

pub use header::{ALIGNMENT, FORMAT_VERSION, HEADER_BYTES, Header, MAGIC, Named, named, signature};
pub use manifest::{Bound, Class, Golden, GoldenVector, Input, Items, Manifest, Metric, Provenance, golden_sample};

pub use ops::Ops;
pub use sampler::{LABEL_ON, Sampler, VALUE_ONE};

use crate::fixed::Row;
use crate::kernel::poly::{Law, Step};
use crate::kernel::{Bases, Layer, Matrix, Packing, Rows, Sparse, counts_len, group_bytes, runs_here};
use crate::op::{Layout, Op, Region, Width};

/// Why bytes are not an artifact, or not one that this build runs. The number is the wire's; a word here, so that what
/// stands in its place in a `Result` is moved by words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Error {
    /// Shorter than the header, or than the header's total length.
    Truncated = 1,
    /// The first four bytes are not `SMDG`.
    BadMagic = 2,
    /// Made for another format version.
    UnsupportedVersion = 3,
    /// A flag is set that this version does not know.
    UnsupportedFlag = 4,
    /// The sections do not lie in order inside the artifact, or are misaligned.
    BadLayout = 5,
    /// The CRC-32 does not match the bytes.
    BadChecksum = 6,
    /// The manifest does not decode.
    BadManifest = 7,
    /// An operator's regions lie outside the arena, overlap, or read what nothing wrote.
    BadRegion = 8,
    /// Operators' shapes do not fit together, or are beyond a limit.
    BadShape = 9,
    /// An operator's constants lie outside the weight section or are misaligned.
    BadConstants = 10,
    /// A weight is −128, or a row's accumulator could reach 2²³.
    Overflow = 11,
    /// More bytes follow than the header counts.
    TrailingBytes = 12,
    /// The bytes do not start at a 16-byte boundary.
    Misaligned = 13,
    /// The model computes in f32, which this core has no instructions for.
    NeedsFloat = 14,
    /// The sampler does not fit the model, or its noise levels do not hold together.
    BadSampler = 15,
    /// The weights are packed for another core.
    WrongPacking = 16,
}

impl Error {
    /// One sentence: what is wrong and what to do.
    pub const fn text(self) -> &'static str {
        match self {
            Error::Truncated => "the artifact is shorter than its header says; copy or export it again",
            Error::BadMagic => "this is not a Smidgen artifact (it does not start with SMDG)",
            Error::UnsupportedVersion => "the artifact has another format version; export it again with this build",
            Error::UnsupportedFlag => "the artifact uses a flag this build does not know; update, or export it again",
            Error::BadLayout => "the artifact's sections are out of order or out of bounds; export it again",
            Error::BadChecksum => "the artifact's CRC-32 does not match its bytes; copy or export it again",
            Error::BadManifest => "the artifact's manifest does not decode; export it again",
            Error::BadRegion => "an operator reads or writes outside its part of the arena; export it again",
            Error::BadShape => "an operator's shapes do not fit together; export it again with the build that runs it",
            Error::BadConstants => "an operator's constants lie outside the weight section; export it again",
            Error::Overflow => "a weight row could overflow its accumulator; export it again",
            Error::TrailingBytes => "bytes follow the end of the artifact; copy or export it again",
            Error::Misaligned => "the artifact does not lie at a 16-byte boundary in memory",
            Error::NeedsFloat => {
                "the model computes in f32, for which this board has no instructions; choose a board with an FPU (qemu-m4), or train a monitor with --set arithmetic=fixed"
            }
            Error::BadSampler => {
                "the sampler does not fit the model, or its noise levels do not hold together; export it again"
            }
            Error::WrongPacking => {
                "the model's weights are packed for another core; export it again with this board's --board, or without for all boards"
            }
        }
    }

    /// The error of a wire number.
    pub fn from_code(code: u8) -> Option<Error> {
        use Error::*;
        [
            Truncated,
            BadMagic,
            UnsupportedVersion,
            UnsupportedFlag,
            BadLayout,
            BadChecksum,
            BadManifest,
            BadRegion,
            BadShape,
            BadConstants,
            Overflow,
            TrailingBytes,
            Misaligned,
            NeedsFloat,
            BadSampler,
            WrongPacking,
        ]
        .into_iter()
        .find(|&error| error as u8 == code)
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for Error {}

/// A checked artifact. Cheap to copy: it borrows everything from the bytes it was made of.
#[derive(Clone, Copy, Debug)]
pub struct Artifact<'a> {
    header: Header,
    manifest: Manifest<'a>,
    weights: &'a [u8],
    golden: Golden<'a>,
    /// The first operator, decoded once: it is asked for with every value.
    first: Option<Op>,
    later: Ops<'a>,
}

impl<'a> Artifact<'a> {
    /// Checks everything and gives a view. `bytes` may be longer than the artifact (a flash slot);
    /// [`Artifact::exact`] refuses that. Reads each byte at most a few times; no loop depends on
    /// anything but the length of `bytes`.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, Error> {
        let header = Header::parse(bytes)?;
        if !runs_here(header.packing) {
            return Err(Error::WrongPacking);
        }
        let section = |(at, len): (u32, u32)| {
            bytes.get(at as usize..).and_then(|rest| rest.get(..len as usize)).ok_or(Error::BadLayout)
        };
        let manifest: Manifest = postcard::from_bytes(section(header.manifest)?).map_err(|_| Error::BadManifest)?;
        let golden: Golden = postcard::from_bytes(section(header.golden)?).map_err(|_| Error::BadManifest)?;
        let mut later = Ops::new(manifest.ops, manifest.op_count);
        let first = later.next();
        let artifact = Artifact { header, manifest, weights: section(header.weights)?, golden, first, later };
        check::check(&artifact)?;
        Ok(artifact)
    }

    /// [`Artifact::new_checked`] of a whole file: nothing may follow.
    pub fn exact(bytes: &'a [u8]) -> Result<Self, Error> {
        let artifact = Self::new_checked(bytes)?;
        if artifact.bytes() as usize == bytes.len() { Ok(artifact) } else { Err(Error::TrailingBytes) }
    }

    /// Length of the whole artifact in bytes: its share of flash.
    pub fn bytes(&self) -> u32 {
        self.header.total
    }

    /// The CRC-32 of its contents: names this very model on the wire.
    pub fn hash(&self) -> u32 {
        self.header.crc
    }

    /// Header, as stored.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How dense matrices are stored.
    pub fn packing(&self) -> Packing {
        self.header.packing
    }

    /// What the model is.
    pub fn manifest(&self) -> &Manifest<'a> {
        &self.manifest
    }

    /// Inputs and outputs to replay before trusting the model.
    pub fn golden(&self) -> &Golden<'a> {
        &self.golden
    }

    /// The operators in order.
    pub fn ops(&self) -> Ops<'a> {
        Ops::new(self.manifest.ops, self.manifest.op_count)
    }

    /// The first operator: it takes the input.
    pub fn first_op(&self) -> Option<&Op> {
        self.first.as_ref()
    }

    /// The operators after the first.
    pub fn later_ops(&self) -> Ops<'a> {
        self.later
    }

    /// The classes in the order of the scores.
    pub fn classes(&self) -> Items<'a, Class<'a>> {
        Items::new(self.manifest.classes, self.manifest.class_count.into())
    }

    /// Bytes of arena that a [`Runner`](crate::run::Runner) needs, exactly.
    pub fn arena_bytes(&self) -> u32 {
        self.manifest.arena_bytes
    }

    /// Region and type of the scores: the last operator's output.
    pub fn output(&self) -> (Region, Width) {
        self.ops().last().map_or((Region { at: 0, len: 0 }, Width::I8), |op| op.output())
    }

    /// `n` int8 constants at `at`.
    pub fn i8s(&self, at: u32, n: usize) -> Result<&'a [i8], Error> {
        self.constants(at, n)
    }

    /// `n` int32 constants at `at`.
    pub fn i32s(&self, at: u32, n: usize) -> Result<&'a [i32], Error> {
        self.constants(at, n)
    }

    /// `n` u16 constants at `at`.
    pub fn u16s(&self, at: u32, n: usize) -> Result<&'a [u16], Error> {
        self.constants(at, n)
    }

    /// `n` bytes at `at`.
    pub fn u8s(&self, at: u32, n: usize) -> Result<&'a [u8], Error> {
        self.constants(at, n)
    }

    /// A sparse matrix of `n_in` columns and `n_out` rows: `groups` groups at `entries`, as many of
    /// each row (of each four, of each row and window) as `counts` says.
    pub fn sparse(
        &self,
        layout: Layout,
        (n_in, n_out): (u32, u32),
        groups: u32,
        counts: u32,
        entries: u32,
    ) -> Result<Sparse<'a>, Error> {
        let counts = self.u16s(counts, counts_len(layout, n_in as usize, n_out as usize))?;
        let bytes = (groups as usize).checked_mul(group_bytes(layout, n_in as usize)).ok_or(Error::BadConstants)?;
        let entries = self.u8s(entries, bytes)?;
        let aligned = |at: *const u8| at.addr().is_multiple_of(4);
        if layout == Layout::Pairs && !(aligned(counts.as_ptr().cast()) && aligned(entries.as_ptr())) {
            return Err(Error::BadConstants);
        }
        Ok(Sparse { layout, counts, entries })
    }

    /// A dense matrix of `n_out` rows and `n_in` columns at `at`, packed as all of the artifact's.
    pub fn matrix(&self, at: u32, n_in: u32, n_out: u32) -> Result<Matrix<'a>, Error> {
        let (packing, n_in, n_out) = (self.packing(), n_in as usize, n_out as usize);
        let bytes = packing.bytes(n_out, n_in).ok_or(Error::BadConstants)?;
        Matrix::new(packing, n_out, n_in, self.i8s(at, bytes)?).ok_or(Error::BadConstants)
    }

    /// `count` matrices of `n_out` rows and `n_in` columns, one behind the other ([`Matrix::part`]).
    pub fn matrices(&self, at: u32, n_in: u32, n_out: u32, count: u16) -> Result<Matrix<'a>, Error> {
        let rows = self.packing().padded(n_out as usize, 0).0.checked_mul(count.into()).ok_or(Error::BadConstants)?;
        self.matrix(at, n_in, u32::try_from(rows).map_err(|_| Error::BadConstants)?)
    }

    /// A dense layer of a matrix and its rows.
    #[inline(always)]
    pub fn layer(&self, weights: u32, rows: u32, n_in: u32, n_out: u32) -> Result<Layer<'a>, Error> {
        let matrix = self.matrix(weights, n_in, n_out)?;
        let rows = self.i32s(rows, matrix.packing().row_words(n_out as usize))?;
        Layer::new(matrix, rows).ok_or(Error::BadConstants)
    }

    /// The constants of a dense matrix's `n` rows.
    pub fn packed_rows(&self, at: u32, n: u32) -> Result<Rows<'a>, Error> {
        let packing = self.packing();
        Ok(Rows { packing, words: self.i32s(at, packing.row_words(n as usize))? })
    }

    /// The constants of [`Op::Mix`].
    pub fn bases(&self, op: &Op) -> Result<Bases<'a>, Error> {
        let Op::Mix { x, z, y, bases, v, v_rows, u, u_bias, multipliers, .. } = *op else {
            return Err(Error::BadShape);
        };
        let (inner, count) = (if z.len == 0 { x.len } else { z.len }, usize::from(bases));
        let outer = (y.len as usize).checked_mul(count).ok_or(Error::BadConstants)?;
        // As rows of one matrix: each base's own begin a unit.
        let ranks = self.packing().padded(z.len as usize, 0).0.checked_mul(count).ok_or(Error::BadConstants)?;
        Ok(Bases {
            v: self.matrices(v, x.len, z.len, bases)?,
            v_rows: self.packed_rows(v_rows, u32::try_from(ranks).map_err(|_| Error::BadConstants)?)?,
            u: self.matrices(u, inner, y.len, bases)?,
            u_bias: self.i32s(u_bias, outer)?,
            multipliers: self.i32s(multipliers, y.len as usize)?,
        })
    }

    /// `n` rows at `at`.
    pub fn rows(&self, at: u32, n: usize) -> Result<&'a [Row], Error> {
        self.constants(at, n)
    }

    /// `n` steps of a program at `at`.
    pub fn steps(&self, at: u32, n: usize) -> Result<&'a [Step], Error> {
        self.constants(at, n)
    }

    /// `n` laws at `at`.
    pub fn laws(&self, at: u32, n: usize) -> Result<&'a [Law], Error> {
        self.constants(at, n)
    }

    fn constants<T: bytemuck::Pod>(&self, at: u32, n: usize) -> Result<&'a [T], Error> {
        let bytes = n.checked_mul(size_of::<T>()).ok_or(Error::BadConstants)?;
        let part = self.weights.get(at as usize..).and_then(|rest| rest.get(..bytes)).ok_or(Error::BadConstants)?;
        bytemuck::try_cast_slice(part).map_err(|_| Error::BadConstants)
    }
}
