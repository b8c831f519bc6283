//! A board that is no board: what comes in is given beforehand, answers pile up in a buffer, for tests on the host.

use crate::Board;

/// Reads `incoming` to its end; holds up to `N` bytes that the server wrote; more are dropped and counted as lost.
pub struct Loopback<'b, const N: usize> {
    incoming: &'b [u8],
    written: [u8; N],
    len: usize,
    lost: u32,
}

impl<'b, const N: usize> Loopback<'b, N> {
    pub const fn new(incoming: &'b [u8]) -> Self {
        Loopback { incoming, written: [0; N], len: 0, lost: 0 }
    }

    /// What was written since the last call; may be changed in place, as decoding a frame does.
    pub fn written(&mut self) -> &mut [u8] {
        let len = core::mem::take(&mut self.len);
        self.written.get_mut(..len).unwrap_or_default()
    }
}

impl<const N: usize> Board for Loopback<'_, N> {
    fn name(&self) -> &str {
        "loopback"
    }
    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let count = bytes.len().min(self.incoming.len());
        let (now, later) = self.incoming.split_at_checked(count).unwrap_or_default();
        for (to, from) in bytes.iter_mut().zip(now) {
            *to = *from;
        }
        self.incoming = later;
        count
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
