//! `y_i = clamp(requant(Σ_j w_ij·x_j + b_i, m_i))` where most w are 0: only the others are stored.
//!
//! Weights come in groups of four, so that a loop's upkeep and a check of bounds are paid once for
//! four products; where a row's number is no multiple of four, weights of 0 fill the last group.
//! A matrix is *narrow* where it has at most 256 columns. Bytes of a group:
//!
//! | | narrow | wide |
//! |---|---|---|
//! | CSR | 4 columns, 4 weights | start (u16), 4 columns counted from it, 4 weights |
//! | 4×1 blocks | column, 4 weights | column (u16), 4 weights |
//!
//! A wide row's groups each see the 256 columns from their start: a column is a byte there too, and
//! a byte can't lie outside an array of 256. `counts` has the groups of each row (of each four rows).

use super::{Kernel, Out};
use crate::fixed::{Row, requant};
use crate::op::Layout;

/// Columns that a byte can name.
pub const WINDOW: usize = 256;

/// Bytes of a group of four weights of a matrix with `n_in` columns.
pub const fn group_bytes(layout: Layout, n_in: usize) -> usize {
    match (layout, n_in <= WINDOW) {
        (Layout::Csr, true) => 8,
        (Layout::Csr, false) => 10,
        (Layout::Blocks, true) => 5,
        (Layout::Blocks, false) => 6,
    }
}

/// Number of counts of a matrix with `n_out` rows.
pub const fn runs(layout: Layout, n_out: usize) -> usize {
    match layout {
        Layout::Csr => n_out,
        Layout::Blocks => n_out.div_ceil(4),
    }
}

/// A sparse matrix as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Sparse<'a> {
    /// How.
    pub layout: Layout,
    /// groups of each row, or of each four rows
    pub counts: &'a [u16],
    /// the groups, one after the other
    pub entries: &'a [u8],
}

impl<'a> Sparse<'a> {
    /// The groups of each row (of each four rows), in order, for a matrix of `n_in` columns. Ends where `entries` does.
    pub fn runs(&self, n_in: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let size = group_bytes(self.layout, n_in);
        let mut rest = self.entries;
        self.counts.iter().map_while(move |&count| {
            let (run, after) = rest.split_at_checked(usize::from(count) * size)?;
            rest = after;
            Some(run)
        })
    }
}

impl Sparse<'_> {
    /// Weights that are not 0, of a matrix of `n_in` columns.
    pub fn nonzeros(&self, n_in: usize) -> usize {
        let groups = self.entries.chunks(group_bytes(self.layout, n_in)).filter_map(|bytes| group(self.layout, bytes));
        groups.map(|(_, weights)| weights.iter().filter(|&&weight| weight != 0).count()).sum()
    }
}

/// A group's four weights and their columns. The weights of [`Layout::Blocks`] are of four rows.
pub fn group(layout: Layout, bytes: &[u8]) -> Option<([usize; 4], [i8; 4])> {
    let start = |low: u8, high: u8| usize::from(u16::from_le_bytes([low, high]));
    let (columns, weights) = match (layout, bytes) {
        (Layout::Csr, &[a, b, c, d, e, f, g, h]) => ([a, b, c, d].map(usize::from), [e, f, g, h]),
        (Layout::Csr, &[low, high, a, b, c, d, e, f, g, h]) => {
            ([a, b, c, d].map(|column| start(low, high) + usize::from(column)), [e, f, g, h])
        }
        (Layout::Blocks, &[column, e, f, g, h]) => ([usize::from(column); 4], [e, f, g, h]),
        (Layout::Blocks, &[low, high, e, f, g, h]) => ([start(low, high); 4], [e, f, g, h]),
        _ => return None,
    };
    Some((columns, weights.map(|weight| weight as i8)))
}

/// Sparse layer. `rows` `(n_out)`. A function of its own, so that its stack is not all operators'.
#[inline(never)]
pub fn sparse<K: Kernel>(x: &[i8], matrix: &Sparse<'_>, rows: &[Row], mut y: Out<'_>) {
    K::sparse(x, matrix, |i, sum| {
        if let Some(row) = rows.get(i) {
            y.put(i, requant(sum.wrapping_add(row.bias), row.multiplier));
        }
    });
}

/// One weight after the other, as [`group`] reads it.
pub(super) fn naive(x: &[i8], matrix: &Sparse<'_>, mut each: impl FnMut(usize, i32)) {
    let height = if matrix.layout == Layout::Csr { 1 } else { 4 };
    for (i, run) in matrix.runs(x.len()).enumerate() {
        let mut sums = [0i32; 4];
        for bytes in run.chunks_exact(group_bytes(matrix.layout, x.len())) {
            let Some((columns, weights)) = group(matrix.layout, bytes) else { break };
            for (k, (&column, &weight)) in columns.iter().zip(&weights).enumerate() {
                if let (Some(sum), Some(&x)) = (sums.get_mut(k % height), x.get(column)) {
                    *sum = sum.wrapping_add(i32::from(weight) * i32::from(x));
                }
            }
        }
        for (row, &sum) in sums.iter().enumerate().take(height) {
            each(i * height + row, sum);
        }
    }
}

/// Four weights a turn, without a check of bounds for each.
pub(super) fn portable(x: &[i8], matrix: &Sparse<'_>, mut each: impl FnMut(usize, i32)) {
    let narrow = x.len() <= WINDOW;
    // A copy that every byte lies in: 256 bytes of stack.
    let mut copy = [0i8; WINDOW];
    if narrow {
        for (to, &from) in copy.iter_mut().zip(x) {
            *to = from;
        }
    }
    // One place that rounds and writes for all four loops: it is longer than any of them.
    let height = if matrix.layout == Layout::Csr { 1 } else { 4 };
    for (i, run) in matrix.runs(x.len()).enumerate() {
        let sums = match (matrix.layout, narrow) {
            (Layout::Csr, true) => csr(&copy, run),
            (Layout::Csr, false) => wide_csr(x, run),
            (Layout::Blocks, true) => blocks(&copy, run),
            (Layout::Blocks, false) => wide_blocks(x, run),
        };
        for (row, &sum) in sums.iter().enumerate().take(height) {
            each(i * height + row, sum);
        }
    }
}

#[inline(always)]
fn product(weight: u8, x: i8) -> i32 {
    i32::from(weight as i8) * i32::from(x)
}

#[inline(always)]
fn four(sum: i32, x: &[i8; WINDOW], [a, b, c, d]: [u8; 4], [e, f, g, h]: [u8; 4]) -> i32 {
    let sum = sum.wrapping_add(product(e, x[usize::from(a)]));
    let sum = sum.wrapping_add(product(f, x[usize::from(b)]));
    let sum = sum.wrapping_add(product(g, x[usize::from(c)]));
    sum.wrapping_add(product(h, x[usize::from(d)]))
}

#[inline(always)]
fn column([s, t, u, v]: [i32; 4], x: i8, [e, f, g, h]: [u8; 4]) -> [i32; 4] {
    [
        s.wrapping_add(product(e, x)),
        t.wrapping_add(product(f, x)),
        u.wrapping_add(product(g, x)),
        v.wrapping_add(product(h, x)),
    ]
}

#[inline(always)]
fn csr(x: &[i8; WINDOW], run: &[u8]) -> [i32; 4] {
    let mut sum = 0;
    for &[a, b, c, d, e, f, g, h] in run.as_chunks().0 {
        sum = four(sum, x, [a, b, c, d], [e, f, g, h]);
    }
    [sum, 0, 0, 0]
}

#[inline(always)]
fn wide_csr(x: &[i8], run: &[u8]) -> [i32; 4] {
    let mut sum = 0;
    for &[low, high, a, b, c, d, e, f, g, h] in run.as_chunks().0 {
        let start = usize::from(u16::from_le_bytes([low, high]));
        // Never left early: no start is taken that leaves fewer than 256 columns.
        let Some(x) = x.get(start..start + WINDOW).and_then(|x| x.first_chunk()) else { break };
        sum = four(sum, x, [a, b, c, d], [e, f, g, h]);
    }
    [sum, 0, 0, 0]
}

#[inline(always)]
fn blocks(x: &[i8; WINDOW], run: &[u8]) -> [i32; 4] {
    let mut sums = [0; 4];
    for &[at, e, f, g, h] in run.as_chunks().0 {
        sums = column(sums, x[usize::from(at)], [e, f, g, h]);
    }
    sums
}

#[inline(always)]
fn wide_blocks(x: &[i8], run: &[u8]) -> [i32; 4] {
    let mut sums = [0; 4];
    for &[low, high, e, f, g, h] in run.as_chunks().0 {
        let Some(&x) = x.get(usize::from(u16::from_le_bytes([low, high]))) else { break };
        sums = column(sums, x, [e, f, g, h]);
    }
    sums
}
