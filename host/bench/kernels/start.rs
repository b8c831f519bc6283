//! What every counted image in Rust has: its start, the markers of the counted stretch, and an end for panics.
//!
//! The stretch `finish` is what is counted; the image passes `push` before it, where its scores are those expected.

macro_rules! marks {
    ($($name:ident)*) => { $(
        // SAFETY: no other symbol of the image has this name.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub extern "C" fn $name() {
            // SAFETY: no instruction at all; it keeps the call, and functions that differ are not made one.
            unsafe { core::arch::asm!(concat!("/* ", stringify!($name), " */"), options(nostack)) }
        }
    )* };
}
marks!(smidgen_mark_finish_start smidgen_mark_finish_stop smidgen_mark_push_start smidgen_mark_push_stop);

/// Says that the scores are those expected.
pub fn right() {
    smidgen_mark_push_start();
    smidgen_mark_push_stop();
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[cfg(all(target_arch = "arm", not(target_abi = "eabihf")))]
core::arch::global_asm!(".section .vectors, \"a\"", ".word stack_top", ".word main", ".text");
// The compiler moves memory through the FPU's registers: it is turned on first.
#[cfg(all(target_arch = "arm", target_abi = "eabihf"))]
core::arch::global_asm!(
    ".section .vectors, \"a\"", ".word stack_top", ".word begin", ".text", ".thumb_func", ".global begin", "begin:",
    "ldr r0, =0xE000ED88", "ldr r1, [r0]", "orr r1, r1, #0xF00000", "str r1, [r0]", "dsb", "isb", "b main",
);
#[cfg(target_arch = "riscv32")]
core::arch::global_asm!(".section .vectors, \"ax\"", ".global start", "start:", "la sp, stack_top", "j main", ".text");
