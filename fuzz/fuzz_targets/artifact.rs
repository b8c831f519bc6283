//! Any bytes are refused or are a model that runs, with the same bits from the fast kernels as from
//! the naive ones.
//!
//! The checksum is made to fit first: a fuzzer does not guess a CRC-32, a forger computes it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smidgen_fuzz::{aligned, forge};
use smidgen_shared::artifact::{Artifact, golden_sample};
use smidgen_shared::kernel::{Kernel, Naive, Portable};
use smidgen_shared::run::Runner;

/// No board has more; larger ones are not run here either.
const ARENA_BYTES: u32 = 1 << 16;

/// Of a sample, at most.
const EVALUATIONS: u16 = 40;

fuzz_target!(|data: &[u8]| {
    let forged = forge(data);
    let (words, len) = aligned(&forged);
    let Ok(artifact) = Artifact::new_checked(&bytemuck::cast_slice(&words)[..len]) else { return };
    if artifact.arena_bytes() <= ARENA_BYTES {
        assert_eq!(run::<Portable>(artifact), run::<Naive>(artifact));
    }
});

/// Every operator's output for one input, and whether the golden vectors came out.
fn run<K: Kernel>(artifact: Artifact<'_>) -> (Vec<Vec<u8>>, bool) {
    let mut arena = vec![0u32; artifact.arena_bytes().div_ceil(4) as usize];
    let mut runner = Runner::<K>::new(artifact, &mut arena).expect("the arena is as large as the model says");
    let passed = runner.self_test().expect("what was checked runs");
    let channels = runner.channels();
    let outputs = (0..artifact.ops().count() as u8).map(|op| {
        runner.begin();
        for t in 0..runner.steps() {
            let step: Vec<i16> = (0..channels).map(|c| golden_sample(t ^ 0x55, c as u8)).collect();
            runner.push(&step).expect("a step of the model's own channels");
        }
        runner.finish(Some(op)).expect("all steps were pushed");
        let _ = runner.class();
        runner.output_of(op).expect("the operator ran").to_vec()
    });
    let mut outputs: Vec<Vec<u8>> = outputs.collect();
    outputs.extend(sample(&mut runner));
    (outputs, passed)
}

/// The first evaluations of a denoiser's sample; its bytes.
fn sample<K: Kernel>(runner: &mut Runner<'_, '_, K>) -> Option<Vec<u8>> {
    let total = runner.draw(None, 7, 0).ok()?.total;
    for evaluation in 1..=total.min(EVALUATIONS) {
        assert_eq!(runner.draw(None, 7, evaluation).expect("what was checked draws").done, evaluation);
    }
    runner.sample().map(<[u8]>::to_vec)
}
