fn main() {
    smidgen_board_build::board();
    // What the chip's boot ROM looks for.
    println!("cargo:rerun-if-changed=boot.x");
    println!("cargo:rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rustc-link-arg-bins=-Tboot.x");
}
