//! A board on the host: flash in RAM whose power can fail, bytes in, replies out; and small models to send to it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use smidgen_firmware::{Board, Memory, Power, RamFlash, Storage, Trust, run};
use smidgen_shared::{
    artifact::{self, Artifact, Class, Golden, GoldenVector, HEADER_BYTES, Header, Input, Manifest},
    kernel::Portable,
    op::{Op, Region, Width},
    run::Runner,
    wire::{self, Ask, Fault, FrameReader, MAX_DATA, MAX_FRAME, Reply, Request, Response},
};

/// Values of an input.
pub const INPUTS: usize = 6;
/// Attributes of a class.
pub const ATTRIBUTES: usize = 5;
pub const SLOT: usize = 4096;
pub const STORE: usize = 1024;
const PAGE: usize = 256;
const UNIT: usize = 4;

/// 16-byte aligned bytes.
#[derive(Clone)]
pub struct Bytes(Vec<u128>, usize);

impl Bytes {
    pub fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0u128; bytes.len().div_ceil(16)];
        for (i, byte) in bytes.iter().enumerate() {
            words[i / 16] |= u128::from(*byte) << (8 * (i % 16));
        }
        Bytes(words, bytes.len())
    }
    pub fn get(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.0)[..self.1]
    }
    fn get_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.0)[..self.1]
    }
}

/// The board's end of a link: what is to come in, what went out.
#[derive(Default)]
pub struct Wire {
    pub incoming: std::collections::VecDeque<u8>,
    pub outgoing: Vec<u8>,
}

impl Board for Wire {
    fn name(&self) -> &str {
        "rig"
    }
    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let count = bytes.len().min(self.incoming.len());
        bytes.iter_mut().zip(self.incoming.drain(..count)).for_each(|(to, from)| *to = from);
        count
    }
    fn write(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
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

/// The board.
pub struct Rig {
    pub slots: [Bytes; 2],
    pub store: Bytes,
    pub power: Power,
    pub trust: Trust,
    pub wire: Wire,
    memory: Box<Memory<256>>,
    id: u16,
}

impl Rig {
    /// With `model` in slot A, as it was flashed.
    pub fn new(model: &[u8], trust: Trust) -> Self {
        let mut slot = vec![0; SLOT];
        slot[..model.len()].copy_from_slice(model);
        Rig {
            slots: [Bytes::new(&slot), Bytes::new(&[0; SLOT])],
            store: Bytes::new(&[0; STORE]),
            power: Power::new(),
            trust,
            wire: Wire::default(),
            memory: Box::new(Memory::new()),
            id: 0,
        }
    }

    /// Power was lost and is back: RAM is gone, flash is as it was.
    pub fn restart(&mut self) {
        self.power.restore();
        *self.memory = Memory::new();
    }

    /// Feeds `bytes` and gives all that comes back.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.wire.incoming.extend(bytes);
        let Rig { slots: [a, b], store, power, trust, wire, memory, .. } = self;
        let mut a = RamFlash::new(a.get_mut(), PAGE, UNIT, power);
        let mut b = RamFlash::new(b.get_mut(), PAGE, UNIT, power);
        let mut store = RamFlash::new(store.get_mut(), PAGE, UNIT, power);
        run(wire, &mut Storage { slots: [&mut a, &mut b], store: &mut store }, *trust, memory);
        std::mem::take(&mut self.wire.outgoing)
    }

    /// Asks and hands the reply to `read`.
    pub fn ask<T>(&mut self, ask: Ask<'_>, read: impl FnOnce(Reply<'_>) -> T) -> T {
        self.id += 1;
        let request = frame(&Request { id: self.id, ask });
        let mut answers = frames(&self.feed(&request));
        assert_eq!(answers.len(), 1, "one answer to {ask:?}");
        let Response { id, reply } = wire::decode(&mut answers[0]).unwrap();
        assert_eq!(id, self.id);
        read(reply)
    }

    pub fn fault(&mut self, ask: Ask<'_>) -> Option<Fault> {
        self.ask(ask, |reply| if let Reply::Fault(fault) = reply { Some(fault) } else { None })
    }

    /// CRC-32 of the model served, and of what the other slot names.
    pub fn hello(&mut self) -> (Result<u32, Fault>, Option<u32>) {
        self.ask(Ask::Hello, |reply| match reply {
            Reply::Hello { model, other, .. } => (model, other),
            other => panic!("{other:?}"),
        })
    }

    /// Sends a model, up to and with its commit.
    pub fn send(&mut self, model: &[u8]) -> Result<u8, Fault> {
        let read = |reply: Reply<'_>| match reply {
            Reply::Received { next } => Ok(next as usize),
            Reply::Fault(fault) => Err(fault),
            other => panic!("{other:?}"),
        };
        let mut at = self.ask(Ask::Begin { header: &model[..HEADER_BYTES] }, read)?;
        while at < model.len() {
            let data = &model[at..model.len().min(at + MAX_DATA)];
            at = self.ask(Ask::Chunk { at: at as u32, data }, read)?;
        }
        let crc = artifact::named(model).unwrap().crc;
        self.ask(Ask::Commit { model: crc }, |reply| match reply {
            Reply::Serving { slot, model } => {
                assert_eq!(model, crc);
                Ok(slot)
            }
            Reply::Fault(fault) => Err(fault),
            other => panic!("{other:?}"),
        })
    }

    pub fn teach(&mut self, name: &str, attributes: &[i16]) -> Result<u16, Fault> {
        let bytes: Vec<u8> = attributes.iter().flat_map(|a| a.to_le_bytes()).collect();
        self.ask(Ask::Teach { name, attributes: &bytes }, counted)
    }

    pub fn forget(&mut self, name: &str) -> Result<u16, Fault> {
        self.ask(Ask::Forget { name }, counted)
    }

    /// Class and scores of an input.
    pub fn infer(&mut self, input: &[i16; INPUTS]) -> Result<(u16, Vec<i32>), Fault> {
        let mut data = [0; MAX_DATA];
        let (_, bytes) = wire::encode_samples(input, 1, &mut data);
        self.ask(Ask::Samples { at: 0, last: None, data: &data[..bytes] }, |reply| match reply {
            Reply::Answer { class, scores } => {
                Ok((class, scores.chunks(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect()))
            }
            Reply::Fault(fault) => Err(fault),
            other => panic!("{other:?}"),
        })
    }

    /// Names of all classes.
    pub fn classes(&mut self) -> Vec<String> {
        (0..)
            .map_while(|index| {
                self.ask(Ask::Class { index }, |reply| match reply {
                    Reply::Class { name, .. } => Some(name.to_owned()),
                    _ => None,
                })
            })
            .collect()
    }
}

fn counted(reply: Reply<'_>) -> Result<u16, Fault> {
    match reply {
        Reply::Taught { count, .. } => Ok(count),
        Reply::Fault(fault) => Err(fault),
        other => panic!("{other:?}"),
    }
}

pub fn frame(request: &Request<'_>) -> Vec<u8> {
    wire::encode(request, &mut [0; MAX_FRAME]).unwrap().to_vec()
}

/// The frames in a stream of bytes.
pub fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = FrameReader::<MAX_FRAME>::new();
    bytes.iter().filter_map(|&byte| reader.push(byte).unwrap().map(|frame| frame.to_vec())).collect()
}

/// A number that depends on all of its arguments.
pub fn hash(seed: u64, at: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ at.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// `INPUTS` values → a dense layer of `ATTRIBUTES` → a table of two classes, all weights from `seed`.
pub fn model(seed: u64) -> Bytes {
    build(seed, 0, 0)
}

/// The same with a counter and `padding` further classes' worth of bytes in its provenance.
pub fn build(seed: u64, counter: u32, padding: usize) -> Bytes {
    let mut weights: Vec<u8> = Vec::new();
    let mut put = |bytes: Vec<u8>| {
        weights.resize(weights.len().next_multiple_of(4), 0);
        let at = weights.len() as u32;
        weights.extend(bytes);
        at
    };
    let int8 = |n: usize, part: u64| {
        (0..n)
            .map(|i| (hash(seed, part << 32 | i as u64) % 255) as u8 ^ 0x80)
            .map(|b| if b == 0x80 { 1 } else { b })
            .collect::<Vec<u8>>()
    };
    let rows = |n: usize, multiplier: i32| {
        (0..n).flat_map(|_| [0i32.to_le_bytes(), multiplier.to_le_bytes()].concat()).collect::<Vec<u8>>()
    };
    let region = |at: u32, len: usize| Region { at, len: len as u32 };
    let (x, s, y) = (region(0, INPUTS), region(8, ATTRIBUTES), region(16, 2));
    let ops = [
        Op::Standardise { y: x, rows: put(rows(INPUTS, 1 << 24)) },
        Op::Dense {
            x,
            y: s,
            width: Width::I8,
            relu: false,
            weights: put(int8(INPUTS * ATTRIBUTES, 1)),
            rows: put(rows(ATTRIBUTES, 1 << 16)),
        },
        Op::Match { x: s, y, weights: put(int8(2 * ATTRIBUTES, 2)), rows: put(rows(2, 1 << 22)), handicaps: None },
    ];
    let ops_bytes: Vec<u8> = ops.iter().flat_map(|op| postcard::to_stdvec(op).unwrap()).collect();
    let classes: Vec<u8> =
        ["left", "right"].iter().flat_map(|name| postcard::to_stdvec(&Class { name, seen: true }).unwrap()).collect();
    let manifest = postcard::to_stdvec(&Manifest {
        unit: 1.0,
        family: "rig",
        input: Input::Vector { len: INPUTS as u16 },
        arena_bytes: 24,
        op_count: 3,
        ops: &ops_bytes,
        class_count: 2,
        classes: &classes,
        bound_count: 0,
        bounds: &[],
        provenance: &vec![7; padding],
        sampler: 0,
    })
    .unwrap();
    let layout = |front_crc: u32, vectors: &[(Vec<u8>, Vec<u8>)]| {
        let list: Vec<u8> = vectors
            .iter()
            .flat_map(|(input, output)| postcard::to_stdvec(&GoldenVector { input, output }).unwrap())
            .collect();
        let golden = postcard::to_stdvec(&Golden { front_crc, count: vectors.len() as u8, vectors: &list }).unwrap();
        let mut bytes = vec![0; HEADER_BYTES];
        bytes.extend(&manifest);
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        let weights_at = bytes.len();
        bytes.extend(&weights);
        let golden_at = bytes.len();
        bytes.extend(&golden);
        let span = |at: usize, len: usize| (at as u32, len as u32);
        let header = Header {
            total: bytes.len() as u32,
            manifest: span(HEADER_BYTES, manifest.len()),
            weights: span(weights_at, weights.len()),
            golden: span(golden_at, golden.len()),
            crc: 0,
            signed: false,
            counter,
            packing: Default::default(),
        };
        bytes[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
        seal(&mut bytes);
        Bytes::new(&bytes)
    };
    let without = layout(0, &[]);
    let mut arena = vec![0u32; 6];
    let mut runner = Runner::<Portable>::new(Artifact::exact(without.get()).unwrap(), &mut arena).unwrap();
    let vectors: Vec<_> = (0..2)
        .map(|i| {
            let input = int8(INPUTS, 10 + i);
            runner.infer(&input.iter().map(|&b| b as i8).collect::<Vec<_>>(), None).unwrap();
            (input, runner.output().unwrap().to_vec())
        })
        .collect();
    let front = runner.front_checksum().unwrap();
    layout(front, &vectors)
}

/// Makes the checksum fit.
pub fn seal(artifact: &mut [u8]) {
    let crc = Header::checksum(artifact);
    artifact[12..16].copy_from_slice(&crc.to_le_bytes());
}

/// The key pair of the tests' owner.
pub fn keys(seed: u8) -> salty::Keypair {
    salty::Keypair::from(&[seed; 32])
}

/// Signs with the key of `seed`.
pub fn sign(model: &Bytes, seed: u8) -> Bytes {
    let mut bytes = model.get().to_vec();
    bytes[6] |= 1;
    let signature = keys(seed).sign(artifact::signature(&bytes).unwrap().1).to_bytes();
    bytes[16..80].copy_from_slice(&signature);
    seal(&mut bytes);
    Bytes::new(&bytes)
}

/// Verifies under the key of seed 1.
pub fn verify(message: &[u8], signature: &[u8; 64]) -> bool {
    keys(1).public.verify(message, &salty::Signature::from(signature)).is_ok()
}

pub const SIGNED: Trust = Trust { verify: Some(verify), monotonic: true };
