//! A cargo package made for one image that is counted, built with settings of its own for the chip.
//!
//! It lies among the firmware's builds, in a folder by its name, and files are written only where they changed: a second
//! count of the same layers builds nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::device::{Board, boards_folder, cargo};

/// Start-up code and markers, as `src/start.rs`.
pub const START: &str = include_str!("../../bench/kernels/start.rs");

/// What is built.
pub struct Package {
    /// Unique among all images: the folder's and the package's name.
    pub name: String,
    /// Lines of `[dependencies]`.
    pub dependencies: String,
    /// The table `[profile.release]`.
    pub profile: toml::Table,
    /// Where versions of dependencies are taken from; written there where it is missing.
    pub lock: PathBuf,
    /// Path in the package and content, `src/main.rs` among them.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Package {
    /// A folder for what is kept between runs: locks.
    ///
    /// # Errors
    /// Where the source tree is not found.
    pub fn kept() -> Result<PathBuf> {
        Ok(boards_folder()?.join("target/bench"))
    }

    /// The profile of the boards' firmware, without that of single packages.
    ///
    /// # Errors
    /// Where boards/Cargo.toml can't be read.
    pub fn firmware_profile() -> Result<toml::Table> {
        let manifest = boards_folder()?.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
        let manifest: toml::Table = text.parse()?;
        let profile = manifest.get("profile").and_then(|profile| profile.get("release")?.as_table());
        let mut profile = profile.context("boards/Cargo.toml has no profile.release")?.clone();
        profile.remove("package");
        Ok(profile)
    }

    /// The built image's path.
    ///
    /// # Errors
    /// The compiler's or linker's first complaint.
    pub fn build(&self, board: &Board) -> Result<PathBuf> {
        let target = boards_folder()?.join("target");
        let folder = Package::kept()?.join(&self.name);
        let profile = toml::Table::from_iter([("release".to_string(), toml::Value::Table(self.profile.clone()))]);
        let profile = toml::to_string(&toml::Table::from_iter([("profile".to_string(), profile.into())]))?;
        let manifest = format!(
            "[package]\nname = {:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{}\n{profile}",
            self.name, self.dependencies
        );
        write(&folder.join("Cargo.toml"), manifest.as_bytes())?;
        write(&folder.join("link.x"), script(board).as_bytes())?;
        write(&folder.join("src/start.rs"), START.as_bytes())?;
        for (path, content) in &self.files {
            write(&folder.join(path), content)?;
        }
        let lock = folder.join("Cargo.lock");
        if !lock.is_file() && self.lock.is_file() {
            fs::copy(&self.lock, &lock)?;
        }
        let mut cargo = cargo();
        // The board's own settings: they may name its core to the compiler.
        cargo.arg("--config").arg(boards_folder()?.join(&board.name).join(".cargo/config.toml"));
        cargo.current_dir(&folder).args(["rustc", "--release", "--quiet", "--target", &board.target, "--target-dir"]);
        cargo.arg(&target).args(["--", "-Clink-arg=-Tlink.x", "-Clink-arg=--nmagic"]);
        cargo.arg(if board.target.starts_with("riscv") {
            "-Clink-arg=--entry=start"
        } else {
            "-Clink-arg=--entry=main"
        });
        let output = cargo.output().context("cargo, which builds images, does not start")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let line = errors.lines().find(|line| line.contains("error")).unwrap_or("no message");
        ensure!(output.status.success(), "cargo: {line}; all of it: `cargo build --release` in {}", folder.display());
        if !self.lock.is_file() {
            fs::copy(&lock, &self.lock)?;
        }
        Ok(target.join(&board.target).join("release").join(&self.name))
    }
}

/// The linker's script of a counted image: the whole flash, the stack at the top of RAM. What is the model's own
/// (`.weights`) and what is there for the check alone (`.check`) have sections of their own.
pub fn script(board: &Board) -> String {
    let (flash, ram) = (&board.flash, &board.ram);
    format!(
        "MEMORY {{ FLASH (rx) : ORIGIN = {:#x}, LENGTH = {:#x}\n RAM (rwx) : ORIGIN = {:#x}, LENGTH = {:#x} }}\n\
         stack_top = ORIGIN(RAM) + LENGTH(RAM);\n\
         SECTIONS {{ .vectors : {{ KEEP(*(.vectors)) }} > FLASH\n \
         .text : {{ *(.text .text.*) }} > FLASH\n \
         .rodata : {{ *(.rodata .rodata.* .srodata .srodata.*) }} > FLASH\n \
         .weights : {{ *(.weights .weights.*) }} > FLASH\n \
         .check : {{ *(.check .check.*) }} > FLASH\n \
         .data : {{ *(.data .data.* .sdata .sdata.*) }} > RAM\n \
         .bss : {{ *(.bss .bss.* .sbss .sbss.* COMMON) }} > RAM\n \
         /DISCARD/ : {{ *(.ARM.exidx* .ARM.extab* .eh_frame*) }} }}\n",
        flash.origin, flash.length, ram.origin, ram.length
    )
}

/// Writes a file where it is not there or differs, whole or not at all.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let folder = path.parent().context("a file of a package lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let file =
        tempfile::NamedTempFile::new_in(folder).with_context(|| format!("{} cannot be written", folder.display()))?;
    fs::write(file.path(), content)?;
    file.persist(path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(())
}
