//! Requests and their answers, with patience.

use super::{Answer, Hello, Link, Stats, in_words};
use anyhow::{Context, Result, bail, ensure};
use smidgen_shared::wire::{self, Ask, Fault, FrameReader, MAX_DATA, MAX_FRAME, NO_ID, Reply, Request, Response};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long a board may be silent after its start.
const UP: Duration = Duration::from_secs(20);
/// Pause between two greetings: bytes that come before the firmware has its UART on are lost.
const GREETING: Duration = Duration::from_millis(200);
/// How long to wait for an answer the first time; each repeat waits twice as long, up to `LONGEST`.
const ANSWER: Duration = Duration::from_millis(400);
const LONGEST: Duration = Duration::from_secs(4);
/// How long to wait further once the board has refused a frame, perhaps an earlier one.
const REFUSED: Duration = Duration::from_millis(50);
/// How long a request is repeated before giving up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A board that answers.
pub struct Device<L> {
    frames: Frames<L>,
    id: u16,
    hello: Hello,
    repeats: u32,
}

impl<L: Link> Device<L> {
    /// Greets the board until it answers.
    pub fn connect(link: L) -> Result<Self> {
        let deadline = Instant::now() + UP;
        let mut frames = Frames { link, reader: FrameReader::new(), arrived: VecDeque::new(), frame: Vec::new() };
        let mut buffer = [0; MAX_FRAME + 1];
        let len = wire::encode(&Request { id: 0, ask: Ask::Hello }, &mut buffer[1..]).map_or(0, |frame| frame.len());
        while Instant::now() < deadline {
            // The zero in front ends whatever the board may have caught so far.
            frames.link.send(&buffer[..=len])?;
            let until = Instant::now() + GREETING;
            while frames.next(until)? {
                if let Ok(Response { reply, .. }) = wire::decode(&mut frames.frame)
                    && let Some(hello) = read_hello(&reply)?
                {
                    return Ok(Device { frames, id: 0, hello, repeats: 0 });
                }
            }
        }
        bail!("the board has not answered for {} s: it may run other firmware, or have stopped", UP.as_secs())
    }

    /// What the board said of itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Asks it anew what it is.
    pub fn greet(&mut self) -> Result<&Hello> {
        let hello = read_hello(&self.ask(Ask::Hello)?)?;
        self.hello = hello.context("the board answered a greeting with something else")?;
        Ok(&self.hello)
    }

    /// Requests that had to be repeated so far.
    pub fn repeats(&self) -> u32 {
        self.repeats
    }

    /// Asks, again if need be, and gives the reply, which is never a fault.
    pub fn ask(&mut self, ask: Ask) -> Result<Reply<'_>> {
        let board = self.hello.board.clone();
        match self.ask_or_fault(ask)? {
            Ok(reply) => Ok(reply),
            Err(fault) => bail!("{board} refuses: {}", in_words(fault)),
        }
    }

    /// Asks, again if need be: the reply, or the fault that the board gives instead.
    pub fn ask_or_fault(&mut self, ask: Ask) -> Result<Result<Reply<'_>, Fault>> {
        let board = self.hello.board.clone();
        match self.try_to_ask(ask, usize::MAX)? {
            Some(outcome) => Ok(outcome),
            None => bail!("{board} has not answered for {} s; it may have stopped: start it again", PATIENCE.as_secs()),
        }
    }

    /// Asks at most `tries` times, and no longer than patience lasts; nothing where no answer came.
    pub fn try_to_ask(&mut self, ask: Ask, tries: usize) -> Result<Option<Result<Reply<'_>, Fault>>> {
        // 1 … 0xFFFE: 0 was the greeting's number, 0xFFFF means "unreadable".
        self.id = if self.id >= NO_ID - 1 { 1 } else { self.id + 1 };
        // The zero in front ends whatever came before.
        let mut buffer = [0; MAX_FRAME + 1];
        let Ok(len) = wire::encode(&Request { id: self.id, ask }, &mut buffer[1..]).map(|frame| frame.len()) else {
            bail!("the request is longer than a frame of {MAX_FRAME} bytes; send the input in smaller parts");
        };
        let give_up = Instant::now() + PATIENCE;
        let mut wait = ANSWER;
        for _ in 0..tries {
            if Instant::now() >= give_up {
                break;
            }
            self.frames.link.send(&buffer[..=len])?;
            if !self.answered(Instant::now() + wait, &mut wait)? {
                self.repeats += 1;
                continue;
            }
            return match wire::decode::<Response>(&mut self.frames.frame) {
                Ok(Response { reply: Reply::Fault(fault), .. }) => Ok(Some(Err(fault))),
                Ok(Response { reply, .. }) => Ok(Some(Ok(reply))),
                Err(_) => bail!("{}: an answer changed while it was read", self.hello.board),
            };
        }
        Ok(None)
    }

    /// Waits for the answer to the current request, which then is in `frames.frame`. False if it should be asked
    /// again, and `wait` longer then unless the board refused the frame.
    fn answered(&mut self, mut until: Instant, wait: &mut Duration) -> Result<bool> {
        let mut refused = false;
        while self.frames.next(until)? {
            match wire::decode::<Response>(&mut self.frames.frame.clone()) {
                Ok(response) if response.id == self.id => return Ok(true),
                Ok(Response { id: NO_ID, reply: Reply::Fault(Fault::BadFrame) }) => {
                    refused = true;
                    until = until.min(Instant::now() + REFUSED);
                }
                // An answer to an earlier repeat, or damaged.
                _ => {}
            }
        }
        if !refused {
            *wait = (*wait * 2).min(LONGEST);
        }
        Ok(false)
    }

    /// Runs the model on one input: `samples` (steps, channels), all its time steps.
    pub fn infer(&mut self, samples: &[i16], channels: usize) -> Result<Answer> {
        match self.feed(samples, channels, None)? {
            Reply::Answer { class, scores } => Ok(Answer { class, scores: scores.to_vec() }),
            other => bail!("an answer was expected, {other:?} came"),
        }
    }

    /// Runs the model on one input up to operator `op` and gives the bytes that it wrote.
    pub fn infer_until(&mut self, samples: &[i16], channels: usize, op: u8) -> Result<Vec<u8>> {
        let total = self.stop_after(samples, channels, op)?;
        let mut output = Vec::with_capacity(total);
        while output.len() < total {
            match self.ask(Ask::Peek { op, from: u16::try_from(output.len())? })? {
                Reply::Bytes { data, .. } if !data.is_empty() => output.extend_from_slice(data),
                other => bail!("bytes of operator {op} from {} on were expected, {other:?} came", output.len()),
            }
        }
        Ok(output)
    }

    /// Runs the model on one input up to operator `op`; how many bytes that wrote.
    pub fn stop_after(&mut self, samples: &[i16], channels: usize, op: u8) -> Result<usize> {
        match self.feed(samples, channels, Some(op))? {
            Reply::Stopped { bytes, .. } => Ok(bytes as usize),
            other => bail!("a stop after operator {op} was expected, {other:?} came"),
        }
    }

    /// Sends an input in parts; the reply to the last.
    fn feed(&mut self, samples: &[i16], channels: usize, last: Option<u8>) -> Result<Reply<'_>> {
        ensure!(
            channels > 0 && !samples.is_empty() && samples.len().is_multiple_of(channels),
            "an input of {} values does not divide into steps of {channels} channels",
            samples.len()
        );
        let steps = samples.len() / channels;
        let mut at = 0;
        loop {
            let mut data = [0; MAX_DATA];
            let (taken, bytes) = wire::encode_samples(&samples[at * channels..], channels, &mut data);
            ensure!(taken > 0, "a step of {channels} channels does not fit a message");
            let ask = Ask::Samples { at: u16::try_from(at)?, last, data: &data[..bytes] };
            at += taken;
            if at == steps {
                return self.ask(ask);
            }
            match self.ask(ask)? {
                Reply::More { next } if usize::from(next) == at => {}
                other => bail!(
                    "after step {at} of {steps} more was expected to be asked for, {other:?} came: does the model take as many steps?"
                ),
            }
        }
    }

    /// The board's figures.
    pub fn stats(&mut self) -> Result<Stats> {
        match self.ask(Ask::Stats)? {
            Reply::Stats { answers, lost, refused, stack_peak, stack_bytes } => {
                Ok(Stats { answers, lost, refused, stack_peak, stack_bytes })
            }
            other => bail!("figures were expected, {other:?} came"),
        }
    }

    /// The same board, whatever its link.
    pub fn boxed(self) -> Device<Box<dyn Link>>
    where
        L: 'static,
    {
        let Frames { link, reader, arrived, frame } = self.frames;
        let frames = Frames { link: Box::new(link) as Box<dyn Link>, reader, arrived, frame };
        Device { frames, id: self.id, hello: self.hello, repeats: self.repeats }
    }

    /// The link back, for instance to stop QEMU and read its counts.
    pub fn into_link(self) -> L {
        self.frames.link
    }

    /// The link, for tests that disturb it.
    pub fn link(&mut self) -> &mut L {
        &mut self.frames.link
    }
}

/// What a greeting's answer says; `None` if it is another reply.
fn read_hello(reply: &Reply<'_>) -> Result<Option<Hello>> {
    let &Reply::Hello { wire, board, firmware, slot_bytes, arena_bytes, signed, model, other, taught } = reply else {
        return Ok(None);
    };
    ensure!(
        wire == wire::WIRE_VERSION,
        "{board} speaks version {wire} of the wire protocol, this program {}: build and load its firmware anew",
        wire::WIRE_VERSION
    );
    let (board, firmware) = (board.to_owned(), firmware.to_owned());
    Ok(Some(Hello { board, firmware, slot_bytes, arena_bytes, signed, model, other, taught }))
}

/// Cuts what arrives into frames.
struct Frames<L> {
    link: L,
    reader: FrameReader<MAX_FRAME>,
    /// Bytes that came after the latest frame.
    arrived: VecDeque<u8>,
    /// The latest frame.
    frame: Vec<u8>,
}

impl<L: Link> Frames<L> {
    /// Reads until a frame is complete; false once `until` has come, by the board's time.
    fn next(&mut self, mut until: Instant) -> Result<bool> {
        loop {
            while let Some(byte) = self.arrived.pop_front() {
                if let Ok(Some(frame)) = self.reader.push(byte) {
                    self.frame.clear();
                    self.frame.extend_from_slice(frame);
                    return Ok(true);
                }
            }
            let patience = until.saturating_duration_since(Instant::now());
            if patience.is_zero() {
                return Ok(false);
            }
            let mut bytes = [0; 256];
            let count = self.link.receive(&mut bytes, patience)?;
            until += self.link.stood_still();
            self.arrived.extend(&bytes[..count]);
        }
    }
}
