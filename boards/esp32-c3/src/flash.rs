//! The flash chip in the address space: the firmware's own pages are there from the start, those of slots and
//! store are added behind them, one to one.
//!
//! The cache's MMU (ESP32-C3 Technical Reference Manual, 3.3.2.2) has 128 entries for pages of 64 KB, of which
//! the first half is the firmware's: virtual page 64 + n, from 0x3c40_0000 on, is page n of the chip.

use esp_hal::peripherals::{FLASH, MMU_TABLE};
use esp_storage::FlashStorage;
use smidgen_board_support::{Layout, Nor};

/// First virtual address that is ours; board.toml's flash.origin.
const ORIGIN: usize = 0x3c40_0000;
const PAGE: usize = 0x1_0000;
const FIRST: usize = 64;

// SAFETY: declared as the ROM has them; the module below calls them with memory that it owns.
unsafe extern "C" {
    // In the chip's ROM (esp-rom-sys, esp32c3.rom.ld).
    fn Cache_Invalidate_Addr(address: u32, bytes: u32);
}

/// Maps the places of `layout` and gives the driver that writes them.
pub fn map(flash: FLASH<'static>, layout: &Layout) -> Nor<FlashStorage<'static>> {
    for place in [layout.slots[0], layout.slots[1], layout.store] {
        let first = (place.at - ORIGIN) / PAGE;
        for page in first..(place.at + place.bytes - ORIGIN).div_ceil(PAGE) {
            // SAFETY: the entry belongs to none of the firmware's pages (the linker keeps those below), and the
            // page is one that board.toml gives to slots or store; it stays mapped for good.
            MMU_TABLE::regs()
                .entry(FIRST + page)
                .write(|w| unsafe { w.paddr().bits(page as u8).invalid().clear_bit() });
        }
        // SAFETY: a function of the ROM over addresses that were mapped just now.
        unsafe { Cache_Invalidate_Addr((ORIGIN + first * PAGE) as u32, place.bytes as u32) };
    }
    Nor::new(FlashStorage::new(flash), ORIGIN)
}
