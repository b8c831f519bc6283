//! `smidgen bench kernels`: executed instructions from the last value to the scores, counted in QEMU.
//!
//! Workloads A to E (counting/workload.rs) and models from files, on every emulated board, in the layout that the
//! exporter picks for that board: the whole answer through the executor, and the kernels alone. Peers do the same work
//! with the same weights in the same run where they are there; CMSIS-NN's and TFLite Micro's figures are constants.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use smidgen_shared::artifact::{Artifact, Provenance};
use smidgen_shared::cost;

use super::{Estimate, INSTRUCTIONS, Measured, Row, Work, markdown, peers};
use crate::compress::{Aligned, pack};
use crate::counting::bare::{self, Alone};
use crate::counting::cycles;
use crate::counting::workload::{ALL, Part, Workload};
use crate::device::{Board, Firmware, count_plugin, qemu_version};
use crate::family::{Place, find};
use crate::output::thousands;
use crate::{infer, verify};

/// Inputs that are counted: the most of them is the figure.
const INPUTS: usize = 4;

#[derive(Args)]
pub struct KernelsArgs {
    /// An artifact to count beside the workloads; may be repeated
    #[arg(long = "model", value_name = "FILE")]
    models: Vec<PathBuf>,
    /// Only this board; may be repeated [default: all that QEMU can be]
    #[arg(long = "board", value_name = "NAME")]
    boards: Vec<String>,
    /// Only workloads whose letter is among these, e.g. `AD`
    #[arg(long, value_name = "LETTERS")]
    only: Option<String>,
    /// Leave out the peers
    #[arg(long)]
    alone: bool,
    /// Folder of the Python environment that holds the peers
    #[arg(long, default_value = "target/bench-peers", value_name = "DIR")]
    peers: PathBuf,
    /// Write the tables as Markdown: between the marks of `bench kernels` in a file that has them, else a file of its own
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Measures all rows.
pub fn measure(args: &KernelsArgs, place: &Place) -> Result<Measured> {
    let mut measured = Measured { rows: vec![], absent: vec![], versions: vec![] };
    for name in &args.boards {
        Board::find(name)?.machine()?;
    }
    let chosen = |b: &&Board| args.boards.is_empty() || args.boards.contains(&b.name);
    let mut qemus: Vec<String> = Vec::new();
    let mut absent = peers::Absent::default();
    for board in Board::emulated().filter(chosen) {
        let qemu = &board.machine()?.qemu;
        match qemu_version(qemu) {
            Ok(version) if !qemus.contains(qemu) => {
                measured.versions.push((qemu.clone(), version));
                qemus.push(qemu.clone());
            }
            Ok(_) => {}
            Err(error) => {
                measured.absent.push((board.name.clone(), format!("{error:#}")));
                continue;
            }
        }
        if let Err(error) = Firmware::of(board) {
            measured.absent.push((board.name.clone(), format!("{error:#}")));
            continue;
        }
        place.output.note(format!("counting on {}", board.name));
        for workload in ALL.iter().filter(|w| args.only.as_ref().is_none_or(|only| only.contains(w.name))) {
            let row = of_workload(workload, board, args, &mut absent);
            measured.rows.push(row.with_context(|| format!("{} on {}", workload.name, board.name))?);
        }
        for path in &args.models {
            match of_model(path, board, place)? {
                Ok(row) => measured.rows.push(row),
                Err(why) => measured.absent.push((format!("{} on {}", stem(path), board.name), why)),
            }
        }
    }
    anyhow::ensure!(!measured.rows.is_empty(), "nothing was counted: {}", reasons(&measured.absent));
    measured.versions.push(("rustc".into(), crate::counting::compiler()));
    measured.absent.extend(absent.lines(&measured));
    if !args.alone {
        peers::versions(&mut measured);
    }
    measured.rows[0].notes.push(
        "counted from the last value taken to the scores in the arena, decoding of operators included; taking values, the link and the choice of the class are not; cycles are an estimate from the kernels' mix of instructions (docs/results/kernels.md)".into(),
    );
    if let Some(file) = &args.output {
        markdown::write(file, &measured)?;
    }
    Ok(measured)
}

fn reasons(absent: &[(String, String)]) -> String {
    absent.first().map_or("no workload was chosen".into(), |(name, why)| format!("{name}: {why}"))
}

/// One workload on one board, with its peers.
fn of_workload(workload: &Workload, board: &Board, args: &KernelsArgs, absent: &mut peers::Absent) -> Result<Row> {
    let parts = workload.parts(board)?;
    let mut ours = 0;
    let mut alone: Option<Alone> = None;
    for (i, part) in parts.iter().enumerate() {
        let Part { model, inputs } = part;
        ours += most(board, model, &inputs[..INPUTS])?;
        // An image of the kernels alone is counted by the plugin, or not at all.
        if let Err(why) = count_plugin(&board.machine()?.qemu) {
            absent.add("the kernels alone", format!("{} on {}", workload.name, board.name), &why);
            continue;
        }
        let kernels = bare::count(board, part, &format!("{}-{i}", workload.name.to_lowercase()))?;
        alone = Some(alone.map_or(kernels, |before| before.and(kernels)));
    }
    let mut notes = vec![];
    if parts.len() > 1 {
        notes.push(format!("in {} parts, as a model slot holds it: their sum", parts.len()));
    } else if let Some(alone) = &alone {
        notes.push(format!(
            "the kernels alone: {} bytes of code beyond weights; RAM {} bytes and {} of stack",
            thousands(alone.code_bytes.into()),
            thousands(alone.static_bytes.into()),
            thousands(alone.stack_bytes.into())
        ));
    }
    let mut peers = peers::constants(workload.name, &board.core);
    if !args.alone {
        peers.splice(0..0, peers::counted(workload, board, &args.peers, absent)?);
    }
    let work = Work {
        subject: workload.name.into(),
        board: board.name.clone(),
        macs: workload.macs() as u64,
        cycles: cycles(ours, &board.core),
        alone,
        parts: parts.len(),
        estimate: None,
    };
    Ok(Row {
        name: format!("{} on {}", workload.name, board.name),
        ours: ours as f64,
        unit: INSTRUCTIONS,
        peers,
        notes,
        work: Some(work),
    })
}

/// The most instructions of any of `inputs`.
fn most(board: &Board, model: &Aligned, inputs: &[Vec<i16>]) -> Result<u64> {
    let counts = verify::count(board, model, inputs)?.map_err(anyhow::Error::msg)?;
    counts.finish.into_iter().max().context("nothing was counted")
}

/// A model's name: its file's.
fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| path.display().to_string(), |stem| stem.to_string_lossy().into_owned())
}

/// A model from a file, packed for the board, on samples that its training held out; the reason where the board does
/// not take it.
fn of_model(path: &Path, board: &Board, place: &Place) -> Result<Result<Row, String>> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let model = Aligned::new(&bytes);
    let refused = |e| anyhow::anyhow!("{}: {e}", path.display());
    let signed = model.artifact().map_err(refused)?.header().signed;
    let model = if signed { model } else { pack(&model, infer::packing(board)?)? };
    let artifact: Artifact<'_> = model.artifact().map_err(refused)?;
    if let Err(why) = board.check_fit(model.len(), artifact.arena_bytes() as usize, "a smaller model") {
        return Ok(Err(format!("{why:#}")));
    }
    let manifest = artifact.manifest();
    let provenance: Provenance = postcard::from_bytes(manifest.provenance)?;
    let held = find(manifest.family)?.samples(&provenance, None, place)?.spread(INPUTS);
    // A board may refuse what it has no instructions for; the others are counted all the same.
    let ours = match most(board, &model, &held.inputs) {
        Ok(ours) => ours,
        Err(error) => return Ok(Err(format!("{error:#}"))),
    };
    let core = infer::core(&board.core)?;
    let (estimate, bound) = (cost::estimate(&artifact, core), cost::instructions(&artifact, core));
    let estimate = Estimate { instructions: estimate.into(), bound: bound.into() };
    let note = format!(
        "the cost model says {} ({:+.1} %), and at most {}{}",
        thousands(estimate.instructions),
        estimate.off(ours as f64),
        thousands(estimate.bound),
        if estimate.bound < ours { ", which does not hold" } else { "" }
    );
    let macs: u32 = artifact.ops().map(|op| cost::macs(&op)).sum();
    let stem = stem(path);
    let work = Work {
        subject: stem.clone(),
        board: board.name.clone(),
        macs: macs.into(),
        cycles: cycles(ours, &board.core).filter(|_| macs > 0),
        alone: None,
        parts: 1,
        estimate: Some(estimate),
    };
    Ok(Ok(Row {
        name: format!("{stem} on {}", board.name),
        ours: ours as f64,
        unit: INSTRUCTIONS,
        peers: vec![],
        notes: vec![note],
        work: Some(work),
    }))
}
