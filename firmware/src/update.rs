//! A new model comes into the slot that is not served: header first, kept in RAM; then the rest, page by page;
//! the header is written last, once all is there. Only then can the slot hold a model, and only a record in the
//! store, written after the model has passed every check, makes it the one that is served.

use crate::{Flash, MAX_WRITE, Trust};
use smidgen_shared::{
    artifact::{self, HEADER_BYTES},
    wire::Fault,
};

/// A model under way.
pub(crate) struct Transfer {
    header: [u8; HEADER_BYTES],
    total: usize,
    crc: u32,
    /// The byte to go on with; 0 where none is under way.
    next: usize,
}

/// The model of another slot is to be served; whose request that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub id: u16,
    pub slot: usize,
}

impl Transfer {
    pub const NONE: Transfer = Transfer { header: [0; HEADER_BYTES], total: 0, crc: 0, next: 0 };

    /// Takes a model's header; the byte to go on with. The same header again goes on where it was.
    /// Nothing is lost by one that is refused.
    #[inline(never)]
    pub fn begin(&mut self, header: &[u8], slot: &mut dyn Flash, trust: Trust, least: u32) -> Result<u32, Fault> {
        let header: &[u8; HEADER_BYTES] = header.try_into().map_err(|_| Fault::BadChunk)?;
        let named = artifact::named(header).map_err(|error| Fault::BadModel(error as u8))?;
        let room = slot.bytes().len() as u32;
        if named.total > room {
            return Err(Fault::TooLarge { room });
        }
        if named.total < HEADER_BYTES as u32 {
            return Err(Fault::BadModel(artifact::Error::Truncated as u8));
        }
        if trust.verify.is_some() && !named.signed {
            return Err(Fault::Unsigned);
        }
        if named.counter < least {
            return Err(Fault::OldModel { least });
        }
        if self.next == 0 || self.header != *header {
            self.next = 0;
            slot.erase(0).map_err(|_| Fault::Flash)?;
            *self = Transfer { header: *header, total: named.total as usize, crc: named.crc, next: HEADER_BYTES };
        }
        Ok(self.next as u32)
    }

    /// Takes bytes from `at` on; the byte to go on with. The latest ones again change nothing.
    #[inline(never)]
    pub fn chunk(&mut self, at: u32, data: &[u8], slot: &mut dyn Flash) -> Result<u32, Fault> {
        if self.next == 0 {
            return Err(Fault::NothingThere);
        }
        let at = at as usize;
        let end = at.saturating_add(data.len());
        let ragged = !data.len().is_multiple_of(MAX_WRITE) && end != self.total;
        if data.is_empty() || ragged || at < HEADER_BYTES || end > self.total {
            return Err(Fault::BadChunk);
        }
        if at != self.next {
            return if end == self.next { Ok(self.next as u32) } else { Err(Fault::Expected { at: self.next as u32 }) };
        }
        self.next = 0;
        let page = slot.page_bytes();
        for (i, bytes) in data.chunks(MAX_WRITE).enumerate() {
            let at = at.saturating_add(i.saturating_mul(MAX_WRITE));
            if at & page.wrapping_sub(1) == 0 || !page.is_power_of_two() && at % page.max(1) == 0 {
                slot.erase(at).map_err(|_| Fault::Flash)?;
            }
            let mut unit = [0xFF; MAX_WRITE];
            for (to, from) in unit.iter_mut().zip(bytes) {
                *to = *from;
            }
            slot.write(at, &unit).map_err(|_| Fault::Flash)?;
        }
        self.next = end;
        Ok(end as u32)
    }

    /// Writes the header of `model`, if all of it is there; whether it was.
    pub fn finish(&mut self, model: u32, slot: &mut dyn Flash) -> Result<bool, Fault> {
        if self.next == 0 || self.crc != model || self.next != self.total {
            return Ok(false);
        }
        self.next = 0;
        slot.write(0, &self.header).map_err(|_| Fault::Flash)?;
        Ok(true)
    }
}
