//! A UART with its ring: blocking reads that sleep, blocking writes; also as embedded-io's `Read` and `Write`.

use crate::{Ring, Uart, arch};
use core::convert::Infallible;

pub struct Serial<U> {
    uart: U,
    ring: &'static Ring,
}

impl<U: Uart> Serial<U> {
    pub const fn new(uart: U, ring: &'static Ring) -> Self {
        Serial { uart, ring }
    }

    pub(crate) fn start(&self) {
        self.uart.start();
    }

    /// For the board's interrupt handler, and for it alone.
    #[inline]
    pub fn on_interrupt(&self) {
        self.uart.drain(|byte| self.ring.push(byte));
    }

    /// Sleeps until there is a byte, then takes what there is.
    pub fn read(&self, bytes: &mut [u8]) -> usize {
        if bytes.is_empty() {
            return 0;
        }
        // Ends with the first byte: waiting for the host is what this firmware does.
        loop {
            let count = self.ring.pop(bytes);
            if count > 0 {
                return count;
            }
            arch::sleep_while(|| self.ring.is_empty());
        }
    }

    pub fn write(&self, bytes: &[u8]) {
        for byte in bytes {
            self.uart.send(*byte);
        }
    }

    pub fn lost_bytes(&self) -> u32 {
        self.ring.lost()
    }
}

impl<U> embedded_io::ErrorType for &Serial<U> {
    type Error = Infallible;
}

impl<U: Uart> embedded_io::Read for &Serial<U> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        Ok(Serial::read(self, bytes))
    }
}

impl<U: Uart> embedded_io::Write for &Serial<U> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Serial::write(self, bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
