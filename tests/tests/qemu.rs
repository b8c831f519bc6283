//! Host and every board give the same bits for the same artifact and input, and what an artifact
//! promises of memory and instructions holds when measured.
//!
//! One board runs all held-out windows, the others 200 of them. Noise on the line, deaths in
//! mid-run and the images' contents are tested beside the drivers, in host/src/device.

use std::sync::{Mutex, OnceLock};

use smidgen::compress::{Aligned, rewrite_weight};
use smidgen::device::{Board, Device, Link, Qemu};
use smidgen::infer::Host;
use smidgen::verify::{channels, compare, count, start};
use smidgen_shared::artifact::{Bound, Items};
use smidgen_tests::{Spar, ready, spar};

/// The board that runs every held-out window.
const THOROUGH: &str = "qemu-m4";
/// Windows on each other board.
const WINDOWS: usize = 200;
/// Windows whose instructions are counted.
const COUNTED: usize = 6;

/// The model, trained once for all tests of this file.
fn model() -> &'static Spar {
    static MODEL: OnceLock<Spar> = OnceLock::new();
    MODEL.get_or_init(|| spar().expect("a model of spar is trained"))
}

/// At most `n` windows, evenly spread.
fn spread(windows: &[Vec<i16>], n: usize) -> Vec<Vec<i16>> {
    let n = n.min(windows.len());
    (0..n).map(|i| windows[i * windows.len() / n].clone()).collect()
}

/// Runs `work` on every board that is ready, two at a time.
fn on_boards(test: &str, work: impl Fn(&Board) + Sync) {
    let queue = Mutex::new(Board::emulated());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(|e| e.into_inner()).next();
                    let Some(board) = next else { break };
                    if ready(test, board) {
                        work(board);
                    }
                }
            });
        }
    });
}

#[test]
fn there_are_eight_boards_and_the_model_has_every_operator_of_a_composite() {
    assert!(Board::emulated().count() >= 8);
    let artifact = model().model.artifact().unwrap();
    let kinds: Vec<&str> = artifact.ops().map(|op| op.kind()).collect();
    for kind in ["standardise", "dense", "gate", "mix", "rescale", "match"] {
        assert!(kinds.contains(&kind), "no {kind} in {kinds:?}");
    }
    assert!(model().windows.len() >= WINDOWS, "{} windows", model().windows.len());
    // Windows that all give one class would hide a board that answers without running.
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena).unwrap();
    let classes: std::collections::BTreeSet<u16> =
        model().windows.iter().map(|w| host.answer(w).unwrap().class).collect();
    assert!(classes.len() > 1, "every window is answered {classes:?}");
}

#[test]
fn every_board_gives_the_hosts_bits() {
    on_boards("every_board_gives_the_hosts_bits", |board| {
        let Spar { model, windows } = model();
        let n = if board.name == THOROUGH { windows.len() } else { WINDOWS };
        let inputs = spread(windows, n);
        let mut device = start(board, model).unwrap();
        assert_eq!(device.hello().board, board.name);
        assert_eq!(device.hello().model, Ok(model.artifact().unwrap().hash()));
        assert_eq!(device.hello().arena_bytes, board.ram.arena);
        // A greeting may be cut while the board's UART is switched on: what counts is what is refused from here on.
        let greeted = device.stats().unwrap().refused;
        let verified = compare(&mut device, model, &inputs, |_| {}).unwrap();
        assert_eq!(verified.first_difference, None, "{}", board.name);
        assert_eq!(verified.samples, n, "{}", board.name);
        let stats = verified.stats;
        assert!(
            stats.answers as usize >= n && stats.lost == 0 && stats.refused == greeted,
            "{}: {stats:?}",
            board.name
        );
        assert_eq!(stats.stack_bytes, board.ram.stack, "{}", board.name);
        assert!(0 < stats.stack_peak && stats.stack_peak < stats.stack_bytes, "{}: {stats:?}", board.name);
        println!("{}: {n} windows, {} of {} bytes of stack", board.name, stats.stack_peak, stats.stack_bytes);
    });
}

#[test]
fn counted_instructions_stay_below_the_artifacts_bounds() {
    on_boards("counted_instructions_stay_below_the_artifacts_bounds", |board| {
        let Spar { model, windows } = model();
        let artifact = model.artifact().unwrap();
        let inputs = spread(windows, COUNTED);
        let counts = match count(board, model, &inputs).unwrap() {
            Ok(counts) => counts,
            Err(reason) => {
                println!("SKIPPED counted_instructions_stay_below_the_artifacts_bounds on {}: {reason}", board.name);
                return;
            }
        };
        let manifest = artifact.manifest();
        let bound = Items::<Bound>::new(manifest.bounds, manifest.bound_count.into()).find(|b| b.board == board.name);
        let bound = bound.unwrap_or_else(|| panic!("the artifact has no bound for {}", board.name));
        let steps = inputs.iter().map(Vec::len).sum::<usize>() / channels(&artifact);
        assert_eq!((counts.finish.len(), counts.push.len()), (inputs.len(), steps), "{}", board.name);
        for (what, counted, bound) in
            [("an inference", &counts.finish, bound.instructions), ("a time step", &counts.push, bound.per_sample)]
        {
            let most = counted.iter().copied().max().unwrap();
            println!("{}: {what} takes {most} instructions at most, bound {bound}", board.name);
            assert!(
                0 < most && most <= u64::from(bound),
                "{}: {what} took {most} instructions, its bound is {bound}",
                board.name
            );
        }
    });
}

/// The model's arena is exact: it runs in that many bytes, and in no fewer.
#[test]
fn the_arena_is_exact() {
    let Spar { model, windows } = model();
    let artifact = model.artifact().unwrap();
    let words = artifact.arena_bytes() as usize / 4;
    assert_eq!(artifact.arena_bytes() % 4, 0);
    // A pattern beyond the end stays as it was; the last word within is written.
    let mut arena = vec![0xA5A5_A5A5u32; words + 8];
    let (inside, beyond) = arena.split_at_mut(words);
    let mut runner = smidgen_shared::run::Runner::<smidgen_shared::kernel::Portable>::new(artifact, inside).unwrap();
    runner.begin();
    for step in windows[0].chunks_exact(channels(&artifact)) {
        runner.push(step).unwrap();
    }
    runner.finish(None).unwrap();
    assert!(beyond.iter().all(|&word| word == 0xA5A5_A5A5));
    assert!(inside.last().is_some_and(|&word| word != 0xA5A5_A5A5), "the arena's last word is not used");
    let mut short = vec![0u32; words - 1];
    assert!(smidgen_shared::run::Runner::<smidgen_shared::kernel::Portable>::new(artifact, &mut short).is_err());
}

#[test]
fn a_rewritten_weight_is_found_and_its_operator_named() {
    let board = Board::find("qemu-m3").unwrap();
    if !ready("a_rewritten_weight_is_found_and_its_operator_named", board) {
        return;
    }
    let Spar { model, windows } = model();
    let artifact = model.artifact().unwrap();
    let section = artifact.header().weights.1 as usize;
    // Constants lie in the operators' order: the first are the standardisation's, the last the class table's.
    let mut named = Vec::new();
    let mut device = start(board, model).unwrap();
    for at in [0, section / 2, section - 1] {
        let mut ours: Aligned = model.clone();
        let taken = [64, -64, 3]
            .into_iter()
            .any(|delta| rewrite_weight(&mut ours, at, delta).is_ok() && ours.artifact().is_ok());
        assert!(taken, "no change of byte {at} gives an artifact");
        let verified = compare(&mut device, &ours, &spread(windows, 20), |_| {}).unwrap();
        let Some(difference) = verified.first_difference else { continue };
        let op = artifact.ops().nth(difference.operator).unwrap();
        assert_eq!(op.kind(), difference.kind);
        assert_ne!(difference.host, difference.device);
        named.push((at, difference.operator));
    }
    // Bytes of constants that no sample reaches may hide, but not all three.
    assert!(named.windows(2).all(|w| w[0].1 <= w[1].1), "{named:?}");
    assert!(named.iter().any(|n| n == &(0, 0)), "the first constant is the first operator's: {named:?}");
    assert!(named.len() >= 2, "{named:?}");
    // The board itself was not touched.
    assert_eq!(compare(&mut device, model, &windows[..2], |_| {}).unwrap().first_difference, None);
}

/// Noise between a model's inferences changes neither their bits nor the loop.
#[test]
fn noise_between_frames_changes_no_bit() {
    let board = Board::find("qemu-m3").unwrap();
    if !ready("noise_between_frames_changes_no_bit", board) {
        return;
    }
    let Spar { model, windows } = model();
    let mut device: Device<Qemu> = start(board, model).unwrap();
    let mut noise = smidgen_tests::Lcg(5);
    for window in spread(windows, 8) {
        let bytes: Vec<u8> = noise.values(300).iter().map(|v| (v * 128.0) as i32 as u8).collect();
        device.link().send(&bytes).unwrap();
        let verified = compare(&mut device, model, &[window], |_| {}).unwrap();
        assert_eq!(verified.first_difference, None);
    }
    assert!(device.stats().unwrap().refused > 0, "the noise did not reach the board");
}
