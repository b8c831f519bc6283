//! Direct labels that do not lie on each other.
//!
//! On a line (ends of curves): places yᵢ, as near as possible to those wanted, with a least gap g:
//! minimise Σ(yᵢ − wᵢ)² so that yᵢ₊₁ − yᵢ ≥ g. With zᵢ = yᵢ − i·g this is isotonic regression,
//! solved exactly by pooling adjacent violators (Barlow et al. 1972).
//!
//! On a plane (points): each label tries places around its point and takes the one that covers
//! least of what is already there; one that would cover too much is not drawn.

/// Places near `wanted`, at least `gap` apart and within `lo..=hi` where the room is enough.
///
/// The order of the answer is that of `wanted`; equal wishes keep their order.
pub(super) fn spread(wanted: &[f64], gap: f64, (lo, hi): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let gap = match wanted.len() {
        0 | 1 => gap,
        n => gap.min((hi - lo) / (n - 1) as f64),
    };
    // Pools of (mean, size): a pool's members share one z.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (rank, index) in order.iter().enumerate() {
        let mut pool = (wanted[*index] - rank as f64 * gap, 1);
        while let Some((mean, size)) = pools.last().copied().filter(|p| p.0 > pool.0) {
            pools.pop();
            let total = size + pool.1;
            pool = ((mean * size as f64 + pool.0 * pool.1 as f64) / total as f64, total);
        }
        pools.push(pool);
    }
    let top = hi - wanted.len().saturating_sub(1) as f64 * gap;
    let places = pools.iter().flat_map(|(mean, size)| std::iter::repeat_n(*mean, *size));
    let mut out = vec![0.0; wanted.len()];
    for ((rank, index), z) in order.iter().enumerate().zip(places) {
        out[*index] = z.min(top).max(lo) + rank as f64 * gap;
    }
    out
}

/// An upright box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Box2 {
    pub(super) x0: f64,
    pub(super) y0: f64,
    pub(super) x1: f64,
    pub(super) y1: f64,
}

impl Box2 {
    pub(super) fn around((x, y): (f64, f64), rx: f64, ry: f64) -> Self {
        Box2 { x0: x - rx, y0: y - ry, x1: x + rx, y1: y + ry }
    }

    fn overlap(&self, other: &Box2) -> f64 {
        let w = self.x1.min(other.x1) - self.x0.max(other.x0);
        let h = self.y1.min(other.y1) - self.y0.max(other.y0);
        if w > 0.0 && h > 0.0 { w * h } else { 0.0 }
    }

    fn inside(&self, area: &Box2) -> bool {
        self.x0 >= area.x0 && self.x1 <= area.x1 && self.y0 >= area.y0 && self.y1 <= area.y1
    }
}

/// What is already on the plane, and where labels may go.
pub(super) struct Crowd {
    area: Box2,
    taken: Vec<(Box2, f64)>,
}

impl Crowd {
    /// A crowd whose labels stay within `area`.
    pub(super) fn new(area: Box2) -> Self {
        Crowd { area, taken: Vec::new() }
    }

    /// Something lies at `place`; covering one square unit of it costs `weight`.
    pub(super) fn block(&mut self, place: Box2, weight: f64) {
        self.taken.push((place, weight));
    }

    /// A line lies between two places.
    pub(super) fn block_line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), weight: f64) {
        let pieces = ((x2 - x1).hypot(y2 - y1) / 4.0).ceil().clamp(1.0, 400.0) as usize;
        for k in 0..pieces {
            let t = (k as f64 + 0.5) / pieces as f64;
            self.block(Box2::around((x1 + t * (x2 - x1), y1 + t * (y2 - y1)), 2.0, 2.0), weight);
        }
    }

    /// The cheapest of `candidates` (place, own cost) that costs at most `limit`; it is then taken.
    pub(super) fn settle(&mut self, candidates: &[(Box2, f64)], limit: f64) -> Option<usize> {
        let cost = |(place, own): &(Box2, f64)| own + self.taken.iter().map(|(b, w)| w * place.overlap(b)).sum::<f64>();
        let (index, _) = candidates
            .iter()
            .enumerate()
            .filter(|(_, c)| c.0.inside(&self.area))
            .map(|(i, c)| (i, cost(c)))
            .filter(|(_, cost)| *cost <= limit)
            .min_by(|a, b| a.1.total_cmp(&b.1))?;
        self.block(candidates[index].0, 100.0);
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_with_room_stay_where_they_are() {
        assert_eq!(spread(&[10.0, 90.0, 50.0], 12.0, (0.0, 100.0)), [10.0, 90.0, 50.0]);
    }

    #[test]
    fn crowded_labels_part_evenly_about_their_mean() {
        assert_eq!(spread(&[50.0, 50.0], 12.0, (0.0, 100.0)), [44.0, 56.0]);
        assert_eq!(spread(&[99.0, 100.0], 12.0, (0.0, 100.0)), [88.0, 100.0]);
    }

    proptest! {
        #[test]
        fn labels_keep_their_gap_their_order_and_the_bounds(
            wanted in prop::collection::vec(0.0f64..300.0, 1..20),
        ) {
            let got = spread(&wanted, 14.0, (0.0, 300.0));
            let mut pairs: Vec<_> = wanted.iter().zip(&got).collect();
            pairs.sort_by(|a, b| a.1.total_cmp(b.1));
            for w in pairs.windows(2) {
                prop_assert!(w[1].1 - w[0].1 >= 14.0 - 1e-9);
                prop_assert!(w[0].0 <= w[1].0);
            }
            prop_assert!(got.iter().all(|y| (-1e-9..=300.0 + 1e-9).contains(y)));
        }
    }

    #[test]
    fn a_label_avoids_what_is_there_and_gives_up_when_it_cannot() {
        let area = Box2 { x0: 0.0, y0: 0.0, x1: 100.0, y1: 20.0 };
        let mut crowd = Crowd::new(area);
        let left = (Box2 { x0: 0.0, y0: 0.0, x1: 40.0, y1: 20.0 }, 0.0);
        let right = (Box2 { x0: 50.0, y0: 0.0, x1: 90.0, y1: 20.0 }, 1.0);
        let outside = (Box2 { x0: 80.0, y0: 0.0, x1: 120.0, y1: 20.0 }, 0.0);
        crowd.block_line((0.0, 10.0), (40.0, 10.0), 1.0);
        assert_eq!(crowd.settle(&[left, right, outside], 50.0), Some(1));
        assert_eq!(crowd.settle(&[right, outside], 50.0), None);
    }
}
