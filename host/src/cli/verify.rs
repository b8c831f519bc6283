//! `smidgen verify MODEL.smg`: host and board give the same bits, or which operator first does not.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use smidgen_shared::artifact::{Artifact, Provenance};

use super::{DoesNotHold, VerifyArgs, read_model};
use crate::compress::{Aligned, rewrite_weight};
use crate::device::{Board, Device, Link, open};
use crate::family::{Place, Samples, find};
use crate::infer::Host;
use crate::output::Output;
use crate::verify::{Difference, compare, compare_draws, compare_kernels, start, values};

/// What makes a model smaller: said when one does not fit.
pub const SHRINK: &str = "train with a smaller --set bases=K, --set rank=R or --set features=cheap";

/// Samples that a denoiser draws where no number is given: two of each class of ten, and of none.
const DRAWS: usize = 22;

pub fn run(args: &VerifyArgs, workplace: &Place) -> Result<()> {
    let output = workplace.output;
    let loaded = read_model(&args.model)?;
    let mut ours = loaded.clone();
    if let Some(byte) = args.flip_weight {
        rewrite_weight(&mut ours, byte, 64)?;
        output.note(format!("drill: byte {byte} of the host's weights is altered"));
    }
    let artifact = loaded.artifact()?;
    if let Some(sampler) = artifact.sampler() {
        return draws(args, &loaded, &ours, sampler.labels, workplace);
    }
    let inputs = samples(&artifact, args.data.as_deref(), workplace)?.spread(args.samples.unwrap_or(usize::MAX)).inputs;
    let on_board = device(&args.place, &loaded, &args.model)?;
    let place = args.place.port.as_deref().or(args.place.board.as_deref()).unwrap_or("host");
    let (samples, difference) = match on_board {
        Some(mut device) => {
            let bar = output.bar(inputs.len() as u64, place);
            let verified = compare(&mut device, &ours, &inputs, |done| bar.set_position(done as u64))?;
            bar.finish_and_clear();
            (verified.samples, verified.first_difference)
        }
        None => oracle(&loaded, &ours, &inputs)?,
    };
    conclude(output, place, "all scores of", samples, difference)
}

/// Draws of a denoiser; its operators are looked at where they differ.
fn draws(args: &VerifyArgs, loaded: &Aligned, ours: &Aligned, labels: u8, workplace: &Place) -> Result<()> {
    let output = workplace.output;
    anyhow::ensure!(
        args.data.is_none(),
        "--data: the model is a denoiser, which takes no samples; --samples says how many it draws"
    );
    let draws = crate::verify::draws(labels, args.samples.unwrap_or(DRAWS));
    let place = args.place.port.as_deref().or(args.place.board.as_deref()).unwrap_or("host");
    let (samples, difference) = match device(&args.place, loaded, &args.model)? {
        Some(mut device) => {
            let bar = output.bar(draws.len() as u64, place);
            let verified = compare_draws(&mut device, ours, &draws, |done| bar.set_position(done as u64))?;
            bar.finish_and_clear();
            (verified.samples, verified.first_difference)
        }
        None => compare_kernels(loaded, ours, &draws)?,
    };
    conclude(output, place, "all values of", samples, difference)
}

/// Says what came of it; an error where something differs.
fn conclude(output: Output, place: &str, what: &str, samples: usize, difference: Option<Difference>) -> Result<()> {
    output.line(match &difference {
        None => format!("identical on {place}: {what} {samples} samples, bit for bit"),
        Some(d) => format!(
            "NOT identical on {place}: sample {}, operator {} ({}), element {}: host {}, device {}",
            d.sample, d.operator, d.kind, d.index, d.host, d.device
        ),
    });
    output.result(report(place, samples, difference.as_ref()));
    match difference {
        None => Ok(()),
        Some(d) => {
            Err(DoesNotHold(format!("operator {} ({}) is the first that differs on {place}", d.operator, d.kind))
                .into())
        }
    }
}

/// The board that `place` names, with the model in it; `None` for this machine.
pub fn device(place: &super::Place, model: &Aligned, file: &std::path::Path) -> Result<Option<Device<Box<dyn Link>>>> {
    let artifact = model.artifact()?;
    if let Some(port) = &place.port {
        let device = Device::connect(open(port)?).with_context(|| format!("on {port}"))?;
        super::hand::same_model(&device, &artifact, file)?;
        return Ok(Some(device));
    }
    let Some(name) = &place.board else { return Ok(None) };
    let board = Board::find(name)?;
    board.check_fit(model.len(), artifact.arena_bytes() as usize, SHRINK)?;
    Ok(Some(start(board, model)?.boxed()))
}

/// The JSON object of `verify`.
pub fn report(board: &str, samples: usize, difference: Option<&Difference>) -> Value {
    json!({
        "board": board, "identical": difference.is_none(), "samples": samples,
        "first_difference": difference.map_or(Value::Null, Difference::json),
    })
}

/// On the host alone: the fast kernels against the naive ones, and `ours` against `loaded`.
fn oracle(loaded: &Aligned, ours: &Aligned, inputs: &[Vec<i16>]) -> Result<(usize, Option<Difference>)> {
    let (a, b) = (loaded.artifact()?, ours.artifact()?);
    let mut arenas = (Vec::new(), vec![0u32; b.arena_bytes().div_ceil(4) as usize]);
    let mut fast = Host::new(a, &mut arenas.0)?;
    let mut naive = crate::infer::Oracle::new(b, &mut arenas.1)?;
    for (i, raw) in inputs.iter().enumerate() {
        for (n, op) in a.ops().enumerate() {
            let width = op.output().1;
            let device = values(&fast.trace(raw, n as u8)?, width);
            let host = values(&naive.trace(raw, n as u8)?, width);
            if let Some(index) = (0..device.len()).find(|&j| device.get(j) != host.get(j)) {
                let value = |v: &[i64]| v.get(index).copied().unwrap_or(i64::MIN);
                let (host, device) = (value(&host), value(&device));
                return Ok((i + 1, Some(Difference { sample: i, operator: n, kind: op.kind(), index, host, device })));
            }
        }
    }
    Ok((inputs.len(), None))
}

/// The samples that a model's training held out, of the data that it names or of others.
pub fn samples(artifact: &Artifact<'_>, data: Option<&str>, place: &Place) -> Result<Samples> {
    let manifest = artifact.manifest();
    let provenance: Provenance =
        postcard::from_bytes(manifest.provenance).ok().context("the artifact does not say where it comes from")?;
    find(manifest.family)?.samples(&provenance, data, place)
}
