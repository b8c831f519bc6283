//! The same training as candle graphs: any graph, any number of members along a leading dimension,
//! on the CPU or a GPU. The oracle of the fused engine, and what trains networks that are more than
//! a chain of layers.
//!
//! Every tensor of P members is one variable `(P, …)`; the losses of members are summed, so each
//! member's gradient is its own. Penalty and Adam are the formulas of [`super::contract`].

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor, Var};

use super::{Advance, Engine, Gradient, Inputs, Penalty, State, Training};
use crate::net::Float;

/// A network as a candle graph.
pub trait Model<T>: Send + Sync {
    /// Shapes of the tensors, without the leading dimension, in the order of the parameters.
    fn shapes(&self) -> Vec<Vec<usize>>;

    /// Initial parameters of one member, tensor after tensor, row-major.
    fn initial(&self, seed: u64) -> Vec<T>;

    /// Loss of each member, `(P)`, without penalty. `tensors` are `(P, …)`; each member's samples
    /// are those of its seed and the step.
    fn losses(&self, tensors: &[Tensor], seeds: &[u64], step: usize) -> Result<Tensor>;

    /// Outputs of each member, `(P, n, outputs)`.
    fn outputs(&self, tensors: &[Tensor], inputs: &Inputs<T>) -> Result<Tensor>;
}

/// Trains members of one network by candle.
pub struct Candle<T> {
    model: Arc<dyn Model<T>>,
    training: Training,
    seeds: Vec<u64>,
    device: Device,
    step: usize,
    shapes: Vec<Vec<usize>>,
    tensors: Vec<Var>,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
    penalties: Vec<Penalty<T>>,
}

/// Sum of the gradients' tensors by tensor, and losses by member.
type Derived = (Vec<f64>, Vec<Tensor>);

impl<T: Float> Candle<T> {
    /// One member a seed, on `device`.
    ///
    /// # Errors
    /// No seeds, or tensors that the device cannot hold.
    pub fn new(model: Arc<dyn Model<T>>, training: Training, seeds: &[u64], device: &Device) -> Result<Self> {
        ensure!(!seeds.is_empty(), "a population of 0 members");
        let shapes = model.shapes();
        let initial: Vec<Vec<T>> = seeds.iter().map(|&seed| model.initial(seed)).collect();
        let (mut tensors, mut zeros) = (Vec::new(), Vec::new());
        let mut at = 0;
        for shape in &shapes {
            let len: usize = shape.iter().product();
            let values: Vec<T> = initial.iter().flat_map(|p| p[at..at + len].iter().copied()).collect();
            let full = [&[seeds.len()], &shape[..]].concat();
            let tensor = Tensor::from_vec(values, full, &Device::Cpu)?.to_device(device)?;
            zeros.push(tensor.zeros_like()?);
            tensors.push(Var::from_tensor(&tensor)?);
            at += len;
        }
        ensure!(initial.iter().all(|p| p.len() == at), "{at} parameters in the shapes, {} given", initial[0].len());
        Ok(Candle {
            model,
            training,
            seeds: seeds.to_vec(),
            device: device.clone(),
            step: 0,
            shapes,
            tensors,
            first: zeros.clone(),
            second: zeros,
            penalties: seeds.iter().map(|_| Penalty::none()).collect(),
        })
    }

    /// The processor, or the first GPU.
    ///
    /// # Errors
    /// Where there is no GPU, or the program was built without the feature `cuda`.
    pub fn device(name: Option<&str>) -> Result<Device> {
        match name {
            None | Some("cpu") => Ok(Device::Cpu),
            Some("cuda") => Device::new_cuda(0)
                .context("--device cuda: no GPU can be used; build with `--features cuda` where there is one, or use --device cpu"),
            Some(other) => anyhow::bail!("--device {other}: it is cpu or cuda"),
        }
    }

    fn loss_and_gradients(&self) -> Result<Derived> {
        let tensors: Vec<Tensor> = self.tensors.iter().map(|v| v.as_tensor().clone()).collect();
        let losses = self.model.losses(&tensors, &self.seeds, self.step)?;
        let store = losses.sum_all()?.backward()?;
        let gradients = self.tensors.iter().map(|var| match store.get(var) {
            Some(gradient) => Ok(gradient.clone()),
            None => Ok(var.as_tensor().zeros_like()?),
        });
        let losses = losses.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.to_vec1::<f64>()?;
        Ok((losses, gradients.collect::<Result<_>>()?))
    }

    /// Adds `λ(a·sign(w) + 2b·w)`.
    fn penalised(&self, gradients: Vec<Tensor>) -> Result<Vec<Tensor>> {
        if self.penalties.iter().all(|p| p.strength.at(self.step) == 0.0) {
            return Ok(gradients);
        }
        let mut at = 0;
        let mut all = Vec::new();
        for ((gradient, var), shape) in gradients.iter().zip(&self.tensors).zip(&self.shapes) {
            let len: usize = shape.iter().product();
            #[allow(clippy::type_complexity)] // coefficients and the factor of one kind
            let coefficients = |pick: &dyn Fn(&Penalty<T>) -> (&Vec<T>, f64)| -> Result<Tensor> {
                let mut values = Vec::with_capacity(len * self.penalties.len());
                for penalty in &self.penalties {
                    let (c, factor) = pick(penalty);
                    let factor = T::of(factor * penalty.strength.at(self.step));
                    match c.get(at..at + len) {
                        Some(c) => values.extend(c.iter().map(|&c| c * factor)),
                        None => values.extend(std::iter::repeat_n(T::of(0.0), len)),
                    }
                }
                Ok(Tensor::from_vec(values, var.shape(), &Device::Cpu)?.to_device(&self.device)?)
            };
            let w = var.as_tensor();
            let absolute = coefficients(&|p| (&p.absolute, 1.0))?.mul(&w.sign()?)?;
            let square = coefficients(&|p| (&p.square, 2.0))?.mul(w)?;
            all.push(((gradient + absolute)? + square)?);
            at += len;
        }
        Ok(all)
    }

    fn adam(&mut self, gradients: &[Tensor]) -> Result<()> {
        let adam = self.training.adam;
        let rate = self.training.rate.at(self.step);
        self.step += 1;
        let correct = |beta: f64| 1.0 / (1.0 - beta.powi(self.step.min(i32::MAX as usize) as i32));
        let (b1, b2) = adam.betas;
        for (i, g) in gradients.iter().enumerate() {
            self.first[i] = ((&self.first[i] * b1)? + (g * (1.0 - b1))?)?;
            self.second[i] = ((&self.second[i] * b2)? + (g.sqr()? * (1.0 - b2))?)?;
            let root = ((&self.second[i] * correct(b2))?.sqrt()? + adam.epsilon)?;
            let change = ((&self.first[i] * (rate * correct(b1)))? / root)?;
            let w = (self.tensors[i].as_tensor() * (1.0 - rate * adam.weight_decay))?;
            self.tensors[i].set(&(w - change)?)?;
        }
        Ok(())
    }

    fn flat(&self, tensors: &[Tensor], member: usize) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for tensor in tensors {
            all.extend(tensor.get(member)?.flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<T>()?);
        }
        Ok(all)
    }

    fn parameters(&self) -> Vec<Tensor> {
        self.tensors.iter().map(|v| v.as_tensor().clone()).collect()
    }

    /// `tensors` with member `member`'s values replaced.
    fn replaced(&self, tensors: &[Tensor], member: usize, values: &[T]) -> Result<Vec<Tensor>> {
        let mut at = 0;
        let each = tensors.iter().zip(&self.shapes).map(|(tensor, shape)| {
            let len: usize = shape.iter().product();
            let own = values.get(at..at + len).with_context(|| format!("a state of {} parameters", values.len()))?;
            at += len;
            let mut all = tensor.flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<T>()?;
            all[member * len..(member + 1) * len].copy_from_slice(own);
            Ok(Tensor::from_vec(all, tensor.shape(), &Device::Cpu)?.to_device(&self.device)?)
        });
        each.collect()
    }
}

impl<T: Float> Engine<T> for Candle<T> {
    fn members(&self) -> usize {
        self.seeds.len()
    }

    fn state(&self, member: usize) -> Result<State<T>> {
        ensure!(member < self.seeds.len(), "member {member} of {}", self.seeds.len());
        Ok(State {
            step: self.step,
            parameters: self.flat(&self.parameters(), member)?,
            first: self.flat(&self.first, member)?,
            second: self.flat(&self.second, member)?,
        })
    }

    /// The step is common to all members: a change of it is a change for all.
    fn edit(&mut self, member: usize, change: &mut dyn FnMut(&mut State<T>)) -> Result<()> {
        let before = self.state(member)?;
        let mut state = before.clone();
        change(&mut state);
        self.step = state.step;
        if state.parameters != before.parameters {
            let new = self.replaced(&self.parameters(), member, &state.parameters)?;
            for (var, tensor) in self.tensors.iter().zip(new) {
                var.set(&tensor)?;
            }
        }
        if state.first != before.first {
            self.first = self.replaced(&self.first, member, &state.first)?;
        }
        if state.second != before.second {
            self.second = self.replaced(&self.second, member, &state.second)?;
        }
        Ok(())
    }

    fn penalise(&mut self, member: usize, penalty: Penalty<T>) -> Result<()> {
        let members = self.seeds.len();
        let slot = self.penalties.get_mut(member).with_context(|| format!("member {member} of {members}"))?;
        *slot = penalty;
        Ok(())
    }

    fn advance(&mut self, steps: usize) -> Result<Vec<Advance>> {
        let start = Advance { step: self.step, loss: 0.0, last: f64::NAN, failed: None };
        let mut advances = vec![start; self.seeds.len()];
        let end = self.training.steps.min(self.step.saturating_add(steps));
        let done = (end - self.step.min(end)).max(1) as f64;
        while self.step < end {
            let (losses, gradients) = self.loss_and_gradients()?;
            for (advance, loss) in advances.iter_mut().zip(losses) {
                if !loss.is_finite() && advance.failed.is_none() {
                    advance.failed = Some(self.step);
                }
                (advance.last, advance.loss) = (loss, advance.loss + loss / done);
            }
            let gradients = self.penalised(gradients)?;
            self.adam(&gradients)?;
        }
        for advance in &mut advances {
            advance.step = self.step;
        }
        Ok(advances)
    }

    fn gradients(&mut self) -> Result<Vec<Gradient<T>>> {
        let (losses, gradients) = self.loss_and_gradients()?;
        let gradients = self.penalised(gradients)?;
        let parameters = self.parameters();
        let each = losses.into_iter().enumerate().map(|(p, loss)| {
            let penalty = &self.penalties[p];
            let value = penalty.value(penalty.strength.at(self.step), &self.flat(&parameters, p)?);
            Ok(Gradient { loss, penalty: value, gradient: self.flat(&gradients, p)? })
        });
        each.collect()
    }

    fn outputs(&mut self, inputs: &Inputs<T>) -> Result<Vec<Vec<T>>> {
        let all = self.model.outputs(&self.parameters(), inputs)?.to_device(&Device::Cpu)?;
        (0..self.seeds.len()).map(|p| Ok(all.get(p)?.flatten_all()?.to_vec1::<T>()?)).collect()
    }
}
