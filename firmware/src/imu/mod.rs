//! A motion sensor on a wrist, in the units and at the rate that a model was trained on.
//!
//! ```text
//! sensor (104 Hz, its own clock) → Imu::poll → Resampler (50 Hz, the board's clock) → Server::sense
//! ```
//!
//! A sample is six int16 counts, acceleration before angular rate, as in the dataset `spar`:
//! 0.488 mg a count (±16 g) and 70 mdps a count (±2000 deg/s).

mod lsm6ds3;
mod resample;

pub use lsm6ds3::Lsm6ds3;
pub use resample::Resampler;

/// Channels of a sample: ax, ay, az, gx, gy, gz.
pub const CHANNELS: usize = 6;

/// One sample [counts].
pub type Sample = [i16; CHANNELS];

/// A sensor of acceleration and angular rate.
pub trait Imu {
    /// Takes the newest sample if one came since the last call. Never waits for one.
    fn poll(&mut self) -> Result<Option<Sample>, Error>;
}

/// Why there is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Nothing answers at the address, or the bus is disturbed.
    Bus,
    /// Something answers that is another chip; what its WHO_AM_I register says.
    WrongChip(u8),
}
