//! The layers as a programmer writes them down, in safe Rust and in C: our weights, our rounding, our bits.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use smidgen_shared::artifact::Artifact;
use smidgen_shared::fixed::Row;
use smidgen_shared::op::Op;
use tempfile::TempDir;

use super::{Job, compile, gcc, list};
use crate::counting::image::count_image;
use crate::counting::package::{START, script};
use crate::infer::Host;

const RUST: &str = include_str!("../../../../bench/kernels/naive.rs");
const C: &str = include_str!("../../../../bench/kernels/plain.c");

/// Plain Rust.
pub fn rust(job: &Job<'_>) -> Result<u64> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--target", &job.board.target, "-C", "opt-level=3", "-C", "panic=abort"]);
    if job.board.core == "cortex-m55" {
        rustc.args(["-C", "target-cpu=cortex-m55"]);
    }
    rustc.args(["-C", "link-arg=-Tlink.x", "-C", "link-arg=--entry=main", "-o", "image", "naive.rs"]);
    count(job, rustc)
}

/// Plain C.
pub fn c(job: &Job<'_>) -> Result<u64> {
    let mut gcc = gcc(job.board)?;
    gcc.args(["-ffreestanding", "-nostdlib", "-Wno-main", "-o", "image", "plain.c", "-lgcc"]);
    count(job, gcc)
}

fn count(job: &Job<'_>, compiler: Command) -> Result<u64> {
    let folder: TempDir = tempfile::tempdir().context("no folder for temporary files")?;
    sources(job, folder.path())?;
    compile(compiler, folder.path())?;
    Ok(count_image(job.board, &folder.path().join("image"))?.instructions)
}

/// Writes the model, the sources and the linker's script.
fn sources(job: &Job<'_>, folder: &Path) -> Result<()> {
    let part = &job.part;
    let artifact: Artifact<'_> = part.model.artifact().map_err(|e| anyhow::anyhow!("{e}"))?;
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena)?;
    let raw = &part.inputs[0];
    let input: Vec<i8> = host.trace(raw, 0)?.iter().map(|&b| b as i8).collect();
    let scores: Vec<i16> = host.answer(raw)?.scores.as_chunks().0.iter().map(|b| i16::from_le_bytes(*b)).collect();
    let (mut rust, mut c, mut layers) = (String::new(), String::new(), (Vec::new(), Vec::new()));
    for (k, op) in artifact.ops().skip(1).enumerate() {
        let Op::Dense { x, y, relu, weights, rows, .. } = op else { bail!("{} is no dense layer", op.kind()) };
        let wrong = |e| anyhow::anyhow!("{e}");
        let weights = artifact.i8s(weights, (x.len * y.len) as usize).map_err(wrong)?;
        let rows: &[Row] = artifact.rows(rows, y.len as usize).map_err(wrong)?;
        let (biases, multipliers) = (list(rows.iter().map(|r| r.bias)), list(rows.iter().map(|r| r.multiplier)));
        std::fs::write(folder.join(format!("w{k}")), bytemuck::cast_slice::<i8, u8>(weights))?;
        let weights = list(weights);
        rust += &format!(
            "// SAFETY: any byte is an i8.\nstatic W{k}: [i8; {0}] = unsafe {{ core::mem::transmute(*include_bytes!(\"w{k}\")) }};\n",
            x.len * y.len
        );
        rust += &format!("static B{k}: [i32; {0}] = [{biases}];\nstatic M{k}: [i32; {0}] = [{multipliers}];\n", y.len);
        layers.0.push(format!("Layer {{ weights: &W{k}, biases: &B{k}, multipliers: &M{k}, relu: {relu} }}"));
        c += &format!(
            "static const int8_t W{k}[] = {{{weights}}};\nstatic const int32_t B{k}[] = {{{biases}}}, M{k}[] = {{{multipliers}}};\n"
        );
        layers.1.push(format!("{{W{k}, B{k}, M{k}, {}, {}, {}}}", x.len, y.len, u8::from(relu)));
    }
    rust += &format!("static LAYERS: [Layer; {}] = [{}];\n", layers.0.len(), layers.0.join(", "));
    rust += &format!("static INPUT: [i8; {}] = [{}];\n", input.len(), list(&input));
    rust += &format!("static SCORES: [i16; {}] = [{}];\n", scores.len(), list(&scores));
    c += &format!("#define LAYERS {}\n#define OUTPUTS {}\n", layers.1.len(), scores.len());
    c += &format!("static const struct layer layers[] = {{{}}};\n", layers.1.join(", "));
    c += &format!(
        "static const int8_t INPUT[] = {{{}}};\nstatic const int16_t SCORES[] = {{{}}};\n",
        list(&input),
        list(&scores)
    );
    let script = script(job.board);
    for (name, text) in [
        ("model.rs", rust.as_str()),
        ("model.h", &c),
        ("naive.rs", RUST),
        ("start.rs", START),
        ("plain.c", C),
        ("link.x", &script),
    ] {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
