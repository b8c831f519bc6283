//! Responses, written by hand.

use super::frame::finish;
use super::{Error, Fault, Reply, Response};

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
            Reply::Hello { wire, board, firmware, slot_bytes, arena_bytes, signed, model, other, taught } => {
                self.byte(0);
                self.byte(*wire);
                self.bytes(board.as_bytes());
                self.bytes(firmware.as_bytes());
                self.word(*slot_bytes);
                self.word(*arena_bytes);
                self.byte((*signed).into());
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
                match other {
                    None => self.byte(0),
                    Some(hash) => {
                        self.byte(1);
                        self.word(*hash);
                    }
                }
                self.word((*taught).into());
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
            Reply::Received { next } => {
                self.byte(7);
                self.word(*next);
            }
            Reply::Serving { slot, model } => {
                self.byte(8);
                self.byte(*slot);
                self.word(*model);
            }
            Reply::Taught { count, free } => {
                self.byte(9);
                self.word((*count).into());
                self.word(*free);
            }
            Reply::Class { name, seen, taught } => {
                self.byte(10);
                self.bytes(name.as_bytes());
                self.byte((*seen).into());
                self.byte((*taught).into());
            }
            Reply::Drawn { done, total } => {
                self.byte(11);
                self.word((*done).into());
                self.word((*total).into());
            }
        }
    }

    #[inline(never)]
    fn fault(&mut self, fault: &Fault) {
        let (tag, word) = match *fault {
            Fault::BadFrame => (0, None),
            Fault::BadModel(code) => {
                self.byte(1);
                return self.byte(code);
            }
            Fault::ArenaTooSmall { needs } => (2, Some(needs)),
            Fault::SelfTest => (3, None),
            Fault::Expected { at } => (4, Some(at)),
            Fault::BadSamples => (5, None),
            Fault::NothingThere => (6, None),
            Fault::BadChunk => (7, None),
            Fault::TooLarge { room } => (8, Some(room)),
            Fault::Unsigned => (9, None),
            Fault::BadSignature => (10, None),
            Fault::OldModel { least } => (11, Some(least)),
            Fault::Flash => (12, None),
            Fault::Full => (13, None),
            Fault::NameTaken => (14, None),
            Fault::BadName => (15, None),
            Fault::BadClass { width } => (16, Some(width.into())),
            Fault::NotLinear => (17, None),
            Fault::NoSampler => (18, None),
        };
        self.byte(tag);
        if let Some(word) = word {
            self.word(word);
        }
    }
}
