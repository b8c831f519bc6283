//! nRF51 UART (Nordic, nRF51 Series Reference Manual): BBC micro:bit.

use super::Uart;
use crate::Registers;

const TASKS_START_RX: usize = 0x000;
const TASKS_START_TX: usize = 0x008;
const EVENTS_RX_READY: usize = 0x108;
const EVENTS_TX_READY: usize = 0x11c;
const INTEN_SET: usize = 0x304;
const INTEN_RX_READY: u32 = 1 << 2;
const ENABLE: usize = 0x500;
const ENABLE_ON: u32 = 4;
const RXD: usize = 0x518;
const TXD: usize = 0x51c;
const BAUDRATE: usize = 0x524;
const BAUDRATE_115200: u32 = 0x01d7_e000;

pub struct Nrf51(Registers);

impl Nrf51 {
    /// # Safety
    /// As for `Registers::at`: an nRF51 UART is at `base`.
    pub const unsafe fn at(base: usize) -> Self {
        // SAFETY: the caller's promise.
        Nrf51(unsafe { Registers::at(base) })
    }
}

impl Uart for Nrf51 {
    fn start(&self) {
        self.0.write(ENABLE, ENABLE_ON);
        self.0.write(BAUDRATE, BAUDRATE_115200);
        self.0.write(INTEN_SET, INTEN_RX_READY);
        self.0.write(TASKS_START_RX, 1);
        self.0.write(TASKS_START_TX, 1);
    }
    fn drain(&self, mut take: impl FnMut(u8)) {
        while self.0.read(EVENTS_RX_READY) != 0 {
            self.0.write(EVENTS_RX_READY, 0);
            take(self.0.read(RXD) as u8);
        }
    }
    fn send(&self, byte: u8) {
        self.0.write(EVENTS_TX_READY, 0);
        self.0.write(TXD, byte.into());
        self.0.wait(|r| r.read(EVENTS_TX_READY) != 0);
    }
}
