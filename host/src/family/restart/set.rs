//! What denoisers learn: points of a mixture, two moons, digits of 8 × 8 and 28 × 28 pixels, and windows
//! of an accelerometer.

use anyhow::{Result, bail, ensure};

use crate::data::digits::{INK, SmallDigits};
use crate::data::mnist::Mnist;
use crate::data::{Input, Source};
use crate::family::nearest;
use crate::rng::Rng;

/// Samples with their classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// The word for it.
    pub name: &'static str,
    /// Features.
    pub dim: usize,
    /// `(n, dim)` row-major
    pub values: Vec<f32>,
    /// `(n)`; empty where there are no classes.
    pub labels: Vec<u8>,
    /// Number of classes, 0 where there are none.
    pub classes: usize,
    /// σ_d that the preconditioning takes.
    pub deviation: f64,
}

/// Names of sets.
pub const NAMES: [&str; 5] = ["digits", "mnist", "mixture", "moons", "spar"];
/// Points of the mixture and of the moons.
const POINTS: usize = 2000;
/// Features of the mixture, and of the space in which it is drawn.
const MIXTURE: (usize, usize) = (20, 4);
/// Samples of a window of spar, every [`EVERY`]-th of the recording's, and its channels.
pub const WINDOW: usize = 32;
/// 50 Hz to 25 Hz.
const EVERY: usize = 2;
/// x, y and z of the accelerometer.
pub const CHANNELS: usize = 3;

impl Set {
    /// The set of that name; `draw` is the seed of sets that are drawn.
    ///
    /// # Errors
    /// An unknown name (the nearest are named), or data that are not there.
    pub fn load(name: &str, draw: u64, source: &Source) -> Result<Set> {
        match name {
            "digits" => digits(),
            "mnist" => mnist(source),
            "mixture" => Ok(mixture(draw)),
            "moons" => Ok(moons(draw)),
            "spar" => spar(source, |_| true),
            other => bail!("restart has no data {other:?}; nearest: {}", nearest(other, &NAMES).join(", ")),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Sample `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.dim..][..self.dim]
    }

    /// Width and height where samples are pictures.
    pub fn side(&self) -> Option<usize> {
        match self.name {
            "digits" => Some(8),
            "mnist" => Some(28),
            _ => None,
        }
    }
}

/// Values of pictures: `pixel/8 − 1`, −1 to 1.
fn digits() -> Result<Set> {
    let SmallDigits { pixels, labels } = SmallDigits::load()?;
    let half = f32::from(INK) / 2.0;
    let values = pixels.iter().map(|&p| f32::from(p) / half - 1.0).collect();
    Ok(Set { name: "digits", dim: 64, values, labels, classes: 10, deviation: 0.75 })
}

fn mnist(source: &Source) -> Result<Set> {
    let train = Mnist::load(source)?.train;
    let values = train.pixels.iter().map(|&p| f32::from(p) / 127.5 - 1.0).collect();
    Ok(Set { name: "mnist", dim: 784, values, labels: train.labels, classes: 10, deviation: 0.62 })
}

/// The paper's: `.3·N(a, I) + .7·N(−a, I)` in 4 dimensions, `a = (3, 3, 3, 3)`, times a Gaussian 20 × 4
/// matrix; each coordinate divided by its deviation, not centred.
pub fn mixture(draw: u64) -> Set {
    let (dim, inner) = MIXTURE;
    let mut matrix = vec![0.0; dim * inner];
    Rng::new(draw, "mixture matrix", 0).normals(&mut matrix);
    let mut rng = Rng::new(draw, "mixture points", 0);
    let mut values = vec![0f32; POINTS * dim];
    for row in values.chunks_exact_mut(dim) {
        let centre = if rng.uniform() < 0.3 { 3.0 } else { -3.0 };
        let mut z = [0.0; MIXTURE.1];
        rng.normals(&mut z);
        for (value, weights) in row.iter_mut().zip(matrix.chunks_exact(inner)) {
            *value = weights.iter().zip(&z).map(|(w, z)| w * (z + centre)).sum();
        }
    }
    for j in 0..dim {
        let column = || values.iter().skip(j).step_by(dim).map(|&v| f64::from(v));
        let mean = column().sum::<f64>() / POINTS as f64;
        let deviation = (column().map(|v| (v - mean).powi(2)).sum::<f64>() / POINTS as f64).sqrt();
        values.iter_mut().skip(j).step_by(dim).for_each(|v| *v = (f64::from(*v) / deviation) as f32);
    }
    Set { name: "mixture", dim, values, labels: vec![], classes: 0, deviation: 1.0 }
}

/// Two half circles of radius 1 that reach into each other, noise .05; the classes are the moons.
fn moons(draw: u64) -> Set {
    let mut rng = Rng::new(draw, "moons", 0);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for i in 0..POINTS {
        let angle = std::f32::consts::PI * rng.uniform();
        let (x, y) = (angle.cos(), angle.sin());
        let (x, y) = if i % 2 == 0 { (x - 0.5, y - 0.25) } else { (0.5 - x, 0.25 - y) };
        values.extend([x + 0.05 * rng.normal(), y + 0.05 * rng.normal()]);
        labels.push((i % 2) as u8);
    }
    Set { name: "moons", dim: 2, values, labels, classes: 2, deviation: 0.7 }
}

/// Windows of spar's accelerometer: 32 samples at 25 Hz of x, y and z [g], one after the other, from the
/// start of each of its 4 s windows whose subject is wanted; the classes are the exercises.
pub fn spar(source: &Source, wanted: impl Fn(u16) -> bool) -> Result<Set> {
    let data = source.load("spar")?;
    let Input::Windows { channels, window, ref lsb, .. } = data.input else { bail!("spar has no windows") };
    ensure!(channels >= CHANNELS && window >= WINDOW * EVERY, "spar's windows are {window} × {channels}");
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for i in (0..data.class.len()).filter(|&i| wanted(data.subject[i])) {
        let Some(raw) = data.input.window(i) else { continue };
        for c in 0..CHANNELS {
            values.extend((0..WINDOW).map(|t| f32::from(raw[t * EVERY * channels + c]) * lsb[c]));
        }
        labels.push(data.class[i] as u8);
    }
    Ok(Set { name: "spar", dim: WINDOW * CHANNELS, values, labels, classes: data.classes.len(), deviation: 0.66 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_deviations_are_those_of_the_data() {
        for name in ["digits", "moons", "spar"] {
            let set = Set::load(name, 0, &Source::default()).unwrap();
            let n = set.values.len() as f64;
            let mean = set.values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let deviation = (set.values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt();
            assert!((deviation - set.deviation).abs() < 0.05, "{name}: {deviation}");
            assert_eq!(set.len(), set.labels.len());
        }
    }

    #[test]
    fn the_mixture_has_coordinates_of_variance_1_and_two_lumps() {
        let set = mixture(3);
        assert_eq!((set.len(), set.dim), (2000, 20));
        for j in 0..20 {
            let column: Vec<f64> = (0..2000).map(|i| set.row(i)[j].into()).collect();
            let mean = column.iter().sum::<f64>() / 2000.0;
            let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 2000.0;
            assert!((variance - 1.0).abs() < 1e-5);
        }
        assert_ne!(mixture(3), mixture(4));
        assert!(Set::load("digit", 0, &Source::default()).unwrap_err().to_string().contains("digits"));
    }
}
