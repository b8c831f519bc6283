//! A monitor from end to end: a stranger's system through the command line, its alarm the same on host and boards.

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use smidgen::device::Board;
use smidgen::infer::Host;
use smidgen::verify::{compare, count, start};
use smidgen_shared::artifact::{Bound, Items};
use smidgen_tests::ready;

fn smidgen(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smidgen-under-test"));
    command.args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

fn json(arguments: &[&str]) -> Value {
    let output = smidgen(&[arguments, &["--json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(text.trim()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A bead on a spring that hardens: nobody's built-in system.
const BEAD: &str = r#"
title = "A bead on a hardening spring"
states = ["q", "p"]
[parameters]
k = 2.0
[equations]
q = "p"
p = "-k*q - 4*q^3"
[basis]
order = 4
[laws]
energy = "p^2/2 + k*q^2/2 + q^4"
[orbit]
start = { q = 0.5 }
step = 0.05
noise = 0.003
[[faults]]
title = "friction"
breaks = "energy"
push = { p = "-p" }
"#;

#[test]
fn a_strangers_system_is_found_watched_and_its_fault_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(path("bead.toml"), BEAD).unwrap();
    let system = format!("system={}", path("bead.toml"));
    let trained = json(&["train", "sid", "--set", &system, "--set", "calibration=100000", "-o", &path("run")]);
    assert_eq!((trained["null"].as_u64(), trained["independent"].as_u64()), (Some(1), Some(1)), "{trained}");
    assert_eq!(trained["laws"][0]["name"], "energy");
    assert_eq!(trained["watched"], serde_json::json!(["energy"]));
    json(&["look", &path("run")]);
    assert!(fs::read_to_string(path("run/report.html")).unwrap().contains("2·q²"));
    let model = path("model.smg");
    let exported = json(&["export", &path("run"), "-o", &model]);
    assert_eq!(exported["operators"][0]["kind"], "poly");
    let ran = json(&["run", &model]);
    let answers = ran["answers"].as_array().unwrap();
    let alarm = answers.iter().find(|a| a["sample"].as_u64() >= Some(400) && a["answer"] != "holds").unwrap();
    assert_eq!(alarm["answer"], "energy", "{alarm}");
    assert_eq!(json(&["verify", &model])["identical"], true);
}

#[test]
fn mistakes_say_what_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run").to_string_lossy().into_owned();
    for (set, expected) in [
        ("system=keplar", "there is no system"),
        ("ordr=3", "nearest: order"),
        ("order=40", "lower basis.order to"),
        ("samples=4", "fewer than the 37 terms"),
        ("arithmetic=int", "it is fixed or float"),
    ] {
        let output = smidgen(&["train", "sid", "--set", set, "-o", &run]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains(expected), "{set}: {text}");
    }
}

fn on_boards(test: &str, work: impl Fn(&Board)) {
    Board::emulated().filter(|board| ready(test, board)).for_each(work);
}

/// Kepler with a fault: host and all boards give the same scores and the same first alarm; a board without an FPU
/// refuses f32; the instructions stay below the artifact's bounds.
#[test]
fn kepler_is_watched_with_the_same_bits_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    for arithmetic in ["fixed", "float"] {
        let (set, run, model) = (format!("arithmetic={arithmetic}"), path(arithmetic), path("model.smg"));
        json(&["train", "sid", "--set", &set, "--set", "calibration=100000", "-o", &run]);
        json(&["export", &run, "-o", &model]);
        let model = smidgen::compress::Aligned::new(&fs::read(&model).unwrap());
        let artifact = model.artifact().unwrap();
        let system = smidgen::family::sid::System::load("kepler").unwrap();
        let names: Vec<String> = artifact.classes().skip(1).map(|c| c.name.to_string()).collect();
        let stream = smidgen::family::sid::stream(&system, None, &names, 0).unwrap();
        let (_, onset) = stream.fault.clone().unwrap();
        let mut arena = Vec::new();
        let mut host = Host::new(artifact, &mut arena).unwrap();
        let mut alarm = stream.inputs.iter().enumerate().map(|(t, x)| (t, host.answer(x).unwrap().class));
        let (at, class) = alarm.find(|a| a.0 >= onset && a.1 > 0).unwrap();
        println!("{arithmetic}: {} bytes, alarm at sample {at}: {}", model.len(), names[usize::from(class) - 1]);
        assert_eq!(Some(&names[usize::from(class) - 1]), stream.breaks.as_ref());
        on_boards("kepler_is_watched_with_the_same_bits_everywhere", |board| {
            let fpu = board.target.ends_with("eabihf");
            if arithmetic == "float" && !fpu {
                let error = start(board, &model).err().map(|e| format!("{e:#}")).unwrap_or_default();
                assert!(error.contains("arithmetic=fixed"), "{}: {error}", board.name);
                return;
            }
            let mut device = start(board, &model).unwrap();
            let inputs = &stream.inputs[..at + 50];
            assert_eq!(compare(&mut device, &model, inputs, |_| {}).unwrap().first_difference, None, "{}", board.name);
            drop(device);
            let counts = match count(board, &model, &stream.inputs[..40]).unwrap() {
                Ok(counts) => counts,
                Err(reason) => return println!("SKIPPED counts on {}: {reason}", board.name),
            };
            let bounds = Items::<Bound>::new(artifact.manifest().bounds, artifact.manifest().bound_count.into());
            let bound = bounds.into_iter().find(|b| b.board == board.name).unwrap();
            let (most, push) = (*counts.finish.iter().max().unwrap(), *counts.push.iter().max().unwrap());
            println!("{arithmetic} on {}: {most} instructions a sample, {push} a value taken in", board.name);
            assert!(most <= u64::from(bound.instructions) && push <= u64::from(bound.per_sample), "{}", board.name);
        });
    }
}
