//! Instructions, counted in QEMU: of a whole inference, and of every operator by itself.
//!
//! The firmware marks the stretch from the last value taken to the scores. A run that stops after operator i
//! counts all up to it, so `operator i = run(i) − run(i − 1)`; what a run to the end takes beyond the last
//! of these is the walk's own end, and is laid to the first operator, as everything that is there once a run.

pub mod bare;
pub mod image;
pub mod package;
pub mod workload;

use anyhow::{Context, Result};

use crate::compress::Aligned;
use crate::device::{Board, Device, Qemu};
use crate::verify::channels;

/// What one model takes on one board, by input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Instructions of each input's inference.
    pub whole: Vec<u64>,
    /// `(operators, inputs)`; each input's sum is its `whole`.
    pub operators: Vec<Vec<u64>>,
    /// Instructions of every time step taken, of all inputs.
    pub steps: Vec<u64>,
}

/// Times that a count is begun anew.
const ATTEMPTS: usize = 4;

/// Counts a model's operators one by one. The inner error is a reason why nothing can be counted here.
///
/// # Errors
/// Where the board does not run the model.
pub fn profile(board: &Board, model: &Aligned, inputs: &[Vec<i16>]) -> Result<Result<Profile, String>> {
    for _ in 0..ATTEMPTS {
        match attempt(board, model, inputs)? {
            Ok(Some(profile)) => return Ok(Ok(profile)),
            // On a busy machine an answer may be late; the request is repeated then, and so is the inference.
            Ok(None) => {}
            Err(reason) => return Ok(Err(reason)),
        }
    }
    anyhow::bail!("{} repeats inferences: the machine is too busy to count on it", board.name)
}

/// `None` where an inference was repeated.
fn attempt(board: &Board, model: &Aligned, inputs: &[Vec<i16>]) -> Result<Result<Option<Profile>, String>> {
    let artifact = model.artifact()?;
    let operators = artifact.ops().count();
    let mut device = Device::connect(Qemu::start(board, model, true)?)?;
    if let Err(fault) = device.hello().model {
        anyhow::bail!("{} refuses the model: {}", board.name, crate::device::in_words(fault));
    }
    for raw in inputs {
        let counting = || format!("counting on {}", board.name);
        device.infer(raw, channels(&artifact)).with_context(counting)?;
        for op in 0..operators {
            device.stop_after(raw, channels(&artifact), op as u8).with_context(counting)?;
        }
    }
    let counts = match device.into_link().stop() {
        Ok(counts) => counts,
        Err(reason) => return Ok(Err(reason)),
    };
    if counts.finish.len() != inputs.len() * (operators + 1) {
        return Ok(Ok(None));
    }
    let mut profile = Profile { operators: vec![Vec::new(); operators], steps: counts.push, ..Profile::default() };
    for runs in counts.finish.chunks_exact(operators + 1) {
        let (whole, until) = (runs[0], &runs[1..]);
        profile.whole.push(whole);
        let end = whole.saturating_sub(until[operators - 1]);
        for (i, all) in profile.operators.iter_mut().enumerate() {
            all.push(if i == 0 { until[0] + end } else { until[i].saturating_sub(until[i - 1]) });
        }
    }
    Ok(Ok(Some(profile)))
}

/// Cycles of `instructions` of linear kernels, an estimate: the inner loop's instructions by the core's own table of
/// timings, memory without waits. M0: 17 cycles for 14 instructions; M3: 15 for 9 (MLA takes two); M4: 20 for 14, and
/// M33, which has no such table, as M4. None of a core that may be built in many ways.
pub fn cycles(instructions: u64, core: &str) -> Option<u64> {
    let (cycles, per) = match core {
        "cortex-m0" => (17, 14),
        "cortex-m3" => (15, 9),
        "cortex-m4" | "cortex-m33" => (20, 14),
        _ => return None,
    };
    Some(instructions * cycles / per)
}

/// The compiler that builds firmware, in its own words.
pub fn compiler() -> String {
    let output = std::process::Command::new("rustc").arg("--version").output();
    output.map_or("unknown".into(), |o| String::from_utf8_lossy(&o.stdout).trim().to_string())
}
