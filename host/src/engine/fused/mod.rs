//! Whole training steps on one core: forward, backward, penalty and Adam, without a graph.
//!
//! A model's buffers are made once. Samples lie features × samples, cut into tiles that stay in the
//! cache; a tile goes forward through all layers and back before the next. Kernels are compiled for
//! several instruction sets and chosen at run time; blocks of lanes, tiles and every sum have a
//! fixed order, and products are fused everywhere, so the bits do not depend on the choice.

mod batch;
mod forward;
mod pointwise;
mod product;
mod stage;
mod tokens;

use std::sync::Arc;

use anyhow::Result;

use super::{Advance, Engine, Gradient, Inputs, Penalty, Samples, State, Training};
use crate::net::{Float, Network};
use batch::Batch;
pub use forward::Forward;
use stage::Stages;

/// Trains one model on the CPU.
pub struct Fused<T> {
    network: Network,
    training: Training,
    samples: Arc<Samples<T>>,
    seed: u64,
    state: State<T>,
    penalty: Penalty<T>,
    gradient: Vec<T>,
    batch: Batch<T>,
    stages: Stages<T>,
}

impl<T: Float> Fused<T> {
    /// A model with [`Network::initial`] parameters of `seed`, which also draws its batches.
    ///
    /// # Errors
    /// Samples that do not fit the network or the loss.
    pub fn new(network: &Network, samples: Arc<Samples<T>>, training: Training, seed: u64) -> Result<Self> {
        samples.check(network, training.loss)?;
        let parameters: Vec<T> = network.initial(seed);
        let zeros = vec![T::of(0.0); parameters.len()];
        Ok(Fused {
            batch: Batch::new(&samples, training.batch),
            stages: Stages::new(network),
            gradient: zeros.clone(),
            state: State { step: 0, parameters, first: zeros.clone(), second: zeros },
            penalty: Penalty::none(),
            network: network.clone(),
            training,
            samples,
            seed,
        })
    }

    /// The state, without a copy.
    pub fn at(&self) -> &State<T> {
        &self.state
    }

    /// The state, to be altered.
    pub fn at_mut(&mut self) -> &mut State<T> {
        &mut self.state
    }

    /// What it trains.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Lets `fill` write other samples, as many as before, for the next step: fresh noise, for
    /// instance. It is given the step's number, so that a training which is gone on with draws the same.
    ///
    /// # Errors
    /// Where batches are drawn from the samples, or the samples no longer fit.
    pub fn refill(&mut self, fill: impl FnOnce(usize, &mut Samples<T>)) -> Result<()> {
        let before = self.samples.len();
        anyhow::ensure!(self.training.batch.is_none_or(|b| b >= before), "samples are renewed where all are in use");
        let samples = Arc::make_mut(&mut self.samples);
        fill(self.state.step, samples);
        samples.check(&self.network, self.training.loss)?;
        anyhow::ensure!(samples.len() == before, "{} samples after {before}", samples.len());
        self.batch.renew(samples);
        Ok(())
    }

    /// Loss on the batch of the present step; the gradient is left in `self.gradient`.
    fn loss_and_gradient(&mut self) -> f64 {
        self.batch.draw(&self.samples, self.seed, self.state.step);
        self.gradient.fill(T::of(0.0));
        let mut loss = 0.0;
        for tile in self.batch.tiles(self.stages.tile()) {
            self.stages.forward(&self.state.parameters, &self.batch, &tile);
            loss += self.stages.loss(self.training.loss, &self.batch, &tile);
            self.stages.backward(&self.state.parameters, &mut self.gradient, &self.batch, &tile);
        }
        loss
    }

    fn penalise_gradient(&mut self) -> f64 {
        let strength = self.penalty.strength.at(self.state.step);
        if strength != 0.0 && !(self.penalty.absolute.is_empty() && self.penalty.square.is_empty()) {
            let Penalty { absolute, square, .. } = &self.penalty;
            pointwise::penalise(&mut self.gradient, &self.state.parameters, absolute, square, T::of(strength));
        }
        strength
    }

    /// Trains for `steps` more steps, or to the end of the training.
    pub fn run(&mut self, steps: usize) -> Advance {
        let mut advance = Advance { step: self.state.step, loss: 0.0, last: f64::NAN, failed: None };
        let end = self.training.steps.min(self.state.step.saturating_add(steps));
        let mut done = 0;
        while self.state.step < end {
            let loss = self.loss_and_gradient();
            if !loss.is_finite() {
                advance.failed = Some(self.state.step);
                break;
            }
            self.penalise_gradient();
            let rate = self.training.rate.at(self.state.step);
            self.state.step += 1;
            let State { step, parameters, first, second } = &mut self.state;
            pointwise::adam(parameters, &self.gradient, (first, second), self.training.adam, rate, *step);
            (advance.last, advance.loss, done) = (loss, advance.loss + loss, done + 1);
        }
        advance.loss /= f64::from(done.max(1));
        advance.step = self.state.step;
        if advance.failed.is_none() && self.state.parameters.iter().any(|w| !w.f64().is_finite()) {
            advance.failed = Some(self.state.step.saturating_sub(1));
        }
        advance
    }

    /// Outputs on `inputs`, `(n, outputs)` row-major.
    pub fn predict(&mut self, inputs: &Inputs<T>) -> Vec<T> {
        let outputs = self.network.outputs();
        let mut all = vec![T::of(0.0); inputs.len() * outputs];
        let batch = Batch::of_inputs(inputs);
        for tile in batch.tiles(self.stages.tile()) {
            self.stages.forward(&self.state.parameters, &batch, &tile);
            self.stages.outputs(&tile, &mut all);
        }
        all
    }
}

impl<T: Float> Engine<T> for Fused<T> {
    fn members(&self) -> usize {
        1
    }

    fn state(&self, member: usize) -> Result<State<T>> {
        anyhow::ensure!(member == 0, "member {member} of 1");
        Ok(self.state.clone())
    }

    fn edit(&mut self, member: usize, change: &mut dyn FnMut(&mut State<T>)) -> Result<()> {
        anyhow::ensure!(member == 0, "member {member} of 1");
        change(&mut self.state);
        let n = self.network.parameters();
        let State { parameters, first, second, .. } = &self.state;
        anyhow::ensure!(
            [parameters, first, second].iter().all(|v| v.len() == n),
            "a state of {} parameters for a network of {n}",
            parameters.len()
        );
        Ok(())
    }

    fn penalise(&mut self, member: usize, penalty: Penalty<T>) -> Result<()> {
        anyhow::ensure!(member == 0, "member {member} of 1");
        let n = self.network.parameters();
        for (what, len) in [("absolute", penalty.absolute.len()), ("square", penalty.square.len())] {
            anyhow::ensure!(len == 0 || len == n, "{len} {what} coefficients for {n} parameters");
        }
        self.penalty = penalty;
        Ok(())
    }

    fn advance(&mut self, steps: usize) -> Result<Vec<Advance>> {
        Ok(vec![self.run(steps)])
    }

    fn gradients(&mut self) -> Result<Vec<Gradient<T>>> {
        let loss = self.loss_and_gradient();
        let strength = self.penalise_gradient();
        let penalty = self.penalty.value(strength, &self.state.parameters);
        Ok(vec![Gradient { loss, penalty, gradient: self.gradient.clone() }])
    }

    fn outputs(&mut self, inputs: &Inputs<T>) -> Result<Vec<Vec<T>>> {
        Ok(vec![self.predict(inputs)])
    }
}

/// Which kernels this machine runs.
pub fn instruction_set() -> &'static str {
    chosen()
}

#[multiversion::multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
fn chosen() -> &'static str {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma" => "AVX-512",
        "x86_64+avx2+fma" => "AVX2",
        _ => "baseline",
    }
}

#[cfg(test)]
mod tests;
