//! Samples of every task, drawn from a member's seed.
//!
//! Values are drawn in f64; labels follow the formulas of [`Task`](super::Task). Streams of their own
//! (`bimt train`, `bimt test`, `bimt split`) keep training and test samples apart.

use std::sync::Arc;

use super::task::{PERMUTATIONS, PRIME, Task};
use crate::data::mnist::{Digits, Mnist};
use crate::engine::{Inputs, Samples, Targets};
use crate::net::Float;
use crate::rng::Rng;

/// Training and test samples.
#[derive(Clone, Debug)]
pub struct Data<T> {
    /// What is trained on.
    pub train: Arc<Samples<T>>,
    /// What is held out.
    pub test: Arc<Samples<T>>,
}

/// Training samples and as many test samples of a formula.
const FORMULA_SAMPLES: usize = 100;
/// Two moons: training samples and as many test samples, and the deviation of their noise.
const MOONS: (usize, f64) = (200, 0.1);
/// In-context regression: number of slopes w.
pub const SLOPES: usize = 10_000;
/// Share of all pairs, or of all slopes, that is trained on.
const TRAINED: f64 = 0.8;

impl<T: Float> Data<T> {
    /// Of a task that draws its samples: all but MNIST.
    pub fn drawn(task: Task, seed: u64) -> Data<T> {
        match task {
            Task::TwoMoons => Data::of(moons(seed, "bimt train"), moons(seed, "bimt test")),
            Task::ModularAddition => Data::pairs(PRIME, seed, |a, b| (a + b) % PRIME),
            Task::S4 => {
                let table = products();
                Data::pairs(PERMUTATIONS, seed, |a, b| table[a * PERMUTATIONS + b])
            }
            Task::InContext => {
                let all = contexts(seed);
                let trained = (TRAINED * SLOPES as f64) as usize;
                Data::of(part(&all, 0..trained), part(&all, trained..SLOPES))
            }
            _ => Data::of(formula(task, seed, "bimt train"), formula(task, seed, "bimt test")),
        }
    }

    /// MNIST with pixels in 0..=1 and one-hot targets.
    pub fn mnist(mnist: &Mnist) -> Data<T> {
        Data::of(digits(&mnist.train), digits(&mnist.test))
    }

    /// The same with held-out samples that are not those of the test: drawn anew of a formula, else a sixth of the
    /// training samples.
    pub fn for_a_choice(&self, task: Task, seed: u64) -> Data<T> {
        let test = match task {
            Task::TwoMoons => moons(seed, "bimt choice"),
            Task::Independence | Task::Sharing | Task::Compositional => formula(task, seed, "bimt choice"),
            _ => return Data::of(every(&self.train, |i| i % 6 != 5), every(&self.train, |i| i % 6 == 5)),
        };
        Data { train: self.train.clone(), test: Arc::new(test) }
    }

    fn of(train: Samples<T>, test: Samples<T>) -> Data<T> {
        Data { train: Arc::new(train), test: Arc::new(test) }
    }

    /// All pairs of n tokens, 80 % of them in the order of a permutation to train on.
    fn pairs(n: usize, seed: u64, product: impl Fn(usize, usize) -> usize) -> Data<T> {
        let order = Rng::new(seed, "bimt split", 0).permutation(n * n);
        let trained = (TRAINED * (n * n) as f64) as usize;
        let (mut train, mut test) = (order[..trained].to_vec(), order[trained..].to_vec());
        train.sort_unstable();
        test.sort_unstable();
        let of = |rows: &[usize]| Samples {
            inputs: Inputs::Tokens {
                folds: 2,
                data: rows.iter().flat_map(|r| [(r / n) as u32, (r % n) as u32]).collect(),
            },
            targets: Targets::Classes(rows.iter().map(|r| product(r / n, r % n) as u32).collect()),
        };
        Data::of(of(&train), of(&test))
    }
}

/// x in U(−1, 1) and the formula's values.
fn formula<T: Float>(task: Task, seed: u64, stream: &str) -> Samples<T> {
    let (inputs, outputs) = match task {
        Task::Sharing => (3, 3),
        Task::Compositional => (4, 1),
        _ => (4, 2),
    };
    let mut rng = Rng::new(seed, stream, 0);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..FORMULA_SAMPLES {
        let v: Vec<f64> = (0..inputs).map(|_| 2.0 * f64::from(rng.uniform()) - 1.0).collect();
        y.extend(value(task, &v).into_iter().map(T::of));
        x.extend(v.into_iter().map(T::of));
    }
    Samples { inputs: Inputs::Values { width: inputs, data: x }, targets: Targets::Values { width: outputs, data: y } }
}

/// A formula's values at x.
pub fn value(task: Task, x: &[f64]) -> Vec<f64> {
    match *x {
        [a, b, c, d] if task == Task::Compositional => vec![((a - b).powi(2) + (c - d).powi(2)).sqrt()],
        [a, b, c, d] => vec![(a + c).powi(3), b * b + (std::f64::consts::PI * d).sin()],
        [a, b, c] => vec![a * a, a * a + b * b, a * a + b * b + c * c],
        _ => vec![],
    }
}

/// Half circles `(cos t, sin t)` and `(1 − cos t, ½ − sin t)`, t evenly from 0 to π, with normal noise.
fn moons<T: Float>(seed: u64, stream: &str) -> Samples<T> {
    let (n, noise) = MOONS;
    let mut rng = Rng::new(seed, stream, 0);
    let (mut x, mut classes) = (Vec::new(), Vec::new());
    for i in 0..n {
        let inner = i >= n / 2;
        let t = std::f64::consts::PI * (i % (n / 2)) as f64 / (n / 2 - 1) as f64;
        let (a, b) = if inner { (1.0 - t.cos(), 0.5 - t.sin()) } else { (t.cos(), t.sin()) };
        x.extend([a, b].map(|v| T::of(v + noise * f64::from(rng.normal()))));
        classes.push(u32::from(inner));
    }
    Samples { inputs: Inputs::Values { width: 2, data: x }, targets: Targets::Classes(classes) }
}

/// The permutations of 4 letters in lexicographic order.
pub fn permutations() -> Vec<[usize; 4]> {
    let mut all = Vec::new();
    for code in 0..256 {
        let p = [code / 64, code / 16 % 4, code / 4 % 4, code % 4];
        if (0..4).all(|letter| p.contains(&letter)) {
            all.push(p);
        }
    }
    all
}

/// `(24, 24)`: the number of `a ∘ b`, (a ∘ b)(i) = a(b(i)).
fn products() -> Vec<usize> {
    let all = permutations();
    let of = |p: [usize; 4]| all.iter().position(|q| *q == p).unwrap_or_default();
    all.iter().flat_map(|a| all.iter().map(|b| of(b.map(|i| a[i]))).collect::<Vec<_>>()).collect()
}

/// Tokens (0, x1), (y1, 0), (0, x2) with y = wx, w in U(−1, 1), x in U(1, 3); targets y1 and y2.
fn contexts<T: Float>(seed: u64) -> Samples<T> {
    let mut rng = Rng::new(seed, "bimt train", 0);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..SLOPES {
        let w = 2.0 * f64::from(rng.uniform()) - 1.0;
        let [a, b] = [(); 2].map(|()| 1.0 + 2.0 * f64::from(rng.uniform()));
        x.extend([0.0, a, w * a, 0.0, 0.0, b].map(T::of));
        y.extend([w * a, w * b].map(T::of));
    }
    Samples { inputs: Inputs::Values { width: 6, data: x }, targets: Targets::Values { width: 2, data: y } }
}

/// Rows of samples of values.
fn part<T: Float>(all: &Samples<T>, rows: std::ops::Range<usize>) -> Samples<T> {
    let cut = |width: &usize, data: &[T]| data[rows.start * width..rows.end * width].to_vec();
    let inputs = match &all.inputs {
        Inputs::Values { width, data } => Inputs::Values { width: *width, data: cut(width, data) },
        Inputs::Tokens { folds, data } => {
            Inputs::Tokens { folds: *folds, data: data[rows.start * folds..rows.end * folds].to_vec() }
        }
    };
    let targets = match &all.targets {
        Targets::Values { width, data } => Targets::Values { width: *width, data: cut(width, data) },
        Targets::Classes(classes) => Targets::Classes(classes[rows].to_vec()),
    };
    Samples { inputs, targets }
}

/// The samples whose index is `wanted`.
fn every<T: Float>(all: &Samples<T>, wanted: impl Fn(usize) -> bool) -> Samples<T> {
    fn rows<V: Copy>(data: &[V], width: usize, wanted: impl Fn(usize) -> bool) -> Vec<V> {
        let rows = data.chunks(width.max(1)).enumerate().filter(|(i, _)| wanted(*i));
        rows.flat_map(|(_, row)| row.iter().copied()).collect()
    }
    let inputs = match &all.inputs {
        Inputs::Values { width, data } => Inputs::Values { width: *width, data: rows(data, *width, &wanted) },
        Inputs::Tokens { folds, data } => Inputs::Tokens { folds: *folds, data: rows(data, *folds, &wanted) },
    };
    let targets = match &all.targets {
        Targets::Values { width, data } => Targets::Values { width: *width, data: rows(data, *width, &wanted) },
        Targets::Classes(classes) => Targets::Classes(rows(classes, 1, &wanted)),
    };
    Samples { inputs, targets }
}

fn digits<T: Float>(digits: &Digits) -> Samples<T> {
    let one_hot = digits.labels.iter().flat_map(|&l| (0..10).map(move |d| T::of(f64::from(u8::from(d == l)))));
    Samples {
        inputs: Inputs::Values {
            width: digits.pixels.len() / digits.len().max(1),
            data: digits.pixels.iter().map(|&p| T::of(f64::from(p) / 255.0)).collect(),
        },
        targets: Targets::Values { width: 10, data: one_hot.collect() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<T: Float>(samples: &Samples<T>) -> (&[T], &[T]) {
        match (&samples.inputs, &samples.targets) {
            (Inputs::Values { data: x, .. }, Targets::Values { data: y, .. }) => (x, y),
            _ => panic!("values are expected"),
        }
    }

    #[test]
    fn seeds_and_parts_differ_and_are_repeated() {
        let a: Data<f32> = Data::drawn(Task::Independence, 3);
        assert_eq!(a.train, Data::<f32>::drawn(Task::Independence, 3).train);
        assert_ne!(a.train, a.test);
        assert_ne!(a.train, Data::<f32>::drawn(Task::Independence, 4).train);
        let (x, y) = values(&a.train);
        assert_eq!((x.len(), y.len()), (400, 200));
        assert!(x.iter().all(|x| (-1.0..1.0).contains(x)));
        let cube = f64::from(x[0] + x[2]).powi(3);
        assert!((f64::from(y[0]) - cube).abs() < 1e-5, "{} {cube}", y[0]);
    }

    #[test]
    fn s4_is_a_group_and_not_a_commutative_one() {
        let table = products();
        let row = |a: usize| table[a * 24..][..24].to_vec();
        assert_eq!(row(0), (0..24).collect::<Vec<_>>(), "the first permutation is the identity");
        for a in 0..24 {
            let mut sorted = row(a);
            sorted.sort_unstable();
            assert_eq!(sorted, (0..24).collect::<Vec<_>>(), "row {a} has every element once");
            for b in 0..24 {
                for c in 0..24 {
                    assert_eq!(table[table[a * 24 + b] * 24 + c], table[a * 24 + table[b * 24 + c]]);
                }
            }
        }
        assert!((0..576).any(|i| table[i] != table[i % 24 * 24 + i / 24]));
    }

    #[test]
    fn pairs_are_split_without_overlap() {
        let data: Data<f64> = Data::drawn(Task::ModularAddition, 1);
        let (Inputs::Tokens { data: train, .. }, Inputs::Tokens { data: test, .. }) =
            (&data.train.inputs, &data.test.inputs)
        else {
            panic!("tokens are expected")
        };
        assert_eq!((data.train.len(), data.test.len()), (2784, 697));
        let mut all: Vec<_> = train.chunks(2).chain(test.chunks(2)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 59 * 59);
        let Targets::Classes(classes) = &data.test.targets else { panic!("classes are expected") };
        assert!(test.chunks(2).zip(classes).all(|(t, c)| (t[0] + t[1]) % 59 == *c));
    }

    #[test]
    fn a_choice_sees_no_test_sample() {
        let data: Data<f64> = Data::drawn(Task::S4, 2);
        let choice = data.for_a_choice(Task::S4, 2);
        assert_eq!((choice.train.len(), choice.test.len()), (384, 76));
        let tokens = |samples: &Samples<f64>| match &samples.inputs {
            Inputs::Tokens { data, .. } => data.chunks(2).map(<[u32]>::to_vec).collect::<Vec<_>>(),
            Inputs::Values { .. } => vec![],
        };
        let mut all = [tokens(&choice.train), tokens(&choice.test)].concat();
        all.sort_unstable();
        assert_eq!(all, tokens(&data.train));
        let moons: Data<f32> = Data::drawn(Task::TwoMoons, 2);
        let choice = moons.for_a_choice(Task::TwoMoons, 2);
        assert_eq!(choice.train, moons.train);
        assert_ne!(choice.test, moons.test);
    }

    #[test]
    fn contexts_tell_the_slope() {
        let data: Data<f64> = Data::drawn(Task::InContext, 1);
        let (x, y) = values(&data.test);
        assert_eq!((data.train.len(), data.test.len()), (8000, 2000));
        for (x, y) in x.chunks(6).zip(y.chunks(2)) {
            assert_eq!([x[0], x[3], x[4]], [0.0; 3]);
            assert_eq!(x[2], y[0]);
            assert!((x[2] / x[1] * x[5] - y[1]).abs() < 1e-12 && (1.0..3.0).contains(&x[5]));
        }
    }
}
