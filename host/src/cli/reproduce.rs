//! placeholder
use anyhow::Result;
use super::output::Output;
use super::{Data, ReproduceArgs};
pub fn run(_args: &ReproduceArgs, _data: &Data, _output: Output) -> Result<()> { anyhow::bail!("not yet") }
