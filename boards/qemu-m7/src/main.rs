//! Arm MPS2 with AN500: Cortex-M7.
#![no_std]
#![no_main]

use smidgen_board_support::{Cmsdk, Ram, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: UART0 of AN500 (Arm DAI 0500), driven here alone.
static SERIAL: Serial<Cmsdk> = Serial::new(unsafe { Cmsdk::at(0x4000_4000) }, &RING);

// SAFETY: QEMU makes the code memory of AN500 RAM; slots and store lie behind the linker's share.
static FLASH: Ram = unsafe { Ram::new(0x0000_0000, 0x0040_0000) };

smidgen_board_support::vectors!(SERIAL, 0);

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &LINES, &FLASH)
}
