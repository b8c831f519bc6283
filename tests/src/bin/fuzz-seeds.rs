//! Writes the fuzz targets' seeds: `fuzz/seeds/artifact/model` and `tokens` and `denoiser`, and `fuzz/seeds/wire/requests`.
//!
//! Run it after a change of the artifact's or the wire's format.

use std::path::Path;

use anyhow::{Context, Result};
use smidgen::compress::Aligned;
use smidgen_shared::artifact::Input;
use smidgen_shared::wire::{self, Ask, MAX_DATA, MAX_FRAME, Request};

fn main() -> Result<()> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let model = smidgen_tests::artifact(8, 1);
    let tokens = smidgen_tests::token_artifact(1);
    let denoiser = smidgen_tests::denoiser(&[8], 1, smidgen_tests::sampler(1, 2));
    for (name, bytes) in [
        ("artifact/model", model.to_vec()),
        ("artifact/tokens", tokens.to_vec()),
        ("artifact/denoiser", denoiser.to_vec()),
        ("wire/requests", requests(&model)?),
    ] {
        let path = seeds.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// Chunks `kind, length / 4, bytes` as the target reads them: a session that asks for everything.
fn requests(model: &Aligned) -> Result<Vec<u8>> {
    let Input::Vector { len } = model.artifact()?.manifest().input else {
        anyhow::bail!("the test model takes vectors");
    };
    let samples: Vec<i16> = (0..len as i16).map(|i| i * 97 - 300).collect();
    let mut data = [0; MAX_DATA];
    let (_, bytes) = wire::encode_samples(&samples, 1, &mut data);
    let asks = [
        Ask::Hello,
        Ask::Samples { at: 0, last: None, data: &data[..bytes] },
        Ask::Samples { at: 0, last: Some(3), data: &data[..bytes] },
        Ask::Peek { op: 3, from: 0 },
        Ask::Stats,
        Ask::Begin { header: model.first_chunk::<128>().context("a header")? },
        Ask::Chunk { at: 128, data: &model[128..160] },
        Ask::Commit { model: 1 },
        Ask::Teach { name: "wave", attributes: &[3; 12] },
        Ask::Class { index: 0 },
        Ask::Explain { class: 0, from: 0 },
        Ask::Forget { name: "wave" },
        Ask::Draw { label: 3, seed: 7, evaluations: 0 },
        Ask::Draw { label: 3, seed: 7, evaluations: 1 },
        Ask::Draw { label: 3, seed: 7, evaluations: 2 },
        Ask::Peek { op: wire::SAMPLE, from: 0 },
    ];
    let mut out = Vec::new();
    for (id, ask) in (1..).zip(asks) {
        // Even: fed as it is. The zeros that fill the last four are empty frames.
        let mut buffer = [0; MAX_FRAME];
        let mut frame = wire::encode(&Request { id, ask }, &mut buffer).map_err(|e| anyhow::anyhow!("{e:?}"))?.to_vec();
        frame.resize(frame.len().next_multiple_of(4), 0);
        out.extend([0, u8::try_from(frame.len() / 4)?]);
        out.extend(frame);
    }
    Ok(out)
}
