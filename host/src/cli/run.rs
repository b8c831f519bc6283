//! `smidgen run MODEL.smg`: what the model answers on samples that its training did not see.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use smidgen_shared::artifact::Artifact;

use super::{RunArgs, read_model, verify};
use crate::family::{Place, Samples, Truths};
use crate::infer::{Answer, Host};

pub fn run(args: &RunArgs, workplace: &Place) -> Result<()> {
    let output = workplace.output;
    let model = read_model(&args.model)?;
    let artifact = model.artifact()?;
    if let Some(sampler) = artifact.sampler() {
        return super::draw::run(args, &model, sampler, workplace);
    }
    anyhow::ensure!(args.set.is_empty(), "--set: the model is no denoiser, it draws nothing; leave --set out");
    let mut samples = verify::samples(&artifact, args.data.as_deref(), workplace)?;
    if let Some(class) = &args.class {
        samples = samples.of_class(class)?;
    }
    // A stream is run whole, unless fewer were asked for.
    let count = args.samples.unwrap_or(if samples.ordered { usize::MAX } else { 12 });
    let samples = samples.spread(count);
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena)?;
    let place = args.place.port.as_deref().or(args.place.board.as_deref());
    let mut device = match (&args.flash, &args.place.board) {
        (Some(flash), Some(name)) => {
            let device = super::hand::resume(name, flash.clone(), output)?;
            super::hand::same_model(&device, &artifact, &args.model)?;
            Some(device)
        }
        _ => verify::device(&args.place, &model, &args.model)?,
    };
    // A board may have been taught more classes than the artifact has.
    let own: Vec<&str> = artifact.classes().map(|c| c.name).collect();
    let taught: Vec<String> = match &mut device {
        Some(device) => device.classes()?.into_iter().skip(own.len()).map(|class| class.name).collect(),
        None => Vec::new(),
    };
    let names: Vec<&str> = own.into_iter().chain(taught.iter().map(String::as_str)).collect();
    let mut answers = Vec::new();
    for raw in &samples.inputs {
        answers.push(match &mut device {
            Some(device) => {
                let answer = device.infer(raw, crate::verify::channels(&artifact))?;
                Answer { class: answer.class, scores: answer.scores }
            }
            None => host.answer(raw)?,
        });
    }
    let on = place.unwrap_or("this machine");
    let (lines, mut result) = match &samples.truths {
        Truths::Classes(truths) => classes(&names, &samples, truths, &answers)?,
        Truths::Values(truths) => values(&artifact, &samples, truths, &answers),
    };
    output.table(&lines.header, &lines.rows);
    output.line(format!("{}, on {on}", lines.last));
    result["place"] = json!(place.unwrap_or("host"));
    result["samples"] = json!(samples.ids.len());
    output.result(result);
    Ok(())
}

struct Lines {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    last: String,
}

fn classes(names: &[&str], samples: &Samples, truths: &[String], answers: &[Answer]) -> Result<(Lines, Value)> {
    let mut rows = Vec::new();
    let mut right = 0;
    for ((id, truth), answer) in samples.ids.iter().zip(truths).zip(answers) {
        let answer = *names.get(usize::from(answer.class)).context("the model has no such class")?;
        right += usize::from(answer == truth);
        let mark = if answer == truth { "" } else { "×" };
        rows.push(vec![id.to_string(), truth.clone(), answer.to_string(), mark.into()]);
    }
    let objects: Vec<Value> = rows
        .iter()
        .zip(&samples.ids)
        .map(|(row, id)| json!({ "sample": id, "class": row[1], "answer": row[2] }))
        .collect();
    let mut last = format!("{right} of {} right", rows.len());
    let mut header = vec!["sample", "class", "answer", ""];
    if samples.ordered {
        // Of a stream only where the answer changes.
        let alarm = rows.iter().find(|row| row[2] != "holds" && row[1] != "holds");
        last = alarm.map_or("no alarm".into(), |row| format!("alarm at sample {}: {}", row[0], row[2])) + "; " + &last;
        header[0] = "from sample";
        let all = rows;
        let changes = all.iter().enumerate().filter(|(i, row)| *i == 0 || all[i - 1][1..] != row[1..]);
        rows = changes.map(|(_, row)| row.clone()).collect();
    }
    Ok((Lines { header, rows, last }, json!({ "right": right, "answers": objects })))
}

/// A model without classes answers numbers, in the artifact's unit.
fn values(artifact: &Artifact<'_>, samples: &Samples, truths: &[Vec<f32>], answers: &[Answer]) -> (Lines, Value) {
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    let (mut squares, mut count) = (0.0, 0);
    let text = |values: &[f32]| values.iter().map(|v| format!("{v:.4}")).collect::<Vec<_>>().join(" ");
    for ((id, truth), answer) in samples.ids.iter().zip(truths).zip(answers) {
        let scores = crate::verify::values(&answer.scores, artifact.output().1);
        let scores: Vec<i32> = scores.iter().map(|&score| score as i32).collect();
        let got = crate::infer::values(artifact, &scores);
        squares += truth.iter().zip(&got).map(|(t, y)| f64::from(t - y).powi(2)).sum::<f64>();
        count += truth.len();
        rows.push(vec![id.to_string(), text(truth), text(&got)]);
        objects.push(json!({ "sample": id, "values": truth, "answer": got }));
    }
    let error = squares / f64::from(count.max(1) as u32);
    let lines = Lines {
        header: vec!["sample", "values", "answer"],
        rows,
        last: format!("mean square error {error:.3e} over {} samples", samples.ids.len()),
    };
    (lines, json!({ "mean_square_error": error, "answers": objects }))
}
