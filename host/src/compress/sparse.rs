//! Which layout an int8 matrix gets: dense, CSR, 4×1 blocks, or pairs on a core that has them, whichever takes fewest
//! instructions by the cost model among those that take no more bytes than dense; fewer bytes break a tie.

use std::fmt;

use anyhow::{Context, Result};
use smidgen_shared::cost::{self, Core};
use smidgen_shared::fixed::Row;
use smidgen_shared::kernel::{Packing, Sparse, WINDOW, group_weights};
use smidgen_shared::op::{self, Op, Region, Width};

use super::pairs;
use super::write::Weights;

/// Which layouts [`export`](super::export) may choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// The cheapest.
    #[default]
    Auto,
    /// Dense alone: what a sparse artifact is compared with.
    Dense,
}

/// One way to store a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// `None`: dense
    pub layout: Option<op::Layout>,
    /// Estimated, of the operator on the core that the choice was made for.
    pub instructions: u32,
    /// Of its constants.
    pub bytes: u32,
}

impl Cost {
    /// `dense`, `CSR`, `4×1 blocks` or `pairs`.
    pub fn name(&self) -> &'static str {
        name(self.layout)
    }
}

/// `dense`, `CSR`, `4×1 blocks` or `pairs`.
pub fn name(layout: Option<op::Layout>) -> &'static str {
    match layout {
        None => "dense",
        Some(op::Layout::Csr) => "CSR",
        Some(op::Layout::Blocks) => "4×1 blocks",
        Some(op::Layout::Pairs) => "pairs",
    }
}

/// What was chosen for a layer that has zeros, and what else there was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The graph node's name.
    pub node: String,
    /// Columns.
    pub n_in: usize,
    /// Rows.
    pub n_out: usize,
    /// int8 weights that are not 0.
    pub nonzeros: usize,
    /// The one that was taken.
    pub chosen: Cost,
    /// All others, dense first.
    pub others: Vec<Cost>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Choice { node, n_in, n_out, nonzeros, chosen, others } = self;
        let share = 100.0 * *nonzeros as f64 / (n_in * n_out) as f64;
        write!(
            f,
            "{node} ({n_in} → {n_out}): {}, {} instructions and ",
            chosen.name(),
            thousands(chosen.instructions)
        )?;
        write!(f, "{} bytes; {share:.1} % of its weights are not 0", thousands(chosen.bytes))?;
        let other = |c: &Cost| format!("{} {} and {}", c.name(), thousands(c.instructions), thousands(c.bytes));
        write!(f, "; others: {}", others.iter().map(other).collect::<Vec<_>>().join(", "))
    }
}

fn thousands(n: u32) -> String {
    crate::output::thousands(n.into())
}

/// A dense layer's regions and the rest that does not depend on its layout.
pub(super) struct Shape {
    pub x: Region,
    pub y: Region,
    pub width: Width,
    pub relu: bool,
}

/// Stores the int8 matrix `q` `(n_out, n_in)` as `layout` has it, and says what was weighed where the
/// matrix has zeros. Pairs are stored as CSR, which every core reads: packing makes them ([`repack`]).
pub(super) fn store(
    node: &str,
    shape: &Shape,
    q: &[i8],
    rows: &[Row],
    (layout, core, packing): (Layout, Core, Packing),
    weights: &mut Weights,
) -> (Op, Option<Choice>) {
    let Shape { x, y, width, relu } = *shape;
    let dense = Op::Dense { x, y, width, relu, weights: 0, rows: 0 };
    let nonzeros = q.iter().filter(|w| **w != 0).count();
    let mut layouts = vec![op::Layout::Csr, op::Layout::Blocks];
    // Five bytes for two weights at best: denser ones are not worth the search for an order.
    if packing == Packing::HighLow && 5 * nonzeros <= 2 * q.len() {
        layouts.push(op::Layout::Pairs);
    }
    let encoded: Vec<(Op, Encoded)> = layouts
        .into_iter()
        .filter_map(|layout| {
            let encoded = encode(q, x.len as usize, layout)?;
            let groups = encoded.groups;
            Some((Op::Sparse { x, y, width, relu, layout, groups, counts: 0, entries: 0, rows: 0 }, encoded))
        })
        .collect();
    let cost = |op: &Op| Cost {
        layout: if let Op::Sparse { layout, .. } = op { Some(*layout) } else { None },
        instructions: cost::of_operator(op, packing, core),
        bytes: cost::constant_bytes(op),
    };
    let mut costs: Vec<Cost> = std::iter::once(&dense).chain(encoded.iter().map(|(op, _)| op)).map(cost).collect();
    let allowed = |c: &&Cost| c.layout.is_none() || (layout == Layout::Auto && c.bytes <= costs[0].bytes);
    let chosen = costs.iter().filter(allowed).min_by_key(|c| (c.instructions, c.bytes)).copied().unwrap_or(costs[0]);
    let stored = chosen.layout.map(|layout| if layout == op::Layout::Pairs { op::Layout::Csr } else { layout });
    let op = match encoded.iter().find(|(op, _)| cost(op).layout == stored) {
        Some((Op::Sparse { layout, groups, .. }, encoded)) => {
            let (counts, entries) = (weights.u16s(&encoded.counts), weights.u8s(&encoded.entries));
            let (layout, groups) = (*layout, *groups);
            Op::Sparse { x, y, width, relu, layout, groups, counts, entries, rows: weights.rows(rows) }
        }
        _ => Op::Dense { x, y, width, relu, weights: weights.i8s(q), rows: weights.rows(rows) },
    };
    costs.retain(|c| *c != chosen);
    let (n_in, n_out) = (x.len as usize, y.len as usize);
    // Rounding makes a few zeros of any matrix; that is no news.
    let sparse = nonzeros * 2 < q.len() || chosen.layout.is_some();
    (op, sparse.then(|| Choice { node: node.into(), n_in, n_out, nonzeros, chosen, others: costs }))
}

/// `stored` in the layout that `packing` has for it, and its groups; `op`: what reads it. Pairs are made where they take
/// no more bytes than dense and fewer instructions than CSR, whatever it is stored in: then it comes back the same.
pub(super) fn repack(stored: &Sparse<'_>, op: &Op, packing: Packing) -> Result<(op::Layout, Encoded)> {
    let kept = Encoded { groups: 0, counts: stored.counts.to_vec(), entries: stored.entries.to_vec() };
    let Op::Sparse { x, y, width, relu, layout, groups, .. } = *op else { return Ok((stored.layout, kept)) };
    let kept = (layout, Encoded { groups, ..kept });
    if packing != Packing::HighLow && layout != op::Layout::Pairs {
        return Ok(kept);
    }
    let n_in = x.len as usize;
    let q = pairs::dense(stored, n_in, y.len as usize).context("a weight of a sparse matrix comes twice")?;
    let csr = encode(&q, n_in, op::Layout::Csr).context("too many columns for CSR")?;
    if packing != Packing::HighLow {
        return Ok((op::Layout::Csr, csr));
    }
    let sparse = |layout, groups| Op::Sparse { x, y, width, relu, layout, groups, counts: 0, entries: 0, rows: 0 };
    let Some(pairs) = encode(&q, n_in, op::Layout::Pairs) else { return Ok(kept) };
    let (one, other) = (sparse(op::Layout::Pairs, pairs.groups), sparse(op::Layout::Csr, csr.groups));
    let instructions = |op: &Op| cost::of_operator(op, packing, Core::ArmV7EM);
    let dense = cost::constant_bytes(&Op::Dense { x, y, width, relu, weights: 0, rows: 0 });
    let better = cost::constant_bytes(&one) <= dense && instructions(&one) < instructions(&other);
    Ok(if better { (op::Layout::Pairs, pairs) } else { kept })
}

/// A matrix's groups as [`kernel::Sparse`](smidgen_shared::kernel::Sparse) reads them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Encoded {
    pub groups: u32,
    /// of each row, or of each four; of pairs their order, then their counts
    pub counts: Vec<u16>,
    pub entries: Vec<u8>,
}

/// The non-zero weights of `q` `(n_out, n_in)`; `None` where columns are beyond what a u16 can number.
fn encode(q: &[i8], n_in: usize, layout: op::Layout) -> Option<Encoded> {
    if layout == op::Layout::Pairs {
        return pairs::encode(q, n_in);
    }
    if n_in > 1 << 16 {
        return None;
    }
    let mut encoded = Encoded::default();
    let rows: Vec<&[i8]> = q.chunks(n_in).collect();
    let height = if layout == op::Layout::Csr { 1 } else { 4 };
    for rows in rows.chunks(height) {
        let count = match layout {
            op::Layout::Csr => csr(rows[0], &mut encoded.entries),
            op::Layout::Blocks | op::Layout::Pairs => blocks(rows, &mut encoded.entries),
        };
        encoded.counts.push(u16::try_from(count).ok()?);
        encoded.groups += u32::try_from(count).ok()?;
    }
    Some(encoded)
}

/// Appends a row's groups; gives their number.
fn csr(row: &[i8], entries: &mut Vec<u8>) -> usize {
    let columns: Vec<usize> = (0..row.len()).filter(|&j| row[j] != 0).collect();
    let mut rest = &columns[..];
    let size = group_weights(op::Layout::Csr, row.len());
    let mut count = 0;
    while let Some(&first) = rest.first() {
        let start = if row.len() <= WINDOW { 0 } else { first.min(row.len() - WINDOW) };
        let n = rest.iter().take(size).take_while(|&&j| j < start + WINDOW).count();
        if row.len() > WINDOW {
            entries.extend((start as u16).to_le_bytes());
        }
        // What fills the group stands at its last column.
        let column = |k: usize| rest[k.min(n - 1)];
        entries.extend((0..size).map(|k| (column(k) - start) as u8));
        entries.extend((0..size).map(|k| if k < n { row[column(k)] as u8 } else { 0 }));
        rest = &rest[n..];
        count += 1;
    }
    count
}

/// Appends the groups of up to four rows; gives their number.
fn blocks(rows: &[&[i8]], entries: &mut Vec<u8>) -> usize {
    let n_in = rows[0].len();
    let columns = (0..n_in).filter(|&j| rows.iter().any(|row| row[j] != 0));
    let mut count = 0;
    for j in columns {
        if n_in > WINDOW {
            entries.extend((j as u16).to_le_bytes());
        } else {
            entries.push(j as u8);
        }
        entries.extend((0..4).map(|r| rows.get(r).map_or(0, |row| row[j] as u8)));
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smidgen_shared::kernel::{Kernel, Naive, Portable, counts_len, group_bytes};

    prop_compose! {
        fn pruned()(n_in in prop_oneof![1usize..60, 250usize..300, 700usize..900], n_out in 1usize..14, density in 0u32..101)
            (q in proptest::collection::vec((-127i8..=127, 0u32..100).prop_map(move |(w, keep)| if keep < density { w } else { 0 }), n_in * n_out),
             x in proptest::collection::vec(-127i8..=127, n_in)) -> (Vec<i8>, Vec<i8>) { (x, q) }
    }

    proptest! {
        /// Sparse fast = sparse naive = dense naive, whatever the density, the layout and the width.
        #[test]
        fn every_layout_gives_the_dense_sums((x, q) in pruned()) {
            let mut dense = Vec::new();
            Naive::accumulate(&x, &q, &mut |_, sum| dense.push(sum));
            for layout in [op::Layout::Csr, op::Layout::Blocks, op::Layout::Pairs] {
                let e = encode(&q, x.len(), layout).unwrap();
                prop_assert_eq!(e.entries.len(), e.groups as usize * group_bytes(layout, x.len()));
                prop_assert_eq!(e.counts.len(), counts_len(layout, x.len(), dense.len()));
                let matrix = Sparse { layout, counts: &e.counts, entries: &e.entries };
                let (mut naive, mut fast) = (Vec::new(), Vec::new());
                Naive::sparse(&x, &matrix, |_, sums| naive.extend_from_slice(sums));
                Portable::sparse(&x, &matrix, |_, sums| fast.extend_from_slice(sums));
                prop_assert_eq!(&naive[..dense.len()], &dense[..]);
                prop_assert_eq!(&fast[..dense.len()], &dense[..]);
                prop_assert_eq!(pairs::dense(&matrix, x.len(), dense.len()), Some(q.clone()));
            }
        }
    }

    fn choice(q: &[i8], n_in: u32, layout: Layout, core: Core) -> (Op, Option<Choice>) {
        let n_out = q.len() as u32 / n_in;
        let (x, y) = (Region { at: 0, len: n_in }, Region { at: n_in.next_multiple_of(4), len: n_out });
        let rows = vec![Row { bias: 0, multiplier: 1 }; n_out as usize];
        let shape = Shape { x, y, width: Width::I8, relu: true };
        store("layer", &shape, q, &rows, (layout, core, Packing::RowMajor), &mut Weights::default())
    }

    #[test]
    fn the_layout_follows_the_pattern_of_zeros() {
        let dense = vec![1i8; 100 * 64];
        let scattered: Vec<i8> = (0..100 * 64).map(|k| i8::from(k * 37 % 101 < 5)).collect();
        let columns: Vec<i8> = (0..100 * 64).map(|k| i8::from(k % 100 < 20)).collect();
        for core in Core::ALL {
            assert!(matches!(choice(&dense, 100, Layout::Auto, core), (Op::Dense { .. }, None)));
            let (op, why) = choice(&scattered, 100, Layout::Auto, core);
            assert!(matches!(op, Op::Sparse { layout: op::Layout::Csr, .. }), "{core:?}");
            let why = why.unwrap();
            assert!(why.others.iter().all(|c| c.instructions > why.chosen.instructions && c.bytes > why.chosen.bytes));
        }
        // Where both layouts are plain Rust; on an M4 CSR is in assembly, and cheaper here, too.
        let (op, _) = choice(&columns, 100, Layout::Auto, Core::ArmV7M);
        assert!(matches!(op, Op::Sparse { layout: op::Layout::Blocks, .. }), "{op:?}");
        let (op, why) = choice(&scattered, 100, Layout::Dense, Core::ArmV7EM);
        assert!(matches!(op, Op::Dense { .. }));
        assert_eq!(why.unwrap().chosen.layout, None);
    }
}
