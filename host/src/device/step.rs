//! Exact counts without a compiler: QEMU's debugger stub executes the marked stretches one instruction at a time.
//!
//! Where the plugin (icount.c) can't be made, QEMU stops at each marker, and every step of the processor up to the
//! other one is counted. QEMU holds interrupts back meanwhile, so that these counts have none in them. Each
//! instruction costs two turns of the debugger's protocol: some thousand a second.

use super::{Counts, Firmware};
use anyhow::{Context, Result, ensure};
use std::{
    io::{BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long QEMU may take to open the debugger's socket.
const START: Duration = Duration::from_secs(20);
/// Bytes from a marker's first instruction to its last: it does nothing but return.
const MARKER: u64 = 8;

/// Time steps that are counted: the first ones.
const PUSHES: usize = 32;

/// A debugger at work in a thread of its own, until QEMU ends.
pub struct Steps {
    thread: JoinHandle<Result<Counts>>,
    stepped: Arc<AtomicU64>,
}

impl Steps {
    /// Connects to the stub at `socket`; the processor runs on between the stretches. `core`: the board's.
    ///
    /// # Errors
    /// Where no stub answers, or takes no breakpoints.
    pub fn begin(socket: &Path, firmware: &Firmware, core: &str) -> Result<Steps> {
        let stretches = super::count::stretches(firmware)?;
        let mut stub = Stub::connect(socket, core)?;
        for (_, start, stop) in &stretches {
            for marker in [start, stop] {
                let answer = stub.ask(&format!("Z0,{marker:x},2"))?;
                ensure!(answer == "OK", "QEMU's debugger takes no breakpoint at {marker:#x}: {answer:?}");
            }
        }
        let stepped = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&stepped);
        let thread = thread::spawn(move || count(stub, &stretches, &clock));
        Ok(Steps { thread, stepped })
    }

    /// Instructions stepped so far: while this grows, answers come later than they would.
    pub fn stepped(&self) -> u64 {
        self.stepped.load(Ordering::Relaxed)
    }

    /// Whether the debugger has given up, and the processor stands still.
    pub fn failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// The counts, once QEMU has ended.
    pub fn end(self) -> Result<Counts> {
        self.thread.join().map_err(|_| anyhow::anyhow!("the debugger's thread panicked"))?
    }
}

/// Counts stretches until QEMU closes the connection, in the midst of whatever it was asked.
fn count(mut stub: Stub, stretches: &[(&'static str, u64, u64)], clock: &AtomicU64) -> Result<Counts> {
    let mut counts = Counts::default();
    loop {
        match turn(&mut stub, stretches, clock, &mut counts) {
            Ok(()) => {}
            Err(error) if error.downcast_ref::<std::io::Error>().is_some() => return Ok(counts),
            Err(error) => return Err(error),
        }
    }
}

/// Lets the processor run to the next marker, and steps through the stretch that begins there.
fn turn(stub: &mut Stub, stretches: &[(&'static str, u64, u64)], clock: &AtomicU64, counts: &mut Counts) -> Result<()> {
    stub.ask("c")?;
    let pc = stub.pc()?;
    if let Some(&(name, start, stop)) = stretches.iter().find(|(_, start, _)| *start == pc) {
        let counted = stretch(stub, start, stop, clock)?;
        let of = if name == "push" { &mut counts.push } else { &mut counts.finish };
        of.push(counted);
        if name == "push" && counts.push.len() == PUSHES {
            stub.ask(&format!("z0,{start:x},2"))?;
            stub.ask(&format!("z0,{stop:x},2"))?;
        }
    }
    // Off the marker: a processor that goes on from a breakpoint stops at it again.
    stub.ask("s").map(drop)
}

/// Steps from the marker `start` to the marker `stop`; the instructions between them.
fn stretch(stub: &mut Stub, start: u64, stop: u64, clock: &AtomicU64) -> Result<u64> {
    // Out of the marker first, which does nothing but return.
    loop {
        stub.ask("s")?;
        if !(start..start + MARKER).contains(&stub.pc()?) {
            break;
        }
    }
    let mut count = 1;
    loop {
        stub.ask("s")?;
        if stub.pc()? == stop {
            return Ok(count);
        }
        count += 1;
        clock.fetch_add(1, Ordering::Relaxed);
    }
}

/// QEMU's end of the debugger's protocol: `$DATA#CHECKSUM`, answered by `+` and a packet.
struct Stub {
    to: UnixStream,
    from: BufReader<UnixStream>,
    /// Packet that asks for the program counter.
    pc: &'static str,
}

impl Stub {
    fn connect(socket: &Path, core: &str) -> Result<Stub> {
        let deadline = Instant::now() + START;
        let to = loop {
            match UnixStream::connect(socket) {
                Ok(to) => break to,
                Err(error) if Instant::now() > deadline => {
                    return Err(error).context("QEMU opens no socket for a debugger");
                }
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        };
        let from = BufReader::new(to.try_clone()?);
        // Register 15 of an Arm, 32 of a RISC-V.
        let mut stub = Stub { to, from, pc: if core.starts_with("cortex-") { "pf" } else { "p20" } };
        // Single registers are told only to those who have asked for their description.
        stub.ask("qXfer:features:read:target.xml:0,ffb")?;
        Ok(stub)
    }

    fn pc(&mut self) -> Result<u64> {
        let command = self.pc;
        let answer = self.ask(command)?;
        ensure!(!answer.is_empty(), "QEMU's debugger does not tell the program counter");
        let bytes = (0..answer.len() / 2).map(|i| u8::from_str_radix(answer.get(2 * i..2 * i + 2).unwrap_or("x"), 16));
        let bytes = bytes.collect::<Result<Vec<u8>, _>>().with_context(|| format!("{answer:?} is no register"))?;
        // Little-endian.
        Ok(bytes.iter().rev().fold(0, |pc, &byte| pc << 8 | u64::from(byte)))
    }

    /// The answer to a command. Besides, the stub tells of itself that the processor has stopped.
    fn ask(&mut self, command: &str) -> Result<String> {
        let sum = command.bytes().fold(0u8, u8::wrapping_add);
        self.to.write_all(format!("${command}#{sum:02x}").as_bytes())?;
        loop {
            let packet = self.packet()?;
            if !packet.starts_with('T') || matches!(command, "c" | "s") {
                return Ok(packet);
            }
        }
    }

    fn packet(&mut self) -> Result<String> {
        let mut packet = Vec::new();
        while self.byte()? != b'$' {}
        loop {
            match self.byte()? {
                b'#' => break,
                byte => packet.push(byte),
            }
        }
        // A line within one machine loses nothing: the checksum is read, not checked.
        self.byte()?;
        self.byte()?;
        self.to.write_all(b"+")?;
        String::from_utf8(packet).context("an answer of QEMU's debugger is no text")
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.from.read_exact(&mut byte)?;
        Ok(byte[0])
    }
}
