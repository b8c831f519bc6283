//! The wire over a debug probe: the channels that the firmware names "smidgen".

use super::Attached;
use crate::device::{Board, Firmware, Link};
use anyhow::{Context, Result};
use probe_rs::rtt::Rtt;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

const NAME: &str = "smidgen";
/// Pause between two looks at the channel.
const PAUSE: Duration = Duration::from_millis(1);
/// How long the firmware may take to make room.
const ROOM: Duration = Duration::from_secs(2);

/// A link over RTT.
pub struct RttLink {
    attached: Attached,
    rtt: Rtt,
    up: usize,
    down: usize,
}

impl RttLink {
    /// Attaches to a board that runs its firmware.
    pub fn open(board: &Board) -> Result<RttLink> {
        let chip =
            board.chip.as_deref().with_context(|| format!("{} has no debug port: it is emulated", board.name))?;
        let firmware = Firmware::of(board)?;
        let elf = fs::read(&firmware.path).with_context(|| format!("{} cannot be read", firmware.path.display()))?;
        let mut attached = Attached::open(chip)?;
        let mut rtt = attached.rtt(&elf)?;
        let missing = || format!("{}: its firmware has no RTT channel {NAME:?}; flash it anew", board.name);
        let up = rtt.up_channels().iter().position(|channel| channel.name() == Some(NAME)).with_context(missing)?;
        let down = rtt.down_channels().iter().position(|channel| channel.name() == Some(NAME)).with_context(missing)?;
        Ok(RttLink { attached, rtt, up, down })
    }
}

impl Link for RttLink {
    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        let deadline = Instant::now() + ROOM;
        while !bytes.is_empty() {
            let mut core = self.attached.session.core(0)?;
            let channel = self.rtt.down_channel(self.down).context("the RTT channel is gone")?;
            let written = channel.write(&mut core, bytes).context("the probe lost the board; plug it in again")?;
            bytes = &bytes[written..];
            if written == 0 && Instant::now() > deadline {
                // The board does not read: its answer will be missed, and the request repeated.
                return Ok(());
            }
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> Result<usize> {
        let deadline = Instant::now() + patience;
        loop {
            let mut core = self.attached.session.core(0)?;
            let channel = self.rtt.up_channel(self.up).context("the RTT channel is gone")?;
            let count = channel.read(&mut core, bytes).context("the probe lost the board; plug it in again")?;
            if count > 0 || Instant::now() >= deadline {
                return Ok(count);
            }
            drop(core);
            thread::sleep(PAUSE);
        }
    }
}
