//! How fast lottery populations train, for `bench`.

use anyhow::{Result, ensure};

use super::settings::{Plan, WIDTHS};
use super::train::{train, unsaved};
use crate::population::Watch;

/// Networks of a whole measurement: every width once, for so many steps.
pub fn networks() -> usize {
    WIDTHS.len()
}

/// Trains one seed of every width for `steps` steps on one thread, as `train lottery` does.
///
/// # Errors
/// A network that failed.
pub fn run(steps: usize, seed: u64) -> Result<()> {
    let plan = Plan::of(&[format!("steps={steps}")])?;
    let members = plan.grid.members(seed, 1)?;
    let population = train(&members, &unsaved(1), &Watch::silent(members.len()))?;
    let failed = population.iter().find_map(|outcome| outcome.as_ref().err());
    ensure!(failed.is_none(), "a network failed: {failed:?}");
    Ok(())
}
