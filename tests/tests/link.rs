//! A bad link: bytes lost, doubled, swapped. Sending a model still ends well, and no wrong answer is taken.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Result, bail};
use smidgen::compress::Aligned;
use smidgen::device::{Device, Link};
use smidgen::infer::Host;
use smidgen_firmware::{Board, Memory, Power, RamFlash, Storage, Trust, run};
use smidgen_tests::{artifact, denoiser, sampler};

/// The board's end.
struct Wire {
    incoming: Receiver<u8>,
    outgoing: Sender<u8>,
}

impl Board for Wire {
    fn name(&self) -> &str {
        "wire"
    }
    fn read(&mut self, bytes: &mut [u8]) -> usize {
        match (self.incoming.recv(), bytes.first_mut()) {
            (Ok(byte), Some(slot)) => {
                *slot = byte;
                1
            }
            _ => 0,
        }
    }
    fn write(&mut self, bytes: &[u8]) {
        // The host may be gone.
        for &byte in bytes {
            let _ = self.outgoing.send(byte);
        }
    }
    fn lost_bytes(&self) -> u32 {
        0
    }
    fn stack_peak(&self) -> u32 {
        0
    }
    fn stack_bytes(&self) -> u32 {
        0
    }
}

/// What befalls a byte, one in a hundred.
#[derive(Clone, Copy, Debug)]
enum Noise {
    None,
    Lost,
    Doubled,
    /// With the one after it.
    Swapped,
}

/// The host's end, noise both ways.
struct Noisy {
    outgoing: Sender<u8>,
    incoming: Receiver<u8>,
    noise: Noise,
    random: u64,
    faults: u32,
    held: [Option<u8>; 2],
}

impl Noisy {
    fn pass(&mut self, way: usize, byte: u8, out: &mut Vec<u8>) {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let hit = !matches!(self.noise, Noise::None) && (self.random >> 33).is_multiple_of(100);
        let before = self.held[way].take();
        self.faults += u32::from(hit);
        match self.noise {
            Noise::Lost if hit => {}
            Noise::Doubled if hit => out.extend([byte, byte]),
            Noise::Swapped if hit && before.is_none() => self.held[way] = Some(byte),
            _ => out.push(byte),
        }
        out.extend(before);
    }
}

impl Link for Noisy {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let mut out = Vec::new();
        bytes.iter().for_each(|&byte| self.pass(0, byte, &mut out));
        for byte in out {
            if self.outgoing.send(byte).is_err() {
                bail!("the board is gone");
            }
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> Result<usize> {
        let mut out = Vec::new();
        match self.incoming.recv_timeout(patience) {
            Ok(byte) => self.pass(1, byte, &mut out),
            Err(RecvTimeoutError::Timeout) => return Ok(0),
            Err(RecvTimeoutError::Disconnected) => bail!("the board is gone"),
        }
        while out.len() + 2 < bytes.len()
            && let Ok(byte) = self.incoming.try_recv()
        {
            self.pass(1, byte, &mut out);
        }
        bytes[..out.len()].copy_from_slice(&out);
        Ok(out.len())
    }
}

/// They mostly wait, so they wait together.
#[test]
fn a_model_gets_through_noise() {
    let (old, new) = (&artifact(8, 1), &artifact(8, 2));
    std::thread::scope(|scope| {
        for noise in [Noise::None, Noise::Lost, Noise::Doubled, Noise::Swapped] {
            scope.spawn(move || gets_through(noise, old, new));
        }
    });
}

/// A board with `model` in its flash, at the end of a bad link.
fn connect(noise: Noise, model: &Aligned) -> (Device<Noisy>, std::thread::JoinHandle<()>) {
    let (to_board, incoming) = channel();
    let (outgoing, from_board) = channel();
    let room = model.len().next_multiple_of(256).max(8192);
    let mut slot = vec![0; room];
    slot[..model.len()].copy_from_slice(model);
    let mut flash = [Aligned::new(&slot), Aligned::new(&vec![0; room]), Aligned::new(&vec![0; 1024])];
    let board = std::thread::spawn(move || {
        let power = Power::new();
        let [a, b, store] = &mut flash;
        let mut storage = Storage {
            slots: [
                &mut RamFlash::new(a.bytes_mut(), 256, 4, &power),
                &mut RamFlash::new(b.bytes_mut(), 256, 4, &power),
            ],
            store: &mut RamFlash::new(store.bytes_mut(), 256, 4, &power),
        };
        run(&mut Wire { incoming, outgoing }, &mut storage, Trust::ANY, &mut Memory::<1024>::new());
    });
    let link = Noisy { outgoing: to_board, incoming: from_board, noise, random: 7, faults: 0, held: [None; 2] };
    (Device::connect(link).unwrap(), board)
}

/// A sample comes out the same: an evaluation whose answer was lost is not done twice.
#[test]
fn a_sample_gets_through_noise() {
    let model = &denoiser(&[12], 3, sampler(2, 3));
    let mut arena = Vec::new();
    let want = &Host::new(model.artifact().unwrap(), &mut arena).unwrap().draw(Some(4), 9).unwrap();
    std::thread::scope(|scope| {
        for noise in [Noise::None, Noise::Lost, Noise::Doubled, Noise::Swapped] {
            scope.spawn(move || {
                let (mut device, board) = connect(noise, model);
                let (mut seen, repeats) = (Vec::new(), device.repeats());
                let got = device.draw(Some(4), 9, |done, total| seen.push((done, total))).unwrap();
                assert_eq!(&got, want, "{noise:?}");
                assert_eq!(seen, (0..=25).map(|done| (done, 25)).collect::<Vec<_>>());
                println!("{noise:?}: a sample, {} requests repeated", device.repeats() - repeats);
                drop(device);
                board.join().unwrap();
            });
        }
    });
}

fn gets_through(noise: Noise, old: &Aligned, new: &Aligned) {
    let (mut device, board) = connect(noise, old);
    let sent = device.send(new, |_| {}).unwrap();
    assert_eq!(Ok(sent.model), new.artifact().map(|a| a.hash()));
    // Answers are the new model's.
    let mut arena = Vec::new();
    let mut host = Host::new(new.artifact().unwrap(), &mut arena).unwrap();
    for i in 0..20i16 {
        let raw: Vec<i16> = (0..8).map(|j| i * 37 - j * 91).collect();
        let (theirs, ours) = (device.infer(&raw, 1).unwrap(), host.answer(&raw).unwrap());
        assert_eq!((theirs.class, theirs.scores), (ours.class, ours.scores));
    }
    let repeats = device.repeats();
    let link = device.into_link();
    println!(
        "{noise:?}: {} faults on bytes, {repeats} requests repeated, the model of {} bytes got through",
        link.faults,
        new.len()
    );
    if !matches!(noise, Noise::None) {
        assert!(repeats > 0, "no request was hit");
    }
    drop(link);
    board.join().unwrap();
}
