//! A model for a budget: which candidates fit a board, and which of those are best for what they cost.
//!
//! Costs come before training: the exporter places and lays out a network whatever its weights are, so that
//! flash, arena and instructions follow from a candidate's shape. What does not fit is not trained. The rest are
//! trained in rounds of rising effort, and after each the worse half of what no front holds is dropped
//! (successive halving, Jamieson and Talwalkar 2016). Quality is measured on samples that training held out
//! for it, never on the test samples; those of the front are then trained whole, tested and counted, so that
//! predictions stand beside measurements.

use anyhow::{Context, Result, ensure};

use crate::compress::{self, Aligned, Layout};
use crate::device::Board;
use crate::engine::in_parallel;
use crate::family::{Export, Place};
use crate::infer::{self, description};
use crate::interrupt;
use crate::output::thousands;
use crate::verify;

/// What a family offers to a search.
pub trait Search: Sync {
    /// Every candidate; the order decides between equals.
    fn candidates(&self) -> &[Candidate];

    /// What quality is.
    fn metric(&self) -> Metric;

    /// A network of the candidate's shape. Its weights need not be trained.
    ///
    /// # Errors
    /// A setting that does not go with the data.
    fn shape(&self, candidate: usize) -> Result<Export>;

    /// Rounds of rising effort.
    fn rounds(&self) -> usize;

    /// The candidate's quality on samples held out from training for it, in a round `0..rounds`.
    ///
    /// # Errors
    /// A training that fails.
    fn quality(&self, candidate: usize, round: usize) -> Result<Quality>;

    /// The candidate, trained whole.
    ///
    /// # Errors
    /// As [`Search::quality`].
    fn train(&self, candidate: usize) -> Result<Trained>;

    /// The metric of an artifact of the candidate on the test samples.
    ///
    /// # Errors
    /// An artifact that is none of this candidate.
    fn test(&self, candidate: usize, model: &Aligned) -> Result<f64>;
}

/// Something that might be trained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// As a reader knows it: `K4 r8 m2, cheap features`.
    pub name: String,
    /// Its kind: a colour in plots.
    pub kind: String,
    /// `KEY=VALUE`, as `train --set` takes them.
    pub sets: Vec<String>,
}

/// What quality is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// `accuracy`, `T1`, `mean square error`, …
    pub name: String,
    /// A share, shown in %; else a loss, less of which is better.
    pub share: bool,
}

impl Metric {
    /// A figure as a reader sees it: a share in %, a loss by its power of ten.
    pub fn figure(&self, value: f64) -> String {
        if self.share { format!("{:.1}", 100.0 * value) } else { format!("{value:.2e}") }
    }

    /// Its name, with the unit.
    pub fn title(&self) -> String {
        if self.share { format!("{}, %", self.name) } else { self.name.clone() }
    }
}

impl Quality {
    /// The figure in words, and whether a law gave it.
    pub fn in_words(&self, metric: &Metric) -> String {
        metric.figure(self.value) + if self.by_law { " by law" } else { "" }
    }
}

/// A figure, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// In the metric's unit.
    pub value: f64,
    /// Extrapolated by a law from smaller networks, not trained.
    pub by_law: bool,
}

/// A candidate that was trained whole.
pub struct Trained {
    /// Its graph.
    pub export: Export,
    /// A few raw samples that training held out, to count instructions on.
    pub inputs: Vec<Vec<i16>>,
}

/// What a model may cost on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of the artifact.
    pub flash: u32,
    /// Bytes of the arena.
    pub arena: u32,
    /// From the last sample to the scores.
    pub instructions: Option<u32>,
}

impl Budget {
    /// The board's slot and arena, or what is asked for where that is less.
    pub fn of(board: &Board, flash: Option<u32>, arena: Option<u32>, instructions: Option<u32>) -> Budget {
        let least = |most: u32, asked: Option<u32>| asked.map_or(most, |asked| asked.min(most));
        Budget { flash: least(board.slots.bytes, flash), arena: least(board.ram.arena, arena), instructions }
    }

    /// `at most 96,256 bytes of flash, 8,192 of arena`
    pub fn in_words(&self) -> String {
        let instructions = self.instructions.map(|most| format!(", {} instructions", thousands(most.into())));
        format!(
            "at most {} bytes of flash, {} of arena{}",
            thousands(self.flash.into()),
            thousands(self.arena.into()),
            instructions.unwrap_or_default()
        )
    }

    fn holds(&self, cost: &Cost) -> bool {
        cost.flash <= self.flash && cost.arena <= self.arena && self.instructions.is_none_or(|most| cost.bound <= most)
    }
}

/// What a model costs on a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of the artifact.
    pub flash: u32,
    /// Bytes of the arena.
    pub arena: u32,
    /// From the last sample to the scores.
    pub instructions: u32,
    /// The same at most: what the artifact states.
    pub bound: u32,
}

/// A candidate on the front.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Which.
    pub candidate: usize,
    /// Predicted before training.
    pub cost: Cost,
    /// On samples held out for the search.
    pub quality: Quality,
    /// Of the artifact of the network trained whole: its metric on the test samples, and what it costs, instructions
    /// counted under QEMU where the board can be emulated.
    pub measured: Option<(f64, Cost)>,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Candidates that no other beats in everything, by rising flash.
    pub front: Vec<Point>,
    /// Everything else that was measured: name of its kind, cost and quality.
    pub others: Vec<Point>,
    /// Index into the front: the best quality.
    pub chosen: usize,
    /// Candidates that were over the budget, and of these the one that comes nearest.
    pub over: (usize, Option<(usize, Cost)>),
}

/// Bytes of an artifact that its weights decide: numbers of variable length in the manifest, and the padding behind it.
/// They are added to what is predicted, so that a budget holds.
pub const UNKNOWN: u32 = 32;

/// Searches for `board`.
///
/// # Errors
/// Nothing fits; a training that fails; Ctrl-C.
pub fn search(search: &dyn Search, board: &Board, budget: &Budget, place: &Place) -> Result<Found> {
    let candidates = search.candidates();
    let all: Vec<usize> = (0..candidates.len()).collect();
    let bar = place.output.bar(all.len() as u64, "shapes");
    let costs = in_parallel(&all, place.threads, |&i| {
        interrupt::check()?;
        let export = search.shape(i).with_context(|| candidates[i].name.clone())?;
        let (_, mut cost) = lay_out(&export, board).with_context(|| candidates[i].name.clone())?;
        cost.flash += UNKNOWN;
        bar.inc(1);
        Ok(cost)
    });
    bar.finish_and_clear();
    let costs = costs?;
    let (mut left, over): (Vec<usize>, Vec<usize>) = all.iter().partition(|&&i| budget.holds(&costs[i]));
    let nearest = over.iter().copied().min_by_key(|&i| (costs[i].flash, costs[i].arena)).map(|i| (i, costs[i]));
    if left.is_empty() {
        let (i, cost) = nearest.context("there is no candidate")?;
        anyhow::bail!(
            "none of {} candidates fits {}: the nearest, {}, takes {} bytes of flash of {}, {} of arena of {}{}; allow more, or choose a larger board (`smidgen boards`)",
            candidates.len(),
            board.name,
            candidates[i].name,
            cost.flash,
            budget.flash,
            cost.arena,
            budget.arena,
            budget.instructions.map_or(String::new(), |most| format!(", {} instructions of {most}", cost.bound))
        );
    }
    let share = search.metric().share;
    let mut qualities: Vec<Option<Quality>> = vec![None; candidates.len()];
    for round in 0..search.rounds() {
        let bar = place.output.bar(left.len() as u64, &format!("round {} of {}", round + 1, search.rounds()));
        let values = in_parallel(&left, place.threads, |&i| {
            interrupt::check()?;
            let quality = search.quality(i, round).with_context(|| candidates[i].name.clone())?;
            bar.inc(1);
            Ok(quality)
        });
        bar.finish_and_clear();
        for (&i, quality) in left.iter().zip(values?) {
            ensure!(quality.value.is_finite(), "{}: its {} is no number", candidates[i].name, search.metric().name);
            qualities[i] = Some(quality);
        }
        if round + 1 < search.rounds() {
            left = survivors(&left, &costs, &qualities, share);
        }
    }
    let point = |i: usize| qualities[i].map(|quality| Point { candidate: i, cost: costs[i], quality, measured: None });
    let finalists: Vec<Point> = left.iter().filter_map(|&i| point(i)).collect();
    let on = front(&finalists, share);
    let mut best: Vec<Point> = on.iter().map(|&i| finalists[i].clone()).collect();
    best.sort_by_key(|p| (p.cost.flash, p.cost.instructions));
    let chosen = (0..best.len())
        .max_by(|&a, &b| gain(&best[a], share).total_cmp(&gain(&best[b], share)).then(b.cmp(&a)))
        .context("no candidate was measured")?;
    let others = all.iter().filter(|i| !best.iter().any(|p| p.candidate == **i)).filter_map(|&i| point(i)).collect();
    Ok(Found { front: best, others, chosen, over: (over.len(), nearest) })
}

/// Trains every candidate of the front whole, tests its artifact and counts its instructions.
///
/// # Errors
/// A training that fails, a board that does not start, Ctrl-C.
pub fn measure(found: &mut Found, search: &dyn Search, board: &Board, place: &Place) -> Result<()> {
    let bar = place.output.bar(found.front.len() as u64, "trained whole");
    let measured = in_parallel(&found.front, place.threads, |point| {
        interrupt::check()?;
        let trained = search.train(point.candidate)?;
        let (bytes, mut cost) = lay_out(&trained.export, board)?;
        if board.machine().is_ok() {
            let few = &trained.inputs[..trained.inputs.len().min(2)];
            let counts = verify::count(board, &bytes, few)?;
            cost.instructions = match counts.map(|counts| counts.finish.iter().copied().max()) {
                Ok(Some(most)) => most as u32,
                Ok(None) => 0,
                // Without a C compiler there is no plugin that counts: the artifact's own figure stays.
                Err(_) => cost.instructions,
            };
        }
        bar.inc(1);
        Ok((search.test(point.candidate, &bytes)?, cost))
    });
    bar.finish_and_clear();
    for (point, measured) in found.front.iter_mut().zip(measured?) {
        point.measured = Some(measured);
    }
    Ok(())
}

/// The artifact for `board`, and what it costs there.
///
/// # Errors
/// As [`compress::export`].
pub fn lay_out(export: &Export, board: &Board) -> Result<(Aligned, Cost)> {
    let description = description(export.provenance.clone(), Layout::Auto, Some(board))?;
    let bytes = compress::export(&export.graph, &export.inputs, &description)?.bytes;
    let artifact = bytes.artifact()?;
    let cost = Cost {
        flash: bytes.len() as u32,
        arena: artifact.arena_bytes(),
        instructions: infer::instructions(&artifact, board)?,
        bound: smidgen_shared::cost::instructions(&artifact, infer::core(&board.core)?),
    };
    Ok((bytes, cost))
}

/// The better half, and whatever is on the front.
fn survivors(left: &[usize], costs: &[Cost], qualities: &[Option<Quality>], share: bool) -> Vec<usize> {
    let points: Vec<Point> = left
        .iter()
        .filter_map(|&i| Some(Point { candidate: i, cost: costs[i], quality: qualities[i]?, measured: None }))
        .collect();
    let on = front(&points, share);
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| gain(&points[b], share).total_cmp(&gain(&points[a], share)));
    let mut kept: Vec<usize> =
        order[..points.len().div_ceil(2)].iter().chain(&on).map(|&i| points[i].candidate).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// More is better.
fn gain(point: &Point, share: bool) -> f64 {
    if share { point.quality.value } else { -point.quality.value }
}

/// Indices of the points that no other beats or equals in flash, arena, instructions and quality; of equals the first.
fn front(points: &[Point], share: bool) -> Vec<usize> {
    let beats = |a: &Point, b: &Point| {
        let (x, y) = (&a.cost, &b.cost);
        x.flash <= y.flash && x.arena <= y.arena && x.instructions <= y.instructions && gain(a, share) >= gain(b, share)
    };
    let beaten = |i: usize| {
        (0..points.len()).any(|j| j != i && beats(&points[j], &points[i]) && (!beats(&points[i], &points[j]) || j < i))
    };
    (0..points.len()).filter(|&i| !beaten(i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(flash: u32, arena: u32, instructions: u32, value: f64) -> Point {
        let quality = Quality { value, by_law: false };
        Point { candidate: 0, cost: Cost { flash, arena, instructions, bound: instructions }, quality, measured: None }
    }

    proptest! {
        #[test]
        fn the_front_is_what_nothing_dominates(
            draws in prop::collection::vec((0u32..5, 0u32..3, 0u32..5, 0u32..6), 1..40), share in any::<bool>(),
        ) {
            let points: Vec<Point> = draws.iter().map(|&(f, a, i, q)| point(f, a, i, f64::from(q))).collect();
            let on = front(&points, share);
            prop_assert!(!on.is_empty());
            let tuple = |p: &Point| {
                let gain = gain(p, share) as i64;
                [-i64::from(p.cost.flash), -i64::from(p.cost.arena), -i64::from(p.cost.instructions), gain]
            };
            for (i, p) in points.iter().enumerate() {
                let dominated = points.iter().any(|q| {
                    tuple(q) != tuple(p) && tuple(q).iter().zip(tuple(p)).all(|(a, b)| *a >= b)
                });
                let first = points.iter().position(|q| tuple(q) == tuple(p)) == Some(i);
                prop_assert_eq!(on.contains(&i), !dominated && first);
            }
        }

        #[test]
        fn halving_keeps_the_front_and_the_best(
            draws in prop::collection::vec((0u32..9, 0u32..9, 0u32..9, 0u32..99), 1..40),
        ) {
            let costs: Vec<Cost> =
                draws.iter().map(|d| Cost { flash: d.0, arena: d.1, instructions: d.2, bound: d.2 }).collect();
            let qualities: Vec<Option<Quality>> =
                draws.iter().map(|d| Some(Quality { value: f64::from(d.3), by_law: false })).collect();
            let left: Vec<usize> = (0..draws.len()).collect();
            let kept = survivors(&left, &costs, &qualities, true);
            prop_assert!(kept.len() >= draws.len().div_ceil(2));
            let points: Vec<Point> =
                draws.iter().map(|d| point(d.0, d.1, d.2, f64::from(d.3))).collect();
            prop_assert!(front(&points, true).iter().all(|i| kept.contains(i)));
            let best = draws.iter().map(|d| d.3).max();
            prop_assert!(kept.iter().any(|&i| Some(draws[i].3) == best));
        }
    }

    #[test]
    fn a_budget_is_at_most_the_boards() {
        let board = Board::find("qemu-m0").unwrap();
        let budget = Budget::of(board, Some(5_000), Some(u32::MAX), Some(9));
        assert_eq!((budget.flash, budget.arena), (5_000, board.ram.arena));
        assert!(budget.holds(&Cost { flash: 5_000, arena: 1, instructions: 8, bound: 9 }));
        assert!(!budget.holds(&Cost { flash: 5_000, arena: 1, instructions: 9, bound: 10 }));
    }
}
