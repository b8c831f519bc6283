//! Answers requests, one byte of input at a time.
//!
//! bytes → frame → `Request` → the model's `Runner` → `Response` → frame. A frame that is no request is
//! answered by a fault and costs itself alone. A model that is not sound is reported and never run.
//! Repeating a request is harmless: the latest part of an input is answered again without being taken twice.

use crate::{Board, Mark, Memory};
use smidgen_shared::{
    artifact::{self, Artifact},
    features::MAX_CHANNELS,
    kernel::Portable,
    run::{self, Runner},
    wire::{self, Ask, Fault, FrameReader, MAX_DATA, MAX_FRAME, NO_ID, Reply, Request, Response, SampleDecoder},
};

/// Serves the model of a flash slot (`'m`) with the RAM of a [`Memory`] (`'a`).
pub struct Server<'m, 'a> {
    reader: &'a mut FrameReader<MAX_FRAME>,
    reply: &'a mut [u8; MAX_FRAME],
    model: Result<Model<'m, 'a>, Fault>,
    slot_bytes: u32,
    arena_bytes: u32,
    answers: u32,
    refused: u32,
}

/// A sound model and how far its input has come.
struct Model<'m, 'a> {
    runner: Runner<'m, 'a, Portable>,
    /// Step at which the part taken last began.
    part: u16,
    /// The operator that the latest run ended with; its output stands in the arena.
    ran: Option<u8>,
}

impl<'m, 'a> Server<'m, 'a> {
    /// Checks the model in `slot` and replays its golden vectors. `slot` may hold anything.
    pub fn new<const WORDS: usize>(slot: &'m [u8], memory: &'a mut Memory<WORDS>) -> Self {
        Server {
            reader: &mut memory.reader,
            reply: &mut memory.reply,
            model: Model::open(slot, &mut memory.arena),
            slot_bytes: slot.len() as u32,
            arena_bytes: (4 * WORDS) as u32,
            answers: 0,
            refused: 0,
        }
    }

    /// Takes one received byte; where it ends a frame, the answer goes out over `board`.
    pub fn feed(&mut self, byte: u8, board: &mut dyn Board) {
        let request = match self.reader.push(byte) {
            Ok(None) => return,
            Ok(Some(frame)) => wire::decode(frame),
            Err(too_long) => Err(too_long),
        };
        let response = match request {
            Ok(Request { id, ask }) => {
                let reply = match (ask, &mut self.model) {
                    (Ask::Hello, model) => Reply::Hello {
                        wire: wire::WIRE_VERSION,
                        board: board.name(),
                        firmware: env!("CARGO_PKG_VERSION"),
                        slot_bytes: self.slot_bytes,
                        arena_bytes: self.arena_bytes,
                        model: model.as_ref().map(|m| m.runner.artifact().hash()).map_err(|fault| *fault),
                    },
                    (Ask::Stats, _) => Reply::Stats {
                        answers: self.answers,
                        lost: board.lost_bytes(),
                        refused: self.refused,
                        stack_peak: board.stack_peak(),
                        stack_bytes: board.stack_bytes(),
                    },
                    (Ask::Samples { at, last, data }, Ok(model)) => {
                        model.samples(at, last, data, board).unwrap_or_else(Reply::Fault)
                    }
                    (Ask::Peek { op, from }, Ok(model)) => model.peek(op, from).unwrap_or_else(Reply::Fault),
                    (Ask::Samples { .. } | Ask::Peek { .. }, Err(fault)) => Reply::Fault(*fault),
                };
                if matches!(reply, Reply::Answer { .. }) {
                    self.answers = self.answers.saturating_add(1);
                }
                Response { id, reply }
            }
            Err(_) => {
                self.refused = self.refused.saturating_add(1);
                Response { id: NO_ID, reply: Reply::Fault(Fault::BadFrame) }
            }
        };
        // Every reply fits: its data are cut to MAX_DATA. One that did not would be left out, and asked for again.
        if let Ok(frame) = wire::encode_response(&response, self.reply) {
            board.write(frame);
        }
    }
}

impl<'m, 'a> Model<'m, 'a> {
    fn open(slot: &'m [u8], arena: &'a mut [u32]) -> Result<Self, Fault> {
        let artifact = Artifact::new_checked(slot).map_err(|error| Fault::BadModel(error as u8))?;
        let needs = artifact.arena_bytes();
        let mut runner = Runner::new(artifact, arena).map_err(|error| match error {
            run::Error::ArenaTooSmall => Fault::ArenaTooSmall { needs },
            other => fault(other),
        })?;
        match runner.self_test() {
            Ok(true) => Ok(Model { runner, part: 0, ran: None }),
            _ => Err(Fault::SelfTest),
        }
    }

    /// Takes a part of an input; runs the model up to operator `last` once all steps are there.
    fn samples(&mut self, at: u16, last: Option<u8>, data: &[u8], board: &mut dyn Board) -> Result<Reply<'_>, Fault> {
        let end = self.runner.artifact().manifest().op_count.saturating_sub(1);
        let op = last.unwrap_or(end);
        if op > end {
            return Err(Fault::NothingThere);
        }
        if at == 0 {
            self.runner.begin();
        }
        if at == self.runner.taken() {
            (self.part, self.ran) = (at, None);
            self.take(data, board)?;
            if self.runner.taken() == self.runner.steps() {
                board.mark(Mark::FinishStart);
                let done = self.runner.finish(last);
                board.mark(Mark::FinishStop);
                done.map_err(fault)?;
                self.ran = Some(op);
            }
        } else if at != self.part || self.ran.is_some_and(|ran| ran != op) {
            return Err(Fault::Expected { step: self.runner.taken() });
        }
        match self.ran {
            None => Ok(Reply::More { next: self.runner.taken() }),
            Some(op) if last.is_some() => {
                Ok(Reply::Stopped { op, bytes: self.runner.output_of(op).map_err(fault)?.len() as u32 })
            }
            Some(_) => {
                Ok(Reply::Answer { class: self.runner.class(), scores: cut(self.runner.output().map_err(fault)?) })
            }
        }
    }

    fn take(&mut self, data: &[u8], board: &mut dyn Board) -> Result<(), Fault> {
        let mut values = [0i16; MAX_CHANNELS];
        let step = values.get_mut(..self.runner.channels()).ok_or(Fault::BadSamples)?;
        let mut samples = SampleDecoder::new(data);
        // Each turn eats at least a byte of `data`.
        while samples.next_into(step).map_err(|_| Fault::BadSamples)? {
            board.mark(Mark::PushStart);
            let taken = self.runner.push(step);
            board.mark(Mark::PushStop);
            taken.map_err(fault)?;
        }
        Ok(())
    }

    fn peek(&self, op: u8, from: u16) -> Result<Reply<'_>, Fault> {
        if self.ran != Some(op) {
            return Err(Fault::NothingThere);
        }
        let bytes = self.runner.output_of(op).map_err(fault)?;
        let data = cut(bytes.get(usize::from(from)..).ok_or(Fault::NothingThere)?);
        Ok(Reply::Bytes { from, data })
    }
}

/// The first MAX_DATA bytes: what one message holds.
fn cut(bytes: &[u8]) -> &[u8] {
    bytes.get(..MAX_DATA).unwrap_or(bytes)
}

fn fault(error: run::Error) -> Fault {
    match error {
        run::Error::WrongChannels | run::Error::WrongStep => Fault::BadSamples,
        // Neither can come after `open`: flash does not change while it is served.
        run::Error::ArenaTooSmall | run::Error::Corrupt => Fault::BadModel(artifact::Error::BadRegion as u8),
    }
}

/// A sensor on the board itself, instead of a host's samples.
impl Server<'_, '_> {
    /// Takes one time step; the class of the window that it completes.
    pub fn sense(&mut self, step: &[i16], board: &mut dyn Board) -> Option<u16> {
        let model = self.model.as_mut().ok()?;
        board.mark(Mark::PushStart);
        let taken = model.runner.push(step);
        board.mark(Mark::PushStop);
        taken.ok()?;
        if model.runner.taken() < model.runner.steps() {
            return None;
        }
        let done = model.runner.finish(None);
        let class = model.runner.class();
        model.runner.begin();
        done.ok().map(|()| class)
    }

    /// Drops what was sensed of a window.
    pub fn sense_anew(&mut self) {
        if let Ok(model) = &mut self.model {
            model.runner.begin();
        }
    }
}
