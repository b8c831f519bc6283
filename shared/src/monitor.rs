//! Runs a model that watches laws: the operator `Poly` over the arena, sample after sample.
//!
//! `d_l ← d_l + (h_l − centre_l − d_l)·2^−smoothing`: the one memory that outlives an input.

use crate::artifact::Artifact;
use crate::kernel::arch;
use crate::kernel::poly::{Fixed, Float, Number, poly};
use crate::op::Op;
use crate::run::Error;

/// [`Op::Poly`], a model's only operator, as short as its check makes it: its arena is registers, state, scores.
#[derive(Clone, Copy)]
pub(crate) struct Monitor {
    inputs: u8,
    registers: u8,
    laws: u8,
    float: bool,
    /// offsets of the steps and the laws in the weight section
    constants: (u32, u32),
}

impl Monitor {
    #[inline(never)]
    /// Of an artifact that is one.
    pub(crate) fn of(artifact: &Artifact<'_>) -> Option<Monitor> {
        let Some(&Op::Poly { registers, state, inputs, float, steps, laws, .. }) = artifact.first_op() else {
            return None;
        };
        let [inputs, registers, laws_count] = [inputs.into(), registers.len, state.len].map(|n: u32| n as u8);
        Some(Monitor { inputs, registers, laws: laws_count, float, constants: (steps, laws) })
    }

    /// Registers, the laws' running deviations, scores.
    fn parts<'a>(&self, arena: &'a mut [u8]) -> Result<[&'a mut [u32]; 3], Error> {
        let arena: &mut [u32] = bytemuck::try_cast_slice_mut(arena).map_err(|_| Error::Corrupt)?;
        let (registers, rest) = arena.split_at_mut_checked(self.registers.into()).ok_or(Error::Corrupt)?;
        let (state, y) = rest.split_at_mut_checked(self.laws.into()).ok_or(Error::Corrupt)?;
        Ok([registers, state, y])
    }

    /// The value goes into register `i`.
    #[inline(never)]
    pub(crate) fn take(&self, arena: &mut [u8], i: usize, value: i16) -> Result<(), Error> {
        if let Some(register) = self.parts(arena)?[0].get_mut(i) {
            *register = if self.float && arch::FLOAT { Float::input(value) } else { Fixed::input(value) };
        }
        Ok(())
    }

    /// Sets the running deviations to 0.
    pub(crate) fn forget(&self, arena: &mut [u8]) {
        if let Ok([_, state, _]) = self.parts(arena) {
            state.fill(0);
        }
    }

    /// Runs one sample, once all values are taken.
    #[inline(never)]
    pub(crate) fn run(&self, artifact: &Artifact<'_>, arena: &mut [u8]) -> Result<(), Error> {
        let steps = artifact.steps(self.constants.0, self.registers.saturating_sub(self.inputs).into());
        let (Ok(steps), Ok(laws)) = (steps, artifact.laws(self.constants.1, self.laws.into())) else {
            return Err(Error::Corrupt);
        };
        let [registers, state, y] = self.parts(arena)?;
        if !self.float {
            poly::<Fixed>(self.inputs.into(), steps, laws, registers, state, y);
        } else if arch::FLOAT {
            poly::<Float>(self.inputs.into(), steps, laws, registers, state, y);
        }
        Ok(())
    }
}
