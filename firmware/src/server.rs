//! Answers requests, one byte of input at a time, for as long as one model is served.
//!
//! bytes → frame → `Request` → the model's `Runner` → `Response` → frame. A frame that is no request is
//! answered by a fault and costs itself alone. A model that is not sound is reported and never run.
//! Repeating a request is harmless: the latest part of an input, the latest piece of a model, a class that was
//! taught already are answered again without being taken twice.

use crate::{
    Board, Flash, Memory, Storage, Trust,
    memory::State,
    model::{Model, Step},
    store::{Active, Store},
    taught,
    update::Turn,
};
use smidgen_shared::{
    artifact,
    explain::{MAX_TERMS, Taught},
    kernel::arch::FLOAT,
    teach,
    wire::{self, Ask, Fault, FrameReader, MAX_DATA, MAX_FRAME, NO_ID, Reply, Request, Response},
};

/// Serves the model of one slot (`'s`), and fills the other.
pub struct Session<'s> {
    reader: &'s mut FrameReader<MAX_FRAME>,
    reply: &'s mut [u8; MAX_FRAME],
    scratch: &'s mut [u8; MAX_DATA],
    state: &'s mut State,
    model: Result<Model<'s, 's>, Fault>,
    /// The slot that is served.
    slot: usize,
    /// The other one.
    spare: &'s mut dyn Flash,
    store: Store<'s>,
    trust: Trust,
    /// The least counter that a model may have.
    least: u32,
    arena_bytes: u32,
    /// Steps of the board's own sensor since a host last asked the model something.
    quiet: u16,
}

/// Steps for which the sensor leaves the model to a host that asked something: a second at 50 Hz.
const QUIET: u16 = 50;

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// It does.
    Serve,
    /// Another model may be served now: open a new session.
    Reopen,
}

impl<'s> Session<'s> {
    /// Finds the model to serve: the one that was just received, else the one recorded, else the one in slot A; where
    /// that is not sound, the one in the other slot. The slots may hold anything.
    // Not inlined, as others below: what one request needs of the stack is free for the next.
    #[inline(never)]
    pub fn open<const WORDS: usize>(
        storage: &'s mut Storage<'_>,
        trust: Trust,
        memory: &'s mut Memory<WORDS>,
        board: &mut dyn Board,
    ) -> Self {
        let Storage { slots: [a, b], store } = storage;
        let mut store = Store::open(&mut **store);
        let active = store.active();
        let least = active.map_or(0, |active| if trust.monotonic { active.counter } else { 0 });
        let turn = memory.state.turn.take();
        let recorded = active.map_or(0, |active| usize::from(active.slot));
        let preferred = turn.map_or(recorded, |turn| turn.slot);
        let models = [hash(a.bytes()), hash(b.bytes())];
        let mut check = |slot: usize| {
            let bytes = if slot == 0 { a.bytes() } else { b.bytes() };
            Model::check(bytes, &mut memory.arena, trust, least)
        };
        let mut slot = preferred;
        let mut outcome = check(slot);
        if let Ok(counter) = outcome {
            let known = active.map_or(0, |active| active.counter);
            if turn.is_some() || trust.monotonic && counter > known {
                let record = Active { slot: slot as u8, counter: counter.max(known) };
                // From this record on the new model is the one that is served.
                if store.set_active(record, models).is_err() && turn.is_some() {
                    outcome = Err(Fault::Flash);
                }
            }
        }
        // What a failed turn is answered.
        let refused = outcome.err();
        if refused.is_some() && check(1 - preferred).is_ok() {
            slot = 1 - preferred;
        }
        let (served, spare): (&'s dyn Flash, &'s mut dyn Flash) =
            if slot == 0 { (&**a, &mut **b) } else { (&**b, &mut **a) };
        let model = match refused {
            Some(fault) if slot == preferred => Err(fault),
            _ => Model::open(served.bytes(), &mut memory.arena),
        };
        let least = store.active().map_or(0, |active| if trust.monotonic { active.counter } else { 0 });
        let session = Session {
            reader: &mut memory.reader,
            reply: &mut memory.reply,
            scratch: &mut memory.scratch,
            state: &mut memory.state,
            model,
            slot,
            spare,
            store,
            trust,
            least,
            arena_bytes: (4 * WORDS) as u32,
            quiet: QUIET,
        };
        if let Some(Turn { id, .. }) = turn {
            let reply = match (refused, session.model_hash()) {
                (None, Some(model)) => Reply::Serving { slot: slot as u8, model },
                (fault, _) => Reply::Fault(fault.unwrap_or(Fault::SelfTest)),
            };
            if let Ok(frame) = wire::encode_response(&Response { id, reply }, session.reply) {
                board.write(frame);
            }
        }
        session
    }

    fn model_hash(&self) -> Option<u32> {
        self.model.as_ref().ok().map(|model| model.runner.artifact().hash())
    }

    /// Takes one received byte; where it ends a frame, the answer goes out over `board`.
    #[inline(never)]
    pub fn feed(&mut self, byte: u8, board: &mut dyn Board) -> Next {
        let request = match self.reader.push(byte) {
            Ok(None) => return Next::Serve,
            Ok(Some(frame)) => wire::decode(frame),
            Err(too_long) => Err(too_long),
        };
        let response = match request {
            Ok(Request { id, ask }) => {
                let models =
                    [self.model.as_ref().map_or(0, |model| model.runner.artifact().hash()), hash(self.spare.bytes())];
                let reply = match (ask, &mut self.model) {
                    (Ask::Hello, model) => Reply::Hello {
                        wire: wire::WIRE_VERSION,
                        board: board.name(),
                        firmware: env!("CARGO_PKG_VERSION"),
                        slot_bytes: self.spare.bytes().len() as u32,
                        arena_bytes: self.arena_bytes,
                        signed: self.trust.verify.is_some(),
                        model: model.as_ref().map(|_| models[0]).map_err(|fault| *fault),
                        other: artifact::named(self.spare.bytes()).ok().map(|named| named.crc),
                        taught: if model.is_ok() { self.store.classes(models[0]).count() as u16 } else { 0 },
                    },
                    (Ask::Stats, _) => Reply::Stats {
                        answers: self.state.answers,
                        lost: board.lost_bytes(),
                        refused: self.state.refused,
                        stack_peak: board.stack_peak(),
                        stack_bytes: board.stack_bytes(),
                    },
                    (Ask::Begin { header }, _) => {
                        received(self.state.transfer.begin(header, self.spare, self.trust, self.least))
                    }
                    (Ask::Chunk { at, data }, _) => received(self.state.transfer.chunk(at, data, self.spare)),
                    (Ask::Commit { model: wanted }, model) => match self.state.transfer.finish(wanted, self.spare) {
                        Err(fault) => Reply::Fault(fault),
                        Ok(false) if model.is_ok() && models[0] == wanted => {
                            Reply::Serving { slot: self.slot as u8, model: wanted }
                        }
                        Ok(false) if models[1] != wanted => Reply::Fault(Fault::NothingThere),
                        _ => {
                            self.state.turn = Some(Turn { id, slot: 1 - self.slot });
                            return Next::Reopen;
                        }
                    },
                    (ask, Ok(model)) => {
                        self.quiet = 0;
                        of_model(model, ask, &mut self.store, self.scratch, models, board).unwrap_or_else(Reply::Fault)
                    }
                    (_, Err(fault)) => Reply::Fault(*fault),
                };
                if matches!(reply, Reply::Answer { .. }) {
                    self.state.answers = self.state.answers.saturating_add(1);
                }
                Response { id, reply }
            }
            Err(_) => {
                self.state.refused = self.state.refused.saturating_add(1);
                Response { id: NO_ID, reply: Reply::Fault(Fault::BadFrame) }
            }
        };
        // Every reply fits: its data are cut to MAX_DATA. One that did not would be left out, and asked for again.
        if let Ok(frame) = wire::encode_response(&response, self.reply) {
            board.write(frame);
        }
        Next::Serve
    }
}

/// A sensor on the board itself. A host's input comes first: the two never mix.
impl Session<'_> {
    /// Takes one time step of the board's sensor; the class, taught ones included, of the window that it completes.
    pub fn sense(&mut self, step: &[i16], board: &mut dyn Board) -> Option<u16> {
        self.quiet = self.quiet.saturating_add(1);
        let model = self.model.as_mut().ok()?;
        if self.quiet <= QUIET || !model.sense(step, board).ok()? {
            return None;
        }
        let class = match taught::answer(model, &self.store, self.scratch) {
            Ok(Reply::Answer { class, .. }) => Some(class),
            _ => None,
        };
        model.leave();
        class
    }

    /// Drops what was sensed of a window: steps are missing.
    pub fn sense_anew(&mut self) {
        if let Ok(model) = &mut self.model {
            model.leave();
        }
    }
}

/// What needs a model.
#[inline(never)]
fn of_model<'r>(
    model: &'r mut Model<'_, '_>,
    ask: Ask<'_>,
    store: &'r mut Store<'_>,
    scratch: &'r mut [u8; MAX_DATA],
    models: [u32; 2],
    board: &mut dyn Board,
) -> Result<Reply<'r>, Fault> {
    match ask {
        Ask::Samples { at, last, data } => match model.samples(at, last, data, board)? {
            Step::Reply(reply) => Ok(reply),
            Step::Answer => taught::answer(model, store, scratch),
        },
        Ask::Peek { op, from } => model.peek(op, from),
        Ask::Teach { name, attributes } => taught::teach(model, store, name, attributes, models),
        Ask::Forget { name } => taught::forget(model, store, name, models),
        Ask::Class { index } => taught::class(model, store, index),
        Ask::Explain { class, from } => explain(model, class, from, store, scratch, models),
        // Known when compiled: where there is no f32 nothing of samplers is linked.
        Ask::Draw { .. } if !FLOAT => Err(Fault::NoSampler),
        Ask::Draw { label, seed, evaluations } => model.draw(label, seed, evaluations, board),
        // The others are answered whether there is a model or not.
        _ => Err(Fault::BadFrame),
    }
}

/// Terms of a score.
#[inline(never)]
fn explain<'r>(
    model: &Model<'_, '_>,
    class: u16,
    from: u16,
    store: &Store<'_>,
    scratch: &'r mut [u8; MAX_DATA],
    models: [u32; 2],
) -> Result<Reply<'r>, Fault> {
    let own = usize::from(model.runner.artifact().manifest().class_count);
    let taught = match usize::from(class).checked_sub(own) {
        None => None,
        Some(behind) => {
            let class = store.classes(models[0]).nth(behind).ok_or(Fault::NothingThere)?;
            Some(Taught { weights: teach::int8(class.weights), row: class.row })
        }
    };
    let mut terms = [0i32; MAX_TERMS];
    let count = model.explain(class, taught, from, &mut terms)?;
    for (to, term) in scratch.as_chunks_mut().0.iter_mut().zip(terms) {
        *to = term.to_le_bytes();
    }
    Ok(Reply::Bytes { from, data: scratch.get(..4 * count).unwrap_or(&[]) })
}

fn received(next: Result<u32, Fault>) -> Reply<'static> {
    next.map_or_else(Reply::Fault, |next| Reply::Received { next })
}

/// The CRC-32 that the header in a slot names; 0 where there is none.
fn hash(slot: &[u8]) -> u32 {
    artifact::named(slot).map_or(0, |named| named.crc)
}
