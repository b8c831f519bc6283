//! Whatever frames come in, the board goes on, and no wrong answer is taken for a right one.
//!
//! `SMIDGEN_FRAMES=1000000 cargo test --release -p smidgen-firmware --test frames -- --nocapture` is the long run.

mod rig;
use rig::*;
use smidgen_firmware::Trust;
use smidgen_shared::wire::{self, Ask, MAX_DATA, NO_ID, Reply, Request, Response};

const INPUT: [i16; INPUTS] = [90, -40, 7, 0, 120, -3];

fn count() -> u64 {
    std::env::var("SMIDGEN_FRAMES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

/// A frame from `seed`: noise, or a request with some bytes altered, added or taken away.
fn strange(seed: u64, mutated: bool) -> Vec<u8> {
    let random = |at: u64| hash(seed, at);
    if !mutated {
        let len = random(0) % if random(1) % 50 == 0 { 1500 } else { 60 };
        return (0..len).map(|i| (random(100 + i) >> 8) as u8).chain([0]).collect();
    }
    let mut data = [0; MAX_DATA];
    let (_, n) = wire::encode_samples(&INPUT, 1, &mut data);
    let asks = [
        Ask::Hello,
        Ask::Stats,
        Ask::Samples { at: 0, last: None, data: &data[..n] },
        Ask::Samples { at: random(2) as u16, last: Some(random(3) as u8), data: &data[..n] },
        Ask::Peek { op: random(2) as u8, from: random(3) as u16 },
        Ask::Begin { header: &[random(2) as u8; 128] },
        Ask::Chunk { at: random(2) as u32, data: &[random(3) as u8; 64] },
        Ask::Commit { model: random(2) as u32 },
        Ask::Teach { name: "x", attributes: &[random(2) as u8; 2 * ATTRIBUTES] },
        Ask::Forget { name: "y" },
        Ask::Class { index: random(2) as u16 % 8 },
        Ask::Explain { class: random(2) as u16 % 4, from: random(3) as u16 % 20 },
    ];
    let mut frame =
        frame(&Request { id: 1 + (random(4) % 1000) as u16, ask: asks[(random(5) % asks.len() as u64) as usize] });
    for i in 0..1 + random(6) % 3 {
        let at = (random(10 + i) % frame.len() as u64) as usize;
        match random(20 + i) % 4 {
            0 => frame[at] ^= 1 << (random(30 + i) % 8),
            1 => frame[at] = random(30 + i) as u8,
            2 => frame.insert(at, random(30 + i) as u8),
            _ => drop(frame.remove(at)),
        }
        if frame.is_empty() {
            break;
        }
    }
    frame.push(0);
    frame
}

#[test]
fn strange_frames_cost_themselves_alone() {
    let model = model(1);
    let expected = Rig::new(model.get(), Trust::ANY).infer(&INPUT).unwrap();
    for mutated in [false, true] {
        let mut rig = Rig::new(model.get(), Trust::ANY);
        let (mut refused, mut taken) = (0u64, 0u64);
        const BURST: u64 = 1000;
        for burst in 0..count().div_ceil(BURST) {
            let bytes: Vec<u8> = (0..BURST).flat_map(|i| strange(burst * BURST + i, mutated)).collect();
            for mut answer in frames(&rig.feed(&bytes)) {
                let Response { id, reply } = wire::decode(&mut answer).expect("the board's frames are sound");
                match reply {
                    Reply::Fault(_) if id == NO_ID => refused += 1,
                    _ => taken += 1,
                }
                // The model's scores stand first in any answer.
                if let Reply::Answer { scores, .. } = reply {
                    let own: Vec<i32> =
                        scores.chunks(4).take(2).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect();
                    assert_eq!(own, expected.1[..2]);
                }
            }
            // A greeting is answered at the first try, here where no byte is lost.
            assert_eq!(rig.hello().0, Ok(smidgen_shared::artifact::named(model.get()).unwrap().crc));
        }
        assert_eq!(rig.infer(&INPUT).unwrap().1[..2], expected.1[..2]);
        let kind = if mutated { "mutated" } else { "random" };
        println!("{} {kind} frames: {refused} refused, {taken} requests among them answered", count());
        assert!(refused > 0);
    }
}
