//! Flash as board.toml lays it out: stretches that are read in place, and the drivers that write them.
//!
//! A driver knows one flash memory by addresses; a [`Stretch`] is a part of it. Real boards use [`nor::Nor`] over
//! their HAL's `embedded_storage::nor_flash::NorFlash`.

pub mod nor;
pub mod nvmc;
pub mod ram;

use smidgen_firmware::{Flash, FlashError};

/// Erases and writes a memory-mapped flash. Interrupts may come meanwhile.
pub trait Driver {
    /// Erases the page at `address`.
    fn erase(&self, address: usize, page: usize) -> Result<(), FlashError>;
    /// Writes whole units at `address`.
    fn write(&self, address: usize, bytes: &[u8]) -> Result<(), FlashError>;
}

/// A part of flash, from board.toml. `page` and `unit`: bytes erased and written at once.
#[derive(Clone, Copy)]
pub struct Place {
    pub at: usize,
    pub bytes: usize,
    pub page: usize,
    pub unit: usize,
}

/// Written by the build from board.toml.
pub struct Layout {
    pub name: &'static str,
    /// Model slots A and B.
    pub slots: [Place; 2],
    /// The firmware's records.
    pub store: Place,
}

impl Layout {
    /// The three stretches over one driver.
    ///
    /// # Safety
    /// As for [`Stretch::new`], for each of the places: to be called once.
    pub unsafe fn stretches<'d>(&self, driver: &'d dyn Driver) -> [Stretch<'d>; 3] {
        // SAFETY: the caller's promise.
        [self.slots[0], self.slots[1], self.store].map(|place| unsafe { Stretch::new(driver, place) })
    }
}

/// A place and its driver: what the firmware calls a flash.
pub struct Stretch<'d> {
    driver: &'d dyn Driver,
    place: Place,
}

impl<'d> Stretch<'d> {
    /// # Safety
    /// `place` is readable memory at a multiple of 16 that no other object lies in and that nothing but this value
    /// writes from here on: no two stretches overlap. Every bit pattern is a `u8`.
    pub unsafe fn new(driver: &'d dyn Driver, place: Place) -> Self {
        Stretch { driver, place }
    }

    fn part(&self, at: usize, len: usize) -> Result<usize, FlashError> {
        let end = at.checked_add(len).ok_or(FlashError)?;
        if end <= self.place.bytes { Ok(self.place.at + at) } else { Err(FlashError) }
    }
}

impl Flash for Stretch<'_> {
    fn bytes(&self) -> &[u8] {
        // SAFETY: `new` promised readable memory; `erase` and `write` take `&mut self`, so it stands still as long
        // as this slice lives.
        unsafe { core::slice::from_raw_parts(self.place.at as *const u8, self.place.bytes) }
    }
    fn page_bytes(&self) -> usize {
        self.place.page
    }
    fn write_bytes(&self) -> usize {
        self.place.unit
    }
    fn erase(&mut self, at: usize) -> Result<(), FlashError> {
        let address = self.part(at, self.place.page)?;
        self.driver.erase(address, self.place.page)
    }
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), FlashError> {
        let address = self.part(at, bytes.len())?;
        self.driver.write(address, bytes)
    }
}
