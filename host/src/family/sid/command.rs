//! `train sid`: finds a system's laws, shows them, makes their monitor, writes the run.
//!
//! `RUN/run.json` ([`SidRun`]), `RUN/graph.json` (the monitor, where one can be made), `RUN/request.json`.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::detect::{Found, detect, detect_in_data};
use super::expr::Expr;
use super::monitor::{Watch, build, recording, watched};
use super::recording::Recording;
use super::simulate::{Sensors, trajectory};
use super::system::System;
use crate::family::{Place, nearest};
use crate::graph::Graph;
use crate::report::write_atomic;
use crate::run::{Request, read_json};

/// What a run's folder says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SidRun {
    /// `sid`
    pub family: String,
    /// Name of the system.
    pub system: String,
    /// Its text, as it was read.
    pub text: String,
    /// Recorded data that the laws come from.
    pub data: Option<String>,
    /// Seed of samples and noise.
    pub seed: u64,
    /// What was found.
    pub found: Found,
    /// Laws that the monitor watches, by name.
    pub watched: Vec<String>,
    /// Share of samples with a false alarm that its bands were set for.
    pub rate: f64,
    /// Why there is no monitor.
    pub no_monitor: Option<String>,
}

impl SidRun {
    /// Reads the run in `folder`.
    pub fn read(folder: &Path) -> Result<SidRun> {
        read_json(folder, "run.json")
    }

    /// Its system.
    pub fn system(&self) -> Result<System> {
        System::parse(&self.system, &self.text)
    }

    /// Its monitor.
    pub fn graph(&self, folder: &Path) -> Result<Graph> {
        if let Some(reason) = &self.no_monitor {
            bail!("{} has no monitor to export: {reason}", self.system);
        }
        let graph: Graph = read_json(folder, "graph.json")?;
        graph.shapes().with_context(|| format!("{} is damaged; train again", folder.join("graph.json").display()))?;
        Ok(graph)
    }
}

/// Settings of `train sid`.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A built-in system or a file.
    pub system: Option<String>,
    /// Order of the basis, instead of the file's.
    pub order: Option<usize>,
    /// Number of samples, instead of the file's.
    pub samples: Option<usize>,
    /// Where zero ends, instead of the file's.
    pub tolerance: Option<f64>,
    /// Laws to watch.
    pub laws: Vec<String>,
    /// How they are watched.
    pub watch: Watch,
}

const KEYS: [&str; 9] =
    ["system", "order", "samples", "tolerance", "laws", "rate", "smoothing", "arithmetic", "calibration"];

impl Settings {
    /// Reads `KEY=VALUE`s.
    pub fn parse(sets: &[String]) -> Result<Settings> {
        let mut settings = Settings::default();
        for set in sets {
            let (key, value) = set.split_once('=').with_context(|| format!("--set {set}: KEY=VALUE is expected"))?;
            fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T> {
                value.parse().map_err(|_| anyhow::anyhow!("--set {key}={value}: {value:?} is not such a number"))
            }
            match key {
                "system" => settings.system = Some(value.into()),
                "order" => settings.order = Some(number(key, value)?),
                "samples" => settings.samples = Some(number(key, value)?),
                "tolerance" => settings.tolerance = Some(number(key, value)?),
                "laws" => settings.laws = value.split(';').map(|l| l.trim().to_string()).collect(),
                "rate" => settings.watch.rate = number(key, value)?,
                "smoothing" => settings.watch.smoothing = number(key, value)?,
                "calibration" => settings.watch.samples = number(key, value)?,
                "arithmetic" => {
                    settings.watch.float = match value {
                        "fixed" => false,
                        "float" => true,
                        _ => bail!("--set arithmetic={value}: it is fixed or float"),
                    }
                }
                _ => bail!("there is no setting {key:?}; nearest: {}", nearest(key, &KEYS).join(", ")),
            }
        }
        Ok(settings)
    }

    /// The system that is asked for, the file's figures replaced by those that are set.
    pub fn load(&self, recording: Option<&Recording>) -> Result<System> {
        let mut system = match (&self.system, recording) {
            (Some(name), _) => System::load(name)?,
            (None, Some(recording)) => System::unknown(&recording.columns, self.order.unwrap_or(2))?,
            (None, None) => System::load("kepler")?,
        };
        if let Some(order) = self.order {
            system.file.basis.order = order;
            ensure!(order > 0 || !system.terms.is_empty(), "order 0 leaves no terms");
        }
        if self.samples.is_some() {
            system.file.sampling.samples = self.samples;
        }
        if let Some(t) = self.tolerance {
            ensure!(t > 0.0 && t < 1.0, "--set tolerance={t}: it lies between 0 and 1");
            system.file.tolerance.null = t;
        }
        Ok(system)
    }
}

/// Trains as `request` asks.
pub fn run(request: &Request, folder: &Path, place: &Place) -> Result<Value> {
    let output = place.output;
    let settings = Settings::parse(&request.set)?;
    let recording = request.data.as_ref().map(|d| Recording::read(Path::new(d))).transpose()?;
    let system = settings.load(recording.as_ref())?;
    request.write(folder)?;
    output.line(format!("system  {}: {}; {} states", system.name, system.title, system.states.len()));
    let found = match &recording {
        Some(recording) => detect_in_data(&system, recording)?,
        None => detect(&system, request.seed)?,
    };
    print(&found, place);
    let monitor = monitor(&system, &found, &settings, recording.as_ref(), request.seed);
    let (watched, graph, no_monitor) = match monitor {
        Ok((names, graph)) => (names, Some(graph), None),
        Err(reason) => (Vec::new(), None, Some(format!("{reason:#}"))),
    };
    match &no_monitor {
        None => output.line(format!(
            "monitor of {}, a false alarm on {} % of samples",
            watched.join(", "),
            100.0 * settings.watch.rate
        )),
        Some(reason) => output.line(format!("no monitor: {reason}")),
    }
    let run = SidRun {
        family: super::NAME.into(),
        system: settings.system.clone().unwrap_or_else(|| system.name.clone()),
        text: system.text.clone(),
        data: request.data.clone(),
        seed: request.seed,
        found,
        watched,
        rate: settings.watch.rate,
        no_monitor,
    };
    if let Some(graph) = &graph {
        write_atomic(&folder.join("graph.json"), &serde_json::to_vec(graph)?)?;
    }
    write_atomic(&folder.join("run.json"), &serde_json::to_vec_pretty(&run)?)?;
    Ok(summary(&run, folder))
}

fn summary(run: &SidRun, folder: &Path) -> Value {
    let f = &run.found;
    json!({
        "family": run.family, "system": run.system, "seed": run.seed, "bases": f.bases, "samples": f.samples,
        "null": f.null, "independent": f.rank, "confidence": f.confidence, "sure": f.sure(), "gap": f.gap,
        "exact": f.exact, "noise": f.noise,
        "laws": f.laws.iter().map(|l| json!({
            "name": l.name, "formula": l.formula, "independent": l.independent, "residual": l.residual,
        })).collect::<Vec<_>>(),
        "known": f.known.iter().map(|(name, holds)| json!({"name": name, "holds": holds})).collect::<Vec<_>>(),
        "watched": run.watched, "no_monitor": run.no_monitor, "run": folder,
    })
}

/// What was found, for a reader.
fn print(found: &Found, place: &Place) {
    let output = place.output;
    let (below, above) = (found.null.checked_sub(1).map(|i| found.spectrum[i]), found.spectrum.get(found.null));
    output.line(format!(
        "basis   {} terms, {} samples; {} conserved, {} of them independent ({:.0} % of samples agree)",
        found.bases,
        found.samples,
        found.null,
        found.rank,
        100.0 * found.confidence
    ));
    let value = |v: Option<f64>| v.map_or("none".to_string(), |v| format!("{v:.1e}"));
    output.line(format!(
        "gap     singular values {} | {} about the tolerance {:.0e}{}",
        value(below),
        value(above.copied()),
        found.tolerance,
        if found.sure() { "" } else { ": NOT sure, look at the spectrum" }
    ));
    if let Some(noise) = found.noise {
        output.line(format!("noise   {:.2} % of the rates", 100.0 * noise));
    }
    if let Some(exact) = found.exact {
        output.line(format!("exact   {exact} linear laws by the stoichiometry, in fractions; these are shown"));
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for law in found.laws.iter().filter(|l| l.independent || found.laws.len() <= 12) {
        rows.push(vec![
            short(&law.formula, 90),
            law.name.clone().unwrap_or_default(),
            if law.independent { "independent" } else { "" }.into(),
            format!("{:.0e}", law.residual),
        ]);
    }
    if !rows.is_empty() {
        output.line("");
        output.table(&["law", "name", "", "residual"], &rows);
        output.line("");
    }
    for (name, _) in found.known.iter().filter(|k| !k.1) {
        output.line(format!("the law {name:?} that the system names is NOT conserved"));
    }
}

/// At most `length` characters.
pub fn short(text: &str, length: usize) -> String {
    if text.chars().count() <= length { text.into() } else { text.chars().take(length - 1).chain(['…']).collect() }
}

fn monitor(
    system: &System,
    found: &Found,
    settings: &Settings,
    data: Option<&Recording>,
    seed: u64,
) -> Result<(Vec<String>, Graph)> {
    let laws: Vec<(String, Expr)> = watched(system, found, &settings.laws)?;
    let names = laws.iter().map(|l| l.0.clone()).collect();
    let monitor = match data {
        Some(data) => {
            let rows = data.rows(system)?;
            let sensors = Sensors::of(&rows, 0.0);
            let counts: Vec<Vec<i16>> = exact(&rows[..calibrated(rows.len())], &sensors);
            build(system, &laws, &sensors, counts.into_iter(), &settings.watch)?
        }
        None => {
            let (states, sensors) = orbit(system)?;
            let counts = recording(&states, &sensors, seed).take(settings.watch.samples);
            build(system, &laws, &sensors, counts, &settings.watch)?
        }
    };
    Ok((names, monitor.graph))
}

/// Rows of recorded data that calibrate a monitor; the rest is held out.
pub fn calibrated(rows: usize) -> usize {
    rows - rows / 5
}

/// Rows in counts, without further noise.
pub fn exact(rows: &[Vec<f64>], sensors: &Sensors) -> Vec<Vec<i16>> {
    let mut rng = crate::rng::Rng::new(0, "none", 0);
    rows.iter().map(|x| sensors.counts(x, &mut rng)).collect()
}

/// The system's simulated recording without noise, and the sensors that record it.
pub fn orbit(system: &System) -> Result<(Vec<Vec<f64>>, Sensors)> {
    let (orbit, _) = system.start()?;
    let states = trajectory(system, orbit.samples, None, 0)?;
    let sensors = Sensors::of(&states, orbit.noise);
    Ok((states, sensors))
}
