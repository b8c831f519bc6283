//! What must hold of a sparse matrix: every column is one of `x`, the counts speak for all groups,
//! columns ascend in a row, and `Σ_j |w_ij|·127 + |b_i| < 2²³`.
//!
//! A weight of 0 fills a group; its column only has to be one of `x`. Of pairs the positions ascend, and every column
//! in the order is one of `x`.

use super::Error;
use crate::fixed::{ACC_LIMIT, Row};
use crate::kernel::{Packing, Sparse, WINDOW, group, group_bytes, order_len, runs_here};
use crate::op::Layout;

/// Largest number of columns: their numbers are u16.
const MAX_COLUMNS: usize = 1 << 16;

pub(super) fn check(matrix: &Sparse<'_>, n_in: usize, rows: &[Row]) -> Result<(), Error> {
    if n_in > MAX_COLUMNS {
        return Err(Error::BadShape);
    }
    if matrix.layout == Layout::Pairs {
        // No artifact has them that does not run here.
        return if runs_here(Packing::HighLow) { pairs(matrix, n_in, rows) } else { Err(Error::BadShape) };
    }
    let height = if matrix.layout == Layout::Csr { 1 } else { 4 };
    let mut left = matrix.entries.len();
    let mut counts = matrix.counts.len();
    let mut rows = rows.iter();
    for run in matrix.runs(n_in) {
        left = left.saturating_sub(run.len());
        counts = counts.saturating_sub(1);
        for k in 0..height {
            // The last block of four may reach beyond the last row.
            let bias = rows.next().map_or(0, |row| row.bias);
            let sum = row(matrix.layout, n_in, run, k)?;
            if i64::from(sum) * 127 + i64::from(bias).abs() >= ACC_LIMIT {
                return Err(Error::Overflow);
            }
        }
    }
    if left == 0 && counts == 0 { Ok(()) } else { Err(Error::BadConstants) }
}

/// The same of pairs, whose rows have a run a window.
fn pairs(matrix: &Sparse<'_>, n_in: usize, rows: &[Row]) -> Result<(), Error> {
    let (order, counts) = matrix.counts.split_at_checked(order_len(n_in)).ok_or(Error::BadConstants)?;
    if order.iter().any(|&column| usize::from(column) >= n_in) {
        return Err(Error::BadShape);
    }
    let mut left = matrix.entries.len();
    let mut counts = 2 * counts.len();
    let mut rows = rows.iter();
    let (mut sum, mut bias, mut end) = (0u32, 0i64, 0);
    for run in matrix.window_runs(n_in) {
        left = left.saturating_sub(run.len());
        counts = counts.saturating_sub(1);
        // Positions from the window's start on; none where a row is done.
        if end == 0 {
            let Some(row) = rows.next() else {
                // What fills up the counts has no groups.
                if run.is_empty() { continue } else { return Err(Error::BadConstants) }
            };
            (sum, bias, end) = (0, row.bias.into(), n_in);
        }
        sum = sum.saturating_add(window(run, end)?);
        if i64::from(sum) * 127 + bias.abs() >= ACC_LIMIT {
            return Err(Error::Overflow);
        }
        end = end.saturating_sub(WINDOW);
    }
    if left == 0 && counts == 0 && rows.next().is_none() { Ok(()) } else { Err(Error::BadConstants) }
}

/// `Σ_j |w_j|` of a run of pairs; `end`: positions from its window's start on.
fn window(run: &[u8], end: usize) -> Result<u32, Error> {
    let mut sum = 0u32;
    // The position that may come next: none comes twice.
    let mut least = 0;
    for &[a, b, c, d, ref weights @ ..] in run.as_chunks::<20>().0 {
        for (from, pair) in [a, b, c, d].into_iter().zip(weights.as_chunks::<4>().0) {
            for (position, half) in (usize::from(from)..).zip(pair.as_chunks::<2>().0) {
                let weight = i16::from_le_bytes(*half).unsigned_abs();
                if weight == 0 {
                    continue;
                }
                if weight > 127 {
                    return Err(Error::Overflow);
                }
                if position >= end || position < least {
                    return Err(Error::BadShape);
                }
                least = position + 1;
                sum = sum.wrapping_add(weight.into());
            }
        }
    }
    Ok(sum)
}

/// `Σ_j |w_j|` of row `k` of a run.
fn row(layout: Layout, n_in: usize, run: &[u8], k: usize) -> Result<u32, Error> {
    let size = group_bytes(layout, n_in);
    let mut sum = 0u32;
    // The columns that may still come.
    let mut least = 0;
    let mut rest = run;
    while let Some((bytes, after)) = rest.split_at_checked(size) {
        rest = after;
        let (columns, weights) = group(layout, bytes).ok_or(Error::BadShape)?;
        // A wide row's group sees 256 columns from its start.
        if layout == Layout::Csr && n_in > WINDOW {
            let start = bytes.first_chunk().map_or(usize::MAX, |&b| u16::from_le_bytes(b).into());
            if start > n_in - WINDOW {
                return Err(Error::BadShape);
            }
        }
        for (j, (&column, &weight)) in columns.iter().zip(&weights).enumerate() {
            if layout == Layout::Blocks && j != k {
                continue;
            }
            if weight == -128 {
                return Err(Error::Overflow);
            }
            if column >= n_in || (weight != 0 && column < least) {
                return Err(Error::BadShape);
            }
            if weight != 0 {
                least = column + 1;
            }
            sum = sum.wrapping_add(weight.unsigned_abs().into());
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(layout: Layout, n_in: usize, counts: &[u16], entries: &[u8], bias: i32) -> Result<(), Error> {
        check(&Sparse { layout, counts, entries }, n_in, &[Row { bias, multiplier: 1 }; 1])
    }

    #[test]
    fn groups_inside_are_taken_and_others_refused() {
        use Layout::{Blocks, Csr};
        let minus = |w: i8| w as u8;
        assert_eq!(of(Csr, 9, &[1], &[0, 2, 8, 8, 5, minus(-5), 127, 0], 0), Ok(()));
        assert_eq!(of(Csr, 9, &[1], &[0, 2, 9, 8, 5, 5, 5, 0], 0), Err(Error::BadShape), "a column beyond the last");
        assert_eq!(of(Csr, 9, &[1], &[0, 2, 8, 9, 5, 5, 5, 0], 0), Err(Error::BadShape), "also of a weight of 0");
        assert_eq!(of(Csr, 9, &[1], &[0, 2, 2, 8, 5, 5, 5, 0], 0), Err(Error::BadShape), "a column twice");
        assert_eq!(of(Csr, 9, &[1], &[0, 2, 8, 8, 5, minus(-128), 5, 0], 0), Err(Error::Overflow));
        assert_eq!(of(Csr, 9, &[1], &[0, 2, 8, 8, 5, 5, 5, 0], 1 << 23), Err(Error::Overflow));
        assert_eq!(of(Csr, 9, &[2], &[0, 2, 8, 8, 5, 5, 5, 0], 0), Err(Error::BadConstants), "more counted than there");
        assert_eq!(of(Csr, 9, &[0], &[0, 2, 8, 8, 5, 5, 5, 0], 0), Err(Error::BadConstants), "fewer counted");
        assert_eq!(of(Csr, 300, &[1], &[44, 0, 0, 2, 3, 4, 5, 6, 255, 255, 5, 5, 5, 5, 5, 5, 5, 0], 0), Ok(()));
        assert_eq!(
            of(Csr, 300, &[1], &[45, 0, 0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5, 5, 5, 5, 5, 5], 0),
            Err(Error::BadShape),
            "256 from 45 are 301"
        );
        assert_eq!(of(Blocks, 9, &[2], &[3, 1, 0, 0, 0, 8, 1, 2, 0, 0], 0), Ok(()));
        assert_eq!(of(Blocks, 9, &[2], &[8, 1, 2, 0, 0, 3, 1, 0, 0, 0], 0), Err(Error::BadShape), "descending");
        assert_eq!(of(Blocks, 300, &[1], &[44, 1, 1, 2, 3, 4], 0), Err(Error::BadShape), "column 300");
        assert_eq!(of(Blocks, 300, &[1], &[43, 1, 1, 2, 3, minus(-128)], 0), Err(Error::Overflow));
        assert_eq!(of(Csr, MAX_COLUMNS + 1, &[0], &[], 0), Err(Error::BadShape));
    }

    #[test]
    fn pairs_inside_are_taken_and_others_refused() {
        // An order of nine columns, padded to 16, and the groups of one row, padded to 16.
        let counts = |column: u16, groups: u16| {
            let mut counts = [0; 24];
            counts[..9].copy_from_slice(&[8, 7, 6, 5, 4, 3, 2, 1, column]);
            counts[16] = groups;
            counts
        };
        let group = |positions: [u8; 4], weights: [i16; 8]| {
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&positions);
            weights.iter().zip(bytes[4..].chunks_mut(2)).for_each(|(w, to)| to.copy_from_slice(&w.to_le_bytes()));
            bytes
        };
        let pairs = |counts: &[u16], entries: &[u8], bias| of(Layout::Pairs, 9, counts, entries, bias);
        let sound = group([0, 2, 4, 8], [5, -5, 127, 1, 1, 0, 3, 0]);
        let refused = |positions, weights, error| {
            assert_eq!(pairs(&counts(0, 1), &group(positions, weights), 0), Err(error), "{positions:?} {weights:?}");
        };
        assert_eq!(pairs(&counts(0, 1), &sound, 0), Ok(()));
        assert_eq!(pairs(&counts(9, 1), &sound, 0), Err(Error::BadShape), "a column beyond the last");
        assert_eq!(pairs(&counts(0, 2), &sound, 0), Err(Error::BadConstants), "more counted than there");
        assert_eq!(pairs(&counts(0, 0), &sound, 0), Err(Error::BadConstants), "fewer counted");
        assert_eq!(pairs(&counts(0, 0x100), &sound, 0), Err(Error::BadConstants), "groups of no row");
        assert_eq!(pairs(&counts(0, 1), &sound, 1 << 23), Err(Error::Overflow));
        refused([0, 2, 4, 8], [5, 5, 5, 5, 5, 0, 3, 1], Error::BadShape);
        refused([0, 1, 4, 8], [5, 5, 5, 5, 5, 0, 3, 0], Error::BadShape);
        refused([4, 2, 4, 8], [5, 0, 5, 0, 5, 0, 3, 0], Error::BadShape);
        refused([0, 2, 4, 8], [5, 0, 5, 0, 5, -128, 3, 0], Error::Overflow);
        refused([0, 2, 4, 8], [5, 0, 5, 0, 5, 128, 3, 0], Error::Overflow);
    }
}
