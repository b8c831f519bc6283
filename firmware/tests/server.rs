//! The server on the host: whatever comes in, it answers and goes on.

mod rig;
use proptest::prelude::*;
use rig::{Rig, SLOT, frame, frames};
use smidgen_firmware::Trust;
use smidgen_shared::{
    artifact,
    wire::{self, Ask, Fault, MAX_FRAME, NO_ID, Reply, Request, Response},
};

/// Feeds `bytes`; the ids and replies that come back, as text.
fn feed(rig: &mut Rig, bytes: &[u8]) -> Vec<(u16, String)> {
    let text = |frame: &mut Vec<u8>| {
        let Response { id, reply } = wire::decode(frame).expect("the server's frames are sound");
        (id, format!("{reply:?}"))
    };
    frames(&rig.feed(bytes)).iter_mut().map(text).collect()
}

#[test]
fn says_who_it_is_and_why_it_serves_no_model() {
    let mut rig = Rig::new(&[], Trust::ANY);
    let fault = Fault::BadModel(artifact::Error::BadMagic as u8);
    let expected = Reply::Hello {
        wire: wire::WIRE_VERSION,
        board: "rig",
        firmware: env!("CARGO_PKG_VERSION"),
        slot_bytes: SLOT as u32,
        arena_bytes: 1024,
        signed: false,
        model: Err(fault),
        other: None,
        taught: 0,
    };
    let answers = feed(&mut rig, &frame(&Request { id: 5, ask: Ask::Hello }));
    assert_eq!(answers, [(5, format!("{expected:?}"))]);
    let asks = [
        Ask::Samples { at: 0, last: None, data: &[2] },
        Ask::Peek { op: 0, from: 0 },
        Ask::Teach { name: "x", attributes: &[1, 2] },
        Ask::Forget { name: "x" },
        Ask::Class { index: 0 },
        Ask::Explain { class: 0, from: 0 },
    ];
    for ask in asks {
        let answers = feed(&mut rig, &frame(&Request { id: 6, ask }));
        assert_eq!(answers, [(6, format!("{:?}", Reply::Fault(fault)))]);
    }
}

#[test]
fn a_frame_too_long_is_refused_once() {
    let mut rig = Rig::new(&[], Trust::ANY);
    let mut bytes = vec![1; 3 * MAX_FRAME];
    bytes.push(0);
    bytes.extend(frame(&Request { id: 7, ask: Ask::Hello }));
    let answers = feed(&mut rig, &bytes);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0], (NO_ID, format!("{:?}", Reply::Fault(Fault::BadFrame))));
    assert_eq!(answers[1].0, 7);
}

proptest! {
    #[test]
    fn garbage_costs_itself_alone(noise in proptest::collection::vec(any::<u8>(), 0..2000), slot in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut rig = Rig::new(&slot, Trust::ANY);
        let mut bytes = noise;
        bytes.push(0);
        bytes.extend(frame(&Request { id: 9, ask: Ask::Stats }));
        let answers = feed(&mut rig, &bytes);
        prop_assert_eq!(answers.last().map(|answer| answer.0), Some(9));
        prop_assert!(answers[..answers.len() - 1].iter().all(|answer| answer.0 == NO_ID));
    }
}
