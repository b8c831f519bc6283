//! The public key of a signed build changes the image.

fn main() {
    println!("cargo:rerun-if-env-changed=SMIDGEN_PUBLIC_KEY");
    println!("cargo:rerun-if-env-changed=SMIDGEN_MONOTONIC");
}
