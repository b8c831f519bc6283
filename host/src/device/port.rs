//! A link by its name: `tcp:HOST:PORT`, `rtt:BOARD` over a debug probe, or a serial port; opened again where it breaks off.

use super::{Board, Link, Serial, Tcp, probe::RttLink};
use anyhow::Result;
use std::time::{Duration, Instant};

/// How long a link that broke off is tried to be opened again.
const AGAIN: Duration = Duration::from_secs(10);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Opens `tcp:HOST:PORT`, `rtt:BOARD`, or the serial port `NAME[@BAUD]`.
pub fn open(name: &str) -> Result<Box<dyn Link>> {
    Ok(Box::new(Lasting { name: name.to_owned(), link: Some(once(name)?) }))
}

fn once(name: &str) -> Result<Box<dyn Link>> {
    if let Some(address) = name.strip_prefix("tcp:") {
        return Ok(Box::new(Tcp::open(address)?));
    }
    if let Some(board) = name.strip_prefix("rtt:") {
        return Ok(Box::new(RttLink::open(Board::find(board)?)?));
    }
    Ok(Box::new(Serial::open(name)?))
}

/// A link that outlives an unplugged cable: bytes under way are lost, which costs their frames alone.
struct Lasting {
    name: String,
    link: Option<Box<dyn Link>>,
}

impl Lasting {
    /// The link, or the error that broke it and kept it from opening again.
    fn recover(&mut self, broken: anyhow::Error) -> Result<()> {
        self.link = None;
        let deadline = Instant::now() + AGAIN;
        while Instant::now() < deadline {
            std::thread::sleep(PAUSE);
            if let Ok(link) = once(&self.name) {
                self.link = Some(link);
                return Ok(());
            }
        }
        Err(broken.context(format!(
            "{} did not come back within {} s; plug the board in and try again",
            self.name,
            AGAIN.as_secs()
        )))
    }
}

impl Link for Lasting {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(link) = &mut self.link else { anyhow::bail!("{} is closed", self.name) };
        match link.send(bytes) {
            Ok(()) => Ok(()),
            // The request is repeated by whoever sent it.
            Err(broken) => self.recover(broken),
        }
    }

    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> Result<usize> {
        let Some(link) = &mut self.link else { anyhow::bail!("{} is closed", self.name) };
        match link.receive(bytes, patience) {
            Ok(count) => Ok(count),
            Err(broken) => self.recover(broken).map(|()| 0),
        }
    }
}
