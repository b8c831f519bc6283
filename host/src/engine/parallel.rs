//! Where threads are used: between whole models, never inside one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

/// Runs `f` where every rayon call, candle's own included, stays on one thread.
///
/// # Errors
/// If the thread cannot be made.
pub fn single_threaded<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().context("cannot make a thread for training")?;
    Ok(pool.install(f))
}

/// Keeps faer's decompositions and products on the calling thread, from now on and everywhere:
/// how they split work over threads would show in the last bits.
pub fn sequential_algebra() {
    faer::set_global_parallelism(faer::Par::Seq);
}

/// `f(job)` of every job, on up to `threads` threads; results in the order of the jobs. Each job
/// runs single-threaded, so results do not depend on `threads`.
///
/// # Errors
/// The error of the first job, in order, that failed. Jobs not yet begun are then left out.
///
/// # Panics
/// If a job panics.
pub fn in_parallel<J: Sync, T: Send>(jobs: &[J], threads: usize, f: impl Fn(&J) -> Result<T> + Sync) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<T>>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    let failed = AtomicUsize::new(usize::MAX);
    let work = || {
        single_threaded(|| {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= jobs.len() || failed.load(Ordering::Relaxed) < i {
                    return;
                }
                let result = f(&jobs[i]);
                if result.is_err() {
                    failed.fetch_min(i, Ordering::Relaxed);
                }
                results.lock().expect("a job panicked")[i] = Some(result);
            }
        })
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, jobs.len().max(1))).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|w| w.join().expect("a job panicked"))
    })?;
    let results = results.into_inner().expect("a job panicked");
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_jobs() {
        let jobs: Vec<usize> = (0..50).collect();
        for threads in [1, 2, 7] {
            assert_eq!(in_parallel(&jobs, threads, |j| Ok(j * j)).unwrap()[49], 49 * 49);
        }
    }

    #[test]
    fn the_first_error_is_reported() {
        let jobs: Vec<usize> = (0..50).collect();
        let error = in_parallel(&jobs, 2, |j| if *j >= 5 { anyhow::bail!("job {j}") } else { Ok(()) }).unwrap_err();
        assert_eq!(error.to_string(), "job 5");
    }
}
