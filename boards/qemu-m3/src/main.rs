//! TI Stellaris LM3S6965 evaluation board: Cortex-M3.
#![no_std]
#![no_main]

use smidgen_board_support::{Pl011, Ram, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: UART0 and system control of the LM3S6965 (its data sheet), driven here alone.
static SERIAL: Serial<Pl011> = Serial::new(unsafe { Pl011::at(0x4000_c000, 0x400f_e000) }, &RING);

// SAFETY: the LM3S6965's RAM; slot B and the store lie at its top, which the linker leaves out.
static FLASH: Ram = unsafe { Ram::new(0x2000_0000, 0x2001_0000) };

smidgen_board_support::vectors!(SERIAL, 5);

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &LINES, &FLASH)
}
