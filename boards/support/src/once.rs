//! A static value that is lent for good, once: how main gets its buffers without a heap.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

pub struct Once<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `take` gives the value out at most once, so no two places ever hold it.
unsafe impl<T: Send> Sync for Once<T> {}

impl<T> Once<T> {
    pub const fn new(value: T) -> Self {
        Once { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// The value the first time, `None` after. Not to be called from an interrupt:
    /// an M0 cannot swap atomically, and on the one core of these boards only main calls it.
    #[expect(clippy::mut_from_ref, reason = "it is given out at most once")]
    pub fn take(&'static self) -> Option<&'static mut T> {
        if self.taken.load(Ordering::Acquire) {
            return None;
        }
        self.taken.store(true, Ordering::Release);
        // SAFETY: `taken` was false and is true from here on, so this is the only reference there will ever be.
        Some(unsafe { &mut *self.value.get() })
    }
}
