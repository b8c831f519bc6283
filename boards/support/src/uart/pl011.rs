//! PL011 (Arm DDI 0183) as TI's Stellaris LM3S6965 has it, with that chip's clock gate.

use super::Uart;
use crate::Registers;

const DR: usize = 0x000;
const FR: usize = 0x018;
const FR_RX_EMPTY: u32 = 1 << 4;
const FR_TX_FULL: u32 = 1 << 5;
const LCRH: usize = 0x02c;
const LCRH_8_BITS_FIFO: u32 = 0x70;
const CR: usize = 0x030;
const CR_ON_TX_RX: u32 = 0x301;
const IMSC: usize = 0x038;
const INTERRUPT_RX: u32 = 1 << 4;
const INTERRUPT_RX_TIMEOUT: u32 = 1 << 6;
const ICR: usize = 0x044;
const ICR_ALL: u32 = 0x7ff;
/// System control: run-mode clock gating register 1; bit 0 is UART0.
const RCGC1: usize = 0x104;

pub struct Pl011 {
    uart: Registers,
    system: Registers,
}

impl Pl011 {
    /// # Safety
    /// As for `Registers::at`: a PL011 is at `uart`, the LM3S system control at `system`.
    pub const unsafe fn at(uart: usize, system: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Pl011 { uart: Registers::at(uart), system: Registers::at(system) } }
    }
}

impl Uart for Pl011 {
    fn start(&self) {
        self.system.write(RCGC1, self.system.read(RCGC1) | 1);
        self.uart.write(LCRH, LCRH_8_BITS_FIFO);
        self.uart.write(IMSC, INTERRUPT_RX | INTERRUPT_RX_TIMEOUT);
        self.uart.write(CR, CR_ON_TX_RX);
    }
    fn drain(&self, mut take: impl FnMut(u8)) {
        while self.uart.read(FR) & FR_RX_EMPTY == 0 {
            take(self.uart.read(DR) as u8);
        }
        self.uart.write(ICR, ICR_ALL);
    }
    fn send(&self, byte: u8) {
        self.uart.wait(|r| r.read(FR) & FR_TX_FULL == 0);
        self.uart.write(DR, byte.into());
    }
}
