//! The fixed header, 64 bytes, little-endian.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `SMDG` |
//! | 4 | 2 | format version |
//! | 6 | 2 | flags (none defined: 0) |
//! | 8 | 4 | total bytes |
//! | 12, 16 | 4 + 4 | manifest: offset, length |
//! | 20, 24 | 4 + 4 | weights: offset (a multiple of 16), length |
//! | 28, 32 | 4 + 4 | golden vectors: offset, length |
//! | 36 | 4 | CRC-32 (ISO-HDLC) of all other bytes, 0..36 and 40..total |
//! | 40 | 24 | reserved, 0 |

use super::Error;
use crate::fixed::CRC;

/// The first four bytes.
pub const MAGIC: [u8; 4] = *b"SMDG";
/// Bumped by any change of the format.
pub const FORMAT_VERSION: u16 = 2;
/// Length of the header.
pub const HEADER_BYTES: usize = 64;
/// Alignment of the artifact in memory and of its weight section in the artifact.
pub const ALIGNMENT: usize = 16;

/// Where the sections lie. Offsets and lengths in bytes from the artifact's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        if word(4) >> 16 != 0 || head.iter().skip(40).any(|&byte| byte != 0) {
            return Err(Error::UnsupportedFlag);
        }
        let header = Header {
            total: word(8),
            manifest: (word(12), word(16)),
            weights: (word(20), word(24)),
            golden: (word(28), word(32)),
            crc: word(36),
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
        digest.update(artifact.get(..36).unwrap_or(&[]));
        digest.update(artifact.get(40..).unwrap_or(&[]));
        digest.finalize()
    }

    /// The header's bytes, with the CRC as given.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let words = [
            u32::from_le_bytes(MAGIC),
            FORMAT_VERSION.into(),
            self.total,
            self.manifest.0,
            self.manifest.1,
            self.weights.0,
            self.weights.1,
            self.golden.0,
            self.golden.1,
            self.crc,
        ];
        for (bytes, word) in out.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        out
    }
}
