//! What a model costs before it is run: products, bytes, instructions, and bounds on them.
//!
//! `instructions = Σ_op Σ_k coefficient_k(core, kind) · term_k(op)`: the terms follow from an operator's shape
//! (work.rs), the coefficients were fitted to counts in QEMU (table.rs, written by `kernel-costs fit`).
//! An [`estimate`] is meant to be near what is counted, [`instructions`] never below it. Arena bytes are exact and
//! stand in the artifact.

mod table;
mod work;

use crate::artifact::{Artifact, Input};
use crate::kernel::poly::Step;
use crate::kernel::{Packing, counts_len, group_bytes, group_weights};
use crate::op::Op;

pub use work::{TERMS, Work, of_step};

/// Instruction sets with coefficients of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// Armv6-M: M0, M0+
    ArmV6M,
    /// Armv7-M: M3
    ArmV7M,
    /// Armv7E-M: M4, M7
    ArmV7EM,
    /// Armv8-M mainline: M33
    ArmV8M,
    /// Armv8.1-M mainline with MVE: M55
    ArmV81M,
    /// rv32imac
    Rv32,
}

impl Core {
    /// All of them.
    pub const ALL: [Core; 6] = [Core::ArmV6M, Core::ArmV7M, Core::ArmV7EM, Core::ArmV8M, Core::ArmV81M, Core::Rv32];

    const fn table(self) -> &'static Table {
        match self {
            Core::ArmV6M => &table::ARM_V6M,
            Core::ArmV7M => &table::ARM_V7M,
            Core::ArmV7EM => &table::ARM_V7EM,
            Core::ArmV8M => &table::ARM_V8M,
            Core::ArmV81M => &table::ARM_V81M,
            Core::Rv32 => &table::RV32,
        }
    }
}

/// What coefficients weigh the terms of an operator, or of taking in a time step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// End of a vector's input.
    Vector,
    /// Features of a window, standardised.
    Window,
    /// End of tokens' input.
    Embed,
    /// [`Op::UnitRms`]
    UnitRms,
    /// [`Op::Dense`]
    Dense,
    /// [`Op::LowRank`]
    LowRank,
    /// [`Op::Gate`]
    Gate,
    /// [`Op::Mix`]
    Mix,
    /// [`Op::Dense`] of a packed matrix
    PackedDense,
    /// [`Op::LowRank`] of packed matrices
    PackedLowRank,
    /// [`Op::Gate`] of a packed matrix
    PackedGate,
    /// [`Op::Mix`] of packed matrices
    PackedMix,
    /// [`Op::Match`] of a packed matrix
    PackedMatch,
    /// [`Op::Rescale`]
    Rescale,
    /// [`Op::Lookup`], [`Op::Clamp`]
    Lookup,
    /// [`Op::Match`]
    Match,
    /// [`Csr`](crate::op::Layout::Csr) of at most 256 columns
    Csr,
    /// [`Blocks`](crate::op::Layout::Blocks) of at most 256 columns
    Blocks,
    /// [`Csr`](crate::op::Layout::Csr) of more columns
    WideCsr,
    /// [`Blocks`](crate::op::Layout::Blocks) of more columns
    WideBlocks,
    /// [`Pairs`](crate::op::Layout::Pairs)
    Pairs,
    /// [`Op::Poly`] in i32
    Poly,
    /// [`Op::Poly`] in f32
    PolyFloat,
    /// A time step of a window.
    WindowStep,
    /// A value of a vector.
    VectorStep,
    /// A token.
    EmbedStep,
    /// A value that a monitor takes.
    PolyStep,
}

impl Kind {
    /// All of them, in the table's order.
    pub const ALL: [Kind; 27] = [
        Kind::Vector,
        Kind::Window,
        Kind::Embed,
        Kind::UnitRms,
        Kind::Dense,
        Kind::LowRank,
        Kind::Gate,
        Kind::Mix,
        Kind::PackedDense,
        Kind::PackedLowRank,
        Kind::PackedGate,
        Kind::PackedMix,
        Kind::PackedMatch,
        Kind::Rescale,
        Kind::Lookup,
        Kind::Match,
        Kind::Csr,
        Kind::Blocks,
        Kind::WideCsr,
        Kind::WideBlocks,
        Kind::Pairs,
        Kind::Poly,
        Kind::PolyFloat,
        Kind::WindowStep,
        Kind::VectorStep,
        Kind::EmbedStep,
        Kind::PolyStep,
    ];
}

/// One core's coefficients.
struct Table {
    /// In 1/256 instruction, by kind, in the order of the kind's terms.
    weights: [[i32; TERMS]; Kind::ALL.len()],
    /// A bound lies above the estimate by so much: in 1/1024 of it …
    margin: u32,
    /// … and so many instructions an operator.
    slack: u32,
    /// The same of a time step.
    step_margin: u32,
}

impl Work {
    /// Instructions, an estimate.
    pub fn instructions(&self, core: Core) -> u32 {
        let weights = core.table().weights.get(self.kind as usize).unwrap_or(&[0; TERMS]);
        let sum: i64 = self.terms.iter().zip(weights).map(|(&term, &weight)| i64::from(term) * i64::from(weight)).sum();
        u32::try_from((sum >> 8).max(0)).unwrap_or(u32::MAX)
    }
}

/// Products of one inference: those of the bases that a gate keeps, not of those it drops; those of
/// the weights that a sparse matrix stores.
pub fn macs(op: &Op) -> u32 {
    match *op {
        Op::Standardise { .. }
        | Op::Embed { .. }
        | Op::Rescale { .. }
        | Op::Clamp { .. }
        | Op::Lookup { .. }
        | Op::Poly { .. } => 0,
        Op::Sparse { x, layout, groups, .. } => groups.saturating_mul(group_weights(layout, x.len as usize) as u32),
        Op::UnitRms { x, .. } => 2 * x.len,
        Op::Dense { x, y, .. } => x.len * y.len,
        Op::LowRank { x, z, y, .. } => z.len * (x.len + y.len),
        Op::Gate { x, bases, .. } => x.len * u32::from(bases),
        Op::Mix { x, gate, z, y, .. } => {
            let one = if z.len == 0 { x.len * y.len } else { z.len * (x.len + y.len) };
            gate.len / 2 * one
        }
        Op::Match { x, y, .. } => x.len * y.len,
    }
}

/// Bytes of constants in the weight section.
pub fn constant_bytes(op: &Op) -> u32 {
    match *op {
        Op::Standardise { y, .. } => 8 * y.len,
        Op::UnitRms { .. } | Op::Rescale { .. } | Op::Clamp { .. } => 0,
        Op::Lookup { .. } => 256,
        Op::Dense { x, y, .. } => y.len * (x.len + 8),
        Op::LowRank { x, z, y, .. } => z.len * (x.len + 8) + y.len * (z.len + 8),
        Op::Gate { x, bases, .. } => u32::from(bases) * (x.len + 8),
        Op::Mix { x, z, y, bases, .. } => {
            let inner = if z.len == 0 { x.len } else { z.len };
            u32::from(bases) * (z.len * (x.len + 8) + y.len * (inner + 4)) + 4 * y.len
        }
        Op::Poly { registers, state, inputs, .. } => 8 * registers.len.saturating_sub(inputs.into()) + 12 * state.len,
        Op::Match { x, y, handicaps, .. } => y.len * (x.len + 8 + if handicaps.is_some() { 4 } else { 0 }),
        Op::Sparse { x, y, layout, groups, .. } => {
            let counts = 2 * counts_len(layout, x.len as usize, y.len as usize) as u32;
            groups * group_bytes(layout, x.len as usize) as u32 + counts + 8 * y.len
        }
        Op::Embed { vocabulary, dim, .. } => u32::from(vocabulary) * u32::from(dim),
    }
}

/// Instructions of one operator that does not take the model's input, an estimate; `packing`: of the artifact's dense
/// matrices.
pub fn of_operator(op: &Op, packing: Packing, core: Core) -> u32 {
    work::of_operator(op, packing, core).instructions(core)
}

/// What the estimates need of a model besides its operators.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// What it takes.
    pub input: &'a Input,
    /// How its dense matrices are stored.
    pub packing: Packing,
    /// The steps of a monitor, which lie in the weights; where they are not known, each is taken for the dearest.
    pub steps: Option<&'a [Step]>,
}

impl<'a> Model<'a> {
    /// Of an artifact.
    pub fn of(artifact: &'a Artifact<'_>) -> Model<'a> {
        let steps = match artifact.ops().next() {
            Some(Op::Poly { registers, inputs, steps, .. }) => {
                artifact.steps(steps, registers.len.saturating_sub(inputs.into()) as usize).ok()
            }
            _ => None,
        };
        Model { input: &artifact.manifest().input, packing: artifact.packing(), steps }
    }

    /// The work at the end of an input of operator `i`.
    pub fn work(&self, i: usize, op: &Op, core: Core) -> Work {
        match (op, self.steps) {
            (Op::Poly { .. }, Some(steps)) => work::of_program(op, steps),
            _ if i == 0 => work::of_first(self.input, op),
            _ => work::of_operator(op, self.packing, core),
        }
    }

    /// Instructions from the last time step to the scores, an estimate.
    pub fn estimate(&self, ops: impl Iterator<Item = Op>, core: Core) -> u32 {
        ops.enumerate().fold(0, |sum, (i, op)| sum.saturating_add(self.work(i, &op, core).instructions(core)))
    }

    /// Instructions at most from the last time step to the scores.
    pub fn instructions(&self, ops: impl Iterator<Item = Op>, core: Core) -> u32 {
        let Table { margin, slack, .. } = *core.table();
        ops.enumerate().fold(0, |sum, (i, op)| {
            let estimate = self.work(i, &op, core).instructions(core);
            sum.saturating_add(with_margin(estimate, margin)).saturating_add(slack)
        })
    }
}

fn with_margin(estimate: u32, margin: u32) -> u32 {
    u32::try_from(u64::from(estimate) * u64::from(1024 + margin) / 1024).unwrap_or(u32::MAX)
}

/// Instructions of one inference of an artifact, an estimate.
pub fn estimate(artifact: &Artifact<'_>, core: Core) -> u32 {
    Model::of(artifact).estimate(artifact.ops(), core)
}

/// Instructions at most of one inference of an artifact.
pub fn instructions(artifact: &Artifact<'_>, core: Core) -> u32 {
    Model::of(artifact).instructions(artifact.ops(), core)
}

/// Stack at most of any request, interrupts included, bytes. It does not depend on the model: buffers whose size does
/// lie in the arena. Set above what painted stacks showed under every request, model check and explanation included.
pub const fn stack_bytes(core: Core) -> u32 {
    match core {
        Core::ArmV6M => 4096,
        Core::ArmV7M | Core::ArmV7EM | Core::ArmV8M | Core::ArmV81M => 4096,
        Core::Rv32 => 4096,
    }
}

/// Instructions of taking in one time step, an estimate; `first`: the first operator.
pub fn estimate_per_sample(input: &Input, first: Option<&Op>, core: Core) -> u32 {
    work::of_step(input, first).instructions(core)
}

/// Instructions at most for taking in one time step, by the `first` operator.
pub fn per_sample(input: &Input, first: Option<&Op>, core: Core) -> u32 {
    let Table { step_margin, slack, .. } = *core.table();
    with_margin(estimate_per_sample(input, first, core), step_margin).saturating_add(slack)
}
