//! A motion sensor that may be there or not: looked for at the start and every second again.

use embedded_hal::i2c::I2c;
use smidgen_firmware::imu::{Error, Imu, Lsm6ds3, Resampler, Sample};

/// Time between two steps of a window: 50 Hz [µs].
const STEP: u32 = 20_000;
/// Pause before an absent sensor is looked for again [µs].
const PAUSE: u32 = 1_000_000;

enum State<B> {
    Absent {
        bus: B,
        since: u32,
    },
    There(Lsm6ds3<B>),
    /// Only while one of the others becomes the other.
    Between,
}

pub struct Sensor<B> {
    state: State<B>,
    resampler: Resampler,
}

impl<B: I2c> Sensor<B> {
    pub fn new(bus: B) -> Self {
        let mut sensor = Sensor { state: State::Between, resampler: Resampler::new(STEP) };
        sensor.look(bus, 0);
        sensor
    }

    /// Takes what the sensor has and gives the steps that became due by `now` [µs, modulo 2³²].
    /// False where steps are missing before these.
    pub fn poll(&mut self, now: u32, step: impl FnMut(Sample)) -> bool {
        match core::mem::replace(&mut self.state, State::Between) {
            State::Absent { bus, since } if now.wrapping_sub(since) >= PAUSE => self.look(bus, now),
            State::There(mut imu) => match imu.poll() {
                Ok(sample) => {
                    self.state = State::There(imu);
                    if let Some(sample) = sample {
                        return self.resampler.push(now, sample, step);
                    }
                }
                Err(_) => {
                    defmt::warn!("the motion sensor is gone");
                    self.state = State::Absent { bus: imu.release(), since: now };
                    return false;
                }
            },
            state => self.state = state,
        }
        true
    }

    fn look(&mut self, bus: B, now: u32) {
        self.state = match Lsm6ds3::new(bus) {
            Ok(imu) => {
                defmt::info!("motion sensor LSM6DS3: 104 Hz, steps at 50 Hz");
                State::There(imu)
            }
            Err((bus, error)) => {
                if let Error::WrongChip(id) = error {
                    defmt::warn!("no LSM6DS3: WHO_AM_I is {=u8:#x}", id);
                }
                State::Absent { bus, since: now }
            }
        };
    }
}
