//! Restart sampling (Xu et al., 2023, arXiv 2306.14878, algorithm 1): a diffusion model's samples, one function
//! evaluation at a time.
//!
//! ```text
//! x ~ N(0, σ_0² I);  over the main grid σ_0 > σ_1 > … > σ_{N−1} > 0:  x ← Heun(x, σ_i, σ_{i+1})
//!   at the end of an interval, K times:  x ← x + S·√(t_max² − t_min²)·z,  then Heun over the interval's own grid
//! Heun(x, a → b):  d = (x − D(x, a))/a;  x' = x + (b − a)·d
//!   b > 0:  d' = (x' − D(x', b))/b;  x' = x + (b − a)·½(d + d')
//! D(x, σ) = c_skip·x + c_out·F(c_in·x, σ)        (preconditioning: Karras et al., 2022, arXiv 2206.00364, table 1)
//! ```
//!
//! Evaluations: `2N − 1 + Σ K·2(N_R − 1)`. All constants of a level come from a table, so that a step takes sums,
//! products and one division a value, in f32, in this order, nothing fused: host and chip draw the same bits.

use bytemuck::{Pod, Zeroable};

use crate::noise;

/// The stream of the sampler's noise.
pub const STREAM: u32 = noise::stream("restart");
/// Most evaluations of a sample.
pub const MAX_EVALUATIONS: u16 = 1024;
/// Most intervals.
pub const MAX_INTERVALS: u8 = 8;

/// A noise level σ and what the preconditioning makes of it, 16 bytes in the weight section.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Level {
    /// σ
    pub sigma: f32,
    /// `1/√(σ² + σ_data²)`
    pub c_in: f32,
    /// `σ_data²/(σ² + σ_data²)`
    pub c_skip: f32,
    /// `σ·σ_data/√(σ² + σ_data²)`
    pub c_out: f32,
}

/// A part of the noise levels that is gone through again, 8 bytes in the weight section.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Interval {
    /// The level of the main grid where it ends: t_min.
    pub after: u8,
    /// How often: K.
    pub repeats: u8,
    /// The first level of its own grid: t_max.
    pub first: u8,
    /// Levels of its own grid: N_R; the last has t_min's σ.
    pub count: u8,
    /// `S_noise·√(t_max² − t_min²)`
    pub noise: f32,
}

/// The noise levels in the order of the steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule<'s> {
    /// The main grid's, then the intervals'.
    pub levels: &'s [Level],
    /// Levels of the main grid.
    pub main: u8,
    /// In the order in which they are met.
    pub intervals: &'s [Interval],
}

impl Schedule<'_> {
    /// Function evaluations of one sample.
    pub fn evaluations(&self) -> u32 {
        let of = |i: &Interval| 2 * u32::from(i.repeats) * u32::from(i.count.saturating_sub(1));
        (2 * u32::from(self.main)).saturating_sub(1) + self.intervals.iter().map(of).sum::<u32>()
    }

    /// Whether levels fall, intervals end where they say, and every number is one.
    pub fn is_sound(&self) -> bool {
        let number = |v: f32| v.abs() < 1e6;
        let level = |l: &Level| l.sigma > 0.0 && [l.sigma, l.c_in, l.c_skip, l.c_out].into_iter().all(number);
        let grid = |first: u8, count: u8| self.levels.get(first.into()..usize::from(first) + usize::from(count));
        let falls = |grid: Option<&[Level]>| {
            grid.is_some_and(|grid| {
                !grid.is_empty() && grid.iter().zip(grid.iter().skip(1)).all(|(a, b)| a.sigma > b.sigma)
            })
        };
        let mut before = 0;
        let mut sound = self.levels.iter().all(level) && falls(grid(0, self.main));
        for interval in self.intervals {
            let own = grid(interval.first, interval.count);
            let (end, main) = (own.and_then(<[Level]>::last), self.levels.get(usize::from(interval.after)));
            sound &= before < interval.after
                && interval.after < self.main
                && interval.repeats > 0
                && interval.count > 1
                && falls(own)
                && end.map(|l| l.sigma.to_bits()) == main.map(|l| l.sigma.to_bits())
                && interval.noise >= 0.0
                && number(interval.noise);
            before = interval.after;
        }
        sound && self.evaluations() <= MAX_EVALUATIONS.into()
    }

    fn sigma(&self, level: u8) -> f32 {
        self.levels.get(usize::from(level)).map_or(0.0, |level| level.sigma)
    }
}

/// How far a sample has come, in words of the arena. All zero: none is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Position {
    /// Key of the noise.
    pub seed: u32,
    /// The class, counted from 1; 0 for none.
    pub label: u16,
    /// Evaluations so far.
    pub done: u16,
    /// Draws of noise so far; 0 where no sample is begun.
    draws: u32,
    /// Level that the step starts from.
    from: u8,
    /// 1 once the first of Heun's two evaluations is done.
    corrects: u8,
    /// The interval that is gone through, counted from 1; 0 in the main grid.
    interval: u8,
    /// Repeats of it that were begun.
    repeats_begun: u8,
    /// 1 once σ is 0.
    finished: u32,
}

/// The network of a diffusion model.
pub trait Denoiser {
    /// Why it did not answer.
    type Error;
    /// Forms F for the sample whose value i is `x(i)`, at a level, of a class (counted from 1; 0: none).
    fn evaluate(&mut self, level: u8, label: u16, x: impl Fn(usize) -> f32) -> Result<(), Self::Error>;
    /// Value i of F.
    fn output(&self, i: usize) -> f32;
}

impl Position {
    /// Begins a sample: `x = σ_0·z`.
    pub fn begin(schedule: &Schedule<'_>, label: u16, seed: u32, x: &mut [f32]) -> Position {
        let sigma = schedule.sigma(0);
        noise::normals(seed, STREAM, 0, x, |x, z| *x = sigma * z);
        Position { seed, label, draws: 1, ..Position::zeroed() }
    }

    /// Whether a sample was begun.
    pub fn is_begun(&self) -> bool {
        self.draws > 0
    }

    /// Whether `x` is the sample.
    pub fn is_finished(&self) -> bool {
        self.finished > 0
    }

    /// Evaluates the network once and goes on as far as that leads; nothing where the sample is finished.
    /// `d`: as long as `x`, kept between the two evaluations of a step.
    pub fn advance<D: Denoiser>(
        &mut self,
        schedule: &Schedule<'_>,
        net: &mut D,
        x: &mut [f32],
        d: &mut [f32],
    ) -> Result<(), D::Error> {
        if self.is_finished() || !self.is_begun() {
            return Ok(());
        }
        let to = self.to(schedule);
        let level = if self.corrects > 0 { to.unwrap_or(self.from) } else { self.from };
        let Some(&Level { sigma, c_in, c_skip, c_out }) = schedule.levels.get(usize::from(level)) else {
            return Ok(());
        };
        // b − a
        let step = to.map_or(0.0, |to| schedule.sigma(to)) - schedule.sigma(self.from);
        let at = |x: f32, d: f32| if self.corrects > 0 { x + step * d } else { x };
        let point = |i: usize| x.get(i).zip(d.get(i)).map_or(0.0, |(&x, &d)| at(x, d));
        net.evaluate(level, self.label, |i| c_in * point(i))?;
        let heun = self.corrects > 0;
        let to_zero = to.is_none();
        for (i, (x, d)) in x.iter_mut().zip(d).enumerate() {
            let here = at(*x, *d);
            let slope = (here - (c_skip * here + c_out * net.output(i))) / sigma;
            if heun {
                *x += step * (0.5 * (*d + slope));
            } else if to_zero {
                *x += step * slope;
            } else {
                *d = slope;
            }
        }
        self.done = self.done.saturating_add(1);
        if heun || to_zero {
            self.corrects = 0;
            self.turn(schedule, to, x);
        } else {
            self.corrects = 1;
        }
        Ok(())
    }

    /// The level that the step leads to; `None` for σ = 0.
    fn to(&self, schedule: &Schedule<'_>) -> Option<u8> {
        let next = self.from.saturating_add(1);
        (self.interval > 0 || next < schedule.main).then_some(next)
    }

    /// What follows a step that has led to level `to`.
    #[inline(never)]
    fn turn(&mut self, schedule: &Schedule<'_>, to: Option<u8>, x: &mut [f32]) {
        let Some(to) = to else {
            self.finished = 1;
            return;
        };
        self.from = to;
        if self.interval == 0 {
            let at = schedule.intervals.iter().position(|interval| interval.after == to);
            self.interval = at.map_or(0, |at| (at as u8).saturating_add(1));
        }
        let index = usize::from(self.interval).wrapping_sub(1);
        let Some(&Interval { after, repeats, first, count, noise }) = schedule.intervals.get(index) else { return };
        let last = first.saturating_add(count.saturating_sub(1));
        if self.repeats_begun == 0 {
            // The main grid has come to t_min.
        } else if to < last {
            return;
        } else if self.repeats_begun == repeats {
            (self.interval, self.repeats_begun, self.from) = (0, 0, after);
            return;
        }
        noise::normals(self.seed, STREAM, self.draws, x, |x, z| *x += noise * z);
        self.draws = self.draws.saturating_add(1);
        self.repeats_begun = self.repeats_begun.saturating_add(1);
        self.from = first;
    }
}

#[cfg(test)]
mod tests;
