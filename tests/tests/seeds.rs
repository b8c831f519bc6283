//! The fuzz targets' seeds are of the formats of today: a stale one would be refused at once, and
//! the fuzzer would start from nothing.

use std::collections::BTreeSet;

use smidgen::compress::Aligned;

const ANEW: &str = "write the seeds anew: cargo run -p smidgen-tests --bin fuzz-seeds";

#[test]
fn the_artifact_of_the_seeds_is_taken_and_passes_its_self_test() {
    let model = kinds(include_bytes!("../../fuzz/seeds/artifact/model"));
    assert!(model.len() >= 9 && model.contains("sparse"), "{model:?}");
    let tokens = kinds(include_bytes!("../../fuzz/seeds/artifact/tokens"));
    assert!(tokens.contains("embed"), "{tokens:?}");
    let denoiser = Aligned::new(include_bytes!("../../fuzz/seeds/artifact/denoiser"));
    assert!(denoiser.artifact().unwrap_or_else(|error| panic!("{error}; {ANEW}")).sampler().is_some());
    kinds(&denoiser);
}

/// The operators of a seed that passes its self-test.
fn kinds(bytes: &[u8]) -> BTreeSet<&'static str> {
    let bytes = Aligned::new(bytes);
    let artifact = bytes.artifact().unwrap_or_else(|error| panic!("{error}; {ANEW}"));
    let mut arena = vec![0u32; artifact.arena_bytes().div_ceil(4) as usize];
    let mut runner =
        smidgen_shared::run::Runner::<smidgen_shared::kernel::Portable>::new(artifact, &mut arena).unwrap();
    assert_eq!(runner.self_test(), Ok(true), "{ANEW}");
    artifact.ops().map(|op| op.kind()).collect()
}

#[test]
fn the_frames_of_the_seeds_are_requests() {
    use smidgen_shared::wire::{Ask, FrameReader, MAX_FRAME, Request, decode};
    let mut rest: &[u8] = include_bytes!("../../fuzz/seeds/wire/requests");
    let mut asked = [false; 12];
    let mut reader = FrameReader::<MAX_FRAME>::new();
    while let [_, length, more @ ..] = rest {
        let (chunk, after) = more.split_at(usize::from(*length) * 4);
        rest = after;
        for &byte in chunk {
            let Some(frame) = reader.push(byte).unwrap() else { continue };
            let Request { ask, .. } = decode(frame).unwrap_or_else(|error| panic!("{error:?}; {ANEW}"));
            asked[match ask {
                Ask::Hello => 0,
                Ask::Samples { .. } => 1,
                Ask::Peek { .. } => 2,
                Ask::Stats => 3,
                Ask::Begin { .. } => 4,
                Ask::Chunk { .. } => 5,
                Ask::Commit { .. } => 6,
                Ask::Teach { .. } => 7,
                Ask::Forget { .. } => 8,
                Ask::Class { .. } => 9,
                Ask::Explain { .. } => 10,
                Ask::Draw { .. } => 11,
            }] = true;
        }
    }
    assert_eq!(asked, [true; 12], "{ANEW}");
}
