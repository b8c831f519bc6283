//! The program was built without probe-rs.

use super::Progress;
use crate::device::{Board, Chip, Link, Segment};
use anyhow::{Result, bail};
use std::{convert::Infallible, path::Path, time::Duration};

fn missing<T>() -> Result<T> {
    bail!("this program was built without probe-rs; build it with `cargo build --release --features probe`")
}

/// Memories of a chip, from probe-rs's registry.
pub fn chip(_name: &str) -> Result<Chip> {
    missing()
}

/// Debug probes that are plugged in.
pub fn probes() -> Result<Vec<String>> {
    missing()
}

/// Version of probe-rs.
pub fn version() -> Result<String> {
    missing()
}

/// A chip behind a probe; there is none.
pub struct Attached(Infallible);

impl Attached {
    /// Fails.
    pub fn open(_chip: &str) -> Result<Attached> {
        missing()
    }

    /// There is no value to call it on.
    pub fn write(&mut self, _segments: &[Segment], _progress: &mut Progress<'_>) -> Result<()> {
        match self.0 {}
    }

    /// There is no value to call it on.
    pub fn start(&mut self) -> Result<()> {
        match self.0 {}
    }

    /// There is no value to call it on.
    pub fn log(&mut self, _elf: &Path, _line: &mut dyn FnMut(&str) -> bool) -> Result<()> {
        match self.0 {}
    }
}

/// The link over a probe; there is none.
pub struct RttLink(Infallible);

impl RttLink {
    /// Fails.
    pub fn open(_board: &Board) -> Result<RttLink> {
        missing()
    }
}

impl Link for RttLink {
    fn send(&mut self, _bytes: &[u8]) -> Result<()> {
        match self.0 {}
    }
    fn receive(&mut self, _bytes: &mut [u8], _patience: Duration) -> Result<usize> {
        match self.0 {}
    }
}
