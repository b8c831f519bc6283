//! `smidgen send MODEL.smg`: a model over the link; the board checks it, and serves it from then on.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::hand::{Hand, close};
use super::read_model;
use crate::output::{Output, thousands};

#[derive(Args)]
pub struct SendArgs {
    /// The artifact
    #[arg(required_unless_present = "back")]
    model: Option<PathBuf>,
    #[command(flatten)]
    hand: Hand,
    /// Serve the model of the board's other slot again
    #[arg(long, conflicts_with = "model")]
    back: bool,
}

pub fn run(args: &SendArgs, output: Output) -> Result<()> {
    let model = args.model.as_deref().map(read_model).transpose()?;
    let mut device = args.hand.connect(output)?;
    let before = device.hello().model.ok();
    let start = Instant::now();
    let sent = match &model {
        None => device.swap_back()?,
        Some(model) => {
            let bar = output.bar(model.len() as u64, "bytes");
            let sent = device.send(model, |bytes| bar.set_position(bytes as u64));
            bar.finish_and_clear();
            sent?
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let hello = device.hello().clone();
    let slot = char::from(b'A'.checked_add(sent.slot).context("a slot beyond Z")?);
    let how = match (sent.bytes, before) {
        (0, Some(before)) if before == sent.model => "it did already".into(),
        (0, _) => "it was in that slot".into(),
        (bytes, _) => format!("{} bytes in {seconds:.2} s", thousands(bytes as u64)),
    };
    output.line(format!("{} serves model {:08x} from slot {slot}: {how}", hello.board, sent.model));
    close(device)?;
    output.result(json!({
        "board": hello.board, "model": format!("{:08x}", sent.model), "slot": slot.to_string(),
        "before": before.map(|hash| format!("{hash:08x}")), "sent_bytes": sent.bytes,
        "seconds": (seconds * 1e3).round() / 1e3, "taught": hello.taught,
    }));
    Ok(())
}
