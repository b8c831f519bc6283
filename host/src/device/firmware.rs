//! A board's firmware: built with cargo when needed, and what its ELF says about flash, RAM and markers.

use super::Board;
use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSegment, ObjectSymbol};
use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{LazyLock, Mutex},
};

/// A built firmware.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The ELF.
    pub path: PathBuf,
    /// Bytes of flash: vectors, code, constants and the initial values of statics.
    pub flash_bytes: u32,
    /// Bytes of RAM for statics; the stack is apart (board.toml, ram.stack).
    pub static_bytes: u32,
    /// Addresses of the functions that mark measured stretches, by name.
    pub markers: HashMap<String, u64>,
}

/// One build a board and process; the lock also keeps builds from running side by side.
static BUILT: LazyLock<Mutex<HashMap<String, Firmware>>> = LazyLock::new(Default::default);

impl Firmware {
    /// The board's firmware, built or brought up to date first (release; nothing happens if it is fresh). With the
    /// variable SMIDGEN_PUBLIC_KEY it is one that serves models alone that are signed under that key.
    pub fn of(board: &Board) -> Result<Firmware> {
        let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(firmware) = built.get(&board.name) {
            return Ok(firmware.clone());
        }
        let folder = boards_folder()?;
        build(board, &folder)?;
        let firmware = Firmware::read(board, &image(board, &folder))?;
        built.insert(board.name.clone(), firmware.clone());
        Ok(firmware)
    }

    /// The board's firmware as it was built last, perhaps from older code; nothing if it never was.
    pub fn there(board: &Board) -> Option<Firmware> {
        Firmware::read(board, &image(board, &boards_folder().ok()?)).ok()
    }

    /// Reads an ELF of this board.
    pub fn read(board: &Board, path: &Path) -> Result<Firmware> {
        let bytes =
            fs::read(path).with_context(|| format!("{}: no firmware there; run scripts/setup", path.display()))?;
        let elf = object::File::parse(&*bytes).with_context(|| format!("{} is not an ELF", path.display()))?;
        let in_ram = |address: u64| {
            (u64::from(board.ram.origin)..u64::from(board.ram.origin) + u64::from(board.ram.length)).contains(&address)
        };
        // Whatever the file holds goes to flash (initial values of statics too); what lies in RAM takes RAM.
        let (mut flash_bytes, mut static_bytes) = (0, 0);
        for segment in elf.segments() {
            flash_bytes += segment.file_range().1 as u32;
            if in_ram(segment.address()) {
                static_bytes += segment.size() as u32;
            }
        }
        ensure!(flash_bytes > 0, "{}: the ELF has no loadable bytes", path.display());
        let markers = elf
            .symbols()
            .filter_map(|symbol| {
                Some((symbol.name().ok()?.strip_prefix("smidgen_mark_")?.to_owned(), symbol.address() & !1))
            })
            .collect();
        Ok(Firmware { path: path.to_owned(), flash_bytes, static_bytes, markers })
    }
}

/// Whether firmware with a public key is asked for.
pub(super) fn signed() -> bool {
    env::var_os("SMIDGEN_PUBLIC_KEY").is_some()
}

/// Where builds lie, inside the folder of boards: those with a key apart, so that neither is taken for the other.
fn target_folder() -> &'static str {
    if signed() { "target/signed" } else { "target" }
}

fn image(board: &Board, folder: &Path) -> PathBuf {
    folder.join(target_folder()).join(&board.target).join("release").join(&board.name)
}

fn build(board: &Board, folder: &Path) -> Result<()> {
    let mut cargo = cargo();
    // In the board's own folder: its settings count, and it may be a workspace of its own.
    cargo.current_dir(folder.join(&board.name)).args(["build", "--release", "--quiet", "--target", &board.target]);
    if signed() {
        cargo.args(["--features", "signed", "--target-dir"]).arg(folder.join(target_folder()));
    }
    let output = match cargo.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => bail!("cargo, which builds the firmware of {}, does not start: {error}", board.name),
    };
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let hint = if errors.contains("can't find crate for `core`") {
            format!("run `rustup target add {}`", board.target)
        } else if errors.contains("is not supported by the following package") {
            "its HAL asks for a newer compiler: run `rustup update stable`".into()
        } else {
            format!("run `cargo build --release` in boards/{} to see all", board.name)
        };
        let line = errors.lines().find(|line| line.contains("error")).unwrap_or("no message");
        bail!("the firmware of {} does not build: {line}; {hint}", board.name);
    }
    Ok(())
}

/// Cargo for a chip's build: what an outer cargo or a user set for the host must not reach it.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for variable in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_BUILD_RUSTFLAGS"]
    {
        cargo.env_remove(variable);
    }
    cargo
}

/// The folder `boards` of the source tree: from the variable SMIDGEN_BOARDS, above the current folder or the
/// program, or where the program was built.
pub fn boards_folder() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("SMIDGEN_BOARDS") {
        let folder = PathBuf::from(folder);
        ensure!(folder.join("Cargo.toml").is_file(), "SMIDGEN_BOARDS={}: no Cargo.toml there", folder.display());
        return Ok(folder);
    }
    let starts = [env::current_dir().ok(), env::current_exe().ok(), Some(env!("CARGO_MANIFEST_DIR").into())];
    starts
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors())
        .map(|above| above.join("boards"))
        .find(|folder| folder.join("support/Cargo.toml").is_file())
        .context("the folder boards of Smidgen's source is not found; run inside the source tree or set SMIDGEN_BOARDS")
}
