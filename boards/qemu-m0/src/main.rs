//! BBC micro:bit: nRF51822, Cortex-M0, 16 KB of RAM.
#![no_std]
#![no_main]

use smidgen_board_support::{Nrf51, Nvmc, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: UART0 of the nRF51822 (nRF51 Series Reference Manual), driven here alone.
static SERIAL: Serial<Nrf51> = Serial::new(unsafe { Nrf51::at(0x4000_2000) }, &RING);

// SAFETY: the NVMC of the nRF51822; slots and store lie in code flash behind the linker's share.
static FLASH: Nvmc = unsafe { Nvmc::at(0x4001_e000) };

smidgen_board_support::vectors!(SERIAL, 2);

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &LINES, &FLASH)
}
