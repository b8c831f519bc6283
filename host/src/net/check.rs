//! Gradient checks: candle's backward pass against central differences in f64.

use anyhow::Result;
use candle_core::{DType, Tensor, Var};

use super::Parameters;

/// Normal f64 tensors of the given shapes, the same on every call.
pub fn random(shapes: &[&[usize]]) -> Vec<Tensor> {
    let mut parameters = Parameters::new(DType::F64, 11);
    let tensor = |(i, shape): (usize, &&[usize])| parameters.normal(&format!("t{i}"), shape, 1.0).unwrap();
    shapes.iter().enumerate().map(tensor).collect()
}

/// Asserts that the gradient of the scalar `loss` with respect to every entry of random tensors of
/// `shapes` agrees with `(L(w + h) − L(w − h)) / 2h`.
pub fn gradients(shapes: &[&[usize]], loss: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let vars: Vec<Var> = random(shapes).iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let value = |tensors: &[Tensor]| loss(tensors).unwrap().to_scalar::<f64>().unwrap();
    let gradients = loss(&tensors).unwrap().backward().unwrap();
    for (i, var) in vars.iter().enumerate() {
        let gradient: Vec<f64> = match gradients.get(var) {
            Some(g) => g.flatten_all().unwrap().to_vec1().unwrap(),
            None => panic!("tensor {i} has no gradient"),
        };
        let base: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
        for j in 0..base.len() {
            let h = 1e-6;
            let at = |delta: f64| {
                let mut moved = base.clone();
                moved[j] += delta;
                var.set(&Tensor::from_vec(moved, var.shape(), var.device()).unwrap()).unwrap();
                value(&tensors)
            };
            let difference = (at(h) - at(-h)) / (2.0 * h);
            at(0.0);
            assert!(
                (difference - gradient[j]).abs() < 2e-7 * (1.0 + difference.abs()),
                "tensor {i}, entry {j}: gradient {}, finite difference {difference}",
                gradient[j]
            );
        }
    }
}
