//! Netduino Plus 2: STM32F405, Cortex-M4F, a real chip's limits.
#![no_std]
#![no_main]

use smidgen_board_support::{Ram, Serial, Stm32, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: USART1 and RCC of the STM32F405 (ST RM0090), driven here alone.
static SERIAL: Serial<Stm32> = Serial::new(unsafe { Stm32::at(0x4001_1000, 0x4002_3800) }, &RING);

// SAFETY: the STM32F405's RAM; slot B and the store lie at its top, which the linker leaves out.
static FLASH: Ram = unsafe { Ram::new(0x2000_0000, 0x2002_0000) };

smidgen_board_support::vectors!(SERIAL, 37);

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &LINES, &FLASH)
}
