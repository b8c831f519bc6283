//! `smidgen teach` and `smidgen forget`: classes that a board learns from their attributes, without training.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::hand::{Hand, close, same_model};
use super::{read_model, verify};
use crate::family::{Place, find};
use crate::output::Output;

#[derive(Args)]
pub struct TeachArgs {
    /// Name of the class: one of the model's data set, or a new one of 1 to 20 bytes
    name: String,
    /// The artifact that the board serves
    model: PathBuf,
    #[command(flatten)]
    hand: Hand,
    /// The class's attributes as the data set's table has them, separated by commas
    /// [default: those of the data set's class of that name]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', allow_hyphen_values = true)]
    attributes: Option<Vec<f32>>,
}

#[derive(Args)]
pub struct ForgetArgs {
    /// Name of a taught class
    name: String,
    #[command(flatten)]
    hand: Hand,
}

pub fn teach(args: &TeachArgs, place: &Place) -> Result<()> {
    let output = place.output;
    let model = read_model(&args.model)?;
    let artifact = model.artifact()?;
    let row = find(artifact.manifest().family)?.class_row(&artifact, &args.name, args.attributes.as_deref(), place)?;
    let mut device = args.hand.connect(output)?;
    same_model(&device, &artifact, &args.model)?;
    let room = device.teach(&args.name, &row)?;
    let classes: Vec<String> = device.classes()?.into_iter().map(|class| class.name).collect();
    let board = device.hello().board.clone();
    let bytes = record_bytes(&args.name, row.len());
    output.line(format!(
        "{board} knows {:?} by {} attributes: {bytes} bytes of flash, {} left for about {} more",
        args.name,
        row.len(),
        room.free,
        room.free / bytes
    ));
    output.line(format!("classes: {}", classes.join(", ")));
    close(device)?;
    output.result(json!({
        "board": board, "class": args.name, "attributes": row.len(), "record_bytes": bytes,
        "free_bytes": room.free, "taught": room.count, "classes": classes,
    }));
    Ok(())
}

pub fn forget(args: &ForgetArgs, output: Output) -> Result<()> {
    let mut device = args.hand.connect(output)?;
    let room = device.forget(&args.name)?;
    let classes: Vec<String> = device.classes()?.into_iter().map(|class| class.name).collect();
    let board = device.hello().board.clone();
    output.line(format!("{board} has forgotten {:?}; classes: {}", args.name, classes.join(", ")));
    close(device)?;
    output.result(json!({ "board": board, "class": args.name, "taught": room.count, "classes": classes }));
    Ok(())
}

/// Bytes that a taught class takes in a board's store: 8 of head, 12 of constants, name, weights, in units of 32.
fn record_bytes(name: &str, width: usize) -> u32 {
    (20 + name.len() + width).next_multiple_of(32) as u32
}

/// The samples of a model, and the one asked for.
pub fn sample(
    artifact: &smidgen_shared::artifact::Artifact<'_>,
    data: Option<&str>,
    id: Option<u32>,
    place: &Place,
) -> Result<(u32, Vec<i16>, String)> {
    let samples = verify::samples(artifact, data, place)?;
    let at = match id {
        None => 0,
        Some(id) => samples.ids.iter().position(|&known| known == id).with_context(|| {
            let few: Vec<String> = samples.ids.iter().take(8).map(ToString::to_string).collect();
            format!("sample {id} is none of those that training held out: {} …", few.join(", "))
        })?,
    };
    let truth = match &samples.truths {
        crate::family::Truths::Classes(names) => names.get(at).cloned().unwrap_or_default(),
        crate::family::Truths::Values(_) => String::new(),
    };
    let raw = samples.inputs.get(at).cloned().context("the model's data set has no samples")?;
    Ok((samples.ids[at], raw, truth))
}
