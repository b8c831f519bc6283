//! A model's dense matrices as a core's kernel reads them: the same model, the same bits, other bytes.
//!
//! Packing comes last, on the whole artifact: it moves weights, pads them with zeros and leaves room behind the arena
//! for what the kernel expands its input to ([`Packing`]).

use anyhow::{Result, anyhow, ensure};
use smidgen_shared::artifact::{self, Artifact, Bound, Header, Items, Manifest};
use smidgen_shared::cost::Model;
use smidgen_shared::kernel::{Matrix, Packing, Portable, Rows};
use smidgen_shared::op::Op;
use smidgen_shared::run::Runner;

use super::sparse::{Encoded, repack};
use super::write::{Aligned, Weights, bound, sections};
use crate::device::Board;
use crate::infer;

/// `model` with its dense matrices in `packing`. Its golden vectors are replayed.
///
/// # Errors
/// A signed model: its signature would no longer fit.
pub fn pack(model: &Aligned, packing: Packing) -> Result<Aligned> {
    let artifact = model.artifact()?;
    if artifact.packing() == packing {
        return Ok(model.clone());
    }
    ensure!(!artifact.header().signed, "the model is signed as it is; export it again with --board, and sign that");
    let mut packer = Packer { artifact, packing, weights: Weights::default() };
    let ops = artifact.ops().map(|op| packer.op(op)).collect::<Result<Vec<_>>>()?;
    let scratch =
        |packing: Packing, columns: Option<u32>| 4 * packing.scratch_words(columns.unwrap_or(0) as usize) as u32;
    let now = scratch(packing, ops.iter().map(Op::columns).max());
    let moved = now.wrapping_sub(scratch(artifact.packing(), artifact.ops().map(|op| op.columns()).max()));
    let sampler = packer.sampler(moved)?;
    let encoded: Vec<Vec<u8>> = ops.iter().map(postcard::to_stdvec).collect::<Result<_, _>>()?;
    let (bounds, bound_count) = bounds(&artifact, packing, &ops)?;
    let manifest = postcard::to_stdvec(&Manifest {
        ops: &encoded.concat(),
        bounds: &bounds,
        bound_count,
        arena_bytes: artifact.arena_bytes().wrapping_add(moved),
        sampler,
        ..*artifact.manifest()
    })?;
    let golden = postcard::to_stdvec(artifact.golden())?;
    let header = Header { packing, ..*artifact.header() };
    let packed = sections(header, &manifest, &packer.weights, &golden)?;
    let checked = packed.artifact().map_err(|e| anyhow!("the packed artifact is refused: {e}"))?;
    let mut arena = vec![0u32; checked.arena_bytes().div_ceil(4) as usize];
    let mut runner = Runner::<Portable>::new(checked, &mut arena).map_err(|e| anyhow!("{e:?}"))?;
    ensure!(runner.self_test() == Ok(true), "the packed model's golden vectors do not come out");
    Ok(packed)
}

/// What holds on the boards that run this packing, encoded, and their number.
fn bounds(artifact: &Artifact<'_>, packing: Packing, ops: &[Op]) -> Result<(Vec<u8>, u8)> {
    let manifest = artifact.manifest();
    let model = Model { packing, ..Model::of(artifact) };
    let (mut bytes, mut count) = (Vec::new(), 0);
    for known in Items::<Bound>::new(manifest.bounds, manifest.bound_count.into()) {
        // A board that this program does not know keeps what was said of it.
        let now = match Board::find(known.board) {
            Err(_) => known,
            Ok(board) if packing != Packing::RowMajor && infer::packing(board)? != packing => continue,
            Ok(board) => bound(known.board, infer::core(&board.core)?, &model, ops),
        };
        bytes.extend(postcard::to_stdvec(&now)?);
        count += 1;
    }
    Ok((bytes, count))
}

/// The bytes of a matrix in another packing.
fn matrix(from: &Matrix<'_>, packing: Packing) -> Vec<i8> {
    let mut bytes = vec![0; packing.bytes(from.n_out(), from.n_in()).unwrap_or(0)];
    from.repack(packing, &mut bytes);
    bytes
}

/// The constants of `n` rows in another packing.
fn rows(from: &Rows<'_>, n: usize, packing: Packing) -> Vec<i32> {
    let mut words = vec![0; packing.row_words(n)];
    from.repack(n, packing, &mut words);
    words
}

struct Packer<'a> {
    artifact: Artifact<'a>,
    packing: Packing,
    weights: Weights,
}

impl Packer<'_> {
    /// Where the sampler stands now, its memory `moved` further up in the arena; 0 where there is none.
    fn sampler(&mut self, moved: u32) -> Result<u32> {
        let (a, w) = (self.artifact, &mut self.weights);
        let Some(sampler) = a.sampler() else { return Ok(0) };
        let schedule = a.schedule(sampler)?;
        let there = artifact::Sampler {
            state: sampler.state.wrapping_add(moved),
            levels_at: w.pods(schedule.levels),
            embeddings_at: w.pods(a.embeddings(sampler)?),
            intervals_at: w.pods(schedule.intervals),
            ..*sampler
        };
        Ok(w.pods(&[there]))
    }

    /// The operator with its constants written anew.
    fn op(&mut self, op: Op) -> Result<Op> {
        let a = self.artifact;
        Ok(match op {
            Op::Dense { x, y, width, relu, weights, rows } => {
                let weights = self.matrix(weights, x.len, y.len)?;
                Op::Dense { x, y, width, relu, weights, rows: self.rows(rows, y.len)? }
            }
            Op::LowRank { x, z, y, width, v, v_rows, u, u_rows } => {
                let (v, v_rows) = (self.matrix(v, x.len, z.len)?, self.rows(v_rows, z.len)?);
                let (u, u_rows) = (self.matrix(u, z.len, y.len)?, self.rows(u_rows, y.len)?);
                Op::LowRank { x, z, y, width, v, v_rows, u, u_rows }
            }
            Op::Gate { x, y, bases, weights, rows } => {
                let weights = self.matrix(weights, x.len, bases.into())?;
                Op::Gate { x, y, bases, weights, rows: self.weights.rows(a.rows(rows, bases.into())?) }
            }
            Op::Match { x, y, weights, rows, handicaps } => {
                let weights = self.matrix(weights, x.len, y.len)?;
                let rows = self.weights.rows(a.rows(rows, y.len as usize)?);
                let handicaps = handicaps.map(|at| a.i32s(at, y.len as usize)).transpose()?;
                Op::Match { x, y, weights, rows, handicaps: handicaps.map(|all| self.weights.i32s(all)) }
            }
            Op::Mix { x, gate, base, z, acc, y, width, bases, .. } => {
                let constants = a.bases(&op)?;
                let (rank, n_out) = (z.len as usize, y.len as usize);
                let each = 0..usize::from(bases);
                let v: Vec<i8> = each.clone().flat_map(|k| matrix(&constants.v.part(k, rank), self.packing)).collect();
                let v_rows: Vec<i32> =
                    each.clone().flat_map(|k| rows(&constants.v_rows.part(k, rank), rank, self.packing)).collect();
                let u: Vec<i8> = each.flat_map(|k| matrix(&constants.u.part(k, n_out), self.packing)).collect();
                let w = &mut self.weights;
                let (v, v_rows, u) = (w.i8s(&v), w.i32s(&v_rows), w.i8s(&u));
                let (u_bias, multipliers) = (w.i32s(constants.u_bias), w.i32s(constants.multipliers));
                Op::Mix { x, gate, base, z, acc, y, width, bases, v, v_rows, u, u_bias, multipliers }
            }
            Op::Standardise { y, rows } => {
                Op::Standardise { y, rows: self.weights.rows(a.rows(rows, y.len as usize)?) }
            }
            Op::Lookup { x, y, table } => Op::Lookup { x, y, table: self.weights.i8s(a.i8s(table, 256)?) },
            Op::Sparse { x, y, width, relu, layout, groups, counts, entries, rows } => {
                let stored = a.sparse(layout, (x.len, y.len), groups, counts, entries)?;
                let (layout, Encoded { groups, counts, entries }) = repack(&stored, &op, self.packing)?;
                let (counts, entries) = (self.weights.u16s(&counts), self.weights.u8s(&entries));
                let rows = self.weights.rows(a.rows(rows, y.len as usize)?);
                Op::Sparse { x, y, width, relu, layout, groups, counts, entries, rows }
            }
            Op::Embed { y, vocabulary, dim, table } => {
                let table = a.i8s(table, usize::from(vocabulary) * usize::from(dim))?;
                Op::Embed { y, vocabulary, dim, table: self.weights.i8s(table) }
            }
            Op::Poly { registers, state, y, inputs, float, steps, laws } => {
                let steps = a.steps(steps, registers.len as usize - usize::from(inputs))?;
                let laws = a.laws(laws, state.len as usize)?;
                let (steps, laws) = (bytemuck::cast_slice(steps), bytemuck::cast_slice(laws));
                let (steps, laws) = (self.weights.i32s(steps), self.weights.i32s(laws));
                Op::Poly { registers, state, y, inputs, float, steps, laws }
            }
            Op::UnitRms { .. } | Op::Rescale { .. } | Op::Clamp { .. } => op,
        })
    }

    fn matrix(&mut self, at: u32, n_in: u32, n_out: u32) -> Result<u32> {
        let stored = self.artifact.matrix(at, n_in, n_out)?;
        Ok(self.weights.i8s(&matrix(&stored, self.packing)))
    }

    fn rows(&mut self, at: u32, n: u32) -> Result<u32> {
        let stored = self.artifact.packed_rows(at, n)?;
        Ok(self.weights.i32s(&rows(&stored, n as usize, self.packing)))
    }
}
