//! 16550A with byte-wide registers (TI PC16550D): QEMU's RISC-V `virt`.

use super::Uart;
use crate::Registers;

/// Receive buffer when read, transmit holding when written.
const DATA: usize = 0;
const IER: usize = 1;
const IER_RX: u8 = 1;
const FCR: usize = 2;
/// FIFOs on and empty; interrupt at 14 bytes, or four byte times after the last.
const FCR_ON_CLEAR_14: u8 = 0b1100_0111;
const LCR: usize = 3;
const LCR_8_BITS: u8 = 0b11;
/// With this bit of LCR set, registers 0 and 1 are the baud rate's divisor.
const LCR_DIVISOR: u8 = 1 << 7;
const LSR: usize = 5;
const LSR_RX_READY: u8 = 1;
const LSR_TX_EMPTY: u8 = 1 << 5;

pub struct Ns16550(Registers);

impl Ns16550 {
    /// # Safety
    /// As for `Registers::at`: a 16550A is at `base`.
    pub const unsafe fn at(base: usize) -> Self {
        // SAFETY: the caller's promise.
        Ns16550(unsafe { Registers::at(base) })
    }
}

impl Uart for Ns16550 {
    fn start(&self) {
        // The highest rate: it sets how long the FIFO waits before it gives up less than 14 bytes.
        self.0.write_byte(LCR, LCR_8_BITS | LCR_DIVISOR);
        self.0.write_byte(DATA, 1);
        self.0.write_byte(IER, 0);
        self.0.write_byte(LCR, LCR_8_BITS);
        self.0.write_byte(FCR, FCR_ON_CLEAR_14);
        self.0.write_byte(IER, IER_RX);
    }
    fn drain(&self, mut take: impl FnMut(u8)) {
        while self.0.read_byte(LSR) & LSR_RX_READY != 0 {
            take(self.0.read_byte(DATA));
        }
    }
    fn send(&self, byte: u8) {
        self.0.wait(|r| r.read_byte(LSR) & LSR_TX_EMPTY != 0);
        self.0.write_byte(DATA, byte);
    }
}
