//! What a denoiser's artifact says of its sampler: 40 bytes in the weight section, and three tables.
//!
//! The model takes `values` raw numbers `round(4096·c_in·x)`, the noise level's embedding, a one-hot class; it gives F.

use bytemuck::{Pod, Zeroable};

use super::{Artifact, Error, Input};
use crate::kernel::arch;
use crate::op::Op;
use crate::restart::{Interval, Level, MAX_INTERVALS, Position, Schedule};

/// Raw numbers of one: of `c_in·x`.
pub const VALUE_ONE: f32 = 4096.0;
/// The class's raw number.
pub const LABEL_ON: i16 = 16384;

/// A sampler. Offsets count bytes from the start of the weight section.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Sampler {
    /// Values of a sample.
    pub values: u16,
    /// Raw values of a noise level's embedding.
    pub embedding: u16,
    /// Classes, fewer than 255; 0 where there are none.
    pub labels: u8,
    /// Levels of the main grid.
    pub main: u8,
    /// All levels.
    pub levels: u8,
    /// Intervals that are gone through again.
    pub intervals: u8,
    /// Its memory in the arena, in bytes from there: position, x, d.
    pub state: u32,
    /// `levels` [`Level`]s
    pub levels_at: u32,
    /// `(levels, embedding)` int16
    pub embeddings_at: u32,
    /// `intervals` [`Interval`]s
    pub intervals_at: u32,
    /// Deviation of the data.
    pub sigma_data: f32,
    /// The value shown black.
    pub black: f32,
    /// The value shown white.
    pub white: f32,
    /// Steps of grey from black to white.
    pub greys: u8,
    /// Width of a sample that is a picture; 0 where it is none.
    pub width: u8,
    /// 0
    pub zero: [u8; 2],
}

impl Sampler {
    /// Bytes of its memory in the arena.
    pub const fn state_bytes(values: u16) -> u32 {
        size_of::<Position>() as u32 + 8 * values as u32
    }
}

impl<'a> Artifact<'a> {
    /// The sampler of a denoiser; `None` of other models, and on cores without f32.
    pub fn sampler(&self) -> Option<&'a Sampler> {
        // Known when compiled: elsewhere nothing of samplers is linked.
        if !arch::FLOAT || self.manifest().sampler == 0 {
            return None;
        }
        self.constants(self.manifest().sampler, 1).ok()?.first()
    }

    /// Bytes of the arena that belong to the operators and their kernels: all but a sampler's memory, which lies last.
    pub fn operators_end(&self) -> u32 {
        self.sampler().map_or(self.arena_bytes(), |sampler| sampler.state)
    }

    /// Its noise levels in the order of the steps.
    pub fn schedule(&self, sampler: &Sampler) -> Result<Schedule<'a>, Error> {
        let levels: &[Level] = self.constants(sampler.levels_at, sampler.levels.into())?;
        let intervals: &[Interval] = self.constants(sampler.intervals_at, sampler.intervals.into())?;
        Ok(Schedule { levels, main: sampler.main, intervals })
    }

    /// The embeddings of its noise levels, row by row.
    pub fn embeddings(&self, sampler: &Sampler) -> Result<&'a [i16], Error> {
        self.constants(sampler.embeddings_at, usize::from(sampler.levels) * usize::from(sampler.embedding))
    }
}

/// Checks the sampler; the end of its memory, which begins at `end`, where that of the operators ends.
#[inline(never)]
pub(super) fn check(artifact: &Artifact<'_>, end: u32) -> Result<u32, Error> {
    if !arch::FLOAT {
        return Err(Error::NeedsFloat);
    }
    let sampler: &Sampler = artifact.constants(artifact.manifest().sampler, 1)?.first().ok_or(Error::BadConstants)?;
    let schedule = artifact.schedule(sampler)?;
    artifact.embeddings(sampler)?;
    let inputs = u32::from(sampler.values) + u32::from(sampler.embedding) + u32::from(sampler.labels);
    let takes = match (artifact.ops().next(), artifact.manifest().input) {
        (Some(Op::Standardise { .. }), Input::Vector { len }) => u32::from(len) == inputs,
        _ => false,
    };
    let number = |v: f32| v.abs() < 1e6;
    let picture = sampler.width == 0
        || sampler.values.checked_rem(sampler.width.into()) == Some(0)
            && sampler.greys > 0
            && sampler.black != sampler.white;
    if !takes
        || sampler.values == 0
        || artifact.output().0.len != sampler.values.into()
        || artifact.manifest().class_count != 0
        || sampler.labels == u8::MAX
        || sampler.intervals > MAX_INTERVALS
        || sampler.zero != [0; 2]
        || !picture
        || ![sampler.sigma_data, sampler.black, sampler.white, artifact.manifest().unit].into_iter().all(number)
        || !schedule.is_sound()
    {
        return Err(Error::BadSampler);
    }
    if sampler.state != end.next_multiple_of(4) {
        return Err(Error::BadRegion);
    }
    sampler.state.checked_add(Sampler::state_bytes(sampler.values)).ok_or(Error::BadRegion)
}
