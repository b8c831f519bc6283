//! What `--set` takes for a restart run.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

use super::denoiser::Shape;
use super::edm::{Embedding, Levels};
use super::set::{NAMES, Set};
use super::train::{Recipe, Task};
use crate::data::Source;
use crate::family::nearest;
use crate::population::Grid;

/// Keys of `--set`, what each is, and its value where none is given.
pub const KEYS: [(&str, &str, &str); 13] = [
    ("data", "digits, mnist, mixture, moons or spar", "digits"),
    ("hidden", "width of the hidden layers", "176; 64 for points, 512 for mnist"),
    ("depth", "hidden layers", "3"),
    ("steps", "steps of Adam", "16000; 5000 for points"),
    ("batch", "samples a step", "256"),
    ("rate", "largest learning rate; warm-up and cosine", "0.002; 0.001 for points"),
    ("mean", "β of the weights' running mean", "0.9995; 0.999 for points"),
    ("p_mean", "mean of ln σ in training", "-1.2"),
    ("p_std", "deviation of ln σ in training", "1.2"),
    ("deviation", "σ_d of the preconditioning", "that of the data"),
    ("draw", "seed of data that are drawn", "0"),
    ("samples", "samples that each sampler is judged by; 0 none", "2000"),
    ("search", "budgets of evaluations to search Restart's and EDM's settings at, as 64+255; 0 none", "0"),
];

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the data, and the seed of drawn ones.
    pub data: String,
    /// Seed of drawn data.
    pub draw: u64,
    /// Shape of the denoiser, but for features and classes.
    hidden: usize,
    depth: usize,
    deviation: Option<f64>,
    /// How it is trained.
    pub recipe: Recipe,
    /// Samples that a sampler is judged by.
    pub samples: usize,
    /// Budgets of the search.
    pub search: Vec<usize>,
}

impl Settings {
    /// The settings of `--set` words; `data` is what `--data` named.
    ///
    /// # Errors
    /// An unknown key (the nearest are named), or a value out of range.
    pub fn of(sets: &[String], data: Option<&str>) -> Result<Settings> {
        let asked = Grid::of(sets)?;
        let keys: Vec<&str> = KEYS.iter().map(|k| k.0).collect();
        for (key, values) in &asked.axes {
            if !keys.contains(&key.as_str()) {
                bail!("restart has no setting {key:?}; nearest: {}", nearest(key, &keys).join(", "));
            }
            ensure!(values.len() == 1, "{key} takes one value, not {}", values.join(","));
        }
        let word = |key: &str| asked.axes.iter().find(|a| a.0 == key).map(|a| a.1[0].as_str());
        let data = word("data").or(data).unwrap_or("digits").to_string();
        ensure!(
            NAMES.contains(&data.as_str()),
            "restart has no data {data:?}; nearest: {}",
            nearest(&data, &NAMES).join(", ")
        );
        let whole = |key: &str, default: usize, low: usize, high: usize| -> Result<usize> {
            let Some(text) = word(key) else { return Ok(default) };
            let value = text.parse().ok().filter(|n| (low..=high).contains(n));
            value.with_context(|| format!("{key}={text}: a whole number from {low} to {high} is expected"))
        };
        let number = |key: &str, default: f64, low: f64, high: f64| -> Result<f64> {
            let Some(text) = word(key) else { return Ok(default) };
            let value = text.parse().ok().filter(|v: &f64| (low..=high).contains(v));
            value.with_context(|| format!("{key}={text}: a number from {low} to {high} is expected"))
        };
        let points = matches!(data.as_str(), "mixture" | "moons");
        let hidden = if points {
            64
        } else if data == "mnist" {
            512
        } else {
            176
        };
        let recipe = Recipe {
            steps: whole("steps", if points { 5000 } else { 16_000 }, 1, 10_000_000)?,
            batch: whole("batch", 256, 1, 65_536)?,
            rate: number("rate", if points { 1e-3 } else { 2e-3 }, 1e-9, 1.0)?,
            warm_up: !points,
            mean: number("mean", if points { 0.999 } else { 0.9995 }, 0.0, 0.999_999)?,
            levels: Levels { mean: number("p_mean", -1.2, -20.0, 20.0)?, deviation: number("p_std", 1.2, 0.0, 20.0)? },
        };
        let search = match word("search") {
            None | Some("0") => vec![],
            Some(text) => text
                .split('+')
                .map(|b| {
                    let budget = b.parse().ok().filter(|b| (16..=4096).contains(b));
                    budget.with_context(|| format!("search={text}: budgets from 16 to 4096 are expected, as 64+255"))
                })
                .collect::<Result<_>>()?,
        };
        Ok(Settings {
            draw: whole("draw", 0, 0, usize::MAX >> 1)? as u64,
            hidden: whole("hidden", hidden, 1, 65_536)?,
            depth: whole("depth", 3, 1, 64)?,
            deviation: word("deviation").map(|_| number("deviation", 1.0, 1e-3, 1e3)).transpose()?,
            samples: whole("samples", 2000, 0, 1_000_000)?,
            data,
            recipe,
            search,
        })
    }

    /// The data.
    ///
    /// # Errors
    /// Data that are not there.
    pub fn set(&self, source: &Source) -> Result<Arc<Set>> {
        Ok(Arc::new(Set::load(&self.data, self.draw, source)?))
    }

    /// The denoiser's shape on `set`.
    pub fn shape(&self, set: &Set) -> Shape {
        let points = matches!(self.data.as_str(), "mixture" | "moons");
        Shape {
            dim: set.dim,
            classes: set.classes,
            embedding: if points { Embedding::Logarithm } else { Embedding::Fourier },
            hidden: self.hidden,
            depth: self.depth,
            deviation: self.deviation.unwrap_or(set.deviation),
            reach: set.side().map(|_| super::export::REACH),
        }
    }

    /// One training a seed.
    pub fn tasks(&self, set: &Arc<Set>, first: u64, seeds: u64) -> Vec<Task> {
        let task = |seed| Task { set: set.clone(), shape: self.shape(set), recipe: self.recipe.clone(), seed };
        (first..first + seeds).map(task).collect()
    }

    /// What a checkpoint belongs to.
    ///
    /// # Errors
    /// None: the recipe can be written.
    pub fn identity(&self, set: &Set, first: u64, seeds: u64) -> Result<String> {
        let (shape, recipe) = (serde_json::to_string(&self.shape(set))?, serde_json::to_string(&self.recipe)?);
        Ok(format!("restart {} draw {} {shape} {recipe} seeds {first}..{}", self.data, self.draw, first + seeds))
    }

    /// All of it as `KEY=VALUE` words.
    pub fn words(&self) -> String {
        let r = &self.recipe;
        let mut words = format!(
            "data={} hidden={} depth={} steps={} batch={} rate={} mean={} p_mean={} p_std={}",
            self.data, self.hidden, self.depth, r.steps, r.batch, r.rate, r.mean, r.levels.mean, r.levels.deviation
        );
        if matches!(self.data.as_str(), "mixture" | "moons") {
            words += &format!(" draw={}", self.draw);
        }
        if let Some(d) = self.deviation {
            words += &format!(" deviation={d}");
        }
        words
    }
}

/// The folder's checkpoint.
pub fn checkpoint(folder: &Path) -> std::path::PathBuf {
    folder.join("population.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(set: &str) -> String {
        Settings::of(&[set.to_string()], None).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_nearest() {
        assert!(error("stpes=3").contains("nearest: steps"), "{}", error("stpes=3"));
        assert!(error("data=digit").contains("digits"));
        assert!(error("hidden=0").contains("from 1 to"));
        assert!(error("rate=x").contains("number from"));
        assert!(error("search=64+x").contains("64+255"));
        assert!(error("steps=1,2").contains("one value"));
    }

    #[test]
    fn the_digits_denoiser_is_of_the_size_that_is_stated() {
        let settings = Settings::of(&[], None).unwrap();
        let set = settings.set(&Source::default()).unwrap();
        assert_eq!(settings.shape(&set).network().unwrap().parameters(), 89_648);
        let other = Settings::of(&["steps=5".into()], Some("moons")).unwrap();
        assert_eq!((other.recipe.steps, other.data.as_str(), other.recipe.warm_up), (5, "moons", false));
    }
}
