//! Four rows at a time in plain Rust: each activation is loaded once for four products.
//!
//! On a Cortex-M4 this is 2.6 instructions a product where one row at a time takes 3.4.

use super::{Kernel, Sparse, sparse};

/// Plain Rust, four rows at a time.
pub struct Portable;

impl Kernel for Portable {
    fn accumulate(x: &[i8], weights: &[i8], each: &mut dyn FnMut(usize, i32)) {
        let n = x.len();
        if n == 0 {
            return;
        }
        let mut rows = weights.chunks_exact(n);
        let mut i = 0;
        loop {
            let Some(a) = rows.next() else { return };
            let (Some(b), Some(c), Some(d)) = (rows.next(), rows.next(), rows.next()) else { break };
            let (mut s, mut t, mut u, mut v) = (0i32, 0i32, 0i32, 0i32);
            for ((((&x, &a), &b), &c), &d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
                let x = i32::from(x);
                s = s.wrapping_add(i32::from(a) * x);
                t = t.wrapping_add(i32::from(b) * x);
                u = u.wrapping_add(i32::from(c) * x);
                v = v.wrapping_add(i32::from(d) * x);
            }
            each(i, s);
            each(i + 1, t);
            each(i + 2, u);
            each(i + 3, v);
            i += 4;
        }
        // At most three rows are left.
        for row in weights.chunks_exact(n).skip(i) {
            let mut acc = 0i32;
            for (&w, &x) in row.iter().zip(x) {
                acc = acc.wrapping_add(i32::from(w) * i32::from(x));
            }
            each(i, acc);
            i += 1;
        }
    }

    fn sparse(x: &[i8], matrix: &Sparse<'_>, each: impl FnMut(usize, &[i32])) {
        sparse::portable(x, matrix, each);
    }
}
