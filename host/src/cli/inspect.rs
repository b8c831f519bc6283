//! `smidgen inspect MODEL.smg`: what an artifact is, operator by operator.

use anyhow::Result;
use smidgen_shared::artifact::{Bound, Input, Items, Metric, Provenance};

use super::{InspectArgs, read_model};
use crate::inspect::{describe, operators};
use crate::output::{Output, thousands};

pub fn run(args: &InspectArgs, output: Output) -> Result<()> {
    let bytes = read_model(&args.model)?;
    let artifact = bytes.artifact()?;
    let manifest = artifact.manifest();
    let provenance: Option<Provenance> = postcard::from_bytes(manifest.provenance).ok();

    output.line(format!(
        "{}: {} model {:08x}, {} bytes of flash, {} bytes of arena",
        args.model.display(),
        manifest.family,
        artifact.hash(),
        thousands(artifact.bytes().into()),
        thousands(artifact.arena_bytes().into()),
    ));
    output.line(match manifest.input {
        Input::Window { spec, .. } => format!(
            "takes windows of {} samples × {} channels, int16; {} features",
            spec.window,
            spec.channels,
            spec.count()
        ),
        Input::Vector { len } => format!("takes vectors of {len} int16 values"),
    });
    if let Some(p) = provenance {
        output.line(format!(
            "trained on {}, held out: {}, seed {}, by {}; {}",
            p.dataset, p.split, p.seed, p.tool, p.settings
        ));
        for m in Items::<Metric>::new(p.metrics, p.metric_count.into()) {
            output.line(format!(
                "  {}: float {:.2} %, int8 {:.2} %",
                m.name,
                f64::from(m.float) / 100.0,
                f64::from(m.int8) / 100.0
            ));
        }
    }
    let classes: Vec<String> =
        artifact.classes().map(|c| if c.seen { c.name.to_string() } else { format!("{} (unseen)", c.name) }).collect();
    if classes.is_empty() {
        output.line(format!("answers {} numbers in units of {:e}", artifact.output().0.len, manifest.unit));
    } else {
        output.line(format!("classes: {}", classes.join(", ")));
    }
    if let Some(sampler) = artifact.sampler() {
        let schedule = artifact.schedule(sampler)?;
        let of = if sampler.labels > 0 { format!(" of {} classes", sampler.labels) } else { String::new() };
        output.line(format!(
            "draws samples of {} values{of}: {} noise levels from {} to {}, {} evaluations of the network",
            sampler.values,
            sampler.main,
            schedule.levels.first().map_or(0.0, |level| level.sigma),
            schedule.levels.get(usize::from(sampler.main) - 1).map_or(0.0, |level| level.sigma),
            schedule.evaluations(),
        ));
        for interval in schedule.intervals {
            let sigma = |i: u8| schedule.levels.get(usize::from(i)).map_or(0.0, |level| level.sigma);
            output.line(format!(
                "  restarts {} × from {:.3} to {:.3} in {} steps",
                interval.repeats,
                sigma(interval.first),
                sigma(interval.after),
                interval.count - 1
            ));
        }
    }
    output.line("");
    let rows: Vec<Vec<String>> = operators(&artifact)
        .iter()
        .map(|o| vec![o.name.clone(), o.shape.clone(), thousands(o.bytes.into()), thousands(o.macs.into())])
        .collect();
    output.table(&["operator", "shape", "bytes", "MACs"], &rows);
    let bounds: Vec<Bound> = Items::new(manifest.bounds, manifest.bound_count.into()).collect();
    if !bounds.is_empty() {
        output.line("");
        let rows: Vec<Vec<String>> = bounds
            .iter()
            .map(|b| {
                vec![
                    b.board.to_string(),
                    thousands(b.instructions.into()),
                    thousands(b.per_sample.into()),
                    thousands(b.stack_bytes.into()),
                ]
            })
            .collect();
        output.table(&["board", "instructions at most", "a time step at most", "stack at most, bytes"], &rows);
    }
    output.result(describe(&artifact));
    Ok(())
}
