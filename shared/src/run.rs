//! The executor: takes an input step by step, then walks the operators over the caller's arena.
//!
//! ```text
//! Runner::new(&artifact, arena) → begin → push(step) × steps → finish → scores
//! ```
//!
//! The raw window is never stored: each time step goes into the features' running sums.
//! The time of `finish` depends on the model alone, not on the data.

use core::marker::PhantomData;

use crate::artifact::{Artifact, GoldenVector, Input, Items, golden_sample};
use crate::features;
use crate::fixed::requant_i8;
use crate::kernel::{self, Kernel};
use crate::monitor::Monitor;
use crate::op::{Op, Region, Width};
use crate::regions::{element, get, i8s, out, pair, range, views, words};

/// Why a model did not answer.
// A word, so that what stands in its place in a `Result` is moved by words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Error {
    /// The arena is smaller than [`Artifact::arena_bytes`].
    ArenaTooSmall,
    /// A time step does not have as many values as the model has channels.
    WrongChannels,
    /// `finish` came before, or `push` after, the last time step; `begin` again.
    WrongStep,
    /// The artifact's bytes changed after they were checked.
    Corrupt,
    /// The model draws no samples, or this core has no f32.
    NoSampler,
    /// The sampler knows no such class.
    NoLabel,
}

/// Runs one model. `K` forms the sums of products.
pub struct Runner<'m, 'a, K> {
    pub(crate) artifact: Artifact<'m>,
    pub(crate) arena: &'a mut [u8],
    /// [`Op::Poly`], decoded once: it is asked for with every value.
    monitor: Option<Monitor>,
    taken: u16,
    kernel: PhantomData<K>,
}

impl<'m, 'a, K: Kernel> Runner<'m, 'a, K> {
    /// `arena`: at least [`Artifact::arena_bytes`] bytes.
    pub fn new(artifact: Artifact<'m>, arena: &'a mut [u32]) -> Result<Self, Error> {
        let arena: &mut [u8] = bytemuck::try_cast_slice_mut(arena).map_err(|_| Error::Corrupt)?;
        let arena = arena.get_mut(..artifact.arena_bytes() as usize).ok_or(Error::ArenaTooSmall)?;
        let monitor = Monitor::of(&artifact);
        let mut runner = Runner { artifact, arena, monitor, taken: 0, kernel: PhantomData };
        runner.reset();
        Ok(runner)
    }

    /// The model.
    pub fn artifact(&self) -> &Artifact<'m> {
        &self.artifact
    }

    /// Values in a time step.
    pub fn channels(&self) -> usize {
        match self.artifact.manifest().input {
            Input::Window { spec, .. } => spec.channels.into(),
            Input::Vector { .. } => 1,
        }
    }

    /// Time steps in an input: the window's length, or the vector's, whose values come one by one.
    pub fn steps(&self) -> u16 {
        match self.artifact.manifest().input {
            Input::Window { spec, .. } => spec.window,
            Input::Vector { len } => len,
        }
    }

    /// Time steps taken since `begin`.
    pub fn taken(&self) -> u16 {
        self.taken
    }

    /// Starts an input anew.
    pub fn begin(&mut self) {
        self.taken = 0;
        if let Input::Window { spec, state } = self.artifact.manifest().input
            && let Ok(state) = words(self.arena, state, spec.state_words())
        {
            features::begin(&spec, state);
        }
    }

    /// Forgets earlier inputs: the running deviations of [`Op::Poly`], a sample under way; then `begin`.
    pub fn reset(&mut self) {
        if let Some(monitor) = self.monitor {
            monitor.forget(self.arena);
        }
        self.forget_sample();
        self.begin();
    }

    /// Takes one time step: [`Runner::channels`] raw values.
    pub fn push(&mut self, step: &[i16]) -> Result<(), Error> {
        if self.taken >= self.steps() {
            return Err(Error::WrongStep);
        }
        match self.artifact.manifest().input {
            Input::Window { spec, state } => {
                let state = words(self.arena, state, spec.state_words())?;
                features::push(&spec, state, step).map_err(|_| Error::WrongChannels)?;
            }
            Input::Vector { .. } => {
                let &[value] = step else { return Err(Error::WrongChannels) };
                let i = usize::from(self.taken);
                match self.monitor {
                    Some(monitor) => monitor.take(self.arena, i, value)?,
                    None => take(&self.artifact, self.arena, i, value)?,
                }
            }
        }
        self.taken += 1;
        Ok(())
    }

    /// Runs the operators up to and including `last` (all where `None`) once all steps are taken.
    /// The output then stands in [`Runner::output`]; the next input starts with `begin`.
    pub fn finish(&mut self, last: Option<u8>) -> Result<(), Error> {
        if self.taken != self.steps() {
            return Err(Error::WrongStep);
        }
        if let Input::Window { spec, state } = self.artifact.manifest().input {
            let Some(&Op::Standardise { y, rows }) = self.artifact.first_op() else { return Err(Error::Corrupt) };
            let rows = self.artifact.rows(rows, y.len as usize).map_err(|_| Error::Corrupt)?;
            let state = Region { at: state, len: spec.state_words() as u32 };
            let [state, y] = pair(self.arena, (state, Width::I32), (y, Width::I8))?;
            let (state, y) = (bytemuck::try_cast_slice_mut(state).map_err(|_| Error::Corrupt)?, i8s(y)?);
            features::finish(&spec, state, |i, value| {
                if let (Some(y), Some(row)) = (y.get_mut(i), rows.get(i)) {
                    *y = requant_i8(value.wrapping_add(row.bias), row.multiplier, -127);
                }
            })
            .map_err(|_| Error::Corrupt)?;
        }
        match self.monitor {
            Some(monitor) => monitor.run(&self.artifact, self.arena),
            None => walk::<K>(&self.artifact, self.arena, last),
        }
    }

    /// Runs the operators after the first on `input`, the first operator's output (int8).
    pub fn infer(&mut self, input: &[i8], last: Option<u8>) -> Result<(), Error> {
        let (region, width) = self.artifact.first_op().ok_or(Error::Corrupt)?.output();
        let y = i8s(get(self.arena, region, width)?)?;
        if y.len() != input.len() {
            return Err(Error::WrongChannels);
        }
        for (y, &x) in y.iter_mut().zip(input) {
            *y = x;
        }
        walk::<K>(&self.artifact, self.arena, last)
    }

    /// Bytes that operator `op` wrote, valid after a run that ended with it.
    pub fn output_of(&self, op: u8) -> Result<&[u8], Error> {
        let (region, width) = self.artifact.ops().nth(op.into()).ok_or(Error::Corrupt)?.output();
        let len = (region.len * width.bytes()) as usize;
        self.arena.get(region.at as usize..).and_then(|rest| rest.get(..len)).ok_or(Error::Corrupt)
    }

    /// The scores' bytes, little-endian, of the type that [`Artifact::output`] says.
    pub fn output(&self) -> Result<&[u8], Error> {
        self.output_of(self.artifact.manifest().op_count.saturating_sub(1))
    }

    /// What the class table is multiplied with, int8; stands there after a whole run. `None` without a table.
    pub fn table_input(&self) -> Option<&[i8]> {
        let Some(Op::Match { x, .. }) = self.artifact.ops().last() else { return None };
        let bytes = self.arena.get(range(x, Width::I8))?;
        bytemuck::try_cast_slice(bytes).ok()
    }

    /// The arena, for [`explain`](crate::explain).
    pub fn arena(&self) -> &[u8] {
        self.arena
    }

    /// Score `i` of the last run.
    pub fn score(&self, i: usize) -> Option<i32> {
        let (_, width) = self.artifact.output();
        element(self.output().ok()?, width, i)
    }

    /// Index of the largest score, the first of equals.
    pub fn class(&self) -> u16 {
        // Found once: each look for the output decodes all operators.
        let (_, width) = self.artifact.output();
        let scores = self.output().unwrap_or(&[]);
        let mut best = (i32::MIN, 0);
        let mut i = 0u16;
        while let Some(score) = element(scores, width, i.into()) {
            if score > best.0 {
                best = (score, i);
            }
            i = i.saturating_add(1);
        }
        best.1
    }

    /// CRC-32 of the first operator's output for the golden input ([`golden_sample`]).
    pub fn front_checksum(&mut self) -> Result<u32, Error> {
        self.reset();
        let mut step = [0i16; features::MAX_CHANNELS];
        let channels = self.channels();
        for t in 0..self.steps() {
            for (c, value) in step.iter_mut().enumerate().take(channels) {
                *value = golden_sample(t, c as u8);
            }
            self.push(step.get(..channels).ok_or(Error::Corrupt)?)?;
        }
        self.finish(Some(0))?;
        Ok(checksum(self.output_of(0)?))
    }

    /// Replays the golden vectors; `Ok(false)` where any output differs.
    pub fn self_test(&mut self) -> Result<bool, Error> {
        let golden = *self.artifact.golden();
        let mut same = self.front_checksum()? == golden.front_crc;
        for vector in Items::<GoldenVector>::new(golden.vectors, golden.count.into()) {
            self.infer(bytemuck::try_cast_slice(vector.input).map_err(|_| Error::Corrupt)?, None)?;
            same &= self.output()? == vector.output;
        }
        self.reset();
        Ok(same)
    }
}

/// The operators after the first, up to and including `last`.
pub(crate) fn walk<K: Kernel>(artifact: &Artifact<'_>, arena: &mut [u8], last: Option<u8>) -> Result<(), Error> {
    let arena = arena.get_mut(..artifact.operators_end() as usize).ok_or(Error::Corrupt)?;
    let mut ops = artifact.later_ops();
    let mut left = last.unwrap_or(u8::MAX);
    // By hand and by reference: an adaptor of the iterator, or a binding by value, copies an operator once more.
    while left > 0 {
        let next = ops.next();
        let Some(op) = &next else { break };
        step::<K>(artifact, arena, op)?;
        left -= 1;
    }
    Ok(())
}

/// CRC-32 (ISO-HDLC) of an operator's output.
pub fn checksum(bytes: &[u8]) -> u32 {
    crate::fixed::CRC.checksum(bytes)
}

// A frame of its own: in the loop all operators' addresses would be made before the first.
#[inline(never)]
fn step<K: Kernel>(model: &Artifact<'_>, arena: &mut [u8], op: &Op) -> Result<(), Error> {
    let corrupt = |_| Error::Corrupt;
    // The last bytes are the kernels' own.
    let own = 4 * model.packing().scratch_words(op.columns() as usize);
    let at = arena.len().checked_sub(own).ok_or(Error::Corrupt)?;
    let (arena, scratch) = arena.split_at_mut_checked(at).ok_or(Error::Corrupt)?;
    let scratch: &mut [u32] = bytemuck::try_cast_slice_mut(scratch).map_err(|_| Error::Corrupt)?;
    match *op {
        Op::Standardise { .. } | Op::Embed { .. } | Op::Poly { .. } => {}
        Op::UnitRms { x, y, gain } => {
            let [x, y] = pair(arena, (x, Width::I8), (y, Width::I8))?;
            kernel::unit_rms(i8s(x)?, gain, i8s(y)?);
        }
        Op::Dense { x, y, width, relu, weights, rows } => {
            let layer = model.layer(weights, rows, x.len, y.len).map_err(corrupt)?;
            let [x, y] = pair(arena, (x, Width::I8), (y, width))?;
            kernel::dense::<K>(i8s(x)?, &layer, scratch, out(y, width, relu)?);
        }
        Op::LowRank { x, z, y, width, v, v_rows, u, u_rows } => {
            let v = model.layer(v, v_rows, x.len, z.len).map_err(corrupt)?;
            let u = model.layer(u, u_rows, z.len, y.len).map_err(corrupt)?;
            let [x, z, y] = views(arena, &[(x, Width::I8), (z, Width::I8), (y, width)])?;
            kernel::low_rank::<K>(i8s(x)?, &v, i8s(z)?, &u, scratch, out(y, width, false)?);
        }
        Op::Gate { x, y, bases, weights, rows } => {
            let matrix = model.matrix(weights, x.len, bases.into()).map_err(corrupt)?;
            let rows = model.rows(rows, bases.into()).map_err(corrupt)?;
            let [x, y] = pair(arena, (x, Width::I8), (y, Width::I8))?;
            kernel::gate::<K>(i8s(x)?, &matrix, rows, scratch, i8s(y)?);
        }
        Op::Mix { x, gate, base, z, acc, y, width, .. } => {
            let constants = model.bases(op).map_err(corrupt)?;
            let based = base.is_some();
            let base = base.unwrap_or(Region { at: 0, len: 0 });
            let [x, gate, base, z, acc, y] = views(
                arena,
                &[(x, Width::I8), (gate, Width::I8), (base, Width::I16), (z, Width::I8), (acc, Width::I32), (y, width)],
            )?;
            let base: &[i16] = bytemuck::try_cast_slice(base).map_err(|_| Error::Corrupt)?;
            let acc = bytemuck::try_cast_slice_mut(acc).map_err(|_| Error::Corrupt)?;
            let base = based.then_some(base);
            kernel::mix::<K>(i8s(x)?, i8s(gate)?, base, constants, i8s(z)?, acc, scratch, out(y, width, false)?);
        }
        Op::Rescale { x, y, multiplier } => {
            let [x, y] = pair(arena, (x, Width::I16), (y, Width::I8))?;
            kernel::rescale(bytemuck::try_cast_slice(x).map_err(|_| Error::Corrupt)?, multiplier, i8s(y)?);
        }
        Op::Clamp { x, y, lo, hi } => {
            let [x, y] = pair(arena, (x, Width::I8), (y, Width::I8))?;
            kernel::clamp(i8s(x)?, lo, hi, i8s(y)?);
        }
        Op::Lookup { x, y, table } => {
            let [x, y] = pair(arena, (x, Width::I8), (y, Width::I8))?;
            kernel::lookup(i8s(x)?, model.i8s(table, 256).map_err(corrupt)?, i8s(y)?);
        }
        Op::Match { x, y, weights, rows, handicaps } => {
            let classes = y.len as usize;
            let matrix = model.matrix(weights, x.len, y.len).map_err(corrupt)?;
            let [x, y] = pair(arena, (x, Width::I8), (y, Width::I32))?;
            let rows = model.rows(rows, classes).map_err(corrupt)?;
            let handicaps = match handicaps {
                Some(at) => model.i32s(at, classes).map_err(corrupt)?,
                None => &[],
            };
            let y = bytemuck::try_cast_slice_mut(y).map_err(|_| Error::Corrupt)?;
            kernel::matching::<K>(i8s(x)?, &matrix, rows, handicaps, scratch, y);
        }
        Op::Sparse { x, y, width, relu, layout, groups, counts, entries, rows } => {
            let matrix = model.sparse(layout, (x.len, y.len), groups, counts, entries).map_err(corrupt)?;
            let rows = model.rows(rows, y.len as usize).map_err(corrupt)?;
            let [x, y] = pair(arena, (x, Width::I8), (y, width))?;
            kernel::sparse::<K>(i8s(x)?, &matrix, rows, scratch, out(y, width, relu)?);
        }
    }
    Ok(())
}

/// Value `i` of a vector, standardised or embedded.
fn take(artifact: &Artifact<'_>, arena: &mut [u8], i: usize, value: i16) -> Result<(), Error> {
    match artifact.first_op() {
        Some(&Op::Standardise { y, rows }) => {
            let rows = artifact.rows(rows, y.len as usize).map_err(|_| Error::Corrupt)?;
            let y = i8s(get(arena, y, Width::I8)?)?;
            if let (Some(y), Some(row)) = (y.get_mut(i), rows.get(i)) {
                *y = requant_i8(i32::from(value).wrapping_add(row.bias), row.multiplier, -127);
            }
        }
        Some(&Op::Embed { y, vocabulary, dim, table }) => {
            let size = usize::from(vocabulary) * usize::from(dim);
            let table = artifact.i8s(table, size).map_err(|_| Error::Corrupt)?;
            kernel::embed(value, table, vocabulary, dim, i, i8s(get(arena, y, Width::I8)?)?);
        }
        _ => return Err(Error::Corrupt),
    }
    Ok(())
}
