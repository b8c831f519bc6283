//! Samples of a denoiser: the same bits on host and board, refused where there is no f32, sound in any artifact.

use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::Value;
use smidgen::compress::{Aligned, Interval, pack};
use smidgen::device::{Board, Device, Qemu};
use smidgen::infer::{Host, Oracle, packing};
use smidgen::verify::{compare_draws, compare_kernels, draws, start};
use smidgen_shared::artifact::{Bound, Error, Header, Items, Sampler};
use smidgen_shared::kernel::Portable;
use smidgen_shared::run::Runner;
use smidgen_tests::{denoiser, ready, sampler};

#[test]
fn boards_with_an_fpu_draw_the_hosts_bits_and_the_others_refuse() {
    let model = denoiser(&[40, 24], 5, sampler(2, 3));
    let artifact = model.artifact().unwrap();
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena).unwrap();
    for board in Board::emulated() {
        if !ready("boards_with_an_fpu_draw_the_hosts_bits_and_the_others_refuse", board) {
            continue;
        }
        if !board.target.ends_with("eabihf") {
            let error = start(board, &model).err().unwrap_or_else(|| panic!("{} takes a sampler", board.name));
            let error = format!("{error:#}");
            assert!(error.contains("f32") && error.contains("FPU"), "{}: {error}", board.name);
            continue;
        }
        // As it is for every board, and with its matrices as this board's kernel reads them best.
        let mut device = start(board, &model).unwrap();
        for (which, model) in [("row-major", model.clone()), ("packed", pack(&model, packing(board).unwrap()).unwrap())]
        {
            if which == "packed" {
                device = start(board, &model).unwrap();
            }
            let verified = compare_draws(&mut device, &model, &draws(10, 6), |_| {}).unwrap();
            assert_eq!((verified.first_difference, verified.samples), (None, 6), "{}, {which}", board.name);
        }
        // Answers to inputs are the host's still, and a sample under way outlives one.
        let raw: Vec<i16> = (0..90).map(|i| i * 91 - 4000).collect();
        let theirs = device.infer(&raw, 1).unwrap();
        assert_eq!(theirs.scores, host.answer(&raw).unwrap().scores, "{}", board.name);
        let bounds: Vec<Bound> =
            Items::new(artifact.manifest().bounds, artifact.manifest().bound_count.into()).collect();
        let bound = bounds.iter().find(|bound| bound.board == board.name).unwrap();
        let stack = device.stats().unwrap().stack_peak;
        println!("{}: 12 samples, {stack} bytes of stack", board.name);
        assert!(stack <= bound.stack_bytes, "{}: {stack} bytes of stack, bound {}", board.name, bound.stack_bytes);
        let error = format!("{:#}", device.draw(Some(10), 1, |_, _| {}).unwrap_err());
        assert!(error.contains("class"), "{error}");
    }
}

#[test]
fn a_model_that_is_no_denoiser_draws_nothing() {
    let model = smidgen_tests::artifact(8, 1);
    let mut arena = Vec::new();
    let mut host = Host::new(model.artifact().unwrap(), &mut arena).unwrap();
    assert!(host.sampler().is_none());
    assert!(host.draw(None, 1).unwrap_err().to_string().contains("draws no samples"));
}

#[test]
fn samples_depend_on_seed_and_class_alone() {
    let model = denoiser(&[24], 1, sampler(1, 3));
    let (mut arena, mut other) = (Vec::new(), Vec::new());
    let mut host = Host::new(model.artifact().unwrap(), &mut arena).unwrap();
    let first = host.draw(Some(3), 7).unwrap();
    assert_eq!(first.evaluations, 2 * 9 - 1 + 2 * 2);
    assert!(first.values.iter().all(|v| v.is_finite()));
    let others = [(Some(4), 7), (None, 7), (Some(3), 8)].map(|(label, seed)| host.draw(label, seed).unwrap());
    assert!(others.iter().all(|sample| sample.values != first.values));
    host.answer(&[1234; 90]).unwrap();
    assert_eq!(host.draw(Some(3), 7).unwrap(), first);
    let mut naive = Oracle::new(model.artifact().unwrap(), &mut other).unwrap();
    assert_eq!(naive.draw(Some(3), 7).unwrap(), first);
    assert_eq!(compare_kernels(&model, &model, &draws(10, 12)).unwrap(), (12, None));
}

/// An input between two evaluations costs the sample nothing; a request out of order is told what is due.
#[test]
fn a_sample_is_drawn_step_by_step() {
    let model = denoiser(&[16], 2, sampler(1, 2));
    let (mut arena, mut other) = (Vec::new(), Vec::new());
    let mut host = Host::new(model.artifact().unwrap(), &mut arena).unwrap();
    let want = Host::new(model.artifact().unwrap(), &mut other).unwrap().draw(Some(1), 5).unwrap();
    assert!(host.sample().is_err());
    assert!(host.draw_until(Some(1), 5, 1).is_err(), "nothing is begun");
    let total = host.draw_until(Some(1), 5, 0).unwrap().total;
    for step in 1..=total {
        host.answer(&[i16::try_from(step).unwrap() * 100; 90]).unwrap();
        assert!(host.draw_until(Some(1), 5, step + 1).is_err());
        assert!(host.draw_until(Some(1), 6, step).is_err());
        assert_eq!(host.draw_until(Some(1), 5, step).unwrap().done, step);
        let now = host.sample().unwrap();
        assert_eq!(host.draw_until(Some(1), 5, step).unwrap().done, step);
        assert_eq!(host.sample().unwrap(), now, "an evaluation was done twice");
    }
    assert_eq!(host.sample().unwrap(), want.values);
}

/// The arena is exact with the sampler's memory in it.
#[test]
fn the_arena_holds_the_sampler_and_no_more() {
    let model = denoiser(&[24], 1, sampler(1, 3));
    let artifact = model.artifact().unwrap();
    let words = artifact.arena_bytes() as usize / 4;
    assert_eq!(artifact.sampler().unwrap().state + Sampler::state_bytes(64), artifact.arena_bytes());
    let mut arena = vec![0xA5A5_A5A5u32; words + 8];
    let (inside, beyond) = arena.split_at_mut(words);
    let mut runner = Runner::<Portable>::new(artifact, inside).unwrap();
    for evaluation in 0..=runner.draw(None, 3, 0).unwrap().total {
        runner.draw(None, 3, evaluation).unwrap();
    }
    assert!(beyond.iter().all(|&word| word == 0xA5A5_A5A5));
    assert!(inside.last().is_some_and(|&word| word != 0xA5A5_A5A5), "the arena's last word is not used");
    assert!(Runner::<Portable>::new(artifact, &mut vec![0u32; words - 1]).is_err());
}

/// The bytes with a checksum that fits.
fn forged(mut bytes: Vec<u8>) -> Aligned {
    let crc = Header::checksum(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    Aligned::new(&bytes)
}

fn sampler_at(model: &Aligned) -> usize {
    let artifact = model.artifact().unwrap();
    (artifact.header().weights.0 + artifact.manifest().sampler) as usize
}

#[test]
fn samplers_that_do_not_fit_are_refused() {
    let model = denoiser(&[24], 1, sampler(1, 3));
    let at = sampler_at(&model);
    let with = |offset: usize, bytes: &[u8]| {
        let mut altered = model.to_vec();
        altered[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        forged(altered).artifact().map(|artifact| artifact.hash())
    };
    assert_eq!(with(36, &[16]), model.artifact().map(|artifact| artifact.hash()));
    // values, embedding, labels, main, levels, intervals
    for (offset, bytes) in [(0, [63, 0]), (2, [17, 0]), (4, [9, 9]), (5, [0, 12]), (5, [13, 12])] {
        assert_eq!(with(offset, &bytes), Err(Error::BadSampler), "{offset} {bytes:?}");
    }
    // Nine intervals, where the weights begin.
    let nine = [&[9], &model[at + 8..at + 20], &[0; 4]].concat();
    assert_eq!(with(7, &nine), Err(Error::BadSampler));
    let state = model.artifact().unwrap().sampler().unwrap().state;
    for moved in [0, state - 4, state + 4, u32::MAX - 3] {
        assert_eq!(with(8, &moved.to_le_bytes()), Err(Error::BadRegion), "{moved}");
    }
    for offset in [12, 16, 20] {
        for moved in [u32::MAX, u32::MAX - 3, 1 << 20] {
            assert_eq!(with(offset, &moved.to_le_bytes()), Err(Error::BadConstants), "{offset} {moved}");
        }
    }
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(with(24, &number.to_le_bytes()), Err(Error::BadSampler));
    }
    // A picture of width 7, of no greys, and a byte that means nothing.
    for (offset, byte) in [(37, 7), (36, 0), (38, 1), (39, 1)] {
        assert_eq!(with(offset, &[byte]), Err(Error::BadSampler), "{offset}");
    }
}

#[test]
fn samplers_that_do_not_hold_together_are_not_exported() {
    let (graph, inputs) = smidgen_tests::denoiser_graph(&[8], 1);
    let error = |change: &dyn Fn(&mut smidgen::compress::Sampler)| {
        let mut sampler = sampler(1, 3);
        change(&mut sampler);
        let description = smidgen::compress::Description { sampler: Some(sampler), ..Default::default() };
        format!(
            "{:#}",
            smidgen::compress::export(&graph, &inputs, &description).expect_err("a bad sampler is exported")
        )
    };
    assert!(error(&|s| s.labels = 9).contains("90 inputs"));
    assert!(error(&|s| s.levels[2].embedding.truncate(15)).contains("differ in length"));
    assert!(error(&|s| s.levels[2].sigma = 1e9).contains("must fall"));
    assert!(error(&|s| s.intervals = vec![Interval { repeats: 255, ..s.intervals[0] }]).contains("these take 1037"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Behind a good checksum anything may stand in the sampler and its tables: an error, or samples that end, the same
    /// with all kernels.
    #[test]
    fn forged_samplers_are_refused_or_draw(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), whole: bool) {
        let model = denoiser(&[8], 1, sampler(1, 2));
        // The tables lie before the sampler: 11 levels of 48 bytes, an interval of 8.
        let end = sampler_at(&model) + 40;
        let start = if whole { 128 } else { end - 40 - 8 - 11 * 48 };
        let mut bytes = model.to_vec();
        for (at, value) in edits {
            let i = start + at.index(end - start);
            bytes[i] = value;
        }
        let forged = forged(bytes);
        if let Ok(artifact) = forged.artifact() {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            let (mut fast, mut naive) = (Host::new(artifact, &mut a).unwrap(), Oracle::new(artifact, &mut b).unwrap());
            match (fast.draw(Some(3), 1), naive.draw(Some(3), 1)) {
                (Ok(fast), Ok(naive)) => {
                    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    prop_assert_eq!(bits(&fast.values), bits(&naive.values));
                }
                (fast, naive) => prop_assert_eq!(fast.is_err(), naive.is_err()),
            }
        }
    }
}

/// Figures, on request: `cargo test --test draw figures -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures, asserts nothing new"]
fn figures() {
    let board = Board::find("qemu-m4").unwrap();
    for hidden in [[128; 3], [176; 3]] {
        let portable = denoiser(&hidden, 5, sampler(6, 3));
        for model in [portable.clone(), pack(&portable, packing(board).unwrap()).unwrap()] {
            let artifact = model.artifact().unwrap();
            let mut device = Device::connect(Qemu::start(board, &model, true).unwrap()).unwrap();
            device.draw(Some(3), 7, |_, _| {}).unwrap();
            device.infer(&[900; 90], 1).unwrap();
            let stats = device.stats().unwrap();
            assert_eq!(
                device.repeats(),
                0,
                "a request was repeated, and counted twice; run again on a quieter machine"
            );
            let mut counts = device.into_link().stop().unwrap().finish;
            let network = counts.pop().unwrap();
            let (begin, evaluations) = counts.split_first().unwrap();
            println!(
                "90-{hidden:?}-64, {}: {} bytes of flash, {} of arena, {} of stack; {} evaluations, {} to {} instructions each, {network} of them the operators', {begin} to begin, {} in all",
                artifact.packing().name(),
                artifact.bytes(),
                artifact.arena_bytes(),
                stats.stack_peak,
                evaluations.len(),
                evaluations.iter().min().unwrap(),
                evaluations.iter().max().unwrap(),
                counts.iter().sum::<u64>(),
            );
        }
    }
}

/// The program's result and exit code, and what it says on stderr.
fn smidgen(arguments: &[&str]) -> (Option<Value>, Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smidgen-under-test"));
    let output = command.args(arguments).stdin(Stdio::null()).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let result = text.trim().lines().last().and_then(|line| serde_json::from_str(line).ok());
    (result, output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_command_line_draws_and_compares() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("denoiser.smg").to_string_lossy().into_owned();
    let model = denoiser(&[12], 1, sampler(1, 2));
    std::fs::write(&path, &model[..]).unwrap();
    let (result, code, said) = smidgen(&["run", &path, "--set", "label=3", "--set", "seed=7", "--json"]);
    let result = result.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(code, Some(0));
    let mut arena = Vec::new();
    let want = Host::new(model.artifact().unwrap(), &mut arena).unwrap().draw(Some(3), 7).unwrap();
    assert_eq!(result["place"], "host");
    assert_eq!((result["label"].as_u64(), result["seed"].as_u64()), (Some(3), Some(7)));
    assert_eq!(result["evaluations"].as_u64(), Some(want.evaluations.into()));
    assert_eq!(result["instructions"], Value::Null);
    let values: Vec<f32> = result["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    assert_eq!(values, want.values);
    let pixels = result["picture"]["pixels"].as_array().unwrap();
    assert_eq!(
        (pixels.len(), result["picture"]["width"].as_u64(), result["picture"]["greys"].as_u64()),
        (64, Some(8), Some(16))
    );
    for (pixel, value) in pixels.iter().zip(&values) {
        assert_eq!(pixel.as_f64().unwrap() as f32, ((value + 1.0) * 8.0).round().clamp(0.0, 16.0));
    }
    let (none, _, said) = smidgen(&["run", &path, "--json"]);
    assert_eq!(none.unwrap_or_else(|| panic!("{said}"))["label"], Value::Null);
    let (inspected, _, said) = smidgen(&["inspect", &path, "--json"]);
    assert_eq!(inspected.unwrap_or_else(|| panic!("{said}"))["sampler"]["evaluations"].as_u64(), Some(19));
    let (verified, code, said) = smidgen(&["verify", &path, "--samples", "3", "--json"]);
    assert_eq!((verified.unwrap_or_else(|| panic!("{said}"))["samples"].as_u64(), code), (Some(3), Some(0)));
    // Drill: a weight of the last layer that is altered on one side is found, and its operator named.
    let weights = model.artifact().unwrap().manifest().sampler - 64;
    let byte = (weights - 600).to_string();
    let (drilled, code, said) = smidgen(&["verify", &path, "--samples", "3", "--flip-weight", &byte, "--json"]);
    let drilled = drilled.unwrap_or_else(|| panic!("{said}"));
    assert_eq!((drilled["identical"].as_bool(), code), (Some(false), Some(3)), "{drilled}");
    for (arguments, expected) in [
        (&["run", &path, "--set", "label=10"][..], "classes 0 to 9"),
        (&["run", &path, "--samples", "3"], "--samples"),
        (&["verify", &path, "--data", "spar"], "--data"),
    ] {
        let (_, code, said) = smidgen(arguments);
        assert!(code == Some(1) && said.contains(expected), "{arguments:?}: {code:?} {said}");
    }
}
