//! The basis of laws: monomials of the states up to an order, and further terms.
//!
//! A law is `H = Σ_k θ_k b_k`; it is conserved if `∇H·f = 0` for all x. One row a sample:
//! `G_sk = ∇b_k(x_s)·f(x_s)`, and for a monomial `b = p·x_i` by the product rule
//! `(b, ḃ) = (p·x_i, ṗ·x_i + p·f_i)`: a few operations each (arXiv 2305.19525, equation 3).

use anyhow::{Result, ensure};
use faer::Mat;

use super::expr::Expr;
use super::system::System;

/// Terms of laws, monomials first.
#[derive(Clone, Debug)]
pub struct Basis {
    states: usize,
    /// Of monomials: the one before the last factor (none of order 1), and the last factor's state.
    monomials: Vec<(Option<usize>, usize)>,
    terms: Vec<Expr>,
    /// How each reads.
    pub labels: Vec<String>,
}

/// Largest matrix, bytes.
const LARGEST: f64 = 2e9;

impl Basis {
    /// The system's basis.
    ///
    /// # Errors
    /// If its matrix of samples would not fit in memory: how large, and what to lower.
    pub fn new(system: &System) -> Result<Basis> {
        let n = system.states.len();
        let order = system.file.basis.order;
        let count = |order: usize| (1..=order).map(|i| (n + i) as f64 / i as f64).product::<f64>() - 1.0;
        let terms = count(order) + system.terms.len() as f64;
        let samples = system.file.sampling.samples.map_or(terms * 17.0 / 16.0, |s| s as f64);
        let bytes = 8.0 * terms * samples;
        if bytes > LARGEST {
            let fits = (1..order).rev().find(|&o| 8.5 * count(o).powi(2) <= LARGEST);
            anyhow::bail!(
                "a basis of {terms:.0} terms (order {order} of {n} states) needs a matrix of {:.1} GB, {:.1} are the limit; lower {}",
                bytes / 1e9,
                LARGEST / 1e9,
                fits.map_or("the number of states".into(), |o| format!("basis.order to {o} ({:.0} terms)", count(o)))
            );
        }
        let mut monomials: Vec<(Option<usize>, usize)> = Vec::new();
        let mut labels = Vec::new();
        let mut powers: Vec<Vec<u32>> = Vec::new();
        let mut before: Vec<Option<usize>> = vec![None];
        for _ in 0..order {
            let mut now = Vec::new();
            for &parent in &before {
                let first = parent.map_or(0, |p| monomials[p].1);
                for i in first..n {
                    let mut power = parent.map_or_else(|| vec![0; n], |p| powers[p].clone());
                    power[i] += 1;
                    now.push(Some(monomials.len()));
                    monomials.push((parent, i));
                    labels.push(label(&power, &system.states));
                    powers.push(power);
                }
            }
            before = now;
        }
        for (text, _) in &system.terms {
            let sum = text.trim_start_matches(['-', '−']).contains(['+', '-', '−']) && !text.ends_with(')');
            labels.push(if sum { format!("({text})") } else { text.clone() });
        }
        let terms = system.terms.iter().map(|t| t.1.clone()).collect();
        Ok(Basis { states: n, monomials, terms, labels })
    }

    /// Number of terms.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.monomials.len() + self.terms.len()
    }

    /// Whether all terms are the states themselves, in their order.
    pub fn is_linear(&self) -> bool {
        self.terms.is_empty() && self.monomials.len() == self.states
    }

    /// `ḃ_k` at `x` along `f`, all k.
    pub fn rates(&self, system: &System, x: &[f64], f: &[f64]) -> Vec<f64> {
        let mut duals: Vec<(f64, f64)> = Vec::with_capacity(self.len());
        for &(parent, i) in &self.monomials {
            let (p, d) = parent.map_or((1.0, 0.0), |p| duals[p]);
            duals.push((p * x[i], d * x[i] + p * f[i]));
        }
        if !self.terms.is_empty() {
            let v = system.duals(x, f);
            duals.extend(self.terms.iter().map(|t| t.dual(&v)));
        }
        duals.iter().map(|d| d.1).collect()
    }

    /// Gradients of laws at `x`: `(laws)` vectors of one slope a state. `laws` are lists of (term, coefficient).
    pub fn gradients(&self, system: &System, x: &[f64], laws: &[Vec<(usize, f64)>]) -> Vec<Vec<f64>> {
        let mut gradients = vec![vec![0.0; self.states]; laws.len()];
        for i in 0..self.states {
            let mut direction = vec![0.0; self.states];
            direction[i] = 1.0;
            let expressions = laws.iter().any(|l| l.iter().any(|t| t.0 >= self.monomials.len()));
            let v = if expressions { system.duals(x, &direction) } else { Vec::new() };
            for (gradient, law) in gradients.iter_mut().zip(laws) {
                gradient[i] = law
                    .iter()
                    .map(|&(k, c)| {
                        c * match self.terms.get(k.wrapping_sub(self.monomials.len())) {
                            Some(term) => term.dual(&v).1,
                            None => self.slope(k, i, x),
                        }
                    })
                    .sum();
            }
        }
        gradients
    }

    /// `∂b_k/∂x_i` of a monomial.
    fn slope(&self, k: usize, i: usize, x: &[f64]) -> f64 {
        let (mut value, mut slope, mut at) = (1.0, 0.0, Some(k));
        while let Some(k) = at {
            let (parent, j) = self.monomials[k];
            slope = slope * x[j] + if i == j { value } else { 0.0 };
            value *= x[j];
            at = parent;
        }
        slope
    }

    /// Term k as an expression.
    pub fn expr(&self, k: usize) -> Expr {
        if let Some(term) = self.terms.get(k.wrapping_sub(self.monomials.len())) {
            return term.clone();
        }
        let (mut factors, mut at) = (Vec::new(), Some(k));
        while let Some(k) = at {
            factors.push(Expr::Var(self.monomials[k].1));
            at = self.monomials[k].0;
        }
        factors.reverse();
        if factors.len() == 1 { factors.remove(0) } else { Expr::Product(factors) }
    }

    /// `G` `(samples, terms)`.
    pub fn matrix(&self, system: &System, samples: &[(Vec<f64>, Vec<f64>)]) -> Result<Mat<f64>> {
        let mut g = Mat::<f64>::zeros(samples.len(), self.len());
        for (s, (x, f)) in samples.iter().enumerate() {
            for (k, rate) in self.rates(system, x, f).into_iter().enumerate() {
                ensure!(rate.is_finite(), "sample {s}: the rate of {} is {rate} at {}", self.labels[k], system.at(x));
                g[(s, k)] = rate;
            }
        }
        Ok(g)
    }
}

/// `x²·y`.
fn label(power: &[u32], states: &[String]) -> String {
    let factors = power.iter().zip(states).filter(|(p, _)| **p > 0).map(|(p, s)| format!("{s}{}", superscript(*p)));
    factors.collect::<Vec<_>>().join("·")
}

fn superscript(p: u32) -> String {
    if p == 1 {
        return String::new();
    }
    p.to_string().bytes().map(|d| ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][usize::from(d - b'0')]).collect()
}
