//! The sampler of a denoiser, written behind its weights: a table of noise levels, so that a chip needs no logarithm.

use anyhow::{Context, Result, ensure};
use smidgen_shared::artifact;
use smidgen_shared::restart::{self, Schedule};

use super::write::Weights;

pub use smidgen_shared::restart::Interval;

/// How samples are drawn from a denoiser.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler {
    /// Deviation of the data.
    pub sigma_data: f32,
    /// Classes, a value of the input each, the last ones; 0 where there are none.
    pub labels: u8,
    /// Levels of the main grid, the first of `levels`.
    pub main: u8,
    /// All noise levels, falling in the main grid and in each interval's own.
    pub levels: Vec<Level>,
    /// Intervals in the order in which they are met.
    pub intervals: Vec<Interval>,
    /// How a sample is shown, where it is a picture.
    pub picture: Option<Picture>,
}

/// A noise level and what the preconditioning makes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// σ
    pub sigma: f32,
    /// `1/√(σ² + σ_data²)`
    pub c_in: f32,
    /// `σ_data²/(σ² + σ_data²)`
    pub c_skip: f32,
    /// `σ·σ_data/√(σ² + σ_data²)`
    pub c_out: f32,
    /// The raw values that tell the network of it.
    pub embedding: Vec<i16>,
}

/// A grey picture, row by row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture {
    /// Values in a row.
    pub width: u8,
    /// The value shown black.
    pub black: f32,
    /// The value shown white.
    pub white: f32,
    /// Steps of grey from black to white.
    pub greys: u8,
}

impl Sampler {
    /// Function evaluations of one sample.
    pub fn evaluations(&self) -> u32 {
        let levels = self.table();
        Schedule { levels: &levels, main: self.main, intervals: &self.intervals }.evaluations()
    }

    fn table(&self) -> Vec<restart::Level> {
        let level = |l: &Level| restart::Level { sigma: l.sigma, c_in: l.c_in, c_skip: l.c_skip, c_out: l.c_out };
        self.levels.iter().map(level).collect()
    }

    /// Writes it behind the weights of a network of `inputs` and `outputs` values whose operators take `arena` bytes;
    /// where it lies, and the bytes of arena that both take.
    pub(super) fn write(&self, weights: &mut Weights, inputs: usize, outputs: usize, arena: u32) -> Result<(u32, u32)> {
        let embedding = self.levels.first().map_or(0, |level| level.embedding.len());
        ensure!(
            self.levels.iter().all(|level| level.embedding.len() == embedding),
            "sampler: the embeddings of its noise levels differ in length"
        );
        ensure!(
            inputs == outputs + embedding + usize::from(self.labels),
            "sampler: a network of {inputs} inputs, but a sample has {outputs} values, a noise level {embedding}, a class {}",
            self.labels
        );
        let levels = self.table();
        let schedule = Schedule { levels: &levels, main: self.main, intervals: &self.intervals };
        ensure!(
            self.intervals.len() <= restart::MAX_INTERVALS.into() && schedule.is_sound(),
            "sampler: noise levels must fall in the main grid and in each interval, an interval end at the σ of the main level that it names, and a sample take at most {} evaluations (these take {})",
            restart::MAX_EVALUATIONS,
            schedule.evaluations()
        );
        let values = u16::try_from(outputs).context("sampler: a sample of over 65,535 values")?;
        let embeddings: Vec<i16> = self.levels.iter().flat_map(|level| level.embedding.iter().copied()).collect();
        let picture = self.picture.unwrap_or(Picture { width: 0, black: 0.0, white: 1.0, greys: 0 });
        let state = arena.next_multiple_of(4);
        let sampler = artifact::Sampler {
            values,
            embedding: u16::try_from(embedding).context("sampler: an embedding of over 65,535 values")?,
            labels: self.labels,
            main: self.main,
            levels: u8::try_from(levels.len()).context("sampler: more than 255 noise levels")?,
            intervals: self.intervals.len() as u8,
            state,
            levels_at: weights.pods(&levels),
            embeddings_at: weights.pods(&embeddings),
            intervals_at: weights.pods(&self.intervals),
            sigma_data: self.sigma_data,
            black: picture.black,
            white: picture.white,
            greys: picture.greys,
            width: picture.width,
            zero: [0; 2],
        };
        Ok((weights.pods(&[sampler]), state + artifact::Sampler::state_bytes(values)))
    }
}
