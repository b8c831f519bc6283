//! A board that is no board: the server's answers pile up in a buffer, for tests on the host.

use crate::Board;

/// Holds up to `N` bytes that the server wrote; more are dropped and counted as lost.
pub struct Loopback<const N: usize> {
    written: [u8; N],
    len: usize,
    lost: u32,
}

impl<const N: usize> Loopback<N> {
    pub const fn new() -> Self {
        Loopback { written: [0; N], len: 0, lost: 0 }
    }

    /// What was written since the last call; may be changed in place, as decoding a frame does.
    pub fn written(&mut self) -> &mut [u8] {
        let len = core::mem::take(&mut self.len);
        self.written.get_mut(..len).unwrap_or_default()
    }
}

impl<const N: usize> Default for Loopback<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Board for Loopback<N> {
    fn name(&self) -> &str {
        "loopback"
    }
    /// Nothing ever arrives: tests feed the server themselves.
    fn read(&mut self, _bytes: &mut [u8]) -> usize {
        0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match self.written.get_mut(self.len) {
                Some(slot) => {
                    *slot = byte;
                    self.len += 1;
                }
                None => self.lost = self.lost.saturating_add(1),
            }
        }
    }
    fn lost_bytes(&self) -> u32 {
        self.lost
    }
    fn stack_peak(&self) -> u32 {
        0
    }
    fn stack_bytes(&self) -> u32 {
        0
    }
}
