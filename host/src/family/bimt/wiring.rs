//! Where neurons are, and what their connections cost: the paper's equations 1 to 3.
//!
//! ```text
//! cost = Σ_links R(|w_oi|·(A·d_oi + l0)) + Σ_loose R(|b|·l0)      d_oi = |x_o − x_i| + |y_o − y_i|
//! ```
//!
//! Weights never move. A layer of n neurons has n slots, each with its place, and a permutation
//! says which neuron sits in which slot; a swap exchanges the slots of two neurons. That is the
//! paper's swap of rows, columns and biases in other words (`naive.rs` does it in the paper's), with
//! two gains: every sum keeps its order, so that outputs are the same bit for bit, and an
//! optimiser's moments stay with their weights.

use anyhow::{Result, ensure};

use crate::engine::{Penalty, Schedule};
use crate::net::{Float, Layer, Network, Role};

/// A place in the unit square; layers along a line have y = 0.
pub type Point = [f64; 2];

/// A layer of neurons; inputs and outputs are layers too.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Place of each slot.
    pub slots: Vec<Point>,
    /// Whether its neurons swap.
    pub swapped: bool,
}

/// A weight matrix `(rows, cols)` between two sheets. Row r belongs to neuron `r mod n` of the sheet
/// that it leads to, column c to neuron `c mod n` of the one that it comes from: folds, such as two
/// tokens or query, key and value, share their neurons.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Index of the first element among the parameters.
    pub at: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Sheet that it comes from.
    pub from: usize,
    /// Sheet that it leads to.
    pub to: usize,
    /// 1 where R is the sum, 1/elements where it is the mean.
    pub scale: f64,
    /// Whether the penalty charges distance here; swaps always do.
    pub local: bool,
    /// `(slots of to, slots of from)` row-major: d
    distance: Vec<f64>,
}

/// Parameters that cost l0 alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Loose {
    /// Index of the first among the parameters.
    pub at: usize,
    /// How many.
    pub len: usize,
    /// As [`Link::scale`].
    pub scale: f64,
    /// Whether they are biases, which some tasks leave free for a while.
    pub bias: bool,
}

/// R of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Σ
    Sum,
    /// Mean over each tensor.
    Mean,
}

/// All that the cost and the swaps need to know of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Wiring {
    /// From inputs to outputs.
    pub sheets: Vec<Sheet>,
    /// Weight matrices.
    pub links: Vec<Link>,
    /// Biases and embeddings.
    pub loose: Vec<Loose>,
    /// Number of parameters.
    parameters: usize,
}

/// Which neuron is where: `slot[sheet][neuron]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Permutations.
    pub slot: Vec<Vec<u32>>,
}

/// Coefficients of the cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Charge {
    /// A: what a unit of distance costs.
    pub distance: f64,
    /// l0: what any connection costs.
    pub any: f64,
    /// Whether biases cost.
    pub biases: bool,
}

/// n slots along a line: x_i = (i + ½)/n.
pub fn line(n: usize) -> Vec<Point> {
    (0..n).map(|i| [(i as f64 + 0.5) / n as f64, 0.0]).collect()
}

/// `(rows, cols)` slots in the unit square, row by row, each in the middle of its cell.
pub fn grid(rows: usize, cols: usize) -> Vec<Point> {
    let middle = |i: usize, n: usize| (i as f64 + 0.5) / n as f64;
    (0..rows * cols).map(|i| [middle(i % cols, cols), middle(i / cols, rows)]).collect()
}

/// n slots in the unit square, row by row, as near to a square as n allows; the last row may be shorter.
pub fn square(n: usize) -> Vec<Point> {
    let rows = (1..=n).take_while(|r| r * r <= n).last().unwrap_or(1);
    let mut slots = grid(rows, n.div_ceil(rows));
    slots.truncate(n);
    slots
}

/// n slots on a circle of radius ¼ about (½, ½).
pub fn ring(n: usize) -> Vec<Point> {
    let angle = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
    (0..n).map(|i| [0.5 + 0.25 * angle(i).cos(), 0.5 + 0.25 * angle(i).sin()]).collect()
}

impl Wiring {
    /// No sheets yet, of a network with that many parameters.
    pub fn new(parameters: usize) -> Self {
        Wiring { sheets: vec![], links: vec![], loose: vec![], parameters }
    }

    /// Adds a sheet and gives its index.
    pub fn sheet(&mut self, slots: Vec<Point>, swapped: bool) -> usize {
        self.sheets.push(Sheet { slots, swapped });
        self.sheets.len() - 1
    }

    /// Adds a weight matrix at `at`, `(rows, cols)`.
    ///
    /// # Errors
    /// Where rows or columns are no folds of the sheets' neurons, or a sheet leads to itself.
    pub fn link(
        &mut self,
        at: usize,
        (rows, cols): (usize, usize),
        (from, to): (usize, usize),
        reduction: Reduction,
    ) -> Result<()> {
        let (f, t) = (&self.sheets[from].slots, &self.sheets[to].slots);
        ensure!(from != to, "a sheet of neurons leads to itself");
        ensure!(cols.is_multiple_of(f.len()), "{cols} columns are no folds of {} neurons", f.len());
        ensure!(rows.is_multiple_of(t.len()), "{rows} rows are no folds of {} neurons", t.len());
        let distance = t.iter().flat_map(|o| f.iter().map(|i| (o[0] - i[0]).abs() + (o[1] - i[1]).abs())).collect();
        let scale = reduction.scale(rows * cols);
        self.links.push(Link { at, rows, cols, from, to, scale, local: true, distance });
        Ok(())
    }

    /// Adds parameters that cost l0 alone.
    pub fn loose(&mut self, at: usize, len: usize, bias: bool, reduction: Reduction) {
        self.loose.push(Loose { at, len, scale: reduction.scale(len), bias });
    }

    /// That of a chain of dense layers, after an embedding or not. `slots` are the places of inputs
    /// (of one fold), hidden layers and outputs.
    ///
    /// # Errors
    /// Where the places do not fit, or a layer is of another kind.
    pub fn of(network: &Network, slots: Vec<Vec<Point>>, reduction: Reduction) -> Result<Self> {
        let mut wiring = Wiring::new(network.parameters());
        for slots in slots {
            wiring.sheet(slots, true);
        }
        let mut from = 0;
        for tensor in network.tensors() {
            match (network.layers()[tensor.layer], tensor.role) {
                (Layer::Dense { .. }, Role::Weight) => {
                    ensure!(from + 1 < wiring.sheets.len(), "places for {} layers are too few", wiring.sheets.len());
                    wiring.link(tensor.at, (tensor.rows, tensor.cols), (from, from + 1), reduction)?;
                    from += 1;
                }
                (Layer::Dense { .. }, Role::Bias) => wiring.loose(tensor.at, tensor.len(), true, reduction),
                (Layer::Embedding { .. }, _) => wiring.loose(tensor.at, tensor.len(), false, reduction),
                (layer, _) => anyhow::bail!("{layer:?} has no places"),
            }
        }
        ensure!(from + 1 == wiring.sheets.len(), "places for {} layers, expected {}", wiring.sheets.len(), from + 1);
        Ok(wiring)
    }

    /// The penalty `strength · cost` as one coefficient a parameter.
    pub fn penalty<T: Float>(&self, places: &Places, charge: &Charge, strength: Schedule) -> Penalty<T> {
        let mut absolute = vec![T::of(0.0); self.parameters];
        self.coefficients(places, charge, |k, a| absolute[k] = T::of(a));
        Penalty { strength, absolute, square: vec![] }
    }

    /// The cost of a network's parameters.
    pub fn cost<T: Float>(&self, places: &Places, charge: &Charge, parameters: &[T]) -> f64 {
        let mut cost = 0.0;
        self.coefficients(places, charge, |k, a| cost += a * parameters[k].f64().abs());
        cost
    }

    /// Gives every charged parameter's index and coefficient to `each`.
    fn coefficients(&self, places: &Places, charge: &Charge, mut each: impl FnMut(usize, f64)) {
        for link in &self.links {
            let distance = if link.local { charge.distance } else { 0.0 };
            for r in 0..link.rows {
                for c in 0..link.cols {
                    let d = link.distance(places, r, c);
                    each(link.at + r * link.cols + c, link.scale * (distance * d + charge.any));
                }
            }
        }
        for loose in self.loose.iter().filter(|l| charge.biases || !l.bias) {
            (loose.at..loose.at + loose.len).for_each(|k| each(k, loose.scale * charge.any));
        }
    }
}

impl Link {
    /// Length of the connection at row `r`, column `c`.
    pub fn distance(&self, places: &Places, r: usize, c: usize) -> f64 {
        let (to, from) = (&places.slot[self.to], &places.slot[self.from]);
        self.distance[to[r % to.len()] as usize * from.len() + from[c % from.len()] as usize]
    }

    /// Lengths from slot `to` to every slot of the sheet that it comes from.
    pub(super) fn distances(&self, to: usize, slots_from: usize) -> &[f64] {
        &self.distance[to * slots_from..][..slots_from]
    }
}

impl Reduction {
    fn scale(self, elements: usize) -> f64 {
        match self {
            Reduction::Sum => 1.0,
            Reduction::Mean => 1.0 / elements.max(1) as f64,
        }
    }
}

impl Places {
    /// Neuron i in slot i.
    pub fn new(wiring: &Wiring) -> Self {
        Places { slot: wiring.sheets.iter().map(|s| (0..s.slots.len() as u32).collect()).collect() }
    }

    /// One vector, sheet after sheet.
    pub fn flat(&self) -> Vec<u32> {
        self.slot.concat()
    }

    /// The places that [`Places::flat`] gave.
    ///
    /// # Errors
    /// Where they are no permutations of the wiring's slots.
    pub fn of(wiring: &Wiring, flat: &[u32]) -> Result<Self> {
        let total: usize = wiring.sheets.iter().map(|s| s.slots.len()).sum();
        ensure!(flat.len() == total, "{} places for {total} neurons", flat.len());
        let mut rest = flat;
        let mut slot = Vec::new();
        for sheet in &wiring.sheets {
            let (these, others) = rest.split_at(sheet.slots.len());
            let mut seen = vec![false; these.len()];
            for &s in these {
                let free = seen.get_mut(s as usize).filter(|seen| !**seen);
                ensure!(free.is_some(), "slot {s} is taken twice or is not there");
                free.into_iter().for_each(|f| *f = true);
            }
            slot.push(these.to_vec());
            rest = others;
        }
        Ok(Places { slot })
    }

    /// Where neuron `j` of a sheet is.
    pub fn point(&self, wiring: &Wiring, sheet: usize, j: usize) -> Point {
        wiring.sheets[sheet].slots[self.slot[sheet][j] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Activation;

    /// 2-2-1 by hand: x = ¼, ¾ and ¼, ¾ and ½.
    #[test]
    fn the_cost_is_the_papers() {
        let network = Network::mlp(&[2, 2, 1], Activation::Silu).unwrap();
        let wiring = Wiring::of(&network, vec![line(2), line(2), line(1)], Reduction::Sum).unwrap();
        let mut places = Places::new(&wiring);
        // weight (2, 2), bias (2), weight (1, 2), bias (1)
        let parameters = [1.0, -2.0, 3.0, 4.0, 5.0, -6.0, 7.0, -8.0, 9.0];
        let charge = Charge { distance: 2.0, any: 0.5, biases: true };
        let weights = (1.0 + 4.0) * 0.5 + (2.0 + 3.0) * (2.0 * 0.5 + 0.5) + (7.0 + 8.0) * (2.0 * 0.25 + 0.5);
        assert_eq!(wiring.cost(&places, &charge, &parameters), weights + 0.5 * (5.0 + 6.0 + 9.0));
        assert_eq!(wiring.cost(&places, &Charge { biases: false, ..charge }, &parameters), weights);
        places.slot[1].swap(0, 1);
        let swapped = (2.0 + 3.0) * 0.5 + (1.0 + 4.0) * 1.5 + 15.0;
        assert_eq!(wiring.cost(&places, &Charge { biases: false, ..charge }, &parameters), swapped);
        let penalty: Penalty<f64> = wiring.penalty(&places, &charge, Schedule::constant(1.0));
        assert_eq!(penalty.value(1.0, &parameters), swapped + 10.0);
        let mean = Wiring::of(&network, vec![line(2), line(2), line(1)], Reduction::Mean).unwrap();
        let expected = (swapped - 15.0) / 4.0 + 15.0 / 2.0 + 0.5 * (11.0 / 2.0 + 9.0);
        assert!((mean.cost(&places, &charge, &parameters) - expected).abs() < 1e-12);
    }

    #[test]
    fn folds_share_their_places() {
        let network = Network::embedded(5, 3, 2, &[6, 4, 5], Activation::Silu).unwrap();
        let wiring = Wiring::of(&network, vec![line(3), line(4), line(5)], Reduction::Mean).unwrap();
        let places = Places::new(&wiring);
        for r in 0..4 {
            for c in 0..3 {
                assert_eq!(wiring.links[0].distance(&places, r, c), wiring.links[0].distance(&places, r, c + 3));
            }
        }
        assert_eq!((wiring.loose[0].len, wiring.loose[0].bias), (15, false));
        assert!(Wiring::of(&network, vec![line(4), line(4), line(5)], Reduction::Sum).is_err());
        assert!(Wiring::of(&network, vec![line(3), line(4)], Reduction::Sum).is_err());
    }

    #[test]
    fn places_are_read_back_or_refused() {
        let network = Network::mlp(&[2, 3, 1], Activation::Silu).unwrap();
        let wiring = Wiring::of(&network, vec![line(2), line(3), line(1)], Reduction::Sum).unwrap();
        let mut places = Places::new(&wiring);
        places.slot[1].swap(0, 2);
        assert_eq!(Places::of(&wiring, &places.flat()).unwrap(), places);
        for wrong in [&[0, 1, 0, 1, 1, 0][..], &[0, 1, 0, 1, 3, 0], &[0, 1, 0, 1, 2]] {
            assert!(Places::of(&wiring, wrong).is_err());
        }
    }
}
