//! `fit` from outside: a budget is kept, predictions hold, the best is written; `export --without`, `run --class`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use smidgen::device::Board;
use smidgen_tests::ready;

fn smidgen(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smidgen-under-test"));
    command.env_remove("SMIDGEN_DATA").args(arguments).output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

#[test]
fn the_best_within_a_budget_is_written() {
    if !ready("the_best_within_a_budget_is_written", Board::find("qemu-m0").unwrap()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = path(folder.path(), "fit");
    let arguments =
        ["fit", "lottery", "--board", "qemu-m0", "--flash", "1000", "--set", "steps=300", "--json", "-o", &out];
    let output = smidgen(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found = json(&output);
    let front = found["front"].as_array().unwrap();
    assert!(front.len() >= 2 && found["over_budget"].as_u64().unwrap() > 0, "{found}");
    none_is_beaten(front);
    assert_eq!(found["counted"], true);
    for point in front {
        assert!(point["flash_bytes"].as_u64().unwrap() <= 1000, "{point}");
        assert_eq!(point["arena_bytes"], point["measured"]["arena_bytes"], "{point}");
        let (most, flash) =
            (point["flash_bytes"].as_u64().unwrap(), point["measured"]["flash_bytes"].as_u64().unwrap());
        assert!((flash..=flash + 64).contains(&most), "{point}");
        let (predicted, counted) =
            (point["instructions"].as_f64().unwrap(), point["measured"]["instructions"].as_f64().unwrap());
        assert!((predicted / counted - 1.0).abs() <= 0.02, "{point}");
    }
    let model = std::fs::read(path(folder.path(), "fit/model.smg")).unwrap();
    let chosen = &front[found["chosen"].as_u64().unwrap() as usize];
    let predicted = chosen["flash_bytes"].as_u64().unwrap();
    assert!((predicted - 64..=predicted).contains(&(model.len() as u64)), "{predicted} {}", model.len());
    assert!(std::fs::read_to_string(path(folder.path(), "fit/fit.html")).unwrap().contains("Quality against cost"));
}

/// Nothing on a front is beaten by another in quality, flash, arena and instructions.
fn none_is_beaten(front: &[Value]) {
    let costs = |p: &Value| ["flash_bytes", "arena_bytes", "instructions", "loss"].map(|key| p[key].as_f64().unwrap());
    for (i, a) in front.iter().enumerate() {
        let beaten = front.iter().enumerate().find(|(j, b)| *j != i && (0..4).all(|k| costs(b)[k] <= costs(a)[k]));
        assert!(beaten.is_none(), "{a} is beaten by {beaten:?}");
    }
}

#[test]
fn a_board_on_a_desk_is_not_counted_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let out = path(folder.path(), "fit");
    let output = smidgen(&["fit", "lottery", "--board", "microbit-v2", "--set", "steps=100", "--json", "-o", &out]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found = json(&output);
    assert_eq!(found["counted"], false);
    let front = found["front"].as_array().unwrap();
    none_is_beaten(front);
    assert!(front.iter().any(|point| point["by_law"] == true), "wide networks are extrapolated: {found}");
    for point in front {
        assert!(point["measured"]["instructions"].is_null() && point["measured"]["estimate"].is_u64(), "{point}");
    }
    let said = stderr(&output);
    assert!(said.contains("not counted") && said.contains("of the same core that it can be: "), "{said}");
    let near = smidgen(&["fit", "lottery", "--board", "microbit"]);
    assert!(stderr(&near).contains("microbit-v2") && stderr(&near).contains("qemu-m0"), "{}", stderr(&near));
}

#[test]
fn what_bimt_prunes_costs_less() {
    let folder = tempfile::tempdir().unwrap();
    let out = path(folder.path(), "fit");
    let arguments =
        ["fit", "bimt", "--board", "microbit-v2", "--flash", "1700", "--set", "steps=400", "--json", "-o", &out];
    let output = smidgen(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found = json(&output);
    let front = found["front"].as_array().unwrap();
    none_is_beaten(front);
    assert!(front.len() >= 2 && found["over_budget"].as_u64().unwrap() > 0, "{found}");
    let chosen = &front[found["chosen"].as_u64().unwrap() as usize];
    assert!(chosen["by_weights"].as_bool().unwrap() && chosen["measured"]["flash_bytes"].as_u64().unwrap() <= 1700);
    let model = std::fs::read(path(folder.path(), "fit/model.smg")).unwrap();
    assert_eq!(model.len() as u64, chosen["measured"]["flash_bytes"].as_u64().unwrap(), "{chosen}");
}

#[test]
fn what_cannot_be_is_said() {
    let says = |arguments: &[&str]| {
        let output = smidgen(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output)
    };
    let none = says(&["fit", "lottery", "--board", "qemu-m0", "--flash", "10", "--set", "steps=10"]);
    assert!(none.contains("none of 16 candidates fits qemu-m0") && none.contains("width 2"), "{none}");
    let pruned = says(&["fit", "bimt", "--board", "qemu-m0", "--set", "prune=0.1"]);
    assert!(pruned.contains("leave it out"), "{pruned}");
    let varied = says(&["fit", "lottery", "--board", "qemu-m0", "--set", "width=3"]);
    assert!(varied.contains("leave it out"), "{varied}");
    let never = says(&["fit", "sid", "--board", "qemu-m0"]);
    assert!(never.contains("parsnets, bimt, lottery"), "{never}");
}

#[test]
fn a_class_is_left_out_and_one_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let (run, model) = (path(folder.path(), "run"), path(folder.path(), "model.smg"));
    let trained =
        ["train", "parsnets", "--alone", "--set", "preset=linear", "--set", "steps=30", "--quiet", "-o", &run];
    assert_eq!(smidgen(&trained).status.code(), Some(0));
    let wrong = smidgen(&["export", &run, "--without", "NONE", "-o", &model]);
    assert!(stderr(&wrong).contains("no class \"NONE\"") && stderr(&wrong).contains("ABD"), "{}", stderr(&wrong));
    assert_eq!(smidgen(&["export", &run, "--without", "ABD", "-o", &model]).status.code(), Some(0));
    let answers = json(&smidgen(&["run", &model, "--class", "ABD", "--samples", "5", "--json"]));
    assert_eq!((answers["samples"].as_u64(), answers["right"].as_u64()), (Some(5), Some(0)), "{answers}");
    assert!(answers["answers"].as_array().unwrap().iter().all(|a| a["class"] == "ABD" && a["answer"] == "PEN"));
}
