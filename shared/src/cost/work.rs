//! What an operator does, counted: the terms that a core's coefficients weigh.
//!
//! A matrix of m rows and n columns, done four rows at a time: `q = ⌊m/4⌋`, `r = m mod 4`, likewise columns, so that
//! kernels that unroll, that pad and that do neither are all sums of these terms.

use super::Kind;
use crate::artifact::Input;
use crate::features::{Spec, Stats};
use crate::kernel::WINDOW;
use crate::kernel::poly::{AFFINE, COS, PRODUCT, RSQRT, SIN, Step};
use crate::op::{Layout, Op, Width};

/// Most terms of a kind.
pub const TERMS: usize = 20;

/// One operator's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Which coefficients weigh them.
    pub kind: Kind,
    /// In the kind's own order; 0 where it has fewer.
    pub terms: [u32; TERMS],
}

impl Work {
    fn new<const N: usize>(kind: Kind, these: [u32; N]) -> Work {
        let mut terms = [0; TERMS];
        for (to, term) in terms.iter_mut().zip(these) {
            *to = term;
        }
        Work { kind, terms }
    }
}

/// Terms of a product of a matrix `(m, n)` with a vector, rows apart.
fn matrix(m: u32, n: u32) -> [u32; 9] {
    let (q, r, four, rest) = (m / 4, m % 4, n / 4, n % 4);
    [
        q,
        q * four,
        q * rest,
        if rest > 0 { q } else { 0 },
        r,
        r * four,
        r * rest,
        if r > 0 { n.div_ceil(4) } else { 0 },
        n,
    ]
}

fn plus<const N: usize>(mut a: [u32; N], b: [u32; N], times: u32) -> [u32; N] {
    for (a, b) in a.iter_mut().zip(b) {
        *a = a.saturating_add(b.saturating_mul(times));
    }
    a
}

/// Bytes of a number in the manifest.
fn varint(v: u32) -> u32 {
    (32 - (v | 1).leading_zeros()).div_ceil(7)
}

/// Bytes of an operator in the manifest that vary: decoding takes its time.
fn encoded(op: &Op) -> u32 {
    let mut bytes = 0;
    let mut number = |v: u32| bytes += varint(v);
    let regions = op.inputs().into_iter().chain(op.scratch()).flatten().map(|(region, _)| region);
    for region in regions.chain([op.output().0]) {
        number(region.at);
        number(region.len);
    }
    let offsets: [u32; 5] = match *op {
        Op::Standardise { rows, .. } => [rows, 0, 0, 0, 0],
        Op::UnitRms { gain, .. } => [gain, 0, 0, 0, 0],
        Op::Dense { weights, rows, .. } | Op::Gate { weights, rows, .. } => [weights, rows, 0, 0, 0],
        Op::LowRank { v, v_rows, u, u_rows, .. } => [v, v_rows, u, u_rows, 0],
        Op::Mix { v, v_rows, u, u_bias, multipliers, .. } => [v, v_rows, u, u_bias, multipliers],
        Op::Rescale { multiplier, .. } => [multiplier.unsigned_abs().saturating_mul(2), 0, 0, 0, 0],
        Op::Clamp { .. } => [0; 5],
        Op::Lookup { table, .. } | Op::Embed { table, .. } => [table, 0, 0, 0, 0],
        Op::Match { weights, rows, handicaps, .. } => [weights, rows, handicaps.unwrap_or(0), 0, 0],
        Op::Sparse { groups, counts, entries, rows, .. } => [groups, counts, entries, rows, 0],
        Op::Poly { steps, laws, .. } => [steps, laws, 0, 0, 0],
    };
    offsets.into_iter().for_each(&mut number);
    bytes
}

fn log2(v: u32) -> u32 {
    31 - (v | 1).leading_zeros()
}

fn flag(of: bool, n: u32) -> u32 {
    if of { n } else { 0 }
}

/// An operator's work; of one that takes the model's input, only what is left for the last moment.
pub fn of_operator(op: &Op) -> Work {
    let bytes = encoded(op);
    match *op {
        Op::Standardise { .. } => Work::new(Kind::Vector, [1, bytes]),
        Op::Embed { .. } => Work::new(Kind::Embed, [1, bytes]),
        Op::Poly { registers, state, inputs, float, .. } => {
            // Of unknown steps each is the dearest.
            let steps = registers.len.saturating_sub(inputs.into());
            let kind = if float { Kind::PolyFloat } else { Kind::Poly };
            Work::new(kind, [1, bytes, state.len, 0, 0, steps, 0, 0])
        }
        Op::UnitRms { x, .. } => Work::new(Kind::UnitRms, [1, bytes, x.len, x.len / 4096]),
        Op::Dense { x, y, width, relu, .. } => {
            let [a, b, c, d, e, f, g, h, i] = matrix(y.len, x.len);
            let wide = flag(width == Width::I16, y.len);
            Work::new(Kind::Dense, [1, bytes, y.len, a, b, c, d, e, f, g, h, i, wide, flag(relu, y.len), log2(y.len)])
        }
        Op::LowRank { x, z, y, width, .. } => {
            let [a, b, c, d, e, f, g, h, i] = plus(matrix(z.len, x.len), matrix(y.len, z.len), 1);
            let wide = flag(width == Width::I16, y.len);
            let logs = log2(y.len) + log2(z.len);
            Work::new(Kind::LowRank, [1, bytes, y.len, a, b, c, d, e, f, g, h, i, wide, z.len, logs])
        }
        Op::Gate { x, y, bases, .. } => {
            let [a, b, c, d, e, f, g, h, i] = matrix(bases.into(), x.len);
            let (bases, keep) = (u32::from(bases), y.len / 2);
            Work::new(
                Kind::Gate,
                [1, bytes, bases, a, b, c, d, e, f, g, h, i, bases * keep, keep, flag(keep > 1, 1), log2(bases)],
            )
        }
        Op::Mix { x, gate, base, z, y, width, .. } => {
            let keep = gate.len / 2;
            let inner = if z.len == 0 { x.len } else { z.len };
            let terms = plus([0; 9], matrix(y.len, inner), keep);
            let [a, b, c, d, e, f, g, h, i] = if z.len == 0 { terms } else { plus(terms, matrix(z.len, x.len), keep) };
            let (wide, based) = (flag(width == Width::I16, y.len), flag(base.is_some(), y.len));
            let logs = keep * (log2(y.len) + log2(z.len));
            let ranks = flag(z.len > 0, keep);
            Work::new(
                Kind::Mix,
                [
                    1,
                    bytes,
                    keep,
                    keep * y.len,
                    keep * z.len,
                    a,
                    b,
                    c,
                    d,
                    e,
                    f,
                    g,
                    h,
                    i,
                    y.len,
                    wide,
                    based,
                    logs,
                    ranks,
                ],
            )
        }
        Op::Rescale { x, .. } => Work::new(Kind::Rescale, [1, bytes, x.len]),
        Op::Clamp { x, .. } | Op::Lookup { x, .. } => Work::new(Kind::Lookup, [1, bytes, x.len]),
        Op::Match { x, y, handicaps, .. } => {
            let [a, b, c, d, e, f, g, h, i] = matrix(y.len, x.len);
            let with = |n| flag(handicaps.is_some(), n);
            Work::new(
                Kind::Match,
                [1, bytes, y.len, a, b, c, d, e, f, g, h, i, with(1), with(x.len), with(y.len), log2(y.len)],
            )
        }
        Op::Sparse { x, y, width, relu, layout, groups, .. } => {
            let narrow = x.len as usize <= WINDOW;
            let (kind, batches) = match (layout, narrow) {
                (Layout::Csr, true) => (Kind::Csr, y.len.div_ceil(16)),
                (Layout::Blocks, true) => (Kind::Blocks, y.len.div_ceil(4)),
                (Layout::Csr, false) => (Kind::WideCsr, y.len.div_ceil(16)),
                (Layout::Blocks, false) => (Kind::WideBlocks, y.len.div_ceil(4)),
            };
            let copied = flag(narrow, x.len);
            Work::new(
                kind,
                [1, bytes, y.len, batches, groups, copied, flag(width == Width::I16, y.len), flag(relu, y.len)],
            )
        }
    }
}

/// A monitor's work, its steps known.
pub fn of_program(op: &Op, steps: &[Step]) -> Work {
    let mut work = of_operator(op);
    if let Op::Poly { state, .. } = op {
        let count = |kind: u8| steps.iter().filter(|step| step.kind == kind).count() as u32;
        let [one, bytes, ..] = work.terms;
        let terms = [count(PRODUCT), count(AFFINE), count(RSQRT), count(SIN), count(COS)];
        let [products, affines, roots, sines, cosines] = terms;
        work = Work::new(work.kind, [one, bytes, state.len, products, affines, roots, sines, cosines]);
    }
    work
}

/// The first operator's work at the end of an input.
pub fn of_first(input: &Input, op: &Op) -> Work {
    let Input::Window { spec, .. } = input else { return of_operator(op) };
    let all = channels(spec);
    let has = |stats| flag(spec.stats.has(stats), all);
    let logs = flag(spec.stats.has(Stats::SIGNED_LOG), has(Stats::RANGE));
    Work::new(
        Kind::Window,
        [
            1,
            encoded(op),
            all,
            has(Stats::MEAN),
            has(Stats::DEVIATION),
            has(Stats::RANGE),
            logs,
            has(Stats::EXCURSION),
            has(Stats::CHANGE),
            has(Stats::TURNS),
            has(Stats::CROSSINGS),
            has(Stats::BANDS),
            flag(spec.stats.has(Stats::CORRELATION), u32::from(spec.channels) / 3),
            spec.count() as u32,
        ],
    )
}

/// Channels, magnitudes included.
fn channels(spec: &Spec) -> u32 {
    let channels = u32::from(spec.channels);
    channels + flag(spec.stats.has(Stats::MAGNITUDE), channels / 3)
}

/// The work of taking in one time step.
pub fn of_step(input: &Input, first: Option<&Op>) -> Work {
    match (input, first) {
        (Input::Window { spec, .. }, _) => {
            let sensors = u32::from(spec.channels) / 3;
            let magnitudes = flag(spec.stats.has(Stats::MAGNITUDE), sensors);
            let banded = flag(spec.stats.has(Stats::BANDS), channels(spec));
            let products = flag(spec.stats.has(Stats::CORRELATION), sensors);
            Work::new(Kind::WindowStep, [1, u32::from(spec.channels), magnitudes, banded, products])
        }
        (_, Some(op @ Op::Embed { dim, .. })) => Work::new(Kind::EmbedStep, [1, u32::from(*dim), encoded(op)]),
        (_, Some(op @ Op::Poly { .. })) => Work::new(Kind::PolyStep, [1, encoded(op)]),
        (_, Some(op)) => Work::new(Kind::VectorStep, [1, encoded(op)]),
        (_, None) => Work::new(Kind::VectorStep, [1]),
    }
}
