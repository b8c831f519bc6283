//! `look` at a ParsNets run: figures side by side, training curve, answers, geometry, costs.

use anyhow::{Context, Result};

use super::{Geometry, provenance, test_rows, use_of_bases};
use crate::data::Dataset;
use crate::family::spread;
use crate::graph::{Graph, Op};
use crate::infer::{self, Host};
use crate::inspect::{Operator, operators};
use crate::output::thousands;
use crate::report::{
    Axis, Cell, FrontPlot, FrontPoint, FrontSeries, HeatMap, LinePlot, Page, Section, Series, ShareBars, ShareColumn,
    SpectrumPlot, Table, Unit,
};
use crate::run::{Run, held_out};

/// Samples of all classes, seen and unseen, whose geometry is drawn.
const GEOMETRY_SAMPLES: usize = 1000;

/// The report of a run.
pub fn page(run: &Run, graph: &Graph, dataset: &Dataset) -> Result<Page> {
    let (_, split) = held_out(dataset, &run.held_out)?;
    let bytes = infer::export(graph, dataset, &split.train, provenance(run))?;
    let artifact = bytes.artifact()?;
    let chosen = &run.models[run.chosen];
    let rows = test_rows(&split);
    let mut page = Page::new(format!("{}: {}", run.family, dataset.title))
        .subtitle(format!("{}, held out: {}", chosen.name, run.held_out))
        .provenance("data", format!("{}, {}", dataset.name, dataset.licence))
        .provenance("seed", run.seed.to_string())
        .provenance("model", format!("{:08x}", artifact.hash()))
        .provenance("tool", concat!("smidgen ", env!("CARGO_PKG_VERSION")))
        .fact("of flash", format!("{} B", thousands(bytes.len() as u64)))
        .fact("of arena", format!("{} B", thousands(artifact.arena_bytes().into())));
    for (name, float, int8) in &chosen.metrics {
        if let (Some(float), Some(int8)) = (float.first(), int8.first()) {
            page = page
                .fact(format!("{name}, int8"), format!("{:.1} %", 100.0 * int8))
                .fact(format!("{name}, float"), format!("{:.1} %", 100.0 * float));
        }
    }
    page = page.section(compared(run));
    if run.curve.len() > 1 {
        let points = run.curve.iter().map(|&(step, loss)| (step as f64, loss)).collect();
        let plot =
            LinePlot::new(Axis::plain("step"), Axis::plain("loss"), vec![Series::new(chosen.name.clone(), points)]);
        page = page.section(
            Section::new("Training").figure(&plot, "Loss of the exported model, averaged between two points."),
        );
    }
    page = page.section(answers(graph, dataset, &rows, artifact)?);
    page = page.section(geometry(graph, dataset)?);
    let ops = operators(&artifact);
    let part = |f: &dyn Fn(&Operator) -> u32| ops.iter().map(|o| f64::from(f(o))).collect::<Vec<f64>>();
    let bars = ShareBars::new(
        ops.iter().map(|o| format!("{} {}", o.name, o.shape)).collect(),
        vec![
            ShareColumn::new("bytes", Unit::Bytes, part(&|o| o.bytes)),
            ShareColumn::new("MACs", Unit::Count, part(&|o| o.macs)),
        ],
    );
    Ok(page.section(
        Section::new("Where the bytes and the MACs go")
            .figure(&bars, "Each operator's share of the weight section and of the products of one inference. Bases that the gate drops cost bytes but no products."),
    ))
}

fn compared(run: &Run) -> Section {
    let metrics: Vec<String> = run.models[0].metrics.iter().map(|m| m.0.clone()).collect();
    let mut columns = vec!["model".to_string(), "parameters".into(), "MACs".into(), "int8 bytes".into()];
    columns.extend(metrics.iter().map(|m| format!("{m} %")));
    columns.extend(metrics.iter().map(|m| format!("{m} int8 %")));
    let mut table = Table::new(columns);
    let percent = |values: &[f64]| Cell::over(&values.iter().map(|v| 100.0 * v).collect::<Vec<_>>(), 1);
    for (i, m) in run.models.iter().enumerate() {
        let mut cells = vec![
            Cell::from(m.name.as_str()),
            Cell::Count(m.parameters as u64),
            Cell::Count(m.macs as u64),
            Cell::Count(m.int8_bytes as u64),
        ];
        cells.extend(m.metrics.iter().map(|x| percent(&x.1)));
        cells.extend(m.metrics.iter().map(|x| percent(&x.2)));
        table = table.row(cells);
        if i == run.chosen {
            table = table.strong();
        }
    }
    let last = metrics.last().cloned().unwrap_or_default();
    let points = |cost: &dyn Fn(&crate::run::Trained) -> f64| {
        run.models
            .iter()
            .map(|m| {
                let values = m.int8(&last);
                let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
                FrontSeries::new(m.name.clone(), vec![FrontPoint::new(cost(m), mean)])
            })
            .collect::<Vec<_>>()
    };
    let front =
        FrontPlot::new(Axis::count("MACs of one inference"), Axis::percent(last.clone()), points(&|m| m.macs as f64));
    Section::new("Side by side")
        .text(run.reason.clone() + ".")
        .table(
            table,
            "All models trained on the same samples; the exported one stands out. MACs include the class table.",
        )
        .figure(&front, format!("{last} of the int8 artifacts against their cost. Up and to the left is better."))
}

fn answers(
    graph: &Graph,
    dataset: &Dataset,
    rows: &[u32],
    artifact: smidgen_shared::artifact::Artifact<'_>,
) -> Result<Section> {
    let names: Vec<String> = graph.classes.iter().map(|c| c.name.clone()).collect();
    let truths: Vec<String> = dataset
        .classes
        .iter()
        .filter(|c| rows.iter().any(|&r| dataset.classes[usize::from(dataset.class[r as usize])] == **c))
        .cloned()
        .collect();
    let mut counts = vec![vec![0u64; names.len()]; truths.len()];
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena)?;
    for &row in rows {
        let truth = &dataset.classes[usize::from(dataset.class[row as usize])];
        let answer = host.answer(&infer::raw(dataset, row as usize)?)?.class;
        let i = truths.iter().position(|t| t == truth).context("a class without a row")?;
        if let Some(count) = counts[i].get_mut(usize::from(answer)) {
            *count += 1;
        }
    }
    let map = HeatMap::confusion(truths, names, &counts);
    Ok(Section::new("Answers")
        .figure(&map, "Rows are true classes, columns the int8 model's answers on held-out samples."))
}

/// Singular values, angles and use of bases at the semantic vector s.
fn geometry(graph: &Graph, dataset: &Dataset) -> Result<Section> {
    let rows = &spread(dataset.len(), GEOMETRY_SAMPLES).iter().map(|&r| r as u32).collect::<Vec<_>>()[..];
    let y = &rows.iter().map(|&r| dataset.class[r as usize]).collect::<Vec<_>>()[..];
    let mut section = Section::new("Geometry of the semantic space").text(
        "ParsNets asks for low rank within a class and high rank between classes: class subspaces that are orthogonal.",
    );
    let spec = match &graph.input {
        crate::graph::Input::Window(spec) => Some(spec),
        crate::graph::Input::Vector(_) => None,
    };
    let (features, width) = infer::features(dataset, spec, rows)?;
    // The last node before the class table, or the scores themselves.
    let s_node = match graph.nodes.last().map(|n| &n.op) {
        Some(Op::Match { x, .. }) => *x,
        _ => graph.nodes.len() - 1,
    };
    let gate_node = graph.nodes.iter().position(|n| matches!(n.op, Op::Gate { .. }));
    let (mut s, mut gates) = (Vec::new(), Vec::new());
    for input in features.chunks(width) {
        let outputs = graph.run(input);
        s.extend(&outputs[s_node]);
        if let Some(gate) = gate_node {
            gates.extend(&outputs[gate]);
        }
    }
    let a = s.len() / rows.len().max(1);
    let g = Geometry::of(&s, a, y, 1)?;
    let names: Vec<String> = g.classes.iter().map(|&c| dataset.classes[usize::from(c)].clone()).collect();
    let within = names.iter().cloned().zip(g.within.clone()).collect();
    section = section.figure(
        &SpectrumPlot::new(within, g.between.clone()),
        "Singular values of s, over the largest: one line a class, and the classes' means together. Steep lines mean low rank.",
    );
    if names.len() > 1 {
        section = section.figure(
            &HeatMap::angles(names.clone(), &g.angles),
            "Angles between the leading directions of two classes; 90° is orthogonal.",
        );
    }
    if gate_node.is_some() {
        let used = use_of_bases(&gates, y, dataset.classes.len());
        let of: Vec<Vec<f64>> = g.classes.iter().map(|&c| used[usize::from(c)].clone()).collect();
        let bases = of.first().map_or(0, Vec::len);
        let columns = (0..bases).map(|k| format!("{k}")).collect();
        section = section.figure(
            &HeatMap::shares("Base networks by class", names, columns, of),
            "How much of a class's gate weight each base network gets.",
        );
    }
    Ok(section)
}
