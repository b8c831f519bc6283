//! Peers of `bench kernels`: the same layers, weights and rounding in images of their own, and constants.
//!
//! A peer's image runs one inference to see that its scores are ours, and one that is counted. A peer that can't be
//! built here is absent, with the reason.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use smidgen_shared::artifact::Artifact;
use smidgen_shared::fixed::Row;
use smidgen_shared::op::Op;

use super::Measured;
use crate::compress::{Description, Layout, export};
use crate::counting::{
    image::count_image,
    workload::{Part, Workload},
};
use crate::device::Board;
use crate::infer::Host;

const NAIVE: &str = include_str!("../../../bench/kernels/naive.rs");
const PLAIN: &str = include_str!("../../../bench/kernels/plain.c");
const GCC: &str = "arm-none-eabi-gcc";

/// Figures that were measured once, of int8 layers of the same shapes with random weights, under QEMU 7.2:
/// core, engine, A to D. Measured November 2026 with arm-none-eabi-gcc 12.2 at -O3.
const CONSTANTS: [(&str, &str, [f64; 4]); 5] = [
    ("cortex-m4", "CMSIS-NN", [579_393.0, 6_878.0, 72_186.0, 135_655.0]),
    ("cortex-m4", "TFLite Micro with CMSIS-NN", [578_587.0, 7_403.0, 72_931.0, 135_581.0]),
    ("cortex-m4", "MicroFlow 0.1.3", [7_882_753.0, 77_539.0, 1_022_787.0, 2_117_669.0]),
    ("cortex-m4", "emlearn 0.23.2 (float)", [f64::NAN, 14_982.0, 219_066.0, 395_790.0]),
    ("cortex-m0", "CMSIS-NN", [1_756_870.0, f64::NAN, f64::NAN, 418_683.0]),
];
/// Of A and D alone.
const CONSTANTS_A_D: [(&str, &str, [f64; 2]); 4] = [
    ("cortex-m3", "CMSIS-NN", [952_634.0, 228_723.0]),
    ("cortex-m33", "CMSIS-NN", [581_186.0, 135_969.0]),
    ("cortex-m7", "CMSIS-NN", [579_838.0, 135_725.0]),
    ("cortex-m55", "CMSIS-NN", [147_248.0, 34_110.0]),
];

/// What is known of a workload on a core.
pub fn constants(workload: &str, core: &str) -> Vec<(String, f64)> {
    let column = |letters: &str| letters.find(workload);
    let four = CONSTANTS.iter().filter(|c| c.0 == core).filter_map(|(_, name, v)| Some((*name, v[column("ABCD")?])));
    let two = CONSTANTS_A_D.iter().filter(|c| c.0 == core).filter_map(|(_, name, v)| Some((*name, v[column("AD")?])));
    let named = |(name, value): (&str, f64)| value.is_finite().then(|| (format!("{name}, a constant"), value));
    let mut all: Vec<(String, f64)> = four.chain(two).filter_map(named).collect();
    if workload == "E" && core == "cortex-m4" {
        all.push(("CMSIS-NN as dense, a constant".into(), 135_661.0));
    }
    all
}

/// Counts of the peers that can be built here.
pub fn counted(workload: &Workload, board: &Board, absent: &mut Vec<(String, String)>) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    for (name, build) in [("plain Rust at opt-level 3", naive as Build), ("plain C at -O3", plain as Build)] {
        match count(workload, board, build) {
            Ok(instructions) => found.push((name.to_string(), instructions as f64)),
            Err(error) => {
                let whom = format!("{name} on {}", board.name);
                if absent.iter().all(|(who, _)| *who != whom) {
                    absent.push((whom, format!("{error:#}")));
                }
            }
        }
    }
    found
}

/// What every run says of peers.
pub fn versions(measured: &mut Measured, alone: bool) {
    if alone {
        return;
    }
    for (name, why) in [
        ("MicroFlow", "it takes TFLite files, which nothing here writes; the figures are constants"),
        ("emlearn", "it computes in f32, with weights of its own; the figures are constants"),
    ] {
        measured.absent.push((name.into(), why.into()));
    }
    if let Ok(output) = Command::new(GCC).arg("--version").output() {
        let text = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("").to_string();
        measured.versions.push((GCC.into(), text));
    }
    measured.versions.push((
        "constants".into(),
        "of November 2026: gcc 12.2 at -O3, QEMU 7.2, weights as random as ours, each engine's own int8 rounding"
            .into(),
    ));
}

/// Makes `image` in the folder from its sources there.
type Build = fn(&Board, &Path) -> Result<()>;

fn count(workload: &Workload, board: &Board, build: Build) -> Result<u64> {
    let mut total = 0;
    let mut from = 0;
    for part in workload.parts(board)? {
        let to = from + part.model.artifact()?.ops().count() - 1;
        let folder = tempfile::tempdir().context("no folder for temporary files")?;
        sources(&dense(workload, from, to)?, board, folder.path())?;
        build(board, folder.path())?;
        total += count_image(board, &folder.path().join("image"))?;
        from = to;
    }
    Ok(total)
}

/// Layers `from..to` stored row by row, whatever the board has for it.
fn dense(workload: &Workload, from: usize, to: usize) -> Result<Part> {
    let (graph, inputs) = workload.graph(from, to);
    let model = export(&graph, &inputs, &Description { layout: Layout::Dense, ..Description::default() })?.bytes;
    let inputs = inputs.iter().map(|input| input.iter().map(|&v| v as i16).collect()).collect();
    Ok(Part { model, inputs })
}

fn list<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|v| v.to_string()).collect::<Vec<_>>().join(",")
}

/// Writes the model, the sources and the linker's script.
fn sources(part: &Part, board: &Board, folder: &Path) -> Result<()> {
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
    let (flash, ram) = (&board.flash, &board.ram);
    let script = format!(
        "MEMORY {{ FLASH (rx) : ORIGIN = {:#x}, LENGTH = {:#x}\n RAM (rwx) : ORIGIN = {:#x}, LENGTH = {:#x} }}\nstack_top = ORIGIN(RAM) + LENGTH(RAM);\nSECTIONS {{ .vectors : {{ KEEP(*(.vectors)) }} > FLASH\n .text : {{ *(.text .text.*) }} > FLASH\n .rodata : {{ *(.rodata .rodata.*) }} > FLASH\n .data : {{ *(.data .data.*) }} > RAM\n .bss : {{ *(.bss .bss.* COMMON) }} > RAM\n /DISCARD/ : {{ *(.ARM.exidx* .ARM.extab* .eh_frame*) }} }}\n",
        flash.origin, flash.length, ram.origin, ram.length
    );
    for (name, text) in
        [("model.rs", rust.as_str()), ("model.h", &c), ("naive.rs", NAIVE), ("plain.c", PLAIN), ("link.x", &script)]
    {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

fn naive(board: &Board, folder: &Path) -> Result<()> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--target", &board.target, "-C", "opt-level=3", "-C", "panic=abort"]);
    rustc.args(["-C", "link-arg=-Tlink.x", "-C", "link-arg=--entry=main", "-o", "image", "naive.rs"]);
    run(rustc, folder)
}

fn plain(board: &Board, folder: &Path) -> Result<()> {
    ensure!(board.core.starts_with("cortex-"), "no C compiler for {} is looked for", board.core);
    let mut gcc = Command::new(GCC);
    gcc.args([&format!("-mcpu={}", board.core), "-mthumb", "-O3", "-ffreestanding", "-nostartfiles", "-nostdlib"]);
    gcc.args(["-Wno-main", "-Tlink.x", "-Wl,--entry=main", "-o", "image", "plain.c", "-lgcc"]);
    run(gcc, folder)
}

fn run(mut compiler: Command, folder: &Path) -> Result<()> {
    let name = compiler.get_program().to_string_lossy().into_owned();
    let output = match compiler.current_dir(folder).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("{name} is not installed"),
        Err(error) => bail!("{name} does not start: {error}"),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    let line = errors.lines().find(|line| line.contains("error")).unwrap_or("no message");
    ensure!(output.status.success(), "{name} refuses it: {line}");
    Ok(())
}
