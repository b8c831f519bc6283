//! From a system to its laws: sample, null space, sparsify, independence, formulas.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::basis::Basis;
use super::expr::Expr;
use super::formula::{Formula, formula};
use super::independent::{entropy, independence};
use super::nullspace::null_space;
use super::sparsify::sparsify;
use super::system::System;
use super::{reactions, recording};

/// A conserved quantity.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Law {
    /// The name that the system knows it by.
    pub name: Option<String>,
    /// `x·vy − y·vx`
    pub formula: String,
    /// (term of the basis, coefficient)
    pub terms: Vec<(usize, f64)>,
    /// Whether all coefficients are simple fractions.
    pub exact: bool,
    /// `‖G θ‖ / (‖G‖_F ‖θ‖)` of the formula as written.
    pub residual: f64,
    /// Whether it is one of the independent ones chosen.
    pub independent: bool,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// Terms of the basis.
    pub bases: usize,
    /// Rows of G.
    pub samples: usize,
    /// Singular values over ‖G‖_F, smallest first, as many as were computed.
    pub spectrum: Vec<f64>,
    /// The tolerance that they were held against.
    pub tolerance: f64,
    /// Conserved directions: values below the tolerance.
    pub null: usize,
    /// Independent laws.
    pub rank: usize,
    /// Share of samples whose gradients say so.
    pub confidence: f64,
    /// First value above the tolerance over the last below it; at least 1000 is a sure count.
    pub gap: Option<f64>,
    /// Number of linear laws for certain, from the stoichiometry.
    pub exact: Option<usize>,
    /// Laws that the system names, and whether they are conserved.
    pub known: Vec<(String, bool)>,
    /// Of data: the derivative's noise over its size.
    pub noise: Option<f64>,
    /// All laws, simplest first.
    pub laws: Vec<Law>,
}

impl Found {
    /// The independent laws.
    pub fn independent(&self) -> impl Iterator<Item = &Law> {
        self.laws.iter().filter(|l| l.independent)
    }

    /// Whether the gap leaves no doubt about the count.
    pub fn sure(&self) -> bool {
        self.gap.is_none_or(|g| g >= SURE) && self.exact.is_none_or(|e| e == self.null)
    }
}

/// The gap of a sure count.
pub const SURE: f64 = 1e3;
/// Samples at which gradients are compared, at most.
const POINTS: usize = 400;

/// Finds the laws of a system from its equations.
pub fn detect(system: &System, seed: u64) -> Result<Found> {
    let basis = Basis::new(system)?;
    let samples = match system.file.sampling.samples {
        Some(n) => n,
        None => basis.len() + (basis.len() / 16).max(50),
    };
    ensure!(
        samples >= basis.len(),
        "sampling.samples is {samples}, fewer than the {} terms of the basis; set samples to {} or more, or lower basis.order",
        basis.len(),
        basis.len()
    );
    let samples = system.sample(samples, seed)?;
    find(system, &basis, &samples, system.file.tolerance.null, 1e-7, None)
}

/// Finds the laws of recorded data; `system` gives names and basis.
pub fn detect_in_data(system: &System, recording: &recording::Recording) -> Result<Found> {
    let basis = Basis::new(system)?;
    let (samples, noise) = recording.rates(system)?;
    ensure!(
        samples.len() >= 2 * basis.len(),
        "{}: {} usable rows for {} terms of the basis; record at least {}, or lower basis.order",
        recording.name,
        samples.len(),
        basis.len(),
        2 * basis.len()
    );
    // Rates are wrong by `noise`, so that a law's value is not zero but about that.
    let tolerance = (3.0 * noise).clamp(1e-9, 0.2);
    find(system, &basis, &samples, tolerance, (10.0 * noise).clamp(1e-7, 0.05), Some(noise))
}

fn find(
    system: &System,
    basis: &Basis,
    samples: &[(Vec<f64>, Vec<f64>)],
    tolerance: f64,
    zero: f64,
    noise: Option<f64>,
) -> Result<Found> {
    let mut g = basis.matrix(system, samples)?;
    if system.file.sampling.normalise {
        // Where f is divided by its norm only its direction counts, and so it is with rows: else a few samples far
        // out, whose monomials are large, would drown the others.
        for row in g.row_iter_mut() {
            let length = row.norm_l2();
            if length > 0.0 {
                row.iter_mut().for_each(|v| *v /= length);
            }
        }
    }
    let norm = g.norm_l2();
    let space = null_space(&g, tolerance)?;
    let (below, above) = space.gap();
    let gap = match (below, above) {
        (Some(b), Some(a)) => Some(a / b.max(f64::EPSILON)),
        _ => None,
    };
    let exact = if basis.is_linear() && !system.reactions.is_empty() {
        reactions::laws(&system.reactions, system.states.len())
    } else {
        None
    };
    // Where the stoichiometry says for certain, slow reactions cannot pass for laws.
    let (rows, zero): (Vec<Vec<f64>>, f64) = match &exact {
        Some(laws) => (laws.iter().map(|l| l.iter().map(|f| f.value()).collect()).collect(), 1e-12),
        None => {
            let v = &space.vectors;
            ((0..v.nrows()).map(|i| (0..v.ncols()).map(|k| v[(i, k)]).collect()).collect(), zero)
        }
    };
    let points: Vec<&(Vec<f64>, Vec<f64>)> = samples.iter().step_by(samples.len().div_ceil(POINTS)).collect();
    let named: Vec<(&String, Vec<Vec<f64>>)> = system
        .names
        .iter()
        .map(|(name, e)| (name, points.iter().map(|(x, _)| gradient(system, e, x)).collect()))
        .collect();
    let mut formulas: Vec<(Option<String>, f64, Formula)> = Vec::new();
    for row in sparsify(&rows, zero) {
        let terms: Vec<(usize, f64)> = row.iter().copied().enumerate().filter(|(_, v)| *v != 0.0).collect();
        let formula = formula(&terms, &basis.labels, zero.max(1e-8));
        let law = [formula.terms.clone()];
        let gradients: Vec<Vec<f64>> = points.iter().map(|(x, _)| basis.gradients(system, x, &law).remove(0)).collect();
        let name = named.iter().find(|(_, known)| are_multiples(known, &gradients, noise)).map(|n| n.0.clone());
        // Equal entropies differ by rounding.
        formulas.push((name, (entropy(&row) * 1e6).round(), formula));
    }
    // Laws that have a name first, then the simplest; of equals the one of lower order.
    let order = |f: &(Option<String>, f64, Formula)| (f.0.is_none(), f.1, f.2.terms.last().map_or(0, |t| t.0));
    formulas.sort_by(|a, b| {
        let (a, b) = (order(a), order(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2))
    });
    let lists: Vec<Vec<(usize, f64)>> = formulas.iter().map(|f| f.2.terms.clone()).collect();
    let gradients: Vec<Vec<Vec<f64>>> = points.iter().map(|(x, _)| basis.gradients(system, x, &lists)).collect();
    let rank_tolerance = system.file.tolerance.rank.max(noise.unwrap_or(0.0));
    let independent = independence(&gradients, rank_tolerance)?;
    let laws = formulas.into_iter().enumerate().map(|(l, (name, _, f))| {
        let squares: f64 =
            (0..g.nrows()).map(|s| f.terms.iter().map(|&(k, c)| c * g[(s, k)]).sum::<f64>().powi(2)).sum();
        let length = f.terms.iter().map(|t| t.1 * t.1).sum::<f64>().sqrt();
        Law {
            name,
            residual: squares.sqrt() / (norm * length),
            formula: f.text,
            terms: f.terms,
            exact: f.exact,
            independent: independent.chosen.contains(&l),
        }
    });
    Ok(Found {
        bases: basis.len(),
        samples: samples.len(),
        laws: laws.collect(),
        spectrum: space.values.clone(),
        tolerance,
        null: space.len(),
        rank: independent.rank,
        confidence: independent.confidence,
        gap,
        exact: exact.map(|e| e.len()),
        known: named
            .iter()
            .map(|(name, gradients)| {
                let holds = points.iter().zip(gradients).all(|((_, f), h)| {
                    dot(h, f).abs() <= noise.map_or(1e-9, |n| 10.0 * n) * (dot(h, h) * dot(f, f)).sqrt()
                });
                ((*name).clone(), holds)
            })
            .collect(),
        noise,
    })
}

/// `∇H` at `x`.
fn gradient(system: &System, e: &Expr, x: &[f64]) -> Vec<f64> {
    (0..x.len())
        .map(|i| {
            let mut direction = vec![0.0; x.len()];
            direction[i] = 1.0;
            e.dual(&system.duals(x, &direction)).1
        })
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Whether one law is a multiple of the other: their gradients are, by the same factor at all points.
fn are_multiples(a: &[Vec<f64>], b: &[Vec<f64>], noise: Option<f64>) -> bool {
    let all = |a: &[Vec<f64>], b: &[Vec<f64>]| a.iter().zip(b).map(|(a, b)| dot(a, b)).sum::<f64>();
    let (ab, aa, bb) = (all(a, b), all(a, a), all(b, b));
    aa > 0.0 && bb > 0.0 && ab * ab >= aa * bb * (1.0 - noise.map_or(1e-9, |n| n.clamp(1e-6, 0.02)))
}

/// A law as an expression over the system's variables.
pub fn expression(basis: &Basis, law: &Law) -> Expr {
    Expr::Sum(law.terms.iter().map(|&(k, c)| Expr::Product(vec![Expr::Number(c), basis.expr(k)])).collect())
}
