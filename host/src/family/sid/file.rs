//! A system's file as it stands in TOML; docs/papers.md describes it. `dx/dt = f(x)` is still text here.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::reactions;

/// The file as it stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub(super) title: String,
    pub(super) states: Vec<String>,
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, f64>,
    #[serde(default)]
    pub(super) define: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) equations: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) reactions: Vec<reactions::Line>,
    /// Monomials and further terms.
    #[serde(default)]
    pub basis: BasisFile,
    /// How states are drawn.
    #[serde(default)]
    pub sampling: Sampling,
    /// Where zero ends.
    #[serde(default)]
    pub tolerance: Tolerance,
    #[serde(default)]
    pub(super) laws: BTreeMap<String, String>,
    /// A recorded stream, simulated.
    pub orbit: Option<Orbit>,
    /// What is watched.
    #[serde(default)]
    pub monitor: Monitor,
    #[serde(default)]
    pub(super) faults: Vec<FaultFile>,
}

/// Terms whose weighted sums are tried as laws.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasisFile {
    /// Monomials of the states from order 1 to this.
    #[serde(default)]
    pub order: usize,
    /// Further terms, as expressions.
    #[serde(default)]
    pub(super) terms: Vec<String>,
}

/// How states are drawn.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Of every state.
    pub distribution: Distribution,
    /// Factor of a draw.
    pub scale: f64,
    /// Number of samples; absent, 1/16 more than terms and at least 50 more.
    pub samples: Option<usize>,
    /// Whether f is divided by its norm.
    pub normalise: bool,
    /// States that follow from the others, by an expression.
    pub solve: BTreeMap<String, String>,
}

/// Of a single draw, before its scale.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// N(0, 1)
    Normal,
    /// exp(N(0, 1))
    Lognormal,
    /// uniform in [−1, 1)
    Uniform,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            distribution: Distribution::Normal,
            scale: 1.0,
            samples: None,
            normalise: false,
            solve: BTreeMap::new(),
        }
    }
}

/// Where zero ends.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tolerance {
    /// Singular values of G over its Frobenius norm below which a direction is conserved.
    pub null: f64,
    /// Singular values of the unit gradients over their sum above which a direction counts.
    pub rank: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance { null: 1e-11, rank: 1e-6 }
    }
}

/// A simulated recording.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orbit {
    /// Where it starts, by state.
    pub(super) start: BTreeMap<String, f64>,
    /// Seconds between two samples.
    pub step: f64,
    /// Samples of one turn through the recording.
    #[serde(default = "orbit_samples")]
    pub samples: usize,
    /// The sensors' noise: its deviation over each state's root mean square.
    #[serde(default)]
    pub noise: f64,
}

fn orbit_samples() -> usize {
    20_000
}

/// What is watched.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// Laws by name; empty: all independent ones that were found.
    #[serde(default)]
    pub laws: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultFile {
    pub(super) title: String,
    pub(super) breaks: String,
    pub(super) push: BTreeMap<String, String>,
}
