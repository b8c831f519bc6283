//! Losses against a table of class rows, each one fused operator.
//!
//! Cosine cross-entropy: `L = −mean log softmax_c(τ·cos(s, a_c))[y]` over the seen classes.
//! Ranking (DeViSE, Frome et al. 2013, eq. 1): `L = mean Σ_{c≠y} max(0, margin + a_c·s − a_y·s)`.

use std::sync::Arc;

use anyhow::Result;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result as CandleResult, Shape, Tensor};

use super::real::{Real, slice, with_type};

/// Cross-entropy of scaled cosines.
#[derive(Clone, Debug)]
pub struct CosineLoss {
    /// `(C, a)` unit rows, those of the classes that compete: the seen ones
    pub rows: Arc<Vec<f32>>,
    /// a
    pub width: usize,
    /// τ
    pub temperature: f32,
}

impl CosineLoss {
    /// Loss of `s (batch, a)` whose true classes are `y` (indices of rows); a scalar.
    pub fn of(&self, s: &Tensor, y: Arc<Vec<u16>>) -> Result<Tensor> {
        Ok(s.apply_op1(Fused(Cosine { loss: self.clone(), y }))?)
    }
}

/// Hinge ranking loss of raw products.
#[derive(Clone, Debug)]
pub struct RankingLoss {
    /// `(C, a)` rows of the classes that compete
    pub rows: Arc<Vec<f32>>,
    /// a
    pub width: usize,
    /// By how much the true class must win; .1 in DeViSE
    pub margin: f32,
}

impl RankingLoss {
    /// Loss of `s (batch, a)` whose true classes are `y` (indices of rows); a scalar.
    pub fn of(&self, s: &Tensor, y: Arc<Vec<u16>>) -> Result<Tensor> {
        Ok(s.apply_op1(Fused(Ranking { loss: self.clone(), y }))?)
    }
}

/// A sample's loss, and its gradient with respect to that sample's s.
trait PerSample: Send + Sync + Clone + 'static {
    const NAME: &'static str;
    fn width(&self) -> usize;
    fn rows<T: Real>(&self) -> Vec<T>;
    fn labels(&self) -> &[u16];
    /// Scores `(C)` are scratch. `gradient` is left alone where it is none.
    fn sample<T: Real>(&self, s: &[T], rows: &[T], y: usize, scores: &mut [T], gradient: Option<&mut [T]>) -> T;
}

#[derive(Clone)]
struct Cosine {
    loss: CosineLoss,
    y: Arc<Vec<u16>>,
}

impl PerSample for Cosine {
    const NAME: &'static str = "cosine cross-entropy";

    fn width(&self) -> usize {
        self.loss.width
    }

    fn rows<T: Real>(&self) -> Vec<T> {
        self.loss.rows.iter().map(|x| T::real(f64::from(*x))).collect()
    }

    fn labels(&self) -> &[u16] {
        &self.y
    }

    fn sample<T: Real>(&self, s: &[T], rows: &[T], y: usize, scores: &mut [T], gradient: Option<&mut [T]>) -> T {
        let tau = T::real(f64::from(self.loss.temperature));
        let norm = (dot(s, s) + T::real(1e-12)).root();
        let mut largest = T::real(f64::NEG_INFINITY);
        for (score, row) in scores.iter_mut().zip(rows.chunks_exact(s.len())) {
            *score = tau * dot(s, row) / norm;
            largest = if *score > largest { *score } else { largest };
        }
        let of_true = scores[y] - largest;
        let mut total = T::real(0.0);
        for score in scores.iter_mut() {
            *score = (*score - largest).exponential();
            total += *score;
        }
        if let Some(gradient) = gradient {
            // d cos(s, a)/ds = (a − ŝ (ŝ·a)) / ‖s‖ with ŝ = s/‖s‖.
            gradient.fill(T::real(0.0));
            for (c, (score, row)) in scores.iter().zip(rows.chunks_exact(s.len())).enumerate() {
                let weight = tau * (*score / total - T::real(if c == y { 1.0 } else { 0.0 })) / norm;
                gradient.iter_mut().zip(row).for_each(|(g, a)| *g += weight * *a);
            }
            let along = dot(gradient, s) / (norm * norm);
            gradient.iter_mut().zip(s).for_each(|(g, s)| *g -= along * *s);
        }
        let log_total = T::real(total.to_f64().ln());
        log_total - of_true
    }
}

#[derive(Clone)]
struct Ranking {
    loss: RankingLoss,
    y: Arc<Vec<u16>>,
}

impl PerSample for Ranking {
    const NAME: &'static str = "ranking loss";

    fn width(&self) -> usize {
        self.loss.width
    }

    fn rows<T: Real>(&self) -> Vec<T> {
        self.loss.rows.iter().map(|x| T::real(f64::from(*x))).collect()
    }

    fn labels(&self) -> &[u16] {
        &self.y
    }

    fn sample<T: Real>(&self, s: &[T], rows: &[T], y: usize, scores: &mut [T], gradient: Option<&mut [T]>) -> T {
        scores.iter_mut().zip(rows.chunks_exact(s.len())).for_each(|(score, row)| *score = dot(s, row));
        let bar = scores[y] - T::real(f64::from(self.loss.margin));
        let mut sum = T::real(0.0);
        for (c, score) in scores.iter_mut().enumerate() {
            let over = if c == y || *score <= bar { T::real(0.0) } else { *score - bar };
            sum += over;
            // From here on: how the loss moves with this class's score.
            *score = T::real(if over > T::real(0.0) { 1.0 } else { 0.0 });
        }
        if let Some(gradient) = gradient {
            let mut violations = T::real(0.0);
            scores.iter().for_each(|v| violations += *v);
            scores[y] = T::real(0.0) - violations;
            gradient.fill(T::real(0.0));
            for (weight, row) in scores.iter().zip(rows.chunks_exact(s.len())) {
                gradient.iter_mut().zip(row).for_each(|(g, a)| *g += *weight * *a);
            }
        }
        sum
    }
}

/// Eight partial sums, which the compiler keeps in one vector register.
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut parts = [T::real(0.0); 8];
    let (heads_a, heads_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let mut sum = T::real(0.0);
    heads_a.remainder().iter().zip(heads_b.remainder()).for_each(|(a, b)| sum += *a * *b);
    for (a, b) in heads_a.zip(heads_b) {
        parts.iter_mut().zip(a.iter().zip(b)).for_each(|(p, (a, b))| *p += *a * *b);
    }
    parts.into_iter().for_each(|p| sum += p);
    sum
}

struct Fused<P>(P);

impl<P: PerSample> CustomOp1 for Fused<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (batch, a) = l.shape().dims2()?;
        if batch != self.0.labels().len() || a != self.0.width() {
            candle_core::bail!(
                "{}: s {:?}, {} labels, rows of {}",
                P::NAME,
                l.shape(),
                self.0.labels().len(),
                self.0.width()
            );
        }
        let loss = with_type!(P::NAME, s, T => {
            let rows = self.0.rows::<T>();
            let mut scores = vec![T::real(0.0); rows.len() / a];
            let mut sum = T::real(0.0);
            for (s, y) in slice::<T>(s, l)?.chunks_exact(a).zip(self.0.labels()) {
                sum += self.0.sample(s, &rows, usize::from(*y), &mut scores, None);
            }
            vec![sum / T::real(batch as f64)]
        });
        Ok((loss, Shape::from(())))
    }

    fn bwd(&self, s: &Tensor, _loss: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        Ok(Some(s.apply_op2_no_bwd(&grad.contiguous()?, &Gradient(self.0.clone()))?))
    }
}

struct Gradient<P>(P);

impl<P: PerSample> CustomOp2 for Gradient<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout, grad: &CpuStorage, lg: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (batch, a) = l.shape().dims2()?;
        let ds = with_type!(P::NAME, s, T => {
            let rows = self.0.rows::<T>();
            let scale = slice::<T>(grad, lg)?[0] / T::real(batch as f64);
            let mut scores = vec![T::real(0.0); rows.len() / a];
            let mut ds = vec![T::real(0.0); batch * a];
            for ((s, y), ds) in slice::<T>(s, l)?.chunks_exact(a).zip(self.0.labels()).zip(ds.chunks_exact_mut(a)) {
                self.0.sample(s, &rows, usize::from(*y), &mut scores, Some(ds));
                ds.iter_mut().for_each(|g| *g *= scale);
            }
            ds
        });
        Ok((ds, l.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::check;
    use crate::rng::Rng;

    fn rows() -> Arc<Vec<f32>> {
        let mut rng = Rng::new(3, "rows", 0);
        Arc::new((0..5 * 9).map(|_| 0.3 * rng.normal()).collect())
    }

    #[test]
    fn gradients_of_the_cosine_loss() {
        let loss = CosineLoss { rows: rows(), width: 9, temperature: 8.0 };
        check::gradients(&[&[6, 9]], |t| loss.of(&t[0], Arc::new(vec![0, 1, 2, 3, 4, 0])));
    }

    #[test]
    fn gradients_of_the_ranking_loss() {
        let loss = RankingLoss { rows: rows(), width: 9, margin: 0.3 };
        check::gradients(&[&[6, 9]], |t| loss.of(&t[0], Arc::new(vec![0, 1, 2, 3, 4, 0])));
    }

    #[test]
    fn the_cosine_loss_is_candles_cross_entropy() {
        let s = check::random(&[&[6, 9]]).remove(0).to_dtype(candle_core::DType::F32).unwrap();
        let a = Tensor::from_vec(rows().to_vec(), (5, 9), s.device()).unwrap();
        let y = vec![0u32, 1, 2, 3, 4, 0];
        let unit = s.broadcast_div(&s.sqr().unwrap().sum_keepdim(1).unwrap().sqrt().unwrap()).unwrap();
        let logits = (unit.matmul(&a.t().unwrap()).unwrap() * 8.0).unwrap();
        let y_tensor = Tensor::new(y.as_slice(), s.device()).unwrap();
        let candles = candle_nn::loss::cross_entropy(&logits, &y_tensor).unwrap().to_scalar::<f32>().unwrap();
        let loss = CosineLoss { rows: rows(), width: 9, temperature: 8.0 };
        let y: Vec<u16> = y.iter().map(|y| *y as u16).collect();
        let ours = loss.of(&s, Arc::new(y)).unwrap().to_scalar::<f32>().unwrap();
        assert!((ours - candles).abs() < 1e-5, "{ours} {candles}");
    }
}
