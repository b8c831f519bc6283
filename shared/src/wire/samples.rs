//! How time steps of samples are coded: differences, zigzag, LEB128.

use super::Error;

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
