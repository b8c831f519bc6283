//! The state machine against the algorithm as the paper writes it, and against what is known in closed form.

extern crate std;
use super::*;
use proptest::prelude::*;
use std::{vec, vec::Vec};

/// A denoiser that is any smooth function of its input, level and class.
struct Net {
    input: Vec<f32>,
    f: Vec<f32>,
    gain: f32,
    /// (level, class) of every evaluation
    calls: Vec<(u8, u16)>,
}

impl Net {
    fn new(gain: f32, n: usize) -> Net {
        Net { input: vec![0.0; n], f: vec![0.0; n], gain, calls: Vec::new() }
    }
}

impl Denoiser for Net {
    type Error = ();
    fn evaluate(&mut self, level: u8, label: u16, x: impl Fn(usize) -> f32) -> Result<(), ()> {
        self.calls.push((level, label));
        for i in 0..self.input.len() {
            self.input[i] = x(i);
        }
        for i in 0..self.f.len() {
            let other = self.input[(i + 1) % self.input.len()];
            self.f[i] =
                self.gain * (self.input[i] - 0.5 * other + 0.1 * f32::from(level) + f32::from(label)).clamp(-2.0, 2.0);
        }
        Ok(())
    }
    fn output(&self, i: usize) -> f32 {
        self.f[i]
    }
}

const SIGMA_DATA: f32 = 0.75;

fn level(sigma: f32) -> Level {
    let both = sigma * sigma + SIGMA_DATA * SIGMA_DATA;
    let root = both.sqrt();
    Level { sigma, c_in: 1.0 / root, c_skip: SIGMA_DATA * SIGMA_DATA / both, c_out: sigma * SIGMA_DATA / root }
}

/// `(t_max^⅐ + i/(N − 1)·(t_min^⅐ − t_max^⅐))⁷`
fn grid(from: f32, to: f32, n: usize) -> Vec<f32> {
    let root = |t: f32| t.powf(1.0 / 7.0);
    let mut grid: Vec<f32> =
        (0..n).map(|i| (root(from) + i as f32 / (n - 1) as f32 * (root(to) - root(from))).powi(7)).collect();
    (grid[0], grid[n - 1]) = (from, to);
    grid
}

/// A main grid of `main` levels from 80 to 0.002 and intervals (after, repeats, count, times t_min).
fn schedule(main: usize, intervals: &[(u8, u8, u8, f32)]) -> (Vec<Level>, Vec<Interval>) {
    let mut sigmas = grid(80.0, 0.002, main);
    let mut list = Vec::new();
    for &(after, repeats, count, times) in intervals {
        let end = sigmas[usize::from(after)];
        let start = end * times;
        let first = sigmas.len() as u8;
        list.push(Interval { after, repeats, first, count, noise: (start * start - end * end).sqrt() });
        sigmas.extend(grid(start, end, count.into()));
    }
    (sigmas.into_iter().map(level).collect(), list)
}

fn draw(schedule: &Schedule<'_>, net: &mut Net, label: u16, seed: u32, n: usize) -> (Vec<f32>, u16) {
    let (mut x, mut d) = (vec![0.0; n], vec![9.0; n]);
    let mut position = Position::begin(schedule, label, seed, &mut x);
    while !position.is_finished() {
        position.advance(schedule, net, &mut x, &mut d).unwrap();
    }
    (x, position.done)
}

/// Algorithm 1 as it is written, with loops.
fn oracle(schedule: &Schedule<'_>, net: &mut Net, label: u16, seed: u32, n: usize) -> Vec<f32> {
    let mut draws = 0;
    let mut normals = |n: usize| {
        let mut z = vec![0.0; n];
        noise::normals(seed, STREAM, draws, &mut z, |z, normal| *z = normal);
        draws += 1;
        z
    };
    fn slope(net: &mut Net, levels: &[Level], level: u8, label: u16, x: &[f32]) -> Vec<f32> {
        let l = levels[usize::from(level)];
        net.evaluate(level, label, |i| l.c_in * x[i]).unwrap();
        x.iter().enumerate().map(|(i, &x)| (x - (l.c_skip * x + l.c_out * net.output(i))) / l.sigma).collect()
    }
    fn heun(net: &mut Net, levels: &[Level], a: u8, b: Option<u8>, label: u16, x: &[f32]) -> Vec<f32> {
        let sigma = |level: u8| levels[usize::from(level)].sigma;
        let step = b.map_or(0.0, sigma) - sigma(a);
        let d = slope(net, levels, a, label, x);
        let next: Vec<f32> = x.iter().zip(&d).map(|(x, d)| x + step * d).collect();
        let Some(b) = b else { return next };
        let d2 = slope(net, levels, b, label, &next);
        x.iter().zip(d.iter().zip(&d2)).map(|(x, (d, d2))| x + step * (0.5 * (d + d2))).collect()
    }
    let levels = schedule.levels;
    let mut x: Vec<f32> = normals(n).iter().map(|z| levels[0].sigma * z).collect();
    for i in 0..schedule.main {
        let next = (i + 1 < schedule.main).then_some(i + 1);
        x = heun(net, levels, i, next, label, &x);
        for interval in schedule.intervals.iter().filter(|interval| Some(interval.after) == next) {
            for _ in 0..interval.repeats {
                let z = normals(n);
                x.iter_mut().zip(z).for_each(|(x, z)| *x += interval.noise * z);
                for j in interval.first..interval.first + interval.count - 1 {
                    x = heun(net, levels, j, Some(j + 1), label, &x);
                }
            }
        }
    }
    x
}

proptest! {
    #[test]
    fn a_sample_is_the_papers_algorithm(
        main in 2usize..10,
        intervals in proptest::collection::vec((1u8..9, 1u8..5, 2u8..5, 1.5f32..4.0), 0..3),
        n in 1usize..11,
        (label, seed, gain) in (0u16..11, any::<u32>(), -1.0f32..1.0),
    ) {
        let mut kept: Vec<(u8, u8, u8, f32)> = Vec::new();
        for interval in intervals {
            if usize::from(interval.0) < main && kept.last().is_none_or(|last| last.0 < interval.0) {
                kept.push(interval);
            }
        }
        let (levels, list) = schedule(main, &kept);
        let schedule = Schedule { levels: &levels, main: main as u8, intervals: &list };
        prop_assert!(schedule.is_sound());
        let (mut net, mut other) = (Net::new(gain, n), Net::new(gain, n));
        let (x, done) = draw(&schedule, &mut net, label, seed, n);
        let want = oracle(&schedule, &mut other, label, seed, n);
        prop_assert_eq!(x.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), want.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
        prop_assert_eq!(&net.calls, &other.calls);
        prop_assert_eq!(u32::from(done), schedule.evaluations());
        prop_assert_eq!(net.calls.len(), usize::from(done));
    }

    /// Any position over any schedule: nothing panics, and the sample ends where the schedule is sound.
    #[test]
    fn strange_schedules_panic_nowhere(
        levels in proptest::collection::vec(any::<[f32; 4]>(), 0..6),
        intervals in proptest::collection::vec((any::<[u8; 4]>(), any::<f32>()), 0..3),
        main: u8,
    ) {
        let levels: Vec<Level> =
            levels.iter().map(|&[sigma, c_in, c_skip, c_out]| Level { sigma, c_in, c_skip, c_out }).collect();
        let intervals: Vec<Interval> = intervals
            .iter()
            .map(|&([after, repeats, first, count], noise)| Interval { after, repeats, first, count, noise })
            .collect();
        let schedule = Schedule { levels: &levels, main, intervals: &intervals };
        let sound = schedule.is_sound();
        let (mut x, mut d) = ([0.0; 3], [0.0; 3]);
        let mut position = Position::begin(&schedule, 1, 2, &mut x);
        for _ in 0..MAX_EVALUATIONS {
            position.advance(&schedule, &mut Net::new(0.5, 3), &mut x, &mut d).unwrap();
        }
        prop_assert!(!sound || position.is_finished());
    }
}

/// Where the data are N(0, σ_data²) the best denoiser is `c_skip·x`, and samples have the data's deviation.
#[test]
fn samples_of_a_normal_are_normal() {
    // Sixty steps: with eighteen Heun's own error is 4 % of the deviation.
    for intervals in [&[][..], &[(30, 5, 8, 3.0)]] {
        let (levels, list) = schedule(60, intervals);
        let schedule = Schedule { levels: &levels, main: 60, intervals: &list };
        let (x, _) = draw(&schedule, &mut Net::new(0.0, 20_000), 0, 3, 20_000);
        let moment = |k: i32| x.iter().map(|&x| f64::from(x).powi(k)).sum::<f64>() / x.len() as f64;
        assert!(moment(1).abs() < 0.02, "{}", moment(1));
        assert!((moment(2).sqrt() - f64::from(SIGMA_DATA)).abs() < 0.02, "{}", moment(2).sqrt());
        assert!((moment(4) / moment(2).powi(2) - 3.0).abs() < 0.1);
    }
}

#[test]
fn schedules_that_do_not_hold_together_are_refused() {
    let (levels, list) = schedule(9, &[(6, 6, 3, 3.0)]);
    type Change = dyn Fn(&mut Vec<Level>, &mut Vec<Interval>, &mut u8);
    let sound = |change: &Change| {
        let (mut levels, mut list, mut main) = (levels.clone(), list.clone(), 9);
        change(&mut levels, &mut list, &mut main);
        Schedule { levels: &levels, main, intervals: &list }.is_sound()
    };
    assert!(sound(&|_, _, _| {}));
    assert!(!sound(&|l, _, _| l[3].sigma = l[2].sigma));
    assert!(!sound(&|l, _, _| l[8].sigma = 0.0));
    assert!(!sound(&|l, _, _| l[0].sigma = f32::INFINITY));
    assert!(!sound(&|l, _, _| l[4].c_out = f32::NAN));
    assert!(!sound(&|l, _, _| l[11].sigma *= 1.01), "the interval's end is not t_min");
    assert!(!sound(&|_, i, _| i[0].after = 9));
    assert!(!sound(&|_, i, _| i[0].after = 0));
    assert!(!sound(&|_, i, _| i[0].repeats = 0));
    assert!(!sound(&|_, i, _| i[0].count = 1));
    assert!(!sound(&|_, i, _| i[0].count = 4));
    assert!(!sound(&|_, i, _| i[0].first = 255));
    assert!(!sound(&|_, i, _| i[0].noise = -1.0));
    assert!(!sound(&|_, i, _| i.push(i[0])), "two intervals end at one level");
    assert!(!sound(&|_, _, main| *main = 0));
    assert!(!sound(&|_, _, main| *main = 13));
    // 17 + 255·4 = 1,037 evaluations
    assert!(!sound(&|_, i, _| i[0].repeats = 255));
}
