//! The program from outside: exit codes, errors that say what to do, one JSON object on the last
//! line, the same bytes from the same seed, and nothing lost when it is interrupted or the disk is full.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use smidgen::device::qemu_version;
use tempfile::TempDir;

/// The program, told nothing by the environment about data.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smidgen-under-test"));
    command.env_remove("SMIDGEN_DATA").stdin(Stdio::null());
    command
}

fn smidgen(arguments: &[&str]) -> Output {
    program().args(arguments).output().expect("the program starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs it, expects exit code `expected`, and gives what it said on stderr.
fn says(arguments: &[&str], expected: i32) -> String {
    let output = smidgen(arguments);
    assert_eq!(code(&output), expected, "smidgen {}: {}", arguments.join(" "), stderr(&output));
    stderr(&output)
}

/// The object of `--json`: all of stdout is one line.
fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "stdout: {text}\nstderr: {}", stderr(output));
    let value: Value = serde_json::from_str(lines[0]).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(value.is_object(), "{value}");
    value
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

/// A run and its artifact, made once by the program: `run/` and `model.smg`.
fn made() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let folder = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (run, model) = (path(folder.path(), "run"), path(folder.path(), "model.smg"));
        let sets = ["--set", "preset=linear", "--set", "steps=30"];
        let trained = smidgen(&[&["train", "parsnets", "--alone", "--json", "-o", &run], &sets[..]].concat());
        assert_eq!(code(&trained), 0, "{}", stderr(&trained));
        let object = json(&trained);
        assert_eq!(object["family"], "parsnets");
        assert!(
            object["models"][0]["metrics"]["T1"]["int8"].as_f64().is_some_and(|v| (0.0..=1.0).contains(&v)),
            "{object}"
        );
        let exported = smidgen(&["export", &run, "-o", &model, "--json"]);
        assert_eq!(code(&exported), 0, "{}", stderr(&exported));
        assert_eq!(json(&exported)["flash_bytes"], fs::metadata(&model).unwrap().len());
        folder
    });
    folder.path()
}

fn model() -> String {
    path(made(), "model.smg")
}

/// The example of a user's own data.
fn kettle() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/kettle").into()
}

#[test]
fn listings_are_one_json_object_and_text_otherwise() {
    for verb in ["families", "boards", "data", "doctor"] {
        let output = smidgen(&[verb, "--json"]);
        assert_eq!(code(&output), 0, "{verb}: {}", stderr(&output));
        json(&output);
        let output = smidgen(&[verb]);
        assert!(output.stdout.len() > 40, "{verb} says nothing");
        assert!(smidgen(&[verb, "--quiet"]).stdout.is_empty(), "{verb} --quiet speaks");
    }
}

#[test]
fn kernels_are_counted_and_sizes_keep_their_budget() {
    let output = smidgen(&["boards", "--sizes", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let sizes = json(&output);
    for size in sizes["sizes"].as_array().unwrap() {
        let (bytes, budget) = (size["firmware_bytes"].as_u64(), size["budget_bytes"].as_u64().unwrap());
        assert!(bytes.is_some_and(|bytes| 0 < bytes && bytes <= budget) || size["why_not"].is_string(), "{size}");
    }
    if let Err(error) = qemu_version("qemu-system-arm") {
        println!("SKIPPED kernels_are_counted_and_sizes_keep_their_budget: {error:#}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    std::fs::write(&page, "Before.\n<!-- bench kernels: begin -->\n<!-- bench kernels: end -->\nAfter.\n").unwrap();
    let page = page.to_str().unwrap();
    let output = smidgen(&["bench", "kernels", "--board", "qemu-m3", "--only", "B", "--alone", "--json", "-o", page]);
    if stderr(&output).contains("instruction counter") {
        println!("SKIPPED kernels_are_counted_and_sizes_keep_their_budget: {}", stderr(&output));
        return;
    }
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let measured = json(&output);
    let row = &measured["rows"][0];
    assert_eq!((row["name"].as_str(), row["unit"].as_str()), (Some("B on qemu-m3"), Some("instructions")));
    // 2,368 products: no core does one in less than a quarter of an instruction.
    assert!(row["ours"].as_u64().unwrap() > 600 && row["per_mac"].is_number() && row["cycles"].is_u64(), "{row}");
    assert!(row["peers"]["plain C at -O3"].is_null(), "{row}");
    // The executor adds to the kernels. Their image holds two layers of assembly and a call for each.
    let alone = |field: &str| row["alone"][field].as_u64().unwrap();
    assert!((600..row["ours"].as_u64().unwrap()).contains(&alone("instructions")), "{row}");
    assert!((200..4096).contains(&alone("code_bytes")) && (64..1024).contains(&alone("static_bytes")), "{row}");
    assert!((16..1024).contains(&alone("stack_bytes")) && row["model"].is_null() && row["parts"] == 1, "{row}");
    let page = std::fs::read_to_string(page).unwrap();
    let count = smidgen::output::thousands(row["ours"].as_u64().unwrap());
    assert!(page.starts_with("Before.\n") && page.ends_with("\nAfter.\n"), "{page}");
    assert!(page.contains(&format!("| qemu-m3 | {count} |")), "{page}");
    says(&["bench", "kernels", "--board", "qemu-m9"], 1);
}

#[test]
fn mistakes_of_usage_exit_with_2() {
    for arguments in
        [&["trian"][..], &["train"], &["inspect"], &["verify", "a.smg", "--host", "--board", "qemu-m0"], &[]]
    {
        says(arguments, 2);
    }
}

#[test]
fn unknown_names_bring_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let run = path(folder.path(), "run");
    let model = model();
    for (arguments, nearest) in [
        (&["train", "parsnet", "-o", &run][..], "parsnets"),
        (&["reproduce", "parsnest"], "parsnets"),
        (&["verify", &model, "--board", "qemu_m4"], "qemu-m4"),
        (&["run", &model, "--board", "qemu-m1"], "qemu-m0"),
        (
            &["export", &path(made(), "run"), "-o", &path(folder.path(), "x.smg"), "--board", "qemu-riscv32"],
            "qemu-riscv",
        ),
        (&["train", "parsnets", "--data", "sparr", "-o", &run], "spar"),
        (&["data", "dsad"], "dsads"),
        (&["train", "parsnets", "--set", "basis=4", "-o", &run], "bases"),
        (&["train", "parsnets", "--task", "zeroshot", "-o", &run], "zero-shot"),
    ] {
        let error = says(arguments, 1);
        assert!(error.contains("error: ") && error.contains(nearest), "{arguments:?}: {error}");
    }
    assert!(!folder.path().join("x.smg").exists());
}

#[test]
fn a_truncated_artifact_is_refused_by_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let bad = path(folder.path(), "bad.smg");
    let bytes = fs::read(model()).unwrap();
    fs::write(&bad, &bytes[..bytes.len() / 2]).unwrap();
    for verb in ["inspect", "run", "verify"] {
        let output = smidgen(&[verb, &bad, "--json"]);
        assert_eq!(code(&output), 1, "{verb}");
        let error = stderr(&output);
        assert!(error.contains("bad.smg") && error.contains("shorter than its header says"), "{verb}: {error}");
        assert!(output.stdout.is_empty(), "{verb} prints a result");
    }
    let error = says(&["inspect", &path(folder.path(), "none.smg")], 1);
    assert!(error.contains("none.smg"), "{error}");
    let error = says(&["export", &path(folder.path(), "no-run"), "-o", &bad], 1);
    assert!(error.contains("no-run") && error.contains("smidgen train"), "{error}");
}

#[test]
fn inspect_and_run_describe_the_model() {
    let model = model();
    let object = json(&smidgen(&["inspect", &model, "--json"]));
    for key in ["family", "hash", "flash_bytes", "arena_bytes", "operators", "bounds", "provenance"] {
        assert!(!object[key].is_null(), "no {key} in {object}");
    }
    assert_eq!(object["bounds"].as_array().unwrap().len(), smidgen::device::Board::emulated().count());
    for operator in object["operators"].as_array().unwrap() {
        assert!(operator["kind"].is_string() && operator["macs"].is_u64() && operator["bytes"].is_u64(), "{operator}");
    }
    let object = json(&smidgen(&["run", &model, "--samples", "9", "--json"]));
    assert_eq!(object["samples"], 9);
    assert_eq!(object["answers"].as_array().unwrap().len(), 9);
}

#[test]
fn verify_exits_with_3_and_names_the_operator() {
    let model = model();
    let output = smidgen(&["verify", &model, "--host", "--samples", "30", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let object = json(&output);
    assert_eq!(
        (&object["identical"], &object["samples"], &object["first_difference"]),
        (&true.into(), &30.into(), &Value::Null)
    );
    let mut places = vec![("host", vec!["--host"])];
    match qemu_version("qemu-system-arm") {
        Ok(_) => places.push(("qemu-m0", vec!["--board", "qemu-m0"])),
        Err(error) => println!("SKIPPED verify_exits_with_3_and_names_the_operator on qemu-m0: {error}"),
    }
    for (place, arguments) in places {
        let output =
            smidgen(&[&["verify", &model, "--flip-weight", "0", "--samples", "5", "--json"], &arguments[..]].concat());
        if stderr(&output).contains("rustup target add") {
            println!("SKIPPED verify_exits_with_3_and_names_the_operator on {place}: its target is not installed");
            continue;
        }
        assert_eq!(code(&output), 3, "{place}: {}", stderr(&output));
        let object = json(&output);
        assert_eq!((&object["board"], &object["identical"]), (&place.into(), &false.into()));
        let difference = &object["first_difference"];
        assert_eq!(difference["operator"], "0 standardise", "{place}: {object}");
        assert!(difference["index"].is_u64() && difference["host"] != difference["device"], "{object}");
        assert!(stderr(&output).contains("standardise"), "{}", stderr(&output));
    }
    let error = says(&["verify", &model, "--host", "--flip-weight", "99999999"], 1);
    assert!(error.contains("99999999"), "{error}");
}

/// Trains two seeds; `graph.json` of the run.
fn population(folder: &Path, name: &str, threads: Option<&str>) -> Vec<u8> {
    let run = path(folder, name);
    let sets = ["--set", "bases=4", "--set", "rank=4", "--set", "keep=2", "--set", "steps=12"];
    // One processor where the system can be asked for it: as many threads as it has are used otherwise.
    let taskset =
        threads.is_some() && Command::new("taskset").args(["-c", "0", "true"]).status().is_ok_and(|s| s.success());
    let mut command = if taskset { Command::new("taskset") } else { program() };
    if taskset {
        command.args(["-c", "0", env!("CARGO_BIN_EXE_smidgen-under-test")]).env_remove("SMIDGEN_DATA");
    }
    if let Some(threads) = threads {
        command.env("RAYON_NUM_THREADS", threads);
    }
    command.args(["train", "parsnets", "--alone", "--population", "2", "--quiet", "-o", &run]).args(sets);
    let output = command.output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    fs::read(folder.join(name).join("graph.json")).unwrap()
}

#[test]
fn the_same_seeds_give_the_same_graph_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let first = population(folder.path(), "first", None);
    assert!(first.len() > 1000);
    assert!(
        first == population(folder.path(), "second", Some("1")),
        "graph.json differs between two runs of the same seeds"
    );
    let (a, b) = (path(folder.path(), "a.smg"), path(folder.path(), "b.smg"));
    says(&["export", &path(folder.path(), "first"), "-o", &a], 0);
    says(&["export", &path(folder.path(), "second"), "-o", &b], 0);
    assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "the artifacts differ");
}

/// Waits until `ready`; false after 60 s.
fn wait(ready: impl Fn() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if ready() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_graph() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (path(folder.path(), "whole"), path(folder.path(), "cut"));
    let kettle = kettle();
    let train = |run: &str| {
        let mut command = program();
        command.args(["train", "parsnets", "--data", &kettle, "--task", "supervised", "--alone", "-o", run]);
        command.args(["--set", "preset=linear", "--set", "steps=6000"]).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let mut running = train(&cut).spawn().unwrap();
    // Training begins when the checkpoints' folder is made; validation comes before.
    let checkpoints = folder.path().join("cut/checkpoints");
    assert!(wait(|| checkpoints.is_dir()), "training does not begin");
    std::thread::sleep(Duration::from_millis(100));
    assert!(running.try_wait().unwrap().is_none(), "training ended before it was interrupted");
    let interrupt = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let output = running.wait_with_output().unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("smidgen train --resume"), "{}", stderr(&output));
    assert!(fs::read_dir(&checkpoints).unwrap().count() > 0, "no checkpoint is left");
    assert!(!folder.path().join("cut/graph.json").exists(), "a graph of half a training");
    says(&["train", "--resume", &cut, "--quiet"], 0);
    assert_eq!(code(&train(&whole).output().unwrap()), 0);
    let graph = |name: &str| fs::read(folder.path().join(name).join("graph.json")).unwrap();
    assert!(graph("cut") == graph("whole"), "the resumed run's graph differs from the uninterrupted one's");
    let error = says(&["train", "--resume", &path(folder.path(), "nothing")], 1);
    assert!(error.contains("nothing"), "{error}");
}

/// A disk that is full: no file may grow beyond 512 bytes, and writing says so instead of killing.
fn on_a_full_disk(arguments: &[&str]) -> Output {
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_smidgen-under-test")]).args(arguments);
    command.env_remove("SMIDGEN_DATA").output().unwrap()
}

#[test]
fn a_full_disk_is_said_and_the_old_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let target = path(folder.path(), "model.smg");
    fs::write(&target, "what was there before").unwrap();
    let run = path(made(), "run");
    let output = on_a_full_disk(&["export", &run, "-o", &target]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let error = stderr(&output);
    assert!(error.contains("could not write") && error.contains("model.smg") && error.contains("too large"), "{error}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "what was there before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a part of a file is left");
    if Path::new("/dev/full").exists() {
        let error = says(&["export", &run, "-o", "/dev/full"], 1);
        assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
    }
    let error = says(&["export", &run, "-o", &path(folder.path(), "no/such/folder.smg")], 1);
    assert!(error.contains("no/such/folder.smg"), "{error}");
    let error = says(&["train", "parsnets", "-o", &target], 1);
    assert!(error.contains("model.smg"), "{error}");
}

#[test]
fn a_users_own_data_trains_and_its_faults_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = path(folder.path(), "run");
    says(
        &[
            "train",
            "parsnets",
            "--data",
            &kettle(),
            "--alone",
            "--set",
            "preset=linear",
            "--set",
            "steps=20",
            "--quiet",
            "-o",
            &run,
        ],
        0,
    );
    // The same folder with one value that is none.
    let broken = folder.path().join("kettle");
    fs::create_dir_all(broken.join("recordings")).unwrap();
    for part in ["", "recordings"] {
        for entry in fs::read_dir(Path::new(&kettle()).join(part)).unwrap() {
            let from = entry.unwrap().path();
            if from.is_file() {
                fs::copy(&from, broken.join(part).join(from.file_name().unwrap())).unwrap();
            }
        }
    }
    let recording = broken.join("recordings/pour_ben_1.csv");
    let text = fs::read_to_string(&recording).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let cells: Vec<&str> = lines[7].split(',').collect();
    lines[7] = [&["nan"], &cells[1..]].concat().join(",");
    fs::write(&recording, lines.join("\n")).unwrap();
    let error = says(&["train", "parsnets", "--data", &broken.to_string_lossy(), "-o", &run], 1);
    assert!(error.contains("pour_ben_1.csv") && error.contains('8') && error.contains("nan"), "{error}");
}
