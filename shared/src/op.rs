//! The operators: what each reads, writes and computes.
//!
//! A model is a list of operators over one arena of bytes. Every operator names the regions of
//! the arena that it reads and writes, and where in the weight section its constants lie.
//! Weights are `(n_out, n_in)` int8 in [−127, 127], stored as the artifact's
//! [`Packing`](crate::kernel::Packing) says; the constants of a row are a [`Row`](crate::fixed::Row), those of dense
//! and low-rank rows packed too ([`Rows`](crate::kernel::Rows)).

use serde::{Deserialize, Serialize};

/// A run of elements in the arena.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte, counted from the arena's start; a multiple of 4.
    pub at: u32,
    /// Number of elements (not of bytes).
    pub len: u32,
}

/// The type of a region's elements.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Width {
    /// int8 activations in [−127, 127]
    I8,
    /// int16 activations in [−32767, 32767]
    I16,
    /// int32 scores
    I32,
}

impl Width {
    /// Bytes of one element.
    pub const fn bytes(self) -> u32 {
        match self {
            Width::I8 => 1,
            Width::I16 => 2,
            Width::I32 => 4,
        }
    }
}

/// How a sparse matrix is stored: see [`Sparse`](crate::kernel::Sparse).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Layout {
    /// Row by row (CSR): four or eight columns and their weights a group.
    Csr,
    /// Four rows share a column (4×1 blocks): one column and four weights a group.
    Blocks,
    /// Neighbours in an order of the columns (pairs): four positions and eight weights a group. High-low artifacts alone.
    Pairs,
}

/// One operator. Offsets `weights`, `rows`, … count bytes from the start of the weight section.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Features, or raw values, to int8: `y_i = clamp(requant(f_i + bias_i, m_i), −127, 127)`.
    /// Takes the model's input: always the first operator, and no other but [`Op::Embed`] may be.
    Standardise { y: Region, rows: u32 },
    /// `y = x / rms(x)`: `y_i = clamp((x_i·R + 2¹⁵) >> 16, −127, 127)`, `R = 256·gain / isqrt(256·Σx²)`.
    UnitRms { x: Region, y: Region, gain: u32 },
    /// `y_i = clamp(requant(Σ_j w_ij x_j + b_i, m_i))`, lower limit 0 when `relu`, which takes int8 outputs.
    Dense { x: Region, y: Region, width: Width, relu: bool, weights: u32, rows: u32 },
    /// `y = U(Vx + b) + c` with the int8 vector between them in `z` (r elements).
    LowRank { x: Region, z: Region, y: Region, width: Width, v: u32, v_rows: u32, u: u32, u_rows: u32 },
    /// Sample-wise indicator: `q_k = requant(G_k·x + c_k, m_k)` in 1/32 nat; the top `m = y.len/2` of
    /// `bases`, each with its softmax weight among those kept; weights sum to 128.
    /// `y`: m pairs (index, weight), largest first.
    Gate { x: Region, y: Region, bases: u16, weights: u32, rows: u32 },
    /// `y = base + Σ_{k kept} g_k (U_k z_k + u_k)`, `z_k = V_k x + b_k`; only the bases that the gate
    /// kept are run. With an empty `z` the bases have no `V_k` and read `x` itself.
    /// One multiplier a row, shared by all bases; `y_i = clamp(requant((Σ_k g_k acc_ki + 64) >> 7, m_i) + base_i)`.
    Mix {
        x: Region,
        gate: Region,
        base: Option<Region>,
        z: Region,
        /// `n_out` int32 sums
        acc: Region,
        y: Region,
        width: Width,
        bases: u16,
        /// `(bases · r, n_in)` int8
        v: u32,
        /// `bases · r` rows
        v_rows: u32,
        /// `(bases · n_out, r)` int8
        u: u32,
        /// `bases · n_out` int32
        u_bias: u32,
        /// `n_out` int32
        multipliers: u32,
    },
    /// int16 to int8: `y_i = clamp(requant(x_i, multiplier), −127, 127)`.
    Rescale { x: Region, y: Region, multiplier: i32 },
    /// `y_i = clamp(x_i, lo, hi)`.
    Clamp { x: Region, y: Region, lo: i8, hi: i8 },
    /// `y_i = table[x_i + 128]`: any smooth activation, made on the host.
    Lookup { x: Region, y: Region, table: u32 },
    /// Scores against a table of class rows: `y_c = requant(a_c·x, m_c) − requant(‖x‖, h_c)`,
    /// `‖x‖ = isqrt(256·Σx²)`. `h_c` is the handicap of a seen class (calibrated stacking); absent, 0.
    Match { x: Region, y: Region, weights: u32, rows: u32, handicaps: Option<u32> },
    /// `y_i = clamp(requant(Σ_j w_ij x_j + b_i, m_i))` as [`Op::Dense`], where most weights are 0: only
    /// the others are stored, in groups ([`Sparse`](crate::kernel::Sparse)).
    Sparse {
        x: Region,
        y: Region,
        width: Width,
        relu: bool,
        layout: Layout,
        /// Number of groups in all: the sum of `counts`.
        groups: u32,
        /// u16 groups of each row, or of each four rows where the layout is [`Layout::Blocks`]; the order of the
        /// columns and u8 groups where it is [`Layout::Pairs`]
        counts: u32,
        /// `groups` groups, of a length that follows from layout and `x.len`
        entries: u32,
        rows: u32,
    },
    /// Tokens to int8: `y = (E_t₀, E_t₁, …)`, the rows t of a table, one after the other.
    /// A token outside `0..vocabulary` is read as the nearest inside. Takes the model's input.
    Embed {
        y: Region,
        /// rows of the table
        vocabulary: u16,
        /// columns of the table; `y.len` is a multiple of it
        dim: u16,
        /// `(vocabulary, dim)` int8
        table: u32,
    },
    /// Laws watched over: `y_0 = 1024`, `y_l = |d_l|·gain_l`, `d_l` the running deviation of law l
    /// ([`poly`](crate::kernel::poly)). Takes the model's input, raw int16 values, as its only operator. The first `inputs` of the `registers` hold the sample, each of `steps` writes the next one;
    /// `state`, the running deviations of `y.len − 1` laws, outlives the input. The three regions lie one behind the
    /// other. In f32 where `float`.
    Poly { registers: Region, state: Region, y: Region, inputs: u16, float: bool, steps: u32, laws: u32 },
}

impl Op {
    /// Standard name of the operator's kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Op::Standardise { .. } => "standardise",
            Op::UnitRms { .. } => "unit-rms",
            Op::Dense { .. } => "dense",
            Op::LowRank { .. } => "low-rank",
            Op::Gate { .. } => "gate",
            Op::Mix { .. } => "mix",
            Op::Rescale { .. } => "rescale",
            Op::Clamp { .. } => "clamp",
            Op::Lookup { .. } => "lookup",
            Op::Match { .. } => "match",
            Op::Sparse { .. } => "sparse",
            Op::Embed { .. } => "embed",
            Op::Poly { .. } => "poly",
        }
    }

    /// The region that the operator writes, and its type.
    pub const fn output(&self) -> (Region, Width) {
        match *self {
            Op::Standardise { y, .. }
            | Op::UnitRms { y, .. }
            | Op::Gate { y, .. }
            | Op::Rescale { y, .. }
            | Op::Clamp { y, .. }
            | Op::Lookup { y, .. }
            | Op::Embed { y, .. } => (y, Width::I8),
            Op::Dense { y, width, .. }
            | Op::LowRank { y, width, .. }
            | Op::Mix { y, width, .. }
            | Op::Sparse { y, width, .. } => (y, width),
            Op::Match { y, .. } | Op::Poly { y, .. } => (y, Width::I32),
        }
    }

    /// The regions that the operator reads, with their types.
    pub const fn inputs(&self) -> [Option<(Region, Width)>; 3] {
        match *self {
            Op::Standardise { .. } | Op::Embed { .. } | Op::Poly { .. } => [None, None, None],
            Op::UnitRms { x, .. }
            | Op::Dense { x, .. }
            | Op::LowRank { x, .. }
            | Op::Gate { x, .. }
            | Op::Clamp { x, .. }
            | Op::Lookup { x, .. }
            | Op::Match { x, .. }
            | Op::Sparse { x, .. } => [Some((x, Width::I8)), None, None],
            Op::Rescale { x, .. } => [Some((x, Width::I16)), None, None],
            Op::Mix { x, gate, base, .. } => [
                Some((x, Width::I8)),
                Some((gate, Width::I8)),
                match base {
                    Some(base) => Some((base, Width::I16)),
                    None => None,
                },
            ],
        }
    }

    /// Columns of the widest matrix that the operator expands its input for; 0 without one.
    pub const fn columns(&self) -> u32 {
        match *self {
            Op::Dense { x, .. } | Op::Gate { x, .. } | Op::Match { x, .. } => x.len,
            // Whole windows, and the neighbour of the last one's last.
            Op::Sparse { x, layout: Layout::Pairs, .. } => (x.len.saturating_add(255) & !255).saturating_add(4),
            Op::LowRank { x, z, .. } | Op::Mix { x, z, .. } => {
                if x.len > z.len {
                    x.len
                } else {
                    z.len
                }
            }
            _ => 0,
        }
    }

    /// The regions that the operator uses between its own steps.
    pub const fn scratch(&self) -> [Option<(Region, Width)>; 2] {
        match *self {
            Op::LowRank { z, .. } => [Some((z, Width::I8)), None],
            Op::Mix { z, acc, .. } => [Some((z, Width::I8)), Some((acc, Width::I32))],
            Op::Poly { registers, state, .. } => [Some((registers, Width::I32)), Some((state, Width::I32))],
            _ => [None, None],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operators are decoded on the stack of a chip with 16 KB of RAM.
    #[test]
    fn an_operator_is_small() {
        assert!(size_of::<Op>() <= 96, "{}", size_of::<Op>());
    }
}
