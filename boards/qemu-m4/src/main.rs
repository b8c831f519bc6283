//! Arm MPS2 with AN386: Cortex-M4F.
#![no_std]
#![no_main]

use smidgen_board_support::{Cmsdk, Interrupts, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: UART0 of AN386 (Arm DAI 0386, table 4-2), driven here alone.
static SERIAL: Serial<Cmsdk> = Serial::new(unsafe { Cmsdk::at(0x4000_4000) }, &RING);

#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_line: i16) {
    SERIAL.on_interrupt();
}

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &Interrupts(&[0]))
}
