//! Newman's modularity of a pruned network: how much more weight lies within modules than chance
//! would put there.
//!
//! ```text
//! Q = Σ_modules (w_in/m − (k/2m)²)      m: all weight; w_in: weight inside; k: weight at its nodes
//! ```
//!
//! Newman, "Modularity and community structure in networks", arXiv physics/0602124, for a weighted
//! graph without directions, an edge |w| a connection. Modules are sought as Blondel et al. do
//! (arXiv 0803.0476): nodes move to the neighbouring module that gains most, modules become nodes,
//! and so on. Nodes are taken in their order, so the answer is always the same; it is a lower bound
//! on the largest Q.

use std::collections::BTreeMap;

/// Modules and their Q.
#[derive(Clone, Debug, PartialEq)]
pub struct Modules {
    /// Module of each node, numbered by first appearance; nodes without an edge have modules of
    /// their own.
    pub of: Vec<usize>,
    /// Modules that have an edge.
    pub count: usize,
    /// Q in [−½, 1); 0 of a graph without edges.
    pub q: f64,
}

/// Modules of the graph with `nodes` nodes and `edges` (a, b, weight > 0).
pub fn modules(nodes: usize, edges: &[(usize, usize, f64)]) -> Modules {
    let mut of: Vec<usize> = (0..nodes).collect();
    // A level's graph: neighbours with weights; a loop of a merged module counts once.
    let mut graph: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); nodes];
    for &(a, b, w) in edges {
        *graph[a].entry(b).or_default() += w;
        if a != b {
            *graph[b].entry(a).or_default() += w;
        }
    }
    loop {
        let level = moved(&graph);
        if level.iter().enumerate().all(|(i, &m)| i == m) {
            break;
        }
        let (level, count) = renumbered(&level);
        of.iter_mut().for_each(|m| *m = level[*m]);
        let mut merged: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); count];
        for (a, neighbours) in graph.iter().enumerate() {
            for (&b, &w) in neighbours {
                // Every edge between two nodes is met from both ends; inside a module it becomes half a loop each time.
                let half = if a != b && level[a] == level[b] { 0.5 * w } else { w };
                *merged[level[a]].entry(level[b]).or_default() += half;
            }
        }
        graph = merged;
    }
    let (of, _) = renumbered(&of);
    let mut joined: Vec<usize> = edges.iter().flat_map(|&(a, b, _)| [of[a], of[b]]).collect();
    joined.sort_unstable();
    joined.dedup();
    Modules { q: modularity(&of, edges), count: joined.len(), of }
}

/// Q of given modules.
pub fn modularity(of: &[usize], edges: &[(usize, usize, f64)]) -> f64 {
    let m: f64 = edges.iter().map(|e| e.2).sum();
    if m <= 0.0 {
        return 0.0;
    }
    let mut inside = BTreeMap::<usize, f64>::new();
    let mut degree = BTreeMap::<usize, f64>::new();
    for &(a, b, w) in edges {
        *degree.entry(of[a]).or_default() += w;
        *degree.entry(of[b]).or_default() += w;
        if of[a] == of[b] {
            *inside.entry(of[a]).or_default() += w;
        }
    }
    inside.values().map(|w| w / m).sum::<f64>() - degree.values().map(|k| (k / (2.0 * m)).powi(2)).sum::<f64>()
}

/// The module of each node once no move gains any more.
fn moved(graph: &[BTreeMap<usize, f64>]) -> Vec<usize> {
    let degree: Vec<f64> = graph
        .iter()
        .enumerate()
        .map(|(i, near)| near.iter().map(|(&j, w)| if i == j { 2.0 * w } else { *w }).sum())
        .collect();
    let twice = degree.iter().sum::<f64>();
    let mut of: Vec<usize> = (0..graph.len()).collect();
    if twice <= 0.0 {
        return of;
    }
    let mut total = degree.clone();
    // Each move raises Q; a bound on the rounds guards against gains of rounding's size.
    for _ in 0..100 {
        let mut any = false;
        for (i, near) in graph.iter().enumerate() {
            let mut weight = BTreeMap::<usize, f64>::new();
            for (&j, &w) in near.iter().filter(|(j, _)| **j != i) {
                *weight.entry(of[j]).or_default() += w;
            }
            total[of[i]] -= degree[i];
            let gain = |module: usize, w: f64| w - total[module] * degree[i] / twice;
            let here = gain(of[i], weight.get(&of[i]).copied().unwrap_or(0.0));
            let (mut best, mut most) = (of[i], here + 1e-12 * twice);
            for (&module, &w) in &weight {
                if gain(module, w) > most {
                    (best, most) = (module, gain(module, w));
                }
            }
            any |= best != of[i];
            of[i] = best;
            total[best] += degree[i];
        }
        if !any {
            break;
        }
    }
    of
}

/// The same modules, numbered by first appearance, and how many there are.
fn renumbered(of: &[usize]) -> (Vec<usize>, usize) {
    let mut names = BTreeMap::new();
    let numbers = of
        .iter()
        .map(|&m| {
            let next = names.len();
            *names.entry(m).or_insert(next)
        })
        .collect();
    (numbers, names.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_triangles_are_two_modules() {
        let edges = [(0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0), (3, 4, 1.0), (4, 5, 1.0), (5, 3, 1.0)];
        let found = modules(7, &edges);
        assert_eq!((found.count, found.q), (2, 0.5));
        assert_eq!(found.of, [0, 0, 0, 1, 1, 1, 2]);
        // One module for all has Q = 0, each node its own a negative one.
        assert!(modularity(&[0; 7], &edges).abs() < 1e-15);
        assert!((modularity(&[0, 1, 2, 3, 4, 5, 6], &edges) + 1.0 / 6.0).abs() < 1e-15);
        assert_eq!(modules(3, &[]), Modules { of: vec![0, 1, 2], count: 0, q: 0.0 });
    }

    /// Zachary's karate club (1977): the largest Q is known to be 0.4198 (Brandes et al. 2008).
    #[test]
    fn the_karate_club_is_split_as_is_known() {
        const FRIENDS: [&[usize]; 34] = [
            &[1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31],
            &[2, 3, 7, 13, 17, 19, 21, 30],
            &[3, 7, 8, 9, 13, 27, 28, 32],
            &[7, 12, 13],
            &[6, 10],
            &[6, 10, 16],
            &[16],
            &[],
            &[30, 32, 33],
            &[33],
            &[],
            &[],
            &[],
            &[33],
            &[32, 33],
            &[32, 33],
            &[],
            &[],
            &[32, 33],
            &[33],
            &[32, 33],
            &[],
            &[32, 33],
            &[25, 27, 29, 32, 33],
            &[25, 27, 31],
            &[31],
            &[29, 33],
            &[33],
            &[31, 33],
            &[32, 33],
            &[32, 33],
            &[32, 33],
            &[33],
            &[],
        ];
        let edges: Vec<_> =
            FRIENDS.iter().enumerate().flat_map(|(a, near)| near.iter().map(move |&b| (a, b, 1.0))).collect();
        assert_eq!(edges.len(), 78);
        let found = modules(34, &edges);
        assert!((0.415..0.42).contains(&found.q), "{}", found.q);
        assert!((found.q - modularity(&found.of, &edges)).abs() < 1e-15);
    }
}
