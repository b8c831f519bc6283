//! Element by element: activations with their derivatives, losses with theirs, penalty and Adam.

use multiversion::multiversion;

use crate::engine::Adam;
use crate::net::{Activation, Float, exponential};

/// `z ← f(z)` and `slopes = f′(z)`, for whole blocks.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn activate<T: Float>(function: Activation, z: &mut [T], slopes: &mut [T]) {
    let (one, half) = (T::of(1.0), T::of(0.5));
    macro_rules! each {
        (|$x:ident| $value:expr) => {
            for (z, slope) in T::blocks_mut(z).iter_mut().zip(T::blocks_mut(slopes)) {
                for (z, slope) in z.as_mut().iter_mut().zip(slope.as_mut()) {
                    let $x = *z;
                    (*z, *slope) = $value;
                }
            }
        };
    }
    match function {
        Activation::Relu => each!(|x| if x > T::of(0.0) { (x, one) } else { (x * T::of(0.0), T::of(0.0)) }),
        Activation::Silu => each!(|x| {
            let s = one / (one + exponential(-x));
            let y = x * s;
            (y, s + y * (one - s))
        }),
        Activation::Sigmoid => each!(|x| {
            let s = one / (one + exponential(-x));
            (s, s * (one - s))
        }),
        Activation::Tanh => each!(|x| {
            let t = tanh(x);
            (t, one - t * t)
        }),
        Activation::Gelu => {
            let (c, k) = (T::of((2.0 / std::f64::consts::PI).sqrt()), T::of(0.044715));
            each!(|x| {
                let t = tanh(c * (x + k * x * x * x));
                let inner = c * (one + T::of(3.0) * k * x * x);
                (half * x * (one + t), half * (one + t) + half * x * (one - t * t) * inner)
            });
        }
    }
}

/// `1 − 2/(e^{2x} + 1)`.
#[inline(always)]
fn tanh<T: Float>(x: T) -> T {
    let one = T::of(1.0);
    one - T::of(2.0) / (exponential(x + x) + one)
}

/// `deltas ← deltas · slopes`.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn chain<T: Float>(deltas: &mut [T], slopes: &[T]) {
    for (d, s) in deltas.iter_mut().zip(slopes) {
        *d *= *s;
    }
}

/// `Σ (y − t)²` of one output's row; `deltas = scale · (y − t)`. `mask` is 1 for samples, 0 for padding.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn square<T: Float>(deltas: &mut [T], y: &[T], target: &[T], mask: &[T], scale: T) -> f64 {
    let mut sum = T::splat(T::of(0.0));
    let targets = T::blocks(target).iter().zip(T::blocks(mask));
    for ((d, y), (t, m)) in T::blocks_mut(deltas).iter_mut().zip(T::blocks(y)).zip(targets) {
        let e = T::zip(T::zip(*y, *t, |y, t| y - t), *m, |e, m| e * m);
        sum = T::multiply_add(e, e, sum);
        *d = T::map(e, |e| e * scale);
    }
    T::sum(sum).f64()
}

/// Softmax over the outputs of each sample: `deltas = softmax(y)`, and `Σ_o e^{y_o − max}` and max
/// of each sample in `sums` and `maxima`. All `(outputs, stride)` with `blocks` blocks in use.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn softmax<T: Float>(
    deltas: &mut [T],
    y: &[T],
    stride: usize,
    outputs: usize,
    blocks: usize,
    (sums, maxima): (&mut [T], &mut [T]),
) {
    for b in 0..blocks {
        let at = b * T::LANES;
        let mut max = T::load(&y[at..]);
        for o in 1..outputs {
            max = T::zip(max, T::load(&y[o * stride + at..]), |a, b| if b > a { b } else { a });
        }
        let mut sum = T::splat(T::of(0.0));
        for o in 0..outputs {
            let e = T::zip(T::load(&y[o * stride + at..]), max, |y, max| exponential(y - max));
            sum = T::zip(sum, e, |a, b| a + b);
            T::store(&mut deltas[o * stride + at..], e);
        }
        let inverse = T::map(sum, |s| T::of(1.0) / s);
        for o in 0..outputs {
            let e = T::load(&deltas[o * stride + at..]);
            T::store(&mut deltas[o * stride + at..], T::zip(e, inverse, |e, i| e * i));
        }
        T::store(&mut sums[at..], sum);
        T::store(&mut maxima[at..], max);
    }
}

/// `values ← scale · mask · values`, one row.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn scale_masked<T: Float>(values: &mut [T], mask: &[T], scale: T) {
    for (v, m) in values.iter_mut().zip(mask) {
        *v *= *m * scale;
    }
}

/// `g += λ·(a·sign(w) + 2b·w)`; sign(0) is 0. Empty coefficients are none.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn penalise<T: Float>(g: &mut [T], w: &[T], absolute: &[T], square: &[T], strength: T) {
    let zero = T::of(0.0);
    for ((g, w), a) in g.iter_mut().zip(w).zip(absolute) {
        let c = *a * strength;
        *g += if *w > zero {
            c
        } else if *w < zero {
            -c
        } else {
            zero
        };
    }
    let twice = strength + strength;
    for ((g, w), b) in g.iter_mut().zip(w).zip(square) {
        *g += twice * *b * *w;
    }
}

/// One step of Adam on all parameters; `step` counts from 1.
#[multiversion(
    targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"),
    dispatcher = "direct"
)]
pub fn adam<T: Float>(w: &mut [T], g: &[T], (m, v): (&mut [T], &mut [T]), adam: Adam, rate: f64, step: usize) {
    let (b1, b2) = adam.betas;
    let correct = |beta: f64| 1.0 / (1.0 - beta.powi(step.min(i32::MAX as usize) as i32));
    let (r, c2) = (T::of(rate * correct(b1)), T::of(correct(b2)));
    let (decay, epsilon) = (T::of(1.0 - rate * adam.weight_decay), T::of(adam.epsilon));
    let (b1, n1, b2, n2) = (T::of(b1), T::of(1.0 - b1), T::of(b2), T::of(1.0 - b2));
    for (((w, g), m), v) in w.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
        *m = b1 * *m + n1 * *g;
        *v = b2 * *v + n2 * (*g * *g);
        *w = *w * decay - r * *m / ((*v * c2).root() + epsilon);
    }
}
