//! The streaming features against their definitions over a stored window.

extern crate std;
use super::*;
use proptest::prelude::*;
use std::string::String;
use std::vec;
use std::vec::Vec;

/// The definitions, in wide integers and f64, over whole channels.
fn naive(spec: &Spec, window: &[i16]) -> Vec<i32> {
    let c = usize::from(spec.channels);
    let mut channels: Vec<Vec<i64>> =
        (0..c).map(|j| window.iter().skip(j).step_by(c).map(|&x| i64::from(x)).collect()).collect();
    if spec.stats.has(Stats::MAGNITUDE) {
        for s in 0..c / 3 {
            let norm = |t: usize| (0..3).map(|a| channels[3 * s + a][t].pow(2)).sum::<i64>();
            channels
                .push((0..channels[0].len()).map(|t| ((norm(t) as f64).sqrt().floor() as i64).min(32767)).collect());
        }
    }
    let n = channels[0].len() as i64;
    let log = |v: i64| {
        let v = v + 128;
        let e = 63 - v.leading_zeros() as i64;
        (e * 1024 + (v * 1024 / (1 << e) - 1024)) as i32
    };
    let variance = |x: &[i64]| {
        let (s, q) = (x.iter().sum::<i64>() as i128, x.iter().map(|v| v * v).sum::<i64>() as i128);
        i128::from(n) * q - s * s
    };
    let mut out = Vec::new();
    for x in &channels {
        let sum: i64 = x.iter().sum();
        let mean = (16 * sum).div_euclid(n);
        let (least, greatest) = (*x.iter().min().unwrap(), *x.iter().max().unwrap());
        let d: Vec<i64> = x.windows(2).map(|w| w[1] - w[0]).collect();
        if spec.stats.has(Stats::MEAN) {
            out.push(mean as i32);
        }
        if spec.stats.has(Stats::DEVIATION) {
            out.push(log(((variance(x) * 256 / i128::from(n * n)) as u64).isqrt() as i64));
        }
        if spec.stats.has(Stats::RANGE) {
            let value = |v: i64| {
                if spec.stats.has(Stats::SIGNED_LOG) {
                    v.signum() as i32 * (log(16 * v.abs()) - 7168)
                } else {
                    16 * v as i32
                }
            };
            out.extend([value(least), value(greatest)]);
        }
        if spec.stats.has(Stats::EXCURSION) {
            out.extend([log(16 * greatest - mean), log(mean - 16 * least)]);
        }
        if spec.stats.has(Stats::CHANGE) {
            out.push(log(d.iter().map(|d| d.abs()).sum::<i64>() * 16 / (n - 1)));
        }
        if spec.stats.has(Stats::TURNS) {
            out.push(d.windows(2).filter(|w| w[0] * w[1] < 0).count() as i32);
        }
        if spec.stats.has(Stats::CROSSINGS) {
            let mut mean = 256 * x[0];
            let mut above = Vec::new();
            for (t, &x) in x.iter().enumerate().skip(1) {
                above.push(256 * x > mean);
                mean += (256 * x - mean).div_euclid(1 << (t + 1).ilog2());
            }
            out.push(above.windows(2).filter(|w| w[0] != w[1]).count() as i32);
        }
        if spec.stats.has(Stats::BANDS) {
            for level in 0..5 {
                let h = 1 << level;
                let pairs: Vec<&[i64]> = x.chunks_exact(2 * h).collect();
                let sum: i64 =
                    pairs.iter().map(|p| (p[..h].iter().sum::<i64>() - p[h..].iter().sum::<i64>()).abs()).sum();
                out.push(log(sum * 16 / (pairs.len() * h) as i64));
            }
        }
    }
    if spec.stats.has(Stats::CORRELATION) {
        for s in 0..c / 3 {
            for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                let (x, y) = (&channels[3 * s + a], &channels[3 * s + b]);
                let xy: i128 = x.iter().zip(y).map(|(x, y)| i128::from(x * y)).sum();
                let cov = i128::from(n) * xy - i128::from(x.iter().sum::<i64>()) * i128::from(y.iter().sum::<i64>());
                let scale = i128::from((variance(x) as u64).isqrt()) * i128::from((variance(y) as u64).isqrt());
                out.push(if scale == 0 { 0 } else { (cov * 1024 / scale).clamp(-1024, 1024) as i32 });
            }
        }
    }
    out
}

fn streamed(spec: &Spec, window: &[i16]) -> Vec<i32> {
    let mut state = vec![0xDEAD_BEEF; spec.state_words()];
    begin(spec, &mut state);
    for step in window.chunks(spec.channels.into()) {
        push(spec, &mut state, step).unwrap();
    }
    let mut out = Vec::new();
    finish(spec, &mut state, |i, v| {
        assert_eq!(i, out.len());
        out.push(v);
    })
    .unwrap();
    out
}

/// Equal, but for correlations where the streaming code shrinks its terms: one unit of 1/1024.
fn agree(spec: &Spec, window: &[i16]) {
    let (a, b) = (streamed(spec, window), naive(spec, window));
    assert_eq!(a.len(), spec.count());
    assert_eq!(a.len(), b.len());
    let exact = a.len() - if spec.stats.has(Stats::CORRELATION) { usize::from(spec.channels) / 3 * 3 } else { 0 };
    assert_eq!(a[..exact], b[..exact]);
    for (a, b) in a[exact..].iter().zip(&b[exact..]) {
        assert!((a - b).abs() <= 1, "correlation {a} {b}");
    }
    assert!(a.iter().all(|v| v.abs() < 1 << 22));
}

fn smooth(n: usize) -> impl Strategy<Value = Vec<i16>> {
    (proptest::collection::vec(-2000i16..2000, n), 1i16..16).prop_map(|(v, step)| {
        let mut at = 0i16;
        v.into_iter()
            .map(|d| {
                at = at.saturating_add(d / step);
                at
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn streaming_equals_the_definition(channels in 1u8..8, steps in 32u16..90, stats in 1u16..2048, seed in smooth(7 * 90)) {
        let spec = Spec { channels, window: steps, stats: Stats(stats) };
        prop_assume!(spec.check().is_ok());
        agree(&spec, &seed[..usize::from(channels) * usize::from(steps)]);
    }

    #[test]
    fn any_values_are_taken(window in proptest::collection::vec(any::<i16>(), 6 * 64)) {
        agree(&Spec { channels: 6, window: 64, stats: Stats::RICH }, &window);
    }
}

#[test]
fn extremes_do_not_overflow() {
    let spec = Spec { channels: 3, window: MAX_WINDOW, stats: Stats(1023 | 1024) };
    let n = 3 * usize::from(MAX_WINDOW);
    for pattern in [1, 2, 3, 7, 16, 4096, 9999] {
        for (low, high) in [(i16::MIN, i16::MAX), (i16::MIN, i16::MIN), (i16::MAX, i16::MAX), (0, i16::MIN)] {
            let window: Vec<i16> = (0..n).map(|i| if i / pattern % 2 == 0 { low } else { high }).collect();
            agree(&spec, &window);
        }
    }
}

#[test]
fn known_answers() {
    // A ramp 0, 10, 20, …: mean 155, every difference 10, no turn.
    let ramp: Vec<i16> = (0..32).map(|t| 10 * t).collect();
    let spec = Spec { channels: 1, window: 32, stats: Stats(Stats::MEAN.0 | Stats::CHANGE.0 | Stats::TURNS.0) };
    assert_eq!(streamed(&spec, &ramp), [16 * 155, log(160), 0]);
    assert_eq!(log(0), 7 * 1024);
    let mut names = String::new();
    spec.describe(1, &mut names).unwrap();
    assert_eq!(names, "channel 0 change");
}

#[test]
fn bad_specs_and_samples_are_refused() {
    let good = Spec { channels: 6, window: 200, stats: Stats::RICH };
    assert_eq!(good.check(), Ok(()));
    assert_eq!(Spec { channels: 0, ..good }.check(), Err(Error::Channels));
    assert_eq!(Spec { channels: 17, ..good }.check(), Err(Error::Channels));
    assert_eq!(Spec { window: 31, ..good }.check(), Err(Error::Window));
    assert_eq!(Spec { window: 4097, ..good }.check(), Err(Error::Window));
    assert_eq!(Spec { stats: Stats(0), ..good }.check(), Err(Error::Stats));
    assert_eq!(Spec { stats: Stats(2048), ..good }.check(), Err(Error::Stats));
    assert_eq!(Spec { channels: 2, stats: Stats::CORRELATION, ..good }.check(), Err(Error::Stats));
    let mut state = vec![0; good.state_words()];
    assert_eq!(push(&good, &mut state, &[0; 5]), Err(Error::Sample));
    assert_eq!(push(&good, &mut state[1..], &[0; 6]), Err(Error::State));
    assert_eq!(finish(&good, &mut state, |_, _| ()), Err(Error::State));
}

#[test]
fn states_are_small() {
    assert!(4 * Spec { channels: 6, window: 200, stats: Stats::WRIST }.state_words() <= 400);
    assert!(4 * Spec { channels: 9, window: 125, stats: Stats::RICH }.state_words() <= 1100);
    assert_eq!(Spec { channels: 9, window: 125, stats: Stats::CHEAP }.count(), 54);
    assert_eq!(Spec { channels: 6, window: 200, stats: Stats::WRIST }.count(), 42);
    assert_eq!(Spec { channels: 9, window: 125, stats: Stats::RICH }.count(), 177);
}
