//! `smidgen look RUN`: a self-contained page that shows what a run computed.

use anyhow::Result;
use serde_json::json;

use super::LookArgs;
use crate::family::{Place, find};
use crate::run::family_of;

pub fn run(args: &LookArgs, place: &Place) -> Result<()> {
    let page = find(&family_of(&args.run)?)?.look(&args.run, place)?;
    let path = args.output.clone().unwrap_or_else(|| args.run.join("report.html"));
    page.write(&path)?;
    place.output.line(format!("{}: open it in a browser", path.display()));
    place.output.result(json!({ "report": path }));
    Ok(())
}
