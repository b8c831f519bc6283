//! `smidgen explain MODEL.smg`: why the board gave a class its score, in whole numbers that sum to it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;

use super::hand::{Hand, close, same_model};
use super::{read_model, teach};
use crate::device::{Explanation, kept, score_of};
use crate::family::Place;
use crate::infer::Host;
use crate::report::{Contributions, Page, Section};

#[derive(Args)]
pub struct ExplainArgs {
    /// The artifact that the board serves
    model: PathBuf,
    #[command(flatten)]
    hand: Hand,
    /// Index of a sample that training held out [default: the first]
    #[arg(long)]
    sample: Option<u32>,
    /// Class whose score is explained [default: the board's answer]
    #[arg(long)]
    class: Option<String>,
    /// Data set [default: the one it was trained on]
    #[arg(long)]
    data: Option<String>,
    /// Features that are shown, the largest terms first
    #[arg(long, default_value_t = 12)]
    top: usize,
    /// Write the picture as a self-contained HTML page, too
    #[arg(short, long, value_name = "REPORT.html")]
    output: Option<PathBuf>,
}

pub fn run(args: &ExplainArgs, place: &Place) -> Result<()> {
    let output = place.output;
    let model = read_model(&args.model)?;
    let artifact = model.artifact()?;
    let (id, raw, truth) = teach::sample(&artifact, args.data.as_deref(), args.sample, place)?;
    let channels = crate::verify::channels(&artifact);
    let mut device = args.hand.connect(output)?;
    same_model(&device, &artifact, &args.model)?;
    let classes = device.classes()?;
    let answer = device.infer(&raw, channels)?.class;
    let class = match &args.class {
        None => usize::from(answer),
        Some(name) => classes.iter().position(|class| class.name == *name).with_context(|| {
            let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
            format!("the board knows no class {name:?}; it knows: {}", names.join(", "))
        })?,
    };
    let name = classes.get(class).map_or("?", |class| class.name.as_str()).to_owned();
    let explanation = device.explain(&artifact, &raw, channels, u16::try_from(class)?)?;
    // A class of the model's own is explained by the host's run of the same function, bit for bit.
    if class < usize::from(artifact.manifest().class_count) {
        let mut arena = Vec::new();
        let mut host = Host::new(artifact, &mut arena)?;
        let scores = host.answer(&raw)?.scores;
        let score = score_of(&scores, artifact.output().1, class).context("the host gives no such score")?;
        let ours = Explanation::new(score, &host.explain(&raw, class)?, &kept(&artifact, &raw)?)?;
        ensure!(ours == explanation, "the board's terms are not the host's: the link or the board is unsteady");
    }
    let board = device.hello().board.clone();
    close(device)?;
    let names = crate::inspect::feature_names(&artifact);
    let network = |base: Option<u8>| base.map_or("common map".to_string(), |base| format!("base {base}"));
    let mut features: Vec<(String, i64)> = names
        .into_iter()
        .chain((0..).map(|j| format!("input {j}")))
        .zip(explanation.features.iter().map(|&term| i64::from(term)))
        .collect();
    let all = features.clone();
    features.sort_by_key(|(_, term)| std::cmp::Reverse(term.abs()));
    let rest: i64 = features.iter().skip(args.top).map(|term| term.1).sum();
    let hidden = features.len().saturating_sub(args.top);
    features.truncate(args.top);
    if hidden > 0 {
        features.push((format!("{hidden} more"), rest));
    }
    features.push(("constant".into(), explanation.constant.into()));
    features.push(("rounding".into(), explanation.rest()));
    let mut networks: Vec<(String, i64)> =
        explanation.networks.iter().map(|&(base, term)| (network(base), i64::from(term))).collect();
    networks.retain(|(name, term)| name != "common map" || *term != 0);
    networks.push(("rounding".into(), explanation.rest_of_networks()));
    output.line(format!("sample {id}, in truth {truth}: {board} gives {name} {}", explanation.score));
    for (title, terms) in [("by feature", &features), ("by base network", &networks)] {
        output.line(format!("\n{title}"));
        bars(terms, explanation.score.into(), |line| output.line(line));
    }
    if let Some(path) = &args.output {
        let title = format!("Why {name}: sample {id}");
        let section = Section::new("Terms of the score")
            .text(format!(
                "Whole numbers, computed on {board}; each list sums to the score of {name}, {}.",
                explanation.score
            ))
            .figure(&Contributions::new(features.clone(), explanation.score.into()), "By feature, the largest first.")
            .figure(
                &Contributions::new(networks.clone(), explanation.score.into()),
                "By base network that the gate kept.",
            );
        Page::new(title)
            .subtitle(format!("model {:08x} on {board}; in truth {truth}", artifact.hash()))
            .section(section)
            .write(path)?;
        output.line(format!("\n{}: open it in a browser", path.display()));
    }
    output.result(json!({
        "board": board, "sample": id, "truth": truth, "class": name, "score": explanation.score,
        "constant": explanation.constant, "rounding": explanation.rest(),
        "features": all.iter().map(|(name, term)| json!({ "name": name, "term": term })).collect::<Vec<_>>(),
        "networks": explanation.networks.iter()
            .map(|&(base, term)| json!({ "name": network(base), "term": term })).collect::<Vec<_>>(),
        "rounding_of_networks": explanation.rest_of_networks(),
    }));
    Ok(())
}

/// A bar a term, to the left of the axis where negative, and their sum.
fn bars(terms: &[(String, i64)], score: i64, mut line: impl FnMut(String)) {
    const HALF: usize = 22;
    let most = terms.iter().map(|term| term.1.abs()).max().unwrap_or(0).max(1);
    let wide = terms.iter().map(|term| term.0.chars().count()).max().unwrap_or(0).max("score".len());
    let digits = terms.iter().map(|term| term.1.to_string().len()).max().unwrap_or(0).max(score.to_string().len());
    for (name, term) in terms {
        let length = (term.unsigned_abs() as u128 * HALF as u128 * 2 / most.unsigned_abs() as u128) as usize;
        // Half blocks make the bar twice as fine.
        let whole = "█".repeat(length / 2);
        let (left, right) = match (*term < 0, length % 2 == 1) {
            (true, half) => (format!("{}{whole}", if half { "▐" } else { "" }), String::new()),
            (false, half) => (String::new(), format!("{whole}{}", if half { "▌" } else { "" })),
        };
        line(format!("  {name:<wide$}  {term:>digits$}  {left:>HALF$}│{right}").trim_end().to_string());
    }
    line(format!("  {:<wide$}  {score:>digits$}", "score"));
}
