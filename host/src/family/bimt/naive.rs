//! The oracle of `swap.rs`: swaps as the authors' program makes them. Rows, columns and biases move
//! in memory, inputs and outputs are permuted, and each try computes the whole cost anew.

use proptest::prelude::*;

use super::swap::{scores, swap};
use super::wiring::{Charge, Places, Reduction, Wiring, grid, line};
use crate::engine::Schedule;
use crate::net::{Activation, Layer, Network, Role};
use crate::rng::Rng;

/// A network whose memory order is the order of places.
#[derive(Clone)]
struct Moved {
    network: Network,
    parameters: Vec<f64>,
    /// `neuron[sheet][slot]`: who is where
    neuron: Vec<Vec<usize>>,
}

impl Moved {
    /// Exchanges slots a and b of a sheet: incoming rows and bias, or the embedding's columns;
    /// outgoing columns of every fold.
    fn exchange(&mut self, sheet: usize, a: usize, b: usize) {
        let n = self.neuron[sheet].len();
        let mut reached = 0;
        for t in self.network.tensors() {
            let index = |r: usize, c: usize| t.at + r * t.cols + c;
            match (self.network.layers()[t.layer], t.role) {
                (Layer::Embedding { .. }, _) if sheet == 0 => {
                    (0..t.rows).for_each(|r| self.parameters.swap(index(r, a), index(r, b)));
                }
                (Layer::Dense { .. }, Role::Weight) => {
                    if reached == sheet {
                        for r in 0..t.rows {
                            (0..t.cols / n)
                                .for_each(|f| self.parameters.swap(index(r, f * n + a), index(r, f * n + b)));
                        }
                    }
                    reached += 1;
                    if reached == sheet {
                        (0..t.cols).for_each(|c| self.parameters.swap(index(a, c), index(b, c)));
                    }
                }
                (Layer::Dense { .. }, Role::Bias) if reached == sheet => self.parameters.swap(t.at + a, t.at + b),
                _ => {}
            }
        }
        self.neuron[sheet].swap(a, b);
    }

    /// All of the cost, every neuron in the slot where it lies in memory.
    fn cost(&self, wiring: &Wiring) -> f64 {
        wiring.cost(&Places::new(wiring), &Charge { distance: 1.0, any: 0.25, biases: true }, &self.parameters)
    }

    fn swap(&mut self, wiring: &Wiring, top: usize) {
        for sheet in 0..self.neuron.len() {
            let n = self.neuron[sheet].len();
            // Parameters lie in the order of slots here; of equals the neuron with the lower number is first.
            let score = scores(wiring, &self.parameters, sheet);
            let mut slots: Vec<usize> = (0..n).collect();
            let who = &self.neuron[sheet];
            slots.sort_by(|&a, &b| score[b].total_cmp(&score[a]).then(who[a].cmp(&who[b])));
            let neurons: Vec<usize> = slots.into_iter().map(|s| who[s]).collect();
            for j in neurons.into_iter().take(top) {
                let at = self.neuron[sheet].iter().position(|&x| x == j).expect("every neuron has a slot");
                let costs: Vec<f64> = (0..n)
                    .map(|k| {
                        self.exchange(sheet, at, k);
                        let cost = self.cost(wiring);
                        self.exchange(sheet, at, k);
                        cost
                    })
                    .collect();
                let mut best = at;
                for k in 0..n {
                    if costs[k] < costs[best] {
                        best = k;
                    }
                }
                self.exchange(sheet, at, best);
            }
        }
    }

    /// Outputs in the original order, on values in the original order or, after an embedding, on tokens.
    fn outputs(&self, x: &[f64]) -> Vec<f64> {
        let first = &self.neuron[0];
        let mut x: Vec<f64> = match self.network.layers()[0] {
            Layer::Embedding { width, folds, .. } => {
                (0..folds).flat_map(|f| &self.parameters[(2 * f + 1) * width..][..width]).copied().collect()
            }
            _ => first.iter().map(|&neuron| x[neuron]).collect(),
        };
        let tensors: Vec<_> = self.network.tensors().iter().filter(|t| t.role != Role::Embedding).collect();
        for (i, pair) in tensors.chunks(2).enumerate() {
            if i > 0 {
                x.iter_mut().for_each(|x| *x = x.max(0.0));
            }
            let (w, b) = (&self.parameters[pair[0].range()], &self.parameters[pair[1].range()]);
            x = w
                .chunks(pair[0].cols)
                .zip(b)
                .map(|(w, b)| w.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>() + b)
                .collect();
        }
        let last = &self.neuron[self.neuron.len() - 1];
        let mut y = vec![0.0; x.len()];
        last.iter().zip(x).for_each(|(&neuron, x)| y[neuron] = x);
        y
    }
}

/// A network with weights that are multiples of 1/64 below 16 and slots whose places are binary
/// fractions: all sums are exact, so that equal costs are equal and the order of sums is nothing.
fn case(seed: u64, kind: usize) -> (Network, Wiring, Vec<f64>) {
    let mut rng = Rng::new(seed, "case", 0);
    let folded = Network::embedded(4, 4, 2, &[8, 8, 4], Activation::Relu);
    let (network, slots) = match kind {
        0 => (Network::mlp(&[4, 8, 16, 2], Activation::Relu), vec![line(4), line(8), line(16), line(2)]),
        1 => (folded, vec![line(4), line(8), line(4)]),
        _ => (Network::mlp(&[16, 8, 4], Activation::Relu), vec![grid(4, 4), grid(2, 4), line(4)]),
    };
    let network = network.unwrap();
    let reduction = if rng.below(2) == 0 { Reduction::Sum } else { Reduction::Mean };
    let wiring = Wiring::of(&network, slots, reduction).unwrap();
    let zeros = rng.below(3);
    let mut weight = || if rng.below(4) < zeros { 0.0 } else { (rng.below(2048) as f64 - 1024.0) / 64.0 };
    let parameters = (0..network.parameters()).map(|_| weight()).collect();
    (network, wiring, parameters)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn swaps_choose_as_the_authors_program_does_and_change_no_output(seed: u64, kind in 0usize..3, top in 1usize..20) {
        let (network, wiring, parameters) = case(seed, kind);
        let neuron = wiring.sheets.iter().map(|s| (0..s.slots.len()).collect()).collect();
        let mut moved = Moved { network: network.clone(), parameters: parameters.clone(), neuron };
        let mut places = Places::new(&wiring);
        let inputs: Vec<f64> = (0..network.layers()[0].inputs()).map(|i| (i * 7 % 16) as f64 - 8.0).collect();
        let before = moved.outputs(&inputs);
        let mut cost = moved.cost(&wiring);
        for _ in 0..2 {
            moved.swap(&wiring, top);
            swap(&wiring, &mut places, &parameters, top);
            for (slot, neuron) in places.slot.iter().zip(&moved.neuron) {
                let expected: Vec<usize> = slot.iter().map(|&s| s as usize).collect();
                let by_slot: Vec<usize> =
                    (0..slot.len()).map(|j| neuron.iter().position(|&x| x == j).unwrap()).collect();
                prop_assert_eq!(expected, by_slot);
            }
            // The function is the same, and so is the cost, whichever way it is told.
            prop_assert_eq!(moved.outputs(&inputs), before.clone());
            let charge = Charge { distance: 1.0, any: 0.25, biases: true };
            let now = wiring.cost(&places, &charge, &parameters);
            prop_assert_eq!(now, moved.cost(&wiring));
            prop_assert!(now <= cost);
            cost = now;
            let penalty = wiring.penalty::<f64>(&places, &charge, Schedule::constant(1.0));
            prop_assert_eq!(penalty.value(1.0, &parameters), now);
        }
    }
}
