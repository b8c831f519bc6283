//! `smidgen families`: what can be trained.

use anyhow::Result;
use serde_json::json;

use super::output::Output;
use crate::family::FAMILIES;

pub fn run(output: Output) -> Result<()> {
    for family in FAMILIES {
        output.line(format!("{:10}{}", family.name, family.claim));
        output.line(format!("{:10}{}", "", family.paper));
    }
    output.result(json!({ "families": FAMILIES.iter().map(|f| json!({
        "name": f.name, "claim": f.claim, "paper": f.paper,
    })).collect::<Vec<_>>() }));
    Ok(())
}
