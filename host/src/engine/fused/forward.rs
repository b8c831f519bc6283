//! A network's forward pass alone, for samples that already lie features × samples: what a sampler
//! calls hundreds of times on the same ones.

use anyhow::{Result, ensure};

use super::batch::Batch;
use super::stage::Stages;
use crate::net::{Float, Layer, Network};

/// Buffers of a forward pass of a fixed number of samples.
pub struct Forward<T> {
    batch: Batch<T>,
    stages: Stages<T>,
    parameters: usize,
    outputs: usize,
}

impl<T: Float> Forward<T> {
    /// For `samples` samples at a time.
    ///
    /// # Errors
    /// A network that takes tokens.
    pub fn new(network: &Network, samples: usize) -> Result<Self> {
        ensure!(!matches!(network.layers()[0], Layer::Embedding { .. }), "tokens have no features × samples");
        Ok(Forward {
            batch: Batch::rows(network.inputs(), samples.max(1)),
            stages: Stages::new(network),
            parameters: network.parameters(),
            outputs: network.outputs(),
        })
    }

    /// Elements from one feature to the next: the samples, padded to whole blocks.
    pub fn stride(&self) -> usize {
        self.batch.stride
    }

    /// The inputs, `(inputs, stride)`; they keep what was written.
    pub fn inputs(&mut self) -> &mut [T] {
        self.batch.values_mut()
    }

    /// The network's outputs on [`Forward::inputs`], into `(outputs, stride)`.
    ///
    /// # Panics
    /// Where `parameters` are not the network's, or `outputs` is shorter.
    pub fn run(&mut self, parameters: &[T], outputs: &mut [T]) {
        assert_eq!(parameters.len(), self.parameters, "parameters of another network");
        let stride = self.batch.stride;
        assert!(outputs.len() >= self.outputs * stride, "{} outputs of {stride} samples", self.outputs);
        for tile in self.batch.tiles(self.stages.tile()) {
            self.stages.forward(parameters, &self.batch, &tile);
            self.stages.output_rows(&tile, outputs, stride);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Adam, Fused, Inputs, Loss, Samples, Schedule, Targets, Training};
    use crate::net::Activation;
    use crate::rng::Rng;
    use std::sync::Arc;

    #[test]
    fn it_gives_what_the_engine_gives() {
        let network = Network::mlp(&[5, 40, 30, 3], Activation::Silu).unwrap();
        let n = 700;
        let mut data = vec![0.0f32; 5 * n];
        Rng::new(1, "x", 0).normals(&mut data);
        let inputs = Inputs::Values { width: 5, data: data.clone() };
        let samples = Samples { inputs: inputs.clone(), targets: Targets::Values { width: 3, data: vec![0.0; 3 * n] } };
        let training = Training {
            steps: 1,
            rate: Schedule::constant(0.0),
            adam: Adam::default(),
            loss: Loss::MeanSquare,
            batch: None,
        };
        let mut engine = Fused::new(&network, Arc::new(samples), training, 4).unwrap();
        let expected = engine.predict(&inputs);
        let mut forward = Forward::new(&network, n).unwrap();
        let stride = forward.stride();
        for s in 0..n {
            for i in 0..5 {
                forward.inputs()[i * stride + s] = data[s * 5 + i];
            }
        }
        let mut outputs = vec![0.0; 3 * stride];
        forward.run(&engine.at().parameters, &mut outputs);
        for s in 0..n {
            for o in 0..3 {
                assert_eq!(outputs[o * stride + s], expected[s * 3 + o], "sample {s} output {o}");
            }
        }
    }
}
