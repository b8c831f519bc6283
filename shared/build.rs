//! Names the chip's instruction set for `src/kernel/arch`: stable Rust tells an Armv7E-M from an Armv7-M nowhere else.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!(
        "cargo:rustc-check-cfg=cfg(smidgen_core, values(\"armv6m\", \"armv7m\", \"armv7em\", \"armv8m\", \"rv32\"))"
    );
    let target = std::env::var("TARGET").unwrap_or_default();
    let core = [
        ("thumbv6m", "armv6m"),
        ("thumbv7m", "armv7m"),
        ("thumbv7em", "armv7em"),
        ("thumbv8m.main", "armv8m"),
        ("riscv32im", "rv32"),
    ];
    if let Some((_, core)) = core.iter().find(|(name, _)| target.starts_with(name) && target.contains("-none-")) {
        println!("cargo:rustc-cfg=smidgen_core=\"{core}\"");
    }
}
