//! All randomness of training: a counter-based generator, Philox4x32-10.
//!
//! A draw is a pure function of (seed, stream, step, position): `philox(key = seed, counter =
//! (position, step, stream))`. Nothing is carried from step to step, so a resumed run draws what
//! the uninterrupted one would have drawn, and two streams never share a number.
//! Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

pub use smidgen_shared::noise::philox;

/// A generator for one stream of one step.
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u32; 2],
    /// block, step (low, high), stream
    counter: [u32; 4],
    block: [u32; 4],
    /// words of `block` already given
    used: usize,
}

impl Rng {
    /// The generator of `stream` (a name such as `dropout`) at `step`.
    pub fn new(seed: u64, stream: &str, step: u64) -> Self {
        Rng {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, step as u32, (step >> 32) as u32, smidgen_shared::noise::stream(stream)],
            block: [0; 4],
            used: 4,
        }
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// Uniform in [0, 1), a multiple of 2⁻²⁴.
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / (1 << 24) as f32
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * ((f64::from(self.bits()) + 1.0) / 4_294_967_296.0).ln()).sqrt();
        let angle = std::f64::consts::TAU * f64::from(self.bits()) / 4_294_967_296.0;
        (radius * angle.cos()) as f32
    }

    /// Fills `values` with standard normals: both of Box and Muller's pair are used, so the numbers are
    /// not those of as many calls of [`Rng::normal`].
    pub fn normals(&mut self, values: &mut [f32]) {
        for pair in values.chunks_mut(2) {
            let radius = (-2.0 * ((f64::from(self.bits()) + 1.0) / 4_294_967_296.0).ln()).sqrt();
            let (sine, cosine) = (std::f64::consts::TAU * f64::from(self.bits()) / 4_294_967_296.0).sin_cos();
            pair[0] = (radius * cosine) as f32;
            if let Some(second) = pair.get_mut(1) {
                *second = (radius * sine) as f32;
            }
        }
    }

    /// Uniform in 0..n by multiplication (its bias is below n / 2³²).
    ///
    /// # Panics
    /// Where `n` is 0 or above 2³².
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0 && n as u64 <= 1 << 32, "nothing to choose among {n}");
        ((u64::from(self.bits()) * n as u64) >> 32) as usize
    }

    /// One of `items`.
    ///
    /// # Panics
    /// Where there are none.
    pub fn choice<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// The numbers 0..n in random order (Fisher–Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }

    /// Inverted dropout in place: each value is 0 with probability `p` (a multiple of 2⁻¹⁶), else
    /// divided by `1 − p`. Two values share one word.
    pub fn drop_out(&mut self, values: &mut [f32], p: f32) {
        if p <= 0.0 {
            return;
        }
        let threshold = (p * 65536.0) as u32;
        let scale = 1.0 / (1.0 - p);
        for pair in values.chunks_mut(2) {
            let bits = self.bits();
            for (value, bits) in pair.iter_mut().zip([bits & 0xFFFF, bits >> 16]) {
                *value *= if bits < threshold { 0.0 } else { scale };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chip's noise is made of the words of a generator of its seed, stream and draw.
    #[test]
    fn a_chip_draws_the_same_words() {
        let mut rng = Rng::new(7, "restart", 5);
        for block in 0..3 {
            let words = philox([block, 5, 0, smidgen_shared::noise::stream("restart")], [7, 0]);
            assert_eq!(words, std::array::from_fn(|_| rng.bits()));
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Rng::new(7, "moments", 0);
        let n = 100_000;
        let normal: Vec<f64> = (0..n).map(|_| f64::from(rng.normal())).collect();
        let mean = normal.iter().sum::<f64>() / n as f64;
        let variance = normal.iter().map(|x| x * x).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        let mut pairs = vec![0.0; n];
        rng.normals(&mut pairs);
        let variance = pairs.iter().map(|x| f64::from(x * x)).sum::<f64>() / n as f64;
        let product = pairs.chunks_exact(2).map(|p| f64::from(p[0] * p[1])).sum::<f64>() / n as f64;
        assert!((variance - 1.0).abs() < 0.02 && product.abs() < 0.01, "{variance} {product}");
        let uniform = (0..n).map(|_| f64::from(rng.uniform())).sum::<f64>() / n as f64;
        assert!((uniform - 0.5).abs() < 0.005, "{uniform}");
        let mut kept = vec![1.0; n];
        rng.drop_out(&mut kept, 0.3);
        let mean = kept.iter().sum::<f32>() / n as f32;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_permutation_has_every_number_once() {
        let mut order = Rng::new(1, "order", 3).permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn seeds_streams_and_steps_differ() {
        let first = |seed, stream, step| Rng::new(seed, stream, step).bits();
        let all = [first(1, "a", 0), first(2, "a", 0), first(1, "b", 0), first(1, "a", 1), first(1 << 40, "a", 0)];
        for (i, x) in all.iter().enumerate() {
            assert!(!all[..i].contains(x));
        }
    }
}
