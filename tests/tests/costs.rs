//! What kernels cost: no count of the workloads A to E rises, and the cost model holds for models that no fit has seen.
//!
//! `SMIDGEN_MODELS=50` tries as many random models a board as docs/results/kernels.md has; without it a handful.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use smidgen::counting::compiler;
use smidgen::device::Board;
use smidgen_tests::costs::{boards, check, golden, table};
use smidgen_tests::ready;

/// Largest rise of a count.
const RISE: f64 = 1.01;
/// Largest relative error of an estimate.
const ERROR: f64 = 0.02;

#[test]
fn no_kernel_takes_more_instructions_than_it_did() {
    let kept = golden::read().unwrap();
    if kept.compiler != compiler() {
        println!("the counts are of {}, this is {}: a rise may be the compiler's", kept.compiler, compiler());
    }
    let mut risen = Vec::new();
    for board in boards().unwrap() {
        let Some(before) = kept.counts.get(&board.name) else {
            panic!("{} has no counts yet: run `kernel-costs golden`", board.name);
        };
        let now = match golden::of_board(board) {
            Ok(now) => now,
            Err(error) if error.to_string().contains("counter") => {
                println!("SKIPPED no_kernel_takes_more_instructions_than_it_did: {error:#}");
                return;
            }
            Err(error) => panic!("{}: {error:#}", board.name),
        };
        assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{}", board.name);
        for (workload, &count) in &now {
            let was = before[workload];
            println!("{} {workload}: {count} instructions, kept {was}", board.name);
            if count as f64 > was as f64 * RISE {
                risen.push(format!("{workload} on {}: {count} instructions, {was} before", board.name));
            }
        }
    }
    assert!(
        risen.is_empty(),
        "{}; kept with {}, now {}; if it is meant, run `kernel-costs golden`",
        risen.join("; "),
        kept.compiler,
        compiler()
    );
}

/// Without a C compiler there is no plugin, and the debugger counts.
#[test]
fn the_debugger_counts_what_the_plugin_counts() {
    if !ready("the_debugger_counts_what_the_plugin_counts", Board::find("qemu-m0").unwrap()) {
        return;
    }
    let empty = tempfile::tempdir().unwrap();
    let count = |compiler: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smidgen-under-test"));
        command.args(["bench", "kernels", "--board", "qemu-m0", "--only", "B", "--alone", "--json"]);
        if let Some(compiler) = compiler {
            command.env("CC", compiler).env("XDG_CACHE_HOME", empty.path());
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
        measured["rows"][0]["ours"].as_f64().unwrap()
    };
    let (plugin, debugger) = (count(None), count(Some("false")));
    println!("by the plugin {plugin}, by the debugger {debugger}");
    // A repeated request interrupts what the plugin counts, and nothing that the debugger does.
    assert!(debugger <= plugin && plugin - debugger < 0.05 * plugin, "{debugger}, by the plugin {plugin}");
    assert!(std::fs::read_dir(empty.path()).unwrap().flatten().all(|entry| !is_plugin(&entry.path())), "a plugin");
}

/// Whether a plugin was made in a cache after all.
fn is_plugin(cache: &Path) -> bool {
    let files = std::fs::read_dir(cache).into_iter().flatten().flatten();
    files.into_iter().any(|file| file.path().extension().is_some_and(|extension| extension == "so"))
}

#[test]
fn the_cost_model_holds_for_models_it_has_not_seen() {
    let (models, all) = match std::env::var("SMIDGEN_MODELS") {
        Ok(n) => (n.parse().expect("SMIDGEN_MODELS is a number"), true),
        Err(_) => (8, false),
    };
    // Boards of one core run the same code: one of each is enough every day.
    let mut seen = Vec::new();
    let boards: Vec<_> = boards()
        .unwrap()
        .into_iter()
        .filter(|board| {
            let new = !seen.contains(&&board.core);
            seen.push(&board.core);
            all || new
        })
        .collect();
    let checked = match check(models, &boards) {
        Ok(checked) => checked,
        Err(error) if error.to_string().contains("counter") => {
            println!("SKIPPED the_cost_model_holds_for_models_it_has_not_seen: {error:#}");
            return;
        }
        Err(error) => panic!("{error:#}"),
    };
    println!("{}", table(&checked));
    assert!(boards.is_empty() || checked.len() as u64 >= models, "{} models were counted", checked.len());
    for c in &checked {
        assert!(
            c.holds(),
            "{}: {} instructions, bound {}; a step {} of {}: {}",
            c.board,
            c.counted.1,
            c.bound,
            c.step.0,
            c.step.1,
            c.model
        );
        assert!(c.error() <= ERROR, "{}: {:?}, estimate {}: {}", c.board, c.counted, c.estimate, c.model);
    }
}
