//! In-context regression: a transformer of two blocks, width 32, one head, without layer norms or
//! positions, trained by candle on the same places, costs and swaps as the other tasks.
//!
//! ```text
//! x ← x + P·attention(Q x, K x, V x)        x ← x + W₂·gelu(W₁ x)
//! ```
//!
//! Tokens (0, x1), (y1, 0), (0, x2); the first output at positions 0 and 2 is to be y1 and y2. The
//! paper leaves the width of the hidden layer open: 4 · 32, as is usual. All places on the residual
//! stream are one sheet; query, key and value are its attention's three folds.

use std::sync::Arc;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};

use super::samples::Data;
use super::settings::Settings;
use super::train::{Member, training};
use super::wiring::{Reduction, Wiring, line};
use crate::engine::{Candle, Inputs, Model, Samples, Targets, draw};
use crate::net::Float;
use crate::rng::Rng;

/// Values of a token, tokens of a sample.
const TOKEN: usize = 2;
const TOKENS: usize = 3;
/// Width of the residual stream, and of the hidden layers.
const WIDTH: usize = 32;
const HIDDEN: usize = 4 * WIDTH;
const BLOCKS: usize = 2;

/// `(rows, cols)` of the weights in order; a bias of `rows` follows each.
fn weights() -> Vec<(usize, usize)> {
    let mut all = vec![(WIDTH, TOKEN)];
    for _ in 0..BLOCKS {
        all.extend([(3 * WIDTH, WIDTH), (WIDTH, WIDTH), (HIDDEN, WIDTH), (WIDTH, HIDDEN)]);
    }
    all.push((TOKEN, WIDTH));
    all
}

/// A member of the task.
///
/// # Errors
/// As [`Member::new`].
pub fn member<T: Float>(settings: &Settings, data: Data<T>, seed: u64) -> Result<Member<T>> {
    let recipe = settings.recipe()?;
    let training = training(settings, &recipe);
    let transformer = Transformer { samples: data.train.clone(), batch: recipe.batch };
    let engine = Candle::new(Arc::new(transformer), training, &[seed], &Device::Cpu)?;
    Member::new(settings, data, Arc::new(wiring(recipe.reduction)?), Box::new(engine))
}

/// Sheets: inputs, residual stream, of each block attention and hidden layer, outputs.
fn wiring(reduction: Reduction) -> Result<Wiring> {
    let parameters = weights().iter().map(|(rows, cols)| rows * cols + rows).sum();
    let mut wiring = Wiring::new(parameters);
    let input = wiring.sheet(line(TOKEN), true);
    let stream = wiring.sheet(line(WIDTH), true);
    let mut ways = vec![(input, stream)];
    for _ in 0..BLOCKS {
        let attention = wiring.sheet(line(WIDTH), true);
        let hidden = wiring.sheet(line(HIDDEN), true);
        ways.extend([(stream, attention), (attention, stream), (stream, hidden), (hidden, stream)]);
    }
    let output = wiring.sheet(line(TOKEN), true);
    ways.push((stream, output));
    let mut at = 0;
    for ((rows, cols), way) in weights().into_iter().zip(ways) {
        wiring.link(at, (rows, cols), way, reduction)?;
        wiring.loose(at + rows * cols, rows, true, reduction);
        at += rows * cols + rows;
    }
    Ok(wiring)
}

struct Transformer<T> {
    samples: Arc<Samples<T>>,
    batch: Option<usize>,
}

impl<T: Float> Transformer<T> {
    /// `(P, n, tokens, 2)` of inputs `(P · n · 6)`.
    fn forward(tensors: &[Tensor], values: Vec<T>, members: usize) -> Result<Tensor> {
        let n = values.len() / (members * TOKENS * TOKEN);
        let mut layers = tensors.chunks_exact(2);
        let mut layer = |x: &Tensor| -> Result<Tensor> {
            let [w, b] = layers.next().context("a layer without weights")? else { anyhow::bail!("a layer") };
            Ok(x.matmul(&w.transpose(1, 2)?.contiguous()?)?.broadcast_add(&b.transpose(1, 2)?)?)
        };
        let mut x = layer(&Tensor::from_vec(values, (members, n * TOKENS, TOKEN), &Device::Cpu)?)?;
        for _ in 0..BLOCKS {
            let qkv = layer(&x)?;
            let fold = |f: usize| -> Result<Tensor> {
                Ok(qkv.narrow(2, f * WIDTH, WIDTH)?.contiguous()?.reshape((members * n, TOKENS, WIDTH))?)
            };
            let (q, k, v) = (fold(0)?, fold(1)?, fold(2)?);
            let scores = (q.matmul(&k.transpose(1, 2)?.contiguous()?)? * (1.0 / (WIDTH as f64).sqrt()))?;
            // A token sees itself and those before it.
            let hidden: Vec<T> =
                (0..TOKENS * TOKENS).map(|i| T::of(if i % TOKENS > i / TOKENS { -1e9 } else { 0.0 })).collect();
            let scores = scores.broadcast_add(&Tensor::from_vec(hidden, (1, TOKENS, TOKENS), &Device::Cpu)?)?;
            let seen = candle_nn::ops::softmax(&scores, 2)?.matmul(&v)?;
            x = (&x + layer(&seen.reshape((members, n * TOKENS, WIDTH))?)?)?;
            let hidden = gelu(&layer(&x)?)?;
            x = (&x + layer(&hidden)?)?;
        }
        Ok(layer(&x)?.reshape((members, n, TOKENS, TOKEN))?)
    }

    /// The first output at positions 0 and 2: `(P, n, 2)`.
    fn answers(y: &Tensor) -> Result<Tensor> {
        let first = y.narrow(3, 0, 1)?.squeeze(3)?;
        Ok(Tensor::cat(&[first.narrow(2, 0, 1)?, first.narrow(2, 2, 1)?], 2)?)
    }
}

fn gelu(x: &Tensor) -> Result<Tensor> {
    let inner = ((x.powf(3.0)? * 0.044715)? + x)? * (2.0 / std::f64::consts::PI).sqrt();
    Ok(((inner?.tanh()? + 1.0)? * (x * 0.5)?)?)
}

impl<T: Float> Model<T> for Transformer<T> {
    fn shapes(&self) -> Vec<Vec<usize>> {
        weights().into_iter().flat_map(|(rows, cols)| [vec![rows, cols], vec![rows, 1]]).collect()
    }

    fn initial(&self, seed: u64) -> Vec<T> {
        let mut all = Vec::new();
        for (i, (rows, cols)) in weights().into_iter().enumerate() {
            let mut rng = Rng::new(seed, &format!("transformer {i}"), 0);
            let bound = 1.0 / (cols as f64).sqrt();
            all.extend((0..rows * cols + rows).map(|_| T::of(bound * (2.0 * f64::from(rng.uniform()) - 1.0))));
        }
        all
    }

    fn losses(&self, tensors: &[Tensor], seeds: &[u64], step: usize) -> Result<Tensor> {
        let (Inputs::Values { width, data }, Targets::Values { data: targets, .. }) =
            (&self.samples.inputs, &self.samples.targets)
        else {
            anyhow::bail!("contexts are values")
        };
        let all = self.samples.len();
        let batch = self.batch.unwrap_or(all).min(all);
        let orders: Vec<u32> = seeds.iter().flat_map(|&seed| draw(batch, all, seed, step)).collect();
        let rows = |data: &[T], width: usize| -> Vec<T> {
            orders.iter().flat_map(|&i| data[i as usize * width..][..width].iter().copied()).collect()
        };
        let y = Self::answers(&Self::forward(tensors, rows(data, *width), seeds.len())?)?;
        let t = Tensor::from_vec(rows(targets, 2), (seeds.len(), batch, 2), &Device::Cpu)?;
        Ok((y - t)?.sqr()?.mean((1, 2))?)
    }

    fn outputs(&self, tensors: &[Tensor], inputs: &Inputs<T>) -> Result<Tensor> {
        let members = tensors.first().context("no tensors")?.dim(0)?;
        let Inputs::Values { data, .. } = inputs else { anyhow::bail!("contexts are values") };
        Self::answers(&Self::forward(tensors, data.repeat(members), members)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::task::Task;
    use super::*;
    use crate::engine::Engine;

    #[test]
    fn gradients_are_finite_differences() {
        let settings = Settings::published(Task::InContext);
        let data: Data<f64> = Data::drawn(Task::InContext, 1);
        let recipe = settings.recipe().unwrap();
        let transformer = Transformer { samples: data.train.clone(), batch: Some(8) };
        let training = training(&settings, &recipe);
        let mut engine = Candle::new(Arc::new(transformer), training, &[3], &Device::Cpu).unwrap();
        let gradient = engine.gradients().unwrap().remove(0).gradient;
        let wiring = wiring(recipe.reduction).unwrap();
        assert_eq!(
            gradient.len(),
            wiring
                .penalty::<f64>(
                    &super::super::wiring::Places::new(&wiring),
                    &super::super::wiring::Charge { distance: 1.0, any: 1.0, biases: true },
                    crate::engine::Schedule::constant(1.0)
                )
                .absolute
                .len()
        );
        for i in (0..gradient.len()).step_by(gradient.len() / 23) {
            let h = 1e-6;
            let mut at = |delta: f64| {
                engine.edit(0, &mut |s| s.parameters[i] += delta).unwrap();
                let loss = engine.gradients().unwrap().remove(0).loss;
                engine.edit(0, &mut |s| s.parameters[i] -= delta).unwrap();
                loss
            };
            let difference = (at(h) - at(-h)) / (2.0 * h);
            assert!(
                (difference - gradient[i]).abs() < 1e-7 * (1.0 + difference.abs()),
                "{i}: {} {difference}",
                gradient[i]
            );
        }
    }

    /// Neurons that change places in memory, rows, biases and columns of all folds together as the
    /// wiring tells, change no answer: places of the residual stream really are one sheet.
    #[test]
    fn neurons_change_places_in_memory_without_changing_an_answer() {
        let settings = Settings::published(Task::InContext);
        let data: Data<f64> = Data::drawn(Task::InContext, 1);
        let recipe = settings.recipe().unwrap();
        let transformer = Transformer { samples: data.train.clone(), batch: Some(8) };
        let mut engine = Candle::new(Arc::new(transformer), training(&settings, &recipe), &[3], &Device::Cpu).unwrap();
        let wiring = wiring(recipe.reduction).unwrap();
        let before = engine.outputs(&data.test.inputs).unwrap().remove(0);
        let parameters = engine.state(0).unwrap().parameters;
        for sheet in 1..wiring.sheets.len() - 1 {
            let n = wiring.sheets[sheet].slots.len();
            let order = Rng::new(sheet as u64, "order", 0).permutation(n);
            let from = |i: usize| i / n * n + order[i % n];
            let mut moved = parameters.clone();
            for l in wiring.links.iter().filter(|l| l.to == sheet || l.from == sheet) {
                for r in 0..l.rows {
                    let row = if l.to == sheet { from(r) } else { r };
                    for c in 0..l.cols {
                        let col = if l.from == sheet { from(c) } else { c };
                        moved[l.at + r * l.cols + c] = parameters[l.at + row * l.cols + col];
                    }
                    let bias = l.at + l.rows * l.cols;
                    moved[bias + r] = parameters[bias + row];
                }
            }
            assert_ne!(moved, parameters);
            engine.edit(0, &mut |s| s.parameters.clone_from(&moved)).unwrap();
            let after = engine.outputs(&data.test.inputs).unwrap().remove(0);
            assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-12), "sheet {sheet}");
        }
    }
}
