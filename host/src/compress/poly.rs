//! A monitor's float program to the chip's: scales of registers, shifts, constants.
//!
//! A register of value v holds `v / scale`. In f32 scales only save work: an input's is its unit, a product's
//! the product. In fixed point every register stays within 2³⁰ for any int16 sample: from the inputs'
//! `32768·unit` the reach of each value follows (`|a|·|b|`, `|c|·|a| + |b|`), and the scale from the reach. Only
//! the reach of `1/√a`, which has no bound, is taken from calibration, doubled; beyond it the chip saturates.

use anyhow::{Context, Result, ensure};
use smidgen_shared::artifact;
use smidgen_shared::cost::Model;
use smidgen_shared::kernel::Packing;
use smidgen_shared::kernel::poly::{AFFINE, BAND, COS, Law, NONE, PRODUCT, RSQRT, SIN, Step as Chip};
use smidgen_shared::op::{Op, Region};

use super::quantise::Description;
use super::write::{Aligned, Parts, Weights, bounds};
use crate::graph::Graph;
use crate::program::{Program, Step};

/// Largest magnitude of a fixed-point register.
const LIMIT: f64 = (1u32 << 30) as f64;
/// Fewest fixed-point units in a band.
const BAND_UNITS: f64 = 64.0;
/// Most registers.
const REGISTERS: usize = 254;

/// The artifact of a monitor; `inputs` are raw counts that its values stay near.
pub(super) fn export(
    graph: &Graph,
    program: &Program,
    inputs: &[Vec<f32>],
    description: &Description,
) -> Result<Aligned> {
    program.check()?;
    let lowered = Lowering::new(program, inputs)?.lower()?;
    let n = program.units.len();
    let registers = n + lowered.steps.len();
    ensure!(
        registers <= REGISTERS,
        "the laws take {registers} registers, {REGISTERS} are the limit; watch fewer laws, or shorter ones"
    );
    let laws = program.laws.len();
    let mut weights = Weights::default();
    let region = |at: usize, len: usize| Region { at: at as u32, len: len as u32 };
    let inputs_taken = u16::try_from(n).context("too many values")?;
    let op = Op::Poly {
        registers: region(0, registers),
        state: region(4 * registers, laws),
        y: region(4 * (registers + laws), laws + 1),
        inputs: inputs_taken,
        float: program.float,
        steps: weights.i32s(bytemuck::cast_slice(&lowered.steps)),
        laws: weights.i32s(bytemuck::cast_slice(&lowered.laws)),
    };
    let input = artifact::Input::Vector { len: inputs_taken };
    let bounds =
        bounds(description, &Model { input: &input, packing: Packing::RowMajor, steps: Some(&lowered.steps) }, &[op]);
    let parts = Parts {
        family: &graph.family,
        input,
        arena_bytes: (4 * (registers + 2 * laws + 1)) as u32,
        ops: &[op],
        classes: &graph.classes,
        unit: 1.0 / BAND as f32,
        bounds: &bounds,
        provenance: &description.provenance,
        weights: &weights,
        sampler: 0,
    };
    // The golden input of the front end is the whole test: there is no second operator.
    parts.assemble(&[])
}

struct Lowered {
    steps: Vec<Chip>,
    laws: Vec<Law>,
}

struct Lowering<'a> {
    program: &'a Program,
    /// Largest magnitude of each value, in its own unit.
    reach: Vec<f64>,
    /// Value of one unit of each register.
    scale: Vec<f64>,
    /// Where each of the program's registers is on the chip.
    place: Vec<u8>,
    steps: Vec<Chip>,
}

impl<'a> Lowering<'a> {
    fn new(program: &'a Program, inputs: &[Vec<f32>]) -> Result<Self> {
        let n = program.units.len();
        let met: Vec<Vec<f64>> =
            inputs.iter().map(|x| program.registers(&x.iter().map(|v| f64::from(*v)).collect::<Vec<_>>())).collect();
        let mut reach: Vec<f64> = program.units.iter().map(|u| 32768.0 * u).collect();
        for (i, step) in program.steps.iter().enumerate() {
            reach.push(match *step {
                Step::Product { a, b } => reach[a] * reach[b],
                Step::Affine { c, a, b } => c.abs() * reach[a] + b.map_or(0.0, |b| reach[b]),
                Step::Rsqrt { .. } => {
                    let largest = met.iter().map(|r| r[n + i]).filter(|v| v.is_finite()).fold(0.0, f64::max);
                    ensure!(largest > 0.0, "step {i}: 1/√a never has a value in the recording");
                    2.0 * largest
                }
                Step::Sin { .. } | Step::Cos { .. } => 1.0,
            });
        }
        ensure!(reach.iter().all(|r| r.is_finite() && *r > 0.0), "a value of the laws has no finite reach");
        Ok(Lowering { program, reach, scale: program.units.clone(), place: (0..n as u8).collect(), steps: Vec::new() })
    }

    /// The largest reach among the sums that step i is part of: they share a scale.
    fn shared_reach(&self, i: usize) -> f64 {
        let n = self.program.units.len();
        let first = |mut at: usize| {
            while let Some(Step::Affine { b: Some(b), .. }) = self.program.steps.get(at) {
                at = b - n;
            }
            at
        };
        let head = first(i);
        let sums = (0..self.program.steps.len())
            .filter(|&j| matches!(self.program.steps[j], Step::Affine { .. }) && first(j) == head);
        sums.map(|j| self.reach[n + j]).fold(0.0, f64::max)
    }

    fn push(&mut self, step: Chip) -> Result<u8> {
        let at = self.program.units.len() + self.steps.len();
        ensure!(at < REGISTERS, "the laws take more than {REGISTERS} registers; watch fewer laws, or shorter ones");
        self.steps.push(step);
        Ok(at as u8)
    }

    fn lower(mut self) -> Result<Lowered> {
        for i in 0..self.program.steps.len() {
            let (place, scale) = if self.program.float { self.float(i)? } else { self.fixed(i)? };
            self.place.push(place);
            self.scale.push(scale);
        }
        let laws = self.program.laws.iter().map(|l| self.law(l)).collect::<Result<Vec<_>>>()?;
        Ok(Lowered { steps: self.steps, laws })
    }

    fn float(&mut self, i: usize) -> Result<(u8, f64)> {
        let bits = |c: f64| (c as f32).to_bits() as i32;
        let step = |kind: u8, a: u8, b: u8, c: f64| Chip { kind, a, b, shift: 0, c: bits(c) };
        let (place, scale) = (&self.place, &self.scale);
        Ok(match self.program.steps[i] {
            Step::Product { a, b } => {
                let (chip, scale) = (step(PRODUCT, place[a], place[b], 0.0), scale[a] * scale[b]);
                (self.push(chip)?, scale)
            }
            Step::Affine { c, a, b } => {
                let chip = step(AFFINE, place[a], b.map_or(NONE, |b| place[b]), c * scale[a]);
                (self.push(chip)?, 1.0)
            }
            Step::Rsqrt { a } => {
                let chip = step(RSQRT, place[a], NONE, 1.0 / scale[a].sqrt());
                (self.push(chip)?, 1.0)
            }
            Step::Sin { a } | Step::Cos { a } => {
                let turns = step(AFFINE, place[a], NONE, scale[a] / std::f64::consts::TAU);
                let turns = self.push(turns)?;
                (self.push(step(self.wave(i), turns, NONE, 0.0))?, 1.0)
            }
        })
    }

    fn wave(&self, i: usize) -> u8 {
        if matches!(self.program.steps[i], Step::Sin { .. }) { SIN } else { COS }
    }

    fn fixed(&mut self, i: usize) -> Result<(u8, f64)> {
        let n = self.program.units.len();
        let (place, scale) = (&self.place, &self.scale);
        Ok(match self.program.steps[i] {
            Step::Product { a, b } => {
                let largest = self.reach[a] / scale[a] * (self.reach[b] / scale[b]);
                let shift = (largest / LIMIT).log2().ceil().max(0.0);
                let unit = scale[a] * scale[b] * shift.exp2();
                let chip = Chip { kind: PRODUCT, a: place[a], b: place[b], shift: shift as u8, c: 0 };
                (self.push(chip)?, unit)
            }
            Step::Affine { c, a, b } => {
                let unit = self.shared_reach(i) / LIMIT;
                let (c, shift) = constant(c * scale[a] / unit, 0.0).with_context(|| format!("step {i}"))?;
                let chip = Chip { kind: AFFINE, a: place[a], b: b.map_or(NONE, |b| place[b]), shift, c };
                (self.push(chip)?, unit)
            }
            Step::Rsqrt { a } => {
                let unit = self.reach[n + i] / LIMIT;
                // r = c·2^(44 − shift)/√a: the chip's root comes in 2⁻²⁸ of 2¹⁶/√a.
                let (c, shift) = constant(1.0 / (scale[a].sqrt() * unit), 44.0).with_context(|| format!("step {i}"))?;
                ensure!(shift >= 16, "step {i}: 1/√a is too large for fixed point; use --set arithmetic=float");
                let chip = Chip { kind: RSQRT, a: place[a], b: NONE, shift, c };
                (self.push(chip)?, unit)
            }
            Step::Sin { a } | Step::Cos { a } => {
                // A turn is 2³²; what is beyond the word are whole turns.
                let (c, shift) = constant(scale[a] / std::f64::consts::TAU * 2f64.powi(32), 0.0)?;
                let turns = Chip { kind: AFFINE, a: place[a], b: NONE, shift, c };
                let turns = self.push(turns)?;
                let chip = Chip { kind: self.wave(i), a: turns, b: NONE, shift: 0, c: 0 };
                (self.push(chip)?, 1.0 / LIMIT)
            }
        })
    }

    fn law(&self, law: &crate::program::Watched) -> Result<Law> {
        let (centre, band) = (law.centre / self.scale[law.value], law.band / self.scale[law.value]);
        ensure!(band.is_finite() && band > 0.0 && centre.is_finite(), "a band of {} about {}", law.band, law.centre);
        ensure!(law.smoothing <= 16, "smoothing {} is beyond 16", law.smoothing);
        let gain = f64::from(BAND) / band;
        let chip =
            Law { value: self.place[law.value], smoothing: law.smoothing, shift: 0, zero: 0, centre: 0, gain: 0 };
        if self.program.float {
            let bits = |c: f64| (c as f32).to_bits() as i32;
            return Ok(Law { centre: bits(centre), gain: bits(gain), ..chip });
        }
        ensure!(
            band >= BAND_UNITS && centre.abs() <= LIMIT,
            "a band of {:.3e} about {:.3e} is {band:.0} units of fixed point, {BAND_UNITS} at least are needed; use --set arithmetic=float",
            law.band,
            law.centre
        );
        let (gain, shift) = constant(gain, 0.0)?;
        Ok(Law { centre: centre.round() as i32, gain, shift, ..chip })
    }
}

/// `factor = c·2^(offset − shift)` with c in [2²⁹, 2³⁰).
fn constant(factor: f64, offset: f64) -> Result<(i32, u8)> {
    ensure!(factor.is_finite() && factor != 0.0, "a factor of {factor}");
    let shift = 29.0 - factor.abs().log2().floor() + offset;
    ensure!((0.0..64.0).contains(&shift), "a factor of {factor:.3e} is beyond fixed point; use --set arithmetic=float");
    let c = (factor * (shift - offset).exp2()).round();
    Ok((c as i32, shift as u8))
}
