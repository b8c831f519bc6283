//! `smidgen keygen`: an Ed25519 key pair. The secret key signs models (`export --sign`); the public key is built
//! into a board's firmware, which then serves signed models alone.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use ed25519_compact::{KeyPair, Seed};
use serde_json::json;

use crate::output::Output;

#[derive(Args)]
pub struct KeygenArgs {
    /// File of the secret key; the public one is written to FILE.pub
    #[arg(default_value = "smidgen.key")]
    file: PathBuf,
}

pub fn run(args: &KeygenArgs, output: Output) -> Result<()> {
    let keys = KeyPair::from_seed(Seed::generate());
    let secret = &args.file;
    let public = with_pub(secret);
    ensure!(!public.exists(), "{} exists; choose another name, or remove it yourself", public.display());
    // A key is never overwritten, and readable by its owner alone.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(secret)
        .with_context(|| format!("{} cannot be made: a key is never overwritten", secret.display()))?;
    writeln!(file, "{}", hex(&*keys.sk.seed())).with_context(|| format!("{} cannot be written", secret.display()))?;
    let public_hex = hex(&*keys.pk);
    crate::report::write_atomic(&public, format!("{public_hex}\n").as_bytes())?;
    output.line(format!("{}: keep it secret; `smidgen export RUN --sign {0}` signs with it", secret.display()));
    output.line(format!("{}: {public_hex}", public.display()));
    output.line("firmware with this key: SMIDGEN_PUBLIC_KEY=that number, feature `signed` (docs/boards.md)");
    output.result(json!({ "secret": secret, "public": public, "public_key": public_hex }));
    Ok(())
}

/// The key pair in a file that [`run`] made.
pub fn read(path: &Path) -> Result<KeyPair> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let seed = unhex(text.trim()).with_context(|| {
        format!("{} is no secret key: 64 hexadecimal digits are expected; `smidgen keygen` makes one", path.display())
    })?;
    Ok(KeyPair::from_seed(Seed::new(seed)))
}

fn with_pub(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(out)
}
