//! Peer of `smidgen bench kernels`: the layers in plain safe Rust, one row and one product at a time, at opt-level 3.
//! `model.rs`, made from the model, has the weights, an input, and the scores that must come out.
#![no_std]
#![no_main]

include!("model.rs");

const LARGEST: usize = 1024;

struct Layer {
    weights: &'static [i8],
    biases: &'static [i32],
    multipliers: &'static [i32],
    relu: bool,
}

fn requant(sum: i32, multiplier: i32) -> i32 {
    ((i64::from(sum << 8) * i64::from(multiplier) + (1 << 31)) >> 32) as i32
}

fn sums<'a>(layer: &'a Layer, x: &'a [i8]) -> impl Iterator<Item = i32> + 'a {
    let rows = layer.weights.chunks_exact(x.len()).zip(layer.biases).zip(layer.multipliers);
    rows.map(move |((row, bias), multiplier)| {
        let sum: i32 = row.iter().zip(x).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
        requant(sum + bias, *multiplier)
    })
}

#[inline(never)]
fn infer(x: &[i8], a: &mut [i8; LARGEST], b: &mut [i8; LARGEST], scores: &mut [i16; LARGEST]) -> usize {
    let (mut from, mut to) = (a, b);
    let mut n = x.len().min(LARGEST);
    from[..n].copy_from_slice(&x[..n]);
    let (hidden, last) = LAYERS.split_at(LAYERS.len() - 1);
    for layer in hidden {
        let low = if layer.relu { 0 } else { -127 };
        let outputs = layer.biases.len().min(LARGEST);
        for (y, value) in to.iter_mut().zip(sums(layer, &from[..n])) {
            *y = value.clamp(low, 127) as i8;
        }
        n = outputs;
        (from, to) = (to, from);
    }
    for (y, value) in scores.iter_mut().zip(sums(&last[0], &from[..n])) {
        *y = value.clamp(-32767, 32767) as i16;
    }
    last[0].biases.len()
}

macro_rules! marks {
    ($($name:ident)*) => { $(
        // SAFETY: no other symbol of the image has this name.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name() {
            // SAFETY: no instruction at all; it keeps the call.
            unsafe { core::arch::asm!("", options(nostack)) }
        }
    )* };
}
marks!(smidgen_mark_finish_start smidgen_mark_finish_stop smidgen_mark_push_start smidgen_mark_push_stop);

// SAFETY: the start-up code alone calls it, by this name.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let (mut a, mut b, mut scores) = ([0; LARGEST], [0; LARGEST], [0; LARGEST]);
    let n = infer(core::hint::black_box(&INPUT), &mut a, &mut b, &mut scores);
    if scores[..n] == SCORES {
        smidgen_mark_push_start();
        smidgen_mark_push_stop();
    }
    smidgen_mark_finish_start();
    infer(core::hint::black_box(&INPUT), &mut a, &mut b, &mut scores);
    smidgen_mark_finish_stop();
    core::hint::black_box(&scores);
    loop {}
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
