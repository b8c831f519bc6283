//! `smidgen families`: what can be trained.

use anyhow::Result;
use serde_json::json;

use crate::family::FAMILIES;
use crate::output::Output;

pub fn run(output: Output) -> Result<()> {
    let about: Vec<_> = FAMILIES.iter().map(|family| family.about()).collect();
    for family in &about {
        output.line(format!("{:10}{}", family.name, family.claim));
        output.line(format!("{:10}{}", "", family.paper));
    }
    output.result(json!({ "families": about.iter().map(|f| json!({
        "name": f.name, "claim": f.claim, "paper": f.paper,
    })).collect::<Vec<_>>() }));
    Ok(())
}
