//! emlearn: C that it generates from the layers, in f32, compiled for the core with its FPU where it has one.

use anyhow::{Context, Result, ensure};

use super::expected::{Expected, work};
use super::{Job, compile, gcc, list, python};
use crate::counting::image::count_image;
use crate::counting::package::script;
use crate::output::thousands;

pub const NAME: &str = "emlearn 0.23.2, f32";

const MAIN: &str = include_str!("../../../../bench/kernels/emlearn.c");
const SCRIPT: &str = include_str!("../../../../bench/kernels/to_emlearn.py");

/// Its count.
pub fn count(job: &Job<'_>) -> Result<u64> {
    let board = job.board;
    let mut gcc = gcc(board)?;
    let layers = work(job)?;
    let products: usize = job.graph.nodes[1..]
        .iter()
        .map(|node| match &node.op {
            crate::graph::Op::Dense { w, .. } => w.rows * w.cols,
            _ => 0,
        })
        .sum();
    ensure!(
        4 * products < board.flash.length as usize,
        "{} bytes of f32 weights exceed a flash of {}",
        thousands(4 * products as u64),
        thousands(board.flash.length.into())
    );
    let folder = tempfile::tempdir().context("no folder for temporary files")?;
    let folder = folder.path();
    std::fs::write(folder.join("work.json"), serde_json::to_vec(&layers)?)?;
    let said = python(job.peers, "to_emlearn.py", SCRIPT, folder, ["work.json", "net.h"])?;
    let headers = said["headers"].as_str().context("to_emlearn.py does not say where the headers are")?;
    let expected = Expected::of(job)?;
    let text = format!(
        "#define INPUTS {}\n#define OUTPUTS {}\n#define TOLERANCE {:?}f\n\
         static const float INPUT[] = {{{}}}, SCORES[] = {{{}}};\n",
        expected.input.len(),
        expected.scores.len(),
        expected.tolerance,
        list(expected.input.iter().map(|x| format!("{x:?}f"))),
        list(expected.scores.iter().map(|score| format!("{score:?}f"))),
    );
    for (name, text) in [("expected.h", text.as_str()), ("emlearn.c", MAIN), ("link.x", &script(board))] {
        std::fs::write(folder.join(name), text)?;
    }
    if board.target.ends_with("eabihf") {
        let fpu = match board.core.as_str() {
            "cortex-m33" => "fpv5-sp-d16",
            "cortex-m55" => "auto",
            _ => "fpv4-sp-d16",
        };
        gcc.args([&format!("-mfpu={fpu}"), "-mfloat-abi=hard"]);
    }
    gcc.args(["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-w", "-I", headers]);
    gcc.args(["-o", "image", "emlearn.c", "-lm", "-lc", "-lgcc"]);
    compile(gcc, folder)?;
    Ok(count_image(board, &folder.join("image"))?.instructions)
}
