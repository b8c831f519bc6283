//! How a dense matrix's weights lie in memory, so that a core's kernel reads them one after the other.
//!
//! | packing | for | unit | in a unit |
//! |---|---|---|---|
//! | row-major | every core | 1 × 1 | `w_ij` |
//! | high-low | Armv7E-M, Armv8-M with DSP | 4 rows × 4 columns | a word a row: two halfwords `256·w_i,2k + w_i,2k+1` |
//! | pairs | Armv6-M | 2 rows × 2 columns | a word: the halfword `256·w_i1 + w_i0` of either row |
//! | columns | Armv7-M, rv32 | 4 rows × 1 column | a byte a row |
//! | vectors | Armv8.1-M with MVE | 4 rows × 16 columns | sixteen bytes a row |
//!
//! Units of the same rows lie one after the other; what reaches beyond the last row or column is 0. A halfword
//! `256·H + L` is an ordinary number whose low byte, sign-extended, is L, so with `x' = 256·x_L − x_H`
//!
//! ```text
//! (256·H + L)·x_H + L·x' = 256·(H·x_H + L·x_L)
//! ```
//!
//! two products by two multiplications of what is loaded at once, and only one weight has to be taken out of its
//! word. Exact where |x| ≤ 127, so that x' fits 16 bits, and where the sum stays below 2²³.

use super::arch;
use crate::fixed::Row;

/// How a dense matrix is stored. The number is the header's. A word, so that matrices are moved by words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Packing {
    /// Row by row: runs on every core.
    #[default]
    RowMajor = 0,
    /// 4 × 4 units of halfwords.
    HighLow = 1,
    /// 2 × 2 units of halfwords.
    Pairs = 2,
    /// 4 × 1 units of bytes.
    Columns = 3,
    /// 4 × 16 units of bytes.
    Vectors = 4,
}

impl Packing {
    /// All of them.
    pub const ALL: [Packing; 5] =
        [Packing::RowMajor, Packing::HighLow, Packing::Pairs, Packing::Columns, Packing::Vectors];

    /// The packing of a header's number.
    pub fn from_code(code: u8) -> Option<Packing> {
        Packing::ALL.into_iter().find(|&packing| packing as u8 == code)
    }

    /// The same. On a chip, where no others come through [`runs_here`], row-major or its core's own: what is asked of
    /// others is not compiled then.
    const fn here(self) -> Packing {
        if arch::HOST {
            self
        } else if matches!(self, Packing::RowMajor) {
            Packing::RowMajor
        } else {
            arch::PACKING
        }
    }

    /// Standard name, as messages show it.
    pub const fn name(self) -> &'static str {
        match self {
            Packing::RowMajor => "row-major",
            Packing::HighLow => "high-low",
            Packing::Pairs => "pairs",
            Packing::Columns => "columns",
            Packing::Vectors => "vectors",
        }
    }

    /// Rows of a unit, a power of two.
    pub const fn height(self) -> usize {
        match self.here() {
            Packing::RowMajor => 1,
            Packing::Pairs => 2,
            Packing::HighLow | Packing::Columns | Packing::Vectors => 4,
        }
    }

    /// Columns of a unit, a power of two.
    pub const fn width(self) -> usize {
        match self.here() {
            Packing::RowMajor | Packing::Columns => 1,
            Packing::Pairs => 2,
            Packing::HighLow => 4,
            Packing::Vectors => 16,
        }
    }

    /// Rows and columns with those that fill the last units.
    pub const fn padded(self, n_out: usize, n_in: usize) -> (usize, usize) {
        (up(n_out, self.height()), up(n_in, self.width()))
    }

    /// Bytes of a matrix, where they can be counted.
    pub const fn bytes(self, n_out: usize, n_in: usize) -> Option<usize> {
        let (rows, columns) = self.padded(n_out, n_in);
        // Padding wraps beyond the largest number.
        if rows < n_out || columns < n_in { None } else { rows.checked_mul(columns) }
    }

    /// Words of the constants of `n_out` rows ([`Rows`]).
    pub const fn row_words(self, n_out: usize) -> usize {
        match self.here() {
            Packing::HighLow | Packing::Pairs | Packing::Vectors => 2 * up(n_out, self.height()),
            _ => 2 * n_out,
        }
    }

    /// Words of scratch for an input of `n_in` columns: its expanded form.
    pub const fn scratch_words(self, n_in: usize) -> usize {
        match self.here() {
            Packing::RowMajor | Packing::Columns | Packing::Vectors => 0,
            Packing::HighLow => up(n_in, 4) / 2,
            Packing::Pairs => up(n_in, 2),
        }
    }

    /// Whether inputs of −128 give wrong sums.
    pub const fn needs_symmetric_inputs(self) -> bool {
        matches!(self, Packing::HighLow | Packing::Pairs)
    }

    /// Where weight (i, j) of a matrix of `n_in` columns lies: the index of its byte, or of its halfword and whether it
    /// is the high one.
    #[inline]
    pub const fn place(self, n_in: usize, i: usize, j: usize) -> Place {
        let (_, columns) = self.padded(0, n_in);
        let rows_before = i & !(self.height() - 1);
        let start = rows_before.wrapping_mul(columns);
        match self.here() {
            Packing::RowMajor => Place::Byte(start.wrapping_add(j)),
            Packing::Columns => Place::Byte(start.wrapping_add(4 * j + i % 4)),
            Packing::HighLow => Place::Half(start / 2 + 8 * (j / 4) + 2 * (i % 4) + j % 4 / 2, j.is_multiple_of(2)),
            Packing::Pairs => Place::Half(start / 2 + 2 * (j / 2) + i % 2, j % 2 == 1),
            Packing::Vectors => Place::Byte(start.wrapping_add(64 * (j / 16) + 16 * (i % 4) + j % 16)),
        }
    }
}

/// Where a weight lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The byte of this index.
    Byte(usize),
    /// The halfword of this index; whether it is its high weight.
    Half(usize, bool),
}

/// `n` up to a multiple of `unit`, a power of two. Not `next_multiple_of`, which divides.
const fn up(n: usize, unit: usize) -> usize {
    n.wrapping_add(unit - 1) & !(unit - 1)
}

/// A dense matrix as it is stored: `n_out` rows of `n_in` columns, in [`Packing::bytes`] bytes, at a multiple of 4 where
/// it is packed. Kernels rely on that.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    packing: Packing,
    n_out: usize,
    n_in: usize,
    weights: &'a [i8],
}

/// Bytes at a multiple of 4: constants of an image.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(4))]
pub struct Aligned<T>(pub T);

impl<'a> Matrix<'a> {
    /// Nothing where the bytes are more or fewer, or lie elsewhere.
    pub fn new(packing: Packing, n_out: usize, n_in: usize, weights: &'a [i8]) -> Option<Self> {
        let aligned = packing == Packing::RowMajor || weights.as_ptr().addr().is_multiple_of(4);
        (aligned && packing.bytes(n_out, n_in)? == weights.len()).then_some(Matrix { packing, n_out, n_in, weights })
    }

    /// The same of bytes whose place the compiler knows.
    pub const fn constant<const N: usize>(
        packing: Packing,
        n_out: usize,
        n_in: usize,
        weights: &'a Aligned<[i8; N]>,
    ) -> Option<Self> {
        match packing.bytes(n_out, n_in) {
            Some(bytes) if bytes == N => Some(Matrix { packing, n_out, n_in, weights: &weights.0 }),
            _ => None,
        }
    }

    /// Row by row; rows that `weights` does not hold are left out.
    pub fn row_major(n_out: usize, n_in: usize, weights: &'a [i8]) -> Self {
        Matrix { packing: Packing::RowMajor, n_out, n_in, weights }
    }

    /// How it is stored.
    pub const fn packing(&self) -> Packing {
        self.packing
    }

    /// Rows.
    pub const fn n_out(&self) -> usize {
        self.n_out
    }

    /// Columns.
    pub const fn n_in(&self) -> usize {
        self.n_in
    }

    /// Bytes.
    pub const fn weights(&self) -> &'a [i8] {
        self.weights
    }

    /// Weight (i, j), which may be one that fills a unit; 0 outside. A halfword's high weight may be 128 in bytes
    /// that were not checked.
    #[inline(never)]
    pub fn weight(&self, i: usize, j: usize) -> i32 {
        match self.packing.place(self.n_in, i, j) {
            Place::Byte(at) => self.weights.get(at).copied().unwrap_or(0).into(),
            Place::Half(at, high) => {
                let bytes = self.weights.get(2 * at..).and_then(|rest| rest.first_chunk::<2>());
                let [low, top] = bytes.copied().unwrap_or([0, 0]);
                // top holds the high weight less the low one's borrow.
                if high { i32::from(top) + i32::from(low < 0) } else { low.into() }
            }
        }
    }

    /// Writes the matrix in `packing` to `to`, which is 0 and of [`Packing::bytes`].
    pub fn repack(&self, packing: Packing, to: &mut [i8]) {
        for i in 0..self.n_out {
            for j in 0..self.n_in {
                let weight = self.weight(i, j);
                match packing.place(self.n_in, i, j) {
                    Place::Byte(at) => {
                        if let Some(to) = to.get_mut(at) {
                            *to = weight as i8;
                        }
                    }
                    Place::Half(at, high) => {
                        if let Some(to) = to.get_mut(2 * at..).and_then(|rest| rest.first_chunk_mut::<2>()) {
                            let half = i32::from(i16::from_le_bytes(to.map(|byte| byte as u8)));
                            let half = half + if high { 256 * weight } else { weight };
                            *to = (half as i16).to_le_bytes().map(|byte| byte as i8);
                        }
                    }
                }
            }
        }
    }

    /// The `k`-th of several matrices of `n_out` rows that lie one behind the other; `self` spans all. Without rows where
    /// there is none.
    pub fn part(&self, k: usize, n_out: usize) -> Matrix<'a> {
        let part = || {
            let bytes = self.packing.bytes(n_out, self.n_in)?;
            // A part's bytes are a multiple of its units': it lies at a multiple of 4 as the whole does.
            let weights = self.weights.get(k.checked_mul(bytes)?..)?.get(..bytes)?;
            Some(Matrix { n_out, weights, ..*self })
        };
        part().unwrap_or(Matrix { n_out: 0, weights: &[], ..*self })
    }

    /// Calls `each(i, Σ_j w_ij·x_j)` for each row, weight by weight: what a kernel for this packing must equal.
    pub(super) fn sums(&self, x: &[i8], each: &mut dyn FnMut(usize, i32)) {
        for i in 0..self.n_out {
            let products = x.iter().take(self.n_in).enumerate().map(|(j, &x)| self.weight(i, j) * i32::from(x));
            each(i, products.fold(0, i32::wrapping_add));
        }
    }
}

/// The constants of a dense matrix's rows: [`Row`]s, or, where a kernel takes those of a unit's rows together, first
/// their biases, in units of halfwords shifted left by 8, then their multipliers.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// How.
    pub packing: Packing,
    /// [`Packing::row_words`]
    pub words: &'a [i32],
}

impl<'a> Rows<'a> {
    /// Rows as they are written in Rust.
    pub fn plain(rows: &'a [Row]) -> Self {
        Rows { packing: Packing::RowMajor, words: bytemuck::cast_slice(rows) }
    }

    /// Words of bias and multiplier of row i, and how far the bias is shifted.
    #[inline]
    const fn place(packing: Packing, i: usize) -> (usize, usize, u32) {
        let height = packing.height();
        let shift = match packing.here() {
            Packing::HighLow | Packing::Pairs => 8,
            Packing::Vectors => 0,
            _ => return (2 * i, 2 * i + 1, 0),
        };
        let bias = 2 * (i & !(height - 1)) + (i & (height - 1));
        (bias, bias + height, shift)
    }

    /// Constants of row i; `None` beyond the end.
    #[inline(never)]
    pub fn row(&self, i: usize) -> Option<Row> {
        let (bias, multiplier, shift) = Self::place(self.packing, i);
        Some(Row { bias: self.words.get(bias)? >> shift, multiplier: *self.words.get(multiplier)? })
    }

    /// Whether no bias has bits that its shift left 0.
    pub fn are_sound(&self) -> bool {
        let height = self.packing.height();
        let (_, _, shift) = Self::place(self.packing, 0);
        let odd = |(i, word): (usize, &i32)| i & height == 0 && word & ((1 << shift) - 1) != 0;
        shift == 0 || !self.words.iter().enumerate().any(odd)
    }

    /// Writes the constants of `n` rows in `packing` to `to`, of [`Packing::row_words`].
    pub fn repack(&self, n: usize, packing: Packing, to: &mut [i32]) {
        for (i, row) in (0..n).map_while(|i| self.row(i)).enumerate() {
            let (bias_at, multiplier_at, shift) = Self::place(packing, i);
            if let Some(to) = to.get_mut(bias_at) {
                *to = row.bias << shift;
            }
            if let Some(to) = to.get_mut(multiplier_at) {
                *to = row.multiplier;
            }
        }
    }

    /// The constants of the `k`-th of several matrices of `n_out` rows; no rows where there are none.
    pub fn part(&self, k: usize, n_out: usize) -> Rows<'a> {
        let len = self.packing.row_words(n_out);
        let words = self.words.get(k.wrapping_mul(len)..).and_then(|rest| rest.get(..len)).unwrap_or(&[]);
        Rows { words, ..*self }
    }
}

/// A matrix with at least one weight, and the constants of all its rows, stored in the same way. Kernels rely on that.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    matrix: Matrix<'a>,
    /// [`Packing::row_words`] of as many rows
    rows: &'a [i32],
}

impl<'a> Layer<'a> {
    /// Nothing where there are more words of rows or fewer.
    pub const fn new(matrix: Matrix<'a>, rows: &'a [i32]) -> Option<Self> {
        let whole = matrix.n_out > 0 && matrix.n_in > 0 && rows.len() == matrix.packing.row_words(matrix.n_out);
        if whole { Some(Layer { matrix, rows }) } else { None }
    }

    /// `(n_out, n_in)`
    pub const fn matrix(&self) -> &Matrix<'a> {
        &self.matrix
    }

    /// `(n_out)`
    pub const fn rows(&self) -> Rows<'a> {
        Rows { packing: self.matrix.packing, words: self.rows }
    }

    /// Their words.
    pub const fn words(&self) -> &'a [i32] {
        self.rows
    }
}

/// Whether this build runs models of that packing: a host all of them, a chip row-major ones and its own.
pub fn runs_here(packing: Packing) -> bool {
    arch::HOST || packing == Packing::RowMajor || packing == arch::PACKING
}
