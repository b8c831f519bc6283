//! Flash that is RAM, for tests on the host: as strict as NOR flash is, and its power can fail at any operation.

use crate::{Flash, FlashError};
use core::cell::Cell;

/// The supply of all stretches that share it. An operation is the erase of a page or the write of a unit.
pub struct Power {
    left: Cell<u32>,
    done: Cell<u32>,
    on: Cell<bool>,
}

impl Power {
    /// On, for ever.
    pub const fn new() -> Self {
        Power { left: Cell::new(u32::MAX), done: Cell::new(0), on: Cell::new(true) }
    }

    /// Fails in the midst of the operation after `operations` more: that one is carried out by half, the later
    /// ones not at all.
    pub fn cut_after(&self, operations: u32) {
        self.left.set(operations);
    }

    /// Is back.
    pub fn restore(&self) {
        self.left.set(u32::MAX);
        self.on.set(true);
    }

    /// Whether it has not failed.
    pub fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Operations carried out so far, the torn ones not counted.
    pub fn operations(&self) -> u32 {
        self.done.get()
    }
}

impl Default for Power {
    fn default() -> Self {
        Self::new()
    }
}

/// A stretch over `bytes`, which should start at a multiple of 16.
pub struct RamFlash<'a> {
    bytes: &'a mut [u8],
    page: usize,
    unit: usize,
    power: &'a Power,
}

impl<'a> RamFlash<'a> {
    /// Pages of `page` and units of `unit` bytes, which divide the length of `bytes`.
    pub fn new(bytes: &'a mut [u8], page: usize, unit: usize, power: &'a Power) -> Self {
        RamFlash { bytes, page, unit, power }
    }

    /// Carries out one operation on `at..at + len`; the first half of it where power fails.
    fn operate(&mut self, at: usize, len: usize, mut change: impl FnMut(usize, &mut u8)) -> Result<(), FlashError> {
        if !self.power.is_on() {
            return Err(FlashError);
        }
        let torn = self.power.left.get() == 0;
        let reach = if torn { len / 2 } else { len };
        for (i, byte) in self.bytes.iter_mut().skip(at).take(reach).enumerate() {
            change(i, byte);
        }
        if torn {
            self.power.on.set(false);
            return Err(FlashError);
        }
        self.power.left.set(self.power.left.get() - 1);
        self.power.done.set(self.power.done.get().saturating_add(1));
        Ok(())
    }
}

impl Flash for RamFlash<'_> {
    fn bytes(&self) -> &[u8] {
        self.bytes
    }
    fn page_bytes(&self) -> usize {
        self.page
    }
    fn write_bytes(&self) -> usize {
        self.unit
    }
    fn erase(&mut self, at: usize) -> Result<(), FlashError> {
        if !at.is_multiple_of(self.page) || at >= self.bytes.len() {
            return Err(FlashError);
        }
        self.operate(at, self.page, |_, byte| *byte = 0xFF)
    }
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), FlashError> {
        if !at.is_multiple_of(self.unit) || !bytes.len().is_multiple_of(self.unit) {
            return Err(FlashError);
        }
        for (i, unit) in bytes.chunks(self.unit).enumerate() {
            let start = at.saturating_add(i.saturating_mul(self.unit));
            let old = self.bytes.get(start..start.saturating_add(unit.len())).ok_or(FlashError)?;
            // A unit that was not erased, or is written twice, is an error here.
            if old.iter().any(|&byte| byte != 0xFF) {
                return Err(FlashError);
            }
            self.operate(start, unit.len(), |i, byte| *byte = unit.get(i).copied().unwrap_or(0xFF))?;
        }
        Ok(())
    }
}
