//! Names the chip's instruction set for `src/kernel/arch`: stable Rust tells an Armv7E-M from an Armv7-M nowhere else.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!(
        "cargo:rustc-check-cfg=cfg(smidgen_core, values(\"armv6m\", \"armv7m\", \"armv7em\", \"armv8m\", \"armv81m\", \"rv32\"))"
    );
    let target = std::env::var("TARGET").unwrap_or_default();
    let core = [
        ("thumbv6m", "armv6m"),
        ("thumbv7m", "armv7m"),
        ("thumbv7em", "armv7em"),
        ("thumbv8m.main", "armv8m"),
        ("riscv32im", "rv32"),
    ];
    // One target, two instruction sets: the board's settings name the core to the compiler.
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mve = flags.split('\x1f').any(|flag| flag.ends_with("target-cpu=cortex-m55"));
    if let Some((_, core)) = core.iter().find(|(name, _)| target.starts_with(name) && target.contains("-none-")) {
        let core = if *core == "armv8m" && mve { "armv81m" } else { core };
        println!("cargo:rustc-cfg=smidgen_core=\"{core}\"");
    }
}
