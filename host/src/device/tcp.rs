//! A board behind a TCP connection: QEMU with `-serial tcp:…,server=on`, or a serial-to-network bridge.

use super::Link;
use anyhow::{Context, Result};
use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection.
pub struct Tcp {
    stream: TcpStream,
    address: String,
}

impl Tcp {
    /// Connects to `HOST:PORT`.
    pub fn open(address: &str) -> Result<Tcp> {
        let mut addresses =
            address.to_socket_addrs().with_context(|| format!("{address:?} is no address: HOST:PORT is expected"))?;
        let to = addresses.next().with_context(|| format!("{address:?} has no address"))?;
        let stream = TcpStream::connect_timeout(&to, CONNECT).with_context(|| {
            format!("{address} does not take a connection: is the board, or QEMU, listening there?")
        })?;
        stream.set_nodelay(true)?;
        Ok(Tcp { stream, address: address.to_owned() })
    }
}

impl Link for Tcp {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).with_context(|| format!("{} closed the connection", self.address))
    }

    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> Result<usize> {
        self.stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        match self.stream.read(bytes) {
            Ok(0) => anyhow::bail!("{} closed the connection", self.address),
            Ok(count) => Ok(count),
            Err(error) if waits(&error) => Ok(0),
            Err(error) => Err(error).with_context(|| format!("{} closed the connection", self.address)),
        }
    }
}

/// Whether an error only says that nothing has come yet.
pub(super) fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
