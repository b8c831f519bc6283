//! Bytes out: into the UART's FIFO, waiting while it is full.

use esp_hal::{Blocking, uart::UartTx};
use smidgen_board_real::Transmit;

/// The sending half of a UART.
pub struct Tx<'d>(pub UartTx<'d, Blocking>);

impl Transmit for Tx<'_> {
    fn transmit(&mut self, mut bytes: &[u8]) {
        while let Ok(count) = self.0.write(bytes)
            && count > 0
        {
            bytes = bytes.get(count..).unwrap_or_default();
        }
    }
}
