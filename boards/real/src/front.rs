//! The board as the firmware sees it: replies go out over the link that the latest bytes came from.

use crate::rtt::Rtt;
use smidgen_board_support::{Layout, stack_bytes, stack_peak};
use smidgen_firmware::Board;

/// Sends bytes over a UART, waiting for it.
pub trait Transmit {
    fn transmit(&mut self, bytes: &[u8]);
}

/// A link to a host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Uart,
    Rtt,
}

pub struct Front<T> {
    layout: &'static Layout,
    uart: T,
    rtt: Rtt,
    /// Where the latest bytes came from.
    pub latest: Link,
    /// Receive errors of the UART: at least so many bytes are lost.
    pub lost: u32,
}

impl<T: Transmit> Front<T> {
    pub fn new(layout: &'static Layout, uart: T, rtt: Rtt) -> Self {
        Front { layout, uart, rtt, latest: Link::Uart, lost: 0 }
    }

    /// What came over RTT.
    pub fn rtt(&mut self, bytes: &mut [u8]) -> usize {
        let count = self.rtt.read(bytes);
        if count > 0 {
            self.latest = Link::Rtt;
        }
        count
    }
}

impl<T: Transmit> Board for Front<T> {
    fn name(&self) -> &str {
        self.layout.name
    }
    /// The loop feeds the server itself, from both links.
    fn read(&mut self, _bytes: &mut [u8]) -> usize {
        0
    }
    fn write(&mut self, bytes: &[u8]) {
        match self.latest {
            Link::Uart => self.uart.transmit(bytes),
            Link::Rtt => self.rtt.write(bytes),
        }
    }
    fn lost_bytes(&self) -> u32 {
        self.lost
    }
    fn stack_peak(&self) -> u32 {
        stack_peak()
    }
    fn stack_bytes(&self) -> u32 {
        stack_bytes()
    }
}
