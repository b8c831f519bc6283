//! Peers of `bench kernels`: other engines on the same layers, in images of their own, and constants.
//!
//! A peer's image runs one inference to see that its scores are ours, and one that is counted. Those that round as we do
//! have our bits; the others our scores within [`TOLERANCE`], and the same largest. A peer that can't be built here is
//! absent, with the reason.

mod emlearn;
mod expected;
mod microflow;
mod plain;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Measured;
use crate::compress::{Description, Layout, export};
use crate::counting::workload::{Part, Workload};
use crate::device::Board;
use crate::graph::Graph;

const GCC: &str = "arm-none-eabi-gcc";

/// How far a score of a peer with another rounding may lie from ours, as a share of our largest one.
const TOLERANCE: f32 = 0.05;

/// Figures that were measured once, of int8 layers of the same shapes with random weights, under QEMU 7.2:
/// core, engine, A to D. Measured November 2026 with arm-none-eabi-gcc 12.2 at -O3.
const CONSTANTS: [(&str, &str, [f64; 4]); 3] = [
    ("cortex-m4", "CMSIS-NN", [579_393.0, 6_878.0, 72_186.0, 135_655.0]),
    ("cortex-m4", "TFLite Micro with CMSIS-NN", [578_587.0, 7_403.0, 72_931.0, 135_581.0]),
    ("cortex-m0", "CMSIS-NN", [1_756_870.0, f64::NAN, f64::NAN, 418_683.0]),
];
/// Of A and D alone.
const CONSTANTS_A_D: [(&str, &str, [f64; 2]); 4] = [
    ("cortex-m3", "CMSIS-NN", [952_634.0, 228_723.0]),
    ("cortex-m33", "CMSIS-NN", [581_186.0, 135_969.0]),
    ("cortex-m7", "CMSIS-NN", [579_838.0, 135_725.0]),
    ("cortex-m55", "CMSIS-NN", [147_248.0, 34_110.0]),
];

/// What is known of a workload on a core.
pub fn constants(workload: &str, core: &str) -> Vec<(String, f64)> {
    let column = |letters: &str| letters.find(workload);
    let four = CONSTANTS.iter().filter(|c| c.0 == core).filter_map(|(_, name, v)| Some((*name, v[column("ABCD")?])));
    let two = CONSTANTS_A_D.iter().filter(|c| c.0 == core).filter_map(|(_, name, v)| Some((*name, v[column("AD")?])));
    let named = |(name, value): (&str, f64)| value.is_finite().then(|| (format!("{name}, a constant"), value));
    let mut all: Vec<(String, f64)> = four.chain(two).filter_map(named).collect();
    if workload == "E" && core == "cortex-m4" {
        all.push(("CMSIS-NN as dense, a constant".into(), 135_661.0));
    }
    all
}

/// Some layers of a workload for one board, as a peer gets them.
struct Job<'a> {
    board: &'a Board,
    /// Unique among the parts of all workloads, e.g. `a-0`.
    name: String,
    /// The layers in f32.
    graph: Graph,
    /// Inputs of the graph, which calibrate.
    inputs: Vec<Vec<f32>>,
    /// The layers as our exporter quantises them, row by row, whatever the board has for it.
    part: Part,
    /// The Python environment of the peers.
    peers: &'a Path,
}

/// The instructions of one inference.
type Count = fn(&Job<'_>) -> Result<u64>;

const ALL: [(&str, Count); 4] = [
    ("plain Rust at opt-level 3", plain::rust),
    ("plain C at -O3", plain::c),
    (microflow::NAME, microflow::count),
    (emlearn::NAME, emlearn::count),
];

/// Why peers are not there: who, where, the reason.
#[derive(Default)]
pub struct Absent(Vec<(&'static str, String, String)>);

impl Absent {
    /// `who` is not there for `place`, a workload on a board.
    pub fn add(&mut self, who: &'static str, place: String, why: &anyhow::Error) {
        self.0.push((who, place, format!("{why:#}")));
    }

    /// A line for each peer and reason; where it lacks on some boards or workloads alone, with their names.
    pub fn lines(&self, measured: &Measured) -> Vec<(String, String)> {
        let mut lines: Vec<(String, String)> = Vec::new();
        for (i, (who, _, why)) in self.0.iter().enumerate() {
            if self.0[..i].iter().any(|(w, _, y)| w == who && y == why) {
                continue;
            }
            let places: Vec<&str> =
                self.0.iter().filter(|(w, _, y)| w == who && y == why).map(|(_, place, _)| place.as_str()).collect();
            let somewhere = measured.rows.iter().any(|row| row.peers.iter().any(|(name, _)| name == who));
            let whole = !somewhere && self.0.iter().filter(|(w, _, _)| w == who).count() == places.len();
            lines.push((if whole { who.to_string() } else { format!("{who}, {}", places.join(", ")) }, why.clone()));
        }
        lines
    }
}

/// Counts of the peers that can be built here.
pub fn counted(workload: &Workload, board: &Board, folder: &Path, absent: &mut Absent) -> Result<Vec<(String, f64)>> {
    let mut found = Vec::new();
    let jobs = jobs(workload, board, folder)?;
    for (name, count) in ALL {
        match jobs.iter().map(count).sum::<Result<u64>>() {
            Ok(instructions) => found.push((name.to_string(), instructions as f64)),
            Err(error) => {
                absent.add(name, format!("{} on {}", workload.name, board.name), &error);
            }
        }
    }
    Ok(found)
}

/// The parts that the board's own model slot holds.
fn jobs<'a>(workload: &Workload, board: &'a Board, peers: &'a Path) -> Result<Vec<Job<'a>>> {
    let mut jobs = Vec::new();
    let mut from = 0;
    for part in workload.parts(board)? {
        let to = from + part.model.artifact()?.ops().count() - 1;
        let (graph, inputs) = workload.graph(from, to);
        let model = export(&graph, &inputs, &Description { layout: Layout::Dense, ..Description::default() })?.bytes;
        let part = Part { model, inputs: part.inputs };
        let name = format!("{}-{}", workload.name.to_lowercase(), jobs.len());
        jobs.push(Job { board, name, graph, inputs, part, peers });
        from = to;
    }
    Ok(jobs)
}

/// What every run says of peers.
pub fn versions(measured: &mut Measured) {
    if let Ok(output) = Command::new(GCC).arg("--version").output() {
        let text = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("").to_string();
        measured.versions.push((GCC.into(), text));
    }
    measured.versions.push((
        "constants".into(),
        "of November 2026: gcc 12.2 at -O3, QEMU 7.2, weights as random as ours, each engine's own int8 rounding"
            .into(),
    ));
}

fn list<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|v| v.to_string()).collect::<Vec<_>>().join(",")
}

/// Runs a script in the peers' Python environment; the object on its last line.
fn python(peers: &Path, script: &str, text: &str, folder: &Path, arguments: [&str; 2]) -> Result<Value> {
    let python = peers.join("bin/python");
    let install = format!("install the peers with: sh scripts/bench-peers {}", peers.display());
    ensure!(python.exists(), "{} is not there; {install}", python.display());
    let python = std::path::absolute(python)?;
    std::fs::write(folder.join(script), text)?;
    let output = Command::new(&python)
        .current_dir(folder)
        .arg(script)
        .args(arguments)
        .output()
        .with_context(|| format!("{} does not start", python.display()))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        bail!("{last}{}", if last.contains("ModuleNotFoundError") { format!("; {install}") } else { String::new() });
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(text.lines().last().unwrap_or("")).with_context(|| format!("{script} says {text:?}"))
}

/// Runs a compiler in `folder`; its first complaint where it fails.
fn compile(mut compiler: Command, folder: &Path) -> Result<()> {
    let name = compiler.get_program().to_string_lossy().into_owned();
    let output = match compiler.current_dir(folder).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let package =
                if name == GCC { "; on Debian or Ubuntu: sudo apt-get install gcc-arm-none-eabi" } else { "" };
            bail!("{name} is not installed{package}")
        }
        Err(error) => bail!("{name} does not start: {error}"),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    let line = errors.lines().find(|line| line.contains("error")).unwrap_or("no message");
    ensure!(output.status.success(), "{name} refuses it: {line}");
    Ok(())
}

/// arm-none-eabi-gcc for a core, at -O3.
fn gcc(board: &Board) -> Result<Command> {
    ensure!(board.core.starts_with("cortex-"), "no C compiler for {} is looked for", board.core);
    let mut gcc = Command::new(GCC);
    gcc.args([&format!("-mcpu={}", board.core), "-mthumb", "-O3", "-nostartfiles", "-Tlink.x", "-Wl,--entry=main"]);
    Ok(gcc)
}
