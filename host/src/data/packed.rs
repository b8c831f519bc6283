//! A compact, lossless file of sensor recordings, so that real data fit into the source tree.
//!
//! zlib( "SMDREC1\n" · u32 recordings · u16 channels · per recording {u32 length, u16 class,
//! u16 subject, u16 side} · per channel {low bytes, high bytes} ), all little-endian.
//! A channel's values are the differences between neighbours, folded so that small ones of either
//! sign are small (zigzag: d ↦ 2d or −2d−1), recordings end to end and each starting from 0;
//! low and high bytes are kept apart because deflate gains from it (1.8 MB instead of 2.1 MB
//! for `spar`). Differences wrap around modulo 2¹⁶, so every i16 sequence survives.

use anyhow::{Context, bail, ensure};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use std::io::{Read, Write};

const MAGIC: &[u8; 8] = b"SMDREC1\n";
/// Largest unpacked file that is read: 64 MiB, twenty times what `spar` needs.
const MAX_UNPACKED_BYTES: u64 = 64 << 20;

/// One uninterrupted recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recording {
    pub class: u16,
    pub subject: u16,
    /// Body side, as the source numbers it.
    pub side: u16,
    /// (length, channels) row-major, sensor counts
    pub samples: Vec<i16>,
}

/// Packs recordings of `channels` channels.
///
/// # Errors
/// If a recording's samples are not a whole number of rows, or a count does not fit its field.
pub(super) fn pack(recordings: &[Recording], channels: u16) -> anyhow::Result<Vec<u8>> {
    ensure!(channels > 0, "recordings need at least one channel");
    let mut plain = MAGIC.to_vec();
    plain.extend(u32::try_from(recordings.len())?.to_le_bytes());
    plain.extend(channels.to_le_bytes());
    for (index, recording) in recordings.iter().enumerate() {
        let (values, width) = (recording.samples.len(), usize::from(channels));
        ensure!(values % width == 0, "recording {index} has {values} values, not a multiple of {width} channels");
        plain.extend(u32::try_from(values / width)?.to_le_bytes());
        for field in [recording.class, recording.subject, recording.side] {
            plain.extend(field.to_le_bytes());
        }
    }
    for channel in 0..usize::from(channels) {
        let folded: Vec<u16> = recordings
            .iter()
            .flat_map(|recording| {
                let column = recording.samples.iter().skip(channel).step_by(usize::from(channels));
                column.scan(0i16, |last, &value| {
                    let difference = value.wrapping_sub(*last);
                    *last = value;
                    Some(((difference << 1) ^ (difference >> 15)) as u16)
                })
            })
            .collect();
        plain.extend(folded.iter().map(|value| value.to_le_bytes()[0]));
        plain.extend(folded.iter().map(|value| value.to_le_bytes()[1]));
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&plain)?;
    Ok(encoder.finish()?)
}

/// The inverse of [`pack`]: recordings and their number of channels. Total over all bytes.
///
/// # Errors
/// If the bytes are not a packed file, whole and nothing more.
pub(super) fn unpack(bytes: &[u8]) -> anyhow::Result<(Vec<Recording>, u16)> {
    let mut plain = Vec::new();
    ZlibDecoder::new(bytes)
        .take(MAX_UNPACKED_BYTES)
        .read_to_end(&mut plain)
        .context("packed recordings: the zlib stream is damaged or cut short")?;
    let mut rest = plain.as_slice();
    ensure!(take::<8>(&mut rest)? == *MAGIC, "packed recordings: the file does not start with SMDREC1");
    let count = u32::from_le_bytes(take(&mut rest)?) as usize;
    let channels = u16::from_le_bytes(take(&mut rest)?);
    ensure!(channels > 0, "packed recordings: zero channels");
    // Ten bytes a recording: bounds what the count may make us allocate.
    ensure!(count <= rest.len() / 10, "packed recordings: {count} recordings do not fit the file");
    let width = usize::from(channels);
    let mut lengths = Vec::with_capacity(count);
    let mut recordings = Vec::with_capacity(count);
    let mut total = 0usize;
    for _ in 0..count {
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let [class, subject, side] = [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?].map(u16::from_le_bytes);
        total = total.saturating_add(length);
        lengths.push(length);
        recordings.push(Recording { class, subject, side, samples: Vec::new() });
    }
    let expected = total.saturating_mul(width).saturating_mul(2);
    if rest.len() != expected {
        bail!("packed recordings: {} bytes of samples, expected {expected}", rest.len());
    }
    for (recording, length) in recordings.iter_mut().zip(&lengths) {
        recording.samples = vec![0; length * width];
    }
    for (channel, planes) in rest.chunks_exact((total * 2).max(1)).enumerate() {
        let (low, high) = planes.split_at(total);
        let mut folded = low.iter().zip(high).map(|(&l, &h)| u16::from_le_bytes([l, h]));
        for recording in &mut recordings {
            let mut last = 0i16;
            let column = recording.samples.iter_mut().skip(channel).step_by(width);
            for (value, z) in column.zip(&mut folded) {
                last = last.wrapping_add((z >> 1) as i16 ^ -((z & 1) as i16));
                *value = last;
            }
        }
    }
    Ok((recordings, channels))
}

fn take<const N: usize>(rest: &mut &[u8]) -> anyhow::Result<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>().context("packed recordings: the header is cut short")?;
    *rest = tail;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recordings() -> impl Strategy<Value = (Vec<Recording>, u16)> {
        (1u16..5).prop_flat_map(|channels| {
            let recording =
                (any::<[u16; 3]>(), 0usize..40).prop_flat_map(move |(meta, length)| {
                    prop::collection::vec(any::<i16>(), length * usize::from(channels))
                        .prop_map(move |samples| Recording { class: meta[0], subject: meta[1], side: meta[2], samples })
                });
            (prop::collection::vec(recording, 0..5), Just(channels))
        })
    }

    proptest! {
        #[test]
        fn unpack_inverts_pack((recordings, channels) in recordings()) {
            let bytes = pack(&recordings, channels).unwrap();
            prop_assert_eq!(unpack(&bytes).unwrap(), (recordings, channels));
        }

        #[test]
        fn any_bytes_give_an_answer(plain in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = unpack(&plain);
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(MAGIC).unwrap();
            encoder.write_all(&plain).unwrap();
            let _ = unpack(&encoder.finish().unwrap());
        }
    }

    #[test]
    fn refuses_every_truncation() {
        let recording = Recording { class: 1, subject: 2, side: 0, samples: (0..60).collect() };
        let bytes = pack(&[recording], 3).unwrap();
        for length in 0..bytes.len() {
            assert!(unpack(&bytes[..length]).is_err(), "accepted {length} bytes");
        }
    }
}
