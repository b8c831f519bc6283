//! Pruning: weights below a threshold become 0, and what is left is a graph to read.
//!
//! Biases and embeddings stay: a neuron whose inputs are gone still gives a constant.

use super::modularity::{Modules, modules};
use super::wiring::Wiring;
use crate::net::Float;

/// What pruning leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// Weights that are not 0.
    pub weights: usize,
    /// Weights in all.
    pub of: usize,
    /// Neurons of each hidden sheet with a weight in and a weight out.
    pub active: Vec<usize>,
    /// Modules of the neurons, sheets one after the other.
    pub modules: Modules,
}

/// Sets weights with |w| < `threshold` to 0.
pub fn prune<T: Float>(wiring: &Wiring, parameters: &mut [T], threshold: f64) {
    for link in &wiring.links {
        for w in &mut parameters[link.at..][..link.rows * link.cols] {
            if w.f64().abs() < threshold {
                *w = T::of(0.0);
            }
        }
    }
}

/// Connections that are not 0: (neuron it comes from, neuron it leads to, weight), neurons numbered
/// over all sheets; the folds of one pair are one connection of Σ|w|.
pub fn edges<T: Float>(wiring: &Wiring, parameters: &[T]) -> Vec<(usize, usize, f64)> {
    let first = firsts(wiring);
    let mut edges = std::collections::BTreeMap::new();
    for link in &wiring.links {
        let (from, to) = (wiring.sheets[link.from].slots.len(), wiring.sheets[link.to].slots.len());
        for r in 0..link.rows {
            for c in 0..link.cols {
                let w = parameters[link.at + r * link.cols + c].f64().abs();
                if w > 0.0 {
                    *edges.entry((first[link.from] + c % from, first[link.to] + r % to)).or_insert(0.0) += w;
                }
            }
        }
    }
    edges.into_iter().map(|((a, b), w)| (a, b, w)).collect()
}

/// What is left of pruned parameters.
pub fn left<T: Float>(wiring: &Wiring, parameters: &[T]) -> Left {
    let first = firsts(wiring);
    let nodes = wiring.sheets.iter().map(|s| s.slots.len()).sum();
    let edges = edges(wiring, parameters);
    let (mut comes, mut goes) = (vec![false; nodes], vec![false; nodes]);
    for &(a, b, _) in &edges {
        goes[a] = true;
        comes[b] = true;
    }
    let hidden = 1..wiring.sheets.len().saturating_sub(1);
    let active = hidden.map(|s| {
        let n = wiring.sheets[s].slots.len();
        (first[s]..first[s] + n).filter(|&i| comes[i] && goes[i]).count()
    });
    let weights =
        wiring.links.iter().map(|l| parameters[l.at..][..l.rows * l.cols].iter().filter(|w| w.f64() != 0.0).count());
    Left {
        weights: weights.sum(),
        of: wiring.links.iter().map(|l| l.rows * l.cols).sum(),
        active: active.collect(),
        modules: modules(nodes, &edges),
    }
}

/// Number of the first neuron of each sheet.
fn firsts(wiring: &Wiring) -> Vec<usize> {
    let mut next = 0;
    wiring
        .sheets
        .iter()
        .map(|s| {
            let first = next;
            next += s.slots.len();
            first
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::wiring::{Reduction, line};
    use super::*;
    use crate::net::{Activation, Network};

    #[test]
    fn small_weights_go_and_the_rest_is_counted() {
        let network = Network::mlp(&[2, 3, 1], Activation::Silu).unwrap();
        let wiring = Wiring::of(&network, vec![line(2), line(3), line(1)], Reduction::Sum).unwrap();
        // Weights (3, 2), biases (3), weights (1, 3), bias (1): neuron 0 whole, 1 without an output, 2 dead.
        let mut parameters = [0.5, 0.009, -0.01, 0.3, 0.001, 0.0, 1e-9, 2.0, 3.0, -0.7, 0.002, 0.004, 4.0];
        prune(&wiring, &mut parameters, 0.01);
        assert_eq!(parameters, [0.5, 0.0, -0.01, 0.3, 0.0, 0.0, 1e-9, 2.0, 3.0, -0.7, 0.0, 0.0, 4.0]);
        let left = left(&wiring, &parameters);
        assert_eq!((left.weights, left.of, left.active.clone()), (4, 9, vec![1]));
        assert_eq!(edges(&wiring, &parameters), [(0, 2, 0.5), (0, 3, 0.01), (1, 3, 0.3), (2, 5, 0.7)]);
    }
}
