//! A board under QEMU: starts it with a model in slot A, is its link, and leaves no process behind.
//!
//! The serial line is a TCP connection that QEMU makes to a port this process listens on: the system chooses the
//! port, so that any number of boards start at once. QEMU's life hangs on a pipe: when its writing end closes,
//! because the `Qemu` is dropped or because this process died of anything at all, a small shell ends QEMU.

use super::{Board, Firmware, Kept, Link, count, step::Steps, tcp::waits};
use anyhow::{Context, Result, anyhow, bail};
use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::{net::UnixStream, process::CommandExt},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Becomes QEMU ("$@"), after starting a watcher that ends it once the pipe on our standard input closes.
const GUARD: &str = r#"exec 3<&0; { cat <&3 >/dev/null; kill $$; } 2>/dev/null & exec "$@" 3<&- </dev/null"#;

/// Socket of QEMU's monitor, among the board's files.
const MONITOR: &str = "monitor";

/// Socket of QEMU's debugger, there too.
const DEBUGGER: &str = "debugger";

/// How long QEMU may take to save a stretch of its memory.
const KEEP: Duration = Duration::from_secs(5);

/// How long QEMU may take to make its connection.
const START: Duration = Duration::from_secs(20);

/// How long QEMU may take to end when asked.
const END: Duration = Duration::from_secs(2);

/// A running board.
pub struct Qemu {
    program: String,
    board: String,
    child: Child,
    /// Closing it ends QEMU.
    life: Option<ChildStdin>,
    link: TcpStream,
    errors: Arc<Mutex<String>>,
    counting: Counting,
    /// Time of the last `receive` in which the debugger stepped.
    still: Duration,
    files: TempDir,
    stretches: Vec<(u32, u32)>,
}

/// How instructions are counted.
enum Counting {
    No,
    /// By the plugin, into a file.
    Plugin,
    /// By the debugger, and why not by the plugin.
    Steps(Steps, String),
}

impl Qemu {
    /// Starts `board` with its firmware and `model` in slot A (any bytes; none if empty).
    /// With `counting`, the instructions of every inference are counted (`Qemu::stop` gives them).
    pub fn start(board: &Board, model: &[u8], counting: bool) -> Result<Qemu> {
        Self::start_with(board, model, counting, &Kept::default())
    }

    /// Starts `board` with its flash as [`Qemu::power_off`] kept it.
    pub fn resume(board: &Board, kept: &Kept) -> Result<Qemu> {
        Self::start_with(board, &[], false, kept)
    }

    fn start_with(board: &Board, model: &[u8], counting: bool, kept: &Kept) -> Result<Qemu> {
        let machine = board.machine()?;
        let program = &machine.qemu;
        version(program)?;
        if model.len() > board.slots.bytes as usize {
            bail!("the model is {} bytes, a slot of {} holds {}", model.len(), board.name, board.slots.bytes);
        }
        let firmware = Firmware::of(board)?;
        let files = tempfile::tempdir().context("no folder for temporary files")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port on 127.0.0.1")?;
        listener.set_nonblocking(true)?;
        let mut arguments = machine.arguments.clone();
        let serial = format!("tcp:{},nodelay=on", listener.local_addr()?);
        let monitor = format!("unix:{},server=on,wait=off", files.path().join(MONITOR).display());
        arguments.extend(["-display", "none", "-monitor", &monitor, "-serial", &serial, "-kernel"].map(String::from));
        arguments.push(firmware.path.to_string_lossy().into_owned());
        if !model.is_empty() {
            let file = files.path().join("model.smg");
            fs::write(&file, model).with_context(|| format!("{} cannot be written", file.display()))?;
            let loader = format!("loader,file={},addr={:#x},force-raw=on", file.display(), board.slots.a);
            arguments.extend(["-device".into(), loader]);
        }
        for (at, bytes) in &kept.0 {
            let file = files.path().join(format!("{at:x}"));
            fs::write(&file, bytes).with_context(|| format!("{} cannot be written", file.display()))?;
            arguments.extend(["-device".into(), format!("loader,file={},addr={at:#x},force-raw=on", file.display())]);
        }
        let plugin = counting.then(|| count::arguments(program, &firmware, &files.path().join("counts")));
        let mut stub = None;
        match &plugin {
            None => {}
            Some(Ok(plugin)) => arguments.extend(plugin.iter().cloned()),
            Some(Err(why)) => {
                let socket = files.path().join(DEBUGGER);
                arguments.extend(["-gdb".into(), format!("unix:{},server=on,wait=off", socket.display())]);
                stub = Some((socket, format!("{why:#}")));
            }
        }
        let mut child = Command::new("sh")
            .args(["-c", GUARD, "sh", program])
            .args(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A Ctrl-C at the terminal is ours to handle, not QEMU's.
            .process_group(0)
            .spawn()
            .with_context(|| format!("sh, which starts {program}, does not start"))?;
        let life = child.stdin.take();
        let errors = Arc::new(Mutex::new(String::new()));
        if let Some(stderr) = child.stderr.take() {
            let errors = Arc::clone(&errors);
            thread::spawn(move || keep_last_line(stderr, &errors));
        }
        let link = match accept(&listener, &mut child) {
            Ok(link) => link,
            Err(error) => {
                drop(life);
                end(&mut child);
                let said = last_line(&errors);
                return Err(error.context(format!(
                    "{program} does not start as {}: {said}; `smidgen doctor` checks it",
                    board.name
                )));
            }
        };
        link.set_nodelay(true)?;
        link.set_nonblocking(false)?;
        let counting = match (plugin, stub) {
            (Some(Ok(_)), _) => Counting::Plugin,
            (_, Some((socket, why))) => Counting::Steps(Steps::begin(&socket, &firmware, &board.core)?, why),
            _ => Counting::No,
        };
        Ok(Qemu {
            program: program.clone(),
            board: board.name.clone(),
            child,
            life,
            link,
            errors,
            counting,
            still: Duration::ZERO,
            files,
            stretches: Kept::stretches(board),
        })
    }

    /// Cuts the power: the processor stops where it is, RAM is lost, what the firmware wrote to flash is kept.
    pub fn power_off(mut self) -> Result<Kept> {
        let kept = self.keep().with_context(|| format!("the flash of {} cannot be kept", self.board))?;
        self.end();
        Ok(kept)
    }

    fn keep(&self) -> Result<Kept> {
        let mut monitor = UnixStream::connect(self.files.path().join(MONITOR))?;
        monitor.write_all(b"stop\n")?;
        let mut all = Vec::new();
        for (at, len) in &self.stretches {
            let file = self.files.path().join(format!("kept-{at:x}"));
            // As the processor sees it: a microbit's flash is no part of the machine's own memory (pmemsave gives zeros).
            // In quotes: else the path's slash would be taken for a division.
            monitor.write_all(format!("memsave {at:#x} {len:#x} \"{}\"\n", file.display()).as_bytes())?;
            all.push((*at, read_whole(&file, *len as usize)?));
        }
        Ok(Kept(all))
    }

    /// Ends QEMU; the counted instructions, or why there are none.
    pub fn stop(mut self) -> Result<count::Counts, String> {
        self.end();
        match std::mem::replace(&mut self.counting, Counting::No) {
            Counting::No => Err("not asked for".into()),
            Counting::Plugin => {
                count::Counts::read(&self.files.path().join("counts")).map_err(|error| format!("{error:#}"))
            }
            Counting::Steps(steps, why) => steps.end().map_err(|error| format!("{error:#}; no plugin: {why}")),
        }
    }

    /// Instructions that the debugger has stepped, if it is there.
    fn stepped(&self) -> Option<u64> {
        let Counting::Steps(steps, _) = &self.counting else { return None };
        Some(steps.stepped())
    }

    /// QEMU's process number.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    fn end(&mut self) {
        self.life = None;
        end(&mut self.child);
    }

    /// The connection is gone: says why, in one line.
    fn died(&mut self) -> anyhow::Error {
        let deadline = Instant::now() + END;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
        let how = match self.child.try_wait() {
            Ok(Some(status)) => format!("ended in mid-run ({status})"),
            _ => "closed its serial line in mid-run".into(),
        };
        anyhow!(
            "{} as {} {how}: {}; run it again, `smidgen doctor` checks the set-up",
            self.program,
            self.board,
            last_line(&self.errors)
        )
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.end();
    }
}

impl Link for Qemu {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.link.write_all(bytes).map_err(|_| self.died())
    }

    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> Result<usize> {
        self.link.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        let (asked, before) = (Instant::now(), self.stepped());
        let read = self.link.read(bytes);
        self.still = if self.stepped() == before { Duration::ZERO } else { asked.elapsed() };
        match read {
            Ok(0) => return Err(self.died()),
            Ok(count) => return Ok(count),
            Err(error) if waits(&error) => {}
            Err(_) => return Err(self.died()),
        }
        match std::mem::replace(&mut self.counting, Counting::No) {
            Counting::Steps(steps, _) if steps.failed() => {
                steps.end().context("counting by the debugger")?;
            }
            counting => self.counting = counting,
        }
        Ok(0)
    }

    fn stood_still(&mut self) -> Duration {
        self.still
    }
}

/// Reads a file that QEMU writes, once all of it is there.
fn read_whole(file: &Path, len: usize) -> Result<Vec<u8>> {
    let deadline = Instant::now() + KEEP;
    while Instant::now() < deadline {
        if fs::metadata(file).is_ok_and(|file| file.len() == len as u64) {
            return fs::read(file).with_context(|| format!("{} cannot be read", file.display()));
        }
        thread::sleep(Duration::from_millis(2));
    }
    bail!("{} was not written within {} s", file.display(), KEEP.as_secs())
}

/// The first line of `PROGRAM --version`; the error says how to install it.
pub fn version(program: &str) -> Result<String> {
    let output = match Command::new(program).arg("--version").stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let package = if program == "qemu-system-arm" { "qemu-system-arm" } else { "qemu-system-misc" };
            bail!(
                "{program} is not installed; on Debian or Ubuntu: sudo apt-get install {package}, or run scripts/setup"
            );
        }
        Err(error) => bail!("{program} does not start: {error}"),
    };
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("").to_owned())
}

fn accept(listener: &TcpListener, child: &mut Child) -> Result<TcpStream> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        match listener.accept() {
            Ok((link, _)) => return Ok(link),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = child.try_wait()? {
            bail!("it ended ({status})");
        }
        thread::sleep(Duration::from_millis(5));
    }
    bail!("no connection from it within {} s", START.as_secs())
}

/// Waits for the end that closing the pipe brings about; forces it after `END`.
fn end(child: &mut Child) {
    let deadline = Instant::now() + END;
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    // Both may fail only because it has ended meanwhile.
    let _ = child.kill();
    let _ = child.wait();
}

fn keep_last_line(stderr: impl Read, last: &Mutex<String>) {
    for line in BufReader::new(stderr).split(b'\n').map_while(|line| line.ok()) {
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        // After a guest's lock-up QEMU prints its registers: its own message stays.
        let said = line.starts_with("qemu")
            || !last.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).starts_with("qemu");
        if said && !line.is_empty() {
            *last.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = line;
        }
    }
}

fn last_line(errors: &Mutex<String>) -> String {
    // The reader is another thread: let it catch up.
    thread::sleep(Duration::from_millis(20));
    let line = errors.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    if line.is_empty() { "it said nothing".into() } else { line }
}
