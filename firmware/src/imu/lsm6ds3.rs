//! ST's LSM6DS3 family over I²C: LSM6DS3 (DocID026899), LSM6DS3TR-C (DS11948) and LSM6DSL (DocID028475).
//!
//! Both sensors at 104 Hz, ±16 g and ±2000 deg/s, low-passed by the chip: the accelerometer at 26 Hz
//! (LSM6DS3: 50 Hz, the lowest it has). One burst of 12 bytes takes a sample: gx gy gz ax ay az, int16
//! little-endian, of one and the same time step (block data update).

use super::{Error, Imu, Sample};
use embedded_hal::i2c::I2c;

/// The address with pin SA0 low; one more with it high.
const ADDRESS: u8 = 0x6a;

const WHO_AM_I: u8 = 0x0f;
const CTRL1_XL: u8 = 0x10;
const CTRL2_G: u8 = 0x11;
const CTRL3_C: u8 = 0x12;
const STATUS: u8 = 0x1e;
const OUTX_L_G: u8 = 0x22;

/// WHO_AM_I of the LSM6DS3; its accelerometer has an analogue filter of its own.
const LSM6DS3: u8 = 0x69;
/// WHO_AM_I of the LSM6DS3TR-C and of the LSM6DSL.
const LSM6DS3TR_C: u8 = 0x6a;

/// 104 Hz in both control registers.
const RATE: u8 = 0b0100 << 4;
/// ±16 g.
const FULL_SCALE_XL: u8 = 0b01 << 2;
/// ±2000 deg/s.
const FULL_SCALE_G: u8 = 0b11 << 2;
/// Block data update, and addresses that count up in a burst.
const BDU_AND_IF_INC: u8 = 0x44;
/// New data of both sensors.
const BOTH_NEW: u8 = 0b11;

/// The sensor on bus `B`.
pub struct Lsm6ds3<B> {
    bus: B,
    address: u8,
}

impl<B: I2c> Lsm6ds3<B> {
    /// Finds the chip at either of its addresses and starts it. The bus comes back with the error.
    pub fn new(bus: B) -> Result<Self, (B, Error)> {
        let mut imu = Lsm6ds3 { bus, address: ADDRESS };
        match imu.start() {
            Ok(()) => return Ok(imu),
            Err(Error::Bus) => imu.address = ADDRESS + 1,
            Err(error) => return Err((imu.bus, error)),
        }
        match imu.start() {
            Ok(()) => Ok(imu),
            Err(error) => Err((imu.bus, error)),
        }
    }

    /// The bus back.
    pub fn release(self) -> B {
        self.bus
    }

    fn start(&mut self) -> Result<(), Error> {
        let mut id = [0];
        self.read(WHO_AM_I, &mut id)?;
        let filter = match id {
            [LSM6DS3] => 0b11,
            [LSM6DS3TR_C] => 0b10,
            [other] => return Err(Error::WrongChip(other)),
        };
        self.write(CTRL3_C, BDU_AND_IF_INC)?;
        self.write(CTRL1_XL, RATE | FULL_SCALE_XL | filter)?;
        self.write(CTRL2_G, RATE | FULL_SCALE_G)
    }

    fn read(&mut self, register: u8, bytes: &mut [u8]) -> Result<(), Error> {
        self.bus.write_read(self.address, &[register], bytes).map_err(|_| Error::Bus)
    }

    fn write(&mut self, register: u8, value: u8) -> Result<(), Error> {
        self.bus.write(self.address, &[register, value]).map_err(|_| Error::Bus)
    }
}

impl<B: I2c> Imu for Lsm6ds3<B> {
    fn poll(&mut self) -> Result<Option<Sample>, Error> {
        let mut status = [0];
        self.read(STATUS, &mut status)?;
        let [status] = status;
        if status & BOTH_NEW != BOTH_NEW {
            return Ok(None);
        }
        let mut bytes = [0; 12];
        self.read(OUTX_L_G, &mut bytes)?;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        let [gx, gy, gz, ax, ay, az] = [[a, b], [c, d], [e, f], [g, h], [i, j], [k, l]].map(i16::from_le_bytes);
        Ok(Some([ax, ay, az, gx, gy, gz]))
    }
}
