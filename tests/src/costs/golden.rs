//! Counts of the workloads A to E that are kept: tests/golden/kernels.json. A rise of more than 1 % is a loss.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use smidgen::counting::{
    compiler,
    workload::{ALL, Part},
};
use smidgen::device::Board;
use smidgen::verify::count;

/// Inputs of which the most counts.
const INPUTS: usize = 4;

/// What is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// The compiler of the firmware, in its own words.
    pub compiler: String,
    /// Instructions: board → workload → count.
    pub counts: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Where it is kept.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/kernels.json")
}

/// What is kept.
///
/// # Errors
/// No such file, or another's.
pub fn read() -> Result<Golden> {
    let path = path();
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}: not there", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}: write it anew with `kernel-costs golden`", path.display()))
}

/// Counts of all workloads on one board, in the layout that the exporter picks for it.
///
/// # Errors
/// Where they don't run, or nothing can be counted.
pub fn of_board(board: &Board) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for workload in ALL {
        let mut total = 0;
        for Part { model, inputs } in workload.parts(board)? {
            let counted = count(board, &model, &inputs[..INPUTS])?.map_err(anyhow::Error::msg)?;
            total += counted.finish.into_iter().max().context("nothing was counted")?;
        }
        counts.insert(workload.name.to_string(), total);
    }
    Ok(counts)
}

/// Counts everything and keeps it.
///
/// # Errors
/// As [`of_board`].
pub fn write() -> Result<()> {
    let mut golden = Golden { compiler: compiler(), counts: BTreeMap::new() };
    for board in super::boards()? {
        println!("{}", board.name);
        golden.counts.insert(board.name.clone(), of_board(board)?);
    }
    let path = path();
    std::fs::create_dir_all(path.parent().context("a folder")?)?;
    std::fs::write(&path, serde_json::to_string_pretty(&golden)? + "\n")?;
    println!("written: {}", path.display());
    Ok(())
}
