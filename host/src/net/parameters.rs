//! Named trainable tensors, in a fixed order.

use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor, Var};

use crate::rng::Rng;

/// The trainable tensors of one model. The order of creation is the order of every listing.
#[derive(Clone, Debug)]
pub struct Parameters {
    entries: Vec<(String, Var)>,
    dtype: DType,
    seed: u64,
}

impl Parameters {
    /// None yet. `dtype` is f32 for training, f64 for gradient checks; `seed` is that of the
    /// initial values, each tensor drawing from a stream of its own name.
    pub fn new(dtype: DType, seed: u64) -> Self {
        Parameters { entries: Vec::new(), dtype, seed }
    }

    /// Adds a tensor with the given values (row-major) and returns it.
    ///
    /// # Errors
    /// If the number of values is not that of the shape.
    pub fn add(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<Tensor> {
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)
            .with_context(|| format!("parameter {name}"))?
            .to_dtype(self.dtype)?;
        let var = Var::from_tensor(&tensor)?;
        self.entries.push((name.to_owned(), var.clone()));
        Ok(var.as_tensor().clone())
    }

    /// Adds a tensor of normal values with the given standard deviation.
    pub fn normal(&mut self, name: &str, shape: &[usize], deviation: f32) -> Result<Tensor> {
        let mut rng = Rng::new(self.seed, name, 0);
        let values = (0..shape.iter().product()).map(|_| deviation * rng.normal()).collect();
        self.add(name, shape, values)
    }

    /// Adds a tensor of zeros.
    pub fn zeros(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.add(name, shape, vec![0.0; shape.iter().product()])
    }

    /// All tensors with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.entries.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// Number of trainable numbers.
    pub fn count(&self) -> usize {
        self.entries.iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// Values (row-major) and shape of the tensor called `name`.
    pub fn values(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let (_, var) = self.entries.iter().find(|(n, _)| n == name).with_context(|| {
            let names: Vec<&str> = self.iter().map(|(n, _)| n).collect();
            format!("no parameter {name}; there are {}", names.join(", "))
        })?;
        let values = var.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok((var.dims().to_vec(), values))
    }

    /// Overwrites the tensor called `name`, keeping its shape.
    pub fn set(&self, name: &str, values: Vec<f32>) -> Result<()> {
        let Some((_, var)) = self.entries.iter().find(|(n, _)| n == name) else {
            anyhow::bail!("no parameter {name}");
        };
        ensure!(
            values.len() == var.elem_count(),
            "parameter {name}: {} values, expected {} for shape {:?}",
            values.len(),
            var.elem_count(),
            var.dims()
        );
        var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?.to_dtype(self.dtype)?)?;
        Ok(())
    }
}
