//! Fits the cost model's coefficients: least squares of counts by operator, each weighted by its size.
//!
//! `min Σ_i ((count_i − Σ_k c_k·t_ik) / count_i)²`, one problem a core and a kind of operator; columns are scaled to
//! unit norm and a ridge of 1e-9 keeps terms that never differ apart. Margins are what bounds took over estimates.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use smidgen::device::Board;
use smidgen_shared::artifact::Artifact;
use smidgen_shared::cost::{Core, Kind, Model as Shape, TERMS, Work, of_step};

use super::profiles;
use crate::random::{Model, takes_window};
use smidgen::counting::Profile;

/// The board that stands for a core.
pub(super) const BOARDS: [(Core, &str, &str); 6] = [
    (Core::ArmV6M, "qemu-m0", "ARM_V6M"),
    (Core::ArmV7M, "qemu-m3", "ARM_V7M"),
    (Core::ArmV7EM, "qemu-m4", "ARM_V7EM"),
    (Core::ArmV8M, "qemu-m33", "ARM_V8M"),
    (Core::ArmV81M, "qemu-m55", "ARM_V81M"),
    (Core::Rv32, "qemu-riscv", "RV32"),
];

/// One operator's count: the mean of all inputs.
struct Sample {
    work: Work,
    mean: f64,
}

/// Counts `models` random models on a board of every core and writes shared/src/cost/table.rs. Where `only` names
/// boards, the coefficients of all others stay; where it begins with `windows`, all but those of windows and their
/// steps do, and of the models only those that take windows are counted.
///
/// # Errors
/// Where a board can't be counted on.
pub fn write(models: u64, only: &[String]) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src/cost/table.rs");
    let before = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let (windows, only) = match only {
        [first, rest @ ..] if first == "windows" => (true, rest),
        _ => (false, only),
    };
    for name in only {
        ensure!(BOARDS.iter().any(|(_, board, _)| board == name), "{name} stands for no core");
    }
    let mut text = String::from(
        "//! Coefficients in 1/256 instruction: written by `kernel-costs fit`, not by hand.\n\nuse super::Table;\n",
    );
    for (core, name, constant) in BOARDS {
        if !only.is_empty() && !only.iter().any(|board| board == name) {
            text += kept(&before, constant).with_context(|| format!("no {constant} in {}", path.display()))?;
            continue;
        }
        let board = Board::find(name)?;
        println!("{name}: counting {models} models");
        let profiles = profiles(board, (0..models).filter(|&seed| !windows || takes_window(seed)))?;
        let mut samples: Vec<Sample> = Vec::new();
        let mean = |v: &[u64]| v.iter().sum::<u64>() as f64 / v.len().max(1) as f64;
        for (model, profile) in &profiles {
            let artifact = model.bytes.artifact().map_err(|e| anyhow::anyhow!("{e}"))?;
            let mut counts = profile.operators.iter();
            works(&artifact, core, |work| {
                samples.extend(counts.next().map(|counts| Sample { work, mean: mean(counts) }));
            });
            let work = of_step(&artifact.manifest().input, artifact.ops().next().as_ref());
            // A window's first step differs from the others: what matters is the longest.
            let most = profile.steps.iter().copied().max().unwrap_or(0);
            samples.push(Sample { work, mean: most as f64 });
        }
        keep(name, core, &profiles)?;
        let mut weights: Vec<[i32; TERMS]> = Kind::ALL.iter().map(|&kind| coefficients(&samples, kind)).collect();
        let (mut least_margin, mut least_step) = (0, 0);
        if windows {
            let block = kept(&before, constant).with_context(|| format!("no {constant} in {}", path.display()))?;
            (least_margin, least_step) = others(block, &mut weights).context("a table of another make")?;
        }
        // Where dense kernels are so fast that a sparse layout is seldom chosen.
        if !windows && core == Core::ArmV81M && samples.iter().filter(|s| s.work.kind == Kind::WideCsr).count() < FEW {
            weights[Kind::WideCsr as usize] = wide(&weights[Kind::Csr as usize]);
        }
        // What the integers say, beside the counts of whole models and of single steps.
        let value = |work: &Work| {
            let terms = work.terms.iter().zip(&weights[work.kind as usize]);
            (terms.map(|(&t, &w)| i64::from(t) * i64::from(w)).sum::<i64>() >> 8).max(0) as f64
        };
        let (mut margin, mut step_margin, mut worst) = (0f64, 0f64, 0f64);
        for (model, profile) in &profiles {
            let artifact = model.bytes.artifact().map_err(|e| anyhow::anyhow!("{e}"))?;
            let (mut sum, mut operators) = (0.0, 0.0);
            works(&artifact, core, |work| {
                sum += value(&work);
                operators += 1.0;
            });
            let most = profile.whole.iter().copied().max().unwrap_or(0) as f64;
            margin = margin.max((most - SLACK * operators - sum) / sum);
            let off = profile.whole.iter().map(|&c| (c as f64 - sum).abs() / c as f64).fold(0.0, f64::max);
            if off > 0.02 {
                println!("  off by {:.1} %: {}", 100.0 * off, model.name);
            }
            worst = worst.max(off);
            let step = value(&of_step(&artifact.manifest().input, artifact.ops().next().as_ref()));
            let most = profile.steps.iter().copied().max().unwrap_or(0) as f64;
            step_margin = step_margin.max((most - SLACK - step) / step.max(1.0));
        }
        report(&samples, &value);
        println!("{name}: {} models, the worst off by {:.2} %", profiles.len(), 100.0 * worst);
        // Half as much again: the next model may be a little worse than all of these.
        let in_1024 = |m: f64| ((m.max(0.0135) * 1.5 * 1024.0).ceil()) as u32;
        let _ = write!(
            text,
            "\n#[rustfmt::skip]\npub(super) const {constant}: Table = Table {{\n    margin: {},\n    slack: {SLACK},\n    step_margin: {},\n    weights: [\n",
            in_1024(margin).max(least_margin),
            in_1024(step_margin).max(least_step)
        );
        for (kind, row) in Kind::ALL.iter().zip(&weights) {
            let row = row.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "        [{row}], // {kind:?}");
        }
        text += "    ],\n};\n";
    }
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

/// Takes the coefficients of all kinds but windows from a core's table; gives its margins.
fn others(table: &str, weights: &mut [[i32; TERMS]]) -> Option<(u32, u32)> {
    let number = |name: &str| table.split_once(name)?.1.split_once(',')?.0.parse().ok();
    let rows = table.lines().filter_map(|line| line.trim().strip_prefix('[')?.split_once("], //"));
    for ((row, (numbers, _)), kind) in weights.iter_mut().zip(rows).zip(Kind::ALL) {
        if !matches!(kind, Kind::Window | Kind::WindowStep) {
            for (to, number) in row.iter_mut().zip(numbers.split(", ")) {
                *to = number.parse().ok()?;
            }
        }
    }
    Some((number("    margin: ")?, number("step_margin: ")?))
}

/// The text of one core's table.
fn kept<'a>(table: &'a str, constant: &str) -> Option<&'a str> {
    let head = format!("\n#[rustfmt::skip]\npub(super) const {constant}: ");
    let block = table.get(table.find(&head)?..)?;
    block.get(..block.find("\n};\n")? + 4)
}

/// Writes every operator with its terms and counts to target/kernel-counts, for whoever looks for a better formula.
fn keep(board: &str, core: Core, profiles: &[(Model, Profile)]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kernel-counts");
    std::fs::create_dir_all(&folder)?;
    let mut text = String::new();
    for (model, profile) in profiles {
        let artifact = model.bytes.artifact().map_err(|e| anyhow::anyhow!("{e}"))?;
        let mut ops = artifact.ops().zip(&profile.operators);
        let input = artifact.manifest().input;
        works(&artifact, core, |work| {
            if let Some((op, counts)) = ops.next() {
                let _ = writeln!(text, "{:?}\t{:?}\t{counts:?}\t{op:?}\t{input:?}", work.kind, work.terms);
            }
        });
        let work = of_step(&input, artifact.ops().next().as_ref());
        let _ = writeln!(text, "{:?}\t{:?}\t{:?}\t{}\t{input:?}", work.kind, work.terms, profile.steps, model.name);
    }
    std::fs::write(folder.join(board), text)?;
    Ok(())
}

/// So few counts of a kind say nothing of its terms.
const FEW: usize = 20;

/// What gathers eight weights a group takes one instruction a row and four a group more than what gathers four
/// (shared/src/kernel/arch/gather.rs); the other terms are alike.
fn wide(csr: &[i32; TERMS]) -> [i32; TERMS] {
    let [one, bytes, rows, batches, groups, ..] = *csr;
    let mut wide = *csr;
    wide[..5].copy_from_slice(&[one, bytes, rows + 256, batches, groups + 4 * 256]);
    wide
}

/// Instructions an operator that a bound adds beside its margin.
const SLACK: f64 = 24.0;

/// The work of every operator, in order.
fn works(artifact: &Artifact<'_>, core: Core, mut each: impl FnMut(Work)) {
    let shape = Shape::of(artifact);
    artifact.ops().enumerate().for_each(|(i, op)| each(shape.work(i, &op, core)));
}

/// Residuals by kind.
fn report(samples: &[Sample], value: &dyn Fn(&Work) -> f64) {
    for kind in Kind::ALL {
        let of: Vec<&Sample> = samples.iter().filter(|s| s.work.kind == kind).collect();
        if of.is_empty() {
            println!("  {kind:?}: never counted");
            continue;
        }
        let worst = of.iter().max_by(|a, b| {
            let off = |s: &Sample| (value(&s.work) - s.mean).abs() / s.mean;
            off(a).total_cmp(&off(b))
        });
        if let Some(s) = worst {
            println!(
                "  {kind:?}: {} counts, worst {:.0} for {:.0}, {:?}",
                of.len(),
                value(&s.work),
                s.mean,
                s.work.terms
            );
        }
    }
}

/// A kind's coefficients, in 1/256.
fn coefficients(samples: &[Sample], kind: Kind) -> [i32; TERMS] {
    let of: Vec<&Sample> = samples.iter().filter(|s| s.work.kind == kind).collect();
    let rows: Vec<([f64; TERMS], f64)> = of
        .iter()
        .map(|s| {
            let weight = 1.0 / s.mean.max(1.0);
            (s.work.terms.map(|t| f64::from(t) * weight), s.mean * weight)
        })
        .collect();
    let norm: Vec<f64> = (0..TERMS).map(|k| rows.iter().map(|(t, _)| t[k] * t[k]).sum::<f64>().sqrt()).collect();
    let mut normal = vec![vec![0.0; TERMS + 1]; TERMS];
    for (i, row) in normal.iter_mut().enumerate() {
        if norm[i] == 0.0 {
            row[i] = 1.0;
            continue;
        }
        for (terms, target) in &rows {
            for j in (0..TERMS).filter(|&j| norm[j] > 0.0) {
                row[j] += terms[i] / norm[i] * terms[j] / norm[j];
            }
            row[TERMS] += terms[i] / norm[i] * target;
        }
        row[i] += 1e-9;
    }
    let solved = solve(normal);
    core::array::from_fn(|k| if norm[k] > 0.0 { (solved[k] / norm[k] * 256.0).round() as i32 } else { 0 })
}

/// Gauss with pivots; `(n, n + 1)`.
fn solve(mut a: Vec<Vec<f64>>) -> Vec<f64> {
    let n = a.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        let row = a[i].clone();
        for (k, other) in a.iter_mut().enumerate().filter(|(k, _)| *k != i) {
            let _ = k;
            let factor = other[i] / row[i];
            other.iter_mut().zip(&row).for_each(|(o, r)| *o -= factor * r);
        }
    }
    (0..n).map(|i| a[i][n] / a[i][i]).collect()
}
