//! `smidgen data [NAME]`: the data sets, or one of them with its splits.

use anyhow::Result;
use serde_json::json;

use super::DataArgs;
use crate::data::{Input, Source, Task, registry};
use crate::output::{Output, thousands};

pub fn run(args: &DataArgs, data: &Source, output: Output) -> Result<()> {
    let Some(name) = &args.name else {
        for entry in registry() {
            output.line(format!("{:8}{} ({})", entry.name, entry.title, entry.licence));
            output.line(format!("        {}", entry.description));
            match entry.file {
                None => output.line("        built in"),
                Some(file) => output.line(format!("        from --data-dir or $SMIDGEN_DATA: {file}")),
            }
            for s in entry.settings {
                output.line(format!("        {}={}: {}", s.key, s.default, s.meaning));
            }
        }
        output.line("FOLDER  a folder of CSV recordings of your own; docs/data.md says how");
        output.result(json!({ "datasets": registry().iter().map(|e| json!({
            "name": e.name, "title": e.title, "licence": e.licence, "embedded": e.file.is_none(),
        })).collect::<Vec<_>>() }));
        return Ok(());
    };
    let set = data.load(name)?;
    output.line(format!("{}: {}", set.name, set.title));
    output.line(format!("licence: {}; {}", set.licence, set.attribution));
    match &set.input {
        Input::Windows { channels, channel_names, window, rate_hz, lsb, units, .. } => {
            output.line(format!(
                "{} windows of {window} samples at {rate_hz} Hz, {channels} channels of int16 counts:",
                thousands(set.len() as u64)
            ));
            let names: Vec<String> =
                (0..*channels).map(|c| format!("{} ({} {} a count)", channel_names[c], lsb[c], units[c])).collect();
            output.line(format!("  {}", names.join(", ")));
        }
        Input::Vectors { dim, .. } => output.line(format!("{} vectors of {dim} values", thousands(set.len() as u64))),
    }
    output.line(format!("{} classes: {}", set.classes.len(), set.classes.join(", ")));
    output.line(format!("{} attributes: {}", set.attribute_names.len(), set.attribute_names.join(", ")));
    let mut tasks = Vec::new();
    for task in set.tasks() {
        let splits = set.splits(task, 0)?;
        let word = if task == Task::ZeroShot { "zero-shot" } else { "supervised" };
        let names: Vec<&str> = splits.iter().map(|s| s.name.as_str()).collect();
        output.line(format!("{word}: {} splits: {}", splits.len(), names.join(", ")));
        tasks.push(json!({ "task": word, "splits": names }));
    }
    output.result(json!({
        "name": set.name, "samples": set.len(), "classes": set.classes, "attributes": set.attribute_names, "tasks": tasks,
    }));
    Ok(())
}
