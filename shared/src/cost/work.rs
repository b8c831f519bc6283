//! What an operator does, counted: the terms that a core's coefficients weigh.
//!
//! A row-major matrix of m rows and n columns is done four rows at a time: `⌊m/4⌋` fours, `m mod 4` single rows. A
//! packed one is done in units of `h` rows and turns of `w` columns, several turns a round: `⌈m/h⌉·⌈n/w⌉` turns. Both
//! are sums of the terms below.

use super::{Core, Kind};
use crate::artifact::Input;
use crate::features::{Spec, Stats};
use crate::kernel::poly::{AFFINE, COS, PRODUCT, RSQRT, SIN, Step};
use crate::kernel::{Packing, WINDOW, windows};
use crate::op::{Layout, Op, Width};

/// Most terms of a kind.
pub const TERMS: usize = 24;

/// One operator's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Which coefficients weigh them.
    pub kind: Kind,
    /// In the kind's own order; 0 where it has fewer.
    pub terms: [u32; TERMS],
}

impl Work {
    fn new<const N: usize>(kind: Kind, these: [u32; N], product: Product) -> Work {
        let mut terms = [0; TERMS];
        for (to, term) in terms.iter_mut().zip(these.into_iter().chain(product)) {
            *to = term;
        }
        Work { kind, terms }
    }
}

/// Terms of a product of a matrix with a vector.
type Product = [u32; 11];

/// Of an operator without one.
const NO_PRODUCT: Product = [0; 11];

/// How a core's kernels go through a matrix.
#[derive(Clone, Copy)]
struct Way {
    packing: Packing,
    /// turns that stand in a row
    round: u32,
}

impl Way {
    const fn of(packing: Packing, core: Core) -> Way {
        let round = if matches!(core, Core::Rv32) { 8 } else { 16 };
        Way { packing, round }
    }

    /// The kind of an operator in this packing.
    fn kind(self, row_major: Kind, packed: Kind) -> Kind {
        if self.packing == Packing::RowMajor { row_major } else { packed }
    }

    /// Of m rows and n columns.
    fn product(self, m: u32, n: u32) -> Product {
        let is = |yes: bool| u32::from(yes);
        if self.packing == Packing::RowMajor {
            let (fours, rows) = (m / 4, m % 4);
            return [fours, fours * n, rows, rows * n, log2(m), 0, 0, 0, 0, 0, 0];
        }
        let (h, w) = (self.packing.height() as u32, self.packing.width() as u32);
        let (units, turns, left, groups) = (m.div_ceil(h), n.div_ceil(w), m % h, n / w);
        // An input that is expanded, four groups at once where a turn takes four columns.
        let (fast, slow) = match self.packing {
            Packing::HighLow => (groups / 4, groups % 4),
            Packing::Pairs => (0, groups),
            _ => (0, 0),
        };
        // Where a turn is a round there is none besides.
        let rounds = if self.packing == Packing::Vectors { 0 } else { turns.div_ceil(self.round) };
        let expanded = is(self.packing != Packing::Vectors);
        [
            units,
            units * turns,
            units * rounds,
            is(left == 1),
            is(left == 2),
            is(left == 3),
            fast,
            slow,
            expanded * is(groups > 0),
            expanded * (n % w),
            expanded * is(!n.is_multiple_of(w)),
        ]
    }
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
pub fn of_operator(op: &Op, packing: Packing, core: Core) -> Work {
    let bytes = encoded(op);
    let way = Way::of(packing, core);
    match *op {
        Op::Standardise { .. } => Work::new(Kind::Vector, [1, bytes], NO_PRODUCT),
        Op::Embed { .. } => Work::new(Kind::Embed, [1, bytes], NO_PRODUCT),
        Op::Poly { registers, state, inputs, float, .. } => {
            // Of unknown steps each is the dearest.
            let steps = registers.len.saturating_sub(inputs.into());
            let kind = if float { Kind::PolyFloat } else { Kind::Poly };
            Work::new(kind, [1, bytes, state.len, 0, 0, steps, 0, 0], NO_PRODUCT)
        }
        Op::UnitRms { x, .. } => Work::new(Kind::UnitRms, [1, bytes, x.len, x.len / 4096], NO_PRODUCT),
        Op::Dense { x, y, width, relu, .. } => Work::new(
            way.kind(Kind::Dense, Kind::PackedDense),
            [1, bytes, y.len, flag(width == Width::I16, y.len), flag(relu, y.len)],
            way.product(y.len, x.len),
        ),
        Op::LowRank { x, z, y, width, .. } => Work::new(
            way.kind(Kind::LowRank, Kind::PackedLowRank),
            [1, bytes, y.len, flag(width == Width::I16, y.len), z.len],
            plus(way.product(z.len, x.len), way.product(y.len, z.len), 1),
        ),
        Op::Gate { x, y, bases, .. } => {
            let (bases, keep) = (u32::from(bases), y.len / 2);
            Work::new(
                way.kind(Kind::Gate, Kind::PackedGate),
                [1, bytes, bases, bases * keep, keep, flag(keep > 1, 1)],
                way.product(bases, x.len),
            )
        }
        Op::Mix { x, gate, base, z, y, width, .. } => {
            let keep = gate.len / 2;
            let inner = if z.len == 0 { x.len } else { z.len };
            let mut terms = plus(NO_PRODUCT, way.product(y.len, inner), keep);
            if z.len > 0 {
                terms = plus(terms, way.product(z.len, x.len), keep);
            }
            // A mixture with a residual, alone in giving int16, has one region more and sums one vector more.
            let (based, wide) = (flag(base.is_some(), y.len), flag(width == Width::I16, y.len));
            let ranks = flag(z.len > 0, keep * z.len.div_ceil(packing.height() as u32));
            Work::new(
                way.kind(Kind::Mix, Kind::PackedMix),
                [
                    1,
                    bytes,
                    flag(base.is_some(), 1),
                    keep,
                    keep * y.len,
                    keep * z.len,
                    y.len,
                    wide,
                    based,
                    flag(z.len > 0, keep),
                    ranks,
                ],
                terms,
            )
        }
        Op::Rescale { x, .. } => Work::new(Kind::Rescale, [1, bytes, x.len], NO_PRODUCT),
        Op::Clamp { x, .. } | Op::Lookup { x, .. } => Work::new(Kind::Lookup, [1, bytes, x.len], NO_PRODUCT),
        Op::Match { x, y, handicaps, .. } => {
            let with = |n| flag(handicaps.is_some(), n);
            Work::new(
                way.kind(Kind::Match, Kind::PackedMatch),
                [1, bytes, y.len, with(1), with(x.len), with(y.len)],
                way.product(y.len, x.len),
            )
        }
        Op::Sparse { x, y, relu, layout: Layout::Pairs, groups, .. } => {
            let windows = windows(x.len as usize) as u32;
            let runs = y.len.saturating_mul(windows);
            // Eight groups stand in a row: where a run has more it goes round, on average from 4 on.
            let rounds = groups.saturating_sub(runs.saturating_mul(4));
            let (copied, summed) = (x.len.div_ceil(8), runs.div_ceil(16));
            let more = flag(windows > 1, runs);
            Work::new(
                Kind::Pairs,
                [1, bytes, y.len, groups, copied, summed, flag(relu, y.len), more, rounds, flag(windows > 1, y.len)],
                NO_PRODUCT,
            )
        }
        Op::Sparse { x, y, width, relu, layout, groups, .. } => {
            let narrow = x.len as usize <= WINDOW;
            let (kind, batches) = match (layout, narrow) {
                (Layout::Csr, true) => (Kind::Csr, y.len.div_ceil(16)),
                (Layout::Blocks | Layout::Pairs, true) => (Kind::Blocks, y.len.div_ceil(4)),
                (Layout::Csr, false) => (Kind::WideCsr, y.len.div_ceil(16)),
                (Layout::Blocks | Layout::Pairs, false) => (Kind::WideBlocks, y.len.div_ceil(4)),
            };
            // Some cores have kernels for int8 outputs alone: int16 ones weigh groups and rows otherwise.
            let (wide, copied) = (width == Width::I16, flag(narrow, x.len));
            let wides = [flag(wide, y.len), flag(wide, 1), flag(wide, batches), flag(wide, groups)];
            let [wide_rows, wide_one, wide_batches, wide_groups] = wides;
            Work::new(
                kind,
                [
                    1,
                    bytes,
                    y.len,
                    batches,
                    groups,
                    copied,
                    flag(relu, y.len),
                    wide_rows,
                    wide_one,
                    wide_batches,
                    wide_groups,
                ],
                NO_PRODUCT,
            )
        }
    }
}

/// A monitor's work, its steps known.
pub fn of_program(op: &Op, steps: &[Step]) -> Work {
    let mut work = of_operator(op, Packing::RowMajor, Core::ArmV7EM);
    if let Op::Poly { state, .. } = op {
        let count = |kind: u8| steps.iter().filter(|step| step.kind == kind).count() as u32;
        let [one, bytes, ..] = work.terms;
        let terms = [count(PRODUCT), count(AFFINE), count(RSQRT), count(SIN), count(COS)];
        let [products, affines, roots, sines, cosines] = terms;
        work = Work::new(work.kind, [one, bytes, state.len, products, affines, roots, sines, cosines], NO_PRODUCT);
    }
    work
}

/// The first operator's work at the end of an input.
pub fn of_first(input: &Input, op: &Op) -> Work {
    let Input::Window { spec, .. } = input else { return of_operator(op, Packing::RowMajor, Core::ArmV7EM) };
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
            // What divides all channels' sums is made ready once.
            flag(spec.stats.has(Stats::CHANGE), 1),
            flag(spec.stats.has(Stats::BANDS), 1),
        ],
        NO_PRODUCT,
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
            Work::new(Kind::WindowStep, [1, u32::from(spec.channels), magnitudes, banded, products], NO_PRODUCT)
        }
        (_, Some(op @ Op::Embed { dim, .. })) => {
            Work::new(Kind::EmbedStep, [1, u32::from(*dim), encoded(op)], NO_PRODUCT)
        }
        (_, Some(op @ Op::Poly { .. })) => Work::new(Kind::PolyStep, [1, encoded(op)], NO_PRODUCT),
        (_, Some(op)) => Work::new(Kind::VectorStep, [1, encoded(op)], NO_PRODUCT),
        (_, None) => Work::new(Kind::VectorStep, [1], NO_PRODUCT),
    }
}
