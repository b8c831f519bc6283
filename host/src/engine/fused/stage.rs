//! The layers of a network as stages over one tile, forward and back.

use std::ops::Range;

use super::batch::{Batch, Tile};
use super::pointwise::{activate, chain, scale_masked, softmax, square};
use super::product::{Rows, forward, outer, transposed};
use super::tokens::{self, Shape};
use crate::engine::Loss;
use crate::net::{Activation, Float, Layer, Network};

/// Bytes of a tile's buffers: a core's second-level cache, with room for the rest.
const TILE_BYTES: usize = 512 * 1024;
/// Samples of a tile, at most.
const TILE_SAMPLES: usize = 1024;

/// Stages with the buffers of one tile.
pub struct Stages<T> {
    stages: Vec<Stage<T>>,
    buffers: Vec<Buffer<T>>,
    /// samples a tile: whole blocks
    tile: usize,
    /// softmax: sum and maximum of each sample
    sums: Vec<T>,
    maxima: Vec<T>,
}

/// One stage; it reads the buffer before it, or the samples, and writes its own.
enum Stage<T> {
    Dense {
        weight: Range<usize>,
        bias: Option<Range<usize>>,
        inputs: usize,
        outputs: usize,
    },
    /// In place of the stage before.
    Activation {
        function: Activation,
        slopes: Vec<T>,
    },
    Embedding {
        table: Range<usize>,
        width: usize,
    },
    /// An embedding and the dense layer after it.
    Embedded {
        table: Range<usize>,
        weight: Range<usize>,
        bias: Range<usize>,
        shape: Shape,
        projected: Vec<T>,
        back: Vec<T>,
    },
}

/// A stage's outputs and the loss's gradient by them: `(width, tile)`.
struct Buffer<T> {
    width: usize,
    values: Vec<T>,
    deltas: Vec<T>,
}

impl<T: Float> Stages<T> {
    pub fn new(network: &Network) -> Self {
        let range = |layer: usize, name: &str| {
            let tensor = network.tensors_of(layer).find(|t| t.name.ends_with(name));
            tensor.map_or(0..0, |t| t.range())
        };
        let layers = network.layers();
        let mut stages = Vec::new();
        let mut widths = Vec::new();
        let mut i = 0;
        while i < layers.len() {
            match (layers[i], layers.get(i + 1)) {
                (Layer::Embedding { vocabulary, width, folds }, Some(&Layer::Dense { outputs, .. })) => {
                    let shape = Shape { vocabulary, width, folds, outputs };
                    let zeros = vec![T::of(0.0); shape.projected()];
                    stages.push(Stage::Embedded {
                        table: range(i, "table"),
                        weight: range(i + 1, "weight"),
                        bias: range(i + 1, "bias"),
                        shape,
                        projected: zeros.clone(),
                        back: zeros,
                    });
                    widths.push(outputs);
                    i += 1;
                }
                (Layer::Embedding { width, folds, .. }, _) => {
                    stages.push(Stage::Embedding { table: range(i, "table"), width });
                    widths.push(width * folds);
                }
                (Layer::Dense { inputs, outputs }, _) => {
                    let bias = Some(range(i, "bias"));
                    stages.push(Stage::Dense { weight: range(i, "weight"), bias, inputs, outputs });
                    widths.push(outputs);
                }
                (Layer::LowRank { inputs, rank, outputs }, _) => {
                    stages.push(Stage::Dense { weight: range(i, ".v"), bias: None, inputs, outputs: rank });
                    let bias = Some(range(i, "bias"));
                    stages.push(Stage::Dense { weight: range(i, ".u"), bias, inputs: rank, outputs });
                    widths.extend([rank, outputs]);
                }
                (Layer::Activation { width, function }, _) => {
                    stages.push(Stage::Activation { function, slopes: vec![] });
                    widths.push(width);
                }
            }
            i += 1;
        }
        let a_sample = 3 * size_of::<T>() * widths.iter().sum::<usize>();
        let tile = (TILE_BYTES / a_sample.max(1)).clamp(8 * T::LANES, TILE_SAMPLES) / T::LANES * T::LANES;
        Stages { stages, buffers: buffers(&widths), tile, sums: vec![], maxima: vec![] }
    }

    /// Samples a tile.
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// Buffers grow to what tiles need: a population of small batches is not to hold large ones.
    fn reserve(&mut self, samples: usize) {
        if self.sums.len() >= samples {
            return;
        }
        let zeros = |n: usize| vec![T::of(0.0); n];
        (self.sums, self.maxima) = (zeros(samples), zeros(samples));
        for (stage, buffer) in self.stages.iter_mut().zip(&mut self.buffers) {
            let len = buffer.width * samples;
            match stage {
                Stage::Activation { slopes, .. } => *slopes = zeros(len),
                _ => (buffer.values, buffer.deltas) = (zeros(len), zeros(len)),
            }
        }
    }

    /// Elements from one feature to the next in all buffers.
    fn stride(&self) -> usize {
        self.sums.len()
    }

    /// Index of the buffer that stage `i` writes: an activation's is that of the stage before.
    fn buffer_of(&self, i: usize) -> usize {
        (0..=i).rev().find(|&j| !matches!(self.stages[j], Stage::Activation { .. })).unwrap_or(0)
    }

    pub fn forward(&mut self, w: &[T], batch: &Batch<T>, tile: &Tile) {
        let samples = tile.blocks * T::LANES;
        self.reserve(samples);
        let stride = self.stride();
        for i in 0..self.stages.len() {
            let (own, before) = (self.buffer_of(i), (i > 0).then(|| self.buffer_of(i.saturating_sub(1))));
            let (head, tail) = self.buffers.split_at_mut(own);
            let buffer = &mut tail[0];
            let input = match before {
                Some(b) if b < own => Rows { data: &head[b].values, stride },
                _ => batch.values(tile),
            };
            match &mut self.stages[i] {
                Stage::Dense { weight, bias, inputs, outputs } => {
                    let bias = bias.as_ref().map(|b| &w[b.clone()]);
                    let shape = (*outputs, *inputs);
                    forward(&mut buffer.values, stride, &w[weight.clone()], bias, input, shape, tile.blocks);
                }
                Stage::Activation { function, slopes } => {
                    // A first layer's activation would read the samples: networks begin otherwise.
                    for f in 0..buffer.width {
                        let row = f * stride..f * stride + samples;
                        activate(*function, &mut buffer.values[row.clone()], &mut slopes[row]);
                    }
                }
                Stage::Embedding { table, width } => {
                    tokens::look_up(&mut buffer.values, stride, &w[table.clone()], *width, &batch.tokens(tile));
                }
                Stage::Embedded { table, weight, bias, shape, projected, .. } => {
                    if tile.at == 0 {
                        tokens::project(projected, &w[weight.clone()], &w[table.clone()], *shape);
                    }
                    let tokens = batch.tokens(tile);
                    tokens::gather(&mut buffer.values, stride, projected, &w[bias.clone()], &tokens, *shape);
                }
            }
        }
    }

    /// The tile's share of the loss; leaves its gradient by the outputs in the last buffer.
    pub fn loss(&mut self, loss: Loss, batch: &Batch<T>, tile: &Tile) -> f64 {
        let samples = tile.blocks * T::LANES;
        let stride = self.stride();
        let last = self.buffer_of(self.stages.len() - 1);
        let Buffer { width, values, deltas } = &mut self.buffers[last];
        let (width, share) = (*width, batch.share(loss, *width));
        let mask = batch.mask(tile);
        match loss {
            Loss::MeanSquare => {
                let scale = T::of(2.0 * share);
                let mut sum = 0.0;
                for o in 0..width {
                    let row = o * stride..o * stride + samples;
                    sum += square(&mut deltas[row.clone()], &values[row], batch.target(tile, o), mask, scale);
                }
                sum * share
            }
            Loss::CrossEntropy => {
                softmax(deltas, values, stride, width, tile.blocks, (&mut self.sums, &mut self.maxima));
                let mut sum = 0.0;
                for (n, &class) in batch.classes(tile).iter().enumerate() {
                    let at = class as usize * stride + n;
                    deltas[at] -= T::of(1.0);
                    sum += self.sums[n].f64().ln() + self.maxima[n].f64() - values[at].f64();
                }
                for o in 0..width {
                    scale_masked(&mut deltas[o * stride..o * stride + samples], mask, T::of(share));
                }
                sum * share
            }
        }
    }

    /// Adds the tile's share to `gradient`.
    pub fn backward(&mut self, w: &[T], gradient: &mut [T], batch: &Batch<T>, tile: &Tile) {
        let stride = self.stride();
        let end = tile.at + tile.blocks * T::LANES >= batch.stride;
        for i in (0..self.stages.len()).rev() {
            let (own, before) = (self.buffer_of(i), (i > 0).then(|| self.buffer_of(i.saturating_sub(1))));
            let (head, tail) = self.buffers.split_at_mut(own);
            let Buffer { width, deltas, .. } = &mut tail[0];
            match &mut self.stages[i] {
                Stage::Dense { weight, bias, inputs, outputs } => {
                    let shape = (*outputs, *inputs);
                    let dy = Rows { data: &deltas[..], stride };
                    let x = match before {
                        Some(b) => Rows { data: &head[b].values, stride },
                        None => batch.values(tile),
                    };
                    let (dw, db) = weight_and_bias(gradient, weight, bias.as_ref());
                    outer(dw, db, dy, x, shape, tile.blocks);
                    if let Some(b) = before {
                        transposed(&mut head[b].deltas, stride, &w[weight.clone()], dy, shape, tile.blocks);
                    }
                }
                Stage::Activation { slopes, .. } => {
                    for f in 0..*width {
                        let row = f * stride..f * stride + tile.blocks * T::LANES;
                        chain(&mut deltas[row.clone()], &slopes[row]);
                    }
                }
                Stage::Embedding { table, width } => {
                    // Padding has token 0 and a delta of 0.
                    tokens::look_up_back(&mut gradient[table.clone()], deltas, stride, *width, &batch.tokens(tile));
                }
                Stage::Embedded { table, weight, bias, shape, back, .. } => {
                    if tile.at == 0 {
                        back.fill(T::of(0.0));
                    }
                    tokens::scatter(back, deltas, stride, &batch.tokens(tile), *shape);
                    let dy = Rows { data: &deltas[..], stride };
                    // No inputs: the biases alone.
                    let x = Rows { data: &[], stride: 0 };
                    outer(&mut [], Some(&mut gradient[bias.clone()]), dy, x, (shape.outputs, 0), tile.blocks);
                    if end {
                        // Tables come before the weights that read them.
                        let (low, high) = gradient.split_at_mut(weight.start);
                        let (dw, dt) = (&mut high[..weight.len()], &mut low[table.clone()]);
                        tokens::project_back(dw, dt, back, &w[weight.clone()], &w[table.clone()], *shape);
                    }
                }
            }
        }
    }

    /// Copies the tile's outputs to `all`, `(outputs, all_stride)`.
    pub fn output_rows(&self, tile: &Tile, all: &mut [T], all_stride: usize) {
        let stride = self.stride();
        let Buffer { width, values, .. } = &self.buffers[self.buffer_of(self.stages.len() - 1)];
        let samples = tile.blocks * T::LANES;
        for o in 0..*width {
            all[o * all_stride + tile.at..][..samples].copy_from_slice(&values[o * stride..][..samples]);
        }
    }

    /// Copies the tile's outputs to `all`, `(n, outputs)`.
    pub fn outputs(&self, tile: &Tile, all: &mut [T]) {
        let stride = self.stride();
        let Buffer { width, values, .. } = &self.buffers[self.buffer_of(self.stages.len() - 1)];
        for n in 0..tile.n {
            for o in 0..*width {
                all[(tile.at + n) * width + o] = values[o * stride + n];
            }
        }
    }
}

fn buffers<T>(widths: &[usize]) -> Vec<Buffer<T>> {
    widths.iter().map(|&width| Buffer { width, values: vec![], deltas: vec![] }).collect()
}

/// The gradients of a weight and of the bias after it.
fn weight_and_bias<'g, T>(
    gradient: &'g mut [T],
    weight: &Range<usize>,
    bias: Option<&Range<usize>>,
) -> (&'g mut [T], Option<&'g mut [T]>) {
    let (low, high) = gradient.split_at_mut(weight.end);
    let bias = bias.map(|b| &mut high[b.start - weight.end..b.end - weight.end]);
    (&mut low[weight.clone()], bias)
}
