//! Where each activation lies in the arena: first fit by lifetime.
//!
//! A region lives from the node that writes it to the last one that reads it; two that never live
//! at once may share bytes.

/// A region to place: its bytes, and the first and last step at which it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Bytes.
    pub bytes: usize,
    /// First step.
    pub from: usize,
    /// Last step.
    pub to: usize,
}

/// Byte offset of each region, multiples of 4, and the arena's bytes.
///
/// Largest first: not optimal, but within a few per cent of it for chains.
pub fn place(regions: &[Lifetime]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..regions.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(regions[i].bytes), i));
    let mut offsets = vec![0; regions.len()];
    let mut placed: Vec<usize> = Vec::new();
    for &i in &order {
        let (from, to) = (regions[i].from, regions[i].to);
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&j| regions[j].from <= to && from <= regions[j].to)
            .map(|&j| (offsets[j], offsets[j] + regions[j].bytes))
            .collect();
        taken.sort_unstable();
        let mut at = 0;
        for (start, end) in taken {
            if at + regions[i].bytes <= start {
                break;
            }
            at = at.max(end.next_multiple_of(4));
        }
        offsets[i] = at;
        placed.push(i);
    }
    let end = regions.iter().zip(&offsets).map(|(r, at)| at + r.bytes).max().unwrap_or(0);
    (offsets, end.next_multiple_of(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_lives_together_lies_apart(raw in proptest::collection::vec((1usize..90, 0usize..9, 0usize..5), 1..12)) {
            let regions: Vec<Lifetime> = raw.iter().map(|&(bytes, from, span)| Lifetime { bytes, from, to: from + span }).collect();
            let (at, total) = place(&regions);
            for i in 0..regions.len() {
                prop_assert!(at[i] % 4 == 0 && at[i] + regions[i].bytes <= total);
                for j in 0..i {
                    let together = regions[i].from <= regions[j].to && regions[j].from <= regions[i].to;
                    let apart = at[i] + regions[i].bytes <= at[j] || at[j] + regions[j].bytes <= at[i];
                    prop_assert!(!together || apart);
                }
            }
            let all: usize = regions.iter().map(|r| r.bytes.next_multiple_of(4)).sum();
            prop_assert!(total <= all);
        }
    }
}
