//! Makes `host/data/spar/spar.bin` from `spar.npz`; `host/data/spar/README.md` says how to get that.
//!
//! `cargo run --release -p smidgen --example pack_spar -- spar.npz host/data/spar/spar.bin`

use anyhow::Context;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [npz, output] = arguments.as_slice() else {
        anyhow::bail!("expected two arguments: SPAR.npz OUTPUT.bin, got {}", arguments.len());
    };
    let bytes = smidgen::data::spar::pack(Path::new(npz))?;
    std::fs::write(output, &bytes).with_context(|| format!("cannot write {output}"))?;
    println!("{output}: {} bytes", bytes.len());
    Ok(())
}
