//! The tetrahedron of fluid, orders 1 to 3: 2,924 terms, 60 laws of which 14 are independent.
//!
//! The peer is the authors' Python, 213 s for the whole case on a busy machine of two cores with 3,100 samples
//! (measured once, a constant here); where python3 has numpy, its SVD of a matrix of the same shape is timed in
//! this very run: the step that the authors' code spends most of its time on, and a lower bound of it.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Measured, Row};
use crate::family::{Place, sid};

/// Seconds of the authors' code.
const AUTHORS: f64 = 213.0;

/// Measures the row.
pub fn measure(place: &Place) -> Result<Measured> {
    place.output.note("the laws of fluid-3d, orders 1–3; half a minute");
    let (found, seconds) = sid::measure("fluid-3d", 3, 0)?;
    ensure!(
        (found.null, found.rank) == (60, 14),
        "{} laws, {} independent; 60 and 14 are right",
        found.null,
        found.rank
    );
    let mut measured = Measured { rows: vec![], absent: vec![], versions: vec![] };
    let mut peers = vec![("authors' Python".to_string(), AUTHORS)];
    match numpy(found.samples, found.bases) {
        Some(svd) => peers.push(("numpy.linalg.svd alone".into(), svd)),
        None => measured.absent.push(("numpy.linalg.svd".into(), "python3 has no numpy".into())),
    }
    measured.rows.push(Row {
        name: format!("fluid-3d, {} terms, {} samples: all laws, wall time", found.bases, found.samples),
        ours: seconds,
        unit: "s",
        peers,
        notes: vec!["the authors' figure is a constant, measured once on a busy machine of two cores".into()],
        work: None,
    });
    Ok(measured)
}

/// Seconds of numpy's SVD, where python3 has numpy.
fn numpy(rows: usize, columns: usize) -> Option<f64> {
    let script = format!(
        "import numpy as n, time\ng = n.random.default_rng(0).standard_normal(({rows}, {columns}))\nt = time.time()\nn.linalg.svd(g, full_matrices=False)\nprint(time.time() - t)"
    );
    let output = Command::new("python3").args(["-c", &script]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
