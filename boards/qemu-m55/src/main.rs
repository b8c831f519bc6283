//! Arm MPS3 with AN547: Cortex-M55, secure state.
#![no_std]
#![no_main]

use smidgen_board_support::{Cmsdk, Ram, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: UART0 of AN547, secure alias (Arm DAI 0547), driven here alone.
static SERIAL: Serial<Cmsdk> = Serial::new(unsafe { Cmsdk::at(0x5930_3000) }, &RING);

// SAFETY: slots and store lie in these parts of the internal SRAM, of which the linker knows nothing.
static FLASH: Ram = unsafe { Ram::new(0x3110_0000, 0x3140_0000) };

smidgen_board_support::vectors!(SERIAL, 33, 34);

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &LINES, &FLASH)
}
