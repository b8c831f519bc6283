//! A signature and a counter for an artifact: Ed25519 (RFC 8032) over all that follows the signature.

use anyhow::{Context, Result};
use ed25519_compact::KeyPair;
use smidgen_shared::artifact::{self, HEADER_BYTES, Header};

use super::Aligned;

/// Where the header keeps its signature.
const SIGNATURE: std::ops::Range<usize> = 16..80;

/// Sets the counter and signs. The model's hash changes with it.
pub fn sign(model: &mut Aligned, keys: &KeyPair, counter: u32) -> Result<()> {
    let mut header = *model.artifact()?.header();
    (header.signed, header.counter) = (true, counter);
    model.bytes_mut()[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    let message = artifact::signature(model).context("an artifact shorter than its header")?.1;
    let signature = keys.sk.sign(message, None);
    model.bytes_mut()[SIGNATURE].copy_from_slice(&*signature);
    header.crc = Header::checksum(model);
    model.bytes_mut()[12..16].copy_from_slice(&header.crc.to_le_bytes());
    model.artifact()?;
    Ok(())
}

/// Whether the artifact bears a signature of this key.
pub fn is_signed_by(model: &Aligned, public: &ed25519_compact::PublicKey) -> bool {
    artifact::signature(model).is_some_and(|(signature, message)| {
        public.verify(message, &ed25519_compact::Signature::new(*signature)).is_ok()
    })
}
