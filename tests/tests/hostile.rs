//! Bad artifacts are refused with the right error, on the host and by the firmware; nothing panics.

use proptest::prelude::*;
use smidgen::compress::{Aligned, rewrite_weight};
use smidgen_firmware::{Loopback, Memory, Power, RamFlash, Storage, Trust, run};
use smidgen_shared::artifact::{Error, HEADER_BYTES, Header};
use smidgen_shared::wire::{self, Ask, Fault, FrameReader, MAX_FRAME, Reply, Request, Response};
use smidgen_tests::artifact;

/// What the firmware says of a slot that holds `bytes`.
fn hello(bytes: &Aligned) -> Result<u32, Fault> {
    let mut memory = Box::new(Memory::<1024>::new());
    let mut buffer = [0; MAX_FRAME];
    let greeting = wire::encode(&Request { id: 3, ask: Ask::Hello }, &mut buffer).unwrap();
    let mut board = Loopback::<1024>::new(greeting);
    let (power, mut slot) = (Power::new(), bytes.clone());
    let (mut spare, mut records) = (Aligned::new(&[0; 256]), Aligned::new(&[0; 512]));
    let mut storage = Storage {
        slots: [
            &mut RamFlash::new(slot.bytes_mut(), 256, 4, &power),
            &mut RamFlash::new(spare.bytes_mut(), 256, 4, &power),
        ],
        store: &mut RamFlash::new(records.bytes_mut(), 256, 4, &power),
    };
    run(&mut board, &mut storage, Trust::ANY, &mut memory);
    let mut reader = FrameReader::<MAX_FRAME>::new();
    for &byte in board.written().iter() {
        if let Some(frame) = reader.push(byte).unwrap()
            && let Response { id: 3, reply: Reply::Hello { model, .. } } = wire::decode(frame).unwrap()
        {
            return model;
        }
    }
    panic!("the firmware did not answer");
}

/// The error on the host, and that the firmware says the same.
fn refused(bytes: &[u8]) -> Error {
    let bytes = Aligned::new(bytes);
    let error = bytes.artifact().expect_err("a bad artifact is taken");
    if error != Error::TrailingBytes {
        assert_eq!(hello(&bytes), Err(Fault::BadModel(error as u8)));
    }
    error
}

#[test]
fn the_good_one_is_taken() {
    let bytes = artifact(8, 1);
    assert_eq!(hello(&bytes), Ok(bytes.artifact().unwrap().hash()));
}

#[test]
fn every_truncation_is_refused_as_truncated() {
    let bytes = artifact(8, 1);
    for len in 0..bytes.len() {
        assert_eq!(refused(&bytes[..len]), Error::Truncated, "at {len}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let bytes = artifact(8, 1);
    for i in 0..bytes.len() {
        for bit in 0..8 {
            let mut bad = bytes.to_vec();
            bad[i] ^= 1 << bit;
            let bad = Aligned::new(&bad);
            let error = bad.artifact().expect_err("a flipped bit is taken");
            let expected: &[Error] = match i {
                0..4 => &[Error::BadMagic],
                4..6 => &[Error::UnsupportedVersion],
                6..8 => &[Error::UnsupportedFlag],
                8..12 => &[Error::Truncated, Error::BadLayout],
                12..16 | 80..84 => &[Error::BadChecksum],
                // A signature without its flag, and reserved bytes.
                16..80 | 109..128 => &[Error::UnsupportedFlag],
                // Another packing of the same bytes, or none that there is.
                108 => &[Error::BadChecksum, Error::WrongPacking],
                84..108 => &[Error::BadLayout],
                _ => &[Error::BadChecksum],
            };
            assert!(
                // The flag of a signature alone changes the checksum only.
                expected.contains(&error)
                    || error == Error::BadChecksum && ((6..12).contains(&i) || (84..108).contains(&i)),
                "byte {i}, bit {bit}: {error:?}"
            );
            if bit == 0 {
                assert_eq!(hello(&bad), Err(Fault::BadModel(error as u8)));
            }
        }
    }
}

#[test]
fn bytes_after_the_end_are_refused_in_a_file_and_taken_in_a_slot() {
    let bytes = artifact(8, 1);
    let mut longer = bytes.to_vec();
    longer.extend([0; 40]);
    assert_eq!(refused(&longer), Error::TrailingBytes);
    assert_eq!(hello(&Aligned::new(&longer)), Ok(bytes.artifact().unwrap().hash()));
}

#[test]
fn an_altered_weight_with_a_good_checksum_fails_the_devices_self_test() {
    let mut bytes = artifact(8, 1);
    // Far enough to change an output, not so far as to be −128: tried until one byte does.
    let caught = (0..200).any(|index| {
        let mut altered = bytes.clone();
        rewrite_weight(&mut altered, index, 60).unwrap();
        altered.artifact().is_ok() && hello(&altered) == Err(Fault::SelfTest)
    });
    assert!(caught);
    assert!(rewrite_weight(&mut bytes, 1 << 20, 1).is_err());
}

/// The bytes with a checksum that fits: what a careful forger sends.
fn forged(mut bytes: Vec<u8>) -> Aligned {
    if bytes.len() >= HEADER_BYTES {
        let total = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
        let crc = Header::checksum(&bytes[..total.min(bytes.len())]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    }
    Aligned::new(&bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Behind a good checksum anything may stand: an artifact or an error, and what is taken runs.
    #[test]
    fn forged_artifacts_are_refused_or_run(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = artifact(8, 1).to_vec();
        for (at, value) in edits {
            let i = at.index(bytes.len());
            bytes[i] = value;
        }
        let forged = forged(bytes);
        match forged.artifact() {
            Err(error) => prop_assert!(hello(&forged) == Err(Fault::BadModel(error as u8)) || error == Error::TrailingBytes),
            Ok(artifact) => {
                // Served, or refused by its self-test or for its size: never a panic.
                let _ = hello(&forged);
                if artifact.arena_bytes() <= 4096 {
                    let mut arena = Vec::new();
                    let mut host = smidgen::infer::Host::new(artifact, &mut arena).unwrap();
                    let _ = host.answer(&[7; 8]);
                }
            }
        }
    }

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        refused(&bytes);
    }
}
