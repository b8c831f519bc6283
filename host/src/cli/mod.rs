//! The command line. One file a verb; exit codes 0 done, 1 failed, 2 usage, 3 a verification or a
//! bound does not hold.

mod bench;
mod boards;
mod data;
mod demo;
mod doctor;
mod draw;
mod explain;
mod export;
mod families;
mod fit;
mod flash;
mod forget;
mod hand;
mod inspect;
mod keygen;
mod look;
mod monitor;
mod reproduce;
mod run;
mod send;
mod teach;
mod train;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::compress::Aligned;
use crate::data::Source;
use crate::family::Place as Workplace;
use crate::output::{Output, chain};

/// Trains neural networks small enough to read, shows what they compute, and puts them on
/// microcontrollers with bounds that hold.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// One JSON object on the last line of stdout (docs/json.md); text goes to stderr
    #[arg(long, global = true)]
    json: bool,
    /// No progress and no text but errors
    #[arg(long, global = true)]
    quiet: bool,
    /// Folder of the data sets that are not built in [default: $SMIDGEN_DATA]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Verb {
    /// List the families of models
    Families,
    /// List the boards, or the sizes of their firmware
    Boards(boards::BoardsArgs),
    /// List the data sets, or describe one
    Data(DataArgs),
    /// Check what this machine has and say what to do
    Doctor,
    /// Train a family of models on a data set, beside its baselines
    Train(TrainArgs),
    /// Write a self-contained HTML report of a run
    Look(LookArgs),
    /// Search a family for the best model that a board's budget allows
    Fit(fit::FitArgs),
    /// Quantise a run into an artifact
    Export(ExportArgs),
    /// Show what an artifact is, operator by operator
    Inspect(InspectArgs),
    /// Run an artifact on samples that its training held out
    Run(RunArgs),
    /// Compare an artifact on the host and on a board, bit by bit
    Verify(VerifyArgs),
    /// Write firmware and model into a board's chip, through a debug probe
    Flash(flash::FlashArgs),
    /// Send an artifact to a board, which checks it and serves it from then on
    Send(send::SendArgs),
    /// Teach a board a class by its attributes, without training
    Teach(teach::TeachArgs),
    /// Take a taught class away
    Forget(forget::ForgetArgs),
    /// Why a board gave a class its score: whole numbers, a feature each, that sum to it
    Explain(explain::ExplainArgs),
    /// Watch a board: model, rate, answers, errors, link
    Monitor(monitor::MonitorArgs),
    /// Make a key pair to sign models with
    Keygen(keygen::KeygenArgs),
    /// Measure a paper's claims and set them beside its figures
    Reproduce(ReproduceArgs),
    /// Measure speed beside that of peers doing the same work
    Bench(bench::BenchArgs),
    /// Train, export, run on all boards, compare: the tour in one command
    Demo(DemoArgs),
    /// Print a completion script for your shell
    Completions {
        /// Your shell
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
struct DataArgs {
    /// Name of a data set, with settings as `"dsads rotations=4"`, or a folder of your own
    name: Option<String>,
}

#[derive(Args)]
struct TrainArgs {
    /// Family of models
    #[arg(required_unless_present = "resume")]
    family: Option<String>,
    /// Data set, for families that take one: a name of `smidgen data`, or a folder of CSV recordings
    /// [default: the family's own]
    #[arg(long)]
    data: Option<String>,
    /// What is held out: zero-shot (classes) or supervised (subjects) [default: zero-shot where classes have attributes]
    #[arg(long)]
    task: Option<String>,
    /// Which split is held out, by name [default: the first]
    #[arg(long)]
    split: Option<String>,
    /// First seed [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// Number of seeds, whose spread the table shows [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    population: Option<u64>,
    /// A setting of the model or of the data; may be repeated. Some families take A,B,C for a grid
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A TOML file of settings: seed, population, and keys as --set takes them, a list for a grid; the
    /// command line wins
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Leave out the baselines
    #[arg(long)]
    alone: bool,
    /// What trains, for families that leave a choice
    #[arg(long, value_parser = ["fused", "candle"])]
    engine: Option<String>,
    /// Where the candle engine trains
    #[arg(long, value_parser = ["cpu", "cuda"])]
    device: Option<String>,
    /// Threads to train on; results do not depend on it [default: one a core]
    #[arg(long, value_parser = at_least_one)]
    threads: Option<usize>,
    /// Where the run is written
    #[arg(short, long, default_value = "run")]
    output: PathBuf,
    /// Go on with a run that was interrupted
    #[arg(long, value_name = "RUN")]
    resume: Option<PathBuf>,
}

#[derive(Args)]
struct LookArgs {
    /// Folder of a run
    run: PathBuf,
    /// The report [default: RUN/report.html]
    #[arg(short, long)]
    output: Option<PathBuf>,
}

#[derive(Args)]
struct ExportArgs {
    /// Folder of a run
    run: PathBuf,
    /// The artifact
    #[arg(short, long, default_value = "model.smg")]
    output: PathBuf,
    /// Check that it fits this board, and choose for it, layer by layer, among full, low-rank and sparse matrices
    #[arg(long)]
    board: Option<String>,
    /// Error of the outputs that a low-rank matrix may bring, a share of their root mean square
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, requires = "board")]
    error: f64,
    /// How matrices with many zeros are stored: whatever takes fewest instructions, or dense
    #[arg(long, value_enum, default_value_t = Layout::Auto)]
    layout: Layout,
    /// Sign with this key, made by `smidgen keygen`
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Counter of a signed model: boards built to refuse a lower one than they have served [default: the time, in seconds]
    #[arg(long, requires = "sign")]
    counter: Option<u32>,
    /// Leave these classes out; a board can be taught them later (`smidgen teach`)
    #[arg(long, value_name = "CLASS,…", value_delimiter = ',')]
    without: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Layout {
    Auto,
    Dense,
}

#[derive(Args)]
struct InspectArgs {
    /// The artifact
    model: PathBuf,
}

#[derive(Args)]
struct RunArgs {
    /// The artifact
    model: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Data set [default: the one it was trained on]
    #[arg(long)]
    data: Option<String>,
    /// Number of samples [default: 12, all of a stream]
    #[arg(long, value_parser = at_least_one)]
    samples: Option<usize>,
    /// Samples of this class alone
    #[arg(long)]
    class: Option<String>,
    /// The board's flash, with what it was sent and taught, as `send` and `teach` keep it in a file
    #[arg(long, value_name = "FILE", requires = "board")]
    flash: Option<PathBuf>,
    /// Of a denoiser: what is drawn, label=CLASS [default: none] or seed=N [default: 0]; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Args)]
struct VerifyArgs {
    /// The artifact
    model: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Data set [default: the one it was trained on]
    #[arg(long)]
    data: Option<String>,
    /// Number of samples, spread over those held out [default: all; 22 that a denoiser draws]
    #[arg(long, value_parser = at_least_one)]
    samples: Option<usize>,
    /// Drill: alter this byte of the weights on the host's side only
    #[arg(long, value_name = "BYTE")]
    flip_weight: Option<usize>,
}

/// Where a model runs.
#[derive(Args)]
#[group(multiple = false)]
struct Place {
    /// On this machine
    #[arg(long)]
    host: bool,
    /// On this board, under QEMU
    #[arg(long)]
    board: Option<String>,
    /// On the board at this port, as /dev/ttyACM0, tcp:HOST:PORT or rtt:BOARD, which serves the model already
    #[arg(long)]
    port: Option<String>,
}

#[derive(Args)]
struct ReproduceArgs {
    /// Family of models
    family: String,
    /// Fewer seeds and settings, in under two minutes
    #[arg(long)]
    quick: bool,
    /// Only this suite
    #[arg(long, value_name = "SUITE")]
    only: Option<String>,
    /// Number of seeds [default: 5, 1 if quick]
    #[arg(long)]
    seeds: Option<u64>,
    /// Folder for the tables and plots [default: none are written]
    #[arg(short, long)]
    output: Option<PathBuf>,
}

#[derive(Args)]
struct DemoArgs {
    /// Folder for what it makes
    #[arg(short, long, default_value = "demo")]
    output: PathBuf,
}

/// Something that was measured does not hold: exit code 3.
#[derive(Debug)]
struct DoesNotHold(String);

impl std::fmt::Display for DoesNotHold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DoesNotHold {}

/// Runs the command line and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            ExitCode::from(if error.downcast_ref::<DoesNotHold>().is_some() { 3 } else { 1 })
        }
    }
}

fn dispatch(cli: Cli) -> Result<()> {
    let output = Output { json: cli.json, quiet: cli.quiet };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let place = &Workplace { output, data: Source { dir: cli.data_dir }, threads };
    match cli.verb {
        Verb::Families => families::run(output),
        Verb::Boards(args) => boards::run(&args, output),
        Verb::Data(args) => data::run(&args, &place.data, output),
        Verb::Doctor => doctor::run(&place.data, output),
        Verb::Train(args) => train::run(&args, place),
        Verb::Look(args) => look::run(&args, place),
        Verb::Fit(args) => fit::run(&args, place),
        Verb::Export(args) => export::run(&args, place),
        Verb::Inspect(args) => inspect::run(&args, output),
        Verb::Run(args) => run::run(&args, place),
        Verb::Verify(args) => verify::run(&args, place),
        Verb::Flash(args) => flash::run(&args, output),
        Verb::Send(args) => send::run(&args, output),
        Verb::Teach(args) => teach::teach(&args, place),
        Verb::Forget(args) => forget::run(&args, output),
        Verb::Explain(args) => explain::run(&args, place),
        Verb::Monitor(args) => monitor::run(&args, place),
        Verb::Keygen(args) => keygen::run(&args, output),
        Verb::Reproduce(args) => reproduce::run(&args, place),
        Verb::Bench(args) => bench::run(&args, place),
        Verb::Demo(args) => demo::run(&args, place),
        Verb::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut <Cli as clap::CommandFactory>::command(),
                "smidgen",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse::<usize>().ok().filter(|n| *n > 0).ok_or_else(|| "a whole number of at least 1 is expected".into())
}

/// Reads and checks an artifact.
fn read_model(path: &Path) -> Result<Aligned> {
    const LIMIT: u64 = 64 << 20;
    let length = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
    anyhow::ensure!(length <= LIMIT, "{} is {length} bytes; an artifact has at most {LIMIT}", path.display());
    let bytes = Aligned::new(&std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?);
    bytes.artifact().with_context(|| format!("{} is refused", path.display()))?;
    Ok(bytes)
}
