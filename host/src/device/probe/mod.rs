//! Boards behind a debug probe, through probe-rs: its registry of chips, flashing, the log, and a link.
//!
//! probe-rs is some 150 crates, so it is a feature of the build; without it the same functions say so.

#[cfg(not(feature = "probe"))]
mod absent;
#[cfg(feature = "probe")]
mod present;
#[cfg(feature = "probe")]
mod rtt;
#[cfg(all(test, feature = "probe"))]
mod tests;

#[cfg(not(feature = "probe"))]
pub use absent::{Attached, RttLink, chip, probes, version};
#[cfg(feature = "probe")]
pub use present::{Attached, chip, probes, version};
#[cfg(feature = "probe")]
pub use rtt::RttLink;

/// What a probe is doing to a chip's flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Erasing sectors.
    Erase,
    /// Writing.
    Write,
    /// Reading back and comparing.
    Verify,
}

/// Hears the step, its done bytes and its total bytes.
pub type Progress<'a> = dyn FnMut(Step, u64, u64) + 'a;
