//! A class added to a model without training it: one more row of the class table, from its attributes.
//!
//! ```text
//! w_j = round(127·a_j / max|a|)        m = m₀·‖w₀‖ / ‖w‖        score = requant(w·x, m)
//! ```
//!
//! Rows of a class table have unit length (ParsNets, zero-shot), so that every class's scores are in one scale;
//! the new row's multiplier m follows from that of the table's first row, (w₀, m₀), by whole numbers: host and
//! device get the same bits. The new class is an unseen one: it has no handicap. No score of another class
//! depends on it.

use crate::artifact::Artifact;
use crate::fixed::{ACC_LIMIT, Row, isqrt, requant};
use crate::kernel::norm;
use crate::op::{Op, Region};

/// A model's class table, as far as another row needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// What the rows are multiplied with, int8; stands in the arena after a run.
    pub x: Region,
    /// Multiplier and 16·‖w‖ of the first row.
    first: (i32, u32),
}

/// Why attributes make no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not as many as the table has, or all 0.
    Attributes,
}

impl Table {
    /// The table that the model ends with; `None` where it ends with another operator.
    pub fn of(model: &Artifact<'_>) -> Option<Table> {
        let Some(Op::Match { x, y, weights, rows, .. }) = model.ops().last() else { return None };
        let matrix = model.matrix(weights, x.len, y.len).ok()?;
        let rows = model.rows(rows, y.len as usize).ok()?;
        let squares = (0..matrix.n_in()).map(|j| (matrix.weight(0, j) * matrix.weight(0, j)) as u32);
        let length = isqrt(squares.fold(0u64, |sum, square| sum.wrapping_add(square.into())) << 8);
        Some(Table { x, first: (rows.first()?.multiplier, length) })
    }

    /// Attributes a class.
    pub fn width(&self) -> usize {
        self.x.len as usize
    }

    /// Quantises `attributes`, in any unit, into `weights` (int8), one for each; the row's constants.
    pub fn row(&self, attributes: impl Iterator<Item = i16> + Clone, weights: &mut [u8]) -> Result<Row, Error> {
        let greatest = attributes.clone().map(i16::unsigned_abs).max().unwrap_or(0);
        if greatest == 0 || weights.len() != self.width() || attributes.clone().count() != weights.len() {
            return Err(Error::Attributes);
        }
        // A row of over 520 weights might reach the accumulator's limit: halve them until it cannot. 2¹⁶ weights of 1 do.
        for full in [127, 63, 31, 15, 7, 3, 1] {
            let mut sum = 0u32;
            for (w, a) in weights.iter_mut().zip(attributes.clone()) {
                let size = (u32::from(a.unsigned_abs()) * full + u32::from(greatest / 2)) / u32::from(greatest);
                sum = sum.saturating_add(size);
                *w = if a < 0 { (size as u8).wrapping_neg() } else { size as u8 };
            }
            if i64::from(sum) * 127 < ACC_LIMIT {
                return Ok(Row { bias: 0, multiplier: self.multiplier(norm(int8(weights))) });
            }
        }
        Err(Error::Attributes)
    }

    /// `m₀·‖w₀‖/‖w‖`, by a quotient of as many bits as 32 hold.
    fn multiplier(&self, length: u32) -> i32 {
        let (first, first_length) = self.first;
        let shift = first_length.leading_zeros();
        let ratio = (first_length.wrapping_shl(shift)) / length.max(1);
        // |m₀| < 2³¹ and ratio < 2³²: the product fits; the shift is at most 32.
        let product = i64::from(first) * i64::from(ratio);
        let rounded = product.wrapping_add(1i64.wrapping_shl(shift.saturating_sub(1))) >> shift.min(63);
        rounded.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }
}

/// The score of one taught class; `weights` are int8.
pub fn score(x: &[i8], weights: &[u8], row: Row) -> i32 {
    let sum = x.iter().zip(weights).fold(0i32, |sum, (&x, &w)| sum.wrapping_add(i32::from(x) * i32::from(w as i8)));
    requant(sum.wrapping_add(row.bias), row.multiplier)
}

/// The same bytes as int8.
pub fn int8(bytes: &[u8]) -> &[i8] {
    bytemuck::try_cast_slice(bytes).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(n: u32, multiplier: i32, length: u32) -> Table {
        Table { x: Region { at: 0, len: n }, first: (multiplier, length) }
    }

    proptest! {
        /// Attributes in another unit give the same row, and one of the first row's length gets its multiplier.
        #[test]
        fn a_row_has_the_tables_scale(attributes in proptest::collection::vec(-200i16..200, 1..300), m in 1000i32..1 << 28) {
            prop_assume!(attributes.iter().any(|a| *a != 0));
            let n = attributes.len();
            let (mut w, mut v) = ([0u8; 300], [0u8; 300]);
            let (w, v) = (&mut w[..n], &mut v[..n]);
            let t = table(n as u32, m, 16 * 300);
            let row = t.row(attributes.iter().copied(), w).unwrap();
            prop_assert_eq!(t.row(attributes.iter().map(|a| a * 100), v).unwrap(), row);
            prop_assert_eq!(&*w, &*v);
            // m·‖w‖ is the first row's, but for the quotient's last bit.
            let (got, want) = (f64::from(row.multiplier) * f64::from(norm(int8(w))), f64::from(m) * 4800.0);
            prop_assert!((got / want - 1.0).abs() < 1e-3 + 1.0 / f64::from(row.multiplier), "{} {}", got, want);
            prop_assert_eq!(table(n as u32, m, norm(int8(w))).row(attributes.iter().copied(), v).unwrap().multiplier, m);
        }

        #[test]
        fn a_score_is_its_formula(x in proptest::collection::vec(-127i8..=127, 16), w in proptest::collection::vec(-127i8..=127, 16), m in any::<i32>()) {
            let sum: i32 = x.iter().zip(&w).map(|(x, w)| i32::from(*x) * i32::from(*w)).sum();
            prop_assert_eq!(score(&x, bytemuck::cast_slice(&w), Row { bias: 0, multiplier: m }), requant(sum, m));
        }

        #[test]
        fn no_row_overflows(attributes in proptest::collection::vec(any::<i16>(), 600..2000), m: i32, length: u32) {
            let mut w = [0u8; 2000];
            let w = &mut w[..attributes.len()];
            if table(attributes.len() as u32, m, length).row(attributes.iter().copied(), w).is_ok() {
                let sum: i64 = int8(w).iter().map(|w| i64::from(w.unsigned_abs())).sum();
                prop_assert!(sum * 127 < ACC_LIMIT && !w.contains(&128));
            }
        }
    }

    #[test]
    fn wrong_attributes_are_refused() {
        let mut w = [0; 3];
        for attributes in [&[0i16, 0, 0][..], &[1, 2], &[1, 2, 3, 4]] {
            assert_eq!(table(3, 1, 1).row(attributes.iter().copied(), &mut w), Err(Error::Attributes));
        }
    }
}
