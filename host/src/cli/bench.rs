//! `smidgen bench WHAT`: our speed beside that of peers doing the same work in the same run.
//!
//! A bench gives rows; here they are shown and become JSON.

mod kernels;
mod markdown;
mod peer;
mod peers;
mod sampler;
mod sid;
mod train;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::counting::bare::Alone;
use crate::engine::instruction_set;
use crate::family::Place;
use crate::output::{Output, thousands};

/// Unit of figures that are exact.
const INSTRUCTIONS: &str = "instructions";

#[derive(Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Training of small networks, beside JAX and PyTorch where they are installed (scripts/bench-peers)
    Train(TrainArgs),
    /// Instructions of int8 layers on every emulated board, counted in QEMU, beside those of other engines
    Kernels(kernels::KernelsArgs),
    /// The laws of a tetrahedron of fluid from 2,924 terms, beside the authors' Python
    Sid,
    /// Digits drawn by Restart sampling, beside PyTorch where it is installed (scripts/bench-peers)
    Sampler(SamplerArgs),
}

#[derive(Args)]
pub struct TrainArgs {
    /// Folder of the Python environment that holds the peers
    #[arg(long, default_value = "target/bench-peers", value_name = "DIR")]
    peers: PathBuf,
    /// Rounds in which all take turns; the fastest of each counts
    #[arg(long, default_value_t = 7, value_parser = super::at_least_one)]
    rounds: usize,
    /// Only rows whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

#[derive(Args)]
pub struct SamplerArgs {
    /// Folder of the Python environment that holds the peers
    #[arg(long, default_value = "target/bench-peers", value_name = "DIR")]
    peers: PathBuf,
    /// Rounds in which all take turns; the fastest of each counts
    #[arg(long, default_value_t = 3, value_parser = super::at_least_one)]
    rounds: usize,
    /// Digits that each draws in a round
    #[arg(long, default_value_t = 10_000, value_parser = super::at_least_one)]
    digits: usize,
}

/// One figure of ours with those of peers.
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Ours; smaller is better.
    pub ours: f64,
    /// Unit of all figures.
    pub unit: &'static str,
    /// Peers measured in the same run, or constants of known origin: (name, figure).
    pub peers: Vec<(String, f64)>,
    /// What a reader has to know.
    pub notes: Vec<String>,
    /// Of `bench kernels`: what was counted.
    pub work: Option<Work>,
}

/// What a row of `bench kernels` is about.
pub struct Work {
    /// A workload's letter, or a model's name.
    pub subject: String,
    /// The board's name.
    pub board: String,
    /// Products of one inference, as if dense.
    pub macs: u64,
    /// Estimated cycles of the whole answer.
    pub cycles: Option<u64>,
    /// A workload's kernels without the executor.
    pub alone: Option<Alone>,
    /// Models that it was counted in, their counts summed.
    pub parts: usize,
    /// What the cost model says of a model from a file.
    pub estimate: Option<Estimate>,
}

/// The cost model's word on a count.
#[derive(Clone, Copy)]
pub struct Estimate {
    /// What it expects.
    pub instructions: u64,
    /// What it says is the most.
    pub bound: u64,
}

impl Estimate {
    /// How far it lies from a count, in percent of the count.
    pub fn off(&self, count: f64) -> f64 {
        100.0 * (self.instructions as f64 / count - 1.0)
    }
}

impl Row {
    /// Counts in full, times in three digits.
    fn number(&self, v: f64) -> Value {
        if self.unit == INSTRUCTIONS { json!(v as u64) } else { json!(three(v)) }
    }

    fn show(&self, v: f64) -> String {
        if self.unit == INSTRUCTIONS { thousands(v as u64) } else { figure(v) }
    }
}

/// All that a bench measured.
pub struct Measured {
    /// In order.
    pub rows: Vec<Row>,
    /// Peers that are not there, and why.
    pub absent: Vec<(String, String)>,
    /// Versions of those that are.
    pub versions: Vec<(String, String)>,
}

pub fn run(args: &BenchArgs, place: &Place) -> Result<()> {
    let started = Instant::now();
    let measured = match &args.what {
        Bench::Train(args) => train::measure(args, place)?,
        Bench::Kernels(args) => kernels::measure(args, place)?,
        Bench::Sid => sid::measure(place)?,
        Bench::Sampler(args) => sampler::measure(args, place)?,
    };
    show(&measured, place.output);
    place.output.result(json(&measured, started.elapsed().as_secs_f64()));
    Ok(())
}

fn show(measured: &Measured, output: Output) {
    let mut table = Vec::new();
    let works = measured.rows.iter().any(|row| row.work.is_some());
    let cells = |front: [String; 5], back: [String; 2]| {
        front.into_iter().chain(back).take(if works { 7 } else { 5 }).collect::<Vec<_>>()
    };
    for row in &measured.rows {
        let a_mac = |v: f64| {
            let macs = row.work.as_ref().map_or(0, |work| work.macs);
            if macs > 0 { format!("{:.2}", v / macs as f64) } else { String::new() }
        };
        let cycles = row.work.as_ref().map_or_else(String::new, |w| w.cycles.map_or_else(|| "–".into(), thousands));
        table.push(cells(
            [row.name.clone(), "smidgen".into(), row.show(row.ours), row.unit.into(), String::new()],
            [a_mac(row.ours), cycles],
        ));
        let alone = row.work.as_ref().and_then(|work| work.alone).map(|alone| alone.instructions as f64);
        let alone = alone.map(|count| ("smidgen, the kernels alone".to_string(), count));
        for (name, value) in alone.iter().chain(&row.peers) {
            let ratio = value / row.ours;
            let ratio = if ratio < 1.0 { format!("{ratio:.2}×") } else { format!("{ratio:.1}×") };
            let cells_of = [String::new(), name.clone(), row.show(*value), row.unit.into(), ratio];
            table.push(cells(cells_of, [a_mac(*value), String::new()]));
        }
    }
    let header = ["work", "by", "figure", "unit", "to ours", "a product", "cycles, about"];
    output.table(if works { &header } else { &header[..5] }, &table);
    for note in measured.rows.iter().flat_map(|row| row.notes.iter().map(move |note| format!("{}: {note}", row.name))) {
        output.line(note);
    }
    for (name, why) in &measured.absent {
        output.line(format!("absent: {name}: {why}"));
    }
    for (name, version) in &measured.versions {
        output.line(format!("{name} {version}"));
    }
    let machine = machine();
    output.line(format!("on {}, {}, one thread", word(&machine["cpu"]), word(&machine["simd"])));
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("unknown")
}

fn json(measured: &Measured, seconds: f64) -> Value {
    let rows = measured.rows.iter().map(|row| {
        let ratio = row.peers.iter().map(|(name, value)| (name.clone(), json!(three(value / row.ours))));
        let mut object = json!({
            "name": row.name, "ours": row.number(row.ours), "unit": row.unit,
            "peers": row.peers.iter().map(|(name, value)| (name.clone(), row.number(*value))).collect::<Map<_, _>>(),
            "ratio": ratio.collect::<Map<_, _>>(), "notes": row.notes,
        });
        if let (Some(work), Some(fields)) = (&row.work, object.as_object_mut()) {
            let per_mac = (work.macs > 0).then(|| three(row.ours / work.macs as f64));
            fields.insert("per_mac".into(), json!(per_mac));
            fields.insert("cycles".into(), json!(work.cycles));
            fields.insert("parts".into(), json!(work.parts));
            fields.insert(
                "alone".into(),
                json!(work.alone.map(|alone| json!({
                    "instructions": alone.instructions, "code_bytes": alone.code_bytes,
                    "static_bytes": alone.static_bytes, "stack_bytes": alone.stack_bytes,
                }))),
            );
            fields.insert(
                "model".into(),
                json!(work.estimate.map(|estimate| json!({
                    "estimate": estimate.instructions, "error_percent": three(estimate.off(row.ours)),
                    "bound": estimate.bound, "holds": row.ours <= estimate.bound as f64,
                }))),
            );
        }
        object
    });
    let words = |pairs: &[(String, String)]| pairs.iter().map(|(k, v)| (k.clone(), json!(v))).collect::<Map<_, _>>();
    json!({
        "rows": rows.collect::<Vec<_>>(), "absent": words(&measured.absent), "versions": words(&measured.versions),
        "machine": machine(), "seconds": (seconds * 10.0).round() / 10.0,
    })
}

/// `cpu`, `simd`: the kernels that the engine chose, and the number of `threads` measured with.
fn machine() -> Value {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|l| l.starts_with("model name")).and_then(|l| Some(l.split_once(':')?.1.trim()));
    json!({ "cpu": model.unwrap_or(std::env::consts::ARCH), "simd": instruction_set(), "threads": 1 })
}

/// Three significant digits, as a number.
fn three(v: f64) -> f64 {
    format!("{v:.2e}").parse().unwrap_or(v)
}

fn figure(v: f64) -> String {
    match v.abs() {
        a if (0.001..1000.0).contains(&a) => {
            format!("{v:.*}", (2.0 - a.log10().floor()).clamp(0.0, 5.0) as usize)
        }
        _ => format!("{v:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([0.0612345, 5.678, 123.4].map(figure), ["0.0612", "5.68", "123"]);
        assert_eq!([0.0612345, 5.678, 1234.5].map(three), [0.0612, 5.68, 1230.0]);
    }

    #[test]
    fn json_has_its_fields() {
        let row = Row {
            name: "a".into(),
            ours: 0.5,
            unit: "s",
            peers: vec![("JAX".into(), 1.0)],
            notes: vec!["n".into()],
            work: None,
        };
        let absent = vec![("PyTorch".to_string(), "not installed".to_string())];
        let value = json(&Measured { rows: vec![row], absent, versions: vec![] }, 1.26);
        assert_eq!(value["rows"][0]["ratio"]["JAX"], 2.0);
        assert_eq!(value["absent"]["PyTorch"], "not installed");
        assert!(value["machine"]["simd"].is_string() && value["seconds"] == 1.3);
    }
}
