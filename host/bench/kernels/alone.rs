//! The kernels alone: the layers of `model.rs`, one call of a kernel after the other, without an executor.
//!
//! Its RAM is two buffers that layers write in turn, the kernels' scratch, and the stack, which is painted and looked at
//! after the first inference; `smidgen_mark_stack_bytes` has its peak, main's own share included.
#![no_std]
#![no_main]

/// Constants of the model, in a section of their own.
macro_rules! weights {
    ($item:item) => {
        // SAFETY: the linker's script has this section among its constants.
        #[unsafe(link_section = ".weights")]
        $item
    };
}

/// What is there for the check alone.
macro_rules! check {
    ($item:item) => {
        // SAFETY: as above.
        #[unsafe(link_section = ".check.data")]
        $item
    };
}

mod model;
mod start;

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use model::{INPUT, SCORES, infer, scores};
#[allow(unused_imports)] // Sparse layers alone name it.
use smidgen_shared::fixed::Row;

/// Buffers that layers write in turn, and the kernels' scratch.
struct Memory {
    a: [u32; model::A],
    b: [u32; model::B],
    scratch: [u32; model::SCRATCH],
}

static mut MEMORY: Memory = Memory { a: [0; model::A], b: [0; model::B], scratch: [0; model::SCRATCH] };

/// The first `n` bytes of a buffer.
#[inline(always)]
fn bytes(words: &[u32], n: usize) -> &[i8] {
    &bytemuck::cast_slice(words)[..n]
}

#[inline(always)]
fn bytes_mut(words: &mut [u32], n: usize) -> &mut [i8] {
    &mut bytemuck::cast_slice_mut(words)[..n]
}

/// The first `n` halfwords of a buffer.
#[inline(always)]
fn shorts_mut(words: &mut [u32], n: usize) -> &mut [i16] {
    &mut bytemuck::cast_slice_mut(words)[..n]
}

/// Value by value: a library's copying is no code that a model needs.
#[inline(always)]
fn input(memory: &mut Memory) {
    for (to, x) in bytes_mut(&mut memory.a, INPUT.len()).iter_mut().zip(&INPUT) {
        *to = black_box(*x);
    }
}

const PAINT: u32 = 0xa55a_c33c;
/// Words that are painted, from the stack pointer down.
const PAINTED: usize = 1024;

// SAFETY: no other symbol of the image has this name.
#[unsafe(export_name = "smidgen_mark_stack_bytes")]
static STACK_BYTES: AtomicU32 = AtomicU32::new(0);

#[inline(always)]
fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: copies a register.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack));
        #[cfg(target_arch = "riscv32")]
        core::arch::asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack));
    }
    pointer
}

/// Words below `pointer`, from the lowest.
#[inline(always)]
fn below(pointer: usize) -> impl Iterator<Item = *mut u32> {
    (0..PAINTED).map(move |i| (pointer - 4 * (PAINTED - i)) as *mut u32)
}

// SAFETY: the start-up code alone calls it, by this name; the section is one of the linker's script.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".check.text")]
extern "C" fn main() -> ! {
    // SAFETY: the linker's symbol; its address alone is used.
    unsafe extern "C" {
        static stack_top: u8;
    }
    let memory = &raw mut MEMORY;
    // SAFETY: nothing else names it, and main runs once.
    let memory = unsafe { &mut *memory };
    let pointer = stack_pointer();
    // SAFETY: RAM below the stack pointer, which nobody uses here: no interrupt is on.
    below(pointer).for_each(|word| unsafe { word.write_volatile(PAINT) });
    input(memory);
    infer(memory);
    // SAFETY: as above.
    let lowest = below(pointer).find(|word| unsafe { word.read_volatile() } != PAINT);
    let lowest = lowest.map_or(pointer, |word| word as usize);
    STACK_BYTES.store(((&raw const stack_top) as usize - lowest) as u32, Ordering::Relaxed);
    if scores(memory).iter().zip(&SCORES).all(|(score, right)| *score == black_box(*right)) {
        start::right();
    }
    input(memory);
    start::smidgen_mark_finish_start();
    infer(memory);
    start::smidgen_mark_finish_stop();
    black_box(memory);
    loop {}
}
