//! Trainable networks as data: layers in a chain, and where each weight lies.
//!
//! A [`Network`] holds no numbers. Its parameters are one vector, tensor after tensor in the order
//! of [`Network::tensors`]; weights are row-major `(n_out, n_in)`, as on the chip. An engine trains
//! such vectors; a family reads, prunes and exports them by the same tensors.

use anyhow::{Result, ensure};

use super::Float;
use crate::rng::Rng;

/// One layer. Widths are numbers of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// `y = Wx + b`, `W` `(outputs, inputs)`.
    Dense { inputs: usize, outputs: usize },
    /// `y = U(Vx) + c`, `V` `(rank, inputs)`, `U` `(outputs, rank)`.
    LowRank { inputs: usize, rank: usize, outputs: usize },
    /// Concatenated rows `E[t_1] … E[t_folds]` of one table `(vocabulary, width)`; only as the
    /// first layer, whose inputs are tokens.
    Embedding { vocabulary: usize, width: usize, folds: usize },
    /// `y = f(x)`, element by element.
    Activation { width: usize, function: Activation },
}

/// Activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`; its derivative at 0 is 0
    Relu,
    /// `x·σ(x)`
    Silu,
    /// hyperbolic tangent
    Tanh,
    /// `σ(x) = 1/(1 + e^−x)`
    Sigmoid,
    /// `x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2`, the tanh form of GELU (Hendrycks and Gimpel, arXiv 1606.08415)
    Gelu,
}

/// What a tensor is to its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `(outputs, inputs)`
    Weight,
    /// `(outputs)`
    Bias,
    /// `(vocabulary, width)`
    Embedding,
}

/// One tensor of a network's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// E.g. `2.weight`: layer and role.
    pub name: String,
    /// Index of the layer.
    pub layer: usize,
    /// What it is to its layer.
    pub role: Role,
    /// Rows; of a bias, its length.
    pub rows: usize,
    /// Columns; of a bias, 1.
    pub cols: usize,
    /// Index of its first element among the parameters.
    pub at: usize,
}

impl Tensor {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.rows * self.cols
    }

    /// Never: layers have at least one feature.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its elements' indices among the parameters.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.at..self.at + self.len()
    }
}

/// A chain of layers, checked: each takes what the one before gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    layers: Vec<Layer>,
    tensors: Vec<Tensor>,
}

impl Network {
    /// Checks that widths fit.
    ///
    /// # Errors
    /// The first layer whose inputs are not the outputs before it, an embedding that is not the
    /// first, a width of 0, or no layer with parameters.
    pub fn new(layers: Vec<Layer>) -> Result<Self> {
        ensure!(layers.iter().any(|l| !matches!(l, Layer::Activation { .. })), "a network without a trainable layer");
        let mut tensors: Vec<Tensor> = Vec::new();
        let mut width = None;
        for (i, layer) in layers.iter().enumerate() {
            let (inputs, outputs) = (layer.inputs(), layer.outputs());
            ensure!(inputs > 0 && outputs > 0, "layer {i} has {inputs} inputs and {outputs} outputs");
            match (layer, width) {
                (Layer::Embedding { .. }, Some(_)) => anyhow::bail!("layer {i} is an embedding; only the first may be"),
                (Layer::Activation { .. }, None) => {
                    anyhow::bail!("layer {i} is an activation of the inputs: begin with a dense layer")
                }
                (_, Some(before)) => ensure!(before == inputs, "layer {i} takes {inputs} values but gets {before}"),
                (_, None) => {}
            }
            width = Some(outputs);
            for (name, role, rows, cols) in layer.shapes() {
                let at = tensors.last().map_or(0, |t| t.at + t.len());
                tensors.push(Tensor { name: format!("{i}.{name}"), layer: i, role, rows, cols, at });
            }
        }
        Ok(Network { layers, tensors })
    }

    /// Dense layers of the given widths with an activation between them: `[4, 20, 2]` has one hidden
    /// layer of 20.
    ///
    /// # Errors
    /// Fewer than two widths, or a width of 0.
    pub fn mlp(widths: &[usize], function: Activation) -> Result<Self> {
        Network::new(mlp(widths, function))
    }

    /// An embedding of `folds` tokens, then an MLP whose first width is `folds · width`.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn embedded(
        vocabulary: usize,
        width: usize,
        folds: usize,
        widths: &[usize],
        function: Activation,
    ) -> Result<Self> {
        let mut layers = vec![Layer::Embedding { vocabulary, width, folds }];
        layers.extend(mlp(widths, function));
        Network::new(layers)
    }

    /// In order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// In the order of the parameters.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The tensors of layer `i`.
    pub fn tensors_of(&self, layer: usize) -> impl Iterator<Item = &Tensor> {
        self.tensors.iter().filter(move |t| t.layer == layer)
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.tensors.last().map_or(0, |t| t.at + t.len())
    }

    /// Number of input values, or of tokens where the first layer is an embedding.
    pub fn inputs(&self) -> usize {
        match self.layers[0] {
            Layer::Embedding { folds, .. } => folds,
            layer => layer.inputs(),
        }
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs()
    }

    /// Initial parameters: weights and biases uniform in ±1/√n_in of their layer, embeddings
    /// standard normal. Each tensor draws from a stream of its own name.
    pub fn initial<T: Float>(&self, seed: u64) -> Vec<T> {
        let mut all = Vec::with_capacity(self.parameters());
        for tensor in &self.tensors {
            let mut rng = Rng::new(seed, &tensor.name, 0);
            let fan_in = match self.layers[tensor.layer] {
                Layer::LowRank { rank, .. } if tensor.name.ends_with(".u") || tensor.role == Role::Bias => rank,
                layer => layer.inputs(),
            };
            let bound = 1.0 / (fan_in as f64).sqrt();
            all.extend((0..tensor.len()).map(|_| {
                T::of(match tensor.role {
                    Role::Embedding => f64::from(rng.normal()),
                    _ => bound * (2.0 * f64::from(rng.uniform()) - 1.0),
                })
            }));
        }
        all
    }
}

fn mlp(widths: &[usize], function: Activation) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (i, pair) in widths.windows(2).enumerate() {
        if i > 0 {
            layers.push(Layer::Activation { width: pair[0], function });
        }
        layers.push(Layer::Dense { inputs: pair[0], outputs: pair[1] });
    }
    layers
}

impl Layer {
    /// Features that it takes; of an embedding, those that it gives.
    pub fn inputs(&self) -> usize {
        match *self {
            Layer::Dense { inputs, .. } | Layer::LowRank { inputs, .. } => inputs,
            Layer::Embedding { width, folds, .. } => width * folds,
            Layer::Activation { width, .. } => width,
        }
    }

    /// Features that it gives.
    pub fn outputs(&self) -> usize {
        match *self {
            Layer::Dense { outputs, .. } | Layer::LowRank { outputs, .. } => outputs,
            Layer::Embedding { width, folds, .. } => width * folds,
            Layer::Activation { width, .. } => width,
        }
    }

    /// Name, role, rows and columns of its tensors.
    fn shapes(&self) -> Vec<(&'static str, Role, usize, usize)> {
        match *self {
            Layer::Dense { inputs, outputs } => {
                vec![("weight", Role::Weight, outputs, inputs), ("bias", Role::Bias, outputs, 1)]
            }
            Layer::LowRank { inputs, rank, outputs } => vec![
                ("v", Role::Weight, rank, inputs),
                ("u", Role::Weight, outputs, rank),
                ("bias", Role::Bias, outputs, 1),
            ],
            Layer::Embedding { vocabulary, width, .. } => vec![("table", Role::Embedding, vocabulary, width)],
            Layer::Activation { .. } => vec![],
        }
    }
}

impl Activation {
    /// The word for it in settings.
    pub const ALL: [(&'static str, Activation); 5] = [
        ("relu", Activation::Relu),
        ("silu", Activation::Silu),
        ("tanh", Activation::Tanh),
        ("sigmoid", Activation::Sigmoid),
        ("gelu", Activation::Gelu),
    ];

    /// Value and derivative at `x`, in f64: what engines are held to.
    pub fn at(self, x: f64) -> (f64, f64) {
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        match self {
            Activation::Relu => (x.max(0.0), f64::from(u8::from(x > 0.0))),
            Activation::Silu => (x * sigmoid, sigmoid + x * sigmoid * (1.0 - sigmoid)),
            Activation::Tanh => (x.tanh(), 1.0 - x.tanh() * x.tanh()),
            Activation::Sigmoid => (sigmoid, sigmoid * (1.0 - sigmoid)),
            Activation::Gelu => {
                let c = (2.0 / std::f64::consts::PI).sqrt();
                let t = (c * (x + 0.044715 * x * x * x)).tanh();
                let inner = c * (1.0 + 3.0 * 0.044715 * x * x);
                (0.5 * x * (1.0 + t), 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_lie_one_after_the_other() {
        let net = Network::embedded(59, 32, 2, &[64, 50, 59], Activation::Silu).unwrap();
        let names: Vec<&str> = net.tensors().iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["0.table", "1.weight", "1.bias", "3.weight", "3.bias"]);
        assert_eq!(net.parameters(), 59 * 32 + 50 * 65 + 59 * 51);
        assert_eq!((net.inputs(), net.outputs()), (2, 59));
        let mut end = 0;
        for t in net.tensors() {
            assert_eq!(t.at, end);
            end += t.len();
        }
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() {
        let dense = |inputs, outputs| Layer::Dense { inputs, outputs };
        assert!(Network::new(vec![dense(4, 5), dense(6, 2)]).is_err());
        assert!(Network::new(vec![dense(4, 0)]).is_err());
        assert!(Network::new(vec![]).is_err());
        assert!(Network::new(vec![dense(4, 4), Layer::Embedding { vocabulary: 3, width: 2, folds: 2 }]).is_err());
    }

    #[test]
    fn initial_values_have_their_bounds() {
        let net = Network::mlp(&[100, 30, 2], Activation::Silu).unwrap();
        let p: Vec<f32> = net.initial(3);
        let (first, second) = (&net.tensors()[0], &net.tensors()[2]);
        let largest = |r: std::ops::Range<usize>| p[r].iter().fold(0f32, |m, w| m.max(w.abs()));
        assert!((0.0999..=0.1).contains(&largest(first.range())), "{}", largest(first.range()));
        assert!((0.15..=0.1826).contains(&largest(second.range())));
        assert_ne!(net.initial::<f32>(3), net.initial::<f32>(4));
    }
}
