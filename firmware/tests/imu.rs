//! The motion sensor on the host: the driver against a scripted bus, the resampler against its formula.

use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
use proptest::prelude::*;
use smidgen_firmware::imu::{Error, Imu, Lsm6ds3, Resampler, Sample};

/// What the driver writes once it has found a chip: block data update, then 104 Hz at ±16 g and ±2000 deg/s.
fn start(address: u8, id: u8, ctrl1: u8) -> Vec<Transaction> {
    vec![
        Transaction::write_read(address, vec![0x0f], vec![id]),
        Transaction::write(address, vec![0x12, 0x44]),
        Transaction::write(address, vec![0x10, ctrl1]),
        Transaction::write(address, vec![0x11, 0x4c]),
    ]
}

fn nobody(address: u8) -> Transaction {
    let kind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    Transaction::write_read(address, vec![0x0f], vec![0]).with_error(kind)
}

#[test]
fn a_sample_is_one_burst_and_acceleration_comes_first() {
    let mut script = start(0x6a, 0x6a, 0x46);
    script.push(Transaction::write_read(0x6a, vec![0x1e], vec![0b01]));
    script.push(Transaction::write_read(0x6a, vec![0x1e], vec![0b111]));
    // gx gy gz ax ay az, little-endian: 1, −2, 3, 2049 (1 g), −32768, 32767.
    let burst = vec![1, 0, 0xfe, 0xff, 3, 0, 0x01, 0x08, 0x00, 0x80, 0xff, 0x7f];
    script.push(Transaction::write_read(0x6a, vec![0x22], burst));
    let mut imu = Lsm6ds3::new(Mock::new(&script)).ok().unwrap();
    // Only the accelerometer has news.
    assert_eq!(imu.poll(), Ok(None));
    assert_eq!(imu.poll(), Ok(Some([2049, -32768, 32767, 1, -2, 3])));
    imu.release().done();
}

#[test]
fn both_addresses_and_both_generations_are_found() {
    for (id, ctrl1) in [(0x69, 0x47), (0x6a, 0x46)] {
        let mut script = vec![nobody(0x6a)];
        script.extend(start(0x6b, id, ctrl1));
        Lsm6ds3::new(Mock::new(&script)).ok().unwrap().release().done();
    }
}

#[test]
fn an_absent_or_foreign_chip_is_said() {
    let (mut bus, error) = Lsm6ds3::new(Mock::new(&[nobody(0x6a), nobody(0x6b)])).err().unwrap();
    assert_eq!(error, Error::Bus);
    bus.done();
    let foreign = [Transaction::write_read(0x6a, vec![0x0f], vec![0x33])];
    let (mut bus, error) = Lsm6ds3::new(Mock::new(&foreign)).err().unwrap();
    assert_eq!(error, Error::WrongChip(0x33));
    bus.done();
}

#[test]
fn a_sensor_that_falls_silent_is_an_error() {
    let mut script = start(0x6a, 0x6a, 0x46);
    let kind = ErrorKind::ArbitrationLoss;
    script.push(Transaction::write_read(0x6a, vec![0x1e], vec![0]).with_error(kind));
    let mut imu = Lsm6ds3::new(Mock::new(&script)).ok().unwrap();
    assert_eq!(imu.poll(), Err(Error::Bus));
    imu.release().done();
}

/// Steps with the time of the sample that brought them.
fn steps(period: u32, samples: &[(u32, Sample)]) -> (Vec<(u32, Sample)>, usize) {
    let mut resampler = Resampler::new(period);
    let (mut out, mut gaps) = (Vec::new(), 0);
    for &(at, sample) in samples {
        gaps += usize::from(!resampler.push(at, sample, |step| out.push((at, step))));
    }
    (out, gaps)
}

#[test]
fn samples_on_the_beat_come_back_as_they_are() {
    let samples: Vec<(u32, Sample)> =
        (0..500i16).map(|i| (20_000 * i as u32, [i, -i, 3 * i, 7, i16::MIN, i16::MAX])).collect();
    let (out, gaps) = steps(20_000, &samples);
    assert_eq!((out, gaps), (samples, 0));
}

/// A clock that runs past 2³² and samples every 9,615 µs: 104 Hz.
#[test]
fn ten_seconds_of_104_hz_are_501_steps_over_the_clocks_end() {
    let first = u32::MAX - 3_000_000;
    let samples: Vec<(u32, Sample)> =
        (0..=1040).map(|i| (first.wrapping_add(i * 9_615 + i * 5 / 13), [100; 6])).collect();
    let (out, gaps) = steps(20_000, &samples);
    assert_eq!((out.len(), gaps), (501, 0));
    assert!(out.iter().all(|(_, step)| *step == [100; 6]));
}

#[test]
fn a_gap_begins_anew_and_says_so() {
    let (out, gaps) = steps(20_000, &[(0, [1; 6]), (10_000, [2; 6]), (90_000, [9; 6]), (110_000, [5; 6])]);
    assert_eq!(out, [(0, [1; 6]), (90_000, [9; 6]), (110_000, [5; 6])]);
    assert_eq!(gaps, 1);
}

proptest! {
    /// y = a + (b − a)·(t − t_a)/(t_b − t_a) to half a count, for any values and any times without a gap.
    #[test]
    fn steps_lie_on_the_line(
        first in any::<u32>(),
        samples in proptest::collection::vec((1u32..=60_000, any::<[i16; 6]>()), 2..60),
        period in 1_000u32..60_000,
    ) {
        let mut at = first;
        let mut timed = Vec::new();
        for (after, values) in samples {
            timed.push((at, values));
            at = at.wrapping_add(after);
        }
        let (out, gaps) = steps(period, &timed);
        prop_assert_eq!(gaps, 0);
        let since = |t: u32| u64::from(t.wrapping_sub(first));
        let end = since(timed[timed.len() - 1].0);
        prop_assert_eq!(out.len() as u64, end / u64::from(period) + 1);
        for (i, (_, step)) in out.iter().enumerate() {
            let t = i as u64 * u64::from(period);
            let j = timed.iter().position(|(at, _)| since(*at) >= t).unwrap();
            let (tb, b) = timed[j];
            let (ta, a) = timed[j.saturating_sub(1)];
            for c in 0..6 {
                let (a, b) = (f64::from(a[c]), f64::from(b[c]));
                let span = (since(tb) - since(ta)) as f64;
                let exact = if span == 0.0 { a } else { a + (b - a) * (t - since(ta)) as f64 / span };
                prop_assert!((f64::from(step[c]) - exact).abs() <= 0.5 + 1e-9, "step {i} channel {c}: {} for {exact}", step[c]);
            }
        }
    }
}
