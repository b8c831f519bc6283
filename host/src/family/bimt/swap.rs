//! Swaps: important neurons take the places that make connections shortest.
//!
//! In every sheet, one after the other: the neurons with the largest Σ|w_in| + Σ|w_out|, each in
//! turn, exchange places with whichever neuron of the sheet makes the cost least (itself: none).
//!
//! What a neuron's connections cost in a slot does not depend on where its own sheet's other
//! neurons are, for no connection joins two of them. So one table does for a sheet,
//!
//! ```text
//! C[j][s] = Σ_links R Σ |w|·d(s, slot of the other end)      (neurons, slots)
//! ```
//!
//! and a swap of j and k changes the cost by `C[j][s_k] + C[k][s_j] − C[j][s_j] − C[k][s_k]`. The
//! l0 terms depend on no place. The authors' program computes all of the cost anew for each try:
//! `naive.rs` does, and tests hold the two to the same choices.

use super::wiring::{Places, Wiring};
use crate::net::Float;

/// Swaps in every sheet that swaps, from inputs to outputs; `top` neurons a sheet. Gives the number
/// of swaps.
pub fn swap<T: Float>(wiring: &Wiring, places: &mut Places, parameters: &[T], top: usize) -> usize {
    let swapped = (0..wiring.sheets.len()).filter(|&s| wiring.sheets[s].swapped);
    swapped.collect::<Vec<_>>().into_iter().map(|s| swap_sheet(wiring, places, parameters, top, s)).sum()
}

fn swap_sheet<T: Float>(wiring: &Wiring, places: &mut Places, parameters: &[T], top: usize, sheet: usize) -> usize {
    let n = wiring.sheets[sheet].slots.len();
    let costs = table(wiring, places, parameters, sheet);
    let cost = |neuron: usize, slot: u32| costs[neuron * n + slot as usize];
    let mut swaps = 0;
    for j in important(wiring, parameters, sheet).into_iter().take(top) {
        let slot = &mut places.slot[sheet];
        let gain = |k: usize| cost(j, slot[k]) + cost(k, slot[j]) - cost(j, slot[j]) - cost(k, slot[k]);
        // The first of equals in the order of slots, as the paper's argmin has it; j itself changes nothing.
        let best = (0..n).filter(|&k| k != j).map(|k| (gain(k), slot[k], k)).filter(|b| b.0 < 0.0);
        if let Some((.., k)) = best.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))) {
            slot.swap(j, k);
            swaps += 1;
        }
    }
    swaps
}

/// Neurons of a sheet by their scores, the largest first, the first of equals first.
fn important<T: Float>(wiring: &Wiring, parameters: &[T], sheet: usize) -> Vec<usize> {
    let score = scores(wiring, parameters, sheet);
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[b].total_cmp(&score[a]).then(a.cmp(&b)));
    order
}

/// Σ|w_in| + Σ|w_out| of a sheet's neurons.
pub(super) fn scores<T: Float>(wiring: &Wiring, parameters: &[T], sheet: usize) -> Vec<f64> {
    let n = wiring.sheets[sheet].slots.len();
    let mut score = vec![0.0; n];
    for link in &wiring.links {
        let weights = parameters[link.at..][..link.rows * link.cols].chunks(link.cols);
        for (r, row) in weights.enumerate() {
            if link.to == sheet {
                score[r % n] += row.iter().map(|w| w.f64().abs()).sum::<f64>();
            }
            if link.from == sheet {
                row.iter().enumerate().for_each(|(c, w)| score[c % n] += w.f64().abs());
            }
        }
    }
    score
}

/// C: `(neurons, slots)` row-major.
fn table<T: Float>(wiring: &Wiring, places: &Places, parameters: &[T], sheet: usize) -> Vec<f64> {
    let n = wiring.sheets[sheet].slots.len();
    let mut costs = vec![0.0; n * n];
    for link in wiring.links.iter().filter(|l| l.to == sheet || l.from == sheet) {
        let incoming = link.to == sheet;
        let other = &places.slot[if incoming { link.from } else { link.to }];
        // |w| between neuron j of this sheet and what is in slot t of the other, folds together.
        let mut between = vec![0.0; n * other.len()];
        let weights = parameters[link.at..][..link.rows * link.cols].chunks(link.cols);
        for (r, row) in weights.enumerate() {
            for (c, w) in row.iter().enumerate() {
                let (j, t) = if incoming { (r % n, c % other.len()) } else { (c % n, r % other.len()) };
                between[j * other.len() + other[t] as usize] += link.scale * w.f64().abs();
            }
        }
        for (costs, between) in costs.chunks_mut(n).zip(between.chunks(other.len())) {
            if incoming {
                for (s, cost) in costs.iter_mut().enumerate() {
                    let distances = link.distances(s, other.len());
                    *cost += between.iter().zip(distances).map(|(w, d)| w * d).sum::<f64>();
                }
            } else {
                for (t, &w) in between.iter().enumerate().filter(|(_, w)| **w > 0.0) {
                    costs.iter_mut().zip(link.distances(t, n)).for_each(|(cost, d)| *cost += w * d);
                }
            }
        }
    }
    costs
}
