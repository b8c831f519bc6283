//! TI Stellaris LM3S6965 evaluation board: Cortex-M3.
#![no_std]
#![no_main]

use smidgen_board_support::{Pl011, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: UART0 and system control of the LM3S6965 (its data sheet), driven here alone.
static SERIAL: Serial<Pl011> = Serial::new(unsafe { Pl011::at(0x4000_c000, 0x400f_e000) }, &RING);

smidgen_board_support::vectors!(SERIAL, 5);

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &LINES)
}
