//! What differs between cores: sleeping, the interrupt controller, the bounds of the stack.

#[cfg(target_arch = "arm")]
mod cortex_m;
#[cfg(target_arch = "arm")]
pub use cortex_m::{Interrupts, halt, sleep_while};

#[cfg(target_arch = "riscv32")]
mod riscv;
#[cfg(target_arch = "riscv32")]
pub use riscv::{Interrupts, halt, sleep_while};

use core::ptr;

/// A word that no calculation leaves by the dozen.
const PAINT: u32 = 0x5a5a_a5a5;
/// Bytes below the current frame that are left alone while painting.
const MARGIN: usize = 256;

// SAFETY: the linker defines both; all that lies between them is the stack, which has no other name.
unsafe extern "C" {
    // Of the generated memory.x: the lowest address of the stack, and one past its highest.
    static mut _stack_end: u32;
    static mut _stack_start: u32;
}

/// Fills the unused part of the stack with `PAINT`.
#[inline(never)]
pub fn paint_stack() {
    let here = 0u32;
    let top = ptr::from_ref(&here) as usize - MARGIN;
    let mut word = &raw mut _stack_end;
    while (word as usize) < top {
        // SAFETY: between the stack's lowest address and a margin below this frame nothing lives,
        // and no interrupt is enabled yet that could put something there.
        unsafe {
            word.write_volatile(PAINT);
            word = word.add(1);
        }
    }
}

/// The most of the stack that was ever in use [bytes], interrupts included.
pub fn stack_peak() -> u32 {
    let start = (&raw const _stack_start) as usize;
    let mut word = &raw const _stack_end;
    // SAFETY: every word of the stack's region is readable memory; the walk ends at its top.
    while (word as usize) < start && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    (start - word as usize) as u32
}

/// The stack's size [bytes].
pub fn stack_bytes() -> u32 {
    ((&raw const _stack_start) as usize - (&raw const _stack_end) as usize) as u32
}
