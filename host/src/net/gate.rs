//! Sample-wise indicator and the composite of low-rank bases.
//!
//! `q = Gx + c`, `g = softmax(β·q)` over the top m, `z = Vᵀx + b` (all bases at once),
//! `s = Σ_k g_k (U_k z_k + u_k) = (g ⊙ z)·U + g·u`: no product per base is needed.
//! The composition of base linear networks by a sparse indicator is ParsNets' (arXiv 2312.09709).

use anyhow::Result;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result as CandleResult, Shape, Tensor};

use super::real::{Real, slice, with_type};
use super::{Dense, Parameters, affine};

/// K low-rank maps `s_k = U_k(V_k x + b_k) + u_k` and the layer of their gate.
#[derive(Clone, Debug)]
pub struct Composite {
    /// All `V_k` side by side, `(n_in, K·r)`; none where the bases read their input itself
    pub v: Option<Dense>,
    /// All `U_k` one below the other, `(K·r, n_out)`
    pub u: Tensor,
    /// `(K, n_out)`
    pub u_bias: Tensor,
    /// `(n_in, K)`
    pub gate: Dense,
}

/// What a composite computes for a batch.
#[derive(Clone, Debug)]
pub struct Composed {
    /// `(batch, n_out)`
    pub s: Tensor,
    /// `(batch, K)` logits
    pub q: Tensor,
    /// `(batch, K)` weights, summing to 1
    pub g: Tensor,
    /// `(batch, K·r)`: `g_k z_k` side by side
    pub weighted: Tensor,
}

impl Composite {
    /// `bases` maps of rank `rank`: V normal `.1/√n_in`, U normal `1/√r`, G normal `.3/√n_in`.
    pub fn new(parameters: &mut Parameters, n_in: usize, bases: usize, rank: usize, n_out: usize) -> Result<Self> {
        let v = Dense::new(parameters, "v", n_in, bases * rank, 0.1)?;
        Self::with(parameters, Some(v), n_in, bases, rank, n_out, 1.0)
    }

    /// Bases `s_k = U_k x + u_k` that share their input, itself of rank `rank`. U normal `.3/√r`.
    pub fn shared(parameters: &mut Parameters, bases: usize, rank: usize, n_out: usize) -> Result<Self> {
        Self::with(parameters, None, rank, bases, rank, n_out, 0.3)
    }

    fn with(
        parameters: &mut Parameters,
        v: Option<Dense>,
        n_in: usize,
        bases: usize,
        rank: usize,
        n_out: usize,
        gain: f32,
    ) -> Result<Self> {
        let u = parameters.normal("u.w", &[bases * rank, n_out], gain / (rank as f32).sqrt())?;
        let u_bias = parameters.zeros("u.b", &[bases, n_out])?;
        Ok(Composite { v, u, u_bias, gate: Dense::new(parameters, "gate", n_in, bases, 0.3)? })
    }

    /// With `keep` bases a sample and the given temperature.
    pub fn forward(&self, x: &Tensor, keep: usize, temperature: f64, input_gradient: bool) -> Result<Composed> {
        let q = self.gate.forward(x, input_gradient)?;
        let g = gate(&q, keep, temperature)?;
        let weighted = match &self.v {
            Some(v) => weigh(&g, &v.forward(x, input_gradient)?)?,
            None => {
                let bases = g.dim(1)?;
                weigh(&g, &Tensor::cat(&vec![x; bases], 1)?)?
            }
        };
        let zero = Tensor::zeros(self.u.dim(1)?, x.dtype(), x.device())?;
        let s = (affine(&weighted, &self.u, &zero, true)? + affine(&g, &self.u_bias, &zero, true)?)?;
        Ok(Composed { s, q, g, weighted })
    }
}

/// `g (batch, K)`: softmax of `temperature·q` over each row's `keep` largest entries (the first of
/// equals), 0 elsewhere. `∂q_k = temperature·g_k (∂g_k − Σ_j g_j ∂g_j)`.
pub fn gate(q: &Tensor, keep: usize, temperature: f64) -> Result<Tensor> {
    Ok(q.apply_op1(Gate { keep, temperature })?)
}

/// `y_kr = g_k z_kr`: `g (batch, K)`, `z (batch, K·r)`.
pub fn weigh(g: &Tensor, z: &Tensor) -> Result<Tensor> {
    Ok(g.apply_op2(z, Weigh)?)
}

/// `K·Σ_k p̄_k f_k`: `p̄` the batch's mean of `softmax(q)`, `f_k` each base's share of use, which counts
/// as a constant: the mean of `g_k` where all bases run, else how often it was kept over `keep`.
/// 1 if all bases are used alike, up to K otherwise. Fedus et al. 2021, eq. 4.
pub fn load_balance(q: &Tensor, g: &Tensor, keep: usize) -> Result<Tensor> {
    let bases = q.dim(1)?;
    let used = g.detach();
    let used = if keep < bases { (used.gt(0.0)?.to_dtype(q.dtype())?.mean(0)? / keep as f64)? } else { used.mean(0)? };
    let p = gate(q, bases, 1.0)?.mean(0)?;
    Ok(((p * used)?.sum_all()? * bases as f64)?)
}

struct Gate {
    keep: usize,
    temperature: f64,
}

impl CustomOp1 for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(&self, q: &CpuStorage, l: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (_, bases) = l.shape().dims2()?;
        let g = with_type!("gate", q, T => {
            let mut g = slice::<T>(q, l)?.to_vec();
            let mut order = vec![0; bases];
            g.chunks_exact_mut(bases).for_each(|row| soften(row, &mut order, self.keep, T::real(self.temperature)));
            g
        });
        Ok((g, l.shape().clone()))
    }

    fn bwd(&self, _q: &Tensor, g: &Tensor, dg: &Tensor) -> CandleResult<Option<Tensor>> {
        Ok(Some(g.apply_op2_no_bwd(&dg.contiguous()?, &GateGradient { temperature: self.temperature })?))
    }
}

/// Softmax over the `keep` largest of a row, in place.
fn soften<T: Real>(row: &mut [T], order: &mut [usize], keep: usize, temperature: T) {
    let mut largest = row[0];
    row.iter().for_each(|q| largest = if *q > largest { *q } else { largest });
    if keep < row.len() {
        order.iter_mut().enumerate().for_each(|(i, o)| *o = i);
        let descending = |a: &usize, b: &usize| row[*b].partial_cmp(&row[*a]).unwrap_or(std::cmp::Ordering::Equal);
        order.sort_by(descending);
        order[keep..].iter().for_each(|&k| row[k] = T::real(f64::NEG_INFINITY));
    }
    let mut total = T::real(0.0);
    for q in row.iter_mut() {
        *q = (temperature * (*q - largest)).exponential();
        total += *q;
    }
    row.iter_mut().for_each(|q| *q /= total);
}

struct GateGradient {
    temperature: f64,
}

impl CustomOp2 for GateGradient {
    fn name(&self) -> &'static str {
        "gradient of gate"
    }

    fn cpu_fwd(&self, g: &CpuStorage, lg: &Layout, dg: &CpuStorage, ld: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (_, bases) = lg.shape().dims2()?;
        let dq = with_type!("gradient of gate", g, T => {
            let mut dq = Vec::with_capacity(lg.shape().elem_count());
            for (g, dg) in slice::<T>(g, lg)?.chunks_exact(bases).zip(slice::<T>(dg, ld)?.chunks_exact(bases)) {
                let mut mean = T::real(0.0);
                g.iter().zip(dg).for_each(|(g, dg)| mean += *g * *dg);
                dq.extend(g.iter().zip(dg).map(|(g, dg)| T::real(self.temperature) * *g * (*dg - mean)));
            }
            dq
        });
        Ok((dq, lg.shape().clone()))
    }
}

struct Weigh;

impl CustomOp2 for Weigh {
    fn name(&self) -> &'static str {
        "weigh"
    }

    fn cpu_fwd(&self, g: &CpuStorage, lg: &Layout, z: &CpuStorage, lz: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let rank = rank_of(lg, lz)?;
        let y = with_type!("weigh", g, T => {
            let mut y = Vec::with_capacity(lz.shape().elem_count());
            for (g, z) in slice::<T>(g, lg)?.iter().zip(slice::<T>(z, lz)?.chunks_exact(rank)) {
                y.extend(z.iter().map(|z| *g * *z));
            }
            y
        });
        Ok((y, lz.shape().clone()))
    }

    fn bwd(&self, g: &Tensor, z: &Tensor, _y: &Tensor, dy: &Tensor) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let dg = z.apply_op2_no_bwd(&dy, &DotOfParts { parts: g.dim(1)? })?;
        Ok((Some(dg), Some(g.apply_op2_no_bwd(&dy, &Weigh)?)))
    }
}

fn rank_of(lg: &Layout, lz: &Layout) -> CandleResult<usize> {
    let ((batch, bases), (rows, columns)) = (lg.shape().dims2()?, lz.shape().dims2()?);
    if batch != rows || columns % bases != 0 {
        candle_core::bail!("weigh: g {:?} does not fit z {:?}", lg.shape(), lz.shape());
    }
    Ok(columns / bases)
}

/// `y_k = Σ_r a_kr b_kr`
struct DotOfParts {
    parts: usize,
}

impl CustomOp2 for DotOfParts {
    fn name(&self) -> &'static str {
        "dot product of parts"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (batch, columns) = la.shape().dims2()?;
        let size = columns / self.parts;
        let y = with_type!("dot product of parts", a, T => {
            let pairs = slice::<T>(a, la)?.chunks_exact(size).zip(slice::<T>(b, lb)?.chunks_exact(size));
            pairs.map(|(a, b)| {
                let mut sum = T::real(0.0);
                a.iter().zip(b).for_each(|(a, b)| sum += *a * *b);
                sum
            }).collect()
        });
        Ok((y, (batch, self.parts).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::check;

    #[test]
    fn gradients_of_the_gate_dense_and_sparse() {
        for keep in [5, 2, 1] {
            check::gradients(&[&[4, 5], &[4, 5]], |t| Ok((gate(&t[0], keep, 1.7)? * &t[1])?.sqr()?.sum_all()?));
        }
    }

    #[test]
    fn gradients_of_weigh() {
        check::gradients(&[&[4, 3], &[4, 6]], |t| Ok(weigh(&t[0], &t[1])?.sqr()?.sum_all()?));
    }

    #[test]
    fn gradients_of_a_whole_composite() {
        check::gradients(&[&[6, 5], &[5, 6], &[6], &[6, 4], &[3, 4], &[5, 3], &[3]], |t| {
            let v = Some(Dense { w: t[1].clone(), b: t[2].clone() });
            let gate = Dense { w: t[5].clone(), b: t[6].clone() };
            let net = Composite { v, u: t[3].clone(), u_bias: t[4].clone(), gate };
            let Composed { s, q, .. } = net.forward(&t[0], 2, 1.3, true)?;
            // Use counts as a constant, which finite differences cannot know: check it apart.
            let constant = Tensor::new(&[[0.2, 0.5, 0.3]], t[0].device())?;
            Ok((s.sqr()?.sum_all()? + load_balance(&q, &constant, 3)?)?)
        });
    }

    #[test]
    fn the_gate_is_that_of_the_graph() {
        let q = check::random(&[&[50, 8]]).remove(0).to_dtype(candle_core::DType::F32).unwrap();
        let g: Vec<Vec<f32>> = gate(&q, 3, 4.0).unwrap().to_vec2().unwrap();
        for (q, g) in q.to_vec2::<f32>().unwrap().iter().zip(g) {
            let expected = crate::graph::softmax_of_top(q, 3, 4.0);
            assert!(g.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
