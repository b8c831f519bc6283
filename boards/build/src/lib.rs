//! Turns a board's `board.toml` into what its build needs, so that no number is written twice:
//! `memory.x` for the linker and `board.rs` with the constants that main.rs includes.
//!
//! RAM from its lowest address: | stack, growing down | .data .bss .uninit |
//! The stack lies at the very bottom, so that an overflow faults at once and never runs into statics.
//! Flash from its lowest address: | firmware's share | slot A | slot B |
//! The linker's region FLASH is the firmware's share alone: code that grew into slot A fails to link.

use serde::Deserialize;
use std::{env, fs, path::Path};

#[derive(Deserialize)]
struct BoardToml {
    name: String,
    target: String,
    flash: Flash,
    ram: Ram,
    slots: Slots,
}

/// Bytes and byte addresses.
#[derive(Deserialize)]
struct Flash {
    origin: u32,
    length: u32,
    /// The firmware's share: the first bytes of flash.
    firmware: u32,
}

#[derive(Deserialize)]
struct Ram {
    origin: u32,
    length: u32,
    stack: u32,
    /// Working memory of a model: the largest `arena_bytes` that this board accepts.
    arena: u32,
}

/// Model slots of equal size.
#[derive(Deserialize)]
struct Slots {
    a: u32,
    b: u32,
    bytes: u32,
}

/// Call this from the build.rs of a board. It panics, and so fails the build, with the field to change.
pub fn board() {
    println!("cargo:rerun-if-changed=board.toml");
    let text = fs::read_to_string("board.toml").unwrap_or_else(|e| panic!("board.toml: {e}"));
    let board: BoardToml = toml::from_str(&text).unwrap_or_else(|e| panic!("board.toml: {e}"));
    check(&board);
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let out = Path::new(&out);
    fs::write(out.join("memory.x"), memory_x(&board)).expect("OUT_DIR can be written");
    fs::write(out.join("board.rs"), constants(&board)).expect("OUT_DIR can be written");
    // cortex-m-rt includes it; the boards' vectors need no names from it.
    fs::write(out.join("device.x"), "").expect("OUT_DIR can be written");
    println!("cargo:rustc-link-search={}", out.display());
    if board.target.starts_with("riscv") {
        println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    // Without this an ARM image would carry 64 KB of padding between its segments.
    println!("cargo:rustc-link-arg-bins=--nmagic");
}

fn check(b: &BoardToml) {
    let end = |origin: u32, length: u32| u64::from(origin) + u64::from(length);
    let flash_end = end(b.flash.origin, b.flash.length);
    let firmware_end = end(b.flash.origin, b.flash.firmware);
    for (slot, address) in [("a", b.slots.a), ("b", b.slots.b)] {
        assert!(address.is_multiple_of(16), "board.toml: slots.{slot} = {address:#x} is not a multiple of 16");
        assert!(
            u64::from(address) >= firmware_end && end(address, b.slots.bytes) <= flash_end,
            "board.toml: slot {slot} ({address:#x}, {} bytes) must lie between the firmware's end {firmware_end:#x} and flash's end {flash_end:#x}",
            b.slots.bytes
        );
    }
    assert!(
        end(b.slots.a, b.slots.bytes) <= u64::from(b.slots.b),
        "board.toml: slot a runs into slot b: lower slots.bytes"
    );
    assert!(b.ram.stack.is_multiple_of(16), "board.toml: ram.stack must be a multiple of 16");
    assert!(b.ram.arena.is_multiple_of(4), "board.toml: ram.arena must be a multiple of 4");
    assert!(
        u64::from(b.ram.stack) + u64::from(b.ram.arena) < u64::from(b.ram.length),
        "board.toml: ram.stack + ram.arena leave nothing of ram.length = {}",
        b.ram.length
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
        b.ram.length - b.ram.stack,
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

fn constants(b: &BoardToml) -> String {
    format!(
        "// From board.toml.\n\
         use smidgen_board_support::{{Layout, Memory, Once, Ring}};\n\
         static LAYOUT: Layout = Layout {{ name: {:?}, slot_a: {:#x}, slot_bytes: {:#x} }};\n\
         static MEMORY: Once<Memory<{}>> = Once::new(Memory::new());\n\
         static RING: Ring = Ring::new();\n",
        b.name,
        b.slots.a,
        b.slots.bytes,
        b.ram.arena / 4,
    )
}
