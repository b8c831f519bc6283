//! A board in hand, for the verbs that talk to one: by a port, or under QEMU with its flash kept in a file.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use smidgen_shared::artifact::Artifact;

use crate::device::{Board, Device, Kept, Link, Qemu, open};
use crate::output::Output;

/// Which board.
#[derive(Args)]
#[group(skip)]
pub struct Hand {
    /// Serial port of a board, as /dev/ttyACM0 or /dev/ttyACM0@BAUD, tcp:HOST:PORT, or rtt:BOARD over its debug probe
    #[arg(long, required_unless_present = "board", conflicts_with = "board")]
    port: Option<String>,
    /// A board under QEMU, whose flash is kept in a file from one command to the next
    #[arg(long)]
    board: Option<String>,
    /// That file [default: BOARD.flash]
    #[arg(long, value_name = "FILE", conflicts_with = "port")]
    flash: Option<PathBuf>,
}

impl Hand {
    /// Connects, and waits until the board answers.
    pub fn connect(&self, output: Output) -> Result<Device<Box<dyn Link>>> {
        if let Some(port) = &self.port {
            return Device::connect(open(port)?).with_context(|| format!("on {port}"));
        }
        let Some(name) = &self.board else { bail!("name a board by --port or --board") };
        resume(name, self.flash.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.flash"))), output)
    }
}

/// The board `name` under QEMU, with its flash as `file` has it; a new one where there is no file.
pub fn resume(name: &str, file: PathBuf, output: Output) -> Result<Device<Box<dyn Link>>> {
    let board = Board::find(name)?;
    let kept = Kept::read(&file, board)?;
    if kept.is_empty() {
        output.note(format!("a new {name} under QEMU; its flash is kept in {}", file.display()));
    }
    let qemu = Qemu::resume(board, &kept)?;
    Device::connect(Box::new(Shelved { qemu: Some(qemu), file }) as Box<dyn Link>)
}

/// Lets go of a board: what QEMU's firmware wrote is kept.
pub fn close(device: Device<Box<dyn Link>>) -> Result<()> {
    device.into_link().close()
}

/// A board of QEMU's that goes back on the shelf with its flash.
struct Shelved {
    qemu: Option<Qemu>,
    file: PathBuf,
}

impl Link for Shelved {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.qemu.as_mut().context("the board is off")?.send(bytes)
    }

    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> Result<usize> {
        self.qemu.as_mut().context("the board is off")?.receive(bytes, patience)
    }

    fn close(&mut self) -> Result<()> {
        match self.qemu.take() {
            Some(qemu) => qemu.power_off()?.write(&self.file),
            None => Ok(()),
        }
    }
}

impl Drop for Shelved {
    fn drop(&mut self) {
        // After an error, too, what the board wrote is its flash from here on.
        if let Err(error) = self.close() {
            eprintln!("warning: {}", crate::output::chain(&error));
        }
    }
}

/// Whether the board serves this very model; else what to do.
pub fn same_model<L: Link>(device: &Device<L>, artifact: &Artifact<'_>, file: &std::path::Path) -> Result<()> {
    let hello = device.hello();
    match hello.model {
        Ok(hash) if hash == artifact.hash() => Ok(()),
        Ok(hash) => bail!(
            "{} serves model {hash:08x}, {} is {:08x}; send it: `smidgen send {}`",
            hello.board,
            file.display(),
            artifact.hash(),
            file.display()
        ),
        Err(fault) => bail!(
            "{} serves no model ({}); send it: `smidgen send {}`",
            hello.board,
            crate::device::in_words(fault),
            file.display()
        ),
    }
}
