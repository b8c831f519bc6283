fn main() {
    smidgen_board_build::constants();
    // esp-hal brings the memory layout.
    println!("cargo:rustc-link-arg-bins=-Tlinkall.x");
    println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
}
