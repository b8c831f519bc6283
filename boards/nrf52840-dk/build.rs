fn main() {
    smidgen_board_build::board();
    println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
}
