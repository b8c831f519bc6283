//! What a monitor is run and verified on: a recording that calibration did not see, in the order of time.
//!
//! Of a simulated system a drill: sound samples, then the system's first fault among those that break a watched
//! law, until the law is off by 1 %, then the law left there. Of recorded data the last fifth.

use anyhow::{Context, Result};

use super::command::{calibrated, exact, orbit};
use super::expr::Expr;
use super::monitor::{drill, recording};
use super::recording::Recording;
use super::system::System;
use crate::family::{Samples, Truths};

/// Samples before the fault, while it acts, after it.
pub const PHASES: [usize; 3] = [400, 400, 400];
/// How far a fault moves its law.
pub const DRIFT: f64 = 0.01;

/// Samples in the order of time.
#[derive(Clone, Debug)]
pub struct Stream {
    /// In counts.
    pub inputs: Vec<Vec<i16>>,
    /// A fault, and the sample from which it acts; and the law that it breaks.
    pub fault: Option<(String, usize)>,
    /// The law that it breaks.
    pub breaks: Option<String>,
}

impl Stream {
    /// With what is true of each.
    pub fn samples(self) -> Samples {
        let truth = |t: usize| match (&self.fault, &self.breaks) {
            (Some((_, onset)), Some(law)) if t >= *onset => law.clone(),
            _ => "holds".into(),
        };
        Samples {
            ids: (0..self.inputs.len() as u32).collect(),
            truths: Truths::Classes((0..self.inputs.len()).map(truth).collect()),
            inputs: self.inputs,
            ordered: true,
        }
    }
}

/// The stream that a monitor of `watched` laws is run on.
pub fn stream(system: &System, data: Option<&str>, watched: &[String], seed: u64) -> Result<Stream> {
    if let Some(data) = data {
        let rows = Recording::read(std::path::Path::new(data))?.rows(system)?;
        let sensors = super::simulate::Sensors::of(&rows, 0.0);
        let inputs = exact(&rows[calibrated(rows.len())..], &sensors);
        return Ok(Stream { inputs, fault: None, breaks: None });
    }
    let (states, sensors) = orbit(system)?;
    let seed = seed.wrapping_add(1) << 1;
    let Some(fault) = system.faults.iter().find(|f| watched.contains(&f.breaks)) else {
        let inputs = recording(&states, &sensors, seed).take(PHASES.iter().sum()).collect();
        return Ok(Stream { inputs, fault: None, breaks: None });
    };
    let laws: Vec<(String, Expr)> = system.names.iter().filter(|n| watched.contains(&n.0)).cloned().collect();
    let drill = drill(system, &laws, &sensors, fault, DRIFT, PHASES, seed).context("the drill")?;
    Ok(Stream {
        inputs: drill.samples,
        fault: Some((fault.title.clone(), drill.onset)),
        breaks: Some(fault.breaks.clone()),
    })
}
