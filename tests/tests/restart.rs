//! The restart family from outside: JSON objects, a page, a denoiser from training to a drawn sample, and a peer
//! that is named as absent.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn smidgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smidgen-under-test")).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().into()
}

#[test]
fn a_denoiser_is_trained_shown_exported_and_draws() {
    let folder = tempfile::tempdir().unwrap();
    let (run, page, model) =
        (path(folder.path(), "run"), path(folder.path(), "run.html"), path(folder.path(), "d.smg"));
    let sets = ["--set", "hidden=24", "--set", "depth=1", "--set", "steps=80", "--set", "samples=0"];
    let train = [&["train", "restart", "--json", "-o", &run][..], &sets].concat();
    let trained = json(&smidgen(&train));
    assert_eq!((trained["family"].as_str(), trained["data"].as_str()), (Some("restart"), Some("digits")));
    assert!(trained["losses"][0].as_f64().unwrap() > 0.0 && trained["samplers"].as_array().unwrap().is_empty());
    assert!(smidgen(&["look", &run, "-o", &page]).status.success());
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("Restart") && html.contains("DPM-Solver-2"));
    let described = json(&smidgen(&["export", &run, "-o", &model, "--json"]));
    assert_eq!(described["sampler"]["evaluations"], 41, "{described}");
    let draw = |seed: &str| smidgen(&["run", &model, "--set", "label=3", "--set", seed, "--json"]);
    let (one, same, other) = (json(&draw("seed=1")), json(&draw("seed=1")), json(&draw("seed=2")));
    assert_eq!(one["values"], same["values"]);
    assert_ne!(one["values"], other["values"]);
}

#[test]
fn a_peer_that_is_not_there_is_named() {
    let bench =
        json(&smidgen(&["bench", "sampler", "--peers", "/nowhere", "--rounds", "1", "--digits", "20", "--json"]));
    assert!(bench["absent"]["PyTorch"].as_str().unwrap().contains("/nowhere"), "{bench}");
    assert!(bench["rows"][0]["ours"].as_f64().unwrap() > 0.0);
}

#[test]
fn parts_and_settings_that_there_are_not_are_refused() {
    let says = |arguments: &[&str]| {
        let output = smidgen(arguments);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(says(&["reproduce", "restart", "--only", "cifar"]).contains("experiment, digits, imputation"));
    let folder = tempfile::tempdir().unwrap();
    let run = path(folder.path(), "run");
    assert!(says(&["train", "restart", "--set", "stpes=3", "-o", &run]).contains("nearest: steps"));
}
