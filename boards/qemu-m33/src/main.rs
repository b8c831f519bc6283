//! Arm MPS2 with AN505: Cortex-M33, secure state.
#![no_std]
#![no_main]

use smidgen_board_support::{Cmsdk, Interrupts, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: UART0 of AN505, secure alias (Arm DAI 0505, table 3-2), driven here alone.
static SERIAL: Serial<Cmsdk> = Serial::new(unsafe { Cmsdk::at(0x5020_0000) }, &RING);

#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_line: i16) {
    SERIAL.on_interrupt();
}

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &Interrupts(&[32, 33]))
}
