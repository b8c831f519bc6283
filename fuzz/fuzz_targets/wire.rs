//! Frames and noise on the link never stop the server: a greeting afterwards is answered.
//!
//! The input is a list of chunks `kind, length, bytes`: an even kind is fed as it is, an odd one is
//! framed with COBS and a fitting CRC first, so that messages are reached and not only refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::ser::{Serialize, SerializeTuple, Serializer};
use smidgen_firmware::{Loopback, Memory, Server};
use smidgen_fuzz::aligned;
use smidgen_shared::wire::{self, Ask, FrameReader, MAX_FRAME, NO_ID, Reply, Request, Response};

/// A model of every operator, written by `cargo run -p smidgen-tests --bin fuzz-seeds`.
const MODEL: &[u8] = include_bytes!("../seeds/artifact/model");

/// Bytes as they are: postcard writes a tuple without its length.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for byte in self.0 {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }
}

fuzz_target!(|data: &[u8]| {
    let (words, len) = aligned(MODEL);
    let mut memory = Box::new(Memory::<1024>::new());
    let mut board = Loopback::<2048>::new();
    let mut server = Server::new(&bytemuck::cast_slice(&words)[..len], &mut memory);
    let mut host = FrameReader::<MAX_FRAME>::new();
    let mut rest = data;
    while let [kind, length, more @ ..] = rest {
        let (chunk, after) = more.split_at(more.len().min(usize::from(*length) * 4));
        rest = after;
        // The host's side of the same noise.
        let _ = wire::decode::<Response>(&mut chunk.to_vec());
        let mut buffer = [0; MAX_FRAME];
        let bytes = if kind % 2 == 1 { wire::encode(&Raw(chunk), &mut buffer).unwrap_or(chunk) } else { chunk };
        for &byte in bytes {
            server.feed(byte, &mut board);
            // What it writes is well formed, each answer by itself.
            for &byte in board.written().iter() {
                if let Some(frame) = host.push(byte).expect("an answer fits a frame") {
                    wire::decode::<Response>(frame).expect("an answer decodes");
                }
            }
        }
    }
    // A zero ends what came before; then it greets back.
    let mut buffer = [0; MAX_FRAME];
    server.feed(0, &mut board);
    board.written();
    for &byte in wire::encode(&Request { id: 7, ask: Ask::Hello }, &mut buffer).expect("a greeting fits") {
        server.feed(byte, &mut board);
    }
    let mut greeted = false;
    for &byte in board.written().iter() {
        if let Some(frame) = host.push(byte).expect("an answer fits a frame") {
            let Response { id, reply } = wire::decode(frame).expect("an answer decodes");
            assert!(id == 7 || id == NO_ID);
            greeted |= matches!(reply, Reply::Hello { .. }) && id == 7;
        }
    }
    assert!(greeted, "the server no longer answers");
});
