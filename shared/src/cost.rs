//! What a model costs before it is run: products, bytes, and a bound on instructions.
//!
//! `instructions = Σ_op (call + row·rows + mac·products + …)` with the coefficients of a core,
//! chosen above what was counted in QEMU: a bound, not an estimate. Arena bytes are exact and
//! stand in the artifact.

use crate::artifact::Input;
use crate::kernel::{WINDOW, group_bytes, group_weights, runs};
use crate::op::{Layout, Op};

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
    /// rv32imac
    Rv32,
}

/// Instructions a unit of work, at most.
struct Coefficients {
    /// a product of two int8 and its sum
    mac: u32,
    /// a group of a sparse matrix: CSR and 4×1 blocks of at most 256 columns, then of more
    groups: [u32; 4],
    /// a row's start, bias, rounding and store
    row: u32,
    /// decoding an operator and setting it up
    call: u32,
    /// one element of a pointwise operator, or of an input that is standardised
    element: u32,
}

impl Core {
    const fn coefficients(self) -> Coefficients {
        match self {
            Core::ArmV6M => Coefficients { mac: 10, groups: [40, 40, 92, 44], row: 110, call: 6000, element: 130 },
            Core::ArmV7M => Coefficients { mac: 5, groups: [24, 18, 50, 22], row: 60, call: 4000, element: 60 },
            Core::ArmV7EM => Coefficients { mac: 5, groups: [22, 16, 46, 20], row: 60, call: 4000, element: 60 },
            Core::ArmV8M => Coefficients { mac: 5, groups: [22, 16, 46, 20], row: 60, call: 4000, element: 60 },
            Core::Rv32 => Coefficients { mac: 7, groups: [34, 26, 72, 32], row: 70, call: 5000, element: 70 },
        }
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
            let counts = 2 * runs(layout, y.len as usize) as u32;
            groups * group_bytes(layout, x.len as usize) as u32 + counts + 8 * y.len
        }
        Op::Embed { vocabulary, dim, .. } => u32::from(vocabulary) * u32::from(dim),
    }
}

/// Rows with a rounding of their own.
fn rows(op: &Op) -> u32 {
    match *op {
        Op::Dense { y, .. } => y.len,
        // Where four rows share a column, the last four may reach beyond the last row.
        Op::Sparse { y, layout: Layout::Csr, .. } => y.len,
        Op::Sparse { y, layout: Layout::Blocks, .. } => y.len.next_multiple_of(4),
        Op::LowRank { z, y, .. } => z.len + y.len,
        Op::Gate { bases, y, .. } => u32::from(bases) * (2 + y.len / 4) + y.len,
        Op::Mix { gate, z, y, .. } => gate.len / 2 * (z.len + y.len) + y.len,
        Op::Poly { registers, state, .. } => registers.len + state.len,
        Op::Match { y, handicaps, .. } => y.len * if handicaps.is_some() { 2 } else { 1 },
        _ => 0,
    }
}

/// Elements that are handled one by one.
fn elements(op: &Op) -> u32 {
    match *op {
        Op::Standardise { y, .. }
        | Op::UnitRms { y, .. }
        | Op::Rescale { y, .. }
        | Op::Clamp { y, .. }
        | Op::Lookup { y, .. } => y.len,
        // A narrow x is copied to where every column of a byte lies.
        Op::Sparse { x, .. } if x.len as usize <= WINDOW => WINDOW as u32 / 64,
        _ => 0,
    }
}

/// Instructions of one operator, at most.
pub fn of_operator(op: &Op, core: Core) -> u32 {
    let c = core.coefficients();
    let products = match *op {
        Op::Sparse { x, layout, groups, .. } => {
            let [csr, blocks, wide_csr, wide_blocks] = c.groups;
            let each = match (layout, x.len as usize <= WINDOW) {
                (Layout::Csr, true) => csr,
                (Layout::Blocks, true) => blocks,
                (Layout::Csr, false) => wide_csr,
                (Layout::Blocks, false) => wide_blocks,
            };
            each * groups
        }
        _ => c.mac * macs(op),
    };
    c.call + products + c.row * rows(op) + c.element * elements(op)
}

/// Instructions at most from the last time step to the scores.
pub fn instructions(input: &Input, ops: impl Iterator<Item = Op>, core: Core) -> u32 {
    let c = core.coefficients();
    let mut total = match input {
        Input::Window { spec, .. } => (spec.count() as u32).saturating_mul(c.element * 8),
        Input::Vector { .. } => 0,
    };
    for op in ops {
        total = total.saturating_add(of_operator(&op, core));
    }
    total
}

/// Stack at most of any request, interrupts included, bytes. It does not depend on the model: buffers whose size does
/// lie in the arena. Set above what painted stacks showed under every request, model check and explanation included.
pub const fn stack_bytes(core: Core) -> u32 {
    match core {
        Core::ArmV6M => 4096,
        Core::ArmV7M | Core::ArmV7EM | Core::ArmV8M => 4096,
        Core::Rv32 => 4096,
    }
}

/// Instructions at most for taking in one time step, by the `first` operator.
pub fn per_sample(input: &Input, first: Option<&Op>, core: Core) -> u32 {
    let c = core.coefficients();
    match input {
        Input::Window { spec, .. } => (spec.state_words() as u32).saturating_mul(c.element / 2).saturating_add(c.call),
        Input::Vector { .. } => {
            let copied = if let Some(Op::Embed { dim, .. }) = first { u32::from(*dim) } else { 0 };
            c.element + c.call + c.mac * copied
        }
    }
}
