//! `smidgen train FAMILY`: trains and writes a run.

use anyhow::Result;

use super::TrainArgs;
use crate::family::{Place, find};
use crate::run::Request;

pub fn run(args: &TrainArgs, place: &Place) -> Result<()> {
    let (request, folder) = match &args.resume {
        Some(folder) => (Request::resumed(folder)?, folder.clone()),
        None => {
            let request = Request {
                family: args.family.clone().unwrap_or_default(),
                data: args.data.clone(),
                task: args.task.clone(),
                split: args.split.clone(),
                seed: args.seed,
                population: args.population,
                set: args.set.clone(),
                alone: args.alone,
                engine: args.engine.clone(),
                device: args.device.clone(),
                resume: false,
            };
            (request, args.output.clone())
        }
    };
    let place = Place { threads: args.threads.unwrap_or(place.threads), ..place.clone() };
    let result = find(&request.family)?.train(&request, &folder, &place)?;
    place
        .output
        .line(format!("run written to {}; next: smidgen look {0}, smidgen export {0} -o model.smg", folder.display()));
    place.output.result(result);
    Ok(())
}
