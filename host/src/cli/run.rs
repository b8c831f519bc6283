//! `smidgen run MODEL.smg`: what the model answers on samples that its training did not see.

use anyhow::{Context, Result};
use serde_json::json;
use smidgen_shared::artifact::Artifact;

use super::output::Output;
use super::{Data, RunArgs, read_model, verify};
use crate::device::Board;
use crate::infer::Host;

pub fn run(args: &RunArgs, data: &Data, output: Output) -> Result<()> {
    let model = read_model(&args.model)?;
    let artifact = model.artifact()?;
    let held = verify::held_out_rows(&artifact, args.data.as_deref(), data)?;
    let rows = verify::spread(&held.rows, args.samples);
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
    let mut table = Vec::new();
    let mut right = 0;
    for &row in &rows {
        let raw = crate::infer::raw(&held.dataset, row as usize)?;
        let (class, scores) = match &mut device {
            Some(device) => {
                let answer = device.infer(&raw, crate::verify::channels(&artifact))?;
                (answer.class, answer.scores)
            }
            None => {
                let answer = host.answer(&raw)?;
                (answer.class, answer.scores)
            }
        };
        let answer = said(&artifact, class, &scores)?;
        let truth = &held.dataset.classes[usize::from(held.dataset.class[row as usize])];
        right += usize::from(answer == *truth);
        table.push(vec![
            row.to_string(),
            truth.clone(),
            answer.clone(),
            if answer == *truth { "" } else { "×" }.into(),
        ]);
    }
    output.table(&["sample", "class", "answer", ""], &table);
    output.line(format!("{right} of {} right, on {}", rows.len(), place.unwrap_or("this machine")));
    output.result(json!({
        "place": place.unwrap_or("host"), "samples": rows.len(), "right": right,
        "answers": table.iter().map(|r| json!({"sample": r[0].parse::<u64>().unwrap_or(0), "class": r[1], "answer": r[2]})).collect::<Vec<_>>(),
    }));
    Ok(())
}

/// The class's name, or the numbers that a model without classes answers.
fn said(artifact: &Artifact<'_>, class: u16, scores: &[u8]) -> Result<String> {
    if artifact.manifest().class_count > 0 {
        let class = artifact.classes().nth(class.into()).context("the model has no such class")?;
        return Ok(class.name.to_string());
    }
    let scores: Vec<i32> =
        crate::verify::values(scores, artifact.output().1).iter().map(|&score| score as i32).collect();
    let values = crate::infer::values(artifact, &scores);
    Ok(values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(" "))
}
