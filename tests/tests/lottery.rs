//! The lottery family and the bench of training, from outside: JSON objects, a network that squares
//! numbers from training to artifact, resuming, and peers that are named as absent.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn smidgen(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smidgen-under-test"));
    command.args(arguments).env_remove("SMIDGEN_DATA").stdin(Stdio::null()).output().expect("the program starts")
}

/// The object of a call that has to succeed.
fn json(arguments: &[&str]) -> Value {
    let output = smidgen(arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "smidgen {}: {errors}", arguments.join(" "));
    serde_json::from_str(text.lines().last().unwrap_or("")).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

#[test]
fn a_network_squares_numbers_from_training_to_artifact() {
    let folder = tempfile::tempdir().unwrap();
    let (run, model) = (path(folder.path(), "run"), path(folder.path(), "model.smg"));
    let sets = ["--set", "width=2,4,8,16", "--set", "steps=1500", "--population", "6"];
    let trained = json(&[&["train", "lottery", "--json", "-o", &run], &sets[..]].concat());
    let group = &trained["groups"][0];
    assert_eq!((&trained["family"], &group["label"]), (&"lottery".into(), &"silu".into()));
    assert_eq!(group["widths"].as_array().map(Vec::len), Some(4));
    assert!(group["law"]["exponent"].as_f64().is_some_and(|a| a > 0.0), "{trained}");
    assert!(Path::new(&run).join(group["law"]["file"].as_str().unwrap()).is_file());
    // Gone on with, a finished run gives the same object.
    assert_eq!(json(&["train", "--resume", &run, "--json"])["groups"], trained["groups"]);
    json(&["look", &run, "--json"]);
    let exported = json(&["export", &run, "-o", &model, "--json"]);
    let metric = &exported["provenance"]["metrics"][0];
    assert!(metric["name"] == "MSE" && metric["int8"].as_f64().is_some_and(|e| e < 2e-3), "{exported}");
    assert_eq!(json(&["verify", &model, "--json"])["identical"], true);
    let ran = smidgen(&["run", &model, "--samples", "5"]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn peers_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = path(folder.path(), "nowhere");
    let bench = json(&["bench", "train", "--only", "a:", "--rounds", "1", "--peers", &nowhere, "--json"]);
    let row = &bench["rows"][0];
    assert!(row["ours"].as_f64().is_some_and(|v| v > 0.0) && row["unit"].is_string() && row["peers"].is_object());
    for peer in ["JAX", "PyTorch"] {
        assert!(bench["absent"][peer].as_str().is_some_and(|why| why.contains("scripts/bench-peers")), "{bench}");
    }
    assert!(bench["machine"]["cpu"].is_string() && bench["machine"]["threads"] == 1 && bench["seconds"].is_number());
    assert_eq!(smidgen(&["bench", "train", "--only", "no such row"]).status.code(), Some(1));
}
