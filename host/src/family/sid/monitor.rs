//! Laws that are watched on a chip: the program, the band of each law, drills with faults.
//!
//! The running deviation d of a law follows its value less the centre, a sample weighing 2^−smoothing. Bands are
//! calibrated on a recording so that some law's |d| leaves its band on the stated share of samples: q_l is
//! the quantile of |d_l| at 1 − rate/laws, and all q_l are stretched by the quantile of max_l |d_l|/q_l at
//! 1 − rate. Quantiles are those of the recording itself: nothing is assumed about noise.

use anyhow::{Context, Result, ensure};

use super::basis::Basis;
use super::detect::{Found, Law, expression};
use super::expr::Expr;
use super::lower::Lower;
use super::simulate::{Sensors, follow, trajectory};
use super::system::{Fault, System};
use crate::graph::{Class, Graph, Input, Node, Op};
use crate::program::{Program, Watched};
use crate::rng::Rng;

/// How laws are watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Share of samples on which a law is said to be broken though none is.
    pub rate: f64,
    /// A sample weighs 2^−smoothing in the running deviation.
    pub smoothing: u8,
    /// f32 instead of fixed point.
    pub float: bool,
    /// Samples of calibration.
    pub samples: usize,
}

impl Default for Watch {
    fn default() -> Self {
        Watch { rate: 1e-3, smoothing: 4, float: false, samples: 1_000_000 }
    }
}

/// Fewest alarms that a band is calibrated on.
const ALARMS: f64 = 20.0;
/// Most laws of a monitor.
const LAWS: usize = 32;

/// A monitor, and the sensors it was made for.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// Its float program as a graph of one node.
    pub graph: Graph,
    /// The sensors.
    pub sensors: Sensors,
}

impl Monitor {
    /// The program.
    pub fn program(&self) -> &Program {
        let Op::Poly(program) = &self.graph.nodes[0].op else { panic!("a monitor is a graph of laws") };
        program
    }
}

/// The laws to watch: those that the system names, or all independent ones found.
pub fn watched(system: &System, found: &Found, wanted: &[String]) -> Result<Vec<(String, Expr)>> {
    let basis = Basis::new(system)?;
    let wanted = if wanted.is_empty() { &system.file.monitor.laws[..] } else { wanted };
    let title = |l: &Law| l.name.clone().unwrap_or_else(|| l.formula.clone());
    let laws: Vec<(String, Expr)> = if wanted.is_empty() {
        found.independent().map(|l| (title(l), expression(&basis, l))).collect()
    } else {
        let of = |name: &String| {
            if let Some(law) = found.laws.iter().find(|l| l.name.as_ref() == Some(name) || l.formula == *name) {
                return Ok((name.clone(), expression(&basis, law)));
            }
            // A sum of found laws that has a name of its own.
            let known = found.known.iter().any(|k| k.0 == *name && k.1);
            let law = system.names.iter().find(|n| known && n.0 == *name).with_context(|| {
                let names: Vec<String> = found.laws.iter().take(12).map(title).collect();
                format!("no law {name:?} was found; found: {}", names.join("; "))
            })?;
            Ok(law.clone())
        };
        wanted.iter().map(of).collect::<Result<_>>()?
    };
    ensure!(!laws.is_empty(), "{} has no law to watch", system.name);
    ensure!(
        laws.len() <= LAWS,
        "{} laws; a monitor watches {LAWS} at most: name some with --set laws=\"a;b\"",
        laws.len()
    );
    Ok(laws)
}

/// A recording without faults: the system's own, simulated, with noise of `seed`, its states turned through again and again.
pub fn recording<'a>(states: &'a [Vec<f64>], sensors: &'a Sensors, seed: u64) -> impl Iterator<Item = Vec<i16>> + 'a {
    // A generator a turn: the noise of sample t never depends on how many were asked for.
    (0u64..).flat_map(move |turn| {
        let mut rng = Rng::new(seed, "sid noise", turn);
        states.iter().map(move |x| sensors.counts(x, &mut rng))
    })
}

/// Builds the monitor of `laws` and calibrates its bands on `counts`.
pub fn build(
    system: &System,
    laws: &[(String, Expr)],
    sensors: &Sensors,
    counts: impl Iterator<Item = Vec<i16>>,
    watch: &Watch,
) -> Result<Monitor> {
    ensure!(watch.rate > 0.0 && watch.rate < 0.5, "a rate of false alarms of {} is not between 0 and 0.5", watch.rate);
    ensure!(watch.smoothing <= 16, "smoothing {} is beyond 16", watch.smoothing);
    let mut lower = Lower::new(system.states.len(), &system.definitions);
    let mut watched = Vec::new();
    for (name, law) in laws {
        let value = lower.law(law).with_context(|| format!("the law {name:?}"))?;
        watched.push(Watched { value, centre: 0.0, band: 1.0, smoothing: watch.smoothing });
    }
    let mut program =
        Program { units: sensors.units.clone(), steps: lower.finish(), laws: watched, float: watch.float };
    program.check()?;
    let values: Vec<Vec<f64>> =
        counts.map(|c| program.values(&c.iter().map(|v| f64::from(*v)).collect::<Vec<_>>())).collect();
    calibrate(&mut program, &values, watch.rate).with_context(|| system.name.clone())?;
    let node = Node { name: "laws".into(), op: Op::Poly(program) };
    let classes = std::iter::once("holds").chain(laws.iter().map(|l| l.0.as_str()));
    let graph = Graph {
        family: "sid".into(),
        input: Input::Vector(system.states.len()),
        nodes: vec![node],
        classes: classes.map(|name| Class { name: name.into(), seen: true }).collect(),
    };
    graph.shapes()?;
    Ok(Monitor { graph, sensors: sensors.clone() })
}

/// Centres and bands from the laws' values on a recording, `(samples, laws)`.
fn calibrate(program: &mut Program, values: &[Vec<f64>], rate: f64) -> Result<()> {
    let (n, laws) = (values.len(), program.laws.len());
    ensure!(
        n as f64 * rate >= ALARMS,
        "{n} samples are too few to set a rate of {rate}: {} are needed; record more, or allow a higher rate",
        (ALARMS / rate).ceil()
    );
    if let Some((s, l)) = (0..n).flat_map(|s| (0..laws).map(move |l| (s, l))).find(|&(s, l)| !values[s][l].is_finite())
    {
        anyhow::bail!("law {l} has no finite value at sample {s} of the recording");
    }
    let mut deviations = vec![Vec::with_capacity(n); laws];
    for (l, law) in program.laws.iter_mut().enumerate() {
        law.centre = values.iter().map(|v| v[l]).sum::<f64>() / n as f64;
        let (mut d, weight) = (0.0, (-f64::from(law.smoothing)).exp2());
        for v in values {
            d += (v[l] - law.centre - d) * weight;
            deviations[l].push(f64::abs(d));
        }
        let spread = quantile(&mut deviations[l].clone(), 1.0 - rate / laws as f64);
        law.band = spread.max(1e-12 * law.centre.abs()).max(f64::MIN_POSITIVE);
    }
    let mut worst: Vec<f64> =
        (0..n).map(|s| (0..laws).map(|l| deviations[l][s] / program.laws[l].band).fold(0.0, f64::max)).collect();
    let stretch = quantile(&mut worst, 1.0 - rate);
    program.laws.iter_mut().for_each(|l| l.band *= stretch.max(1e-3));
    Ok(())
}

/// Between the two order statistics about `share`.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    let at = ((values.len() - 1) as f64 * share).round() as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

/// A fault's amplitude at which its law has moved by `drift` of its value over `samples` samples from `start` on.
pub fn amplitude(system: &System, law: &Expr, fault: &Fault, drift: f64, start: &[f64], samples: usize) -> Result<f64> {
    let step = system.start()?.0.step;
    let value = |x: &[f64]| law.value(&system.values(x));
    let moved = |amplitude: f64| -> Result<f64> {
        let states = follow(system, start, step, samples + 1, Some((fault, amplitude)), 0)?;
        let (first, last) = (value(&states[0]), value(&states[samples]));
        Ok((last - first).abs() / first.abs().max(f64::MIN_POSITIVE))
    };
    // Nearly linear for so small a drift: a few secant steps.
    let mut a = 1e-4;
    for _ in 0..8 {
        let m = moved(a)?;
        ensure!(m > 0.0 && m.is_finite(), "the fault {:?} does not move {:?}", fault.title, fault.breaks);
        a *= (drift / m).clamp(0.01, 100.0);
        if (m / drift - 1.0).abs() < 1e-3 {
            break;
        }
    }
    Ok(a)
}

/// A drill: a recording of `before` sound samples, then a fault that moves its law by `drift` of its value over
/// `during` samples, then `after` samples without the fault: the law stays where it was left.
#[derive(Clone, Debug)]
pub struct Drill {
    /// Samples in counts.
    pub samples: Vec<Vec<i16>>,
    /// First sample that the fault touched.
    pub onset: usize,
    /// First sample after the fault.
    pub end: usize,
    /// States without noise.
    pub states: Vec<Vec<f64>>,
}

/// Makes the drill of a fault; `laws` are those watched, of which it breaks one.
pub fn drill(
    system: &System,
    laws: &[(String, Expr)],
    sensors: &Sensors,
    fault: &Fault,
    drift: f64,
    [before, during, after]: [usize; 3],
    seed: u64,
) -> Result<Drill> {
    let (_, law) = laws
        .iter()
        .find(|l| l.0 == fault.breaks)
        .with_context(|| format!("the fault {:?} breaks {:?}, which is not watched", fault.title, fault.breaks))?;
    let mut states = trajectory(system, before + 1, None, 0)?;
    let start = states.pop().context("a start")?;
    let amplitude = amplitude(system, law, fault, drift, &start, during)?;
    let step = system.start()?.0.step;
    let moving = follow(system, &start, step, during + 1, Some((fault, amplitude)), 0)?;
    states.extend_from_slice(&moving[..during]);
    states.extend(follow(system, &moving[during], step, after, None, 0)?);
    let mut rng = Rng::new(seed, "sid drill", 0);
    let samples = states.iter().map(|x| sensors.counts(x, &mut rng)).collect();
    Ok(Drill { samples, onset: before, end: before + during, states })
}
