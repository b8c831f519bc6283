//! MicroFlow: a TFLite file of the layers, compiled into the image by its macro, in int8.

use anyhow::{Context, Result};
use serde_json::Value;

use super::expected::{Expected, work};
use super::{Job, list, python};
use crate::counting::image::count_image;
use crate::counting::package::Package;

pub const NAME: &str = "MicroFlow 0.1.3";

const MAIN: &str = include_str!("../../../../bench/kernels/microflow.rs");
const SCRIPT: &str = include_str!("../../../../bench/kernels/to_tflite.py");

/// Its count.
pub fn count(job: &Job<'_>) -> Result<u64> {
    let folder = tempfile::tempdir().context("no folder for temporary files")?;
    let folder = folder.path();
    std::fs::write(folder.join("work.json"), serde_json::to_vec(&work(job)?)?)?;
    let said = python(job.peers, "to_tflite.py", SCRIPT, folder, ["work.json", "model.tflite"])?;
    let number = |name: &str| said.get(name).and_then(Value::as_f64).with_context(|| format!("no {name} of the input"));
    let (scale, zero_point) = (number("scale")?, number("zero_point")?);
    let expected = Expected::of(job)?;
    let input = expected.input.iter().map(|&x| (f64::from(x) / scale + zero_point).round().clamp(-128.0, 127.0));
    let text = format!(
        "//! Made by `smidgen bench kernels`: an input, and our scores.\n\
         pub const INPUTS: usize = {};\npub const OUTPUTS: usize = {};\npub const TOLERANCE: f32 = {:?};\n\
         pub static INPUT: [i8; INPUTS] = [{}];\npub static SCORES: [f32; OUTPUTS] = [{}];\n",
        expected.input.len(),
        expected.scores.len(),
        expected.tolerance,
        list(input),
        list(expected.scores.iter().map(|score| format!("{score:?}"))),
    );
    // As fast as the compiler makes it.
    let profile = "opt-level = 3\nlto = \"fat\"\ncodegen-units = 1\npanic = \"abort\"\n".parse()?;
    let package = Package {
        name: format!("microflow-{}-{}", job.board.name, job.name),
        dependencies: "microflow = \"=0.1.3\"\nnalgebra = { version = \"0.32\", default-features = false }\n".into(),
        profile,
        lock: Package::kept()?.join("microflow.lock"),
        files: vec![
            ("src/main.rs".into(), MAIN.into()),
            ("src/expected.rs".into(), text.into()),
            ("model.tflite".into(), std::fs::read(folder.join("model.tflite"))?),
        ],
    };
    Ok(count_image(job.board, &package.build(job.board)?)?.instructions)
}
