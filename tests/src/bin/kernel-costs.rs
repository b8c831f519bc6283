//! What kernels cost, written to where it is kept. Run it after a change of a kernel, a layout or the compiler:
//!
//! `kernel-costs fit [MODELS] [windows] [BOARD]...` counts random models operator by operator on a board of every core and
//! fits shared/src/cost/table.rs to them, of these boards' cores alone where some are named, and the coefficients of
//! windows alone after `windows`, where nothing else has changed; `kernel-costs golden` writes
//! tests/golden/kernels.json; `kernel-costs check [MODELS] [BOARD]...` sets estimates and
//! bounds beside counts of models that the fit has not seen;
//! `kernel-costs break-even` says up to which density matrices are stored sparse, with counts.

use anyhow::{Context, Result, bail};
use smidgen_tests::costs;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = |default: u64| match arguments.get(1) {
        Some(n) => n.parse::<u64>().with_context(|| format!("{n:?} is not a number of models")),
        None => Ok(default),
    };
    match arguments.first().map(String::as_str) {
        Some("fit") => costs::fit::write(count(240)?, arguments.get(2..).unwrap_or(&[])),
        Some("golden") => costs::golden::write(),
        Some("break-even") => {
            println!("{}", costs::break_even::table()?);
            Ok(())
        }
        Some("check") => {
            let named = |b: &&smidgen::device::Board| arguments.len() < 3 || arguments[2..].contains(&b.name);
            let boards: Vec<_> = costs::boards()?.into_iter().filter(named).collect();
            let checked = costs::check(count(50)?, &boards)?;
            println!("{}", costs::table(&checked));
            Ok(())
        }
        _ => bail!("kernel-costs fit [MODELS] [windows] [BOARD]... | golden | check [MODELS] [BOARD]... | break-even"),
    }
}
