//! A network of layers in a chain as a candle graph: what the fused engine is held to.

use std::sync::Arc;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};

use super::candle::Model;
use super::{Inputs, Samples, Training, draw};
use crate::net::Float;

/// A [`Network`](crate::net::Network) as a candle graph.
pub struct Chain<T> {
    network: crate::net::Network,
    samples: Arc<Samples<T>>,
    loss: super::Loss,
    batch: Option<usize>,
    device: Device,
}

impl<T: Float> Chain<T> {
    /// `network` on `samples`, with the loss and the batches of `training`.
    ///
    /// # Errors
    /// Samples that do not fit.
    pub fn new(
        network: &crate::net::Network,
        samples: Arc<Samples<T>>,
        training: &Training,
        device: &Device,
    ) -> Result<Self> {
        samples.check(network, training.loss)?;
        Ok(Chain {
            network: network.clone(),
            samples,
            loss: training.loss,
            batch: training.batch,
            device: device.clone(),
        })
    }

    /// Rows `order` of each member's inputs through all layers: `(P, n, outputs)`.
    fn forward(&self, tensors: &[Tensor], inputs: &Inputs<T>, orders: &[Vec<u32>]) -> Result<Tensor> {
        use crate::net::{Activation, Layer};
        let members = orders.len();
        let n = orders[0].len();
        let mut tensors = tensors.iter();
        let mut next = || tensors.next().context("a layer without its tensor");
        let mut x = match inputs {
            Inputs::Values { width, data } => {
                let rows = orders.iter().flatten();
                let values: Vec<T> = rows.flat_map(|&i| data[i as usize * width..][..*width].iter().copied()).collect();
                Some(Tensor::from_vec(values, (members, n, *width), &Device::Cpu)?.to_device(&self.device)?)
            }
            Inputs::Tokens { .. } => None,
        };
        for layer in self.network.layers() {
            let y = match (layer, inputs) {
                (Layer::Embedding { width, folds, .. }, Inputs::Tokens { data, .. }) => {
                    let table = next()?;
                    let each = orders.iter().enumerate().map(|(p, order)| {
                        let tokens: Vec<u32> =
                            order.iter().flat_map(|&i| data[i as usize * folds..][..*folds].iter().copied()).collect();
                        let tokens = Tensor::from_vec(tokens, n * folds, &Device::Cpu)?.to_device(&self.device)?;
                        table.get(p)?.index_select(&tokens, 0)?.reshape((1, n, folds * width))
                    });
                    Tensor::cat(&each.collect::<candle_core::Result<Vec<_>>>()?, 0)?
                }
                (Layer::Embedding { .. }, _) => anyhow::bail!("an embedding takes tokens"),
                (Layer::Dense { .. }, _) => affine(&x.context("no input")?, next()?, Some(next()?))?,
                (Layer::LowRank { .. }, _) => {
                    let z = affine(&x.context("no input")?, next()?, None)?;
                    affine(&z, next()?, Some(next()?))?
                }
                (Layer::Activation { function, .. }, _) => {
                    let x = x.context("no input")?;
                    match function {
                        Activation::Relu => x.relu()?,
                        Activation::Silu => x.silu()?,
                        Activation::Tanh => x.tanh()?,
                        Activation::Sigmoid => candle_nn::ops::sigmoid(&x)?,
                        // candle's own gradient of it has constants of single precision.
                        Activation::Gelu => {
                            let inner = ((x.powf(3.0)? * 0.044715)? + &x)? * (2.0 / std::f64::consts::PI).sqrt();
                            ((inner?.tanh()? + 1.0)? * (x * 0.5)?)?
                        }
                    }
                }
            };
            x = Some(y);
        }
        x.context("a network without layers")
    }
}

/// `x Wᵀ + b`: x `(P, n, in)`, w `(P, out, in)`, b `(P, out, 1)`.
fn affine(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    let y = x.matmul(&w.transpose(1, 2)?.contiguous()?)?;
    Ok(match b {
        Some(b) => y.broadcast_add(&b.transpose(1, 2)?)?,
        None => y,
    })
}

impl<T: Float> Model<T> for Chain<T> {
    fn shapes(&self) -> Vec<Vec<usize>> {
        self.network.tensors().iter().map(|t| vec![t.rows, t.cols]).collect()
    }

    fn initial(&self, seed: u64) -> Vec<T> {
        self.network.initial(seed)
    }

    fn losses(&self, tensors: &[Tensor], seeds: &[u64], step: usize) -> Result<Tensor> {
        use super::{Loss, Targets};
        let all = self.samples.len();
        let orders: Vec<Vec<u32>> = seeds
            .iter()
            .map(|&seed| match self.batch {
                Some(n) if n < all => draw(n, all, seed, step),
                _ => (0..all as u32).collect(),
            })
            .collect();
        let n = orders[0].len();
        let y = self.forward(tensors, &self.samples.inputs, &orders)?;
        Ok(match (&self.samples.targets, self.loss) {
            (Targets::Values { width, data }, Loss::MeanSquare) => {
                let rows = orders.iter().flatten();
                let values: Vec<T> = rows.flat_map(|&i| data[i as usize * width..][..*width].iter().copied()).collect();
                let t = Tensor::from_vec(values, (seeds.len(), n, *width), &Device::Cpu)?.to_device(&self.device)?;
                (y - t)?.sqr()?.mean((1, 2))?
            }
            (Targets::Classes(classes), Loss::CrossEntropy) => {
                let classes: Vec<u32> = orders.iter().flatten().map(|&i| classes[i as usize]).collect();
                let classes = Tensor::from_vec(classes, (seeds.len(), n, 1), &Device::Cpu)?.to_device(&self.device)?;
                candle_nn::ops::log_softmax(&y, 2)?.gather(&classes, 2)?.mean((1, 2))?.neg()?
            }
            _ => anyhow::bail!("targets that do not fit the loss"),
        })
    }

    fn outputs(&self, tensors: &[Tensor], inputs: &Inputs<T>) -> Result<Tensor> {
        let members = tensors.first().context("no tensors")?.dim(0)?;
        let order: Vec<u32> = (0..inputs.len() as u32).collect();
        self.forward(tensors, inputs, &vec![order; members])
    }
}
