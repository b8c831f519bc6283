//! An embedding, and an embedding with the dense layer after it taken as one.
//!
//! `z[o] = Σ_f P_f[o][t_f] + b[o]` with `P_f = W_f Eᵀ`, `(n_out, vocabulary)`: each of the few
//! tokens is multiplied once, and a sample adds the rows of its own. Backwards `∂P_f[o][t]` collects
//! the deltas of all samples with token t, then `∂W_f = ∂P_f E` and `∂E += Σ_f ∂P_fᵀ W_f`.

use multiversion::multiversion;

use crate::net::Float;

/// Shape of an embedding and the dense layer after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub vocabulary: usize,
    pub width: usize,
    pub folds: usize,
    pub outputs: usize,
}

impl Shape {
    /// Elements of P.
    pub fn projected(&self) -> usize {
        self.folds * self.outputs * self.vocabulary
    }
}

/// `P[f][o][t] = Σ_k W[o][f·width + k] E[t][k]`.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn project<T: Float>(p: &mut [T], w: &[T], table: &[T], s: Shape) {
    let n_in = s.folds * s.width;
    for f in 0..s.folds {
        for o in 0..s.outputs {
            let w = &w[o * n_in + f * s.width..][..s.width];
            let p = &mut p[(f * s.outputs + o) * s.vocabulary..][..s.vocabulary];
            for (p, e) in p.iter_mut().zip(table.chunks_exact(s.width)) {
                *p = dot(w, e);
            }
        }
    }
}

/// `z[o][n] = Σ_f P[f][o][t_f(n)] + b[o]`; `tokens[f]` those of the tile.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn gather<T: Float>(z: &mut [T], stride: usize, p: &[T], b: &[T], tokens: &[&[u32]], s: Shape) {
    for o in 0..s.outputs {
        let z = &mut z[o * stride..][..tokens[0].len()];
        for (f, tokens) in tokens.iter().enumerate() {
            let p = &p[(f * s.outputs + o) * s.vocabulary..][..s.vocabulary];
            if f == 0 {
                for (z, &t) in z.iter_mut().zip(*tokens) {
                    *z = b[o] + p[t as usize];
                }
            } else {
                for (z, &t) in z.iter_mut().zip(*tokens) {
                    *z += p[t as usize];
                }
            }
        }
    }
}

/// `dp[f][o][t_f(n)] += dz[o][n]`, sample by sample in their order.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn scatter<T: Float>(dp: &mut [T], dz: &[T], stride: usize, tokens: &[&[u32]], s: Shape) {
    for o in 0..s.outputs {
        let dz = &dz[o * stride..][..tokens[0].len()];
        for (f, tokens) in tokens.iter().enumerate() {
            let dp = &mut dp[(f * s.outputs + o) * s.vocabulary..][..s.vocabulary];
            for (d, &t) in dz.iter().zip(*tokens) {
                dp[t as usize] += *d;
            }
        }
    }
}

/// `dw += ∂P E`, `dtable += ∂Pᵀ W`.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn project_back<T: Float>(dw: &mut [T], dtable: &mut [T], dp: &[T], w: &[T], table: &[T], s: Shape) {
    let n_in = s.folds * s.width;
    for f in 0..s.folds {
        for o in 0..s.outputs {
            let at = o * n_in + f * s.width;
            let (w, dw) = (&w[at..][..s.width], &mut dw[at..][..s.width]);
            let dp = &dp[(f * s.outputs + o) * s.vocabulary..][..s.vocabulary];
            let rows = table.chunks_exact(s.width).zip(dtable.chunks_exact_mut(s.width));
            for (&d, (e, de)) in dp.iter().zip(rows) {
                for (((dw, de), e), w) in dw.iter_mut().zip(de).zip(e).zip(w) {
                    *dw = d.fused(*e, *dw);
                    *de = d.fused(*w, *de);
                }
            }
        }
    }
}

/// `y[f·width + k][n] = E[t_f(n)][k]`: an embedding by itself.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn look_up<T: Float>(y: &mut [T], stride: usize, table: &[T], width: usize, tokens: &[&[u32]]) {
    for (f, tokens) in tokens.iter().enumerate() {
        for k in 0..width {
            for (y, &t) in y[(f * width + k) * stride..].iter_mut().zip(*tokens) {
                *y = table[t as usize * width + k];
            }
        }
    }
}

/// `dtable[t_f(n)][k] += dy[f·width + k][n]`.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn look_up_back<T: Float>(dtable: &mut [T], dy: &[T], stride: usize, width: usize, tokens: &[&[u32]]) {
    for (f, tokens) in tokens.iter().enumerate() {
        for k in 0..width {
            for (d, &t) in dy[(f * width + k) * stride..].iter().zip(*tokens) {
                dtable[t as usize * width + k] += *d;
            }
        }
    }
}

/// Sum of products, lane by lane, then the lanes, then the rest.
#[inline(always)]
fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    let whole = a.len() / T::LANES * T::LANES;
    let mut sum = T::splat(T::of(0.0));
    for (a, b) in T::blocks(a).iter().zip(T::blocks(b)) {
        sum = T::multiply_add(*a, *b, sum);
    }
    let rest = a[whole..].iter().zip(&b[whole..]);
    rest.fold(T::sum(sum), |s, (a, b)| a.fused(*b, s))
}
