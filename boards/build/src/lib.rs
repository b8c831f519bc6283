//! Turns a board's `board.toml` into what its build needs, so that no number is written twice:
//! `memory.x` for the linker and `board.rs` with the constants that main.rs includes.
//!
//! RAM from its lowest address: | stack, growing down | .data .bss .uninit |
//! The stack lies at the very bottom, so that an overflow faults at once and never runs into statics.
//! Flash from its lowest address: | firmware's share | slots and store, in any order |
//! The linker's region FLASH is the firmware's share alone: code that grew into a slot fails to link.
//! Slots or the store may lie at the top of RAM, where nothing else can be written; the linker's RAM ends there.

use serde::Deserialize;
use std::{env, fs, path::PathBuf};

#[derive(Deserialize)]
struct BoardToml {
    name: String,
    core: String,
    target: String,
    /// How QEMU is told to be this board; a board on a desk has none.
    machine: Option<serde::de::IgnoredAny>,
    flash: Flash,
    ram: Ram,
    slots: Slots,
    store: Store,
}

/// Bytes and byte addresses.
#[derive(Deserialize)]
struct Flash {
    origin: u32,
    length: u32,
    /// The firmware's share: the first bytes of flash.
    firmware: u32,
    /// Smallest unit that is erased where slots and store lie.
    page: u32,
    /// Smallest unit that is written.
    write: u32,
}

#[derive(Deserialize)]
struct Ram {
    origin: u32,
    length: u32,
    stack: u32,
    /// Working memory of a model: the largest `arena_bytes` that this board accepts.
    arena: u32,
    /// The two in firmware with a key, where it takes more stack to verify a signature.
    signed: Option<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    stack: u32,
    arena: u32,
}

/// Model slots.
#[derive(Deserialize)]
struct Slots {
    a: u32,
    b: u32,
    bytes: u32,
    /// Size of slot B where it differs.
    b_bytes: Option<u32>,
    /// Its smallest erase where it differs from flash.page.
    b_page: Option<u32>,
}

impl Slots {
    fn b_bytes(&self) -> u32 {
        self.b_bytes.unwrap_or(self.bytes)
    }
}

/// The records' place: which slot is served, taught classes.
#[derive(Deserialize)]
struct Store {
    at: u32,
    bytes: u32,
    /// Its smallest erase where it differs from flash.page.
    page: Option<u32>,
}

/// Call this from the build.rs of a board. It panics, and so fails the build, with the field to change.
pub fn board() {
    let (board, out) = constants();
    // What a chip's boot ROM wants besides stands in the board's own boot.x.
    println!("cargo:rerun-if-changed=boot.x");
    let boot = fs::read_to_string("boot.x").unwrap_or_default();
    fs::write(out.join("memory.x"), memory_x(&board) + &boot).expect("OUT_DIR can be written");
    // cortex-m-rt includes it where no HAL brings one; the boards' vectors need no names from it.
    if board.machine.is_some() {
        fs::write(out.join("device.x"), "").expect("OUT_DIR can be written");
    }
    println!("cargo:rustc-link-search={}", out.display());
    if board.target.starts_with("riscv") {
        println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    // Without this an ARM image would carry 64 KB of padding between its segments.
    println!("cargo:rustc-link-arg-bins=--nmagic");
    log(&board);
}

/// As [`board`], where a HAL brings the linker's scripts: `script` includes them.
pub fn board_of_hal(script: &str) {
    let (board, _) = constants();
    println!("cargo:rustc-link-arg-bins=-T{script}");
    log(&board);
}

/// Boards on a desk log by defmt, whose script gathers the messages outside the image.
fn log(board: &BoardToml) {
    if board.machine.is_none() {
        println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
    }
}

/// Reads and checks board.toml and writes board.rs; OUT_DIR.
fn constants() -> (BoardToml, PathBuf) {
    println!("cargo:rerun-if-changed=board.toml");
    let text = fs::read_to_string("board.toml").unwrap_or_else(|e| panic!("board.toml: {e}"));
    let mut board: BoardToml = toml::from_str(&text).unwrap_or_else(|e| panic!("board.toml: {e}"));
    if let (Some(signed), true) = (&board.ram.signed, env::var_os("CARGO_FEATURE_SIGNED").is_some()) {
        (board.ram.stack, board.ram.arena) = (signed.stack, signed.arena);
    }
    check(&board);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("board.rs"), board_rs(&board)).expect("OUT_DIR can be written");
    (board, out)
}

fn end(origin: u32, length: u32) -> u64 {
    u64::from(origin) + u64::from(length)
}

/// Name, address, bytes and page of what the firmware itself writes.
fn stretches(b: &BoardToml) -> [(&'static str, u32, u32, u32); 3] {
    [
        ("slots.a", b.slots.a, b.slots.bytes, b.flash.page),
        ("slots.b", b.slots.b, b.slots.b_bytes(), b.slots.b_page.unwrap_or(b.flash.page)),
        ("store.at", b.store.at, b.store.bytes, b.store.page.unwrap_or(b.flash.page)),
    ]
}

/// Where the linker's RAM ends: below what is kept at its top.
fn ram_end(b: &BoardToml) -> u64 {
    let whole = end(b.ram.origin, b.ram.length);
    let in_ram = |at: &u32| (u64::from(b.ram.origin)..whole).contains(&u64::from(*at));
    stretches(b).into_iter().map(|s| s.1).filter(in_ram).map(u64::from).min().unwrap_or(whole)
}

fn check(b: &BoardToml) {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    assert!(
        b.core != "cortex-m55" || flags.contains("target-cpu=cortex-m55"),
        "{}: build it in its own folder, whose .cargo/config.toml names the core to the compiler",
        b.name
    );
    let (flash_end, firmware_end) = (end(b.flash.origin, b.flash.length), end(b.flash.origin, b.flash.firmware));
    assert!(b.flash.page.is_multiple_of(16), "board.toml: flash.page must be a multiple of 16");
    assert!(
        b.flash.write.is_power_of_two() && b.flash.write <= 32,
        "board.toml: flash.write must be a power of two, at most 32"
    );
    for (name, at, bytes, page) in stretches(b) {
        assert!(
            at.is_multiple_of(page) && bytes.is_multiple_of(page),
            "board.toml: {name} = {at:#x}, {bytes} bytes: not whole pages of {page} (flash.page)"
        );
        let in_flash = u64::from(at) >= firmware_end && end(at, bytes) <= flash_end;
        let in_ram = u64::from(at) >= ram_end(b) && end(at, bytes) <= end(b.ram.origin, b.ram.length);
        assert!(
            in_flash || in_ram,
            "board.toml: {name} ({at:#x}, {bytes} bytes) must lie between the firmware's end {firmware_end:#x} and flash's end {flash_end:#x}, or at the top of RAM"
        );
        for (other, other_at, other_bytes, _) in stretches(b) {
            assert!(
                name == other || end(at, bytes) <= u64::from(other_at) || end(other_at, other_bytes) <= u64::from(at),
                "board.toml: {name} and {other} overlap"
            );
        }
    }
    let page = b.store.page.unwrap_or(b.flash.page);
    assert!(
        b.store.bytes.is_multiple_of(2 * page),
        "board.toml: store.bytes must be an even number of pages of {page} (store.page)"
    );
    assert!(b.ram.stack.is_multiple_of(16), "board.toml: ram.stack must be a multiple of 16");
    assert!(b.ram.arena.is_multiple_of(4), "board.toml: ram.arena must be a multiple of 4");
    assert!(
        end(b.ram.origin, b.ram.stack) + u64::from(b.ram.arena) < ram_end(b),
        "board.toml: ram.stack + ram.arena leave nothing of RAM below {:#x}",
        ram_end(b)
    );
}

fn memory_x(b: &BoardToml) -> String {
    let mut script = format!(
        "MEMORY {{\n  FLASH : ORIGIN = {:#x}, LENGTH = {:#x}\n  STACK : ORIGIN = {:#x}, LENGTH = {:#x}\n  RAM : ORIGIN = {:#x}, LENGTH = {:#x}\n}}\n\
         _stack_end = ORIGIN(STACK);\n_stack_start = ORIGIN(STACK) + LENGTH(STACK);\n",
        b.flash.origin,
        b.flash.firmware,
        b.ram.origin,
        b.ram.stack,
        b.ram.origin + b.ram.stack,
        ram_end(b) - end(b.ram.origin, b.ram.stack),
    );
    if b.target.starts_with("riscv") {
        for (alias, region) in [
            ("TEXT", "FLASH"),
            ("RODATA", "FLASH"),
            ("DATA", "RAM"),
            ("BSS", "RAM"),
            ("HEAP", "RAM"),
            ("STACK", "STACK"),
        ] {
            script += &format!("REGION_ALIAS(\"REGION_{alias}\", {region});\n");
        }
    }
    script
}

fn board_rs(b: &BoardToml) -> String {
    let [a, slot_b, store] = stretches(b).map(|(_, at, bytes, page)| {
        format!("Place {{ at: {at:#x}, bytes: {bytes:#x}, page: {page:#x}, unit: {} }}", b.flash.write)
    });
    let mut text = format!(
        "// From board.toml.\n\
         use smidgen_board_support::{{Layout, Memory, Once, Place}};\n\
         static LAYOUT: Layout = Layout {{ name: {:?}, slots: [{a}, {slot_b}], store: {store} }};\n\
         static MEMORY: Once<Memory<{}>> = Once::new(Memory::new());\n",
        b.name,
        b.ram.arena / 4,
    );
    // Where no HAL buffers what the UART receives.
    if b.machine.is_some() {
        text += "static RING: smidgen_board_support::Ring = smidgen_board_support::Ring::new();\n";
    }
    text
}
