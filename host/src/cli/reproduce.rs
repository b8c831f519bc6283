//! `smidgen reproduce FAMILY`: the paper's claims, measured, row by row.

use anyhow::Result;

use super::ReproduceArgs;
use crate::family::{Place, Reproduce, find};

pub fn run(args: &ReproduceArgs, place: &Place) -> Result<()> {
    let request =
        Reproduce { quick: args.quick, only: args.only.clone(), seeds: args.seeds, folder: args.output.clone() };
    let result = find(&args.family)?.reproduce(&request, place)?;
    place.output.result(result);
    Ok(())
}
