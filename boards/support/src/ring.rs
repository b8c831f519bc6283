//! Bytes from the receive interrupt to main: one writer, one reader, no lock.
//!
//! The writer alone moves `head`, the reader alone moves `tail`; both count modulo 2³², the cell is the
//! count modulo N. Loads and stores are enough, so it works on an M0, which has no atomic swap.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// Capacity [bytes]; a power of two.
const N: usize = 512;

pub struct Ring {
    cells: [AtomicU8; N],
    head: AtomicU32,
    tail: AtomicU32,
    lost: AtomicU32,
}

impl Ring {
    pub const fn new() -> Self {
        Ring {
            cells: [const { AtomicU8::new(0) }; N],
            head: AtomicU32::new(0),
            tail: AtomicU32::new(0),
            lost: AtomicU32::new(0),
        }
    }

    /// From the interrupt alone. With the ring full the byte is lost and counted.
    #[inline]
    pub fn push(&self, byte: u8) {
        let head = self.head.load(Ordering::Relaxed);
        if head.wrapping_sub(self.tail.load(Ordering::Acquire)) >= N as u32 {
            let lost = self.lost.load(Ordering::Relaxed);
            self.lost.store(lost.saturating_add(1), Ordering::Relaxed);
            return;
        }
        self.cells[head as usize % N].store(byte, Ordering::Relaxed);
        self.head.store(head.wrapping_add(1), Ordering::Release);
    }

    /// From main alone: as many bytes as there are and fit, in order of arrival.
    pub fn pop(&self, bytes: &mut [u8]) -> usize {
        let head = self.head.load(Ordering::Acquire);
        let mut tail = self.tail.load(Ordering::Relaxed);
        let mut count = 0;
        for byte in bytes {
            if tail == head {
                break;
            }
            *byte = self.cells[tail as usize % N].load(Ordering::Relaxed);
            tail = tail.wrapping_add(1);
            count += 1;
        }
        self.tail.store(tail, Ordering::Release);
        count
    }

    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Acquire) == self.tail.load(Ordering::Relaxed)
    }

    /// Bytes lost since the start.
    pub fn lost(&self) -> u32 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}
