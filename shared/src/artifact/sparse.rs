//! What must hold of a sparse matrix: every column is one of `x`, the counts speak for all groups,
//! columns ascend in a row, and `Σ_j |w_ij|·127 + |b_i| < 2²³`.
//!
//! A weight of 0 fills a group; its column only has to be one of `x`.

use super::Error;
use crate::fixed::{ACC_LIMIT, Row};
use crate::kernel::{Sparse, WINDOW, group, group_bytes};
use crate::op::Layout;

/// Largest number of columns: their numbers are u16.
const MAX_COLUMNS: usize = 1 << 16;

pub(super) fn check(matrix: &Sparse<'_>, n_in: usize, rows: &[Row]) -> Result<(), Error> {
    if n_in > MAX_COLUMNS {
        return Err(Error::BadShape);
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
}
