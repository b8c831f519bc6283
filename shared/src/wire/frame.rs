//! Frames: `COBS(postcard(message) ‖ CRC-32) 0x00`, made and found again in a stream of bytes.

use super::MAX_FRAME;
use serde::{Deserialize, Serialize};

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

/// Appends the CRC-32 to the body at `margin`, and stuffs both to the front.
pub(super) fn finish(buffer: &mut [u8], margin: usize, len: usize) -> Option<&[u8]> {
    let (body, rest) = buffer.get_mut(margin..)?.split_at_mut_checked(len)?;
    *rest.first_chunk_mut()? = crate::run::checksum(body).to_le_bytes();
    let len = stuff(buffer, margin, len + 4)?;
    buffer.get(..len)
}

/// CRC-32 (ISO-HDLC) of bytes that come in parts: that of frames, for records that the device keeps.
pub struct Crc(crc::Digest<'static, u32, crc::NoTable>);

impl Crc {
    /// Of nothing yet.
    #[expect(clippy::new_without_default, reason = "one way to make it is enough")]
    pub fn new() -> Self {
        Crc(crate::fixed::CRC.digest())
    }

    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all that was added.
    pub fn value(self) -> u32 {
        self.0.finalize()
    }
}

/// CRC-32 of `parts`, one after the other.
pub fn crc(parts: &[&[u8]]) -> u32 {
    let mut digest = Crc::new();
    for part in parts {
        digest.add(part);
    }
    digest.value()
}

/// Reads the message of a frame (its zero may be left out); the frame's bytes are overwritten.
pub fn decode<'b, T: Deserialize<'b>>(frame: &'b mut [u8]) -> Result<T, Error> {
    let len = unstuff(frame).ok_or(Error::Broken)?;
    let bytes: &'b [u8] = frame.get(..len).ok_or(Error::Broken)?;
    // Not `split_last_chunk`, whose panic a core's compiler may not see is never reached.
    let (body, crc) = len.checked_sub(4).and_then(|at| bytes.split_at_checked(at)).ok_or(Error::Broken)?;
    if *crc != crate::run::checksum(body).to_le_bytes() {
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
