//! A sampler as the chip takes it: noise levels with all that depends on them alone, and what follows what.
//!
//! A step then needs sums, products and one division, and no logarithm, root or cosine: those are taken
//! here, once, in f64.

use serde::Serialize;

use super::denoiser::Shape;
use super::edm::{Precondition, SIGMA_MAX, SIGMA_MIN, grid};
use super::sampler::Restart;

/// Raw units of a scaled pixel `c_in·x`.
pub const PIXEL: f32 = 4096.0;
/// Raw units of an embedding's value and of a label's one.
pub const UNIT: f32 = 16384.0;

/// A noise level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// σ
    pub sigma: f32,
    /// c_in
    pub input: f32,
    /// c_skip
    pub skip: f32,
    /// c_out
    pub out: f32,
    /// The embedding in units of 2⁻¹⁴.
    pub embedding: Vec<i16>,
}

/// An interval that is run through again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Again {
    /// Index of the main level after which it comes: t_min.
    pub after: usize,
    /// K
    pub repeats: usize,
    /// Index of its first level, t_max.
    pub first: usize,
    /// Number of its levels; the last is t_min again.
    pub count: usize,
    /// `S_noise·√(t_max² − t_min²)`
    pub noise: f32,
}

/// The whole sampler.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Program {
    /// σ_d
    pub deviation: f32,
    /// The main grid's, descending, then each interval's.
    pub levels: Vec<Level>,
    /// Number of the main grid's levels; after the last comes 0.
    pub main: usize,
    /// Intervals.
    pub again: Vec<Again>,
}

impl Program {
    /// `restart` on a denoiser of `shape`; its solver is Heun's, whatever it says.
    pub fn of(restart: &Restart, shape: &Shape) -> Program {
        let level = |sigma: f64| {
            let c = Precondition::at(sigma, shape.deviation);
            let raw = |v: &f32| (v * UNIT).round() as i16;
            Level {
                sigma: sigma as f32,
                input: c.input as f32,
                skip: c.skip as f32,
                out: c.out as f32,
                embedding: shape.embedding.at(sigma).iter().map(raw).collect(),
            }
        };
        let mut levels: Vec<Level> = grid(SIGMA_MIN, SIGMA_MAX, restart.levels).into_iter().map(level).collect();
        let mut again = Vec::new();
        for (after, interval) in restart.placed() {
            let first = levels.len();
            levels.extend(grid(interval.low, interval.high, interval.levels).into_iter().map(level));
            let (repeats, noise) = (interval.repeats, restart.jump(&interval) as f32);
            again.push(Again { after, repeats, first, count: interval.levels, noise });
        }
        Program { deviation: shape.deviation as f32, levels, main: restart.levels, again }
    }
}

/// Raw inputs of the exported network: `[c_in·x, embedding, one-hot class]`.
pub fn raw(scaled: impl Iterator<Item = f32>, embedding: &[i16], class: Option<u8>, classes: usize) -> Vec<i16> {
    let pixel = |v: f32| (v * PIXEL).round().clamp(-32767.0, 32767.0) as i16;
    let mut all: Vec<i16> = scaled.map(pixel).collect();
    all.extend(embedding);
    all.extend((0..classes).map(|c| if class.map(usize::from) == Some(c) { UNIT as i16 } else { 0 }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::restart::edm::Embedding;
    use crate::family::restart::sampler::{Interval, Sampler};
    use crate::family::restart::solver::Solver;

    #[test]
    fn levels_are_those_of_the_sampler() {
        let shape =
            Shape { dim: 64, classes: 10, embedding: Embedding::Fourier, hidden: 176, depth: 3, deviation: 0.75 };
        let interval = Interval { low: 0.14, high: 0.5, repeats: 6, levels: 3 };
        let restart = Restart { levels: 9, intervals: vec![interval], noise: 1.0, solver: Solver::Heun };
        let program = Program::of(&restart, &shape);
        assert_eq!((program.main, program.levels.len(), restart.evaluations()), (9, 12, 41));
        let again = program.again[0];
        assert_eq!(program.levels[again.after], program.levels[again.first + again.count - 1]);
        assert!((program.levels[again.first].sigma - 0.5).abs() < 1e-6);
        assert!(program.levels[..9].windows(2).all(|w| w[0].sigma > w[1].sigma));
        let c = &program.levels[3];
        // c_in·√(σ² + σ_d²) = 1 and D = x for noise of 0: c_skip → 1, c_out → 0.
        assert!((c.input * (c.sigma * c.sigma + 0.5625).sqrt() - 1.0).abs() < 1e-6);
        assert!(program.levels[8].skip > 0.9999 && program.levels[8].out < 0.0021);
        let raw = raw([0.5, -9.0].into_iter(), &c.embedding, Some(3), 10);
        assert_eq!((raw.len(), raw[0], raw[1], raw[2 + 16 + 3]), (28, 2048, -32767, 16384));
    }
}
