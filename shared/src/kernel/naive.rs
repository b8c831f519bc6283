//! The oracle: `acc_i = Σ_j w_ij·x_j`, one product after the other.
//!
//! Kept for ever as what every faster kernel must equal, bit for bit.

use super::{Kernel, Sparse, sparse};

/// One row and one product at a time.
pub struct Naive;

impl Kernel for Naive {
    fn accumulate(x: &[i8], weights: &[i8], each: &mut dyn FnMut(usize, i32)) {
        if x.is_empty() {
            return;
        }
        for (i, row) in weights.chunks_exact(x.len()).enumerate() {
            let mut acc = 0i32;
            for (&w, &x) in row.iter().zip(x) {
                acc = acc.wrapping_add(i32::from(w) * i32::from(x));
            }
            each(i, acc);
        }
    }

    fn sparse(x: &[i8], matrix: &Sparse<'_>, each: impl FnMut(usize, &[i32])) {
        sparse::naive(x, matrix, each);
    }
}
