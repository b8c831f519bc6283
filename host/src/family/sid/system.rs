//! A system: states, equations, how to sample it, the basis of its laws; read from TOML.
//!
//! `dx_i/dt = f_i(x)`. docs/papers.md describes the format; `systems/` holds those that are built in.

use std::collections::BTreeMap;
use std::path::Path;

use super::expr::{Dual, Expr, Meaning};
use super::file::{Distribution, File, Orbit};
use super::reactions::{self, Reaction};
use crate::rng::Rng;
use anyhow::{Context, Result, bail, ensure};

/// A system, its expressions parsed.
#[derive(Clone, Debug)]
pub struct System {
    /// Its file's name without the ending.
    pub name: String,
    /// One line for a reader.
    pub title: String,
    /// Names of the states; the first variables of every expression.
    pub states: Vec<String>,
    /// Definitions in an order in which each reads earlier ones alone; the variables after the states.
    pub definitions: Vec<(String, Expr)>,
    /// `f`, one a state; none where the system is known from data alone.
    pub equations: Vec<Expr>,
    /// Reactions, where the equations come from them.
    pub reactions: Vec<Reaction>,
    /// Laws that are known by name.
    pub names: Vec<(String, Expr)>,
    /// Terms of the basis besides monomials, with their text.
    pub terms: Vec<(String, Expr)>,
    /// Faults for drills.
    pub faults: Vec<Fault>,
    /// States that sampling solves for.
    solve: Vec<(usize, Expr)>,
    /// All else that the file says.
    pub file: File,
    /// The file's text.
    pub text: String,
}

/// What moves a system off one of its laws.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What it is, for a reader.
    pub title: String,
    /// The law that it breaks, by name.
    pub breaks: String,
    /// Added to the equations, times an amplitude: state, expression.
    pub push: Vec<(usize, Expr)>,
}

/// Most states of a system.
const STATES: usize = 1000;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("systems/", $name, ".toml")))),*] };
}

/// Systems that are built in: name, text.
pub const BUILT_IN: &[(&str, &str)] = built_in![
    "kepler",
    "lotka-volterra",
    "fluid-2d",
    "fluid-3d",
    "chemistry",
    "pendulum",
    "oscillator",
    "oscillator-anisotropic",
    "rigid-body",
    "toda",
    "henon-heiles",
    "double-pendulum",
    "sir",
    "lorenz",
    "charged-particle",
];

impl System {
    /// The system of a built-in name, or of a file.
    pub fn load(name: &str) -> Result<System> {
        if let Some((name, text)) = BUILT_IN.iter().find(|b| b.0 == name) {
            return System::parse(name, text);
        }
        let path = Path::new(name);
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if path.extension().is_some() || name.contains('/') => {
                bail!("{name} cannot be read: {error}")
            }
            Err(_) => {
                let names: Vec<&str> = BUILT_IN.iter().map(|b| b.0).collect();
                bail!("there is no system {name:?}: neither a file nor one of {}", names.join(", "))
            }
        };
        let stem = path.file_stem().map_or_else(|| name.to_string(), |s| s.to_string_lossy().into_owned());
        System::parse(&stem, &text)
    }

    /// A system of which only the names of its states are known: for recorded data.
    pub fn unknown(states: &[String], order: usize) -> Result<System> {
        let list: Vec<String> = states.iter().map(|s| format!("{s:?}")).collect();
        let text = format!("title = \"Recorded data\"\nstates = [{}]\n[basis]\norder = {order}\n", list.join(", "));
        System::parse("recorded data", &text)
    }

    /// Reads a system's text; any text gives a system or an error that says where.
    pub fn parse(name: &str, text: &str) -> Result<System> {
        let file: File = toml::from_str(text).map_err(|e| anyhow::anyhow!("{name}: {}", e.to_string().trim_end()))?;
        System::build(name, text, file).with_context(|| name.to_string())
    }

    fn build(name: &str, text: &str, file: File) -> Result<System> {
        let n = file.states.len();
        ensure!((1..=STATES).contains(&n), "{n} states; 1 to {STATES} are taken");
        let mut names: Vec<(String, Meaning)> = Vec::new();
        let states = file.states.iter().enumerate().map(|(i, s)| (s.clone(), Meaning::Var(i)));
        let parameters = file.parameters.iter().map(|(p, v)| (p.clone(), Meaning::Value(*v)));
        for (name, meaning) in states.chain(parameters) {
            ensure!(is_name(&name), "{name:?} is no name: letters, digits and _, a letter first");
            ensure!(!names.iter().any(|n| n.0 == name), "{name:?} stands twice among states and parameters");
            names.push((name, meaning));
        }
        for (p, value) in &file.parameters {
            ensure!(value.is_finite(), "parameter {p} is {value}");
        }
        let definitions = definitions(&file.define, &mut names, n)?;
        let parse = |what: &str, text: &str| Expr::parse(text, &names).with_context(|| format!("{what} = {text:?}"));
        let state = |what: &str, name: &str| {
            file.states
                .iter()
                .position(|s| s == name)
                .with_context(|| format!("{what}: {name:?} is no state; the states are {}", file.states.join(", ")))
        };
        for name in file.equations.keys() {
            state("equations", name)?;
        }
        let reactions = reactions::parse(&file.reactions, &file.states)?;
        ensure!(
            reactions.is_empty() || file.equations.is_empty(),
            "both reactions and equations; the equations follow from the reactions"
        );
        let equations = if reactions.is_empty() {
            let of = |s: &String| match file.equations.get(s) {
                Some(text) => parse(&format!("d{s}/dt"), text),
                None => bail!("equations: none for the state {s:?}; write {s} = \"0\" if it rests"),
            };
            // A system known from data alone has none.
            if file.equations.is_empty() { Vec::new() } else { file.states.iter().map(of).collect::<Result<_>>()? }
        } else {
            reactions::equations(&reactions, n)
        };
        let terms = file.basis.terms.iter().map(|t| Ok((t.clone(), parse("basis.terms", t)?)));
        let terms = terms.collect::<Result<Vec<_>>>()?;
        let laws = file.laws.iter().map(|(l, t)| Ok((l.clone(), parse(&format!("laws.{l}"), t)?)));
        let laws = laws.collect::<Result<Vec<_>>>()?;
        let solve = file.sampling.solve.iter().map(|(s, t)| Ok((state("sampling.solve", s)?, parse(s, t)?)));
        let solve = solve.collect::<Result<Vec<_>>>()?;
        let faults = file.faults.iter().map(|f| {
            let push = f.push.iter().map(|(s, t)| Ok((state("faults.push", s)?, parse(s, t)?)));
            Ok(Fault { title: f.title.clone(), breaks: f.breaks.clone(), push: push.collect::<Result<_>>()? })
        });
        let faults = faults.collect::<Result<Vec<_>>>()?;
        ensure!(file.basis.order > 0 || !terms.is_empty(), "basis: neither an order nor terms");
        ensure!(file.sampling.scale.is_finite() && file.sampling.scale > 0.0, "sampling.scale must be positive");
        for (what, t) in [("null", file.tolerance.null), ("rank", file.tolerance.rank)] {
            ensure!(t > 0.0 && t < 1.0, "tolerance.{what} is {t}; it lies between 0 and 1");
        }
        if let Some(orbit) = &file.orbit {
            for s in orbit.start.keys() {
                state("orbit.start", s)?;
            }
            ensure!(orbit.step.is_finite() && orbit.step > 0.0, "orbit.step must be positive, it is {}", orbit.step);
            ensure!((0.0..1.0).contains(&orbit.noise), "orbit.noise is {}; it lies between 0 and 1", orbit.noise);
            ensure!(
                (100..=10_000_000).contains(&orbit.samples),
                "orbit.samples is {}; 100 to 10,000,000 are taken",
                orbit.samples
            );
        }
        Ok(System {
            name: name.into(),
            title: file.title.clone(),
            states: file.states.clone(),
            definitions,
            equations,
            reactions,
            names: laws,
            terms,
            faults,
            solve,
            text: text.into(),
            file,
        })
    }

    /// Names that a law's expression may use.
    pub fn variables(&self) -> Vec<(String, Meaning)> {
        let states = self.states.iter().enumerate().map(|(i, s)| (s.clone(), Meaning::Var(i)));
        let defined =
            self.definitions.iter().enumerate().map(|(j, d)| (d.0.clone(), Meaning::Var(self.states.len() + j)));
        states.chain(self.file.parameters.iter().map(|(p, v)| (p.clone(), Meaning::Value(*v)))).chain(defined).collect()
    }

    /// The states followed by the definitions' values.
    pub fn values(&self, states: &[f64]) -> Vec<f64> {
        let mut v = states.to_vec();
        v.reserve(self.definitions.len());
        for (_, d) in &self.definitions {
            v.push(d.value(&v));
        }
        v
    }

    /// The states, moving along `direction`, followed by the definitions.
    pub fn duals(&self, states: &[f64], direction: &[f64]) -> Vec<Dual> {
        let mut v: Vec<Dual> = states.iter().copied().zip(direction.iter().copied()).collect();
        for (_, d) in &self.definitions {
            v.push(d.dual(&v));
        }
        v
    }

    /// `f(x)`.
    pub fn field(&self, states: &[f64]) -> Vec<f64> {
        let v = self.values(states);
        self.equations.iter().map(|e| e.value(&v)).collect()
    }

    /// `count` sampled states and their `f`, divided by its norm where the file asks for it.
    ///
    /// # Errors
    /// If f or a solved state is not finite at a sample: it says which, and where.
    pub fn sample(&self, count: usize, seed: u64) -> Result<Vec<(Vec<f64>, Vec<f64>)>> {
        ensure!(!self.equations.is_empty(), "{} has no equations; give data: --set data=FILE.csv", self.name);
        let mut rng = Rng::new(seed, "sid samples", 0);
        let sampling = &self.file.sampling;
        (0..count)
            .map(|s| {
                let mut x: Vec<f64> = self
                    .states
                    .iter()
                    .map(|_| {
                        sampling.scale
                            * match sampling.distribution {
                                Distribution::Normal => f64::from(rng.normal()),
                                Distribution::Lognormal => f64::from(rng.normal()).exp(),
                                Distribution::Uniform => 2.0 * f64::from(rng.uniform()) - 1.0,
                            }
                    })
                    .collect();
                for (i, e) in &self.solve {
                    x[*i] = e.value(&self.values(&x));
                    ensure!(x[*i].is_finite(), "sample {s}: solving for {} gives {} at {}", self.states[*i], x[*i], self.at(&x));
                }
                let mut f = self.field(&x);
                if let Some(i) = f.iter().position(|v| !v.is_finite()) {
                    bail!(
                        "sample {s}: d{}/dt is {} at {} (a division by zero, or a root or logarithm of a negative number?); choose another sampling.distribution or sampling.scale",
                        self.states[i], f[i], self.at(&x)
                    );
                }
                if sampling.normalise {
                    let norm = f.iter().map(|v| v * v).sum::<f64>().sqrt();
                    ensure!(norm > 0.0, "sample {s}: f is zero at {} and has no direction", self.at(&x));
                    f.iter_mut().for_each(|v| *v /= norm);
                }
                Ok((x, f))
            })
            .collect()
    }

    /// A state in words.
    pub fn at(&self, x: &[f64]) -> String {
        let mut text: Vec<String> = self.states.iter().zip(x).take(6).map(|(s, v)| format!("{s} = {v:.4}")).collect();
        if self.states.len() > 6 {
            text.push("…".into());
        }
        text.join(", ")
    }

    /// Where the recording starts; states that the file does not name start at 0.
    pub fn start(&self) -> Result<(&Orbit, Vec<f64>)> {
        let orbit = self.file.orbit.as_ref().with_context(|| {
            format!(
                "{} has no [orbit]: where a recording starts, its step and noise; a monitor is calibrated on one",
                self.name
            )
        })?;
        Ok((orbit, self.states.iter().map(|s| orbit.start.get(s).copied().unwrap_or(0.0)).collect()))
    }
}

fn is_name(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Definitions, each after those that it reads; adds their names.
fn definitions(
    texts: &BTreeMap<String, String>,
    names: &mut Vec<(String, Meaning)>,
    states: usize,
) -> Result<Vec<(String, Expr)>> {
    let mut done: Vec<(String, Expr)> = Vec::new();
    ensure!(texts.len() <= STATES, "{} definitions; {STATES} at most", texts.len());
    let mut left: Vec<(&String, &String)> = texts.iter().collect();
    while !left.is_empty() {
        let before = left.len();
        let mut error = None;
        left.retain(|(name, text)| match Expr::parse(text, names) {
            Ok(expr) => {
                names.push(((*name).clone(), Meaning::Var(states + done.len())));
                done.push(((*name).clone(), expr));
                false
            }
            Err(e) => {
                error.get_or_insert_with(|| e.context(format!("define: {name} = {text:?}")));
                true
            }
        });
        // In each turn at least one falls away.
        if left.len() == before {
            let error = error.unwrap_or_else(|| anyhow::anyhow!("definitions"));
            return Err(error.context("definitions read each other in a circle, or an unknown name"));
        }
    }
    for (i, (name, _)) in names.iter().enumerate() {
        ensure!(is_name(name), "{name:?} is no name: letters, digits and _, a letter first");
        ensure!(!names[..i].iter().any(|n| n.0 == *name), "{name:?} is defined twice");
    }
    Ok(done)
}
