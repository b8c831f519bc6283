//! One small driver a UART. Clock and baud rate are set only where the emulated part needs it:
//! QEMU moves bytes at its own speed. A real board brings its own HAL.

pub mod cmsdk;
pub mod nrf51;
pub mod ns16550;
pub mod pl011;
pub mod stm32;

pub trait Uart: Sync + 'static {
    /// Turns on clock, transmitter, receiver and the receive interrupt.
    fn start(&self);
    /// Called in the interrupt: gives away every byte that has arrived and clears the interrupt.
    fn drain(&self, take: impl FnMut(u8));
    /// Sends one byte, waiting for room.
    fn send(&self, byte: u8);
}
