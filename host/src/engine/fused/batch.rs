//! The samples of a step as features × samples, padded to whole blocks, and their tiles.

use super::product::Rows;
use crate::engine::samples::draw_into;
use crate::engine::{Inputs, Loss, Samples, Targets};
use crate::net::Float;

/// Samples of one step. All of them are laid out once; a drawn batch is laid out anew each step.
pub struct Batch<T> {
    /// Samples in use.
    pub n: usize,
    /// Samples with padding: whole blocks.
    pub stride: usize,
    /// `(width, stride)`; empty for tokens
    values: Vec<T>,
    /// one row a fold
    tokens: Vec<Vec<u32>>,
    /// `(outputs, stride)`; empty for classes
    targets: Vec<T>,
    classes: Vec<u32>,
    /// 1 for samples, 0 for padding
    mask: Vec<T>,
    /// Size of a drawn batch, and which samples are in it; `None` where all are.
    drawn: Option<(usize, Vec<bool>, Vec<u32>)>,
}

/// A run of samples that goes through all layers at once.
#[derive(Clone, Debug)]
pub struct Tile {
    /// First sample.
    pub at: usize,
    /// Samples, padding left out.
    pub n: usize,
    /// Blocks, padding included.
    pub blocks: usize,
}

impl<T: Float> Batch<T> {
    pub fn new(samples: &Samples<T>, batch: Option<usize>) -> Self {
        let all = samples.len();
        let n = batch.map_or(all, |b| b.clamp(1, all));
        let mut new = Batch::empty(&samples.inputs, n);
        let outputs = if let Targets::Values { width, .. } = samples.targets { width } else { 0 };
        new.targets = vec![T::of(0.0); outputs * new.stride];
        new.classes = vec![0; if outputs == 0 { n } else { 0 }];
        if n < all {
            new.drawn = Some((n, vec![false; all], Vec::with_capacity(n)));
        } else {
            let order: Vec<u32> = (0..all as u32).collect();
            new.lay_out(samples, &order);
        }
        new
    }

    /// Inputs alone, for predictions.
    pub fn of_inputs(inputs: &Inputs<T>) -> Self {
        let mut new = Batch::empty(inputs, inputs.len());
        let order: Vec<u32> = (0..inputs.len() as u32).collect();
        new.lay_out_inputs(inputs, &order);
        new
    }

    /// `width` rows of values, all 0, for a forward pass alone.
    pub fn rows(width: usize, n: usize) -> Self {
        Batch::empty(&Inputs::Values { width, data: vec![] }, n)
    }

    /// The values, `(width, stride)`, to be written.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// Lays out other samples, as many of the same widths, where all are in use.
    pub fn renew(&mut self, samples: &Samples<T>) {
        if self.drawn.is_none() {
            let order: Vec<u32> = (0..self.n as u32).collect();
            self.lay_out(samples, &order);
        }
    }

    fn empty(inputs: &Inputs<T>, n: usize) -> Self {
        let stride = n.next_multiple_of(T::LANES);
        let (width, folds) = match inputs {
            Inputs::Values { width, .. } => (*width, 0),
            Inputs::Tokens { folds, .. } => (0, *folds),
        };
        Batch {
            n,
            stride,
            values: vec![T::of(0.0); width * stride],
            tokens: vec![vec![0; stride]; folds],
            targets: vec![],
            classes: vec![],
            mask: (0..stride).map(|i| T::of(f64::from(u8::from(i < n)))).collect(),
            drawn: None,
        }
    }

    /// Lays out the batch of `step`, where batches are drawn.
    pub fn draw(&mut self, samples: &Samples<T>, seed: u64, step: usize) {
        let Some((n, mut taken, mut order)) = self.drawn.take() else { return };
        draw_into(&mut taken, &mut order, n, seed, step);
        self.lay_out(samples, &order);
        self.drawn = Some((n, taken, order));
    }

    fn lay_out(&mut self, samples: &Samples<T>, order: &[u32]) {
        self.lay_out_inputs(&samples.inputs, order);
        match &samples.targets {
            Targets::Values { width, data } => transpose(&mut self.targets, self.stride, data, *width, order),
            Targets::Classes(classes) => {
                for (class, &i) in self.classes.iter_mut().zip(order) {
                    *class = classes[i as usize];
                }
            }
        }
    }

    fn lay_out_inputs(&mut self, inputs: &Inputs<T>, order: &[u32]) {
        match inputs {
            Inputs::Values { width, data } => transpose(&mut self.values, self.stride, data, *width, order),
            Inputs::Tokens { folds, data } => {
                for (f, row) in self.tokens.iter_mut().enumerate() {
                    for (token, &i) in row.iter_mut().zip(order) {
                        *token = data[i as usize * folds + f];
                    }
                }
            }
        }
    }

    /// Tiles of at most `size` samples.
    pub fn tiles(&self, size: usize) -> impl Iterator<Item = Tile> + use<T> {
        let (n, stride) = (self.n, self.stride);
        (0..stride.div_ceil(size)).map(move |t| {
            let at = t * size;
            let end = (at + size).min(stride);
            Tile { at, n: end.min(n).saturating_sub(at), blocks: (end - at) / T::LANES }
        })
    }

    pub fn values(&self, tile: &Tile) -> Rows<'_, T> {
        // Tokens have none.
        Rows { data: self.values.get(tile.at..).unwrap_or_default(), stride: self.stride }
    }

    /// One slice a fold, padding included.
    pub fn tokens(&self, tile: &Tile) -> Vec<&[u32]> {
        self.tokens.iter().map(|row| &row[tile.at..tile.at + tile.blocks * T::LANES]).collect()
    }

    pub fn target(&self, tile: &Tile, output: usize) -> &[T] {
        &self.targets[output * self.stride + tile.at..][..tile.blocks * T::LANES]
    }

    pub fn classes(&self, tile: &Tile) -> &[u32] {
        &self.classes[tile.at..tile.at + tile.n]
    }

    pub fn mask(&self, tile: &Tile) -> &[T] {
        &self.mask[tile.at..tile.at + tile.blocks * T::LANES]
    }

    /// What a sample's error counts in the mean.
    pub fn share(&self, loss: Loss, outputs: usize) -> f64 {
        match loss {
            Loss::MeanSquare => 1.0 / (self.n * outputs) as f64,
            Loss::CrossEntropy => 1.0 / self.n as f64,
        }
    }
}

/// `y[j][s] = data[order[s]][j]`, a square of lanes × lanes at a time.
fn transpose<T: Float>(y: &mut [T], stride: usize, data: &[T], width: usize, order: &[u32]) {
    let mut s = 0;
    while s < order.len() {
        let samples = &order[s..order.len().min(s + T::LANES)];
        let mut j = 0;
        while j < width {
            let columns = T::LANES.min(width - j);
            for (l, &i) in samples.iter().enumerate() {
                let row = &data[i as usize * width + j..][..columns];
                for (c, &v) in row.iter().enumerate() {
                    y[(j + c) * stride + s + l] = v;
                }
            }
            j += columns;
        }
        s += T::LANES;
    }
}
