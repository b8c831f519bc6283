//! `smidgen bench WHAT`: speed beside peers, in one run on one machine. One submodule a bench.

mod sid;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::BenchArgs;
use crate::family::Place;
use crate::output::Output;

/// One figure beside those of peers.
struct Row {
    name: String,
    ours: f64,
    unit: &'static str,
    /// name, figure in the same unit
    peers: Vec<(String, f64)>,
}

pub fn run(args: &BenchArgs, place: &Place) -> Result<()> {
    let started = std::time::Instant::now();
    let rows = match args.what.as_str() {
        "sid" => sid::rows(place)?,
        other => bail!("there is no bench {other:?}; there is sid"),
    };
    print(&rows, place.output);
    place.output.result(json!({
        "rows": rows.iter().map(json_of).collect::<Vec<_>>(),
        "machine": {
            "cpu": cpu(), "simd": std::env::consts::ARCH, "threads": std::thread::available_parallelism().map_or(1, usize::from),
        },
        "seconds": started.elapsed().as_secs_f64(),
    }));
    Ok(())
}

fn print(rows: &[Row], output: Output) {
    let cells = |row: &Row| {
        let peers = row.peers.iter().map(|(name, v)| format!("{name}: {v:.1} {} ({:.1}×)", row.unit, v / row.ours));
        vec![row.name.clone(), format!("{:.2} {}", row.ours, row.unit), peers.collect::<Vec<_>>().join("; ")]
    };
    output.table(&["what", "ours", "peers"], &rows.iter().map(cells).collect::<Vec<_>>());
}

fn json_of(row: &Row) -> Value {
    let peers: serde_json::Map<String, Value> = row.peers.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
    let ratio: serde_json::Map<String, Value> = row.peers.iter().map(|(n, v)| (n.clone(), json!(v / row.ours))).collect();
    json!({ "name": row.name, "ours": row.ours, "unit": row.unit, "peers": peers, "ratio": ratio })
}

/// The processor's name, where the system tells.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    text.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ").map(|p| p.1.to_string()))
}
