//! Why a class got its score: whole numbers, one a feature and one a base network.
//!
//! A composite of linear networks is linear in its input once the gate has chosen: with class row a, base
//! networks k of weight g_k and the networks' maps `W₀ x + b₀`, `U_k (V_k x + b_k) + u_k`,
//!
//! ```text
//! score ≈ constant + Σ_j feature_j            feature_j = x_j · a·(W₀ + Σ_k g_k U_k V_k)_j
//! score ≈ common + Σ_k network_k + class      network_k = g_k a·(U_k (V_k x + b_k) + u_k)
//! ```
//!
//! All factors are those of the artifact, in 40 + 24 bits. What the forward pass rounds and clamps, and a seen
//! class's handicap, is the difference to the score it gave; whoever shows the terms shows that too, and then they
//! sum exactly. Both sides run this function, so host and device give the same bits.

use crate::artifact::Artifact;
use crate::fixed::Row;
use crate::kernel::{Matrix, Rows};
use crate::op::{Op, Region};

/// Most elements of the map's output: they are kept on the stack.
pub const MAX_WIDTH: usize = 64;
/// Most terms a call.
pub const MAX_TERMS: usize = 32;

/// Why there is no explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Between features and scores lies more than a linear map or a composite of such; or it is too wide.
    NotLinear,
    /// No such class, or no such term.
    NothingThere,
}

/// A model whose scores can be explained. Operators are indices: decoded ones would fill a small stack.
struct Linear {
    /// The operator that maps.
    map: u8,
    /// Its output.
    y: Region,
    /// The common map that a composite adds to.
    base: Option<u8>,
    /// Multiplier of the rescale behind the map.
    rescale: Option<i32>,
    /// The class table.
    table: Option<u8>,
    x: Region,
    /// The common map, then the networks that the gate keeps.
    networks: usize,
}

impl Linear {
    #[inline(never)]
    fn of(model: &Artifact<'_>) -> Result<Linear, Error> {
        let mut found: Option<Linear> = None;
        let mut input = Region { at: 0, len: 0 };
        for (i, op) in (0u8..).zip(model.ops()) {
            let ends = found.as_ref().is_some_and(|found| found.table.is_some());
            match op {
                Op::Standardise { y, .. } => input = y,
                Op::UnitRms { x, y, .. } if found.is_none() && x == input => input = y,
                // A gate only chooses; a common map is found by the composite that reads it.
                Op::Gate { x, .. } if found.is_none() && x == input => {}
                Op::Mix { x, base, gate, y, .. } if x == input => {
                    let before = found.take();
                    let common = base.map(|region| before.filter(|f| f.y == region).map(|f| f.map));
                    let base = match common {
                        None => None,
                        Some(Some(op)) => Some(op),
                        Some(None) => return Err(Error::NotLinear),
                    };
                    let networks = 1 + gate.len as usize / 2;
                    found = Some(Linear { map: i, y, base, rescale: None, table: None, x, networks });
                }
                Op::Dense { x, y, relu: false, .. } | Op::LowRank { x, y, .. } if found.is_none() && x == input => {
                    found = Some(Linear { map: i, y, base: None, rescale: None, table: None, x, networks: 1 });
                }
                Op::Gate { x, .. } if x == input && !ends => {}
                Op::Rescale { x, multiplier, .. } if !ends => match &mut found {
                    Some(f) if f.y == x && f.rescale.is_none() => f.rescale = Some(multiplier),
                    _ => return Err(Error::NotLinear),
                },
                Op::Match { .. } if !ends => match &mut found {
                    Some(f) => f.table = Some(i),
                    None => return Err(Error::NotLinear),
                },
                _ => return Err(Error::NotLinear),
            }
        }
        let found = found.ok_or(Error::NotLinear)?;
        let wide = found.y.len as usize > MAX_WIDTH;
        if wide || found.rescale.is_some() && found.table.is_none() { Err(Error::NotLinear) } else { Ok(found) }
    }
}

/// The operator up to which to run the model before [`terms`]: the last before the map.
pub fn stop(model: &Artifact<'_>) -> Result<u8, Error> {
    Ok(Linear::of(model)?.map.saturating_sub(1))
}

/// Networks among the terms: the common map, then those that the gate keeps, in its order.
pub fn networks(model: &Artifact<'_>) -> Result<usize, Error> {
    Ok(Linear::of(model)?.networks)
}

/// Number of terms: the constant, the networks, the features.
pub fn count(model: &Artifact<'_>) -> Result<usize, Error> {
    let linear = Linear::of(model)?;
    Ok(1 + linear.networks + linear.x.len as usize)
}

/// Row of a class that the model was taught.
#[derive(Clone, Copy)]
pub struct Taught<'a> {
    /// As many as the table has attributes.
    pub weights: &'a [i8],
    /// The row's constants.
    pub row: Row,
}

/// Terms `from..` of the score of class `class` into `out`, at most [`MAX_TERMS`]; how many. `arena` is as a run up to
/// [`stop`] left it. `taught` stands for a class beyond the model's own.
pub fn terms(
    model: &Artifact<'_>,
    arena: &[u8],
    class: usize,
    taught: Option<Taught<'_>>,
    from: usize,
    out: &mut [i32],
) -> Result<usize, Error> {
    let linear = Linear::of(model)?;
    let x = int8(arena, linear.x)?;
    let total = 1 + linear.networks + x.len();
    let wanted = total.saturating_sub(from).min(MAX_TERMS).min(out.len());
    if wanted == 0 {
        return Err(Error::NothingThere);
    }
    let mut sums = Sums { from, x, terms: [0; MAX_TERMS], networks: linear.networks };
    let mut pull = [0i64; MAX_WIDTH];
    if linear.y.len as usize > MAX_WIDTH {
        return Err(Error::NotLinear);
    }
    sums.constant(0, class_pull(model, &linear, class, taught, &mut pull)?);
    if let Some(base) = linear.base {
        plain(model, base, &mut pull, &mut sums)?;
        class_pull(model, &linear, class, taught, &mut pull)?;
    }
    if linear.networks > 1 {
        composite(model, linear.map, arena, &mut pull, &mut sums)?;
    } else {
        plain(model, linear.map, &mut pull, &mut sums)?;
    }
    for (out, term) in out.iter_mut().zip(sums.terms).take(wanted) {
        *out = (term.wrapping_add(1 << 23) >> 24) as i32;
    }
    Ok(wanted)
}

/// The elements of an int8 region.
fn int8(arena: &[u8], region: Region) -> Result<&[i8], Error> {
    let part = arena.get(region.at as usize..).and_then(|rest| rest.get(..region.len as usize));
    part.and_then(|part| bytemuck::try_cast_slice(part).ok()).ok_or(Error::NothingThere)
}

fn operator(model: &Artifact<'_>, index: u8) -> Result<Op, Error> {
    model.ops().nth(index.into()).ok_or(Error::NothingThere)
}

/// What one unit of each of the map's outputs adds to the score, in 2⁻²⁴; gives what no feature brings.
#[inline(never)]
fn class_pull(
    model: &Artifact<'_>,
    linear: &Linear,
    class: usize,
    taught: Option<Taught<'_>>,
    pull: &mut [i64; MAX_WIDTH],
) -> Result<i64, Error> {
    pull.fill(0);
    let Some(table) = linear.table else {
        *pull.get_mut(class).ok_or(Error::NothingThere)? = 1 << 24;
        return Ok(0);
    };
    let Op::Match { x, y, weights, rows, .. } = operator(model, table)? else { return Err(Error::NotLinear) };
    let n = x.len as usize;
    // A taught class is a table of one row.
    let (matrix, row, class) = match taught {
        Some(taught) => (Matrix::row_major(1, n, taught.weights), taught.row, 0),
        None => {
            let rows = model.rows(rows, y.len as usize).map_err(|_| Error::NothingThere)?;
            let row = *rows.get(class).ok_or(Error::NothingThere)?;
            (model.matrix(weights, x.len, y.len).map_err(|_| Error::NothingThere)?, row, class)
        }
    };
    for (j, pull) in pull.iter_mut().enumerate().take(n) {
        let a = matrix.weight(class, j);
        let direct = i64::from(a) * i64::from(row.multiplier);
        *pull = linear.rescale.map_or(direct, |m| times(direct, m));
    }
    Ok(i64::from(row.bias) * i64::from(row.multiplier))
}

/// The networks that the gate kept.
#[inline(never)]
fn composite(
    model: &Artifact<'_>,
    map: u8,
    arena: &[u8],
    pull: &mut [i64; MAX_WIDTH],
    sums: &mut Sums<'_>,
) -> Result<(), Error> {
    let op = operator(model, map)?;
    let Op::Mix { gate, z, y, .. } = op else { return Err(Error::NotLinear) };
    let bases = model.bases(&op).map_err(|_| Error::NothingThere)?;
    let (rank, n_out) = (z.len as usize, y.len as usize);
    for (pull, &m) in pull.iter_mut().zip(bases.multipliers) {
        *pull = times(*pull, m);
    }
    for (n, [index, g]) in int8(arena, gate)?.as_chunks().0.iter().enumerate() {
        let k = usize::from(*index as u8);
        let biases = bases.u_bias.get(k.wrapping_mul(n_out)..).unwrap_or(&[]);
        for (pull, &bias) in pull.iter().zip(biases).take(n_out) {
            sums.constant(2 + n, share(pull.wrapping_mul(bias.into()), i64::from(*g as u8)));
        }
        let inside = (bases.v.part(k, rank), bases.v_rows.part(k, rank));
        sums.network(2 + n, pull, &bases.u.part(k, n_out), &inside, i64::from(*g as u8));
    }
    Ok(())
}

/// A dense or low-rank map: the common network.
#[inline(never)]
fn plain(model: &Artifact<'_>, map: u8, pull: &mut [i64; MAX_WIDTH], sums: &mut Sums<'_>) -> Result<(), Error> {
    let (x, y, v, v_rows, rank, u, u_rows) = match operator(model, map)? {
        Op::Dense { x, y, weights, rows, .. } => (x, y, 0, 0, 0, weights, rows),
        Op::LowRank { x, z, y, v, v_rows, u, u_rows, .. } => (x, y, v, v_rows, z.len, u, u_rows),
        _ => return Err(Error::NotLinear),
    };
    let corrupt = |_| Error::NothingThere;
    let inner = if rank == 0 { x.len } else { rank };
    let v = (model.matrix(v, x.len, rank).map_err(corrupt)?, model.packed_rows(v_rows, rank).map_err(corrupt)?);
    let (u, u_rows) = (model.matrix(u, inner, y.len), model.packed_rows(u_rows, y.len).map_err(corrupt)?);
    for (i, pull) in pull.iter_mut().enumerate() {
        let Some(row) = u_rows.row(i).filter(|_| i < y.len as usize) else { break };
        *pull = times(*pull, row.multiplier);
        sums.constant(1, pull.wrapping_mul(row.bias.into()));
    }
    sums.network(1, pull, &u.map_err(corrupt)?, &v, 128);
    Ok(())
}

/// The terms that are asked for, in 2⁻²⁴.
struct Sums<'x> {
    from: usize,
    x: &'x [i8],
    terms: [i64; MAX_TERMS],
    networks: usize,
}

impl Sums<'_> {
    #[inline(never)]
    fn add(&mut self, term: usize, value: i64) {
        if let Some(sum) = term.checked_sub(self.from).and_then(|i| self.terms.get_mut(i)) {
            *sum = sum.wrapping_add(value);
        }
    }

    /// Something that no feature brings: part of the constant, and of a network (0: of none).
    fn constant(&mut self, network: usize, value: i64) {
        self.add(0, value);
        if network > 0 {
            self.add(network, value);
        }
    }

    /// A network `U (V x + b)` of weight g/128, `U` alone where `V` is empty: its features, and V's biases.
    fn network(&mut self, network: usize, pull: &[i64], u: &Matrix<'_>, (v, v_rows): &(Matrix<'_>, Rows<'_>), g: i64) {
        for r in 0..u.n_in() {
            let mut sum = 0i64;
            for (i, pull) in pull.iter().enumerate().take(u.n_out()) {
                sum = sum.wrapping_add(pull.wrapping_mul(u.weight(i, r).into()));
            }
            let sum = share(sum, g);
            let Some(row) = v_rows.row(r).filter(|_| r < v.n_out()) else {
                self.feature(network, r, sum);
                continue;
            };
            let sum = times(sum, row.multiplier);
            self.constant(network, sum.wrapping_mul(row.bias.into()));
            for j in 0..self.x.len() {
                self.feature(network, j, sum.wrapping_mul(v.weight(r, j).into()));
            }
        }
    }

    /// What feature `j` brings by `pull`, a unit of it.
    #[inline(never)]
    fn feature(&mut self, network: usize, j: usize, pull: i64) {
        let value = pull.wrapping_mul(self.x.get(j).copied().unwrap_or(0).into());
        self.add(1 + self.networks + j, value);
        self.add(network, value);
    }
}

/// `x·m / 2²⁴`, rounded down; exact for |x| < 2⁵⁵, and total.
fn times(x: i64, m: i32) -> i64 {
    let (high, low) = (x >> 24, x & 0xff_ffff);
    high.wrapping_mul(m.into()).wrapping_add(low.wrapping_mul(m.into()) >> 24)
}

/// `x·g / 128`.
fn share(x: i64, g: i64) -> i64 {
    x.wrapping_mul(g) >> 7
}
