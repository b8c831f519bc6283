//! What is trained and how: one flat record, written `KEY=VALUE` on the command line.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// The shape of the map from features to the semantic space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `s = Wx + b`, or of rank `rank` where that is not 0
    Linear,
    /// `s = Σ g_k (U_k (V_kᵀ x + b_k) + u_k) [+ W₀x]`
    Composite,
    /// `z = rms-norm(Vᵀx + b)`, `s = U₀z + Σ g_k (U_k z + u_k)`: for many more inputs than outputs
    Trunk,
    /// Dense layers with ReLU between them
    Mlp,
    /// `W = (XᵀX + γI)⁻¹ XᵀYS (SᵀS + λI)⁻¹` (Romera-Paredes and Torr 2015)
    Eszsl,
    /// `a_c·(Wx + b)` trained to rank (DeViSE, Frome et al. 2013)
    Bilinear,
}

/// Everything that decides a run besides the data and the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub kind: Kind,
    /// r: of each base, of the trunk, or of a linear map (0: full rank)
    pub rank: usize,
    /// K
    pub bases: usize,
    /// m: bases that run for a sample
    pub keep: usize,
    /// Adds `W₀x` to a composite
    pub residual: bool,
    /// Hidden widths of an MLP
    pub widths: Vec<usize>,
    /// γ of ESZSL
    pub gamma: f64,
    /// λ of ESZSL
    pub lambda: f64,
    /// τ: factor of the cosines in the softmax
    pub tau: f32,
    /// Margin of the ranking loss
    pub margin: f32,
    /// Largest learning rate
    pub rate: f32,
    pub steps: usize,
    /// Samples a step
    pub batch: usize,
    /// Share of inputs set to 0 in training
    pub dropout: f32,
    /// The same after each hidden layer of an MLP
    pub hidden_dropout: f32,
    pub weight_decay: f32,
    /// Weight of the load balance
    pub balance: f32,
    /// Dense gates first, hard ones for the last 40 % of the steps
    pub anneal: bool,
    /// λ of the OLÉ penalty; 0 leaves it out
    pub ole: f64,
    /// Copies of every training window, tilted and at another tempo (`data::augment`)
    pub augment: usize,
    /// Draws classes uniformly, then a sample of the class
    pub balanced: bool,
    /// Subtracts the seen classes' mean from the attributes
    pub centre: bool,
    /// Principal components of the attributes, fitted on the seen classes; 0: as they are
    pub components: usize,
    /// Standardised inputs are clipped at ± this many deviations
    pub clip: f32,
    /// Scales each sample to unit root mean square; one deviation for all inputs
    pub unit_rms: bool,
}

/// Names of [`Settings::preset`].
pub const PRESETS: [&str; 8] = ["tiny", "accuracy", "zero-shot", "trunk", "linear", "mlp", "eszsl", "bilinear"];

impl Settings {
    /// β of the gate as deployed.
    pub const TEMPERATURE: f32 = 4.0;

    /// Defaults by name: `tiny` (K 8, r 8, m 2), `accuracy` (K 16, r 8, m 4), `zero-shot` (K 8, r 12,
    /// m 4 and W₀), `trunk` (K 4, r 7, m 2), and the opponents `linear`, `mlp`, `eszsl`, `bilinear`.
    pub fn preset(name: &str) -> Result<Self> {
        let base = Settings {
            kind: Kind::Composite,
            rank: 8,
            bases: 8,
            keep: 2,
            residual: false,
            widths: vec![64],
            gamma: 100.0,
            lambda: 1.0,
            tau: 10.0,
            margin: 0.1,
            rate: 3e-3,
            steps: 600,
            batch: 256,
            dropout: 0.1,
            hidden_dropout: 0.0,
            weight_decay: 0.1,
            balance: 0.05,
            anneal: true,
            ole: 0.0,
            augment: 0,
            balanced: true,
            centre: true,
            components: 0,
            clip: 3.0,
            unit_rms: false,
        };
        Ok(match name {
            "tiny" => base,
            "accuracy" => Settings { bases: 16, keep: 4, ..base },
            "zero-shot" => Settings {
                rank: 12,
                keep: 4,
                residual: true,
                tau: 8.0,
                rate: 2e-3,
                steps: 160,
                batch: 512,
                dropout: 0.2,
                ..base
            },
            "trunk" => Settings {
                kind: Kind::Trunk,
                rank: 7,
                bases: 4,
                tau: 16.0,
                steps: 600,
                batch: 248,
                dropout: 0.7,
                components: 40,
                clip: 8.0,
                unit_rms: true,
                ..base
            },
            "linear" => Settings { kind: Kind::Linear, rank: 0, ..base },
            "mlp" => Settings { kind: Kind::Mlp, ..base },
            "eszsl" => Settings { kind: Kind::Eszsl, centre: false, ..base },
            "bilinear" => Settings { kind: Kind::Bilinear, weight_decay: 0.01, ..base },
            _ => bail!("no preset `{name}` of parsnets{}; there are {}", nearest(name, &PRESETS), PRESETS.join(", ")),
        })
    }

    /// Applies `KEY=VALUE`.
    ///
    /// # Errors
    /// Naming the nearest key, or what the value should be.
    pub fn apply(&mut self, assignment: &str) -> Result<()> {
        let Some((key, value)) = assignment.split_once('=') else {
            bail!("`{assignment}` is not KEY=VALUE, as in `bases=8`");
        };
        let (key, value) = (key.trim(), value.trim());
        let Ok(serde_json::Value::Object(mut all)) = serde_json::to_value(&*self) else {
            bail!("settings are no record")
        };
        let Some(old) = all.get(key) else {
            let keys: Vec<&str> = all.keys().map(String::as_str).collect();
            bail!("no setting `{key}` of parsnets{}; there are {}", nearest(key, &keys), keys.join(", "));
        };
        // A value is JSON of the old one's type; words and lists go without their quotes and brackets.
        let new = match old {
            serde_json::Value::String(_) => serde_json::Value::String(value.to_owned()),
            serde_json::Value::Array(_) => serde_json::from_str(&format!("[{}]", value.trim_matches(['[', ']'])))?,
            _ => serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::String(value.to_owned())),
        };
        all.insert(key.to_owned(), new);
        let parsed: Settings = serde_json::from_value(serde_json::Value::Object(all))
            .map_err(|e| anyhow::anyhow!("setting {key}: `{value}` does not fit ({e})"))?;
        parsed.check()?;
        *self = parsed;
        Ok(())
    }

    /// Whether every value is in range.
    pub fn check(&self) -> Result<()> {
        let within = |what: &str, value: f64, low: f64, high: f64| {
            ensure!((low..=high).contains(&value), "setting {what} is {value}, expected {low} to {high}");
            Ok(())
        };
        within("keep", self.keep as f64, 1.0, self.bases as f64)?;
        within("bases", self.bases as f64, 1.0, 64.0)?;
        within("rank", self.rank as f64, if self.kind == Kind::Linear { 0.0 } else { 1.0 }, 4096.0)?;
        within("dropout", f64::from(self.dropout), 0.0, 0.95)?;
        within("hidden_dropout", f64::from(self.hidden_dropout), 0.0, 0.95)?;
        within("steps", self.steps as f64, 1.0, 1e7)?;
        within("batch", self.batch as f64, 1.0, 65536.0)?;
        within("rate", f64::from(self.rate), 1e-7, 1.0)?;
        within("tau", f64::from(self.tau), 0.01, 1000.0)?;
        within("clip", f64::from(self.clip), 0.1, 100.0)?;
        within("gamma", self.gamma, 1e-9, 1e12)?;
        within("lambda", self.lambda, 1e-9, 1e12)?;
        within("weight_decay", f64::from(self.weight_decay), 0.0, 100.0)?;
        within("balance", f64::from(self.balance), 0.0, 100.0)?;
        within("ole", self.ole, 0.0, 100.0)?;
        within("augment", self.augment as f64, 0.0, 16.0)?;
        ensure!(
            self.widths.iter().all(|w| (1..=65536).contains(w)),
            "setting widths is {:?}: a layer of none",
            self.widths
        );
        Ok(())
    }
}

/// `: did you mean X?` for the nearest of `names`, where one is near.
fn nearest(name: &str, names: &[&str]) -> String {
    let best = names.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match best {
        Some(best) if strsim::jaro_winkler(name, best) > 0.6 => format!(": did you mean `{best}`?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_set_by_name() {
        let mut s = Settings::preset("tiny").unwrap();
        for set in ["bases=16", "keep = 4", "kind=mlp", "widths=64,32", "residual=true", "rate=0.01", "ole=0.25"] {
            s.apply(set).unwrap();
        }
        assert_eq!((s.bases, s.keep, s.kind, s.residual, s.rate, s.ole), (16, 4, Kind::Mlp, true, 0.01, 0.25));
        assert_eq!(s.widths, [64, 32]);
    }

    #[test]
    fn mistakes_are_explained() {
        let mut s = Settings::preset("tiny").unwrap();
        let mut error = |set: &str| s.apply(set).unwrap_err().to_string();
        assert!(error("basis=3").contains("did you mean `bases`"));
        assert!(error("bases").contains("KEY=VALUE"));
        assert!(error("bases=many").contains("bases") && error("bases=many").contains("many"));
        assert!(error("keep=9").contains("expected 1 to 8"));
        assert!(error("kind=linaer").contains("linear"));
        assert!(Settings::preset("tyni").unwrap_err().to_string().contains("`tiny`"));
    }

    #[test]
    fn every_preset_is_in_range_and_survives_json() {
        for name in PRESETS {
            let s = Settings::preset(name).unwrap();
            s.check().unwrap();
            let json = serde_json::to_string(&s).unwrap();
            assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), s);
        }
    }
}
