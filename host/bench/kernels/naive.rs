//! Peer of `smidgen bench kernels`: the layers in plain safe Rust, one row and one product at a time, at opt-level 3.
//! `model.rs`, made from the model, has the weights, an input, and the scores that must come out.
#![no_std]
#![no_main]

mod start;

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

// SAFETY: the start-up code alone calls it, by this name.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let (mut a, mut b, mut scores) = ([0; LARGEST], [0; LARGEST], [0; LARGEST]);
    let n = infer(core::hint::black_box(&INPUT), &mut a, &mut b, &mut scores);
    if scores[..n] == SCORES {
        start::right();
    }
    start::smidgen_mark_finish_start();
    infer(core::hint::black_box(&INPUT), &mut a, &mut b, &mut scores);
    start::smidgen_mark_finish_stop();
    core::hint::black_box(&scores);
    loop {}
}
