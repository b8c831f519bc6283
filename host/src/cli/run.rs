//! `smidgen run MODEL.smg`: what the model answers on samples that its training did not see.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{RunArgs, read_model, verify};
use crate::device::Board;
use crate::family::{Place, Truths};
use crate::infer::{Answer, Host};

pub fn run(args: &RunArgs, workplace: &Place) -> Result<()> {
    let output = workplace.output;
    let model = read_model(&args.model)?;
    let artifact = model.artifact()?;
    let samples = verify::samples(&artifact, args.data.as_deref(), workplace)?;
    // A stream is run whole, unless fewer were asked for.
    let count = args.samples.unwrap_or(if samples.ordered { usize::MAX } else { 12 });
    let samples = samples.spread(count);
    let names: Vec<&str> = artifact.classes().map(|c| c.name).collect();
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena)?;
    let place = args.place.board.as_deref();
    let mut device = match place {
        Some(name) => {
            let board = Board::find(name)?;
            board.check_fit(model.len(), artifact.arena_bytes() as usize, verify::SHRINK)?;
            Some(crate::verify::start(board, &model)?)
        }
        None => None,
    };
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
    let Truths::Classes(truths) = &samples.truths else {
        anyhow::bail!("the model gives values, not classes: not shown yet")
    };
    let mut table = Vec::new();
    let mut right = 0;
    for ((id, truth), answer) in samples.ids.iter().zip(truths).zip(&answers) {
        let answer = *names.get(usize::from(answer.class)).context("the model has no such class")?;
        right += usize::from(answer == truth);
        let mark = if answer == truth { "" } else { "×" };
        table.push(vec![id.to_string(), truth.clone(), answer.to_string(), mark.into()]);
    }
    if samples.ordered {
        // Only where the answer changes.
        let changes = table.iter().enumerate().filter(|(i, row)| *i == 0 || table[i - 1][1..] != row[1..]);
        let rows: Vec<Vec<String>> = changes.map(|(_, row)| row.clone()).collect();
        output.table(&["from sample", "truth", "answer", ""], &rows);
        let alarm = table.iter().find(|row| row[2] != "holds" && row[1] != "holds");
        if let Some(row) = alarm {
            output.line(format!("alarm at sample {}: {}", row[0], row[2]));
        }
    } else {
        output.table(&["sample", "class", "answer", ""], &table);
    }
    output.line(format!("{right} of {} right, on {on}", table.len()));
    let rows: Vec<Value> = table
        .iter()
        .zip(&samples.ids)
        .map(|(row, id)| json!({ "sample": id, "class": row[1], "answer": row[2] }))
        .collect();
    output.result(json!({ "place": place.unwrap_or("host"), "samples": table.len(), "right": right, "answers": rows }));
    Ok(())
}
