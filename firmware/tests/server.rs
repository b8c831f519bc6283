//! The server on the host: whatever comes in, it answers and goes on.

use proptest::prelude::*;
use smidgen_firmware::{Loopback, Memory, Server};
use smidgen_shared::{
    artifact,
    wire::{self, Ask, Fault, FrameReader, MAX_FRAME, NO_ID, Reply, Request, Response},
};

type Link = Loopback<65536>;

/// Feeds `bytes`; the ids and replies that come back, as text.
fn feed(server: &mut Server<'_, '_>, link: &mut Link, bytes: &[u8]) -> Vec<(u16, String)> {
    for &byte in bytes {
        server.feed(byte, link);
    }
    let mut reader = FrameReader::<MAX_FRAME>::new();
    let mut answers = Vec::new();
    for &byte in link.written().iter() {
        if let Some(frame) = reader.push(byte).expect("the server keeps to the length of a frame") {
            let Response { id, reply } = wire::decode(frame).expect("the server's frames are sound");
            answers.push((id, format!("{reply:?}")));
        }
    }
    answers
}

fn frame(request: &Request<'_>) -> Vec<u8> {
    wire::encode(request, &mut [0; MAX_FRAME]).unwrap().to_vec()
}

#[test]
fn says_who_it_is_and_why_it_serves_no_model() {
    let (mut memory, mut link) = (Memory::<64>::new(), Link::new());
    let mut server = Server::new(&[], &mut memory);
    let expected = Reply::Hello {
        wire: wire::WIRE_VERSION,
        board: "loopback",
        firmware: env!("CARGO_PKG_VERSION"),
        slot_bytes: 0,
        arena_bytes: 256,
        model: Err(Fault::BadModel(artifact::Error::Truncated as u8)),
    };
    let answers = feed(&mut server, &mut link, &frame(&Request { id: 5, ask: Ask::Hello }));
    assert_eq!(answers, [(5, format!("{expected:?}"))]);
    for ask in [Ask::Samples { at: 0, last: None, data: &[2] }, Ask::Peek { op: 0, from: 0 }] {
        let answers = feed(&mut server, &mut link, &frame(&Request { id: 6, ask }));
        let fault = Reply::Fault(Fault::BadModel(artifact::Error::Truncated as u8));
        assert_eq!(answers, [(6, format!("{fault:?}"))]);
    }
}

#[test]
fn a_frame_too_long_is_refused_once() {
    let (mut memory, mut link) = (Memory::<64>::new(), Link::new());
    let mut server = Server::new(&[], &mut memory);
    let mut bytes = vec![1; 3 * MAX_FRAME];
    bytes.push(0);
    bytes.extend(frame(&Request { id: 7, ask: Ask::Hello }));
    let answers = feed(&mut server, &mut link, &bytes);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0], (NO_ID, format!("{:?}", Reply::Fault(Fault::BadFrame))));
    assert_eq!(answers[1].0, 7);
}

proptest! {
    #[test]
    fn garbage_costs_itself_alone(noise in proptest::collection::vec(any::<u8>(), 0..2000), slot in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (mut memory, mut link) = (Memory::<64>::new(), Link::new());
        let mut server = Server::new(&slot, &mut memory);
        let mut bytes = noise;
        bytes.push(0);
        bytes.extend(frame(&Request { id: 9, ask: Ask::Stats }));
        let answers = feed(&mut server, &mut link, &bytes);
        prop_assert_eq!(answers.last().map(|answer| answer.0), Some(9));
        prop_assert!(answers[..answers.len() - 1].iter().all(|answer| answer.0 == NO_ID));
    }
}
