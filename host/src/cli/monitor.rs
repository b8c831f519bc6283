//! `smidgen monitor`: a board, live: its model, its rate, its last answers, errors, and how good the link is.
//!
//! With a model's file the samples that its training held out are sent one after the other, as a sensor would.
//! On a terminal a view that `q` ends; else, and with `--json`, a line a tick.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::hand::{Hand, close, same_model};
use super::{read_model, verify};
use crate::compress::Aligned;
use crate::device::{Class, Device, Hello, Link, Stats, score_of};
use crate::family::{Place, Samples, Truths};
use crate::interrupt;

mod view;

/// Time between two looks at the board's figures.
const TICK: Duration = Duration::from_millis(250);
/// Answers that are remembered.
const KEPT: usize = 200;

#[derive(Args)]
pub struct MonitorArgs {
    /// The artifact that the board serves: its held-out samples are sent
    model: Option<PathBuf>,
    #[command(flatten)]
    hand: Hand,
    /// Data set [default: the one the model was trained on]
    #[arg(long)]
    data: Option<String>,
    /// Stop after so many seconds [default: at Ctrl-C, or q]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Inputs a second at most [default: as many as there can be]
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
}

/// All that is shown.
pub struct State {
    pub hello: Hello,
    pub classes: Vec<Class>,
    pub stats: Option<Stats>,
    pub start: Instant,
    /// The latest last.
    pub answers: Vec<Answered>,
    pub given: u64,
    pub right: u64,
    /// Inputs a second, over the last ticks.
    pub rate: f64,
    pub repeats: u32,
    /// The latest error, if any.
    pub error: Option<String>,
    /// How long the latest request took.
    pub answer_time: Duration,
}

/// One answer.
pub struct Answered {
    pub class: String,
    pub truth: Option<String>,
    pub scores: Vec<i32>,
}

struct Feed {
    model: Aligned,
    samples: Samples,
    next: usize,
}

pub fn run(args: &MonitorArgs, place: &Place) -> Result<()> {
    let output = place.output;
    let feed = match &args.model {
        Some(path) => {
            let model = read_model(path)?;
            let samples = verify::samples(&model.artifact()?, args.data.as_deref(), place)?;
            Some(Feed { model, samples, next: 0 })
        }
        None => None,
    };
    interrupt::listen();
    let mut device = args.hand.connect(output)?;
    if let (Some(feed), Some(path)) = (&feed, &args.model) {
        same_model(&device, &feed.model.artifact()?, path)?;
    }
    let classes = if device.hello().model.is_ok() { device.classes()? } else { Vec::new() };
    let state = State {
        hello: device.hello().clone(),
        classes,
        stats: None,
        start: Instant::now(),
        answers: Vec::new(),
        given: 0,
        right: 0,
        rate: 0.0,
        repeats: 0,
        error: None,
        answer_time: Duration::ZERO,
    };
    let live = !output.json && !output.quiet && std::io::stdout().is_terminal();
    let state = watch(&mut device, feed, state, args, live, output)?;
    close(device)?;
    output.line(format!(
        "{}: {} answers in {:.1} s{}",
        state.hello.board,
        state.given,
        state.start.elapsed().as_secs_f64(),
        if state.given > 0 { format!(", {} right", state.right) } else { String::new() }
    ));
    output.result(json!({
        "board": state.hello.board, "seconds": (state.start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        "answers": state.given, "right": state.right, "repeats": state.repeats,
        "lost": state.stats.map(|s| s.lost), "refused": state.stats.map(|s| s.refused),
        "stack_peak": state.stats.map(|s| s.stack_peak), "stack_bytes": state.stats.map(|s| s.stack_bytes),
    }));
    Ok(())
}

fn watch(
    device: &mut Device<Box<dyn Link>>,
    mut feed: Option<Feed>,
    mut state: State,
    args: &MonitorArgs,
    live: bool,
    output: crate::output::Output,
) -> Result<State> {
    let mut screen = if live { Some(view::Screen::open()?) } else { None };
    let until = args.seconds.map(|seconds| state.start + Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
    let (mut ticked, mut given_then) = (Instant::now() - TICK, 0);
    while !interrupt::asked() && until.is_none_or(|until| Instant::now() < until) {
        if let Some(feed) = &mut feed
            && let Err(error) = one(device, feed, &mut state)
        {
            state.error = Some(crate::output::chain(&error));
        }
        if ticked.elapsed() >= TICK {
            match device.stats() {
                Ok(stats) => state.stats = Some(stats),
                Err(error) => state.error = Some(crate::output::chain(&error)),
            }
            state.rate = (state.given - given_then) as f64 / ticked.elapsed().as_secs_f64();
            (ticked, given_then) = (Instant::now(), state.given);
            state.repeats = device.repeats();
            match &mut screen {
                Some(screen) => {
                    if screen.draw(&state)? {
                        break;
                    }
                }
                None if output.json => output.result(tick(&state)),
                None => output.line(text(&state)),
            }
            if output.is_closed() {
                break;
            }
        }
        let pause = match (&feed, args.rate) {
            (Some(_), Some(rate)) => Duration::from_secs_f64((1.0 / rate.max(0.01)).min(60.0)),
            (Some(_), None) => Duration::ZERO,
            (None, _) => TICK,
        };
        let pause_ends = Instant::now() + pause;
        while Instant::now() < pause_ends && !interrupt::asked() {
            std::thread::sleep((pause_ends - Instant::now()).min(Duration::from_millis(50)));
        }
    }
    Ok(state)
}

/// Sends one sample and remembers the answer.
fn one(device: &mut Device<Box<dyn Link>>, feed: &mut Feed, state: &mut State) -> Result<()> {
    let artifact = feed.model.artifact()?;
    let i = feed.next % feed.samples.inputs.len().max(1);
    feed.next += 1;
    let Some(raw) = feed.samples.inputs.get(i) else { return Ok(()) };
    let start = Instant::now();
    let answer = device.infer(raw, crate::verify::channels(&artifact))?;
    state.answer_time = start.elapsed();
    let name = |class: usize| state.classes.get(class).map_or_else(|| format!("class {class}"), |c| c.name.clone());
    let class = name(answer.class.into());
    let truth = match &feed.samples.truths {
        Truths::Classes(names) => names.get(i).cloned(),
        Truths::Values(_) => None,
    };
    state.right += u64::from(truth.as_ref() == Some(&class));
    state.given += 1;
    let width = artifact.output().1;
    let scores = (0..).map_while(|c| score_of(&answer.scores, width, c)).collect();
    state.answers.push(Answered { class, truth, scores });
    if state.answers.len() > KEPT {
        state.answers.remove(0);
    }
    Ok(())
}

/// A tick's object in the stream of `--json`.
fn tick(state: &State) -> Value {
    let last = state.answers.last();
    json!({
        "seconds": (state.start.elapsed().as_secs_f64() * 1e3).round() / 1e3,
        "model": state.hello.model.ok().map(|hash| format!("{hash:08x}")),
        "answers": state.given, "rate": (state.rate * 10.0).round() / 10.0,
        "class": last.map(|a| &a.class), "truth": last.and_then(|a| a.truth.as_ref()), "scores": last.map(|a| &a.scores),
        "lost": state.stats.map(|s| s.lost), "refused": state.stats.map(|s| s.refused), "repeats": state.repeats,
        "stack_peak": state.stats.map(|s| s.stack_peak), "error": state.error,
    })
}

/// A tick's line where there is no terminal.
fn text(state: &State) -> String {
    let last = state.answers.last().map_or("–".into(), |a| match &a.truth {
        Some(truth) if *truth != a.class => format!("{} (in truth {truth})", a.class),
        _ => a.class.clone(),
    });
    let stats = state.stats.map_or("no figures".into(), |s| format!("{} lost, {} refused", s.lost, s.refused));
    format!(
        "{:6.1} s  {:5} answers  {:6.1}/s  {last}  {stats}, {} repeated{}",
        state.start.elapsed().as_secs_f64(),
        state.given,
        state.rate,
        state.repeats,
        state.error.as_ref().map_or(String::new(), |error| format!("  {error}"))
    )
}
