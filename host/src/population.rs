//! Many models at once: seeds × settings over threads, watched, saved, and gone on with.
//!
//! A worker owns a whole model for all its steps, so a member's result is the same alone or among a
//! thousand, on one thread or many. A member that fails says so and the others go on. One file holds
//! all members' states; it is written every so often and when a stop is asked for.

mod checkpoint;
mod grid;
mod watch;

pub use checkpoint::{Saved, read};
pub use grid::{Grid, Member};
pub use watch::{Spread, Watch, quantile};

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::engine::single_threaded;
use crate::interrupt;

/// What a population does with each of its members.
pub trait Work: Sync {
    /// A model in training.
    type Model: Send;

    /// Member `index` before its first step.
    ///
    /// # Errors
    /// Settings that do not fit; the member alone fails.
    fn start(&self, index: usize) -> Result<Self::Model>;

    /// Trains on for a while, some tens of milliseconds to a second; says where the member stands.
    ///
    /// # Errors
    /// A loss that is not finite, and whatever else ends this member alone.
    fn advance(&self, index: usize, model: &mut Self::Model) -> Result<Standing>;

    /// All that is needed to go on from here.
    fn save(&self, model: &Self::Model) -> Result<Saved>;

    /// The model that [`Work::save`] saved.
    ///
    /// # Errors
    /// Where what was saved does not fit.
    fn restore(&self, index: usize, saved: &Saved) -> Result<Self::Model>;
}

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// The figure that is watched; smaller is better.
    pub loss: f64,
    /// Whether it has come to its end: its last step, or an early stop.
    pub done: bool,
}

/// How a population runs.
#[derive(Clone, Debug)]
pub struct Run {
    /// Threads, at least 1.
    pub threads: usize,
    /// Where states are kept, and whether to go on from there.
    pub checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint where it exists.
    pub resume: bool,
    /// Settings of the population as JSON: a checkpoint of another one is refused.
    pub identity: String,
    /// Time between two writes of the checkpoint.
    pub every: Duration,
}

/// What became of a member.
#[derive(Debug)]
pub enum Outcome<M> {
    /// It came to its end.
    Done(M),
    /// It failed: at which step, and why.
    Failed { step: usize, reason: String },
}

/// Trains members 0..count; outcomes in their order.
///
/// # Errors
/// Where a stop was asked for (the checkpoint is written first), or a checkpoint cannot be read,
/// belongs to another population, or cannot be written.
pub fn train<W: Work>(work: &W, count: usize, run: &Run, watch: &Watch) -> Result<Vec<Outcome<W::Model>>> {
    let slots = checkpoint::Slots::open(count, run)?;
    let next = AtomicUsize::new(0);
    let outcomes: Vec<Mutex<Option<Outcome<W::Model>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let worker = || -> Result<()> {
        let one = || -> Result<()> {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= count || stop.load(Ordering::Relaxed) || interrupt::asked() {
                    return Ok(());
                }
                let outcome = member(work, i, &slots, watch, &stop, run)?;
                if let Ok(mut slot) = outcomes[i].lock() {
                    *slot = outcome;
                }
            }
        };
        let result = one();
        if result.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        result
    };
    std::thread::scope(|scope| {
        let threads = run.threads.clamp(1, count.max(1));
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| single_threaded(worker))).collect();
        let results: Vec<Result<()>> =
            workers.into_iter().map(|w| w.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??).collect();
        results.into_iter().collect::<Result<()>>()
    })?;
    watch.finish();
    slots.write()?;
    if interrupt::asked() {
        anyhow::bail!("stopped; {}", slots.how_to_go_on());
    }
    outcomes
        .into_iter()
        .enumerate()
        .map(|(i, slot)| slot.into_inner().ok().flatten().with_context(|| format!("member {i} was not trained")))
        .collect()
}

/// Trains one member to its end; `None` where a stop was asked for.
fn member<W: Work>(
    work: &W,
    i: usize,
    slots: &checkpoint::Slots,
    watch: &Watch,
    stop: &std::sync::atomic::AtomicBool,
    run: &Run,
) -> Result<Option<Outcome<W::Model>>> {
    let failed = |step: usize, error: &anyhow::Error| {
        let reason = crate::output::chain(error);
        watch.failed(i, step, &reason);
        Ok(Some(Outcome::Failed { step, reason }))
    };
    let mut step = 0;
    let mut model = match slots.take(i) {
        Some(saved) => {
            step = saved.step;
            work.restore(i, &saved).with_context(|| format!("member {i} of the checkpoint"))?
        }
        None => match work.start(i) {
            Ok(model) => model,
            Err(error) => return failed(0, &error),
        },
    };
    let mut saved_at = Instant::now();
    loop {
        match work.advance(i, &mut model) {
            Ok(standing) => {
                step = standing.step;
                watch.standing(i, &standing);
                let stopping = stop.load(Ordering::Relaxed) || interrupt::asked();
                if standing.done || stopping || saved_at.elapsed() >= run.every {
                    slots.put(i, work.save(&model)?)?;
                    saved_at = Instant::now();
                }
                if standing.done {
                    return Ok(Some(Outcome::Done(model)));
                }
                if stopping {
                    return Ok(None);
                }
            }
            Err(error) => return failed(step, &error),
        }
    }
}
