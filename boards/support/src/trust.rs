//! Which models the board takes: every sound one, or with the feature `signed` those of the key built in.
//!
//! `SMIDGEN_PUBLIC_KEY` is what `smidgen keygen` prints. With `SMIDGEN_MONOTONIC=1` a model whose counter is below that
//! of one served before is refused, too.

use smidgen_firmware::Trust;

#[cfg(not(feature = "signed"))]
pub const TRUST: Trust = Trust::ANY;

#[cfg(feature = "signed")]
pub const TRUST: Trust = Trust { verify: Some(verify), monotonic: option_env!("SMIDGEN_MONOTONIC").is_some() };

#[cfg(feature = "signed")]
const KEY: [u8; 32] = match option_env!("SMIDGEN_PUBLIC_KEY") {
    Some(text) => key(text.as_bytes()),
    None => panic!("feature `signed`: set SMIDGEN_PUBLIC_KEY to the 64 digits that `smidgen keygen` printed"),
};

/// 64 hexadecimal digits as bytes; anything else does not compile.
#[cfg(feature = "signed")]
const fn key(text: &[u8]) -> [u8; 32] {
    assert!(text.len() == 64, "SMIDGEN_PUBLIC_KEY must have 64 hexadecimal digits");
    let mut out = [0; 32];
    let mut i = 0;
    while i < 64 {
        let digit = match text[i] {
            c @ b'0'..=b'9' => c - b'0',
            c @ b'a'..=b'f' => c - b'a' + 10,
            c @ b'A'..=b'F' => c - b'A' + 10,
            _ => panic!("SMIDGEN_PUBLIC_KEY must have 64 hexadecimal digits"),
        };
        out[i / 2] = out[i / 2] << 4 | digit;
        i += 1;
    }
    out
}

#[cfg(feature = "signed")]
#[inline(never)]
fn verify(message: &[u8], signature: &[u8; 64]) -> bool {
    let Some(key) = point() else { return false };
    key.verify(message, &salty::Signature::from(signature)).is_ok()
}

/// Apart, so that what this needs of the stack is free for the rest: a point of the curve is 512 bytes.
#[cfg(feature = "signed")]
#[inline(never)]
fn point() -> Option<salty::PublicKey> {
    salty::PublicKey::try_from(&KEY).ok()
}
