//! A straight-line float program over raw samples, and the laws that it watches: the twin of the chip's
//! operator `Poly` (`smidgen_shared::kernel::poly`).
//!
//! Registers 0..n hold the sample, counts times their unit; step i writes register n + i. `h_l` is a register;
//! its running deviation `d ← d + (h − centre − d)·2^−smoothing` breaks the law where `|d| > band`.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// One step; operands are registers written before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// `a·b`
    Product { a: usize, b: usize },
    /// `c·a + b`; b, if there is one, is an `Affine` too
    Affine { c: f64, a: usize, b: Option<usize> },
    /// `1/√a`
    Rsqrt { a: usize },
    /// sine of radians
    Sin { a: usize },
    /// cosine of radians
    Cos { a: usize },
}

/// A law that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Register of its value.
    pub value: usize,
    /// Value that it should have.
    pub centre: f64,
    /// Largest deviation that is none.
    pub band: f64,
    /// A sample weighs 2^−smoothing in the running deviation.
    pub smoothing: u8,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Value of one count, by input.
    pub units: Vec<f64>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Laws in the order of their scores.
    pub laws: Vec<Watched>,
    /// Whether the chip computes in f32, not in fixed point.
    pub float: bool,
}

impl Program {
    /// Checks that operands stand before their steps.
    pub fn check(&self) -> Result<()> {
        let n = self.units.len();
        ensure!(n > 0 && !self.laws.is_empty(), "a monitor of {n} values and {} laws", self.laws.len());
        for (i, step) in self.steps.iter().enumerate() {
            let (a, b) = match *step {
                Step::Product { a, b } => (a, Some(b)),
                Step::Affine { a, b, .. } => (a, b),
                Step::Rsqrt { a } | Step::Sin { a } | Step::Cos { a } => (a, None),
            };
            ensure!(a < n + i && b.is_none_or(|b| b < n + i), "step {i} reads what no step before it writes");
            if let Step::Affine { b: Some(b), .. } = *step {
                let sum = b.checked_sub(n).and_then(|b| self.steps.get(b));
                ensure!(matches!(sum, Some(Step::Affine { .. })), "step {i} adds to what is no sum");
            }
        }
        ensure!(self.laws.iter().all(|l| l.value < n + self.steps.len()), "a law reads what no step writes");
        Ok(())
    }

    /// All registers for one sample of counts.
    pub fn registers(&self, counts: &[f64]) -> Vec<f64> {
        let mut r: Vec<f64> = counts.iter().zip(&self.units).map(|(c, u)| c * u).collect();
        for step in &self.steps {
            r.push(match *step {
                Step::Product { a, b } => r[a] * r[b],
                Step::Affine { c, a, b } => c * r[a] + b.map_or(0.0, |b| r[b]),
                Step::Rsqrt { a } => 1.0 / r[a].sqrt(),
                Step::Sin { a } => r[a].sin(),
                Step::Cos { a } => r[a].cos(),
            });
        }
        r
    }

    /// The laws' values for one sample of counts.
    pub fn values(&self, counts: &[f64]) -> Vec<f64> {
        let r = self.registers(counts);
        self.laws.iter().map(|l| r[l.value]).collect()
    }

    /// Scores of one sample by itself, without its past: 1 ("holds"), and each law's deviation over its band.
    pub fn scores(&self, counts: &[f64]) -> Vec<f64> {
        let deviations = self.values(counts).into_iter().zip(&self.laws).map(|(h, l)| (h - l.centre).abs() / l.band);
        std::iter::once(1.0).chain(deviations).collect()
    }
}
