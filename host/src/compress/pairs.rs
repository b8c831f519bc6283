//! An order of a sparse matrix's columns in which the ones that the same rows use are neighbours, and the groups of
//! pairs in it ([`Sparse`](smidgen_shared::kernel::Sparse)).
//!
//! A pair takes two weights for the price of one. The order is a path through all columns: edges are taken by the number
//! of rows that use both ends, most first, where both ends have a neighbour to spare and no circle closes.

use std::cmp::Reverse;

use smidgen_shared::kernel::{Sparse, WINDOW, counts_len, order_len, windows};
use smidgen_shared::op::Layout;

use super::sparse::Encoded;

/// Columns of which an order is sought; more stay in theirs. Edges are as many as its square's half.
const MOST_ORDERED: usize = 1024;

/// The weights of `q` `(n_out, n_in)` that are not 0, in pairs; `None` where columns are beyond what a u16 can number.
pub(super) fn encode(q: &[i8], n_in: usize) -> Option<Encoded> {
    if n_in > 1 << 16 {
        return None;
    }
    let order = order(q, n_in);
    let rows = q.chunks(n_in);
    let n_out = rows.len();
    let mut counts = Vec::new();
    let mut entries = Vec::new();
    for row in rows {
        let at = |position: usize| order.get(position).map_or(0, |&column| row[column]);
        let mut position = 0;
        for window in 0..windows(n_in) {
            let end = (WINDOW * (window + 1)).min(n_in);
            let mut pairs: Vec<(u8, [i8; 2])> = Vec::new();
            while position < end {
                let weight = at(position);
                if weight == 0 {
                    position += 1;
                    continue;
                }
                pairs.push(((position % WINDOW) as u8, [weight, at(position + 1)]));
                position += 2;
            }
            counts.push(u8::try_from(pairs.len().div_ceil(4)).ok()?);
            for group in pairs.chunks(4) {
                // What fills the group stands at its last position.
                let last = group[group.len() - 1].0;
                let pair = |k: usize| group.get(k).copied().unwrap_or((last, [0, 0]));
                entries.extend((0..4).map(|k| pair(k).0));
                entries.extend((0..4).flat_map(|k| pair(k).1).flat_map(|w| i16::from(w).to_le_bytes()));
            }
        }
    }
    let groups = counts.iter().map(|&count| u32::from(count)).sum();
    let mut all: Vec<u16> = order.iter().map(|&column| column as u16).collect();
    all.resize(order_len(n_in), 0);
    counts.resize(2 * (counts_len(Layout::Pairs, n_in, n_out) - all.len()), 0);
    all.extend(counts.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])));
    Some(Encoded { groups, counts: all, entries })
}

/// The dense matrix of `n_out` rows and `n_in` columns; `None` where a weight comes twice.
pub(super) fn dense(matrix: &Sparse<'_>, n_in: usize, n_out: usize) -> Option<Vec<i8>> {
    let mut q = vec![0i8; n_in * n_out];
    let mut sound = true;
    matrix.weights(n_in, |i, j, weight| match q.get_mut(i * n_in + j) {
        Some(to) if *to == 0 => *to = weight,
        Some(_) => sound = false,
        // A block of four rows beyond the last.
        None => {}
    });
    sound.then_some(q)
}

/// Column numbers in their order.
fn order(q: &[i8], n_in: usize) -> Vec<usize> {
    let mut used = vec![false; n_in];
    let mut edges = Vec::new();
    if n_in <= MOST_ORDERED {
        let mut together = vec![0u32; n_in * n_in];
        for row in q.chunks(n_in) {
            let columns: Vec<usize> = (0..n_in).filter(|&j| row[j] != 0).collect();
            for (k, &a) in columns.iter().enumerate() {
                used[a] = true;
                columns[k + 1..].iter().for_each(|&b| together[a * n_in + b] += 1);
            }
        }
        let all = (0..n_in).flat_map(|a| (a + 1..n_in).map(move |b| (a, b)));
        edges.extend(all.filter_map(|(a, b)| {
            let rows = together[a * n_in + b];
            (rows > 0).then_some((Reverse(rows), a, b))
        }));
        edges.sort_unstable();
    }
    let mut path = Path { neighbours: vec![[None; 2]; n_in], part: (0..n_in).collect() };
    for (_, a, b) in edges {
        path.join(a, b);
    }
    // Columns that no row uses last.
    let ends = |used_ones: bool| {
        let used = &used;
        (0..n_in).filter(move |&j| used[j] == used_ones)
    };
    let mut order = Vec::with_capacity(n_in);
    let mut seen = vec![false; n_in];
    for start in ends(true).chain(ends(false)) {
        if seen[start] || path.neighbours[start][1].is_some() {
            continue;
        }
        let mut next = Some(start);
        while let Some(column) = next {
            seen[column] = true;
            order.push(column);
            next = path.neighbours[column].into_iter().flatten().find(|&j| !seen[j]);
        }
    }
    order
}

/// Paths that grow together.
struct Path {
    neighbours: Vec<[Option<usize>; 2]>,
    /// A column of the same path, itself where it stands for the path.
    part: Vec<usize>,
}

impl Path {
    fn root(&mut self, mut column: usize) -> usize {
        while self.part[column] != column {
            self.part[column] = self.part[self.part[column]];
            column = self.part[column];
        }
        column
    }

    /// Makes two columns neighbours, where both have one to spare and are of different paths.
    fn join(&mut self, a: usize, b: usize) {
        let free = |two: &[Option<usize>; 2]| two.iter().position(Option::is_none);
        let (Some(x), Some(y)) = (free(&self.neighbours[a]), free(&self.neighbours[b])) else { return };
        let (p, q) = (self.root(a), self.root(b));
        if p != q {
            self.neighbours[a][x] = Some(b);
            self.neighbours[b][y] = Some(a);
            self.part[p] = q;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_go_together_become_neighbours() {
        // Columns 0 and 5 in six rows, 3 and 5 in three, 1 alone; 2 and 4 nowhere.
        let row = |columns: &[usize]| (0..6).map(|j| i8::from(columns.contains(&j))).collect::<Vec<i8>>();
        let rows = [row(&[0, 5]).repeat(6), row(&[3, 5]).repeat(3), row(&[1])].concat();
        assert_eq!(order(&rows, 6), [0, 5, 3, 1, 2, 4]);
        let encoded = encode(&rows, 6).unwrap();
        assert_eq!(encoded.counts[..8], [0, 5, 3, 1, 2, 4, 0, 0]);
        assert_eq!(encoded.counts[8..], [0x0101, 0x0101, 0x0101, 0x0101, 0x0101, 0, 0, 0]);
        assert_eq!(encoded.groups, 10);
        assert_eq!(encoded.entries[..12], [0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    }
}
