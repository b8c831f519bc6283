//! A board on a serial port, USB adapters included.

use super::{Link, tcp::waits};
use anyhow::{Context, Result};
use std::{
    io::{Read, Write},
    time::Duration,
};

/// Bits per second where the port's name gives none.
pub const BAUD: u32 = 115_200;

/// An open port.
pub struct Serial {
    port: Box<dyn serialport::SerialPort>,
    name: String,
}

impl Serial {
    /// Opens `NAME` or `NAME@BAUD`; the error lists the ports that there are.
    pub fn open(name: &str) -> Result<Serial> {
        let (path, baud) = match name.rsplit_once('@') {
            Some((path, baud)) => {
                (path, baud.parse().with_context(|| format!("{baud:?} is no baud rate: NAME@115200 is expected"))?)
            }
            None => (name, BAUD),
        };
        let port = serialport::new(path, baud).timeout(Duration::from_millis(1)).open();
        let port = port.with_context(|| format!("{path} does not open; {}", there_are()))?;
        Ok(Serial { port, name: path.to_owned() })
    }
}

/// The ports of this machine, in a few words.
fn there_are() -> String {
    match serialport::available_ports() {
        Ok(ports) if !ports.is_empty() => {
            let names: Vec<String> = ports.into_iter().map(|port| port.port_name).collect();
            format!("there are: {}", names.join(", "))
        }
        _ => "this machine has no serial port: is the board plugged in, and may you open it (group dialout)?".into(),
    }
}

impl Link for Serial {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        // Writing waits as long as a frame takes at a slow rate.
        self.port.set_timeout(Duration::from_secs(5))?;
        self.port.write_all(bytes).with_context(|| format!("{} is gone", self.name))
    }

    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> Result<usize> {
        self.port.set_timeout(patience.max(Duration::from_millis(1)))?;
        match self.port.read(bytes) {
            // A terminal that was hung up reads as its end.
            Ok(0) => anyhow::bail!("{} is gone", self.name),
            Ok(count) => Ok(count),
            Err(error) if waits(&error) => Ok(0),
            Err(error) => Err(error).with_context(|| format!("{} is gone", self.name)),
        }
    }
}
