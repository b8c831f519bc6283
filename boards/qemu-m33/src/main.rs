//! Arm MPS2 with AN505: Cortex-M33, secure state.
#![no_std]
#![no_main]

use smidgen_board_support::{Cmsdk, Ram, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: UART0 of AN505, secure alias (Arm DAI 0505), driven here alone.
static SERIAL: Serial<Cmsdk> = Serial::new(unsafe { Cmsdk::at(0x5020_0000) }, &RING);

// SAFETY: QEMU makes the code memory of AN505 RAM; slots and store lie behind the linker's share.
static FLASH: Ram = unsafe { Ram::new(0x1000_0000, 0x1040_0000) };

smidgen_board_support::vectors!(SERIAL, 32, 33);

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &LINES, &FLASH)
}
