//! The page of a run: spectrum, laws, and where there is a monitor a drill: values of the laws, scores in time.

use std::path::Path;

use anyhow::Result;

use super::command::{SidRun, short};
use super::stream::{Stream, stream};
use crate::compress;
use crate::graph::Op;
use crate::infer::{Host, description};
use crate::report::{Axis, Cell, LinePlot, Page, Section, Series, Table};

/// Writes the page of the run in `folder`.
pub fn page(folder: &Path) -> Result<Page> {
    let run = SidRun::read(folder)?;
    let f = &run.found;
    let mut page = Page::new(format!("sid: {}", run.system))
        .subtitle(run.system()?.title)
        .provenance("system", run.system.clone())
        .provenance("seed", run.seed.to_string())
        .provenance("tool", concat!("smidgen ", env!("CARGO_PKG_VERSION")))
        .fact("conserved", f.null.to_string())
        .fact("independent", f.rank.to_string())
        .fact("samples that agree", format!("{:.0} %", 100.0 * f.confidence));
    if let Some(noise) = f.noise {
        page = page.fact("noise of the rates", format!("{:.2} %", 100.0 * noise));
    }
    // Rounding has no meaning below 1e-18; a zero would have no place.
    let points: Vec<(f64, f64)> = f.spectrum.iter().enumerate().map(|(i, v)| (i as f64 + 1.0, v.max(1e-18))).collect();
    let last = points.len() as f64;
    let line = vec![(1.0, f.tolerance), (last.max(2.0), f.tolerance)];
    let plot = LinePlot::new(
        Axis::count("singular value, smallest first"),
        Axis::plain("over the norm of G").log(),
        vec![Series::new("singular values", points), Series::new("tolerance", line).dashed()],
    );
    let sure = match (f.gap, f.sure()) {
        (Some(gap), true) => format!("The next one is {gap:.0e} times larger, so the count is sure."),
        (Some(gap), false) => format!("The next one is only {gap:.0e} times larger: the count is not sure."),
        (None, _) => "There is no gap: all values lie on one side.".into(),
    };
    page = page.section(
        Section::new("How many laws")
            .text(format!("{} of {} singular values of G lie below the tolerance. {sure}", f.null, f.bases))
            .figure(&plot, "Directions of the basis that the motion does not change have a singular value of zero, up to rounding."),
    );
    let mut table = Table::new(["law", "name", "independent", "residual"]);
    for law in &f.laws {
        table = table.row(vec![
            Cell::from(short(&law.formula, 400).as_str()),
            Cell::from(law.name.as_deref().unwrap_or("")),
            Cell::from(if law.independent { "yes" } else { "" }),
            Cell::from(format!("{:.0e}", law.residual).as_str()),
        ]);
        if law.independent {
            table = table.strong();
        }
    }
    page =
        page.section(Section::new("The laws").table(
            table,
            "Each sum stays what it is. Those that stand out are independent: the others follow from them.",
        ));
    if let Some(reason) = &run.no_monitor {
        return Ok(page.section(Section::new("Monitor").text(format!("There is none: {reason}."))));
    }
    let graph = run.graph(folder)?;
    let Op::Poly(program) = &graph.nodes[0].op else { anyhow::bail!("graph.json is no monitor; train again") };
    let drill = stream(&run.system()?, run.data.as_deref(), &run.watched, run.seed)?;
    let values: Vec<Vec<f64>> = drill.inputs.iter().map(|x| program.values(&wide(x))).collect();
    let mut plot = LinePlot { x: Axis::count("sample"), panels: Vec::new() };
    for (l, name) in run.watched.iter().enumerate() {
        let points = values.iter().enumerate().map(|(t, v)| (t as f64, v[l])).collect();
        plot = plot.panel(Axis::plain(name.clone()), vec![Series::new(name.clone(), points)]);
    }
    let caption = match &drill.fault {
        Some((title, onset)) => {
            format!("Values of the laws on a recording with noise. From sample {onset} on: {title}.")
        }
        None => "Values of the laws on a recording that was held out.".into(),
    };
    page = page.section(Section::new("Values").figure(&plot, caption));
    page = page.section(alarms(&run, &graph, &drill)?);
    Ok(page)
}

fn wide(x: &[i16]) -> Vec<f64> {
    x.iter().map(|v| f64::from(*v)).collect()
}

/// The chip's own scores in time.
fn alarms(run: &SidRun, graph: &crate::graph::Graph, drill: &Stream) -> Result<Section> {
    let inputs: Vec<Vec<f32>> =
        drill.inputs.iter().take(1000).map(|x| x.iter().map(|v| f32::from(*v)).collect()).collect();
    let description = description(compress::Provenance::default(), compress::Layout::Auto, None)?;
    let model = compress::export(graph, &inputs, &description)?.bytes;
    let mut arena = Vec::new();
    let mut host = Host::new(model.artifact()?, &mut arena)?;
    let mut series: Vec<Vec<(f64, f64)>> = vec![Vec::new(); run.watched.len()];
    let mut first = None;
    for (t, x) in drill.inputs.iter().enumerate() {
        let class = host.answer(x)?.class;
        let scores = host.scores();
        for (l, s) in series.iter_mut().enumerate() {
            s.push((t as f64, f64::from(scores[l + 1]) / f64::from(smidgen_shared::kernel::poly::BAND)));
        }
        let late = drill.fault.as_ref().is_none_or(|f| t >= f.1);
        if class > 0 && late && first.is_none() {
            first = Some((t, graph.classes[usize::from(class)].name.clone()));
        }
    }
    let mut all: Vec<Series> =
        run.watched.iter().zip(series).map(|(name, points)| Series::new(name.clone(), points)).collect();
    all.push(Series::new("band", vec![(0.0, 1.0), (drill.inputs.len() as f64 - 1.0, 1.0)]).dashed());
    let plot = LinePlot::new(Axis::count("sample"), Axis::plain("running deviation over band"), all);
    let text = match first {
        Some((t, name)) => {
            format!("The first alarm after the fault's onset comes at sample {t} and names the law: {name}.")
        }
        None => "No alarm.".into(),
    };
    Ok(Section::new("Alarms")
        .text(text)
        .figure(&plot, "The chip's scores, in its own arithmetic. Above the dashed line the law of the highest score is named as broken."))
}
