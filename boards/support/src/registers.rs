//! Memory-mapped registers of one peripheral.

/// A peripheral's registers: 32-bit words (or bytes) at offsets from a base address.
pub struct Registers {
    base: usize,
}

impl Registers {
    /// # Safety
    /// `base` is the address of a peripheral of at least `Uart`'s offsets, whose registers may be read and
    /// written at any time by this core without touching memory that Rust knows of.
    pub const unsafe fn at(base: usize) -> Self {
        Registers { base }
    }

    #[inline(always)]
    pub fn read(&self, offset: usize) -> u32 {
        // SAFETY: `at` promised a readable register block here.
        unsafe { ((self.base + offset) as *const u32).read_volatile() }
    }

    #[inline(always)]
    pub fn write(&self, offset: usize, value: u32) {
        // SAFETY: `at` promised a writable register block here.
        unsafe { ((self.base + offset) as *mut u32).write_volatile(value) }
    }

    #[inline(always)]
    pub fn read_byte(&self, offset: usize) -> u8 {
        // SAFETY: `at` promised a readable register block here.
        unsafe { ((self.base + offset) as *const u8).read_volatile() }
    }

    #[inline(always)]
    pub fn write_byte(&self, offset: usize, value: u8) {
        // SAFETY: `at` promised a writable register block here.
        unsafe { ((self.base + offset) as *mut u8).write_volatile(value) }
    }

    /// Waits until `ready`, at most a million looks: a dead peripheral must not hang the loop.
    #[inline(always)]
    pub fn wait(&self, ready: impl Fn(&Self) -> bool) {
        for _ in 0..1_000_000 {
            if ready(self) {
                return;
            }
        }
    }
}
