//! The three products of a dense layer, over features × samples:
//!
//! forward `Y = WX + b`, backward `∂X = Wᵀ ∂Y`, and `∂W += ∂Y Xᵀ`.
//!
//! Register blocks of R rows × C blocks of lanes keep their sums in registers; each element's sum
//! runs over the inner index in order, whatever R and C, so results do not depend on the blocking.
//! `∂W`'s elements are sums over samples: lane by lane, then the lanes.

use multiversion::multiversion;

use crate::net::Float;

/// Features × samples: row i of a matrix begins at `data[i · stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// From the first sample of the tile on.
    pub data: &'a [T],
    /// Elements from one feature to the next.
    pub stride: usize,
}

impl<'a, T: Float> Rows<'a, T> {
    /// The first `blocks` blocks of row `i`.
    #[inline(always)]
    fn row(&self, i: usize, blocks: usize) -> &'a [T::Block] {
        &T::blocks(&self.data[i * self.stride..])[..blocks]
    }
}

/// `y[o] = b[o] + Σ_i w[o][i] x[i]` for o < `n_out`, over `blocks` blocks of samples.
/// `w` `(n_out, n_in)`; without `b` sums start at 0.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn forward<T: Float>(
    y: &mut [T],
    y_stride: usize,
    w: &[T],
    b: Option<&[T]>,
    x: Rows<'_, T>,
    (n_out, n_in): (usize, usize),
    blocks: usize,
) {
    rows(n_out, |o, height| {
        let start = |r: usize| b.map_or(T::of(0.0), |b| b[o + r]);
        macro_rules! block {
            ($r:literal) => {{
                let w: [&[T]; $r] = std::array::from_fn(|r| &w[(o + r) * n_in..][..n_in]);
                columns::<T, $r>(y, y_stride, o, x, n_in, blocks, start, |i| std::array::from_fn(|r| w[r][i]));
            }};
        }
        match height {
            6 => block!(6),
            5 => block!(5),
            4 => block!(4),
            3 => block!(3),
            2 => block!(2),
            _ => block!(1),
        }
    });
}

/// `y[i] = Σ_o w[o][i] x[o]` for i < `n_in`: the product with the transpose. `w` `(n_out, n_in)`.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn transposed<T: Float>(
    y: &mut [T],
    y_stride: usize,
    w: &[T],
    x: Rows<'_, T>,
    (n_out, n_in): (usize, usize),
    blocks: usize,
) {
    rows(n_in, |i, height| {
        macro_rules! block {
            ($r:literal) => {{
                let w = &w[i..];
                columns::<T, $r>(
                    y,
                    y_stride,
                    i,
                    x,
                    n_out,
                    blocks,
                    |_| T::of(0.0),
                    |o| {
                        let w = &w[o * n_in..][..$r];
                        std::array::from_fn(|r| w[r])
                    },
                );
            }};
        }
        match height {
            6 => block!(6),
            5 => block!(5),
            4 => block!(4),
            3 => block!(3),
            2 => block!(2),
            _ => block!(1),
        }
    });
}

/// Cuts 0..n into blocks of up to 6 rows: of the height among 6, 5 and 4 that leaves the least over.
#[inline(always)]
fn rows(n: usize, mut each: impl FnMut(usize, usize)) {
    let height = if n.is_multiple_of(6) {
        6
    } else if n.is_multiple_of(5) {
        5
    } else if n.is_multiple_of(4) {
        4
    } else {
        6
    };
    let mut o = 0;
    while o < n {
        let r = height.min(n - o);
        each(o, r);
        o += r;
    }
}

/// R rows of a product over all samples, 4, 2 or 1 blocks at a time.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn columns<T: Float, const R: usize>(
    y: &mut [T],
    stride: usize,
    o: usize,
    x: Rows<'_, T>,
    n: usize,
    blocks: usize,
    start: impl Fn(usize) -> T,
    weights: impl Fn(usize) -> [T; R],
) {
    let mut at = 0;
    while at < blocks {
        macro_rules! part {
            ($c:literal) => {{
                let mut sums = [[T::splat(T::of(0.0)); $c]; R];
                for r in 0..R {
                    sums[r] = [T::splat(start(r)); $c];
                }
                for i in 0..n {
                    let x: &[T::Block] = &x.row(i, blocks)[at..at + $c];
                    let w = weights(i);
                    for r in 0..R {
                        let w = T::splat(w[r]);
                        for c in 0..$c {
                            sums[r][c] = T::multiply_add(w, x[c], sums[r][c]);
                        }
                    }
                }
                for r in 0..R {
                    let y = &mut y[(o + r) * stride + at * T::LANES..][..$c * T::LANES];
                    for c in 0..$c {
                        T::store(&mut y[c * T::LANES..], sums[r][c]);
                    }
                }
                at += $c;
            }};
        }
        match blocks - at {
            1 => part!(1),
            2 | 3 => part!(2),
            _ => part!(4),
        }
    }
}

/// `dw[o][i] += Σ_n dy[o][n] x[i][n]` and, where there is a bias, `db[o] += Σ_n dy[o][n]`.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn outer<T: Float>(
    dw: &mut [T],
    db: Option<&mut [T]>,
    dy: Rows<'_, T>,
    x: Rows<'_, T>,
    (n_out, n_in): (usize, usize),
    blocks: usize,
) {
    let mut o = 0;
    while o < n_out {
        let mut i = 0;
        let rest = n_out - o;
        macro_rules! strip {
            ($r:literal) => {{
                while i + 4 <= n_in {
                    patch::<T, $r, 4>(dw, n_in, o, i, dy, x, blocks);
                    i += 4;
                }
                while i < n_in {
                    patch::<T, $r, 1>(dw, n_in, o, i, dy, x, blocks);
                    i += 1;
                }
                o += $r;
            }};
        }
        match rest {
            1 => strip!(1),
            2 | 3 => strip!(2),
            _ => strip!(4),
        }
    }
    if let Some(db) = db {
        for (o, db) in db.iter_mut().enumerate().take(n_out) {
            let mut sum = T::splat(T::of(0.0));
            for block in dy.row(o, blocks) {
                sum = T::zip(sum, *block, |a, b| a + b);
            }
            *db += T::sum(sum);
        }
    }
}

#[inline(always)]
fn patch<T: Float, const R: usize, const C: usize>(
    dw: &mut [T],
    n_in: usize,
    o: usize,
    i: usize,
    dy: Rows<'_, T>,
    x: Rows<'_, T>,
    blocks: usize,
) {
    let dy: [&[T::Block]; R] = std::array::from_fn(|r| dy.row(o + r, blocks));
    let x: [&[T::Block]; C] = std::array::from_fn(|c| x.row(i + c, blocks));
    let mut sums = [[T::splat(T::of(0.0)); C]; R];
    for b in 0..blocks {
        let x: [T::Block; C] = std::array::from_fn(|c| x[c][b]);
        for r in 0..R {
            let d = dy[r][b];
            for c in 0..C {
                sums[r][c] = T::multiply_add(d, x[c], sums[r][c]);
            }
        }
    }
    for r in 0..R {
        let dw = &mut dw[(o + r) * n_in + i..][..C];
        for c in 0..C {
            dw[c] += T::sum(sums[r][c]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Small whole numbers: sums are exact, so any order of them gives the same bits.
    fn whole<T: Float>(n: usize, seed: usize) -> Vec<T> {
        (0..n).map(|i| T::of(((i * 7919 + seed * 104_729) % 17) as f64 - 8.0)).collect()
    }

    fn products_are_their_formulas<T: Float>(n_out: usize, n_in: usize, blocks: usize) {
        let n = blocks * T::LANES;
        let stride = n + 3;
        let (w, b) = (whole::<T>(n_out * n_in, 1), whole::<T>(n_out, 2));
        let (x, dy) = (whole::<T>(n_in * stride, 3), whole::<T>(n_out * stride, 4));
        let mut y = vec![T::of(0.0); n_out * n];
        forward(&mut y, n, &w, Some(&b), Rows { data: &x, stride }, (n_out, n_in), blocks);
        let mut dx = vec![T::of(0.0); n_in * n];
        transposed(&mut dx, n, &w, Rows { data: &dy, stride }, (n_out, n_in), blocks);
        let (mut dw, mut db) = (whole::<T>(n_out * n_in, 5), whole::<T>(n_out, 6));
        outer(&mut dw, Some(&mut db), Rows { data: &dy, stride }, Rows { data: &x, stride }, (n_out, n_in), blocks);
        let (dw0, db0) = (whole::<T>(n_out * n_in, 5), whole::<T>(n_out, 6));
        for o in 0..n_out {
            for s in 0..n {
                let sum: f64 = (0..n_in).map(|i| w[o * n_in + i].f64() * x[i * stride + s].f64()).sum();
                assert_eq!(y[o * n + s].f64(), b[o].f64() + sum);
            }
            let sum: f64 = (0..n).map(|s| dy[o * stride + s].f64()).sum();
            assert_eq!(db[o].f64(), db0[o].f64() + sum);
            for i in 0..n_in {
                let sum: f64 = (0..n).map(|s| dy[o * stride + s].f64() * x[i * stride + s].f64()).sum();
                assert_eq!(dw[o * n_in + i].f64(), dw0[o * n_in + i].f64() + sum);
            }
        }
        for i in 0..n_in {
            for s in 0..n {
                let sum: f64 = (0..n_out).map(|o| w[o * n_in + i].f64() * dy[o * stride + s].f64()).sum();
                assert_eq!(dx[i * n + s].f64(), sum);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_shape_gives_the_formula(n_out in 1usize..14, n_in in 1usize..14, blocks in 1usize..8) {
            products_are_their_formulas::<f32>(n_out, n_in, blocks);
            products_are_their_formulas::<f64>(n_out, n_in, blocks);
        }
    }
}
