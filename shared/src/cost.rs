//! What a model costs before it is run: products, bytes, and a bound on instructions.
//!
//! `instructions = Σ_op (call + row·rows + mac·products + …)` with the coefficients of a core,
//! chosen above what was counted in QEMU: a bound, not an estimate. Arena bytes are exact and
//! stand in the artifact.

use crate::artifact::Input;
use crate::op::Op;

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
            Core::ArmV6M => Coefficients { mac: 10, row: 110, call: 6000, element: 130 },
            Core::ArmV7M => Coefficients { mac: 5, row: 60, call: 4000, element: 60 },
            Core::ArmV7EM => Coefficients { mac: 5, row: 60, call: 4000, element: 60 },
            Core::ArmV8M => Coefficients { mac: 5, row: 60, call: 4000, element: 60 },
            Core::Rv32 => Coefficients { mac: 7, row: 70, call: 5000, element: 70 },
        }
    }
}

/// Products of one inference: those of the bases that a gate keeps, not of those it drops.
pub fn macs(op: &Op) -> u32 {
    match *op {
        Op::Standardise { .. } | Op::Rescale { .. } | Op::Clamp { .. } | Op::Lookup { .. } | Op::Poly { .. } => 0,
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
    }
}

/// Rows with a rounding of their own.
fn rows(op: &Op) -> u32 {
    match *op {
        Op::Dense { y, .. } => y.len,
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
        _ => 0,
    }
}

/// Instructions at most from the last time step to the scores.
pub fn instructions(input: &Input, ops: impl Iterator<Item = Op>, core: Core) -> u32 {
    let c = core.coefficients();
    let mut total = match input {
        Input::Window { spec, .. } => (spec.count() as u32).saturating_mul(c.element * 8),
        Input::Vector { .. } => 0,
    };
    for op in ops {
        let work = c.call + c.mac * macs(&op) + c.row * rows(&op) + c.element * elements(&op);
        total = total.saturating_add(work);
    }
    total
}

/// Instructions at most for taking in one time step.
pub fn per_sample(input: &Input, core: Core) -> u32 {
    let c = core.coefficients();
    match input {
        Input::Window { spec, .. } => (spec.state_words() as u32).saturating_mul(c.element / 2).saturating_add(c.call),
        Input::Vector { .. } => c.element + c.call,
    }
}
