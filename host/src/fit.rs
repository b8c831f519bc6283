//! A model for a budget: which candidates fit a board, and which of those are best for what they cost.
//!
//! Costs come before training: the exporter places and lays out a network whatever its weights are, so that
//! flash, arena and instructions follow from a candidate's shape. What does not fit is not trained. Where zeros
//! among the weights decide (pruned networks), the shape gives the least that they can take, and every round the
//! costs of the network that it trained. The rest are trained in rounds of rising effort, and after each the half
//! that lies farthest behind the front is dropped (successive halving, Jamieson and Talwalkar 2016, by the ranks of
//! non-dominated sorting, Deb et al. 2002). Quality is measured on samples that training held out for it, never on
//! the test samples; those of the front are then trained whole, tested and counted, so that predictions stand
//! beside measurements.

mod budget;
mod quality;

pub use budget::{Budget, Cost};
pub use quality::{Metric, Quality};

use anyhow::{Context, Result, ensure};

use crate::compress::{self, Aligned, Layout};
use crate::device::Board;
use crate::engine::in_parallel;
use crate::family::{Export, Place};
use crate::infer::{self, description};
use crate::interrupt;
use crate::verify;

/// What a family offers to a search.
pub trait Search: Sync {
    /// Every candidate; the order decides between equals.
    fn candidates(&self) -> &[Candidate];

    /// What quality is.
    fn metric(&self) -> Metric;

    /// What the qualities rest on where a law extrapolates them, for a reader.
    fn law(&self) -> Option<String> {
        None
    }

    /// A network of the candidate's shape. Its weights need not be trained; where zeros among them decide what it
    /// costs, it has as many as it can have.
    ///
    /// # Errors
    /// A setting that does not go with the data.
    fn shape(&self, candidate: usize) -> Result<Export>;

    /// Rounds of rising effort.
    fn rounds(&self) -> usize;

    /// The candidate's quality on samples held out from training for it, in a round `0..rounds`; with the trained
    /// network where its weights decide what it costs.
    ///
    /// # Errors
    /// A training that fails.
    fn quality(&self, candidate: usize, round: usize) -> Result<(Quality, Option<Export>)>;

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

/// A candidate that was trained whole.
pub struct Trained {
    /// Its graph.
    pub export: Export,
    /// [`COUNTED`] raw samples that training held out, evenly spread: instructions are counted on them.
    pub inputs: Vec<Vec<i16>>,
}

/// A candidate on the front.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Which.
    pub candidate: usize,
    /// Predicted before training; of a network of the last round where weights decide.
    pub cost: Cost,
    /// Whether weights decide what it costs, so that another training costs otherwise.
    pub by_weights: bool,
    /// On samples held out for the search.
    pub quality: Quality,
    /// Of the artifact of the network trained whole.
    pub measured: Option<Measured>,
}

/// What the artifact of a network that was trained whole is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The metric on the test samples.
    pub test: f64,
    /// What it costs by the formulas.
    pub cost: Cost,
    /// Instructions counted under QEMU, where the board can be emulated and counted.
    pub counted: Option<Counted>,
}

/// Instructions of several samples. Formulas are fitted to means, bounds hold for the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Mean, rounded.
    pub mean: u32,
    /// The most of any.
    pub most: u32,
}

impl Counted {
    /// Of at least one sample.
    fn of(counts: &[u64]) -> Option<Counted> {
        let n = counts.len() as u64;
        let mean = (counts.iter().sum::<u64>() + n / 2).checked_div(n)?;
        Some(Counted { mean: u32::try_from(mean).ok()?, most: u32::try_from(*counts.iter().max()?).ok()? })
    }
}

impl Point {
    /// Whether no sample took more than the artifact says is the most.
    pub fn bound_holds(&self) -> bool {
        self.measured.is_none_or(|m| m.counted.is_none_or(|counted| counted.most <= m.cost.bound))
    }

    /// The largest share by which what was measured lies off what was predicted: flash, arena and instructions of the
    /// search against the artifact's, or, where weights decide, the formulas against the count on the same artifact.
    /// Up to `2 · UNKNOWN` bytes of flash, the part of an artifact that weights decide, are no error.
    pub fn off(&self) -> Option<f64> {
        let off = |a: u32, b: u32| (f64::from(a) - f64::from(b)).abs() / f64::from(b.max(1));
        let (cost, measured) = (self.cost, self.measured?);
        let counted = measured.counted.map_or(measured.cost.instructions, |counted| counted.mean);
        if self.by_weights {
            return Some(off(measured.cost.instructions, counted));
        }
        let flash = match (measured.cost.flash..=measured.cost.flash + 2 * UNKNOWN).contains(&cost.flash) {
            true => 0.0,
            false => off(cost.flash, measured.cost.flash),
        };
        Some(flash.max(off(cost.arena, measured.cost.arena)).max(off(cost.instructions, counted)))
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Candidates that no other beats in everything, by rising flash.
    pub front: Vec<Point>,
    /// Everything else that was measured: name of its kind, cost and quality.
    pub others: Vec<Point>,
    /// Index into the front: the best quality, of those that hold the budget.
    pub chosen: usize,
    /// Candidates that were over the budget.
    pub over: usize,
}

/// Samples that instructions are counted on: a core without a divider takes more or less by the sample.
pub const COUNTED: usize = 8;

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
    let mut costs = costs?;
    let mut by_weights = vec![false; candidates.len()];
    let mut left = within(&all, &costs, candidates, board, budget)?;
    let share = search.metric().share;
    let mut qualities: Vec<Option<Quality>> = vec![None; candidates.len()];
    for round in 0..search.rounds() {
        let bar = place.output.bar(left.len() as u64, &format!("round {} of {}", round + 1, search.rounds()));
        let values = in_parallel(&left, place.threads, |&i| {
            interrupt::check()?;
            let (quality, export) = search.quality(i, round).with_context(|| candidates[i].name.clone())?;
            let cost = export.map(|export| lay_out(&export, board)).transpose()?.map(|(_, cost)| cost);
            bar.inc(1);
            Ok((quality, cost))
        });
        bar.finish_and_clear();
        for (&i, (quality, cost)) in left.iter().zip(values?) {
            ensure!(quality.value.is_finite(), "{}: its {} is no number", candidates[i].name, search.metric().name);
            qualities[i] = Some(quality);
            by_weights[i] = cost.is_some();
            costs[i] = cost.unwrap_or(costs[i]);
        }
        left = within(&left, &costs, candidates, board, budget)?;
        if round + 1 < search.rounds() {
            left = survivors(&left, &costs, &qualities, share);
        }
    }
    let point = |i: usize| {
        let quality = qualities[i]?;
        Some(Point { candidate: i, cost: costs[i], by_weights: by_weights[i], quality, measured: None })
    };
    let finalists: Vec<Point> = left.iter().filter_map(|&i| point(i)).collect();
    let on = front(&finalists, share);
    let mut best: Vec<Point> = on.iter().map(|&i| finalists[i].clone()).collect();
    best.sort_by_key(|p| (p.cost.flash, p.cost.instructions));
    let chosen = best_of(&best, share, |_| true).context("no candidate was measured")?;
    let others = all.iter().filter(|i| !best.iter().any(|p| p.candidate == **i)).filter_map(|&i| point(i)).collect();
    let over = costs.iter().filter(|cost| !budget.holds(cost)).count();
    Ok(Found { front: best, others, chosen, over })
}

/// Those of `left` that the budget holds.
///
/// # Errors
/// Where there are none: names the one that comes nearest.
fn within(
    left: &[usize],
    costs: &[Cost],
    candidates: &[Candidate],
    board: &Board,
    budget: &Budget,
) -> Result<Vec<usize>> {
    let held: Vec<usize> = left.iter().copied().filter(|&i| budget.holds(&costs[i])).collect();
    if held.is_empty() {
        let nearest = left.iter().copied().min_by_key(|&i| (costs[i].flash, costs[i].arena));
        let i = nearest.context("there is no candidate")?;
        let cost = costs[i];
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
    Ok(held)
}

/// The best of those that are `allowed`; of equals the first.
fn best_of(points: &[Point], share: bool, allowed: impl Fn(&Point) -> bool) -> Option<usize> {
    let all = (0..points.len()).filter(|&i| allowed(&points[i]));
    all.max_by(|&a, &b| gain(&points[a], share).total_cmp(&gain(&points[b], share)).then(b.cmp(&a)))
}

/// Trains every candidate of the front whole, tests its artifact and counts its instructions; then chooses.
///
/// # Errors
/// A training that fails, a board that does not start, no artifact that holds the budget, Ctrl-C.
pub fn measure(
    found: &mut Found,
    search: &dyn Search,
    (board, budget): (&Board, &Budget),
    place: &Place,
) -> Result<()> {
    let bar = place.output.bar(found.front.len() as u64, "trained whole");
    let measured = in_parallel(&found.front, place.threads, |point| {
        interrupt::check()?;
        let trained = search.train(point.candidate)?;
        let (bytes, cost) = lay_out(&trained.export, board)?;
        let few = &trained.inputs[..trained.inputs.len().min(COUNTED)];
        // Without a machine, or a C compiler for the plugin that counts, the formulas' figure stands alone.
        let counts = if board.machine().is_ok() { verify::count(board, &bytes, few)?.ok() } else { None };
        let counted = counts.and_then(|counts| Counted::of(&counts.finish));
        bar.inc(1);
        Ok(Measured { test: search.test(point.candidate, &bytes)?, cost, counted })
    });
    bar.finish_and_clear();
    for (point, measured) in found.front.iter_mut().zip(measured?) {
        point.measured = Some(measured);
    }
    let holds = |p: &Point| p.measured.is_none_or(|m| budget.holds(&m.cost));
    found.chosen = best_of(&found.front, search.metric().share, holds).context(
        "trained whole, no candidate of the front holds the budget any more: their weights decide what they cost; allow more",
    )?;
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

/// The front, and those next behind it, half of all at least: what only the kept ones beat comes next; the better first.
fn survivors(left: &[usize], costs: &[Cost], qualities: &[Option<Quality>], share: bool) -> Vec<usize> {
    let point = |&i: &usize| {
        Some(Point { candidate: i, cost: costs[i], by_weights: false, quality: qualities[i]?, measured: None })
    };
    let mut rest: Vec<Point> = left.iter().filter_map(point).collect();
    rest.sort_by(|a, b| gain(b, share).total_cmp(&gain(a, share)));
    let least = rest.len().div_ceil(2);
    let mut kept: Vec<usize> = Vec::new();
    while kept.len() < least {
        let on = front(&rest, share);
        let room = if kept.is_empty() { on.len() } else { least - kept.len() };
        kept.extend(on.iter().take(room).map(|&i| rest[i].candidate));
        let mut at = 0..;
        rest.retain(|_| !at.next().is_some_and(|i| on.contains(&i)));
    }
    kept.sort_unstable();
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
        let quality = Quality::of_seeds(&[value]);
        let cost = Cost { flash, arena, instructions, bound: instructions };
        Point { candidate: 0, cost, by_weights: false, quality, measured: None }
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
                draws.iter().map(|d| Some(Quality::of_seeds(&[f64::from(d.3)]))).collect();
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
    fn a_prediction_is_off_by_its_worst_figure() {
        let cost = Cost { flash: 1_000, arena: 100, instructions: 1_000, bound: 1_500 };
        let measured = |flash: u32, counted: Option<u32>| {
            let counted = counted.map(|n| Counted { mean: n, most: n });
            Some(Measured { test: 0.0, cost: Cost { flash, ..cost }, counted })
        };
        let with = |measured| Point { measured, cost, ..point(0, 0, 0, 0.0) };
        assert_eq!(with(None).off(), None);
        assert_eq!(with(measured(1_000 - 2 * UNKNOWN, None)).off(), Some(0.0));
        assert!(with(measured(1_001, None)).off().unwrap() > 0.0);
        assert!((with(measured(1_000, Some(800))).off().unwrap() - 0.25).abs() < 1e-9);
        assert!(with(measured(1_000, Some(1_500))).bound_holds() && !with(measured(1_000, Some(1_501))).bound_holds());
        assert_eq!(Counted::of(&[10, 13]), Some(Counted { mean: 12, most: 13 }));
        assert_eq!(Counted::of(&[]), None);
        // Where weights decide, only the formulas are held to the count.
        let other = Point { by_weights: true, ..with(measured(2_000, Some(1_000))) };
        assert_eq!(other.off(), Some(0.0));
    }

    #[test]
    fn seeds_give_a_mean_and_a_deviation() {
        assert_eq!(Quality::of_seeds(&[0.5]).deviation, None);
        let q = Quality::of_seeds(&[1.0, 2.0, 3.0]);
        assert_eq!((q.value, q.deviation), (2.0, Some(1.0)));
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
