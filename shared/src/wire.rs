//! What host and device say to each other.
//!
//! A frame is `COBS(postcard(message) ‖ CRC-32) 0x00`. A lost, added or flipped byte costs that
//! frame: the zero ends it, the CRC refuses it, and the next frame stands by itself. The host
//! numbers its requests and repeats one that is not answered; repeating any request is harmless.
//! docs/wire.md describes each message.

use serde::{Deserialize, Serialize};

/// Bumped by any change of the messages.
pub const WIRE_VERSION: u8 = 1;
/// Longest frame with its zero, both ways, bytes.
pub const MAX_FRAME: usize = 544;
/// Most bytes in a message's data field.
pub const MAX_DATA: usize = 480;

/// Host to device.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The answer bears the same number.
    pub id: u16,
    /// What is asked.
    #[serde(borrow)]
    pub ask: Ask<'a>,
}

/// What the host asks.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// Who is there, and with which model? Answered by [`Reply::Hello`].
    Hello,
    /// Time steps of an input from step `at` on, as [`encode_samples`] makes them. Step 0 begins a
    /// new input. Answered by [`Reply::More`] until the last step is there, then by
    /// [`Reply::Answer`], or by [`Reply::Stopped`] after operator `last`.
    Samples { at: u16, last: Option<u8>, data: &'a [u8] },
    /// Bytes from `from` on of what operator `op` wrote, after [`Reply::Stopped`] there. Answered by [`Reply::Bytes`].
    Peek { op: u8, from: u16 },
    /// Figures of the device since start. Answered by [`Reply::Stats`].
    Stats,
}

/// Device to host.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Of the request; 0xFFFF where the request could not be read.
    pub id: u16,
    /// The answer.
    #[serde(borrow)]
    pub reply: Reply<'a>,
}

/// [`Response::id`] where the request could not be read.
pub const NO_ID: u16 = 0xFFFF;

/// What the device answers.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Wire version, board, firmware version, capacities and the model's state.
    Hello {
        wire: u8,
        board: &'a str,
        firmware: &'a str,
        /// bytes of a model slot
        slot_bytes: u32,
        /// bytes of arena
        arena_bytes: u32,
        /// CRC-32 of the model served, or why none is
        model: Result<u32, Fault>,
    },
    /// All taken up to step `next`.
    More { next: u16 },
    /// The index of the largest score, and all scores (little-endian, of the artifact's output type).
    Answer { class: u16, scores: &'a [u8] },
    /// Operator `op` wrote `bytes` bytes.
    Stopped { op: u8, bytes: u32 },
    /// A part of an operator's output.
    Bytes { from: u16, data: &'a [u8] },
    /// Answers given, bytes lost by the receiver, frames refused, highest stack use in bytes, bytes of RAM for the stack.
    Stats { answers: u32, lost: u32, refused: u32, stack_peak: u32, stack_bytes: u32 },
    /// The request was not carried out.
    Fault(Fault),
}

/// Why a request was not carried out, or a model is not served.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The frame is no request: too long, a wrong CRC, or unknown.
    BadFrame,
    /// The artifact is refused; the number is [`artifact::Error`](crate::artifact::Error)'s.
    BadModel(u8),
    /// The model needs an arena of `needs` bytes.
    ArenaTooSmall { needs: u32 },
    /// The model's golden vectors do not come out.
    SelfTest,
    /// Samples came out of order; begin again at step 0.
    Expected { step: u16 },
    /// The samples do not decode, or have another number of channels.
    BadSamples,
    /// No such operator, or nothing of it to look at.
    NothingThere,
}

/// Why a frame was not understood or not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It does not fit the buffer.
    TooLong,
    /// Wrong COBS, CRC or message.
    Broken,
}

/// Makes the frame of `message`, with its zero, in `buffer`; a few bytes more than the frame are needed.
pub fn encode<'b, T: Serialize>(message: &T, buffer: &'b mut [u8]) -> Result<&'b [u8], Error> {
    // The body is made so far to the right that the stuffed bytes, written from the left, never reach it unread.
    let margin = 2 + buffer.len() / 254;
    let room = buffer.get_mut(margin..).ok_or(Error::TooLong)?;
    let len = postcard::to_slice(message, room).map_err(|_| Error::TooLong)?.len();
    finish(buffer, margin, len).ok_or(Error::TooLong)
}

/// [`encode`] of a response, by hand: on the device serde's encoder takes more flash, and panics if minimised.
pub fn encode_response<'b>(response: &Response<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8], Error> {
    let margin = 2 + buffer.len() / 254;
    let mut body = Body { buffer: &mut *buffer, len: margin, fits: true };
    body.response(response);
    if !body.fits {
        return Err(Error::TooLong);
    }
    let len = body.len - margin;
    finish(buffer, margin, len).ok_or(Error::TooLong)
}

/// Appends the CRC-32 to the body at `margin`, and stuffs both to the front.
fn finish(buffer: &mut [u8], margin: usize, len: usize) -> Option<&[u8]> {
    let (body, rest) = buffer.get_mut(margin..)?.split_at_mut_checked(len)?;
    *rest.first_chunk_mut()? = crate::run::checksum(body).to_le_bytes();
    let len = stuff(buffer, margin, len + 4)?;
    buffer.get(..len)
}

/// Writes postcard: a tag or u8 is a byte, a u16 or u32 a varint (7 bits a byte, lowest first), a string or
/// slice its length and its bytes.
struct Body<'b> {
    buffer: &'b mut [u8],
    len: usize,
    fits: bool,
}

impl Body<'_> {
    #[inline(never)]
    fn byte(&mut self, byte: u8) {
        match self.buffer.get_mut(self.len) {
            Some(slot) => {
                *slot = byte;
                self.len += 1;
            }
            None => self.fits = false,
        }
    }

    #[inline(never)]
    fn word(&mut self, mut word: u32) {
        while word > 127 {
            self.byte(word as u8 | 128);
            word >>= 7;
        }
        self.byte(word as u8);
    }

    #[inline(never)]
    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u32);
        for &byte in bytes {
            self.byte(byte);
        }
    }

    fn response(&mut self, response: &Response<'_>) {
        self.word(response.id.into());
        match &response.reply {
            Reply::Hello { wire, board, firmware, slot_bytes, arena_bytes, model } => {
                self.byte(0);
                self.byte(*wire);
                self.bytes(board.as_bytes());
                self.bytes(firmware.as_bytes());
                self.word(*slot_bytes);
                self.word(*arena_bytes);
                match model {
                    Ok(hash) => {
                        self.byte(0);
                        self.word(*hash);
                    }
                    Err(fault) => {
                        self.byte(1);
                        self.fault(fault);
                    }
                }
            }
            Reply::More { next } => {
                self.byte(1);
                self.word((*next).into());
            }
            Reply::Answer { class, scores } => {
                self.byte(2);
                self.word((*class).into());
                self.bytes(scores);
            }
            Reply::Stopped { op, bytes } => {
                self.byte(3);
                self.byte(*op);
                self.word(*bytes);
            }
            Reply::Bytes { from, data } => {
                self.byte(4);
                self.word((*from).into());
                self.bytes(data);
            }
            Reply::Stats { answers, lost, refused, stack_peak, stack_bytes } => {
                self.byte(5);
                for word in [answers, lost, refused, stack_peak, stack_bytes] {
                    self.word(*word);
                }
            }
            Reply::Fault(fault) => {
                self.byte(6);
                self.fault(fault);
            }
        }
    }

    #[inline(never)]
    fn fault(&mut self, fault: &Fault) {
        match fault {
            Fault::BadFrame => self.byte(0),
            Fault::BadModel(code) => {
                self.byte(1);
                self.byte(*code);
            }
            Fault::ArenaTooSmall { needs } => {
                self.byte(2);
                self.word(*needs);
            }
            Fault::SelfTest => self.byte(3),
            Fault::Expected { step } => {
                self.byte(4);
                self.word((*step).into());
            }
            Fault::BadSamples => self.byte(5),
            Fault::NothingThere => self.byte(6),
        }
    }
}

/// Reads the message of a frame (its zero may be left out); the frame's bytes are overwritten.
pub fn decode<'b, T: Deserialize<'b>>(frame: &'b mut [u8]) -> Result<T, Error> {
    let len = unstuff(frame).ok_or(Error::Broken)?;
    let bytes: &'b [u8] = frame.get(..len).ok_or(Error::Broken)?;
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(Error::Broken)?;
    if crate::run::checksum(body) != u32::from_le_bytes(*crc) {
        return Err(Error::Broken);
    }
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(Error::Broken),
    }
}

/// COBS (Cheshire and Baker 1999): `buffer[from..from + len]` becomes groups of a code byte c and c − 1 bytes
/// that are not zero, from `buffer[0]` on, each standing for its bytes and a zero (none after c = 255 and after
/// the last); a zero ends all. Gives the length with that zero. `None` where it does not fit.
fn stuff(buffer: &mut [u8], from: usize, len: usize) -> Option<usize> {
    let (mut code_at, mut code, mut to) = (0, 1u8, 1);
    for at in from..from.checked_add(len)? {
        let byte = *buffer.get(at)?;
        if byte != 0 {
            *buffer.get_mut(to)? = byte;
            to += 1;
            code = code.wrapping_add(1);
        }
        if byte == 0 || code == 255 {
            *buffer.get_mut(code_at)? = code;
            (code_at, code) = (to, 1);
            to += 1;
        }
    }
    *buffer.get_mut(code_at)? = code;
    *buffer.get_mut(to)? = 0;
    Some(to + 1)
}

/// Undoes `stuff` in place, up to the first zero or the end. Gives the length; `None` where a group breaks off.
fn unstuff(frame: &mut [u8]) -> Option<usize> {
    let (mut from, mut to) = (0, 0);
    let mut zero = false;
    while let Some(&code) = frame.get(from) {
        if code == 0 {
            break;
        }
        if zero {
            *frame.get_mut(to)? = 0;
            to += 1;
        }
        from += 1;
        for _ in 1..code {
            let byte = *frame.get(from)?;
            if byte == 0 {
                return None;
            }
            *frame.get_mut(to)? = byte;
            from += 1;
            to += 1;
        }
        zero = code != 255;
    }
    Some(to)
}

/// Collects bytes into frames. Too long a frame is dropped up to its zero.
pub struct FrameReader<const N: usize = MAX_FRAME> {
    buffer: [u8; N],
    len: usize,
    dropping: bool,
}

impl<const N: usize> FrameReader<N> {
    /// Empty.
    pub const fn new() -> Self {
        FrameReader { buffer: [0; N], len: 0, dropping: false }
    }

    /// Takes one byte. A frame's bytes where it ends with this one; `Err` where a frame was too long.
    /// Zeros between frames are nothing.
    pub fn push(&mut self, byte: u8) -> Result<Option<&mut [u8]>, Error> {
        if byte == 0 {
            let (len, dropped) = (self.len, self.dropping);
            (self.len, self.dropping) = (0, false);
            return match self.buffer.get_mut(..len) {
                _ if dropped => Err(Error::TooLong),
                Some(frame) if len > 0 => Ok(Some(frame)),
                _ => Ok(None),
            };
        }
        match self.buffer.get_mut(self.len) {
            Some(slot) => {
                *slot = byte;
                self.len += 1;
            }
            None => self.dropping = true,
        }
        Ok(None)
    }
}

impl<const N: usize> Default for FrameReader<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Codes time steps of `channels` int16 values: per channel the difference to the step before
/// (the first step as it is), zigzag, as a LEB128 varint. Slow signals take little more than a byte
/// a value. Writes whole steps as long as they fit; returns (steps, bytes).
pub fn encode_samples(samples: &[i16], channels: usize, out: &mut [u8]) -> (usize, usize) {
    let mut written = 0;
    let mut before: &[i16] = &[];
    let mut count = 0;
    if channels == 0 {
        return (0, 0);
    }
    for step in samples.chunks_exact(channels) {
        let mut at = written;
        for (c, &value) in step.iter().enumerate() {
            let difference = i32::from(value) - i32::from(before.get(c).copied().unwrap_or(0));
            let mut code = ((difference << 1) ^ (difference >> 31)) as u32;
            loop {
                let Some(slot) = out.get_mut(at) else { return (count, written) };
                at += 1;
                if code < 128 {
                    *slot = code as u8;
                    break;
                }
                *slot = code as u8 | 128;
                code >>= 7;
            }
        }
        (written, before) = (at, step);
        count += 1;
    }
    (count, written)
}

/// Decodes what [`encode_samples`] made, one time step after the other, into `step`
/// (one value a channel; it need not be cleared before the first).
pub struct SampleDecoder<'a> {
    data: &'a [u8],
    started: bool,
}

impl<'a> SampleDecoder<'a> {
    /// Of one message's data.
    pub fn new(data: &'a [u8]) -> Self {
        SampleDecoder { data, started: false }
    }

    /// `Ok(true)` with the next step in `step`, `Ok(false)` at the end, `Err` where the data break off
    /// within a step or a value leaves the int16 range.
    pub fn next_into(&mut self, step: &mut [i16]) -> Result<bool, Error> {
        if self.data.is_empty() {
            return Ok(false);
        }
        for value in step.iter_mut() {
            let mut code = 0u32;
            // 17 bits take at most three bytes.
            for shift in [0, 7, 14, 21] {
                let (&byte, rest) = self.data.split_first().ok_or(Error::Broken)?;
                self.data = rest;
                if shift == 21 {
                    return Err(Error::Broken);
                }
                code |= u32::from(byte & 127) << shift;
                if byte < 128 {
                    break;
                }
            }
            let difference = (code >> 1) as i32 ^ -((code & 1) as i32);
            let before = if self.started { i32::from(*value) } else { 0 };
            *value = i16::try_from(before + difference).map_err(|_| Error::Broken)?;
        }
        self.started = true;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn samples_round_trip(values in proptest::collection::vec(any::<i16>(), 1..300), channels in 1usize..10, room in 30usize..400) {
            let mut out = std::vec![0; room];
            let (steps, bytes) = encode_samples(&values, channels, &mut out);
            let mut decoder = SampleDecoder::new(&out[..bytes]);
            let mut step = std::vec![77i16; channels];
            let mut back = Vec::new();
            while decoder.next_into(&mut step).unwrap() { back.extend_from_slice(&step); }
            prop_assert_eq!(&back[..], &values[..steps * channels]);
            prop_assert!(steps == values.len() / channels || room - bytes < 3 * channels);
        }

        #[test]
        fn any_sample_bytes_end(data in proptest::collection::vec(any::<u8>(), 0..200), channels in 1usize..10) {
            let mut decoder = SampleDecoder::new(&data);
            let mut step = std::vec![0i16; channels];
            for _ in 0..=data.len() { if !matches!(decoder.next_into(&mut step), Ok(true)) { return Ok(()); } }
            prop_assert!(false, "more steps than bytes");
        }

        #[test]
        fn a_damaged_frame_costs_only_itself(data in proptest::collection::vec(any::<u8>(), 0..MAX_DATA), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let request = Request { id: 7, ask: Ask::Samples { at: 3, last: None, data: &data } };
            let (mut a, mut b) = ([0; MAX_FRAME], [0; MAX_FRAME]);
            let mut bytes = encode(&request, &mut a).unwrap().to_vec();
            let i = at.index(bytes.len());
            bytes[i] ^= flip;
            bytes.push(0);
            bytes.extend_from_slice(encode(&Request { id: 8, ask: Ask::Hello }, &mut b).unwrap());
            let mut reader = FrameReader::<MAX_FRAME>::new();
            let mut got = Vec::new();
            for byte in bytes {
                if let Ok(Some(frame)) = reader.push(byte) && let Ok(Request { id, .. }) = decode(frame) { got.push(id); }
            }
            prop_assert_eq!(got, std::vec![8]);
        }

        #[test]
        fn encode_response_is_encode(id in any::<u16>(), words in any::<[u32; 5]>(), halves in any::<[u16; 2]>(), byte in any::<u8>(),
            data in proptest::collection::vec(any::<u8>(), 0..=MAX_DATA), text in "[a-zé]{0,20}", room in 0usize..MAX_FRAME) {
            let [a, b, c, d, e] = words;
            let faults = [Fault::BadFrame, Fault::BadModel(byte), Fault::ArenaTooSmall { needs: a }, Fault::SelfTest,
                Fault::Expected { step: halves[0] }, Fault::BadSamples, Fault::NothingThere];
            let hello = |model| Reply::Hello { wire: byte, board: &text, firmware: "0.1.0", slot_bytes: a, arena_bytes: b, model };
            let mut replies = std::vec![
                hello(Ok(c)), Reply::More { next: halves[0] }, Reply::Answer { class: halves[0], scores: &data },
                Reply::Stopped { op: byte, bytes: d }, Reply::Bytes { from: halves[1], data: &data },
                Reply::Stats { answers: a, lost: b, refused: c, stack_peak: d, stack_bytes: e },
            ];
            replies.extend(faults.map(Reply::Fault));
            replies.extend(faults.map(|fault| hello(Err(fault))));
            for reply in replies {
                let response = Response { id, reply };
                let (mut x, mut y) = ([0; MAX_FRAME], [0; MAX_FRAME]);
                prop_assert_eq!(encode_response(&response, &mut x).unwrap(), encode(&response, &mut y).unwrap());
                // In any smaller buffer: whole, or refused.
                match (encode_response(&response, &mut x[..room]), encode(&response, &mut y[..room])) {
                    (Ok(a), Ok(b)) => prop_assert_eq!(a, b),
                    (a, b) => prop_assert_eq!(a.is_err(), b.is_err()),
                }
            }
        }

        #[test]
        fn frames_round_trip(data in proptest::collection::vec(any::<u8>(), 0..=MAX_DATA)) {
            let response = Response { id: 9, reply: Reply::Answer { class: 3, scores: &data } };
            let mut buffer = [0; MAX_FRAME];
            let mut frame = encode(&response, &mut buffer).unwrap().to_vec();
            prop_assert_eq!(frame.pop(), Some(0));
            prop_assert!(!frame.contains(&0));
            prop_assert_eq!(decode::<Response>(&mut frame).unwrap(), response);
        }
    }
}
