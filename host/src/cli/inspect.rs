//! `smidgen inspect MODEL.smg`: what an artifact is, operator by operator.

use anyhow::Result;
use serde_json::{Value, json};
use smidgen_shared::artifact::{Artifact, Bound, Input, Items, Metric, Provenance};
use smidgen_shared::cost;
use smidgen_shared::op::Op;

use super::output::{Output, thousands};
use super::{InspectArgs, read_model};

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
    if !classes.is_empty() {
        output.line(format!("classes: {}", classes.join(", ")));
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
            .map(|b| vec![b.board.to_string(), thousands(b.instructions.into()), thousands(b.per_sample.into())])
            .collect();
        output.table(&["board", "instructions at most", "a time step at most"], &rows);
    }
    output.result(describe(&artifact));
    Ok(())
}

/// One operator as `inspect` shows it.
pub struct Operator {
    pub name: String,
    pub kind: &'static str,
    pub shape: String,
    pub bytes: u32,
    pub macs: u32,
}

/// The operators of a model with shapes and costs.
pub fn operators(artifact: &Artifact<'_>) -> Vec<Operator> {
    artifact
        .ops()
        .enumerate()
        .map(|(i, op)| Operator {
            name: format!("{i} {}", op.kind()),
            kind: op.kind(),
            shape: shape(&op),
            bytes: cost::constant_bytes(&op),
            macs: cost::macs(&op),
        })
        .collect()
}

/// The JSON object of `inspect`.
pub fn describe(artifact: &Artifact<'_>) -> Value {
    let manifest = artifact.manifest();
    let provenance: Option<Provenance> = postcard::from_bytes(manifest.provenance).ok();
    json!({
        "family": manifest.family,
        "hash": format!("{:08x}", artifact.hash()),
        "flash_bytes": artifact.bytes(),
        "arena_bytes": artifact.arena_bytes(),
        "operators": operators(artifact).iter().map(|o| json!({
            "name": o.name, "kind": o.kind, "shape": o.shape, "bytes": o.bytes, "macs": o.macs,
        })).collect::<Vec<_>>(),
        "classes": artifact.classes().map(|c| json!({"name": c.name, "seen": c.seen})).collect::<Vec<_>>(),
        "bounds": Items::<Bound>::new(manifest.bounds, manifest.bound_count.into())
            .map(|b| json!({"board": b.board, "instructions": b.instructions, "per_sample": b.per_sample}))
            .collect::<Vec<_>>(),
        "signed": false,
        "provenance": provenance.map(|p| json!({
            "dataset": p.dataset, "split": p.split, "seed": p.seed, "tool": p.tool, "settings": p.settings,
            "metrics": Items::<Metric>::new(p.metrics, p.metric_count.into())
                .map(|m| json!({"name": m.name, "float": f64::from(m.float) / 1e4, "int8": f64::from(m.int8) / 1e4}))
                .collect::<Vec<_>>(),
        })),
    })
}

fn shape(op: &Op) -> String {
    match *op {
        Op::Standardise { y, .. } => format!("{}", y.len),
        Op::UnitRms { x, .. } | Op::Rescale { x, .. } | Op::Clamp { x, .. } | Op::Lookup { x, .. } => {
            format!("{}", x.len)
        }
        Op::Dense { x, y, relu, .. } => format!("{} → {}{}", x.len, y.len, if relu { ", ReLU" } else { "" }),
        Op::LowRank { x, z, y, .. } => format!("{} → {} → {}", x.len, z.len, y.len),
        Op::Gate { x, y, bases, .. } => format!("{} → top {} of {bases}", x.len, y.len / 2),
        Op::Mix { x, gate, base, z, y, bases, .. } => {
            let kept = gate.len / 2;
            let rank = if z.len == 0 { String::new() } else { format!(" → {}", z.len) };
            let plus = if base.is_some() { " + base" } else { "" };
            format!("{kept} of {bases} × ({}{rank} → {}){plus}", x.len, y.len)
        }
        Op::Match { x, y, .. } => format!("{} → {} classes", x.len, y.len),
        Op::Poly { x, registers, state, float, .. } => format!(
            "{} → {} steps → {} laws, {}",
            x.len,
            registers.len - x.len,
            state.len,
            if float { "f32" } else { "fixed point" }
        ),
    }
}
