//! Where models and records lie: stretches of flash, read in place, erased by pages, written in units.
//!
//! A board gives three: [`Storage`]. boards/support has the stretches for QEMU's chips and for any driver of
//! embedded-storage's `NorFlash`; here is none of them, so that this crate needs no driver and no `unsafe`.

/// The flash did not do what it was told, or may not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashError;

/// A stretch of flash. Offsets count from its own start.
pub trait Flash {
    /// All of it, as it lies in memory: starts at a multiple of 16, is a multiple of [`Flash::page_bytes`] long.
    /// An erased byte is 0xFF; one that was never erased may be anything.
    fn bytes(&self) -> &[u8];
    /// Bytes that are erased at once.
    fn page_bytes(&self) -> usize;
    /// Bytes that are written at once: a power of two, at most [`MAX_WRITE`].
    fn write_bytes(&self) -> usize;
    /// Erases the page at `at`, a multiple of [`Flash::page_bytes`].
    fn erase(&mut self, at: usize) -> Result<(), FlashError>;
    /// Writes where it was erased before; `at` and the length are multiples of [`Flash::write_bytes`].
    /// Each unit is written once between two erases.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), FlashError>;
}

/// Largest unit of writing that the firmware pads to, bytes.
pub const MAX_WRITE: usize = 32;

/// The three stretches that the firmware works with.
pub struct Storage<'f> {
    /// Model slots A and B. One is served, the other takes the next model. A slot that can't be written
    /// (a ROM) answers every write with an error, and serves what it holds.
    pub slots: [&'f mut dyn Flash; 2],
    /// For the small records: which slot is served, taught classes. At least two pages.
    pub store: &'f mut dyn Flash,
}

/// Whether the signature is that of the message, under the board's public key.
pub type Verify = fn(message: &[u8], signature: &[u8; 64]) -> bool;

/// Which models a board takes.
#[derive(Clone, Copy)]
pub struct Trust {
    /// With `None` every sound model is taken; else one that is not signed, or wrongly, is refused, also when it lies
    /// in a slot at start.
    pub verify: Option<Verify>,
    /// Refuse a model whose counter is below the highest one that was ever served: no going back.
    pub monotonic: bool,
}

impl Trust {
    /// Takes every sound model.
    pub const ANY: Trust = Trust { verify: None, monotonic: false };
}
