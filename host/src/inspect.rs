//! What an artifact is, operator by operator: shapes and costs, for `inspect` and for reports.

use serde_json::{Value, json};
use smidgen_shared::artifact::{Artifact, Bound, Input, Items, Metric, Provenance};
use smidgen_shared::cost;
use smidgen_shared::features::Stats;
use smidgen_shared::op::Op;

use crate::compress::layout_name;

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
            shape: shape(artifact, &op),
            bytes: cost::constant_bytes(&op),
            macs: cost::macs(&op),
        })
        .collect()
}

/// Names of a model's features, in their order; empty for a model that takes vectors.
///
/// Channels count from 0; `|s|` is the magnitude of three-axis sensor s.
pub fn feature_names(artifact: &Artifact<'_>) -> Vec<String> {
    let Input::Window { spec, .. } = artifact.manifest().input else { return Vec::new() };
    let has = |stats| spec.stats.has(stats);
    let sensors = usize::from(spec.channels) / 3;
    let mut channels: Vec<String> = (0..spec.channels).map(|c| format!("channel {c}")).collect();
    if has(Stats::MAGNITUDE) {
        channels.extend((0..sensors).map(|s| format!("|{s}|")));
    }
    let mut names = Vec::new();
    let all: [(Stats, &[&str]); 8] = [
        (Stats::MEAN, &["mean"]),
        (Stats::DEVIATION, &["deviation"]),
        (Stats::RANGE, &["least", "greatest"]),
        (Stats::EXCURSION, &["rise", "fall"]),
        (Stats::CHANGE, &["change"]),
        (Stats::TURNS, &["turns"]),
        (Stats::CROSSINGS, &["crossings"]),
        (Stats::BANDS, &["band 1", "band 2", "band 4", "band 8", "band 16"]),
    ];
    for channel in &channels {
        for (_, parts) in all.iter().filter(|(stats, _)| has(*stats)) {
            names.extend(parts.iter().map(|part| format!("{channel} {part}")));
        }
    }
    if has(Stats::CORRELATION) {
        let pairs = (0..sensors).flat_map(|s| [(0, 1), (0, 2), (1, 2)].map(|(a, b)| (3 * s + a, 3 * s + b)));
        names.extend(pairs.map(|(a, b)| format!("correlation {a}, {b}")));
    }
    names
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
        "signed": artifact.header().signed,
        "counter": artifact.header().counter,
        "operators": operators(artifact).iter().map(|o| json!({
            "name": o.name, "kind": o.kind, "shape": o.shape, "bytes": o.bytes, "macs": o.macs,
        })).collect::<Vec<_>>(),
        "unit": manifest.unit,
        "classes": artifact.classes().map(|c| json!({"name": c.name, "seen": c.seen})).collect::<Vec<_>>(),
        "bounds": Items::<Bound>::new(manifest.bounds, manifest.bound_count.into())
            .map(|b| json!({"board": b.board, "instructions": b.instructions, "per_sample": b.per_sample, "stack_bytes": b.stack_bytes}))
            .collect::<Vec<_>>(),
        "sampler": artifact.sampler().map(|s| json!({
            "values": s.values, "labels": s.labels, "levels": s.levels, "intervals": s.intervals,
            "evaluations": artifact.schedule(s).map_or(0, |schedule| schedule.evaluations()),
        })),
        "provenance": provenance.map(|p| json!({
            "dataset": p.dataset, "split": p.split, "seed": p.seed, "tool": p.tool, "settings": p.settings,
            "metrics": Items::<Metric>::new(p.metrics, p.metric_count.into())
                .map(|m| json!({"name": m.name, "float": f64::from(m.float) / 1e4, "int8": f64::from(m.int8) / 1e4}))
                .collect::<Vec<_>>(),
        })),
    })
}

fn shape(artifact: &Artifact<'_>, op: &Op) -> String {
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
        Op::Sparse { x, y, relu, layout, groups, counts, entries, .. } => {
            let matrix = artifact.sparse(layout, (x.len, y.len), groups, counts, entries);
            let nonzeros = matrix.map_or(0, |matrix| matrix.nonzeros(x.len as usize));
            format!(
                "{} → {}{}, {}, {:.1} % not 0",
                x.len,
                y.len,
                if relu { ", ReLU" } else { "" },
                layout_name(Some(layout)),
                100.0 * nonzeros as f64 / (f64::from(x.len) * f64::from(y.len))
            )
        }
        Op::Embed { y, vocabulary, dim, .. } => {
            format!("{} of {vocabulary} tokens × {dim}", y.len.checked_div(dim.into()).unwrap_or(0))
        }
        Op::Match { x, y, .. } => format!("{} → {} classes", x.len, y.len),
        Op::Poly { registers, state, inputs, float, .. } => format!(
            "{inputs} → {} steps → {} laws, {}",
            registers.len.saturating_sub(inputs.into()),
            state.len,
            if float { "f32" } else { "fixed point" }
        ),
    }
}
