//! Any flash driver of a HAL: embedded-storage's `NorFlash`, which counts from the start of flash.

use super::Driver;
use core::cell::RefCell;
use embedded_storage::nor_flash::NorFlash;
use smidgen_firmware::FlashError;

/// `flash`, memory-mapped from address `origin` on.
pub struct Nor<F> {
    flash: RefCell<F>,
    origin: usize,
}

impl<F: NorFlash> Nor<F> {
    pub const fn new(flash: F, origin: usize) -> Self {
        Nor { flash: RefCell::new(flash), origin }
    }

    fn offset(&self, address: usize) -> Result<u32, FlashError> {
        address.checked_sub(self.origin).and_then(|at| u32::try_from(at).ok()).ok_or(FlashError)
    }
}

impl<F: NorFlash> Driver for Nor<F> {
    fn erase(&self, address: usize, page: usize) -> Result<(), FlashError> {
        let from = self.offset(address)?;
        let to = from.checked_add(page as u32).ok_or(FlashError)?;
        self.flash.try_borrow_mut().map_err(|_| FlashError)?.erase(from, to).map_err(|_| FlashError)
    }

    fn write(&self, address: usize, bytes: &[u8]) -> Result<(), FlashError> {
        let at = self.offset(address)?;
        self.flash.try_borrow_mut().map_err(|_| FlashError)?.write(at, bytes).map_err(|_| FlashError)
    }
}
