//! The architecture's own rules, read from the source: a change that breaks one fails here, with file, line and rule.
//!
//! Dependencies point one way, `boards → firmware → shared ← host`; families never use each other; quantisation
//! happens once; variation and unsafe code have their places; the device's code cannot panic by its own words.

use std::fs;

use smidgen_tests::source::{code, files, has_word, lines, root, sources, variants};
use toml::{Table, Value};

/// Lines of a file, tests left out.
const LINES: usize = 400;
/// Files with a reason to be longer: (path, reason). Keep it tiny.
const LONG: [(&str, &str); 1] =
    [("shared/src/features.rs", "one formula a feature, streamed over one state: its layout is read with them")];
/// Where a feature of the build may be asked for: (path, feature).
const FEATURES: [(&str, &str); 1] = [("host/src/device/probe/mod.rs", "probe")];
/// Lines of a board's main.
const MAIN_LINES: usize = 60;

/// Asserts that nothing was found, and lists what was.
fn none(rule: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

fn manifest(path: &str) -> Table {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    text.parse().unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Names in a section of a manifest, sections of targets included.
fn dependencies(manifest: &Table, section: &str) -> Vec<String> {
    let mut names: Vec<String> =
        manifest.get(section).and_then(Value::as_table).into_iter().flat_map(|t| t.keys().cloned()).collect();
    for target in manifest.get("target").and_then(Value::as_table).into_iter().flat_map(|t| t.values()) {
        names.extend(target.as_table().into_iter().flat_map(|t| dependencies(t, section)));
    }
    names
}

fn only(package: &str, allowed: &[&str]) {
    let found = dependencies(&manifest(package), "dependencies").into_iter().filter(|n| !allowed.contains(&n.as_str()));
    none(&format!("{package} may depend on {} alone", allowed.join(", ")), found.collect());
}

#[test]
fn dependencies_point_one_way() {
    // All of these are no_std. Another one has to be so too, before it stands here.
    only("shared/Cargo.toml", &["serde", "postcard", "bytemuck", "crc", "heapless", "micromath", "cobs"]);
    only("firmware/Cargo.toml", &["smidgen-shared", "heapless", "defmt", "embedded-hal", "embedded-io"]);
    let host = dependencies(&manifest("host/Cargo.toml"), "dependencies");
    assert!(host.iter().any(|n| n == "smidgen-shared"));
    assert!(!host.iter().any(|n| n == "smidgen-firmware" || n == "smidgen-tests"), "{host:?}");
    for file in files().iter().filter(|f| f.path.starts_with("boards/") && f.path.ends_with("/Cargo.toml")) {
        let names = [
            dependencies(&manifest(&file.path), "dependencies"),
            dependencies(&manifest(&file.path), "build-dependencies"),
        ]
        .concat();
        assert!(
            !names.iter().any(|n| n == "smidgen" || n == "smidgen-shared" || n == "smidgen-tests"),
            "{}: {names:?}",
            file.path
        );
    }
    // What shared takes from the workspace comes without std.
    let workspace = manifest("Cargo.toml");
    let table = workspace["workspace"]["dependencies"].as_table().unwrap();
    for name in ["serde", "postcard", "bytemuck", "heapless"] {
        if let Some(Value::Table(t)) = table.get(name) {
            assert_eq!(t.get("default-features"), Some(&Value::Boolean(false)), "{name} would bring std into shared");
        }
    }
}

#[test]
fn shared_and_firmware_have_no_std_and_no_unsafe() {
    // shared lets its kernels in assembly through, one by one.
    for (path, level) in [("shared/src/lib.rs", "deny"), ("firmware/src/lib.rs", "forbid")] {
        let text = fs::read_to_string(root().join(path)).unwrap();
        for attribute in ["#![no_std]", &format!("#![{level}(unsafe_code)]")] {
            assert!(text.lines().any(|l| l == attribute), "{path} lacks {attribute}");
        }
    }
    let mut found = Vec::new();
    for f in sources().iter().filter(|f| f.path.starts_with("shared/src/") || f.path.starts_with("firmware/src/")) {
        for (i, line) in code(&f.text) {
            if ["std::", "alloc::"].iter().any(|w| line.contains(&format!(" {w}")) || line.starts_with(w))
                || line.contains("extern crate")
            {
                found.push(format!("{}:{i}: {}", f.path, line.trim()));
            }
        }
    }
    none("shared and firmware use no std and no heap", found);
}

/// What panics by its own word. Indexing is found in the linked images (host/src/device/tests.rs).
const PANICS: [&str; 12] = [
    ".unwrap()",
    ".expect(",
    ".unwrap_err()",
    ".expect_err(",
    "panic!",
    "todo!",
    "unimplemented!",
    "unreachable!",
    "assert!",
    "assert_eq!",
    "assert_ne!",
    ".split_at(",
];

fn panics(text: &str) -> Vec<(usize, &str)> {
    let at_compile_time = |line: &str| line.contains("const _: () = assert!");
    code(text)
        .into_iter()
        .filter(|(_, line)| PANICS.iter().any(|p| line.contains(p)) && !at_compile_time(line))
        .collect()
}

#[test]
fn shared_and_firmware_say_nothing_that_panics() {
    let mut found = Vec::new();
    for f in sources().iter().filter(|f| f.path.starts_with("shared/src/") || f.path.starts_with("firmware/src/")) {
        found.extend(panics(&f.text).iter().map(|(i, line)| format!("{}:{i}: {}", f.path, line.trim())));
    }
    none("code of the device returns its errors", found);
}

/// The name after `family::` where `text` names one.
fn families_named<'t>(text: &'t str, all: &[String]) -> Vec<(usize, &'t str, String)> {
    let named = |line: &str, name: &str| {
        has_word(line, name)
            && (line.contains(&format!("family::{name}"))
                || line.contains("super::super::")
                || line.contains("family::{"))
    };
    code(text)
        .into_iter()
        .flat_map(|(i, line)| all.iter().filter(move |name| named(line, name)).map(move |name| (i, line, name.clone())))
        .collect()
}

#[test]
fn a_family_never_uses_another() {
    let folder = root().join("host/src/family");
    let all: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir())
        .map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(all.iter().any(|n| n == "parsnets"));
    let mut found = Vec::new();
    for f in files().iter().filter(|f| f.path.ends_with(".rs")) {
        let Some((own, _)) = f.path.strip_prefix("host/src/family/").and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        for (i, line, name) in families_named(&f.text, &all) {
            if name != own {
                found.push(format!("{}:{i}: {}", f.path, line.trim()));
            }
        }
    }
    none("a family uses mechanisms, never another family", found);
    // Mechanisms know no family either.
    let mechanisms = ["net", "engine", "compress", "data", "report", "device"];
    let mut found = Vec::new();
    for f in sources().iter().filter(|f| mechanisms.iter().any(|m| f.path.starts_with(&format!("host/src/{m}/")))) {
        found.extend(
            code(&f.text)
                .iter()
                .filter(|(_, l)| l.contains("family::"))
                .map(|(i, l)| format!("{}:{i}: {}", f.path, l.trim())),
        );
    }
    none("a mechanism knows no family", found);
}

#[test]
fn quantisation_happens_once() {
    // Standardisation is trained on the chip's own rounding, so it makes the multipliers of its inputs;
    // infer.rs applies those of an artifact to features that are already there, plain.rs hands them to other engines.
    let peers = "host/src/cli/bench/peers/plain.rs";
    let allowed = ["host/src/compress/", "host/src/family/parsnets/standardise.rs", "host/src/infer.rs", peers];
    let words = ["requant", "requant_i8", "requant_i16", "multiplier", "Row"];
    let mut found = Vec::new();
    let mut seen = 0;
    for f in sources().iter().filter(|f| f.path.starts_with("host/src/")) {
        for (i, line) in code(&f.text) {
            let quantises = has_word(line, words[0])
                || words[1..4].iter().any(|w| has_word(line, w))
                || line.contains("fixed::Row");
            if quantises && allowed.iter().any(|a| f.path.starts_with(a)) {
                seen += 1;
            } else if quantises {
                found.push(format!("{}:{i}: {}", f.path, line.trim()));
            }
        }
    }
    none("rounding and multipliers belong to host/src/compress", found);
    assert!(seen > 3, "the rule's words no longer occur where they belong");
}

/// Code for bare processors: boards, kernels, and the images of other engines that `bench kernels` counts.
const BARE: [&str; 3] = ["boards/", "shared/src/kernel/arch/", "host/bench/kernels/"];

#[test]
fn conditional_code_has_its_places() {
    let mut found = Vec::new();
    for f in sources().iter().filter(|f| !BARE.iter().any(|place| f.path.starts_with(place))) {
        for (i, line) in code(&f.text) {
            let of_a_feature =
                FEATURES.iter().any(|(path, name)| f.path == *path && line.contains(&format!("feature = \"{name}\"")));
            if ["#[cfg(", "#![cfg(", "cfg!(", "cfg_attr("].iter().any(|w| line.contains(w)) && !of_a_feature {
                found.push(format!("{}:{i}: {}", f.path, line.trim()));
            }
        }
    }
    none("cfg lives in boards/ and shared/src/kernel/arch; a feature of the build is asked for in one file", found);
}

#[test]
fn unsafe_code_lives_with_the_boards_and_the_kernels() {
    let mut found = Vec::new();
    let mut reasons = Vec::new();
    for f in files().iter().filter(|f| f.path.ends_with(".rs") && f.path != "tests/tests/tidy.rs") {
        let all: Vec<&str> = f.text.lines().collect();
        for (i, line) in code(&f.text) {
            if !has_word(line, "unsafe") || line.contains("\"unsafe\"") || line.contains("forbid(unsafe_code)") {
                continue;
            }
            if !BARE.iter().any(|place| f.path.starts_with(place)) {
                found.push(format!("{}:{i}: {}", f.path, line.trim()));
            // The reason stands in the lines above, or above the run of lines it belongs to.
            } else if !all[i.saturating_sub(13)..i].iter().any(|l| l.contains("SAFETY") || l.contains("# Safety")) {
                reasons.push(format!("{}:{i}: {}", f.path, line.trim()));
            }
        }
    }
    none("unsafe lives in boards/ and shared/src/kernel/arch/ alone", found);
    none("unsafe code says why it is sound (SAFETY: …)", reasons);
}

#[test]
fn files_are_of_one_idea() {
    let mut found = Vec::new();
    for f in files().iter().filter(|f| f.path.ends_with(".rs")) {
        let count = lines(&f.text).len();
        let listed = LONG.iter().any(|(path, _)| *path == f.path);
        if count >= LINES && !listed {
            found.push(format!("{}: {count} lines without its tests", f.path));
        } else if count < LINES && listed {
            found.push(format!("{}: {count} lines: take it off the list of long files", f.path));
        }
        let name = f.path.rsplit('/').next().unwrap_or("").trim_end_matches(".rs");
        if ["utils", "util", "common", "misc", "helpers", "v2"].contains(&name)
            || ["/utils/", "/common/", "/misc/"].iter().any(|p| f.path.contains(p))
        {
            found.push(format!("{}: name it by what it is about", f.path));
        }
        if !f.text.trim_start_matches("#![no_std]\n").starts_with("//!")
            && !f.path.ends_with("build.rs")
            && !f.path.contains("/examples/")
        {
            found.push(format!("{}: does not open with why it is there", f.path));
        }
    }
    none("files are of one idea, short, named by it, and open with it", found);
}

#[test]
fn nothing_is_left_unfinished() {
    let words = ["todo!", "unimplemented!", concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X:")];
    let mut found = Vec::new();
    for f in files().iter().filter(|f| f.path != "tests/tests/tidy.rs" && !f.path.ends_with(".lock")) {
        for (i, line) in f.text.lines().enumerate() {
            if words.iter().any(|w| line.contains(w)) {
                found.push(format!("{}:{}: {}", f.path, i + 1, line.trim()));
            }
        }
    }
    none("no stubs", found);
}

#[test]
fn nothing_names_one_machine() {
    let paths = [["/ro", "ot/"], ["/wo", "rk/"], ["/ho", "me/"], ["/Us", "ers/"], ["/tm", "p/"], ["C:", "\\"]]
        .map(|p| p.concat());
    let hosts = ["index.crates.io", "artifactory", "sparse+", "replace-with", "10.0.0.", "192.168."];
    let mut found = Vec::new();
    for f in files().iter().filter(|f| f.path != "tests/tests/tidy.rs") {
        for (i, line) in f.text.lines().enumerate() {
            if paths.iter().any(|p| line.contains(p.as_str())) || hosts.iter().any(|h| line.contains(h)) {
                let short: String = line.trim().chars().take(120).collect();
                found.push(format!("{}:{}: {short}", f.path, i + 1));
            }
            if f.path.ends_with("Cargo.lock")
                && line.starts_with("source = ")
                && !line.contains("registry+https://github.com/rust-lang/crates.io-index")
            {
                found.push(format!("{}:{}: {line}", f.path, i + 1));
            }
        }
    }
    none("nothing names a path of one machine or another registry than crates.io", found);
}

#[test]
fn every_operator_has_its_formula() {
    let text = fs::read_to_string(root().join("shared/src/op.rs")).unwrap();
    let all = variants(&text, "Op");
    assert!(all.len() >= 9, "{all:?}");
    let found = all.iter().filter(|(_, doc)| !doc.contains('`') || !doc.contains('='));
    let without: Vec<String> = found.map(|(name, _)| format!("shared/src/op.rs: {name}")).collect();
    none("an operator's documentation has its formula", without);
}

#[test]
fn every_board_is_a_small_folder() {
    let mut boards = 0;
    for entry in fs::read_dir(root().join("boards")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if !folder.join("Cargo.toml").is_file() || ["build", "support", "real"].contains(&name.as_str()) {
            continue;
        }
        boards += 1;
        let board = manifest(&format!("boards/{name}/board.toml"));
        assert_eq!(board["name"].as_str(), Some(name.as_str()));
        let main = fs::read_to_string(folder.join("src/main.rs")).unwrap();
        assert!(main.lines().count() < MAIN_LINES, "boards/{name}/src/main.rs has {} lines", main.lines().count());
    }
    assert!(boards >= 6, "{boards} boards");
}

/// `BigWord` as clap writes it: `big-word`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[test]
fn every_verb_is_in_the_documents() {
    let text = fs::read_to_string(root().join("host/src/cli/mod.rs")).unwrap();
    let verbs: Vec<String> = variants(&text, "Verb").iter().map(|(name, _)| kebab(name)).collect();
    assert!(verbs.len() >= 12, "{verbs:?}");
    for verb in verbs.iter().filter(|v| *v != "completions") {
        assert!(root().join(format!("host/src/cli/{verb}.rs")).is_file(), "no file for {verb}");
    }
    for document in ["README.md", "docs/json.md"] {
        let Ok(text) = fs::read_to_string(root().join(document)) else {
            println!("SKIPPED every_verb_is_in_the_documents for {document}: it is not there");
            continue;
        };
        let needed = verbs.iter().filter(|v| document == "README.md" || *v != "completions");
        none(&format!("{document} names every verb"), needed.filter(|v| !has_word(&text, v)).cloned().collect());
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut found = Vec::new();
    for f in files().iter().filter(|f| f.path.ends_with(".md")) {
        let folder = root().join(&f.path).parent().unwrap().to_path_buf();
        for part in f.text.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or("");
            if !target.is_empty() && !target.contains(':') && !folder.join(target).exists() {
                found.push(format!("{}: {target}", f.path));
            }
        }
    }
    none("links lead to files", found);
}

/// The rules' own eyes: each finds a breach where there is one.
#[test]
fn the_rules_see() {
    let text = "use core::fmt;\n// .unwrap() in a comment\nfn f() { x.unwrap(); }\n#[cfg(test)]\nmod tests {\n    fn g() { panic!() }\n}\nfn h() { y.expect(\"\") }\n";
    assert_eq!(panics(text).iter().map(|p| p.0).collect::<Vec<_>>(), [3, 8]);
    assert_eq!(lines("#[cfg(test)]\nmod tests;\nfn f() {}\n").len(), 1);
    let all = ["abc".to_string(), "other".to_string()];
    let uses = families_named("use crate::family::other::Model;\nlet other = 3;\n", &all);
    assert_eq!(uses.iter().map(|u| (u.0, u.2.as_str())).collect::<Vec<_>>(), [(1, "other")]);
    assert!(has_word("an unsafe { }", "unsafe") && !has_word("unsafe_code", "unsafe"));
    assert_eq!(
        variants("enum V {\n    /// `a = b`\n    One(u8),\n    Two {\n        x: u8,\n    },\n}\n", "V").len(),
        2
    );
    assert_eq!(kebab("BigWord"), "big-word");
}
