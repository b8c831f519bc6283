//! `reproduce parsnets`: the suites, measured, as tables, plots and JSON.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::reproduce::{Row, Suite, measure, suites, trainings};
use super::{NAME, Summary};
use crate::family::{Place, Reproduce};
use crate::output::{Output, thousands};
use crate::report::{Axis, FrontPlot, FrontPoint, FrontSeries, Plot, standalone, write_atomic};

/// Measures the suites that were asked for.
pub fn run(args: &Reproduce, place: &Place) -> Result<Value> {
    let output = place.output;
    let started = Instant::now();
    let mut suites = suites(args.quick)?;
    if let Some(only) = &args.only {
        let keys: Vec<&str> = suites.iter().map(|s| s.key).collect();
        ensure!(keys.contains(&only.as_str()), "no suite {only:?}; there are {}", keys.join(", "));
        suites.retain(|s| s.key == only);
    }
    let seeds: Vec<u64> = (0..args.seeds.unwrap_or(if args.quick { 1 } else { 5 })).collect();
    ensure!(!seeds.is_empty(), "--seeds 0: at least one is needed");
    let mut rows = Vec::new();
    for suite in &suites {
        let dataset = match place.data.load(suite.dataset) {
            Ok(dataset) => dataset,
            Err(error) => {
                output.line(format!("skipped  {}: {}", suite.key, crate::output::chain(&error)));
                continue;
            }
        };
        let bar = output.bar(trainings(suite, &dataset, seeds.len())? as u64, suite.key);
        let measured =
            measure(suite, &dataset, &seeds, place.threads, &|| bar.inc(1)).with_context(|| suite.key.to_string())?;
        bar.finish_and_clear();
        show(suite, &measured, seeds.len(), output);
        if let Some(folder) = &args.folder {
            write(folder, suite, &measured, seeds.len())?;
        }
        rows.extend(measured.iter().flat_map(|row| json_rows(suite, row)));
    }
    let seconds = started.elapsed().as_secs_f64();
    output.line(format!(
        "{seconds:.0} s; the paper's tables are not known to us, so no row stands beside a figure of its own"
    ));
    Ok(json!({ "family": NAME, "rows": rows, "within": 0, "total": 0, "seconds": (seconds * 10.0).round() / 10.0 }))
}

fn json_rows(suite: &Suite, row: &Row) -> Vec<Value> {
    let each = row.metrics.iter().map(|(metric, float, int8)| {
        let (f, q) = (Summary::of(float), Summary::of(int8));
        json!({
            "figure": format!("{}: {} {}", suite.key, row.name, metric), "paper": null, "ours": 100.0 * f.mean, "unit": "%",
            "tolerance": null, "within": null, "deviation": 100.0 * f.deviation, "int8": 100.0 * q.mean,
            "seeds": float.len(), "parameters": row.parameters, "macs": row.macs, "int8_bytes": row.int8_bytes,
        })
    });
    each.collect()
}

fn percent(values: &[f64]) -> String {
    let s = Summary::of(values);
    if values.len() < 2 {
        format!("{:.1}", 100.0 * s.mean)
    } else {
        format!("{:.1} ± {:.1}", 100.0 * s.mean, 100.0 * s.deviation)
    }
}

fn show(suite: &Suite, rows: &[Row], seeds: usize, output: Output) {
    output.line(format!("\n{} ({seeds} seed{})", suite.title, if seeds == 1 { "" } else { "s" }));
    let mut header = vec!["model", "parameters", "MACs", "int8 bytes"];
    header.extend(rows[0].metrics.iter().map(|m| m.0.as_str()));
    header.push("int8");
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let mut cells = vec![
                row.name.clone(),
                thousands(row.parameters as u64),
                thousands(row.macs as u64),
                thousands(row.int8_bytes as u64),
            ];
            cells.extend(row.metrics.iter().map(|m| percent(&m.1)));
            cells.push(row.metrics.last().map_or(String::new(), |m| percent(&m.2)));
            cells
        })
        .collect();
    output.table(&header, &table);
}

/// One Markdown table and two fronts a suite: `SUITE.md`, `SUITE-macs.svg`, `SUITE-bytes.svg`.
fn write(folder: &Path, suite: &Suite, rows: &[Row], seeds: usize) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let metric = rows[0].metrics.last().map_or(String::new(), |m| m.0.clone());
    let plot = |axis: Axis, cost: &dyn Fn(&Row) -> usize| {
        let mut groups: Vec<&str> = rows.iter().map(|r| r.group).collect();
        groups.dedup();
        let series = groups.iter().map(|group| {
            let points = rows.iter().filter(|r| r.group == *group).map(|r| {
                let s = r.last().1;
                FrontPoint::new(cost(r) as f64, s.mean).deviation(s.deviation).label(r.name.clone())
            });
            FrontSeries::new(*group, points.collect())
        });
        standalone(&FrontPlot::new(axis, Axis::percent(metric.clone()), series.collect()).svg())
    };
    write_atomic(
        &folder.join(format!("{}-macs.svg", suite.key)),
        plot(Axis::count("MACs of one inference"), &|r| r.macs).as_bytes(),
    )?;
    write_atomic(
        &folder.join(format!("{}-bytes.svg", suite.key)),
        plot(Axis::bytes("int8 artifact"), &|r| r.int8_bytes).as_bytes(),
    )?;
    let mut text = format!(
        "## {}\n\n`smidgen reproduce parsnets --only {}`, {seeds} seeds, mean ± standard deviation over seeds of the mean over splits, in %. int8: the artifact's, on raw samples.\n\n",
        suite.title, suite.key
    );
    let names: Vec<&str> = rows[0].metrics.iter().map(|m| m.0.as_str()).collect();
    let both: Vec<String> = names.iter().flat_map(|n| [n.to_string(), format!("{n} int8")]).collect();
    text += &format!(
        "| model | parameters | MACs | int8 bytes | {} |\n|---|---:|---:|---:|{}\n",
        both.join(" | "),
        "---:|".repeat(both.len())
    );
    for row in rows {
        let cells: Vec<String> = row.metrics.iter().flat_map(|m| [percent(&m.1), percent(&m.2)]).collect();
        text += &format!(
            "| {} | {} | {} | {} | {} |\n",
            row.name,
            thousands(row.parameters as u64),
            thousands(row.macs as u64),
            thousands(row.int8_bytes as u64),
            cells.join(" | ")
        );
    }
    text += &format!("\n![accuracy against MACs]({0}-macs.svg)\n![accuracy against bytes]({0}-bytes.svg)\n", suite.key);
    write_atomic(&folder.join(format!("{}.md", suite.key)), text.as_bytes())
}
