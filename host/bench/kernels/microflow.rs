//! Peer of `smidgen bench kernels`: the layers by MicroFlow, compiled from `model.tflite` by its macro.
//!
//! int8 in, f32 out: its own way to hand scores over. Its weights have one scale a layer and its rounding is another
//! than ours, so that its scores are compared with a tolerance, and the largest must be the same.
#![no_std]
#![no_main]

mod expected;
mod start;

use expected::{INPUT, INPUTS, OUTPUTS, SCORES, TOLERANCE};

// Compiled anew where the file changes: the macro reads it unseen.
const _: &[u8] = include_bytes!("../model.tflite");

#[microflow::model("model.tflite")]
struct Model;

#[inline(never)]
fn infer(x: &[i8; INPUTS]) -> [f32; OUTPUTS] {
    let y = Model::predict_quantized(nalgebra::SMatrix::from_fn(|_, j| x[j]));
    core::array::from_fn(|i| y[i])
}

fn largest(scores: &[f32; OUTPUTS]) -> usize {
    (1..OUTPUTS).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

// SAFETY: the start-up code alone calls it, by this name.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let scores = infer(core::hint::black_box(&INPUT));
    let near = scores.iter().zip(&SCORES).all(|(is, ours)| (is - ours).abs() <= TOLERANCE);
    if near && largest(&scores) == largest(&SCORES) {
        start::right();
    }
    start::smidgen_mark_finish_start();
    core::hint::black_box(infer(core::hint::black_box(&INPUT)));
    start::smidgen_mark_finish_stop();
    loop {}
}
