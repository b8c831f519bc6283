//! The project's own source as text: its files, their code without tests and comments, words in it.

use std::fs;
use std::path::{Path, PathBuf};

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A text file of the project.
pub struct File {
    /// From the project's root, with slashes.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// Text files below the project's folders, build outputs and data left out.
pub fn files() -> Vec<File> {
    fn walk(folder: &Path, root: &Path, out: &mut Vec<File>) {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", ".git", "corpus", "artifacts", "seeds", "runs"].contains(&name.as_str()) {
                    walk(&path, root, out);
                }
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                out.push(File { path, text });
            }
        }
    }
    let mut out = Vec::new();
    for folder in [".ci", "boards", "docs", "examples", "firmware", "fuzz", "host", "scripts", "shared", "tests"] {
        let path = root().join(folder);
        if path.is_dir() {
            walk(&path, &root(), &mut out);
        }
    }
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            out.push(File { path: path.file_name().unwrap().to_string_lossy().into_owned(), text });
        }
    }
    assert!(out.len() > 100, "only {} files are found below {}", out.len(), root().display());
    out
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("tests/") || path.contains("/tests/") || name == "tests.rs" || name.ends_with("_tests.rs")
}

/// Rust files that are no tests.
pub fn sources() -> Vec<File> {
    files().into_iter().filter(|f| f.path.ends_with(".rs") && !is_test(&f.path)).collect()
}

/// Lines, numbered from 1, without those of items under `#[cfg(test)]`.
pub fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut all = text.lines().enumerate();
    while let Some((i, line)) = all.next() {
        if line.trim() != "#[cfg(test)]" {
            out.push((i + 1, line));
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        // To the end of the item: a semicolon, or the brace at the same indent.
        let mut open = false;
        for (_, line) in all.by_ref() {
            open |= line.trim_end().ends_with('{');
            let closed = line == format!("{indent}}}") || line == format!("{indent}}};");
            if (open && closed) || (!open && (line.trim_end().ends_with(';') || line.trim_end().ends_with('}'))) {
                break;
            }
        }
    }
    out
}

/// Code alone: no comments, no tests.
pub fn code(text: &str) -> Vec<(usize, &str)> {
    let cut =
        |line: &'_ str| -> usize { line.find("//").filter(|&at| !line[..at].ends_with(':')).unwrap_or(line.len()) };
    lines(text).into_iter().map(|(i, line)| (i, &line[..cut(line)])).collect()
}

/// Whether `line` has `word` as a word of its own.
pub fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

/// The variants of `enum NAME` in `text`, each with the lines of documentation above it.
pub fn variants(text: &str, name: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut doc = String::new();
    let start = format!("enum {name} {{");
    for line in text.lines().skip_while(|l| !l.contains(&start)).skip(1) {
        if line == "}" {
            break;
        }
        let Some(inner) = line.strip_prefix("    ").filter(|l| !l.starts_with(' ')) else { continue };
        if let Some(comment) = inner.strip_prefix("///") {
            doc += comment;
        } else if inner.starts_with(|c: char| c.is_ascii_uppercase()) {
            let name: String = inner.chars().take_while(|c| c.is_alphanumeric()).collect();
            out.push((name, std::mem::take(&mut doc)));
        }
    }
    out
}
