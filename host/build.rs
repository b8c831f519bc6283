//! Builds every `boards/*/board.toml` into the program: OUT_DIR/boards.rs with their texts.

use std::{env, fs, path::Path};

fn main() {
    let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards");
    println!("cargo:rerun-if-changed={}", boards.display());
    let mut folders: Vec<_> = fs::read_dir(&boards)
        .unwrap_or_else(|error| panic!("{}: {error}", boards.display()))
        .flatten()
        // The template is a board to copy, not one to use.
        .filter(|folder| folder.file_name() != "template" && folder.path().join("board.toml").is_file())
        .collect();
    folders.sort_by_key(|folder| folder.file_name());
    let mut list =
        String::from("/// Folder and text of every boards/*/board.toml.\nconst BOARD_FILES: &[(&str, &str)] = &[\n");
    for folder in folders {
        let file = folder.path().join("board.toml");
        println!("cargo:rerun-if-changed={}", file.display());
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        list += &format!("    ({:?}, {text:?}),\n", folder.file_name().to_string_lossy());
    }
    list += "];\n";
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("boards.rs"), list).expect("OUT_DIR can be written");
}
