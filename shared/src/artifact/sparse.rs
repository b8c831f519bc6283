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
    let size = group_bytes(matrix.layout, n_in);
    let mut left = matrix.entries.len();
    let mut rows = rows.iter();
    let mut runs = 0;
    for run in matrix.runs(n_in) {
        left = left.saturating_sub(run.len());
        runs += 1;
        let mut sums = [0u32; 4];
        let mut least = [0usize; 4];
        let mut rest = run;
        while let Some((bytes, after)) = rest.split_at_checked(size)
            && !bytes.is_empty()
        {
            rest = after;
            let (columns, weights) = group(matrix.layout, bytes).ok_or(Error::BadShape)?;
            // A wide row's group sees 256 columns from its start.
            let window = n_in > WINDOW && matrix.layout == Layout::Csr;
            if window && bytes.first_chunk().is_none_or(|&b| usize::from(u16::from_le_bytes(b)) + WINDOW > n_in) {
                return Err(Error::BadShape);
            }
            for (k, (&column, &weight)) in columns.iter().zip(&weights).enumerate() {
                let k = if matrix.layout == Layout::Csr { 0 } else { k };
                let (Some(sum), Some(least)) = (sums.get_mut(k), least.get_mut(k)) else { continue };
                if weight == -128 {
                    return Err(Error::Overflow);
                }
                if column >= n_in || (weight != 0 && column < *least) {
                    return Err(Error::BadShape);
                }
                if weight != 0 {
                    *least = column + 1;
                    *sum = sum.wrapping_add(weight.unsigned_abs().into());
                }
            }
        }
        let height = if matrix.layout == Layout::Csr { 1 } else { 4 };
        for sum in sums.into_iter().take(height) {
            // The last block of four may reach beyond the last row.
            let bias = rows.next().map_or(0, |row| row.bias);
            if i64::from(sum) * 127 + i64::from(bias).abs() >= ACC_LIMIT {
                return Err(Error::Overflow);
            }
        }
    }
    if left == 0 && runs == matrix.counts.len() { Ok(()) } else { Err(Error::BadConstants) }
}
