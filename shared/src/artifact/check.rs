//! Everything that must hold before a model may run: regions, shapes, constants, accumulators.

use super::{Artifact, Class, Error, GoldenVector, Input, Items, sampler, sparse};
use crate::fixed::ACC_LIMIT;
use crate::kernel::{
    Matrix, Packing, Rows, arch,
    poly::{KINDS, Law, NONE, Step},
};
use crate::op::{Layout, Op, Region, Width};

/// Largest number of operators.
const MAX_OPS: u8 = 64;
/// Largest arena, bytes: no microcontroller that this is for has more.
const MAX_ARENA: u32 = 1 << 20;
/// Largest number of bases that a gate keeps.
const MAX_KEPT: u32 = 16;
/// Largest number of laws.
const MAX_LAWS: u32 = 32;
/// Largest number of bases.
const MAX_BASES: u16 = 256;

pub(super) fn check(artifact: &Artifact<'_>) -> Result<(), Error> {
    let manifest = artifact.manifest();
    if manifest.op_count == 0 || manifest.op_count > MAX_OPS {
        return Err(Error::BadShape);
    }
    if manifest.arena_bytes > MAX_ARENA || !manifest.arena_bytes.is_multiple_of(4) {
        return Err(Error::BadRegion);
    }
    let mut ops = artifact.ops();
    let mut arena_end = check_input(artifact)?;
    let mut i = 0;
    for op in ops.by_ref() {
        check_regions(artifact, i, &op)?;
        check_shapes(artifact, i, &op)?;
        for (region, width) in written(&op) {
            arena_end = arena_end.max(end(region, width));
        }
        i += 1;
    }
    if i != usize::from(manifest.op_count) || !ops.is_done() {
        return Err(Error::BadManifest);
    }
    // Behind the regions lies what the widest matrix's kernel needs, then what a sampler keeps.
    let columns = artifact.ops().map(|op| op.columns()).max().unwrap_or(0);
    let scratch = 4 * artifact.packing().scratch_words(columns as usize) as u32;
    let mut end = arena_end.next_multiple_of(4).checked_add(scratch).ok_or(Error::BadRegion)?;
    if manifest.sampler != 0 {
        end = sampler::check(artifact, end)?;
    }
    if end.next_multiple_of(4) != manifest.arena_bytes {
        return Err(Error::BadRegion);
    }
    check_lists(artifact)
}

/// End of the input's own memory in the arena.
fn check_input(artifact: &Artifact<'_>) -> Result<u32, Error> {
    let y = match (artifact.ops().next(), artifact.manifest().input) {
        (Some(Op::Standardise { y, .. }), _) => y,
        // Each token gives as many elements as the table has columns.
        (Some(Op::Embed { y, dim, .. }), Input::Vector { len }) if product(len.into(), dim.into())? == y.len => {
            return Ok(0);
        }
        // Its own memory is checked with the operator's regions.
        (Some(Op::Poly { inputs, .. }), Input::Vector { len }) if inputs == len => return Ok(0),
        _ => return Err(Error::BadShape),
    };
    match artifact.manifest().input {
        Input::Window { spec, state } => {
            spec.check().map_err(|_| Error::BadShape)?;
            if spec.count() != y.len as usize {
                return Err(Error::BadShape);
            }
            let words = u32::try_from(spec.state_words()).map_err(|_| Error::BadShape)?;
            let state = Region { at: state, len: words };
            inside(artifact, state, Width::I32)?;
            if overlap((state, Width::I32), (y, Width::I8)) {
                return Err(Error::BadRegion);
            }
            Ok(end(state, Width::I32))
        }
        Input::Vector { len } if u32::from(len) == y.len => Ok(0),
        Input::Vector { .. } => Err(Error::BadShape),
    }
}

/// In the arena, apart from each other, and read only after being written.
fn check_regions(artifact: &Artifact<'_>, i: usize, op: &Op) -> Result<(), Error> {
    for (n, output) in written(op).enumerate() {
        inside(artifact, output.0, output.1)?;
        let others = op.inputs().into_iter().flatten().chain(written(op).skip(n + 1));
        for other in others {
            if overlap(output, other) {
                return Err(Error::BadRegion);
            }
        }
    }
    for input in op.inputs().into_iter().flatten() {
        let mut alive = false;
        for earlier in artifact.ops().take(i) {
            for (n, output) in written(&earlier).enumerate() {
                if n == 0 && output == input {
                    alive = true;
                } else if overlap(output, input) {
                    alive = false;
                }
            }
        }
        if !alive {
            return Err(Error::BadRegion);
        }
    }
    // A gate's pairs hold a weight of 128 as −128: no matrix reads them. Another output may lie there later.
    let mut pairs = false;
    for earlier in artifact.ops().take(i) {
        if op.inputs().first() == Some(&Some(earlier.output())) {
            pairs = matches!(earlier, Op::Gate { .. });
        }
    }
    if op.columns() > 0 && pairs { Err(Error::BadShape) } else { Ok(()) }
}

fn check_shapes(artifact: &Artifact<'_>, i: usize, op: &Op) -> Result<(), Error> {
    let same = |a: Region, b: Region| if a.len == b.len { Ok(()) } else { Err(Error::BadShape) };
    if op.output().0.len == 0 || op.inputs().into_iter().flatten().any(|(region, _)| region.len == 0) {
        return Err(Error::BadShape);
    }
    match *op {
        Op::Standardise { y, rows } => {
            let rows = artifact.rows(rows, y.len as usize)?;
            // Features stay below 2²² themselves.
            let fits = rows.iter().all(|row| row.bias.unsigned_abs() < 1 << 22);
            if i != 0 {
                Err(Error::BadShape)
            } else if !fits {
                Err(Error::Overflow)
            } else {
                Ok(())
            }
        }
        Op::UnitRms { x, y, gain } => {
            if gain >= 1 << 24 {
                return Err(Error::Overflow);
            }
            same(x, y)
        }
        Op::Rescale { x, y, .. } => same(x, y),
        Op::Clamp { x, y, lo, hi } => {
            no_extremes(&[lo, hi])?;
            same(x, y)
        }
        Op::Lookup { x, y, table } => {
            no_extremes(artifact.i8s(table, 256)?)?;
            same(x, y)
        }
        Op::Dense { x, y, width, relu, weights, rows } => {
            rectified(width, relu)?;
            layer(artifact, x.len, y.len, weights, rows)
        }
        Op::LowRank { x, z, y, width, v, v_rows, u, u_rows } => {
            narrow(width)?;
            layer(artifact, x.len, z.len, v, v_rows)?;
            layer(artifact, z.len, y.len, u, u_rows)
        }
        Op::Gate { x, y, bases, weights, rows } => {
            let kept = y.len / 2;
            if y.len % 2 != 0 || kept > MAX_KEPT || kept > u32::from(bases) || bases > MAX_BASES {
                return Err(Error::BadShape);
            }
            scores(artifact, x.len, bases.into(), weights, rows)
        }
        Op::Mix { gate, base, z, acc, y, width, bases, .. } => {
            narrow(width)?;
            same(acc, y)?;
            if let Some(base) = base {
                same(base, y)?;
            }
            if gate.len % 2 != 0 || bases == 0 || bases > MAX_BASES {
                return Err(Error::BadShape);
            }
            mixture(artifact, op, (z.len as usize, y.len as usize))
        }
        Op::Match { x, y, weights, rows, handicaps } => {
            if let Some(handicaps) = handicaps {
                artifact.i32s(handicaps, y.len as usize)?;
            }
            scores(artifact, x.len, y.len, weights, rows)
        }
        Op::Sparse { x, y, width, relu, layout, groups, counts, entries, rows } => {
            rectified(width, relu)?;
            if layout == Layout::Pairs && artifact.packing() != Packing::HighLow {
                return Err(Error::BadShape);
            }
            let matrix = artifact.sparse(layout, (x.len, y.len), groups, counts, entries)?;
            sparse::check(&matrix, x.len as usize, artifact.rows(rows, y.len as usize)?)
        }
        Op::Embed { vocabulary, dim, table, .. } => {
            if i != 0 || vocabulary == 0 {
                return Err(Error::BadShape);
            }
            no_extremes(artifact.i8s(table, usize::from(vocabulary) * usize::from(dim))?)
        }
        Op::Poly { .. } => laws(artifact, op),
    }
}

/// The shape of [`Op::Poly`], a model's only operator.
#[inline(never)]
fn laws(artifact: &Artifact<'_>, op: &Op) -> Result<(), Error> {
    let Op::Poly { registers, state, y, inputs, float, steps, laws } = *op else { return Err(Error::BadShape) };
    if float && !arch::FLOAT {
        return Err(Error::NeedsFloat);
    }
    let inputs = u32::from(inputs);
    let follows = |a: Region, b: Region| a.at + 4 * a.len == b.at;
    if artifact.manifest().op_count != 1
        || inputs == 0
        || inputs >= registers.len
        || registers.at != 0
        || state.len > MAX_LAWS
        || registers.len > u32::from(NONE)
        || y.len != state.len + 1
        || !follows(registers, state)
        || !follows(state, y)
    {
        return Err(Error::BadShape);
    }
    let steps = artifact.steps(steps, (registers.len - inputs) as usize)?;
    program(inputs, steps, artifact.laws(laws, state.len as usize)?)
}

/// Steps read registers that were written before, laws any register.
fn program(inputs: u32, steps: &[Step], laws: &[Law]) -> Result<(), Error> {
    let mut written = inputs;
    let mut sound = true;
    for step in steps {
        // NONE is none of the registers.
        sound &= u32::from(step.a) < written && (u32::from(step.b) < written || step.b == NONE);
        sound &= step.kind < KINDS && step.shift < 64;
        written += 1;
    }
    for law in laws {
        sound &= u32::from(law.value) < written && law.smoothing <= 16 && law.shift < 64 && law.zero == 0;
    }
    if sound { Ok(()) } else { Err(Error::BadShape) }
}

/// Classes, bounds and golden vectors decode and fit the model.
fn check_lists(artifact: &Artifact<'_>) -> Result<(), Error> {
    let manifest = artifact.manifest();
    let (output, width) = artifact.output();
    let mut classes: Items<Class> = artifact.classes();
    if classes.by_ref().count() != usize::from(manifest.class_count) || !classes.is_done() {
        return Err(Error::BadManifest);
    }
    if manifest.class_count > 0 && u32::from(manifest.class_count) != output.len {
        return Err(Error::BadShape);
    }
    let mut bounds: Items<super::Bound> = Items::new(manifest.bounds, manifest.bound_count.into());
    if bounds.by_ref().count() != usize::from(manifest.bound_count) || !bounds.is_done() {
        return Err(Error::BadManifest);
    }
    let golden = artifact.golden();
    let mut vectors: Items<GoldenVector> = Items::new(golden.vectors, golden.count.into());
    let mut count = 0;
    for vector in vectors.by_ref() {
        let input = artifact.ops().next().map_or(0, |op| op.output().0.len);
        if vector.input.len() != input as usize || vector.output.len() != (output.len * width.bytes()) as usize {
            return Err(Error::BadShape);
        }
        no_extremes(bytemuck::try_cast_slice(vector.input).map_err(|_| Error::BadShape)?)?;
        count += 1;
    }
    if count != golden.count || !vectors.is_done() { Err(Error::BadManifest) } else { Ok(()) }
}

/// The regions that an operator writes, its output first.
fn written(op: &Op) -> impl Iterator<Item = (Region, Width)> + use<> {
    core::iter::once(op.output()).chain(op.scratch().into_iter().flatten())
}

fn end(region: Region, width: Width) -> u32 {
    region.at.saturating_add(region.len.saturating_mul(width.bytes()))
}

fn inside(artifact: &Artifact<'_>, region: Region, width: Width) -> Result<(), Error> {
    if region.at.is_multiple_of(4) && end(region, width) <= artifact.arena_bytes() {
        Ok(())
    } else {
        Err(Error::BadRegion)
    }
}

fn overlap((a, aw): (Region, Width), (b, bw): (Region, Width)) -> bool {
    a.len > 0 && b.len > 0 && a.at < end(b, bw) && b.at < end(a, aw)
}

fn narrow(width: Width) -> Result<(), Error> {
    if width == Width::I32 { Err(Error::BadShape) } else { Ok(()) }
}

/// A ReLU's outputs are int8: kernels have no lower limit of int16 but −32767.
fn rectified(width: Width, relu: bool) -> Result<(), Error> {
    if relu && width != Width::I8 { Err(Error::BadShape) } else { narrow(width) }
}

fn product(a: u32, b: u32) -> Result<u32, Error> {
    a.checked_mul(b).ok_or(Error::BadShape)
}

fn layer(artifact: &Artifact<'_>, n_in: u32, n_out: u32, weights: u32, rows: u32) -> Result<(), Error> {
    sound(&artifact.matrix(weights, n_in, n_out)?, &artifact.packed_rows(rows, n_out)?)
}

/// A matrix whose rows' constants are never packed.
fn scores(artifact: &Artifact<'_>, n_in: u32, n_out: u32, weights: u32, rows: u32) -> Result<(), Error> {
    sound(&artifact.matrix(weights, n_in, n_out)?, &Rows::plain(artifact.rows(rows, n_out as usize)?))
}

fn mixture(artifact: &Artifact<'_>, op: &Op, (rank, n_out): (usize, usize)) -> Result<(), Error> {
    let bases = artifact.bases(op)?;
    let Op::Mix { bases: count, .. } = *op else { return Err(Error::BadShape) };
    for k in 0..usize::from(count) {
        if rank > 0 {
            sound(&bases.v.part(k, rank), &bases.v_rows.part(k, rank))?;
        }
        let biases = bases.u_bias.get(k * n_out..).unwrap_or(&[]);
        accumulators(&bases.u.part(k, n_out), &|i| biases.get(i).copied().unwrap_or(0))?;
    }
    Ok(())
}

/// A matrix and its rows' constants.
#[inline(never)]
fn sound(matrix: &Matrix<'_>, rows: &Rows<'_>) -> Result<(), Error> {
    // A bias that is stored shifted has nothing in its lowest byte.
    if !rows.are_sound() {
        return Err(Error::BadConstants);
    }
    accumulators(matrix, &|i| rows.row(i).map_or(0, |row| row.bias))
}

fn no_extremes(values: &[i8]) -> Result<(), Error> {
    if values.contains(&-128) { Err(Error::Overflow) } else { Ok(()) }
}

/// `Σ_j |w_ij|·127 + |b_i| < 2²³` for every row i, no weight is beyond ±127, and what fills the last units is 0.
#[inline(never)]
fn accumulators(matrix: &Matrix<'_>, bias: &dyn Fn(usize) -> i32) -> Result<(), Error> {
    if matrix.n_in() == 0 {
        return Err(Error::BadShape);
    }
    let (rows, columns) = matrix.packing().padded(matrix.n_out(), matrix.n_in());
    for i in 0..rows {
        let mut sum = 0u32;
        for j in 0..columns {
            let weight = matrix.weight(i, j).unsigned_abs();
            if weight > 127 {
                return Err(Error::Overflow);
            }
            if weight != 0 && (i >= matrix.n_out() || j >= matrix.n_in()) {
                return Err(Error::BadConstants);
            }
            sum = sum.wrapping_add(weight);
        }
        let bias = if i < matrix.n_out() { bias(i) } else { 0 };
        if i64::from(sum) * 127 + i64::from(bias).abs() >= ACC_LIMIT {
            return Err(Error::Overflow);
        }
    }
    Ok(())
}
