//! The Pareto front: what is best for what one can pay.
//!
//! A point (c, v) is on the front if no other has cost ≤ c and value ≥ v, one of the two strictly.
//! As a line it is level until the next point: at cost c one can have the best v of all points that
//! cost at most c.

/// Indices of the points (cost, value) on the Pareto front, by rising cost; of equals, the first.
pub(super) fn pareto(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| points[*a].0.total_cmp(&points[*b].0).then(points[*b].1.total_cmp(&points[*a].1)));
    let mut best = f64::NEG_INFINITY;
    order.retain(|i| {
        let better = points[*i].1 > best;
        best = best.max(points[*i].1);
        better
    });
    order
}

/// The front as steps on the page: level until the next point, then up to it; level to the end.
pub(super) fn stairs(front: &[(f64, f64)], right: f64) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::new();
    for (x, y) in front {
        if let Some(last) = out.last().copied() {
            out.push((*x, last.1));
        }
        out.push((*x, *y));
    }
    if let Some(last) = out.last().copied() {
        out.push((right.max(last.0), last.1));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stairs_are_level_then_rise() {
        let got = stairs(&[(1.0, 9.0), (3.0, 5.0)], 10.0);
        assert_eq!(got, [(1.0, 9.0), (3.0, 9.0), (3.0, 5.0), (10.0, 5.0)]);
    }

    proptest! {
        #[test]
        fn the_front_is_what_nothing_dominates(points in prop::collection::vec((0i32..20, 0i32..20), 0..40)) {
            let points: Vec<(f64, f64)> = points.into_iter().map(|(c, v)| (f64::from(c), f64::from(v))).collect();
            let dominated = |p: (f64, f64)| points.iter().any(|q| q.0 <= p.0 && q.1 >= p.1 && *q != p);
            let mut expected: Vec<(f64, f64)> = points.iter().copied().filter(|p| !dominated(*p)).collect();
            expected.sort_by(|a, b| a.0.total_cmp(&b.0));
            expected.dedup();
            let got: Vec<(f64, f64)> = pareto(&points).into_iter().map(|i| points[i]).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
