//! Arm MPS2 with AN386: Cortex-M4F. <- the board's title
#![no_std]
#![no_main]

use smidgen_board_support::{Cmsdk, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// <- The driver of the UART, its address, and the manual that says so.
// SAFETY: UART0 of AN386 (Arm DAI 0386), driven here alone.
static SERIAL: Serial<Cmsdk> = Serial::new(unsafe { Cmsdk::at(0x4000_4000) }, &RING);

// <- The number of the UART's receive interrupt.
smidgen_board_support::vectors!(SERIAL, 0);

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &LINES)
}
