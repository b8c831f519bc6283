//! Draws samples from a denoiser in int8: the sampler in f32 around the model's own operators.
//!
//! ```text
//! raw = round(4096·c_in·x) ‖ embedding of σ ‖ one-hot class  →  operators  →  F = unit·y
//! ```

use bytemuck::Zeroable;

use crate::artifact::{Artifact, LABEL_ON, Sampler, VALUE_ONE};
use crate::fixed::{Row, requant_i8};
use crate::kernel::Kernel;
use crate::op::{Op, Region, Width};
use crate::regions::{element, get, i8s};
use crate::restart::{Denoiser, Position};
use crate::run::{Error, Runner, walk};

/// How far a sample has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Evaluations of the network so far.
    pub done: u16,
    /// Evaluations of a whole sample.
    pub total: u16,
}

impl<K: Kernel> Runner<'_, '_, K> {
    /// Brings the sample of (`label`, `seed`) to `evaluations` evaluations of the network: 0 begins it, one more than
    /// were done evaluates once, as many as were done changes nothing. An input that was under way is lost.
    ///
    /// # Errors
    /// [`Error::NoSampler`]; [`Error::NoLabel`]; [`Error::WrongStep`] where another number, or another sample, was
    /// under way: begin it.
    #[inline(never)]
    pub fn draw(&mut self, label: Option<u8>, seed: u32, evaluations: u16) -> Result<Drawn, Error> {
        let sampler = self.artifact.sampler().ok_or(Error::NoSampler)?;
        if label.is_some_and(|label| label >= sampler.labels) {
            return Err(Error::NoLabel);
        }
        let label = label.map_or(0, |label| u16::from(label) + 1);
        let schedule = self.artifact.schedule(sampler).map_err(|_| Error::Corrupt)?;
        let total = schedule.evaluations() as u16;
        self.begin();
        let (arena, state) = self.arena.split_at_mut_checked(sampler.state as usize).ok_or(Error::Corrupt)?;
        let State { position, x, d } = State::of(sampler, state)?;
        if evaluations == 0 {
            *position = Position::begin(&schedule, label, seed, x);
            return Ok(Drawn { done: 0, total });
        }
        if !position.is_begun() || (position.label, position.seed) != (label, seed) || evaluations > total {
            return Err(Error::WrongStep);
        }
        if evaluations == position.done.saturating_add(1) {
            let mut net = Net::<K>::new(&self.artifact, sampler, arena)?;
            position.advance(&schedule, &mut net, x, d)?;
        } else if evaluations != position.done {
            return Err(Error::WrongStep);
        }
        Ok(Drawn { done: position.done, total })
    }

    /// Evaluations that were done of the sample under way; `None` where none is.
    pub fn drawn(&self) -> Option<u16> {
        let at = self.artifact.sampler()?.state as usize;
        let bytes = self.arena.get(at..)?.get(..size_of::<Position>())?;
        let position: &Position = bytemuck::try_from_bytes(bytes).ok()?;
        position.is_begun().then_some(position.done)
    }

    /// The sample as it is, f32, little-endian; `None` where none is begun.
    pub fn sample(&self) -> Option<&[u8]> {
        self.drawn()?;
        let sampler = self.artifact.sampler()?;
        self.arena.get(sampler.state as usize + size_of::<Position>()..)?.get(..4 * usize::from(sampler.values))
    }

    /// Forgets the sample under way.
    pub(crate) fn forget_sample(&mut self) {
        if let Some(sampler) = self.artifact.sampler()
            && let Some(state) = self.arena.get_mut(sampler.state as usize..)
            && let Ok(State { position, .. }) = State::of(sampler, state)
        {
            *position = Position::zeroed();
        }
    }
}

/// The sampler's memory.
struct State<'s> {
    position: &'s mut Position,
    x: &'s mut [f32],
    /// the step's first slope
    d: &'s mut [f32],
}

impl<'s> State<'s> {
    fn of(sampler: &Sampler, bytes: &'s mut [u8]) -> Result<Self, Error> {
        let (position, rest) = bytes.split_at_mut_checked(size_of::<Position>()).ok_or(Error::Corrupt)?;
        let values: &mut [f32] = bytemuck::try_cast_slice_mut(rest).map_err(|_| Error::Corrupt)?;
        let (x, d) = values.split_at_mut_checked(sampler.values.into()).ok_or(Error::Corrupt)?;
        Ok(State { position: bytemuck::try_from_bytes_mut(position).map_err(|_| Error::Corrupt)?, x, d })
    }
}

/// The model's operators as a denoiser.
struct Net<'n, 'm, K> {
    artifact: &'n Artifact<'m>,
    arena: &'n mut [u8],
    sampler: &'n Sampler,
    embeddings: &'m [i16],
    /// the first operator
    input: Region,
    rows: &'m [Row],
    output: (Region, Width),
    unit: f32,
    kernel: core::marker::PhantomData<K>,
}

impl<'n, 'm, K: Kernel> Net<'n, 'm, K> {
    fn new(artifact: &'n Artifact<'m>, sampler: &'n Sampler, arena: &'n mut [u8]) -> Result<Self, Error> {
        let Some(&Op::Standardise { y, rows }) = artifact.first_op() else { return Err(Error::Corrupt) };
        Ok(Net {
            artifact,
            arena,
            sampler,
            embeddings: artifact.embeddings(sampler).map_err(|_| Error::Corrupt)?,
            input: y,
            rows: artifact.rows(rows, y.len as usize).map_err(|_| Error::Corrupt)?,
            output: artifact.output(),
            unit: artifact.manifest().unit,
            kernel: core::marker::PhantomData,
        })
    }
}

impl<K: Kernel> Denoiser for Net<'_, '_, K> {
    type Error = Error;

    fn evaluate(&mut self, level: u8, label: u16, x: impl Fn(usize) -> f32) -> Result<(), Error> {
        let (values, width) = (usize::from(self.sampler.values), usize::from(self.sampler.embedding));
        let embedding = self.embeddings.get(usize::from(level) * width..).and_then(|rest| rest.get(..width));
        let embedding = embedding.ok_or(Error::Corrupt)?;
        let y = i8s(get(self.arena, self.input, Width::I8)?)?;
        for (i, (y, row)) in y.iter_mut().zip(self.rows).enumerate() {
            let raw = if i < values {
                nearest(VALUE_ONE * x(i))
            } else if let Some(&raw) = embedding.get(i - values) {
                raw.into()
            } else if i - values - width + 1 == usize::from(label) {
                LABEL_ON.into()
            } else {
                0
            };
            *y = requant_i8(raw.wrapping_add(row.bias), row.multiplier, -127);
        }
        walk::<K>(self.artifact, self.arena, None)
    }

    fn output(&self, i: usize) -> f32 {
        let (region, width) = self.output;
        let bytes = self.arena.get(region.at as usize..).unwrap_or(&[]);
        self.unit * element(bytes, width, i).unwrap_or(0) as f32
    }
}

/// The nearest whole number in int16, a half away from zero.
fn nearest(x: f32) -> i32 {
    let half = if x < 0.0 { -0.5 } else { 0.5 };
    ((x + half) as i32).clamp(-32767, 32767)
}
