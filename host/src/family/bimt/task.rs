//! The paper's tasks with their published settings.
//!
//! From the authors' program (github.com/KindXiaoming/BIMT), which fixes what the paper leaves open.

use std::borrow::Cow;

use crate::engine::{Loss, Schedule};
use crate::net::{Activation, Network};

use super::wiring::{Point, Reduction, grid, line, ring, square};

/// What is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// `((x1 + x3)³, x2² + sin πx4)`: two functions of separate inputs.
    Independence,
    /// `(x1², x1² + x2², x1² + x2² + x3²)`: features that outputs share.
    Sharing,
    /// `√((x1 − x2)² + (x3 − x4)²)`: a function of functions.
    Compositional,
    /// Two half circles that interlock.
    TwoMoons,
    /// `a + b mod 59` from two tokens.
    ModularAddition,
    /// The product of two permutations of 4 letters.
    S4,
    /// Handwritten digits.
    Mnist,
    /// `y = wx` from one example in the context, by a transformer.
    InContext,
}

/// Published settings of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Widths of the dense layers.
    pub widths: Cow<'static, [usize]>,
    /// Vocabulary, width and folds of a learned embedding.
    pub embedding: Option<(usize, usize, usize)>,
    /// What is minimised.
    pub loss: Loss,
    /// Adam's learning rate.
    pub rate: f64,
    /// l0: what any connection costs.
    pub any: f64,
    /// A: what a unit of distance costs.
    pub distance: f64,
    /// λ from a step on.
    pub strength: &'static [(usize, f64)],
    /// R.
    pub reduction: Reduction,
    /// Steps.
    pub steps: usize,
    /// K: steps between swaps.
    pub every: usize,
    /// Neurons a sheet that are tried.
    pub top: usize,
    /// Step from which biases cost l0.
    pub biases_from: usize,
    /// Samples a step; all where none.
    pub batch: Option<usize>,
    /// Whether numbers are f64.
    pub double: bool,
    /// Weights below are pruned; found on training samples where none is published.
    pub threshold: Option<f64>,
}

/// What the three formulas share.
const FORMULA: Recipe = Recipe {
    widths: Cow::Borrowed(&[]),
    embedding: None,
    loss: Loss::MeanSquare,
    rate: 0.002,
    any: 0.1,
    distance: 1.0,
    strength: &[(0, 1e-3), (5_000, 1e-2), (15_000, 1e-3)],
    reduction: Reduction::Sum,
    steps: 20_000,
    every: 200,
    top: 5,
    biases_from: 15_000,
    batch: None,
    double: false,
    threshold: Some(1e-2),
};

/// Tokens of modular addition.
pub const PRIME: usize = 59;
/// Elements of S4.
pub const PERMUTATIONS: usize = 24;

impl Task {
    /// All, with the word for each.
    pub const ALL: [(&'static str, Task); 8] = [
        ("independence", Task::Independence),
        ("sharing", Task::Sharing),
        ("compositional", Task::Compositional),
        ("two-moons", Task::TwoMoons),
        ("modular-addition", Task::ModularAddition),
        ("s4", Task::S4),
        ("mnist", Task::Mnist),
        ("in-context", Task::InContext),
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|t| t.1 == self).map_or("", |t| t.0)
    }

    /// What is learned, for a reader.
    pub fn title(self) -> &'static str {
        match self {
            Task::Independence => "((x1 + x3)³, x2² + sin πx4)",
            Task::Sharing => "(x1², x1² + x2², x1² + x2² + x3²)",
            Task::Compositional => "√((x1 − x2)² + (x3 − x4)²)",
            Task::TwoMoons => "two moons",
            Task::ModularAddition => "a + b mod 59",
            Task::S4 => "products of permutations of 4 letters",
            Task::Mnist => "handwritten digits",
            Task::InContext => "y = wx from one example, by a transformer",
        }
    }

    /// Whether its figure is an accuracy; else it is the mean square error.
    pub fn counts(self) -> bool {
        matches!(self, Task::TwoMoons | Task::ModularAddition | Task::S4 | Task::Mnist)
    }

    /// What its figure is called.
    pub fn figure(self) -> &'static str {
        if self.counts() { "accuracy" } else { "MSE" }
    }

    /// Published settings.
    pub fn recipe(self) -> Recipe {
        let tokens = Recipe {
            loss: Loss::CrossEntropy,
            any: 0.5,
            reduction: Reduction::Mean,
            top: 30,
            biases_from: 0,
            double: true,
            threshold: None,
            ..FORMULA
        };
        match self {
            Task::Independence => Recipe { widths: Cow::Borrowed(&[4, 20, 20, 2]), ..FORMULA },
            Task::Sharing => Recipe { widths: Cow::Borrowed(&[3, 20, 20, 3]), ..FORMULA },
            Task::Compositional => Recipe {
                widths: Cow::Borrowed(&[4, 20, 20, 20, 20, 1]),
                strength: &[(0, 1e-3), (5_000, 3e-3)],
                ..FORMULA
            },
            Task::TwoMoons => Recipe {
                widths: Cow::Borrowed(&[2, 20, 20, 2]),
                loss: Loss::CrossEntropy,
                any: 0.2,
                strength: &[(0, 1e-3), (5_000, 1e-2)],
                steps: 10_001,
                top: 10,
                biases_from: 0,
                ..FORMULA
            },
            Task::ModularAddition => Recipe {
                widths: Cow::Borrowed(&[64, 50, 50, PRIME]),
                embedding: Some((PRIME, 32, 2)),
                rate: 0.001,
                distance: 2.0,
                strength: &[(0, 0.1), (5_000, 1.0), (15_000, 0.1)],
                ..tokens
            },
            Task::S4 => Recipe {
                widths: Cow::Borrowed(&[64, 50, 50, PERMUTATIONS]),
                embedding: Some((PERMUTATIONS, 32, 2)),
                strength: &[(0, 1.0)],
                ..tokens
            },
            Task::Mnist => Recipe {
                widths: Cow::Borrowed(&[784, 100, 100, 10]),
                loss: Loss::MeanSquare,
                rate: 0.001,
                distance: 2.0,
                strength: &[(0, 0.01), (10_000, 0.1), (20_000, 1.0)],
                steps: 40_000,
                every: 500,
                batch: Some(100),
                double: false,
                ..tokens
            },
            Task::InContext => Recipe {
                widths: Cow::Borrowed(&[]),
                loss: Loss::MeanSquare,
                rate: 0.001,
                distance: 2.0,
                strength: &[(0, 1e-3), (10_000, 1e-2), (30_000, 1e-1)],
                steps: 40_000,
                every: 1000,
                top: 20,
                batch: Some(64),
                ..tokens
            },
        }
    }

    /// Places of inputs, hidden layers and outputs of a network of these widths.
    pub fn slots(self, recipe: &Recipe) -> Vec<Vec<Point>> {
        let (folds, last) = (recipe.embedding.map_or(1, |e| e.2), recipe.widths.len().saturating_sub(1));
        let place = |(i, &n): (usize, &usize)| match self {
            Task::Mnist if i == 0 => grid(28, 28),
            Task::Mnist if i == last => ring(n),
            Task::Mnist => square(n),
            _ => line(if i == 0 { n / folds } else { n }),
        };
        recipe.widths.iter().enumerate().map(place).collect()
    }

    /// Names of the inputs of one fold, and of the outputs, where they have any.
    pub fn labels(self) -> (Vec<String>, Vec<String>) {
        let numbered = |word: &str, n: usize| (1..=n).map(|i| format!("{word}{i}")).collect();
        match self {
            Task::Independence => (numbered("x", 4), vec!["(x1+x3)³".into(), "x2²+sin πx4".into()]),
            Task::Sharing => (numbered("x", 3), vec!["x1²".into(), "x1²+x2²".into(), "x1²+x2²+x3²".into()]),
            Task::Compositional => (numbered("x", 4), vec!["y".into()]),
            Task::TwoMoons => (numbered("x", 2), vec!["outer".into(), "inner".into()]),
            Task::Mnist => (vec![], (0..10).map(|d| d.to_string()).collect()),
            Task::ModularAddition | Task::S4 | Task::InContext => (vec![], vec![]),
        }
    }
}

impl Recipe {
    /// The network of dense layers with SiLU between them.
    ///
    /// # Errors
    /// A recipe without widths: that of the transformer.
    pub fn network(&self) -> anyhow::Result<Network> {
        match self.embedding {
            Some((vocabulary, width, folds)) => {
                Network::embedded(vocabulary, width, folds, &self.widths, Activation::Silu)
            }
            None => Network::mlp(&self.widths, Activation::Silu),
        }
    }

    /// λ over `steps` steps, its stairs where they are in the published number of steps, times `factor`.
    pub fn strength(&self, steps: usize, factor: f64) -> Schedule {
        Schedule::Stairs(self.strength.iter().map(|&(at, value)| (self.scaled(at, steps), value * factor)).collect())
    }

    /// Step `at` of the published number of steps, in a training of `steps`.
    pub fn scaled(&self, at: usize, steps: usize) -> usize {
        (at as f64 * steps as f64 / self.steps as f64).round() as usize
    }
}
