//! Frames and noise on the link never stop the server: a greeting afterwards is answered.
//!
//! The input is a list of chunks `kind, length, bytes`: an even kind is fed as it is, an odd one is
//! framed with COBS and a fitting CRC first, so that messages are reached and not only refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::ser::{Serialize, SerializeTuple, Serializer};
use smidgen_firmware::{Board, Memory, Power, RamFlash, Storage, Trust, run};
use smidgen_fuzz::aligned;
use smidgen_shared::wire::{self, Ask, FrameReader, MAX_FRAME, Reply, Request, Response};

/// A model of every operator, written by `cargo run -p smidgen-tests --bin fuzz-seeds`.
const MODEL: &[u8] = include_bytes!("../seeds/artifact/model");
/// One that draws samples.
const DENOISER: &[u8] = include_bytes!("../seeds/artifact/denoiser");

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
    serve(MODEL, data);
    serve(DENOISER, data);
});

fn serve(model: &[u8], data: &[u8]) {
    let mut incoming = Vec::new();
    let mut rest = data;
    while let [kind, length, more @ ..] = rest {
        let (chunk, after) = more.split_at(more.len().min(usize::from(*length) * 4));
        rest = after;
        // The host's side of the same noise.
        let _ = wire::decode::<Response>(&mut chunk.to_vec());
        let mut buffer = [0; MAX_FRAME];
        let bytes = if kind % 2 == 1 { wire::encode(&Raw(chunk), &mut buffer).unwrap_or(chunk) } else { chunk };
        incoming.extend_from_slice(bytes);
    }
    // A zero ends what came before; then it greets back.
    incoming.push(0);
    let mut buffer = [0; MAX_FRAME];
    incoming.extend(wire::encode(&Request { id: 7, ask: Ask::Hello }, &mut buffer).expect("a greeting fits"));
    let (mut model, mut spare, mut records) = (aligned(model).0, vec![0u128; 256], vec![0u128; 64]);
    let power = Power::new();
    // As large as a multiple of the page: what follows the model in its slot is nothing.
    model.resize(model.len().next_multiple_of(16), 0);
    let mut storage = Storage {
        slots: [
            &mut RamFlash::new(bytemuck::cast_slice_mut(&mut model), 256, 4, &power),
            &mut RamFlash::new(bytemuck::cast_slice_mut(&mut spare), 256, 4, &power),
        ],
        store: &mut RamFlash::new(bytemuck::cast_slice_mut(&mut records), 256, 4, &power),
    };
    let mut memory = Box::new(Memory::<1024>::new());
    let mut board = Line { incoming: &incoming, host: FrameReader::new(), greeted: false };
    run(&mut board, &mut storage, Trust::ANY, &mut memory);
    assert!(board.greeted, "the server no longer answers");
}

/// The noise comes in, and each answer is looked at by itself.
struct Line<'b> {
    incoming: &'b [u8],
    host: FrameReader<MAX_FRAME>,
    greeted: bool,
}

impl Board for Line<'_> {
    fn name(&self) -> &str {
        "line"
    }
    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let (now, later) = self.incoming.split_at(bytes.len().min(self.incoming.len()));
        bytes[..now.len()].copy_from_slice(now);
        self.incoming = later;
        now.len()
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if let Some(frame) = self.host.push(byte).expect("an answer fits a frame") {
                let Response { id, reply } = wire::decode(frame).expect("an answer decodes");
                self.greeted |= matches!(reply, Reply::Hello { .. }) && id == 7;
            }
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
