//! What a lottery network is trained with. The paper does not say; these are ours, fixed before any
//! exponent was quoted, since the exponent depends on them.

use anyhow::{Context, Result, bail, ensure};

use crate::engine::{Adam, Inputs, Loss, Samples, Schedule, Targets, Training};
use crate::family::nearest;
use crate::net::{Activation, Network};
use crate::population::{Grid, Member};

/// Widths of a population that names none: 2, 4, … 256.
pub const WIDTHS: [usize; 8] = [2, 4, 8, 16, 32, 64, 128, 256];
/// Reach of the inputs: x from −2 to 2.
pub const REACH: f64 = 2.0;
/// Widest network that is trained.
const WIDEST: usize = 65_536;

/// Keys of `--set`, what each is, and its value where none is given.
pub const KEYS: [(&str, &str, &str); 7] = [
    ("activation", "silu or relu", "silu"),
    ("width", "hidden neurons N", "2,4,8,16,32,64,128,256"),
    ("steps", "steps of Adam, full batch; the rate falls to a tenth at half of them", "5000"),
    ("rate", "Adam's first learning rate", "0.01"),
    ("points", "points of y = x², evenly spaced on [−2, 2]", "101"),
    ("fit", "smallest width of the fitted law; one value", "8"),
    ("export", "width of the exported network; one value", "16"),
];
/// Keys that hold for the whole population.
const WHOLE: [&str; 2] = ["fit", "export"];

/// Settings of one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// σ
    pub activation: Activation,
    /// N
    pub width: usize,
    /// Steps of Adam.
    pub steps: usize,
    /// First learning rate.
    pub rate: f64,
    /// Number of points.
    pub points: usize,
}

/// Settings of a population.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Every network's settings, as a grid.
    pub grid: Grid,
    /// Smallest width of the fit.
    pub fit_from: usize,
    /// Width of the exported network: the widest of the population that is not above it.
    pub export: usize,
}

impl Plan {
    /// The plan of `--set` words.
    ///
    /// # Errors
    /// An unknown key or activation (the nearest are named), a value out of range, no value.
    pub fn of(sets: &[String]) -> Result<Plan> {
        let asked = Grid::of(sets)?;
        let mut grid = Grid::default();
        for (key, _, value) in KEYS.iter().filter(|k| !WHOLE.contains(&k.0)) {
            grid.put(key, value.split(',').map(str::to_string).collect())?;
        }
        let mut plan = Plan { grid, fit_from: 8, export: 16 };
        for (key, values) in asked.axes {
            if !KEYS.iter().any(|k| k.0 == key) {
                let keys: Vec<&str> = KEYS.iter().map(|k| k.0).collect();
                bail!("lottery has no setting {key:?}; nearest: {}", nearest(&key, &keys).join(", "));
            }
            if WHOLE.contains(&key.as_str()) {
                ensure!(values.len() == 1, "{key} takes one value, not {}", values.join(","));
                let value = width(&key, &values[0])?;
                *(if key == "fit" { &mut plan.fit_from } else { &mut plan.export }) = value;
            } else {
                plan.grid.put(&key, values)?;
            }
        }
        for member in plan.grid.members(0, 1)? {
            Settings::of(&member)?;
        }
        Ok(plan)
    }

    /// All that the population's members have in common, for a checkpoint's identity.
    pub fn identity(&self, first: u64, seeds: u64) -> String {
        let axes: Vec<String> = self.grid.axes.iter().map(|(k, v)| format!("{k}={}", v.join(","))).collect();
        format!("lottery {} seeds {first}..{}", axes.join(" "), first + seeds)
    }
}

impl Settings {
    /// A member's settings.
    ///
    /// # Errors
    /// A value that is out of range or no number, an unknown activation.
    pub fn of(member: &Member) -> Result<Settings> {
        let word = |key: &str| {
            let found = member.settings.iter().find(|(k, _)| k == key);
            found.map(|(_, v)| v.as_str()).with_context(|| format!("{key} is not set"))
        };
        let name = word("activation")?;
        let activation = match name {
            "silu" => Activation::Silu,
            "relu" => Activation::Relu,
            other => bail!("activation={other}: nearest: {}", nearest(other, &["silu", "relu"]).join(", ")),
        };
        let whole = |key: &str, low: usize, high: usize| -> Result<usize> {
            let text = word(key)?;
            let value = text.parse().ok().filter(|n| (low..=high).contains(n));
            value.with_context(|| format!("{key}={text}: a whole number from {low} to {high} is expected"))
        };
        let rate = word("rate")?;
        let rate: f64 = rate
            .parse()
            .ok()
            .filter(|r: &f64| *r > 0.0 && *r <= 1.0)
            .with_context(|| format!("rate={rate}: a number above 0, at most 1, is expected"))?;
        Ok(Settings {
            activation,
            width: width("width", word("width")?)?,
            steps: whole("steps", 1, 10_000_000)?,
            points: whole("points", 3, 100_000)?,
            rate,
        })
    }

    /// 1 → N → 1.
    ///
    /// # Errors
    /// None for settings that [`Settings::of`] made.
    pub fn network(&self) -> Result<Network> {
        Network::mlp(&[1, self.width, 1], self.activation)
    }

    /// Adam on the mean square error of all points, the rate a tenth from half of the steps on.
    pub fn training(&self) -> Training {
        Training {
            steps: self.steps,
            rate: Schedule::Stairs(vec![(0, self.rate), (self.steps / 2, self.rate / 10.0)]),
            adam: Adam::default(),
            loss: Loss::MeanSquare,
            batch: None,
        }
    }

    /// `x_i` evenly spaced on [−2, 2] and `x_i²`.
    pub fn samples(&self) -> Samples<f32> {
        let x: Vec<f32> =
            (0..self.points).map(|i| (REACH * (2.0 * i as f64 / (self.points - 1) as f64 - 1.0)) as f32).collect();
        let y = x.iter().map(|x| x * x).collect();
        Samples { inputs: Inputs::Values { width: 1, data: x }, targets: Targets::Values { width: 1, data: y } }
    }

    /// The word for its activation.
    pub fn activation_name(&self) -> &'static str {
        Activation::ALL.iter().find(|a| a.1 == self.activation).map_or("", |a| a.0)
    }

    /// All of it but the width, as `KEY=VALUE` words.
    pub fn words(&self) -> String {
        let name = self.activation_name();
        format!("activation={name} steps={} rate={} points={}", self.steps, self.rate, self.points)
    }
}

fn width(key: &str, text: &str) -> Result<usize> {
    let value = text.parse().ok().filter(|n| (1..=WIDEST).contains(n));
    value.with_context(|| format!("{key}={text}: a width from 1 to {WIDEST} is expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(set: &str) -> String {
        Plan::of(&[set.to_string()]).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_nearest() {
        assert!(error("widht=3").contains("nearest: width"), "{}", error("widht=3"));
        assert!(error("activation=rleu").contains("relu"));
        assert!(error("width=0").contains("from 1 to"));
        assert!(error("width=").contains("no runs"));
        assert!(error("steps=x").contains("whole number"));
        assert!(error("rate=-1").contains("above 0"));
        assert!(error("fit=8,16").contains("one value"));
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let plan = Plan::of(&[]).unwrap();
        assert_eq!(plan.grid.members(0, 2).unwrap().len(), 2 * WIDTHS.len());
        let value = |key: &str| KEYS.iter().find(|k| k.0 == key).unwrap().2.to_string();
        assert_eq!((plan.fit_from.to_string(), plan.export.to_string()), (value("fit"), value("export")));
        assert_eq!(WIDTHS.map(|w| w.to_string()).join(","), value("width"));
    }

    #[test]
    fn samples_are_the_parabola() {
        let member = &Plan::of(&["width=4".into()]).unwrap().grid.members(0, 1).unwrap()[0];
        let samples = Settings::of(member).unwrap().samples();
        let Inputs::Values { data: x, .. } = &samples.inputs else { panic!() };
        let Targets::Values { data: y, .. } = &samples.targets else { panic!() };
        assert_eq!((x.len(), x[0], x[50], x[100], y[0], y[75]), (101, -2.0, 0.0, 2.0, 4.0, 1.0));
    }
}
