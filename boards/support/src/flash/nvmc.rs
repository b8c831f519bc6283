//! Non-volatile memory controller of the nRF51 (Nordic, nRF51 Series Reference Manual, chapter 6).

use super::Driver;
use crate::Registers;
use smidgen_firmware::FlashError;

const READY: usize = 0x400;
const CONFIG: usize = 0x504;
const CONFIG_READ: u32 = 0;
const CONFIG_WRITE: u32 = 1;
const CONFIG_ERASE: u32 = 2;
const ERASE_PAGE: usize = 0x508;

pub struct Nvmc(Registers);

impl Nvmc {
    /// # Safety
    /// As for `Registers::at`: an nRF51 NVMC is at `base`; code flash begins at address 0 and is written by it alone.
    pub const unsafe fn at(base: usize) -> Self {
        // SAFETY: the caller's promise.
        Nvmc(unsafe { Registers::at(base) })
    }

    fn ready(&self) {
        self.0.wait(|r| r.read(READY) & 1 != 0);
    }
}

impl Driver for Nvmc {
    fn erase(&self, address: usize, _page: usize) -> Result<(), FlashError> {
        self.0.write(CONFIG, CONFIG_ERASE);
        self.ready();
        self.0.write(ERASE_PAGE, address as u32);
        self.ready();
        self.0.write(CONFIG, CONFIG_READ);
        self.ready();
        Ok(())
    }

    fn write(&self, address: usize, bytes: &[u8]) -> Result<(), FlashError> {
        self.0.write(CONFIG, CONFIG_WRITE);
        self.ready();
        // SAFETY: words of flash, which the controller takes as writes while CONFIG says so; a stretch's
        // part lies inside code flash.
        let flash = unsafe { Registers::at(address) };
        for (i, word) in bytes.as_chunks::<4>().0.iter().enumerate() {
            flash.write(4 * i, u32::from_le_bytes(*word));
            self.ready();
        }
        self.0.write(CONFIG, CONFIG_READ);
        self.ready();
        Ok(())
    }
}
