//! Recorded trajectories, and the rates of change that they show.
//!
//! A CSV file: a header with `t` and the states' names (others are left alone), one row a sample. Where `t`
//! falls or jumps, or after an empty line, a new trajectory begins. At the middle of each window of 7 rows a cubic in t is
//! fitted to every state (Savitzky and Golay): value and slope. The noise is the root mean square of what the fits leave,
//! carried over to the slope, over the slope's root mean square.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use faer::Mat;

use super::system::System;

/// Rows of a window.
const WINDOW: usize = 7;
/// Largest file, bytes.
const LARGEST: u64 = 1 << 30;

/// Trajectories.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The file.
    pub name: String,
    /// Names of the columns after `t`.
    pub columns: Vec<String>,
    /// Trajectories of rows (t, values).
    pub runs: Vec<Vec<(f64, Vec<f64>)>>,
}

impl Recording {
    /// Reads a CSV file.
    pub fn read(path: &Path) -> Result<Recording> {
        let name = path.display().to_string();
        let length = std::fs::metadata(path).with_context(|| format!("{name} cannot be read"))?.len();
        ensure!(length <= LARGEST, "{name} is {length} bytes; {LARGEST} are the limit");
        let text = std::fs::read_to_string(path).with_context(|| format!("{name} cannot be read as text"))?;
        Recording::parse(&name, &text)
    }

    /// Reads a CSV text; any text gives a recording or an error that says where.
    pub fn parse(name: &str, text: &str) -> Result<Recording> {
        let mut lines = text.lines().enumerate();
        let header = lines.next().map_or("", |l| l.1);
        let columns: Vec<String> = header.split(',').map(|c| c.trim().to_string()).collect();
        let time = columns.iter().position(|c| c == "t").with_context(|| {
            format!("{name}, line 1: a column \"t\" (seconds) is expected, the header is {header:?}")
        })?;
        let mut runs: Vec<Vec<(f64, Vec<f64>)>> = vec![Vec::new()];
        for (i, line) in lines {
            if line.trim().is_empty() {
                runs.push(Vec::new());
                continue;
            }
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            ensure!(
                cells.len() == columns.len(),
                "{name}, line {}: {} values, the header names {}",
                i + 1,
                cells.len(),
                columns.len()
            );
            let mut values = Vec::with_capacity(cells.len());
            for (cell, column) in cells.iter().zip(&columns) {
                match cell.parse::<f64>() {
                    Ok(v) if v.is_finite() => values.push(v),
                    _ => bail!(
                        "{name}, line {}, column {column}: {cell:?} is not a number; remove the row or fill it in",
                        i + 1
                    ),
                }
            }
            let t = values.remove(time);
            let run = runs.last_mut().context("a run")?;
            let n = run.len();
            let breaks =
                n > 0 && (t <= run[n - 1].0 || (n > 1 && t - run[n - 1].0 > 3.0 * (run[n - 1].0 - run[n - 2].0)));
            if breaks {
                runs.push(vec![(t, values)]);
            } else {
                run.push((t, values));
            }
        }
        runs.retain(|r| r.len() >= WINDOW);
        let mut columns = columns;
        columns.remove(time);
        ensure!(!runs.is_empty(), "{name}: no stretch of {WINDOW} rows with rising t");
        Ok(Recording { name: name.into(), columns, runs })
    }

    /// Which columns are the system's states.
    fn states(&self, system: &System) -> Result<Vec<usize>> {
        let of = |s: &String| {
            self.columns.iter().position(|c| c == s).with_context(|| {
                format!(
                    "{}: no column {s:?}, a state of {}; its columns are {}",
                    self.name,
                    system.name,
                    self.columns.join(", ")
                )
            })
        };
        system.states.iter().map(of).collect()
    }

    /// All rows' states, in order.
    pub fn rows(&self, system: &System) -> Result<Vec<Vec<f64>>> {
        let states = self.states(system)?;
        Ok(self.runs.iter().flatten().map(|(_, v)| states.iter().map(|&s| v[s]).collect()).collect())
    }

    /// States and rates at the middle of each window, and the rates' noise over their size.
    #[allow(clippy::type_complexity)] // states with their rates, and the rates' noise
    pub fn rates(&self, system: &System) -> Result<(Vec<(Vec<f64>, Vec<f64>)>, f64)> {
        let states = self.states(system)?;
        let n = states.len();
        let mut samples = Vec::new();
        // Σ over windows, by state: residuals², as variance of the slope; slopes².
        let (mut wrong, mut size) = (vec![0.0; n], vec![0.0; n]);
        for run in &self.runs {
            for window in run.windows(WINDOW) {
                let middle = window[WINDOW / 2].0;
                let span = (window[WINDOW - 1].0 - window[0].0) / 2.0;
                // Cubic in u = (t − middle)/span: four columns, least squares by QR.
                let a = Mat::from_fn(WINDOW, 4, |i, p| ((window[i].0 - middle) / span).powi(p as i32));
                let y = Mat::from_fn(WINDOW, n, |i, s| window[i].1[states[s]]);
                let normal = a.transpose() * &a;
                let llt = normal.llt(faer::Side::Lower).map_err(|_| {
                    anyhow::anyhow!("{}: rows about t = {middle} lie too close together in time", self.name)
                })?;
                let inverse = faer::linalg::solvers::Solve::solve(&llt, Mat::<f64>::identity(4, 4));
                let c = &inverse * (a.transpose() * &y);
                let left = &y - &a * &c;
                let mut x = Vec::with_capacity(n);
                let mut f = Vec::with_capacity(n);
                for s in 0..n {
                    x.push(c[(0, s)]);
                    f.push(c[(1, s)] / span);
                    let variance = (0..WINDOW).map(|i| left[(i, s)].powi(2)).sum::<f64>() / (WINDOW - 4) as f64;
                    wrong[s] += variance * inverse[(1, 1)] / (span * span);
                    size[s] += (c[(1, s)] / span).powi(2);
                }
                samples.push((x, f));
            }
        }
        let (wrong, size) = (wrong.iter().sum::<f64>(), size.iter().sum::<f64>());
        ensure!(size > 0.0, "{}: nothing moves", self.name);
        Ok((samples, (wrong / size).sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_gives_a_recording_or_an_error(text in "(t,x\n)?([-0-9.,NnaAe\n]{0,6}\n?){0,30}") {
            let _ = Recording::parse("any.csv", &text);
        }
    }

    #[test]
    fn errors_say_where() {
        let error = |text: &str| Recording::parse("a.csv", text).unwrap_err().to_string();
        assert!(error("x,y\n1,2\n").contains("column \"t\""));
        assert!(error("t,x\n0,1\n1,NaN\n").contains("line 3, column x: \"NaN\""));
        assert!(error("t,x\n0,1,5\n").contains("line 2: 3 values, the header names 2"));
        assert!(error("t,x\n0,1\n1,2\n").contains("no stretch of 7 rows"));
    }
}
