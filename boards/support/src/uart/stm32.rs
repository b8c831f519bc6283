//! USART1 of the STM32F405 (ST RM0090), with its clock gate in RCC.

use super::Uart;
use crate::Registers;

const SR: usize = 0x00;
const SR_RX_NOT_EMPTY: u32 = 1 << 5;
const SR_TX_EMPTY: u32 = 1 << 7;
const DR: usize = 0x04;
const BRR: usize = 0x08;
/// 115,200 baud of the 16 MHz internal oscillator that the chip starts on.
const BRR_115200: u32 = 0x8b;
const CR1: usize = 0x0c;
const CR1_RX: u32 = 1 << 2;
const CR1_TX: u32 = 1 << 3;
const CR1_RX_INTERRUPT: u32 = 1 << 5;
const CR1_ON: u32 = 1 << 13;
/// RCC: peripheral clock enable register of APB2; bit 4 is USART1.
const APB2ENR: usize = 0x44;

pub struct Stm32 {
    usart: Registers,
    rcc: Registers,
}

impl Stm32 {
    /// # Safety
    /// As for `Registers::at`: USART1 is at `usart`, RCC at `rcc`.
    pub const unsafe fn at(usart: usize, rcc: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Stm32 { usart: Registers::at(usart), rcc: Registers::at(rcc) } }
    }
}

impl Uart for Stm32 {
    fn start(&self) {
        self.rcc.write(APB2ENR, self.rcc.read(APB2ENR) | 1 << 4);
        self.usart.write(BRR, BRR_115200);
        self.usart.write(CR1, CR1_ON | CR1_RX_INTERRUPT | CR1_TX | CR1_RX);
    }
    fn drain(&self, mut take: impl FnMut(u8)) {
        while self.usart.read(SR) & SR_RX_NOT_EMPTY != 0 {
            take(self.usart.read(DR) as u8);
        }
    }
    fn send(&self, byte: u8) {
        self.usart.wait(|r| r.read(SR) & SR_TX_EMPTY != 0);
        self.usart.write(DR, byte.into());
    }
}
