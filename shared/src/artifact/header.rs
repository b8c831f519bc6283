//! The fixed header, 128 bytes, little-endian.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `SMDG` |
//! | 4 | 2 | format version |
//! | 6 | 2 | flags: bit 0, signed |
//! | 8 | 4 | total bytes |
//! | 12 | 4 | CRC-32 (ISO-HDLC) of all other bytes, 0..12 and 16..total |
//! | 16 | 64 | Ed25519 signature (RFC 8032) of bytes 80..total; 0 where not signed |
//! | 80 | 4 | counter: a later model of the same owner has a larger one |
//! | 84, 88 | 4 + 4 | manifest: offset, length |
//! | 92, 96 | 4 + 4 | weights: offset (a multiple of 16), length |
//! | 100, 104 | 4 + 4 | golden vectors: offset, length |
//! | 108 | 1 | packing of dense matrices: see [`Packing`] |
//! | 109 | 19 | reserved, 0 |
//!
//! What is signed is one stretch, so that a device verifies it in place.

use super::Error;
use crate::fixed::CRC;
use crate::kernel::Packing;

/// The first four bytes.
pub const MAGIC: [u8; 4] = *b"SMDG";
/// Bumped by any change of the format.
pub const FORMAT_VERSION: u16 = 4;
/// Length of the header.
pub const HEADER_BYTES: usize = 128;
/// Where the signature lies.
const SIGNATURE_AT: usize = 16;
/// The first byte that is signed.
const SIGNED_AT: usize = 80;
const CRC_AT: usize = 12;
const PACKING_AT: usize = 108;
const FLAG_SIGNED: u16 = 1;
/// Alignment of the artifact in memory and of its weight section in the artifact.
pub const ALIGNMENT: usize = 16;

/// Where the sections lie. Offsets and lengths in bytes from the artifact's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Length of the whole artifact.
    pub total: u32,
    /// (offset, length)
    pub manifest: (u32, u32),
    /// (offset, length)
    pub weights: (u32, u32),
    /// (offset, length)
    pub golden: (u32, u32),
    /// As stored; [`Header::parse`] has compared it.
    pub crc: u32,
    /// Whether it bears a signature, which this crate does not verify.
    pub signed: bool,
    /// Larger in a later model of the same owner.
    pub counter: u32,
    /// How dense matrices are stored.
    pub packing: Packing,
}

impl Header {
    /// Reads and checks the header and the checksum.
    pub fn parse(bytes: &[u8]) -> Result<Header, Error> {
        if !bytes.iter().zip(&MAGIC).all(|(a, b)| a == b) {
            return Err(Error::BadMagic);
        }
        let head = bytes.first_chunk::<HEADER_BYTES>().ok_or(Error::Truncated)?;
        if !bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            return Err(Error::Misaligned);
        }
        let word = |at: usize| head.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
        if word(4) as u16 != FORMAT_VERSION {
            return Err(Error::UnsupportedVersion);
        }
        let flags = (word(4) >> 16) as u16;
        let signed = flags & FLAG_SIGNED != 0;
        let bytes_of = |from: usize, to: usize| head.iter().take(to).skip(from);
        let unsigned_but_signature = !signed && bytes_of(SIGNATURE_AT, SIGNED_AT).any(|&byte| byte != 0);
        if flags & !FLAG_SIGNED != 0 || unsigned_but_signature || bytes_of(109, HEADER_BYTES).any(|&byte| byte != 0) {
            return Err(Error::UnsupportedFlag);
        }
        let packing = Packing::from_code(word(PACKING_AT) as u8).ok_or(Error::WrongPacking)?;
        let header = Header {
            total: word(8),
            manifest: (word(84), word(88)),
            weights: (word(92), word(96)),
            golden: (word(100), word(104)),
            crc: word(CRC_AT),
            signed,
            counter: word(80),
            packing,
        };
        let whole = bytes.get(..header.total as usize).ok_or(Error::Truncated)?;
        let mut end = HEADER_BYTES as u32;
        for (at, len) in [header.manifest, header.weights, header.golden] {
            // Between sections lies nothing but padding to the alignment.
            if at < end || at - end >= ALIGNMENT as u32 {
                return Err(Error::BadLayout);
            }
            end = at.checked_add(len).ok_or(Error::BadLayout)?;
        }
        if end != header.total || !header.weights.0.is_multiple_of(ALIGNMENT as u32) {
            return Err(Error::BadLayout);
        }
        if Self::checksum(whole) != header.crc {
            return Err(Error::BadChecksum);
        }
        Ok(header)
    }

    /// CRC-32 of a whole artifact, its own four bytes left out.
    pub fn checksum(artifact: &[u8]) -> u32 {
        let mut digest = CRC.digest();
        digest.update(artifact.get(..CRC_AT).unwrap_or(&[]));
        digest.update(artifact.get(CRC_AT + 4..).unwrap_or(&[]));
        digest.finalize()
    }

    /// The header's bytes, with the CRC as given and without a signature.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let flags = if self.signed { u32::from(FLAG_SIGNED) << 16 } else { 0 };
        let front = [u32::from_le_bytes(MAGIC), u32::from(FORMAT_VERSION) | flags, self.total, self.crc];
        let signed = [
            self.counter,
            self.manifest.0,
            self.manifest.1,
            self.weights.0,
            self.weights.1,
            self.golden.0,
            self.golden.1,
            self.packing as u32,
        ];
        let mut put = |at: usize, words: &[u32]| {
            for (bytes, word) in out.chunks_exact_mut(4).skip(at / 4).zip(words) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
        };
        put(0, &front);
        put(SIGNED_AT, &signed);
        out
    }
}

/// The signature of an artifact's bytes and what it signs; `None` where they are shorter than a header.
/// Neither is checked.
pub fn signature(artifact: &[u8]) -> Option<(&[u8; 64], &[u8])> {
    let (front, message) = artifact.split_at_checked(SIGNED_AT)?;
    Some((front.last_chunk::<64>()?, message))
}

/// What a header says of its artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Bytes of the artifact.
    pub total: u32,
    /// Its CRC-32.
    pub crc: u32,
    /// Whether it bears a signature.
    pub signed: bool,
    /// Its counter.
    pub counter: u32,
}

/// What the header at the start of `bytes` says, if it is one of this version; nothing of it is checked.
pub fn named(bytes: &[u8]) -> Result<Named, Error> {
    let head = bytes.first_chunk::<HEADER_BYTES>().ok_or(Error::Truncated)?;
    let word = |at: usize| head.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
    if word(0) != u32::from_le_bytes(MAGIC) {
        return Err(Error::BadMagic);
    }
    if word(4) as u16 != FORMAT_VERSION {
        return Err(Error::UnsupportedVersion);
    }
    let signed = word(4) >> 16 & u32::from(FLAG_SIGNED) != 0;
    Ok(Named { total: word(8), crc: word(CRC_AT), signed, counter: word(SIGNED_AT) })
}
