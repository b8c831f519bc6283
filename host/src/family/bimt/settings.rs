//! What `--set KEY=VALUE` says of a member.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::task::{Recipe, Task};
use crate::family::nearest;

/// How much of the method is used: the paper's ablations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// No penalty, no swaps.
    None,
    /// l0 alone.
    L1,
    /// l0 and distance.
    L1Local,
    /// l0 and swaps.
    L1Swap,
    /// l0, distance and swaps.
    Bimt,
}

impl Method {
    /// All, with the word for each.
    pub const ALL: [(&'static str, Method); 5] = [
        ("none", Method::None),
        ("l1", Method::L1),
        ("l1+local", Method::L1Local),
        ("l1+swap", Method::L1Swap),
        ("bimt", Method::Bimt),
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|m| m.1 == self).map_or("", |m| m.0)
    }

    /// Whether neurons swap.
    pub fn swaps(self) -> bool {
        matches!(self, Method::L1Swap | Method::Bimt)
    }

    /// Whether distance costs.
    pub fn local(self) -> bool {
        matches!(self, Method::L1Local | Method::Bimt)
    }
}

/// A member's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Name of the task.
    pub task: String,
    /// Ablation.
    pub method: Method,
    /// Steps; the published stairs are stretched to them.
    pub steps: usize,
    /// Learning rate.
    pub rate: f64,
    /// Times the published λ.
    pub strength: f64,
    /// A: what a unit of distance costs.
    pub distance: f64,
    /// l0: what any connection costs.
    pub any: f64,
    /// K: steps between swaps.
    pub every: usize,
    /// Neurons a sheet that are tried.
    pub top: usize,
    /// Weights below are pruned; found on training samples where none.
    pub threshold: Option<f64>,
    /// Stop where the loss over K steps is at most this; 0 for never.
    pub stop: f64,
    /// Neurons of every hidden layer; as published where none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
}

/// (key, meaning), in order.
pub const KEYS: [(&str, &str); 12] = [
    ("task", "independence, sharing, compositional, two-moons, modular-addition, s4, mnist, in-context"),
    ("method", "none, l1, l1+local, l1+swap, bimt"),
    ("steps", "steps; the stairs of λ are stretched to them"),
    ("rate", "learning rate"),
    ("strength", "times the published λ"),
    ("distance", "A: what a unit of distance costs"),
    ("any", "l0: what any connection costs"),
    ("every", "K: steps between swaps"),
    ("top", "neurons of a layer that are tried at each swap"),
    ("prune", "threshold below which weights are pruned, or auto: found on training samples"),
    ("stop", "stop where the mean loss over K steps is at most this; 0: never"),
    ("width", "neurons of every hidden layer"),
];

impl Settings {
    /// The published ones.
    pub fn published(task: Task) -> Settings {
        let recipe = task.recipe();
        Settings {
            task: task.name().into(),
            method: Method::Bimt,
            steps: recipe.steps,
            rate: recipe.rate,
            strength: 1.0,
            distance: recipe.distance,
            any: recipe.any,
            every: recipe.every,
            top: recipe.top,
            threshold: recipe.threshold,
            stop: 0.0,
            width: None,
        }
    }

    /// From `(key, value)`; what is not said is the task's own. The task is `independence` where none is named.
    ///
    /// # Errors
    /// An unknown key or word, the nearest offered; a value that is no number or out of its range.
    pub fn of(settings: &[(String, String)]) -> Result<Settings> {
        let task = settings.iter().rev().find(|(key, _)| key == "task").map_or("independence", |(_, v)| v.as_str());
        let mut s = Settings::published(word("task", task, &Task::ALL)?);
        for (key, value) in settings {
            match key.as_str() {
                "task" => {}
                "method" => s.method = word(key, value, &Method::ALL)?,
                "steps" => s.steps = whole(key, value, 1, 10_000_000)?,
                "rate" => s.rate = number(key, value, f64::MIN_POSITIVE, 10.0)?,
                "strength" => s.strength = number(key, value, 0.0, 1e9)?,
                "distance" => s.distance = number(key, value, 0.0, 1e9)?,
                "any" => s.any = number(key, value, 0.0, 1e9)?,
                "every" => s.every = whole(key, value, 1, 10_000_000)?,
                "top" => s.top = whole(key, value, 1, 100_000)?,
                "prune" if value == "auto" => s.threshold = None,
                "prune" => s.threshold = Some(number(key, value, 0.0, 1e9)?),
                "stop" => s.stop = number(key, value, 0.0, 1e9)?,
                "width" => {
                    ensure!(!s.recipe()?.widths.is_empty(), "{key}={value}: a transformer's widths are as published");
                    s.width = Some(whole(key, value, 1, 4096)?);
                }
                _ => bail!("bimt has no setting {key:?}; nearest: {}", nearest(key, &KEYS.map(|k| k.0)).join(", ")),
            }
        }
        Ok(s)
    }

    /// The task.
    pub fn task(&self) -> Result<Task> {
        word("task", &self.task, &Task::ALL)
    }

    /// The task's recipe with these settings in it.
    pub fn recipe(&self) -> Result<Recipe> {
        let mut recipe = self.task()?.recipe();
        if let Some(width) = self.width {
            let hidden = 1..recipe.widths.len().saturating_sub(1);
            recipe.widths.to_mut()[hidden].fill(width);
        }
        Ok(recipe)
    }
}

fn word<T: Copy>(key: &str, value: &str, all: &[(&'static str, T)]) -> Result<T> {
    let names: Vec<&str> = all.iter().map(|w| w.0).collect();
    let found = all.iter().find(|w| w.0 == value);
    found
        .map(|w| w.1)
        .with_context(|| format!("{key}={value}: there is none; nearest: {}", nearest(value, &names).join(", ")))
}

fn whole(key: &str, value: &str, least: usize, most: usize) -> Result<usize> {
    let n: usize = value.parse().ok().with_context(|| format!("{key}={value}: a whole number is expected"))?;
    ensure!((least..=most).contains(&n), "{key}={value}: {least} to {most} is expected");
    Ok(n)
}

fn number(key: &str, value: &str, least: f64, most: f64) -> Result<f64> {
    let x: f64 = value.parse().ok().with_context(|| format!("{key}={value}: a number is expected"))?;
    ensure!(x >= least && x <= most, "{key}={value}: {least:e} to {most:e} is expected");
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Result<Settings> {
        Settings::of(&pairs.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_said_is_published() {
        let s = set(&[("rate", "0.01"), ("task", "mnist"), ("method", "l1+swap")]).unwrap();
        assert_eq!((s.steps, s.every, s.rate, s.distance), (40_000, 500, 0.01, 2.0));
        assert!(s.method.swaps() && !s.method.local());
        assert_eq!(set(&[]).unwrap(), Settings::published(Task::Independence));
        assert_eq!(set(&[("prune", "auto")]).unwrap().threshold, None);
        let widths = |pairs: &[(&str, &str)]| set(pairs).unwrap().recipe().unwrap().widths.to_vec();
        assert_eq!(widths(&[("width", "7")]), [4, 7, 7, 2]);
        assert_eq!(widths(&[("width", "9"), ("task", "mnist")]), [784, 9, 9, 10]);
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_named() {
        let error = |pairs: &[(&str, &str)]| set(pairs).unwrap_err().to_string();
        assert!(error(&[("rat", "1")]).contains("nearest: rate"));
        assert!(error(&[("task", "two-moon")]).contains("nearest: two-moons"));
        assert!(error(&[("method", "L2")]).contains("l1"));
        assert!(error(&[("task", "in-context"), ("width", "4")]).contains("as published"));
        for (key, value) in [
            ("width", "0"),
            ("steps", "0"),
            ("rate", "NaN"),
            ("rate", "-1"),
            ("every", "0"),
            ("top", "x"),
            ("any", "inf"),
        ] {
            assert!(error(&[(key, value)]).contains(&format!("{key}={value}")), "{key}={value}");
        }
    }
}
