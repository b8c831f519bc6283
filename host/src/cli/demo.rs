//! `smidgen demo`: from real data to eight emulated chips, and the same bits on all of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use serde_json::{Map, Value, json};
use smidgen_shared::artifact::{Bound, Items};

use super::{DemoArgs, DoesNotHold};
use crate::compress::{Aligned, pack};
use crate::device::{Board, Firmware, qemu_version};
use crate::family::Place;
use crate::family::parsnets::{page, provenance, test_rows, train_run};
use crate::infer::packing;
use crate::output::{Output, chain, thousands};
use crate::report::write_atomic;
use crate::run::{Request, Run};
use crate::verify::{Verified, compare, count, start};

/// Samples compared on each board; on [`THOROUGH`] all that were held out.
const SAMPLES: usize = 200;
const THOROUGH: &str = "qemu-m4";
/// Samples whose instructions are counted.
const COUNTED: usize = 4;

pub fn run(args: &DemoArgs, place: &Place) -> Result<()> {
    let output = place.output;
    let started = Instant::now();
    let dataset = place.data.load("spar")?;
    output.line(format!(
        "data    {}: {} windows of raw samples, 6 channels at 50 Hz",
        dataset.title,
        thousands(dataset.len() as u64)
    ));
    // The composite is shown whichever validation prefers; the table says which.
    let request = Request {
        family: "parsnets".into(),
        data: Some("spar".into()),
        set: vec!["residual=false".into()],
        ..Request::default()
    };
    let (run, graph) = train_run(&request, &dataset, &args.output, place)?;
    let (_, split) = crate::run::held_out(&dataset, &run.held_out)?;
    let bytes = crate::infer::export(&graph, &dataset, &split.train, provenance(&run))?;
    let artifact = bytes.artifact()?;
    let path = args.output.join("spar.smg");
    write_atomic(&path, &bytes)?;
    output.line(format!(
        "export  {}: {} bytes of flash, {} bytes of arena",
        path.display(),
        thousands(bytes.len() as u64),
        thousands(artifact.arena_bytes().into())
    ));

    let inputs =
        test_rows(&split).iter().map(|&row| crate::infer::raw(&dataset, row as usize)).collect::<Result<Vec<_>>>()?;
    let boards = on_all_boards(&bytes, &inputs, output);
    let mut table = Vec::new();
    let mut objects = Vec::new();
    let mut skipped = Vec::new();
    let mut failed = Vec::new();
    for (board, result) in Board::emulated().zip(boards) {
        match result {
            Ok(result) => {
                let (row, object) = result.show(board)?;
                if let Some(d) = &result.verified.first_difference {
                    failed
                        .push(format!("{} differs from the host in operator {} ({})", board.name, d.operator, d.kind));
                }
                failed.extend(result.over_bound(board)?);
                table.push(row);
                objects.push(object);
            }
            Err(error) if board.machine().is_ok_and(|machine| qemu_version(&machine.qemu).is_err()) => {
                skipped.push(format!("{}: {}", board.name, chain(&error)))
            }
            Err(error) => failed.push(format!("{}: {}", board.name, chain(&error))),
        }
    }
    output.line(
        "boards  the same model and windows on each, packed for its core, every score compared with the host's\n",
    );
    output.table(
        &["board", "samples", "identical", "instructions", "a time step", "firmware", "model", "arena", "stack"],
        &table,
    );
    for line in &skipped {
        output.line(format!("skipped  {line}"));
    }
    let report = args.output.join("report.html");
    page(&run, &graph, &dataset)?.write(&report)?;
    let seconds = started.elapsed().as_secs_f64();
    output.line(format!("\nlook    {}\n\n{seconds:.0} s", report.display()));
    output.result(summary(&run, &objects, &skipped, seconds));
    if failed.is_empty() { Ok(()) } else { Err(DoesNotHold(failed.join("; ")).into()) }
}

fn summary(run: &Run, boards: &[Value], skipped: &[String], seconds: f64) -> Value {
    let first = |values: &[f64]| values.first().copied().map_or(Value::Null, |v| json!(v));
    let chosen = &run.models[run.chosen];
    let metrics = |int8: bool| -> Value {
        let pairs = chosen.metrics.iter().map(|(name, a, b)| (name.clone(), first(if int8 { b } else { a })));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    let baselines = run.models.iter().enumerate().filter(|(i, _)| *i != run.chosen).map(|(_, m)| {
        let mut object: Map<String, Value> =
            m.metrics.iter().map(|(name, float, _)| (name.clone(), first(float))).collect();
        object.insert("parameters".into(), json!(m.parameters));
        object.insert("macs".into(), json!(m.macs));
        object.insert("int8_bytes".into(), json!(m.int8_bytes));
        (m.name.clone(), Value::Object(object))
    });
    json!({
        "family": run.family, "dataset": run.dataset, "held_out": run.held_out, "model": chosen.name,
        "float": metrics(false), "int8": metrics(true),
        "baselines": Value::Object(baselines.collect()),
        "boards": boards, "skipped": skipped, "seconds": (seconds * 10.0).round() / 10.0,
    })
}

/// What one board did.
struct OnBoard {
    /// As it is packed for the board's core.
    model: Aligned,
    verified: Verified,
    /// Most instructions of one inference and of one time step, or why there is no count.
    counts: Result<(u64, u64), String>,
    firmware: Firmware,
}

impl OnBoard {
    fn show(&self, board: &Board) -> Result<(Vec<String>, Value)> {
        let model = &self.model;
        let identical = self.verified.first_difference.is_none();
        let (finish, push) = match &self.counts {
            Ok((finish, push)) => (thousands(*finish), thousands(*push)),
            Err(_) => ("not counted".into(), String::new()),
        };
        let arena = model.artifact()?.arena_bytes();
        let row = vec![
            board.name.clone(),
            self.verified.samples.to_string(),
            if identical { "yes" } else { "NO" }.into(),
            finish,
            push,
            thousands(self.firmware.flash_bytes.into()),
            thousands(model.len() as u64),
            thousands(arena.into()),
            thousands(self.verified.stats.stack_peak.into()),
        ];
        let object = json!({
            "name": board.name, "samples": self.verified.samples, "identical": identical,
            "instructions": self.counts.as_ref().ok().map(|c| c.0),
            "instructions_per_time_step": self.counts.as_ref().ok().map(|c| c.1),
            "not_counted": self.counts.as_ref().err(),
            "flash_bytes": model.len(), "firmware_bytes": self.firmware.flash_bytes,
            "arena_bytes": arena, "stack_bytes": self.verified.stats.stack_peak,
        });
        Ok((row, object))
    }

    /// Bounds of the artifact that the counts exceed.
    fn over_bound(&self, board: &Board) -> Result<Vec<String>> {
        let artifact = self.model.artifact()?;
        let manifest = artifact.manifest();
        let Some(bound) =
            Items::<Bound>::new(manifest.bounds, manifest.bound_count.into()).find(|b| b.board == board.name)
        else {
            return Ok(vec![]);
        };
        let Ok((finish, push)) = self.counts else { return Ok(vec![]) };
        let over = [("an inference", finish, bound.instructions), ("a time step", push, bound.per_sample)];
        Ok(over
            .into_iter()
            .filter(|(_, counted, bound)| *counted > u64::from(*bound))
            .map(|(what, counted, bound)| {
                format!("{}: {what} took {counted} instructions, its bound is {bound}", board.name)
            })
            .collect())
    }
}

fn on_all_boards(model: &Aligned, inputs: &[Vec<i16>], output: Output) -> Vec<Result<OnBoard>> {
    let boards: Vec<&Board> = Board::emulated().collect();
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<OnBoard>>>> = boards.iter().map(|_| Mutex::new(None)).collect();
    let bar = output.bar(boards.iter().map(|b| share(b, inputs).len() as u64).sum(), "boards");
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get()).min(boards.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((board, slot)) = {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    boards.get(i).zip(results.get(i))
                } {
                    let result = on_board(board, model, &share(board, inputs), &bar);
                    *slot.lock().unwrap_or_else(|p| p.into_inner()) = Some(result);
                }
            });
        }
    });
    bar.finish_and_clear();
    let taken = results.into_iter().map(|slot| slot.into_inner().unwrap_or_else(|p| p.into_inner()));
    taken.map(|result| result.unwrap_or_else(|| Err(anyhow!("its worker ended early")))).collect()
}

/// The inputs that a board is given.
fn share(board: &Board, inputs: &[Vec<i16>]) -> Vec<Vec<i16>> {
    let count = if board.name == THOROUGH { inputs.len() } else { SAMPLES.min(inputs.len()) };
    (0..count).map(|i| inputs[i * inputs.len() / count].clone()).collect()
}

fn on_board(board: &Board, model: &Aligned, inputs: &[Vec<i16>], bar: &indicatif::ProgressBar) -> Result<OnBoard> {
    let model = pack(model, packing(board)?)?;
    let artifact = model.artifact()?;
    board.check_fit(model.len(), artifact.arena_bytes() as usize, super::verify::SHRINK)?;
    let mut device = start(board, &model)?;
    let verified = compare(&mut device, &model, inputs, |_| bar.inc(1))?;
    drop(device);
    let counts = count(board, &model, &inputs[..COUNTED.min(inputs.len())])?;
    let most = |v: &[u64]| v.iter().copied().max();
    let counts =
        counts.and_then(|c| most(&c.finish).zip(most(&c.push)).ok_or_else(|| "nothing was counted".to_string()));
    let firmware = Firmware::of(board).context("firmware")?;
    Ok(OnBoard { model, verified, counts, firmware })
}
