//! `y_i = clamp(requant(Σ_j w_ij·x_j + b_i, m_i))` where most w are 0: only the others are stored.
//!
//! Weights come in groups, so that a loop's upkeep and a check of bounds are paid once for several
//! products; where a row's number does not fill its last group, weights of 0 do. A matrix is *narrow*
//! where it has at most 256 columns. Bytes of a group:
//!
//! | | narrow | wide |
//! |---|---|---|
//! | CSR | 4 columns, 4 weights | start (u16), 8 columns counted from it, 8 weights |
//! | 4×1 blocks | column, 4 weights | column (u16), 4 weights |
//!
//! A wide row's groups each see the 256 columns from their start: a column is a byte there too, and
//! a byte can't lie outside an array of 256. `counts` has the groups of each row (of each four rows).
//!
//! *Pairs*, for Armv7E-M and Armv8-M with DSP: the columns get an order, in which columns that are used by the same rows
//! are neighbours, and x is laid out in it as halfwords once a layer. A word of two neighbours takes two weights by one
//! SMLAD. A group is four positions p (a byte each, within a window of 256), then for each the weights of p and p + 1,
//! as i16. `counts` is first the order, column numbers padded with 0 to a multiple of 8, then a byte for each row and
//! window, the number of its groups, padded with 0 to a multiple of 16.

use super::{Kernel, Out, arch};
use crate::fixed::Row;
use crate::op::Layout;

/// Columns that a byte can name.
pub const WINDOW: usize = 256;

/// Bytes of a group of a matrix with `n_in` columns.
pub const fn group_bytes(layout: Layout, n_in: usize) -> usize {
    match (layout, n_in <= WINDOW) {
        (Layout::Csr, true) => 8,
        (Layout::Csr, false) => 18,
        (Layout::Blocks, true) => 5,
        (Layout::Blocks, false) => 6,
        (Layout::Pairs, _) => 20,
    }
}

/// Weights of a group of a matrix with `n_in` columns.
pub const fn group_weights(layout: Layout, n_in: usize) -> usize {
    match (layout, n_in <= WINDOW) {
        (Layout::Csr, false) | (Layout::Pairs, _) => 8,
        _ => 4,
    }
}

/// The first columns of `x`, as many as a byte can name, copied where there are fewer: what is behind them is 0.
#[inline(always)]
pub(super) fn window<'a>(x: &'a [i8], copy: &'a mut [i8; WINDOW]) -> &'a [i8; WINDOW] {
    if let Some(x) = x.first_chunk() {
        return x;
    }
    for (to, &from) in copy.iter_mut().zip(x) {
        *to = from;
    }
    copy
}

/// Windows of the order of `n_in` columns.
pub const fn windows(n_in: usize) -> usize {
    n_in.div_ceil(WINDOW)
}

/// u16 of the order of `n_in` columns.
pub const fn order_len(n_in: usize) -> usize {
    n_in.saturating_add(7) & !7
}

/// u16 of `counts` of a matrix with `n_in` columns and `n_out` rows.
pub const fn counts_len(layout: Layout, n_in: usize, n_out: usize) -> usize {
    match layout {
        Layout::Csr => n_out,
        Layout::Blocks => n_out.div_ceil(4),
        Layout::Pairs => {
            order_len(n_in).saturating_add((windows(n_in).saturating_mul(n_out).saturating_add(15) & !15) / 2)
        }
    }
}

/// A sparse matrix as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Sparse<'a> {
    /// How.
    pub layout: Layout,
    /// groups of each row, or of each four rows; of pairs, their order and their counts
    pub counts: &'a [u16],
    /// the groups, one after the other
    pub entries: &'a [u8],
}

impl<'a> Sparse<'a> {
    /// The groups of each row (of each four rows), in order, for a matrix of `n_in` columns that is not
    /// [`Layout::Pairs`]. Ends where `entries` does.
    pub fn runs(&self, n_in: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let size = group_bytes(self.layout, n_in);
        let mut rest = self.entries;
        self.counts.iter().map_while(move |&count| {
            let (run, after) = rest.split_at_checked(usize::from(count) * size)?;
            rest = after;
            Some(run)
        })
    }

    /// The same of [`Layout::Pairs`], of each row and window.
    pub fn window_runs(&self, n_in: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let counts: &[u8] = bytemuck::cast_slice(self.counts.get(order_len(n_in)..).unwrap_or(&[]));
        let mut rest = self.entries;
        counts.iter().map_while(move |&count| {
            let (run, after) = rest.split_at_checked(usize::from(count) * group_bytes(Layout::Pairs, n_in))?;
            rest = after;
            Some(run)
        })
    }

    /// The column of every position; empty but of [`Layout::Pairs`].
    pub fn order(&self, n_in: usize) -> &'a [u16] {
        match self.layout {
            Layout::Pairs => self.counts.get(..n_in).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// Calls `each(i, j, w_ij)` for each weight that is not 0, of a matrix of `n_in` columns.
    pub fn weights(&self, n_in: usize, mut each: impl FnMut(usize, usize, i8)) {
        let mut run = |row: usize, height: usize, run: &[u8], order: Option<&[u16]>| {
            for bytes in run.chunks_exact(group_bytes(self.layout, n_in)) {
                let Some((columns, weights)) = group(self.layout, bytes) else { break };
                for (k, (&column, &weight)) in columns.iter().zip(&weights).enumerate() {
                    let column = match order {
                        Some(order) => order.get(column).map(|&column| column.into()),
                        None => Some(column),
                    };
                    if let (Some(column), true) = (column, weight != 0) {
                        each(row + k % height, column, weight);
                    }
                }
            }
        };
        if self.layout == Layout::Pairs {
            let (order, windows) = (self.order(n_in), windows(n_in).max(1));
            for (i, pairs) in self.window_runs(n_in).enumerate() {
                run(i / windows, 1, pairs, Some(order.get(i % windows * WINDOW..).unwrap_or(&[])));
            }
            return;
        }
        let height = if self.layout == Layout::Csr { 1 } else { 4 };
        for (i, groups) in self.runs(n_in).enumerate() {
            run(i * height, height, groups, None);
        }
    }

    /// Weights that are not 0, of a matrix of `n_in` columns.
    pub fn nonzeros(&self, n_in: usize) -> usize {
        let mut count = 0;
        self.weights(n_in, |_, _, _| count += 1);
        count
    }
}

/// A group's weights and their columns, filled up with weights of 0. The first four weights of
/// [`Layout::Blocks`] are of four rows. The columns of [`Layout::Pairs`] are positions in a window; a weight that no
/// int8 holds comes as −128.
pub fn group(layout: Layout, bytes: &[u8]) -> Option<([usize; 8], [i8; 8])> {
    let start = |low: u8, high: u8| usize::from(u16::from_le_bytes([low, high]));
    let (columns, weights) = match (layout, bytes) {
        (Layout::Csr, &[a, b, c, d, e, f, g, h]) => {
            ([a, b, c, d, a, b, c, d].map(usize::from), [e, f, g, h, 0, 0, 0, 0])
        }
        (Layout::Csr, &[low, high, a, b, c, d, e, f, g, h, ref weights @ ..]) => {
            let weights = *weights.first_chunk()?;
            ([a, b, c, d, e, f, g, h].map(|column| start(low, high) + usize::from(column)), weights)
        }
        (Layout::Blocks, &[column, e, f, g, h]) => ([usize::from(column); 8], [e, f, g, h, 0, 0, 0, 0]),
        (Layout::Blocks, &[low, high, e, f, g, h]) => ([start(low, high); 8], [e, f, g, h, 0, 0, 0, 0]),
        // A chip's own kernel and its check take pairs apart themselves.
        (Layout::Pairs, &[a, b, c, d, ref weights @ ..]) if arch::HOST => {
            let mut eight = [0; 8];
            for (to, &half) in eight.iter_mut().zip(weights.as_chunks::<2>().0) {
                *to = i8::try_from(i16::from_le_bytes(half)).unwrap_or(-128) as u8;
            }
            let [a, b, c, d] = [a, b, c, d].map(usize::from);
            ([a, a + 1, b, b + 1, c, c + 1, d, d + 1], eight)
        }
        _ => return None,
    };
    Some((columns, weights.map(|weight| weight as i8)))
}

/// Sparse layer. `rows` `(n_out)`. A function of its own, so that its stack is not all operators'.
#[inline(never)]
pub fn sparse<K: Kernel>(x: &[i8], matrix: &Sparse<'_>, rows: &[Row], scratch: &mut [u32], mut y: Out<'_>) {
    K::sparse_layer(x, matrix, rows, scratch, &mut y);
}

/// One weight after the other, as [`group`] reads it.
pub(super) fn naive(x: &[i8], matrix: &Sparse<'_>, mut each: impl FnMut(usize, &[i32])) {
    if matrix.layout == Layout::Pairs {
        return pairs(x, matrix, each);
    }
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
        each(i * height, sums.get(..height).unwrap_or(&[]));
    }
}

/// The same of pairs.
fn pairs(x: &[i8], matrix: &Sparse<'_>, mut each: impl FnMut(usize, &[i32])) {
    let (order, windows) = (matrix.order(x.len()), windows(x.len()).max(1));
    let mut sum = 0i32;
    for (i, run) in matrix.window_runs(x.len()).enumerate() {
        let (row, window) = (i / windows, i % windows);
        for bytes in run.chunks_exact(group_bytes(Layout::Pairs, x.len())) {
            let Some((positions, weights)) = group(Layout::Pairs, bytes) else { break };
            for (&position, &weight) in positions.iter().zip(&weights) {
                let column = order.get(window * WINDOW + position);
                if let Some(&x) = column.and_then(|&column| x.get(usize::from(column))) {
                    sum = sum.wrapping_add(i32::from(weight) * i32::from(x));
                }
            }
        }
        if window + 1 == windows {
            each(row, &[sum]);
            sum = 0;
        }
    }
}

/// Four or eight weights a turn, without a check of bounds for each, and the sums of [`BATCH`] rows
/// before any is rounded.
pub(super) fn portable(x: &[i8], matrix: &Sparse<'_>, each: impl FnMut(usize, &[i32])) {
    if matrix.layout == Layout::Pairs {
        // A chip runs them by its own kernel, or refuses the artifact.
        if arch::HOST {
            pairs(x, matrix, each);
        }
        return;
    }
    if x.len() > WINDOW {
        match matrix.layout {
            Layout::Csr => by_row(matrix, each, |run| {
                total(run, |sum, &[low, high, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]| {
                    let start = usize::from(u16::from_le_bytes([low, high]));
                    // Never `None`: no start is taken that leaves fewer than 256 columns.
                    let x = x.get(start..start + WINDOW).and_then(|x| x.first_chunk())?;
                    Some(four(four(sum, x, [a, b, c, d], [i, j, k, l]), x, [e, f, g, h], [m, n, o, p]))
                })
            }),
            Layout::Blocks => by_four(matrix, each, |sums, &[low, high, e, f, g, h]| {
                let Some(&x) = x.get(usize::from(u16::from_le_bytes([low, high]))) else { return sums };
                column(sums, x, [e, f, g, h])
            }),
            Layout::Pairs => {}
        }
        return;
    }
    // A copy that every byte lies in: 256 bytes of stack.
    let mut copy = [0i8; WINDOW];
    let x = window(x, &mut copy);
    match matrix.layout {
        Layout::Csr => by_row(matrix, each, |run| {
            let mut sum = 0;
            for &[a, b, c, d, e, f, g, h] in run {
                sum = four(sum, x, [a, b, c, d], [e, f, g, h]);
            }
            sum
        }),
        Layout::Blocks => {
            by_four(matrix, each, |sums, &[at, e, f, g, h]| column(sums, x[usize::from(at)], [e, f, g, h]));
        }
        Layout::Pairs => {}
    }
}

/// Rows whose sums are formed before they are rounded.
const BATCH: usize = 16;

/// `sum`: of a row's groups, `SIZE` bytes each.
#[inline(always)]
fn by_row<const SIZE: usize>(
    matrix: &Sparse<'_>,
    mut each: impl FnMut(usize, &[i32]),
    sum: impl Fn(&[[u8; SIZE]]) -> i32,
) {
    let mut rest = matrix.entries.as_chunks::<SIZE>().0;
    let mut sums = [0; BATCH];
    for (i, counts) in matrix.counts.chunks(BATCH).enumerate() {
        let Some(after) = batch(rest, counts, &mut sums, &sum) else { return };
        rest = after;
        each(i * BATCH, sums.get(..counts.len()).unwrap_or(&[]));
    }
}

/// The sums of a batch, and the groups after its own. This loop and [`total`]'s are functions of their
/// own: an inner loop takes all registers of a Cortex-M4, and would keep numbers in memory for others'.
#[inline(never)]
fn batch<'a, const SIZE: usize>(
    mut rest: &'a [[u8; SIZE]],
    counts: &[u16],
    sums: &mut [i32; BATCH],
    sum: impl Fn(&[[u8; SIZE]]) -> i32,
) -> Option<&'a [[u8; SIZE]]> {
    for (to, &count) in sums.iter_mut().zip(counts) {
        let (run, after) = rest.split_at_checked(count.into())?;
        rest = after;
        *to = sum(run);
    }
    Some(rest)
}

/// The sum of a row's groups; ends early where `add` does.
#[inline(never)]
fn total<const SIZE: usize>(run: &[[u8; SIZE]], add: impl Fn(i32, &[u8; SIZE]) -> Option<i32>) -> i32 {
    let mut sum = 0;
    for group in run {
        let Some(more) = add(sum, group) else { break };
        sum = more;
    }
    sum
}

/// `add` gives four rows' sums with a group of `SIZE` bytes more.
#[inline(always)]
fn by_four<const SIZE: usize>(
    matrix: &Sparse<'_>,
    mut each: impl FnMut(usize, &[i32]),
    add: impl Fn([i32; 4], &[u8; SIZE]) -> [i32; 4],
) {
    let mut rest = matrix.entries.as_chunks::<SIZE>().0;
    for (i, &count) in matrix.counts.iter().enumerate() {
        let Some((run, after)) = rest.split_at_checked(count.into()) else { return };
        rest = after;
        each(4 * i, &totals(run, &add));
    }
}

/// The sums of four rows, a function of its own for the same reason as [`batch`].
#[inline(never)]
fn totals<const SIZE: usize>(run: &[[u8; SIZE]], add: impl Fn([i32; 4], &[u8; SIZE]) -> [i32; 4]) -> [i32; 4] {
    run.iter().fold([0; 4], add)
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
