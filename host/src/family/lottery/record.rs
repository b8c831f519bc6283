//! What a lottery run keeps: every network's loss, the laws fitted to them, and some neurons.
//!
//! `RUN/run.json` ([`Record`]), `RUN/members.csv` (group, width, seed, loss; the loss is empty where
//! a network failed), `RUN/neurons.csv` (group, width, seed, w, b, v: all networks of width 2, and of
//! the widest up to 20,000 neurons), `RUN/law-GROUP.json` (a [`Law`] for each group),
//! `RUN/graph.json` (the network that `export` takes).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::NAME;
use super::settings::{Plan, Settings};
use super::ticket::Neuron;
use super::train::{Population, Trained};
use crate::law::{Law, Sized, regimes};
use crate::population::{Grid, Member};
use crate::report::write_atomic;
use crate::run::read_json;

/// Neurons of the widest networks that are kept, at most.
const KEPT: usize = 20_000;
/// Smallest width of the search for two regimes: of two neurons one is often lost.
const REGIMES_FROM: usize = 4;
/// Fewest widths of a regime.
const REGIME: usize = 3;

/// `run.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// `lottery`
    pub family: String,
    /// First seed.
    pub seed: u64,
    /// Seeds.
    pub population: u64,
    /// Networks with the same settings but for width and seed.
    pub groups: Vec<Group>,
    /// Networks that failed: which, and why.
    pub failures: Vec<String>,
    /// The exported network.
    pub chosen: Chosen,
}

/// Networks with the same settings but for width and seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Activation, and what else differs between groups: `silu`, `relu steps=2000`.
    pub label: String,
    /// All settings but the width.
    pub settings: String,
    /// Over the widths from `fit` on; none for fewer than two widths.
    pub law: Option<Law>,
    /// Two laws that meet, over widths from 4 on; none for fewer than five.
    pub regimes: Option<(Law, Law)>,
}

/// A network of the population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Its group.
    pub label: String,
    /// All its settings but the width.
    pub settings: String,
    /// N
    pub width: usize,
    /// Its seed.
    pub seed: u64,
    /// Its loss.
    pub loss: f64,
}

/// One network's row in `members.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Label of its group.
    pub group: String,
    /// N
    pub width: usize,
    /// Its seed.
    pub seed: u64,
    /// None where it failed.
    pub loss: Option<f64>,
}

/// One neuron's row in `neurons.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Label of its group.
    pub group: String,
    /// N
    pub width: usize,
    /// Its network's seed.
    pub seed: u64,
    /// Weight of the input.
    pub w: f32,
    /// Bias.
    pub b: f32,
    /// Weight towards the output.
    pub v: f32,
}

impl Kept {
    /// The neuron.
    pub fn neuron(&self) -> Neuron {
        Neuron { w: self.w.into(), b: self.b.into(), v: self.v.into() }
    }
}

/// A run, whole.
#[derive(Clone, Debug)]
pub struct Kit {
    /// `run.json`
    pub record: Record,
    /// `members.csv`
    pub losses: Vec<Loss>,
    /// `neurons.csv`
    pub neurons: Vec<Kept>,
}

impl Kit {
    /// What a population gave, and the network to export.
    ///
    /// # Errors
    /// Where every network failed.
    pub fn of(plan: &Plan, members: &[Member], population: &Population) -> Result<(Kit, Trained)> {
        let mut losses = Vec::new();
        let mut failures = Vec::new();
        let mut words: Vec<(String, String)> = Vec::new();
        let mut widest: BTreeMap<String, usize> = BTreeMap::new();
        for (member, outcome) in members.iter().zip(population) {
            let settings = Settings::of(member)?;
            let group = label(&plan.grid, member);
            if !words.iter().any(|w| w.0 == group) {
                words.push((group.clone(), settings.words()));
            }
            let width = widest.entry(group.clone()).or_default();
            *width = settings.width.max(*width);
            if let Err(reason) = outcome {
                failures.push(format!("{group} width {} seed {}: {reason}", settings.width, member.seed));
            }
            let loss = outcome.as_ref().ok().map(|t| t.loss);
            losses.push(Loss { group, width: settings.width, seed: member.seed, loss });
        }
        let mut neurons = Vec::new();
        let mut room: BTreeMap<&str, usize> = words.iter().map(|w| (w.0.as_str(), KEPT)).collect();
        for (of, outcome) in losses.iter().zip(population) {
            let Ok(trained) = outcome else { continue };
            let room = room.entry(of.group.as_str()).or_default();
            let of_widest = of.width == widest[&of.group] && *room >= of.width;
            if of.width != 2 && !of_widest {
                continue;
            }
            *room -= if of_widest { of.width } else { 0 };
            neurons.extend(trained.neurons().map(|n| Kept {
                group: of.group.clone(),
                width: of.width,
                seed: of.seed,
                w: n.w as f32,
                b: n.b as f32,
                v: n.v as f32,
            }));
        }
        let groups = words
            .iter()
            .map(|(label, settings)| group(label, settings, &losses, plan.fit_from))
            .collect::<Result<Vec<_>>>()?;
        let (at, trained) = choose(&losses, population, plan.export).with_context(|| {
            format!("every network failed; the first: {}", failures.first().cloned().unwrap_or_default())
        })?;
        let settings = words.iter().find(|w| w.0 == losses[at].group).map(|w| w.1.clone()).unwrap_or_default();
        let chosen = Chosen {
            label: losses[at].group.clone(),
            settings,
            width: losses[at].width,
            seed: losses[at].seed,
            loss: trained.loss,
        };
        let (seed, last) = (members[0].seed, members[members.len() - 1].seed);
        let record = Record { family: NAME.into(), seed, population: last - seed + 1, groups, failures, chosen };
        Ok((Kit { record, losses, neurons }, trained.clone()))
    }

    /// Writes all but the graph, `run.json` last.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        write_atomic(&folder.join("members.csv"), &rows(&self.losses)?)?;
        write_atomic(&folder.join("neurons.csv"), &rows(&self.neurons)?)?;
        for group in &self.record.groups {
            if let Some(law) = &group.law {
                law.write(&folder.join(law_file(&group.label)))?;
            }
        }
        write_atomic(&folder.join("run.json"), &serde_json::to_vec_pretty(&self.record)?)
    }

    /// Reads what [`Kit::write`] wrote.
    ///
    /// # Errors
    /// A folder that holds no finished lottery run, or damaged files.
    pub fn read(folder: &Path) -> Result<Kit> {
        let record: Record = read_json(folder, "run.json")?;
        ensure!(record.family == NAME, "{} holds a run of {}, not of {NAME}", folder.display(), record.family);
        Ok(Kit { record, losses: read(folder, "members.csv")?, neurons: read(folder, "neurons.csv")? })
    }

    /// Losses of a group by width, networks that failed left out.
    pub fn sizes(&self, group: &str) -> Vec<Sized> {
        sizes(&self.losses, group)
    }
}

/// Name of the file of a group's law.
pub fn law_file(label: &str) -> String {
    let slug: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("law-{slug}.json")
}

/// The smallest loss among the networks of the widest width up to `export`, of the narrowest where
/// all are wider; of the first group.
fn choose<'p>(losses: &[Loss], population: &'p Population, export: usize) -> Option<(usize, &'p Trained)> {
    let group = &losses.first()?.group;
    let there = || losses.iter().filter(|l| l.group == *group && l.loss.is_some());
    let width = there().map(|l| l.width).filter(|w| *w <= export).max().or_else(|| there().map(|l| l.width).min())?;
    let of_width =
        losses.iter().zip(population).enumerate().filter(|(_, (l, _))| l.group == *group && l.width == width);
    let done = of_width.filter_map(|(i, (_, outcome))| Some((i, outcome.as_ref().ok()?)));
    done.min_by(|a, b| a.1.loss.total_cmp(&b.1.loss))
}

fn group(label: &str, settings: &str, losses: &[Loss], fit_from: usize) -> Result<Group> {
    let sizes = sizes(losses, label);
    let what = format!("{NAME} {label}");
    let names = (what.as_str(), settings, "width");
    let from = |least: usize| sizes.iter().filter(|s| s.size >= least).count();
    let law = (from(fit_from) >= 2).then(|| Law::fit(names, &sizes, (fit_from, usize::MAX))).transpose()?;
    let regimes =
        if from(REGIMES_FROM) >= 2 { regimes(names, &sizes, (REGIMES_FROM, usize::MAX), REGIME)? } else { None };
    Ok(Group { label: label.into(), settings: settings.into(), law, regimes })
}

fn sizes(losses: &[Loss], group: &str) -> Vec<Sized> {
    let mut by_width: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for l in losses.iter().filter(|l| l.group == group) {
        if let Some(loss) = l.loss {
            by_width.entry(l.width).or_default().push(loss);
        }
    }
    by_width.into_iter().map(|(size, losses)| Sized { size, losses }).collect()
}

/// The activation, and other settings but the width that differ over the grid.
fn label(grid: &Grid, member: &Member) -> String {
    let mut words = Vec::new();
    for ((key, value), (_, values)) in member.settings.iter().zip(&grid.axes) {
        match key.as_str() {
            "activation" => words.insert(0, value.clone()),
            "width" => {}
            _ if values.len() > 1 => words.push(format!("{key}={value}")),
            _ => {}
        }
    }
    words.join(" ")
}

fn rows<T: Serialize>(rows: &[T]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    writer.into_inner().context("a table in memory")
}

fn read<T: for<'a> Deserialize<'a>>(folder: &Path, name: &str) -> Result<Vec<T>> {
    let path = folder.join(name);
    let mut reader =
        csv::Reader::from_path(&path).with_context(|| format!("{} cannot be read; train again", path.display()))?;
    let rows = reader.deserialize().collect::<Result<Vec<T>, _>>();
    let rows = rows.with_context(|| format!("{} is damaged; train again", path.display()))?;
    if rows.is_empty() && name == "members.csv" {
        bail!("{} is empty; train again", path.display());
    }
    Ok(rows)
}
