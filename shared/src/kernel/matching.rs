//! Scores against a table of class rows: `y_c = requant(a_c·s, m_c) − requant(‖s‖, h_c)`.
//!
//! With unit rows this ranks classes by `cos(s, a_c) − h_c`: the sample's own norm is a common
//! factor that the handicap is multiplied by instead of dividing the rest by it.
//! A class is a row: adding one changes no other class's score.

use super::{Kernel, Matrix, norm};
use crate::fixed::{Row, requant};

/// `matrix` `(classes, n)`, `rows` `(classes)`, `handicaps` `(classes)` or empty.
pub fn matching<K: Kernel>(
    x: &[i8],
    matrix: &Matrix<'_>,
    rows: &[Row],
    handicaps: &[i32],
    scratch: &mut [u32],
    y: &mut [i32],
) {
    let length = if handicaps.is_empty() { 0 } else { norm(x) as i32 };
    K::sums(x, matrix, scratch, &mut |c, sum| {
        if let (Some(y), Some(row)) = (y.get_mut(c), rows.get(c)) {
            let handicap = handicaps.get(c).map_or(0, |&h| requant(length, h));
            *y = requant(sum.wrapping_add(row.bias), row.multiplier).saturating_sub(handicap);
        }
    });
}
