//! Boards in the field, under QEMU: models sent and swapped, classes taught, scores explained, power cut, noise on
//! the line; and the stack that all of this takes stays under the artifact's bound.
//!
//! `SMIDGEN_KILLS=50 SMIDGEN_FRAMES=10000 cargo test -p smidgen-tests --test field -- --nocapture` is the long run.

use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use smidgen::compress::{Aligned, sign};
use smidgen::device::{Board, Device, Explanation, Kept, Link, Qemu, kept, score_of};
use smidgen::infer::Host;
use smidgen::verify::{channels, start};
use smidgen_shared::artifact::{Bound, Items};
use smidgen_tests::{Spar, ready, spar};

fn model() -> &'static Spar {
    static MODEL: OnceLock<Spar> = OnceLock::new();
    MODEL.get_or_init(|| spar().expect("a model of spar is trained"))
}

/// The same model under another hash.
fn other(counter: u32) -> Aligned {
    let mut other = model().model.clone();
    sign(&mut other, &ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([1; 32])), counter).unwrap();
    other
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Attributes of a class, for the width of the model's table.
fn attributes(seed: usize) -> Vec<f32> {
    (0..16).map(|j| ((seed * 7 + j * 5) % 11) as f32 - 5.0).collect()
}

#[test]
fn every_board_swaps_teaches_and_explains() {
    for board in Board::emulated().filter(|board| ready("every_board_swaps_teaches_and_explains", board)) {
        let Spar { model, windows } = model();
        let artifact = model.artifact().unwrap();
        let channels = channels(&artifact);
        let mut device = start(board, model).unwrap();
        let before = device.infer(&windows[0], channels).unwrap();
        // A class more: the others' scores are as they were.
        let room = device.teach("wave", &attributes(1)).unwrap();
        let after = device.infer(&windows[0], channels).unwrap();
        assert_eq!(after.scores[..before.scores.len()], before.scores[..]);
        assert_eq!(after.scores.len(), before.scores.len() + 4);
        assert_eq!(room.count, 1);
        // Every class's terms are the host's, and leave little of the score.
        let mut arena = Vec::new();
        let mut host = Host::new(artifact, &mut arena).unwrap();
        for raw in windows.iter().step_by(windows.len() / 4) {
            for class in 0..artifact.manifest().class_count {
                let theirs = device.explain(&artifact, raw, channels, class).unwrap();
                let answer = host.answer(raw).unwrap();
                let score = score_of(&answer.scores, artifact.output().1, class.into()).unwrap();
                let terms = host.explain(raw, class.into()).unwrap();
                assert_eq!(theirs, Explanation::new(score, &terms, &kept(&artifact, raw).unwrap()).unwrap());
                let size: i64 = theirs.features.iter().map(|term| i64::from(term.abs())).sum();
                assert!(theirs.rest().abs() * 10 < size, "{theirs:?}");
                assert!((theirs.rest() - theirs.rest_of_networks()).abs() <= 64, "{theirs:?}");
            }
        }
        let taught = device.explain(&artifact, &windows[0], channels, artifact.manifest().class_count).unwrap();
        assert!(taught.rest().abs() * 10 < taught.features.iter().map(|t| i64::from(t.abs())).sum::<i64>());
        // Another model, and back.
        let new = other(5);
        let start = Instant::now();
        let sent = device.send(&new, |_| {}).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!((sent.slot, Ok(sent.model)), (1, new.artifact().map(|a| a.hash())));
        assert_eq!(device.infer(&windows[0], channels).unwrap(), before);
        assert_eq!(device.swap_back().unwrap().slot, 0);
        assert_eq!(device.infer(&windows[0], channels).unwrap(), after);
        device.forget("wave").unwrap();
        assert_eq!(device.infer(&windows[0], channels).unwrap(), before);
        let stats = device.stats().unwrap();
        let manifest = artifact.manifest();
        let bound = Items::<Bound>::new(manifest.bounds, manifest.bound_count.into())
            .find(|bound| bound.board == board.name)
            .unwrap();
        println!(
            "{}: hot swap of {} bytes in {seconds:.2} s; stack {} bytes, bound {}, of {}",
            board.name,
            new.len(),
            stats.stack_peak,
            bound.stack_bytes,
            stats.stack_bytes
        );
        assert!(stats.stack_peak <= bound.stack_bytes, "{}: {stats:?}", board.name);
        assert!(bound.stack_bytes <= board.ram.stack, "{}", board.name);
    }
}

/// QEMU's microbit loses power at random moments of updates and lessons; its flash does not.
#[test]
fn power_cuts_leave_the_old_or_the_new() {
    let board = Board::find("qemu-m0").unwrap();
    if !ready("power_cuts_leave_the_old_or_the_new", board) {
        return;
    }
    let Spar { model, windows } = model();
    let channels = channels(&model.artifact().unwrap());
    let mut kept = start(board, model).unwrap().into_link().power_off().unwrap();
    let mut serving = model.artifact().unwrap().hash();
    let scores =
        Device::connect(Qemu::resume(board, &kept).unwrap()).unwrap().infer(&windows[0], channels).unwrap().scores;
    let (mut old, mut new) = (0, 0);
    for n in 0..number("SMIDGEN_KILLS", 6) {
        let next = other(10 + n as u32);
        let hash = next.artifact().unwrap().hash();
        let mut device =
            Device::connect(Dying { qemu: Some(Qemu::resume(board, &kept).unwrap()), end: None, kept: None }).unwrap();
        // From at once to a little more than all of it takes.
        let patience = Duration::from_micros(n.wrapping_mul(2_654_435_761) % 90_000);
        device.link().end = Some(Instant::now() + patience);
        let _ = device.teach("wave", &attributes(2)).and_then(|_| device.send(&next, |_| {}));
        kept = device.into_link().power_off();
        let mut device = Device::connect(Qemu::resume(board, &kept).unwrap()).unwrap();
        let served = device.hello().model.expect("the board serves a model");
        assert!(served == serving || served == hash, "{served:08x} is neither {serving:08x} nor {hash:08x}");
        if served == hash {
            new += 1
        } else {
            old += 1
        }
        serving = served;
        assert_eq!(device.infer(&windows[0], channels).unwrap().scores[..scores.len()], scores[..]);
    }
    println!("{} cuts: {old} times the old model, {new} times the new", old + new);
}

/// A board whose power ends at a moment.
struct Dying {
    qemu: Option<Qemu>,
    end: Option<Instant>,
    kept: Option<Kept>,
}

impl Dying {
    fn power_off(mut self) -> Kept {
        match self.qemu.take() {
            Some(qemu) => qemu.power_off().unwrap(),
            None => self.kept.take().unwrap(),
        }
    }

    fn alive(&mut self) -> anyhow::Result<&mut Qemu> {
        if self.end.is_some_and(|end| Instant::now() >= end)
            && let Some(qemu) = self.qemu.take()
        {
            self.kept = Some(qemu.power_off()?);
        }
        self.qemu.as_mut().ok_or_else(|| anyhow::anyhow!("the power is off"))
    }
}

impl Link for Dying {
    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.alive()?.send(bytes)
    }
    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> anyhow::Result<usize> {
        let end = self.end;
        let left = end.map_or(patience, |end| end.saturating_duration_since(Instant::now()).min(patience));
        let count = self.alive()?.receive(bytes, left.max(Duration::from_millis(1)))?;
        self.alive()?;
        Ok(count)
    }
}

#[test]
fn strange_frames_leave_the_board_as_it_was() {
    let board = Board::find("qemu-m3").unwrap();
    if !ready("strange_frames_leave_the_board_as_it_was", board) {
        return;
    }
    let Spar { model, windows } = model();
    let channels = channels(&model.artifact().unwrap());
    let mut device = start(board, model).unwrap();
    let before = device.infer(&windows[0], channels).unwrap();
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let (frames, mut most) = (number("SMIDGEN_FRAMES", 600), 0);
    for _ in 0..frames / 50 {
        for _ in 0..50 {
            let mut frame: Vec<u8> = (0..random() % 40).map(|_| (random() % 255) as u8 + 1).collect();
            frame.push(0);
            device.link().send(&frame).unwrap();
        }
        let repeats = device.repeats();
        device.greet().unwrap();
        most = most.max(device.repeats() - repeats + 1);
    }
    assert!(most <= 3, "a greeting took {most} tries");
    assert_eq!(device.infer(&windows[0], channels).unwrap(), before);
    println!(
        "{frames} frames, {} refused; a greeting was answered within {most} tries",
        device.stats().unwrap().refused
    );
}

#[test]
fn the_script_of_the_field_runs() {
    let board = Board::find("qemu-m0").unwrap();
    if !ready("the_script_of_the_field_runs", board) {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/field.sh");
    let output = Command::new("sh")
        .args([script, env!("CARGO_BIN_EXE_smidgen-under-test")])
        .env_remove("SMIDGEN_DATA")
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    println!("{said}");
}
