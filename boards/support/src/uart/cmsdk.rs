//! CMSDK APB UART (Arm DDI 0479): MPS2 boards.

use super::Uart;
use crate::Registers;

const DATA: usize = 0x00;
const STATE: usize = 0x04;
const STATE_TX_FULL: u32 = 1 << 0;
const STATE_RX_FULL: u32 = 1 << 1;
const CTRL: usize = 0x08;
const CTRL_TX: u32 = 1 << 0;
const CTRL_RX: u32 = 1 << 1;
const CTRL_RX_INTERRUPT: u32 = 1 << 3;
const INTCLEAR: usize = 0x0c;
const INTCLEAR_RX: u32 = 1 << 1;
const BAUDDIV: usize = 0x10;

pub struct Cmsdk(Registers);

impl Cmsdk {
    /// # Safety
    /// As for `Registers::at`: a CMSDK UART is at `base`.
    pub const unsafe fn at(base: usize) -> Self {
        // SAFETY: the caller's promise.
        Cmsdk(unsafe { Registers::at(base) })
    }
}

impl Uart for Cmsdk {
    fn start(&self) {
        // 16 is the smallest divisor; with 0 the part is off.
        self.0.write(BAUDDIV, 16);
        self.0.write(CTRL, CTRL_TX | CTRL_RX | CTRL_RX_INTERRUPT);
    }
    fn drain(&self, mut take: impl FnMut(u8)) {
        self.0.write(INTCLEAR, INTCLEAR_RX);
        while self.0.read(STATE) & STATE_RX_FULL != 0 {
            take(self.0.read(DATA) as u8);
        }
    }
    fn send(&self, byte: u8) {
        self.0.wait(|r| r.read(STATE) & STATE_TX_FULL == 0);
        self.0.write(DATA, byte.into());
    }
}
