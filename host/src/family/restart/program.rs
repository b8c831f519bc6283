//! A sampler as the chip takes it: noise levels with all that depends on them alone, and what follows what.
//!
//! A step then needs sums, products and one division, and no logarithm, root or cosine: those are taken
//! here, once, in f64.

use super::denoiser::Shape;
use super::edm::{Precondition, SIGMA_MAX, SIGMA_MIN, grid};
use super::sampler::Restart;
use crate::compress::{Interval, Level, Picture, Sampler};

/// Raw units of a scaled pixel `c_in·x`.
pub const PIXEL: f32 = 4096.0;
/// Raw units of an embedding's value and of a label's one.
pub const UNIT: f32 = 16384.0;

/// `restart` on a denoiser of `shape`, whose samples are pictures of the given side; the ODE is solved as
/// Heun does, whatever `restart` says.
pub fn program(restart: &Restart, shape: &Shape, side: Option<usize>) -> Sampler {
    let level = |sigma: f64| {
        let c = Precondition::at(sigma, shape.deviation);
        let raw = |v: &f32| (v * UNIT).round() as i16;
        Level {
            sigma: sigma as f32,
            c_in: c.input as f32,
            c_skip: c.skip as f32,
            c_out: c.out as f32,
            embedding: shape.embedding.at(sigma).iter().map(raw).collect(),
        }
    };
    let mut levels: Vec<Level> = grid(SIGMA_MIN, SIGMA_MAX, restart.levels).into_iter().map(level).collect();
    let mut intervals = Vec::new();
    for (after, interval) in restart.placed() {
        intervals.push(Interval {
            after: after as u8,
            repeats: interval.repeats as u8,
            first: levels.len() as u8,
            count: interval.levels as u8,
            noise: restart.jump(&interval) as f32,
        });
        levels.extend(grid(interval.low, interval.high, interval.levels).into_iter().map(level));
    }
    Sampler {
        sigma_data: shape.deviation as f32,
        labels: shape.classes as u8,
        main: restart.levels as u8,
        levels,
        intervals,
        picture: side.map(|side| Picture { width: side as u8, black: -1.0, white: 1.0, greys: 16 }),
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
        let shape = Shape {
            dim: 64,
            classes: 10,
            embedding: Embedding::Fourier,
            hidden: 176,
            depth: 3,
            deviation: 0.75,
            reach: None,
        };
        let interval = Interval { low: 0.14, high: 0.5, repeats: 6, levels: 3 };
        let restart = Restart { levels: 9, intervals: vec![interval], noise: 1.0, solver: Solver::Heun };
        let program = program(&restart, &shape, Some(8));
        assert_eq!((program.main, program.levels.len(), restart.evaluations()), (9, 12, 41));
        assert_eq!(program.evaluations(), 41);
        let again = program.intervals[0];
        let last = &program.levels[usize::from(again.first + again.count) - 1];
        assert_eq!(&program.levels[usize::from(again.after)], last);
        assert!((program.levels[usize::from(again.first)].sigma - 0.5).abs() < 1e-6);
        assert!(program.levels[..9].windows(2).all(|w| w[0].sigma > w[1].sigma));
        let c = &program.levels[3];
        // c_in·√(σ² + σ_d²) = 1; and D is near x where there is hardly any noise.
        assert!((c.c_in * (c.sigma * c.sigma + 0.5625).sqrt() - 1.0).abs() < 1e-6);
        assert!(program.levels[8].c_skip > 0.9999 && program.levels[8].c_out < 0.0021);
        let raw = raw([0.5, -9.0].into_iter(), &c.embedding, Some(3), 10);
        assert_eq!((raw.len(), raw[0], raw[1], raw[2 + 16 + 3]), (28, 2048, -32767, 16384));
    }
}
