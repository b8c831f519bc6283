//! How good a candidate is: the metric, and a figure of it with its origin.

/// What quality is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// `accuracy`, `T1`, `mean square error`, …
    pub name: String,
    /// A share, shown in %; else a loss, less of which is better.
    pub share: bool,
}

impl Metric {
    /// A figure as a reader sees it: a share in %, a loss by its power of ten.
    pub fn figure(&self, value: f64) -> String {
        if self.share { format!("{:.1}", 100.0 * value) } else { format!("{value:.2e}") }
    }

    /// Its name, with the unit.
    pub fn title(&self) -> String {
        if self.share { format!("{}, %", self.name) } else { self.name.clone() }
    }
}

/// A figure, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// In the metric's unit.
    pub value: f64,
    /// Standard deviation over the seeds of trainings, where there were several.
    pub deviation: Option<f64>,
    /// Extrapolated by a law from smaller networks, not trained.
    pub by_law: bool,
}

impl Quality {
    /// The mean over seeds, with its deviation.
    pub fn of_seeds(values: &[f64]) -> Quality {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        let deviation = (values.len() > 1).then(|| (square / (n - 1.0)).sqrt());
        Quality { value: mean, deviation, by_law: false }
    }

    /// The figure in words: `79.8 % ± 1.2`, and whether a law gave it.
    pub fn in_words(&self, metric: &Metric) -> String {
        let deviation = self.deviation.map_or(String::new(), |d| format!(" ± {}", metric.figure(d)));
        metric.figure(self.value) + &deviation + if self.by_law { " by law" } else { "" }
    }
}
