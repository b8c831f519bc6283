//! What an engine is: it trains one or more members of the same network on the same samples.
//!
//! Two engines stand behind [`Engine`]: [`Fused`](super::Fused), one member, whole steps on one
//! core without a graph; and [`Candle`](super::Candle), any number of members along a leading
//! dimension, any graph, on the CPU or a GPU, and the oracle that the fused one is held to.

use anyhow::Result;

use super::{Inputs, Loss, Penalty, Schedule};

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// Number of steps.
    pub steps: usize,
    /// Learning rate of every step.
    pub rate: Schedule,
    /// The optimiser's constants.
    pub adam: Adam,
    /// What is minimised.
    pub loss: Loss,
    /// Samples a step, drawn anew without replacement from those of a member's seed and the step;
    /// all of them in their order where `None`.
    pub batch: Option<usize>,
}

/// Adam (Kingma and Ba, arXiv 1412.6980), with decoupled weight decay (Loshchilov and Hutter, arXiv
/// 1711.05101): `w ← w − rate·(m̂ / (√v̂ + ε) + decay·w)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// β₁, β₂
    pub betas: (f64, f64),
    /// ε
    pub epsilon: f64,
    /// decay; 0 is Adam
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { betas: (0.9, 0.999), epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// All that is carried from step to step: a training goes on from it to the bit.
#[derive(Clone, Debug, PartialEq)]
pub struct State<T> {
    /// Steps done.
    pub step: usize,
    /// In the order of [`Network::tensors`](crate::net::Network::tensors).
    pub parameters: Vec<T>,
    /// m, the gradient's running mean, one a parameter
    pub first: Vec<T>,
    /// v, its square's
    pub second: Vec<T>,
}

/// What some steps did to one member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advance {
    /// Steps done in all.
    pub step: usize,
    /// Loss on the samples, without penalty, mean over the steps just done.
    pub loss: f64,
    /// Loss before the last of them.
    pub last: f64,
    /// The step at which the loss or a parameter stopped being finite; the member is left there.
    pub failed: Option<usize>,
}

/// Loss and gradient at one point.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient<T> {
    /// Without penalty.
    pub loss: f64,
    /// The penalty's value.
    pub penalty: f64,
    /// Of loss and penalty together, one a parameter.
    pub gradient: Vec<T>,
}

/// Trains members of one network.
pub trait Engine<T>: Send {
    /// Number of members.
    fn members(&self) -> usize;

    /// Member `member`'s state.
    fn state(&self, member: usize) -> Result<State<T>>;

    /// Lets `change` alter a member's state: to restore it, to swap neurons, to prune.
    fn edit(&mut self, member: usize, change: &mut dyn FnMut(&mut State<T>)) -> Result<()>;

    /// Sets a member's penalty, from the next step on.
    fn penalise(&mut self, member: usize, penalty: Penalty<T>) -> Result<()>;

    /// Trains every member for `steps` more steps; one result a member.
    ///
    /// # Errors
    /// Only what ends them all. A member whose loss is not finite says so in its own result.
    fn advance(&mut self, steps: usize) -> Result<Vec<Advance>>;

    /// Loss and gradient at the present parameters on the samples of the next step.
    fn gradients(&mut self) -> Result<Vec<Gradient<T>>>;

    /// Every member's outputs on `inputs`: `(n, outputs)` row-major.
    fn outputs(&mut self, inputs: &Inputs<T>) -> Result<Vec<Vec<T>>>;
}
