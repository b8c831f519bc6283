//! W₁ between two sets of n points: `min over permutations π of (1/n) Σ_i ‖x_i − y_π(i)‖₂`, exactly.
//!
//! The assignment is found by shortest augmenting paths (Jonker and Volgenant, Computing 38, 1987): column
//! and augmenting row reduction give most of it, Dijkstra's search with potentials the rest; O(n³) at
//! worst. Dual potentials u, v with `u_i + v_j ≤ c_ij` come along: their sum is the cost, which proves it.

use multiversion::multiversion;

/// A minimum-weight matching and its proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Matching {
    /// Column of each row.
    pub column: Vec<usize>,
    /// `Σ c[i][column[i]]`
    pub cost: f64,
    /// v, one a column; `u_i = c[i][column[i]] − v[column[i]]`.
    pub potential: Vec<f64>,
}

const NONE: usize = usize::MAX;

/// Matches rows to columns of `cost` `(n, n)`.
///
/// # Panics
/// Where `cost` is not square, or a cost is not finite.
pub fn assign(cost: &[f64], n: usize) -> Matching {
    assert_eq!(cost.len(), n * n, "{} costs for {n} rows", cost.len());
    assert!(cost.iter().all(|c| c.is_finite()), "a cost is not finite");
    let row = |i: usize| &cost[i * n..(i + 1) * n];
    let (mut v, mut column, mut row_of) = (vec![0.0; n], vec![NONE; n], vec![NONE; n]);

    // Column reduction: each column takes its cheapest row; a row keeps the last column that took it.
    let mut taken = vec![0usize; n];
    let mut cheapest = vec![0usize; n];
    for i in 1..n {
        for (j, c) in row(i).iter().enumerate() {
            if *c < cost[cheapest[j] * n + j] {
                cheapest[j] = i;
            }
        }
    }
    for j in (0..n).rev() {
        let least = cheapest[j];
        v[j] = cost[least * n + j];
        taken[least] += 1;
        if taken[least] == 1 {
            (column[least], row_of[j]) = (j, least);
        }
    }
    // Reduction transfer: a row with one column lowers its potential to what the second best allows.
    for i in 0..n {
        if taken[i] == 1 {
            let j = column[i];
            let second = (0..n).filter(|&k| k != j).map(|k| row(i)[k] - v[k]).fold(f64::INFINITY, f64::min);
            if second.is_finite() {
                v[j] -= second.max(0.0);
            }
        }
    }
    // Augmenting row reduction, twice: a free row takes its best column and drives out who had it. Each
    // pass has a budget, since with rounding a pair of rows could drive each other out for ever.
    let mut free: Vec<usize> = (0..n).filter(|&i| column[i] == NONE).collect();
    for _ in 0..2 {
        let mut queue: std::collections::VecDeque<usize> = free.drain(..).collect();
        let mut budget = 20 * n;
        while let Some(i) = queue.pop_front() {
            let (mut best, mut first, mut second) = (NONE, f64::INFINITY, f64::INFINITY);
            let mut next = NONE;
            for (j, (c, v)) in row(i).iter().zip(&v).enumerate() {
                let reduced = c - v;
                if reduced < first {
                    (second, next) = (first, best);
                    (first, best) = (reduced, j);
                } else if reduced < second {
                    (second, next) = (reduced, j);
                }
            }
            let mut holder = row_of[best];
            if second > first && second.is_finite() {
                v[best] -= second - first;
            } else if holder != NONE && next != NONE {
                best = next;
                holder = row_of[best];
            }
            (row_of[best], column[i]) = (i, best);
            if holder != NONE {
                column[holder] = NONE;
                budget = budget.saturating_sub(1);
                if second > first && budget > 0 {
                    queue.push_front(holder);
                } else {
                    free.push(holder);
                }
            }
        }
    }
    // Shortest augmenting paths for the rows that are left.
    let (mut distance, mut before) = (vec![0.0; n], vec![0u32; n]);
    for start in free {
        augment(cost, n, start, (&mut v, &mut column, &mut row_of), (&mut distance, &mut before));
    }
    let cost = (0..n).map(|i| row(i)[column[i]]).sum();
    Matching { column, cost, potential: v }
}

type Standing<'m> = (&'m mut Vec<f64>, &'m mut Vec<usize>, &'m mut Vec<usize>);

/// Dijkstra's search from a free row to the nearest free column, then the path is turned over.
fn augment(
    cost: &[f64],
    n: usize,
    start: usize,
    (v, column, row_of): Standing<'_>,
    (distance, before): (&mut [f64], &mut [u32]),
) {
    // Settled columns have −∞ in `distance`: nothing is below it.
    let mut settled: Vec<(usize, f64)> = Vec::new();
    distance.fill(f64::INFINITY);
    let (mut i, mut base) = (start, 0.0);
    let (end, reach) = loop {
        let least = relax(distance, before, &cost[i * n..(i + 1) * n], v, base, i as u32);
        let j = position(distance, least);
        let holder = row_of[j];
        if holder == NONE {
            break (j, least);
        }
        settled.push((j, least));
        distance[j] = f64::NEG_INFINITY;
        base = least - (cost[holder * n + j] - v[j]);
        i = holder;
    };
    for (j, at) in settled {
        v[j] += at - reach;
    }
    let mut j = end;
    loop {
        let i = before[j] as usize;
        row_of[j] = i;
        let next = column[i];
        column[i] = j;
        if i == start {
            return;
        }
        j = next;
    }
}

/// Distances through a row that is `base` away; gives the least of those that are not settled.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
fn relax(distance: &mut [f64], before: &mut [u32], row: &[f64], v: &[f64], base: f64, i: u32) -> f64 {
    let mut least = [f64::INFINITY; 8];
    let columns = distance.chunks_mut(8).zip(before.chunks_mut(8)).zip(row.chunks(8).zip(v.chunks(8)));
    for ((distance, before), (row, v)) in columns {
        for (l, ((d, b), (c, v))) in distance.iter_mut().zip(before).zip(row.iter().zip(v)).enumerate() {
            let through = base + (c - v);
            let nearer = through < *d;
            *d = if nearer { through } else { *d };
            *b = if nearer { i } else { *b };
            let open = if *d == f64::NEG_INFINITY { f64::INFINITY } else { *d };
            least[l] = if open < least[l] { open } else { least[l] };
        }
    }
    least.into_iter().fold(f64::INFINITY, f64::min)
}

/// The first place of `value`.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
fn position(values: &[f64], value: f64) -> usize {
    for (k, block) in values.chunks(16).enumerate() {
        if block.iter().fold(false, |any, x| any | (*x == value)) {
            return 16 * k + block.iter().position(|x| *x == value).unwrap_or(0);
        }
    }
    unreachable!("a least value is among them")
}

/// W₁ between `x` and `y`, `(n, dim)` row-major each.
///
/// # Panics
/// Where they have not the same number of points, or there is none.
pub fn wasserstein(x: &[f32], y: &[f32], dim: usize) -> f64 {
    let n = x.len() / dim;
    assert!(n > 0 && x.len() == y.len(), "{n} points and {}", y.len() / dim);
    let mut cost = Vec::with_capacity(n * n);
    for a in x.chunks_exact(dim) {
        let distance = |b: &[f32]| a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>();
        cost.extend(y.chunks_exact(dim).map(|b| distance(b).sqrt()));
    }
    assign(&cost, n).cost / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    /// The cheapest of all permutations.
    fn brute_force(cost: &[f64], n: usize) -> f64 {
        fn go(cost: &[f64], n: usize, i: usize, used: &mut Vec<bool>, so_far: f64, best: &mut f64) {
            if i == n {
                *best = best.min(so_far);
                return;
            }
            for j in 0..n {
                if !used[j] {
                    used[j] = true;
                    go(cost, n, i + 1, used, so_far + cost[i * n + j], best);
                    used[j] = false;
                }
            }
        }
        let mut best = f64::INFINITY;
        go(cost, n, 0, &mut vec![false; n], 0.0, &mut best);
        best
    }

    fn check(cost: &[f64], n: usize) {
        let matching = assign(cost, n);
        let mut seen = vec![false; n];
        matching.column.iter().for_each(|&j| assert!(!std::mem::replace(&mut seen[j], true)));
        // Weak duality: no matching costs less than Σ min_j-feasible u + Σ v, and this one reaches it.
        let v = &matching.potential;
        let least = |i: usize| (0..n).map(|j| cost[i * n + j] - v[j]).fold(f64::INFINITY, f64::min);
        let dual: f64 = (0..n).map(least).sum::<f64>() + v.iter().sum::<f64>();
        let scale = 1e-9 * (1.0 + matching.cost.abs());
        assert!((dual - matching.cost).abs() < scale, "dual {dual}, cost {}", matching.cost);
    }

    proptest! {
        #[test]
        fn small_ones_are_the_best_of_all(n in 1usize..8, seed in 0u64..10_000, whole in any::<bool>()) {
            let mut rng = Rng::new(seed, "costs", 0);
            // Whole numbers have many ties.
            let each = |_| if whole { rng.below(4) as f64 } else { f64::from(rng.normal()) };
            let cost: Vec<f64> = (0..n * n).map(each).collect();
            check(&cost, n);
            prop_assert!((assign(&cost, n).cost - brute_force(&cost, n)).abs() < 1e-9);
        }
    }

    #[test]
    fn large_ones_are_proven_by_their_potentials() {
        for (n, dim) in [(60, 1), (200, 3), (300, 20)] {
            let (mut x, mut y) = (vec![0f32; n * dim], vec![0f32; n * dim]);
            Rng::new(5, "x", 0).normals(&mut x);
            Rng::new(5, "y", 0).normals(&mut y);
            let distance = |i: usize, j: usize| {
                let pairs = x[i * dim..][..dim].iter().zip(&y[j * dim..][..dim]);
                pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
            };
            let cost: Vec<f64> = (0..n * n).map(|k| distance(k / n, k % n)).collect();
            check(&cost, n);
            assert!((wasserstein(&x, &y, dim) - assign(&cost, n).cost / n as f64).abs() < 1e-6);
            if dim == 1 {
                // On a line W₁ matches in order.
                x.sort_unstable_by(f32::total_cmp);
                y.sort_unstable_by(f32::total_cmp);
                let sorted: f64 = x.iter().zip(&y).map(|(a, b)| f64::from(a - b).abs()).sum::<f64>() / n as f64;
                assert!((wasserstein(&x, &y, 1) - sorted).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_shift_costs_its_length() {
        let x: Vec<f32> = (0..40).map(|i| (i * i % 17) as f32).collect();
        let y: Vec<f32> = x.iter().map(|v| v + 3.0).collect();
        assert!((wasserstein(&x, &y, 2) - 18f64.sqrt()).abs() < 1e-5);
        assert_eq!(wasserstein(&x, &x, 2), 0.0);
    }
}
