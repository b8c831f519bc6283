//! `reproduce sid`: the paper's table beside ours, and the counts that are known of further systems.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::detect::{Found, detect};
use super::system::System;
use crate::family::{Place, Reproduce, Row, Tolerance, reproduced};

/// A count of the paper's, or one that is known: part, system, order (0: the system's own), conserved directions
/// where the paper has them, independent laws, whether the figure is the paper's.
#[allow(clippy::type_complexity)] // a table
pub const COUNTS: [(&str, &str, usize, Option<usize>, usize, bool); 19] = [
    ("lotka-volterra", "lotka-volterra", 3, Some(4), 2, true),
    ("fluid-2d", "fluid-2d", 1, Some(2), 2, true),
    ("fluid-2d", "fluid-2d", 2, Some(11), 8, true),
    ("fluid-2d", "fluid-2d", 3, Some(37), 8, true),
    ("fluid-2d-4", "fluid-2d", 4, Some(150), 8, true),
    ("fluid-3d", "fluid-3d", 1, Some(3), 3, true),
    ("fluid-3d", "fluid-3d", 2, Some(19), 12, true),
    ("fluid-3d-3", "fluid-3d", 3, Some(60), 14, true),
    ("chemistry", "chemistry", 1, None, 3, true),
    ("more", "kepler", 0, None, 3, false),
    ("more", "pendulum", 0, None, 1, false),
    ("more", "oscillator", 0, None, 3, false),
    ("more", "oscillator-anisotropic", 0, None, 2, false),
    ("more", "rigid-body", 0, None, 2, false),
    ("more", "toda", 0, None, 4, false),
    ("more", "henon-heiles", 0, None, 1, false),
    ("more", "double-pendulum", 0, None, 1, false),
    ("more", "sir", 0, None, 2, false),
    ("more", "charged-particle", 0, None, 4, false),
];

/// Finds the laws of a built-in system at an order (0: its own).
pub fn measure(system: &str, order: usize, seed: u64) -> Result<(Found, f64)> {
    let mut system = System::load(system)?;
    if order > 0 {
        system.file.basis.order = order;
    }
    let started = Instant::now();
    let found = detect(&system, seed)?;
    Ok((found, started.elapsed().as_secs_f64()))
}

/// Measures the counts that were asked for.
pub fn run(request: &Reproduce, place: &Place) -> Result<Value> {
    let started = Instant::now();
    let mut parts: Vec<&str> = COUNTS.iter().map(|c| c.0).collect();
    parts.dedup();
    if let Some(only) = &request.only {
        ensure!(parts.contains(&only.as_str()), "no part {only:?}; there are {}", parts.join(", "));
    }
    let mut rows = Vec::new();
    for (part, system, order, null, independent, paper) in COUNTS {
        // Order 4 of the triangle takes longer than all else but the tetrahedron's order 3.
        let left_out = request.only.as_deref().map_or(request.quick && part == "fluid-2d-4", |only| only != part);
        if left_out {
            continue;
        }
        let (found, seconds) = measure(system, order, 0)?;
        place.output.note(format!("{system}: {} terms in {seconds:.1} s", found.bases));
        let orders = match order {
            0 => String::new(),
            1 => ", order 1".into(),
            n => format!(", orders 1–{n}"),
        };
        let set = if order > 0 { format!(" --set order={order}") } else { String::new() };
        let command = format!("smidgen train sid --set system={system}{set}");
        let row = |what: &str, figure: usize, ours: usize| Row {
            figure: format!("{system}{orders}: {what}{}", if paper { "" } else { " (known)" }),
            paper: Some(figure as f64),
            ours: ours as f64,
            unit: "",
            tolerance: Some(Tolerance::PlusMinus(0.0)),
            command: command.clone(),
        };
        if let Some(null) = null {
            rows.push(row("conserved directions", null, found.null));
        }
        rows.push(row("independent laws", independent, found.rank));
        if part == "fluid-3d-3" {
            rows.push(Row {
                figure: format!("{system}{orders}: time, {} terms, {} samples", found.bases, found.samples),
                paper: None,
                ours: (seconds * 10.0).round() / 10.0,
                unit: "s",
                tolerance: None,
                command: "smidgen bench sid".into(),
            });
        }
    }
    if request.only.is_none() {
        let (found, _) = measure("lorenz", 0, 0)?;
        rows.push(Row {
            figure: "lorenz: conserved directions (known)".into(),
            paper: Some(0.0),
            ours: found.null as f64,
            unit: "",
            tolerance: Some(Tolerance::PlusMinus(0.0)),
            command: "smidgen train sid --set system=lorenz".into(),
        });
    }
    Ok(reproduced(super::NAME, &rows, started.elapsed().as_secs_f64(), place.output))
}
