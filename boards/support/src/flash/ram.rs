//! Memory of an emulated board that is written as RAM is, where QEMU has no flash controller for the chip.

use super::Driver;
use crate::Registers;
use smidgen_firmware::FlashError;

/// RAM at `from..to`; whatever lies elsewhere can only be read.
pub struct Ram {
    from: usize,
    to: usize,
}

impl Ram {
    /// # Safety
    /// `from..to` is writable memory, and no object of Rust's lies in those parts that stretches are made of.
    pub const unsafe fn new(from: usize, to: usize) -> Self {
        Ram { from, to }
    }

    fn words(&self, address: usize, len: usize) -> Result<Registers, FlashError> {
        if address < self.from || address + len > self.to {
            return Err(FlashError);
        }
        // SAFETY: inside what `new` promised.
        Ok(unsafe { Registers::at(address) })
    }
}

impl Driver for Ram {
    fn erase(&self, address: usize, page: usize) -> Result<(), FlashError> {
        let words = self.words(address, page)?;
        for at in (0..page).step_by(4) {
            words.write(at, u32::MAX);
        }
        Ok(())
    }

    fn write(&self, address: usize, bytes: &[u8]) -> Result<(), FlashError> {
        let words = self.words(address, bytes.len())?;
        for (i, word) in bytes.as_chunks::<4>().0.iter().enumerate() {
            words.write(4 * i, u32::from_le_bytes(*word));
        }
        Ok(())
    }
}
