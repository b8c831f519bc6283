//! Netduino Plus 2: STM32F405, Cortex-M4F, a real chip's limits.
#![no_std]
#![no_main]

use smidgen_board_support::{Serial, Stm32, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: USART1 and RCC of the STM32F405 (ST RM0090), driven here alone.
static SERIAL: Serial<Stm32> = Serial::new(unsafe { Stm32::at(0x4001_1000, 0x4002_3800) }, &RING);

smidgen_board_support::vectors!(SERIAL, 37);

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &LINES)
}
