//! A population as it trains: for each point of the grid how many members are done, and the best,
//! the median and the spread of their losses.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::{Grid, Member, Standing};
use crate::output::Output;

/// Follows all members; draws a table on a terminal, says nothing elsewhere.
pub struct Watch {
    output: Output,
    bar: ProgressBar,
    state: Mutex<State>,
}

struct State {
    points: Vec<String>,
    point_of: Vec<usize>,
    labels: Vec<String>,
    members: Vec<Option<Standing>>,
    failed: Vec<bool>,
    drawn: Instant,
}

/// Figures of the members at one point of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Settings that differ over the grid.
    pub label: String,
    /// Members that came to their end.
    pub done: usize,
    /// Members that failed.
    pub failed: usize,
    /// All members.
    pub count: usize,
    /// Smallest loss.
    pub best: f64,
    /// Median loss.
    pub median: f64,
    /// First and third quartile.
    pub quartiles: (f64, f64),
}

/// Time between two drawings.
const REDRAW: Duration = Duration::from_millis(200);
/// Lines of the live table.
const LINES: usize = 12;

impl Watch {
    /// Of `members` of `grid`.
    pub fn new(output: Output, what: &str, grid: &Grid, members: &[Member]) -> Watch {
        let mut points: Vec<String> = Vec::new();
        for member in members {
            if member.point == points.len() {
                points.push(member.point_label(grid));
            }
        }
        let state = State {
            points,
            point_of: members.iter().map(|m| m.point).collect(),
            labels: members.iter().map(|m| m.label(grid)).collect(),
            members: vec![None; members.len()],
            failed: vec![false; members.len()],
            drawn: Instant::now(),
        };
        let bar = output.bar(members.len() as u64 * 1000, what);
        Watch { output, bar, state: Mutex::new(state) }
    }

    /// A watch that says nothing.
    pub fn silent(members: usize) -> Watch {
        let members: Vec<Member> =
            (0..members).map(|i| Member { point: 0, settings: vec![], seed: i as u64 }).collect();
        Watch::new(Output { json: false, quiet: true }, "", &Grid::default(), &members)
    }

    /// Member `i` stands here now.
    pub fn standing(&self, i: usize, standing: &Standing) {
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        state.members[i] = Some(*standing);
        self.draw(&mut state, false);
    }

    /// Member `i` has ended early.
    pub fn failed(&self, i: usize, step: usize, reason: &str) {
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        state.failed[i] = true;
        let line = format!("member {i} ({}) failed at step {step}: {reason}; the others go on", state.labels[i]);
        self.bar.suspend(|| self.output.note(line));
        self.draw(&mut state, true);
    }

    /// Figures by point of the grid.
    pub fn spreads(&self) -> Vec<Spread> {
        self.state.lock().unwrap_or_else(|e| e.into_inner()).spreads()
    }

    /// Takes the live table away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn draw(&self, state: &mut State, now: bool) {
        if self.bar.is_hidden() || (!now && state.drawn.elapsed() < REDRAW) {
            return;
        }
        state.drawn = Instant::now();
        let share = |(standing, failed): (&Option<Standing>, &bool)| match standing {
            Some(s) if !*failed && !s.done => 1000 * s.step as u64 / s.steps.max(1) as u64,
            Some(_) => 1000,
            None => 1000 * u64::from(*failed),
        };
        self.bar.set_position(state.members.iter().zip(&state.failed).map(share).sum());
        let spreads = state.spreads();
        let mut text = String::new();
        for s in spreads.iter().filter(|s| s.best.is_finite()).take(LINES) {
            text += &format!(
                "\n   {:24} {:>4}/{} done   best {:.3e}   median {:.3e}   half within {:.2e} … {:.2e}",
                s.label, s.done, s.count, s.best, s.median, s.quartiles.0, s.quartiles.1
            );
        }
        if spreads.len() > LINES {
            text += &format!("\n   … {} more", spreads.len() - LINES);
        }
        self.bar.set_message(text);
    }
}

impl State {
    fn spreads(&self) -> Vec<Spread> {
        let each = self.points.iter().enumerate().map(|(p, label)| {
            let of_point = || self.point_of.iter().enumerate().filter(move |(_, point)| **point == p).map(|(i, _)| i);
            let mut losses: Vec<f64> = of_point()
                .filter(|&i| !self.failed[i])
                .filter_map(|i| self.members[i].map(|s| s.loss))
                .filter(|l| l.is_finite())
                .collect();
            losses.sort_unstable_by(f64::total_cmp);
            Spread {
                label: label.clone(),
                done: of_point().filter(|&i| self.members[i].is_some_and(|s| s.done)).count(),
                failed: of_point().filter(|&i| self.failed[i]).count(),
                count: of_point().count(),
                best: losses.first().copied().unwrap_or(f64::NAN),
                median: quantile(&losses, 0.5),
                quartiles: (quantile(&losses, 0.25), quantile(&losses, 0.75)),
            }
        });
        each.collect()
    }
}

/// Quantile `q` of ascending values, linear between neighbours; NaN of none.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, share) = (at.floor() as usize, at.fract());
    sorted[low] + share * (sorted[(low + 1).min(last)] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.25), 1.25);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn failed_members_do_not_count_among_the_losses() {
        let watch = Watch::silent(4);
        for i in 0..4 {
            watch.standing(i, &Standing { step: 9, steps: 9, loss: i as f64, done: true });
        }
        watch.failed(3, 9, "the loss is NaN");
        let spreads = watch.spreads();
        assert_eq!((spreads.len(), spreads[0].failed, spreads[0].count), (1, 1, 4));
        assert_eq!((spreads[0].best, spreads[0].median, spreads[0].quartiles), (0.0, 1.0, (0.5, 1.5)));
    }
}
