//! Exact counts without a compiler: QEMU's debugger stub executes the marked stretches one instruction at a time.
//!
//! Where the plugin (icount.c) can't be made, QEMU stops at each marker, and every step of the processor up to the
//! other one is counted. QEMU holds interrupts back meanwhile, so that these counts have none in them. Each
//! instruction costs two turns of the debugger's protocol: some ten thousand a second.

use super::{Counts, Firmware};
use anyhow::{Context, Result, bail, ensure};
use std::{
    io::{BufReader, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long QEMU may take to open the debugger's socket.
const START: Duration = Duration::from_secs(20);
/// Bytes from a marker's first instruction to its last: it does nothing but return.
const MARKER: u64 = 8;

/// A debugger at work in a thread of its own, until QEMU ends.
pub struct Steps {
    thread: JoinHandle<Result<Counts>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    busy: AtomicBool,
    done: AtomicU64,
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
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || count(stub, &stretches, &shared));
        Ok(Steps { thread, state })
    }

    /// Whether the processor is being stepped: its answers come later for it.
    pub fn busy(&self) -> bool {
        self.state.busy.load(Ordering::SeqCst)
    }

    /// Stretches that have been stepped through.
    pub fn done(&self) -> u64 {
        self.state.done.load(Ordering::SeqCst)
    }

    /// The counts, once QEMU has ended.
    pub fn end(self) -> Result<Counts> {
        self.thread.join().map_err(|_| anyhow::anyhow!("the debugger's thread panicked"))?
    }
}

/// Counts stretches until QEMU closes the connection.
fn count(mut stub: Stub, stretches: &[(&'static str, u64, u64)], state: &State) -> Result<Counts> {
    let mut counts = Counts::default();
    // An error is QEMU's end, in the midst of whatever it was asked.
    while stub.ask("c").is_ok() {
        let Ok(pc) = stub.pc() else { break };
        if let Some(&(name, start, stop)) = stretches.iter().find(|(_, start, _)| *start == pc) {
            state.busy.store(true, Ordering::SeqCst);
            let counted = stretch(&mut stub, start, stop);
            // In this order: who waits sees one or the other.
            state.done.fetch_add(1, Ordering::SeqCst);
            state.busy.store(false, Ordering::SeqCst);
            match counted {
                Ok(n) if name == "push" => counts.push.push(n),
                Ok(n) => counts.finish.push(n),
                Err(_) => break,
            }
        }
        // Off the marker: a processor that goes on from a breakpoint stops at it again.
        if stub.ask("s").is_err() {
            break;
        }
    }
    Ok(counts)
}

/// Steps from the marker `start` to the marker `stop`; the instructions between them.
fn stretch(stub: &mut Stub, start: u64, stop: u64) -> Result<u64> {
    let mut count = 0;
    loop {
        stub.ask("s")?;
        let pc = stub.pc()?;
        if pc == stop {
            return Ok(count + 1);
        }
        if !(start..start + MARKER).contains(&pc) {
            count += 1;
        }
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
        Ok(Stub { to, from, pc: if core.starts_with("cortex-") { "pf" } else { "p20" } })
    }

    fn pc(&mut self) -> Result<u64> {
        let command = self.pc;
        let answer = self.ask(command)?;
        let bytes = (0..answer.len() / 2).map(|i| u8::from_str_radix(answer.get(2 * i..2 * i + 2).unwrap_or("x"), 16));
        let bytes = bytes.collect::<Result<Vec<u8>, _>>().with_context(|| format!("{answer:?} is no register"))?;
        // Little-endian.
        Ok(bytes.iter().rev().fold(0, |pc, &byte| pc << 8 | u64::from(byte)))
    }

    fn ask(&mut self, command: &str) -> Result<String> {
        let sum = command.bytes().fold(0u8, u8::wrapping_add);
        self.to.write_all(format!("${command}#{sum:02x}").as_bytes())?;
        let mut packet = Vec::new();
        while self.byte()? != b'$' {}
        loop {
            match self.byte()? {
                b'#' => break,
                byte => packet.push(byte),
            }
        }
        // A line within one machine loses nothing: the checksum is read, not checked.
        (self.byte()?, self.byte()?);
        self.to.write_all(b"+")?;
        String::from_utf8(packet).context("an answer of QEMU's debugger is no text")
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        match self.from.read_exact(&mut byte) {
            Ok(()) => Ok(byte[0]),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => bail!("QEMU has ended"),
            Err(error) => Err(error.into()),
        }
    }
}
