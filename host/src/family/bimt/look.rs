//! `look` at a BIMT run: the network before training, after it and pruned, its training as a film,
//! its curves, and what pruning leaves.
//!
//! Every picture shows the neurons where they are at that step: training moves weights, swaps move
//! neurons. Nothing here computes a result; figures come in [`Shown`].

use super::modularity::Modules;
use super::prune::Left;
use super::settings::Settings;
use super::task::Task;
use super::train::{Frame, History, strongest};
use super::wiring::{Places, Wiring};
use crate::population::Spread;
use crate::report::{
    Axis, Cell, Connection, LinePlot, NetworkFilm, NetworkPlot, Neuron, NeuronSheet, Page, Section, Series, Table, Unit,
};

/// Connections that a large picture shows: the strongest.
const DRAWN: usize = 1500;
/// Modules of which the table tells.
const LISTED: usize = 12;

/// What the page shows.
pub struct Shown<'a> {
    /// What was learned.
    pub task: Task,
    /// The member's settings.
    pub settings: &'a Settings,
    /// The member's seed.
    pub seed: u64,
    /// The population that it comes from: held-out figures before pruning by point of the grid.
    pub spreads: &'a [Spread],
    /// Its sheets and weight matrices.
    pub wiring: &'a Wiring,
    /// Who is where after training.
    pub places: &'a Places,
    /// Parameters after training; as many as the wiring knows of.
    pub trained: &'a [f64],
    /// Parameters after pruning.
    pub pruned: &'a [f64],
    /// The way there; its first frame is the network before training.
    pub history: &'a History,
    /// Weights below are pruned.
    pub threshold: f64,
    /// Held-out figures: (trained, pruned).
    pub figures: (f64, f64),
    /// What there is of the trained network before pruning.
    pub whole: &'a Left,
    /// What pruning leaves.
    pub left: &'a Left,
}

/// The report of a run.
pub fn page(shown: &Shown<'_>) -> Page {
    let Shown { task, settings, left, .. } = shown;
    let share = left.weights as f64 / left.of.max(1) as f64;
    let mut page = Page::new(format!("BIMT: {}", task.name()))
        .subtitle(task.title())
        .provenance("seed", shown.seed.to_string())
        .provenance("method", settings.method.name());
    for (key, value) in [
        ("steps", settings.steps.to_string()),
        ("rate", settings.rate.to_string()),
        ("strength", settings.strength.to_string()),
        ("distance", settings.distance.to_string()),
        ("any", settings.any.to_string()),
        ("every", settings.every.to_string()),
        ("top", settings.top.to_string()),
    ] {
        page = page.provenance(key, value);
    }
    page.provenance("tool", concat!("smidgen ", env!("CARGO_PKG_VERSION")))
        .fact(format!("{}, pruned", held_out(*task)), figure(*task, shown.figures.1))
        .fact(format!("of {} weights", left.of), format!("{} ({:.1} %)", left.weights, 100.0 * share))
        .fact("hidden neurons", counts(&left.active))
        .fact("modularity Q", format!("{:.3}", left.modules.q))
        .section(networks(shown))
        .section(film(shown))
        .section(curves(shown))
        .section(pruning(shown))
        .section(modules(shown))
        .section(population(*task, shown.spreads))
}

/// The network before training, after it, and pruned.
fn networks(shown: &Shown<'_>) -> Section {
    let mut section = Section::new("The network").text(
        "Inputs are at the bottom, outputs on top. Blue connections are positive, red ones negative; width and \
         strength of colour follow |w| over the largest of the same layer. A hollow neuron has no connection in, or \
         none out.",
    );
    let weights: usize = shown.wiring.links.iter().map(|l| l.rows * l.cols).sum();
    let of = |drawn: usize| match drawn < weights {
        true => format!("The {drawn} strongest of {weights} weights."),
        false => format!("All {weights} weights."),
    };
    if let Some((first, places)) = shown.history.frames.first().and_then(|f| Some((f, placed(shown, f)?))) {
        let plot = network(shown, &places, &first.at, &first.weight, None);
        let title = if first.step == 0 { "Before training".into() } else { format!("At step {}", first.step) };
        section = section.titled(title, &plot, of(first.at.len()));
    }
    let (at, weight) = strongest(shown.wiring, shown.trained, DRAWN);
    let plot = network(shown, shown.places, &at, &weight, None);
    section = section.titled("After training", &plot, of(at.len()));
    let (at, weight) = strongest(shown.wiring, shown.pruned, DRAWN);
    let plot = network(shown, shown.places, &at, &weight, Some(&shown.left.modules));
    let rest =
        if at.len() < shown.left.weights { format!(", the {} strongest drawn", at.len()) } else { String::new() };
    section.titled(
        format!("Pruned at |w| < {}", shown.threshold),
        &plot,
        format!("{} of {weights} weights are left{rest}. Neurons of one colour are one module.", shown.left.weights),
    )
}

/// Small pictures of the training.
fn film(shown: &Shown<'_>) -> Section {
    let frame = |f: &Frame| {
        let places = placed(shown, f)?;
        Some((format!("step {}", f.step), network(shown, &places, &f.at, &f.weight, None)))
    };
    let frames: Vec<_> = shown.history.frames.iter().filter_map(frame).collect();
    let caption = format!(
        "Each picture is scaled to its own strongest weights, layer by layer. Neurons changed places {} times.",
        shown.history.swaps
    );
    Section::new("Training as a film").figure(&NetworkFilm { frames }, caption)
}

/// Loss, cost and held-out figure against steps.
fn curves(shown: &Shown<'_>) -> Section {
    let curve = &shown.history.curve;
    let of = |name: &str, points: Vec<(f64, f64)>| vec![Series::new(name, points)];
    let points = |f: &dyn Fn(&super::train::Mark) -> f64| curve.iter().map(|m| (m.step as f64, f(m))).collect();
    let tests = curve.iter().filter_map(|m| Some((m.step as f64, m.test?))).collect();
    let figure = match shown.task.counts() {
        true => Axis::percent("held-out accuracy"),
        false => Axis::plain("held-out MSE").log(),
    };
    let plot = LinePlot::new(Axis::count("step"), Axis::plain("loss").log(), of("loss", points(&|m| m.loss)))
        .panel(Axis::plain("cost of connections").log(), of("cost", points(&|m| m.cost)))
        .panel(figure, of(shown.task.figure(), tests));
    Section::new("Curves").figure(
        &plot,
        "Training loss, averaged between two points; the cost of connections before λ, biases included; and the figure \
         on held-out samples, taken a few times.",
    )
}

/// What pruning takes and what it costs.
fn pruning(shown: &Shown<'_>) -> Section {
    let row = |name: String, left: &Left, result: f64| -> Vec<Cell> {
        vec![
            name.into(),
            left.weights.into(),
            Cell::Measure(left.weights as f64 / left.of.max(1) as f64, Unit::Percent),
            counts(&left.active).into(),
            figure(shown.task, result).into(),
        ]
    };
    let sheets = shown.wiring.sheets.len().saturating_sub(2);
    let neurons: Vec<usize> = shown.wiring.sheets.iter().skip(1).take(sheets).map(|s| s.slots.len()).collect();
    let held_out = held_out(shown.task);
    let table = Table::new(["network", "weights", "share", "active hidden neurons", held_out.as_str()])
        .row(row("trained".into(), shown.whole, shown.figures.0))
        .row(row(format!("pruned at {}", shown.threshold), shown.left, shown.figures.1))
        .strong();
    Section::new("Pruning").table(
        table,
        format!(
            "Weights that are not 0, of {}. An active neuron has a weight in and a weight out; the hidden layers have \
             {} neurons. Biases are not pruned.",
            shown.left.of,
            counts(&neurons)
        ),
    )
}

/// Modularity, and who is together with whom.
fn modules(shown: &Shown<'_>) -> Section {
    let row = |name: &str, m: &Modules| -> Vec<Cell> {
        vec![name.into(), Cell::Number { value: m.q, decimals: 3 }, m.count.into()]
    };
    let table = Table::new(["network", "Q", "modules"])
        .row(row("trained", &shown.whole.modules))
        .row(row("pruned", &shown.left.modules))
        .strong();
    let section = Section::new("Modularity").table(
        table,
        "Newman's modularity Q of the graph of |w|: 0 where modules hold no more weight inside than chance would put \
         there. Modules are found greedily, so that Q is a lower bound.",
    );
    match members(shown) {
        (rows, _) if rows.is_empty() => section,
        (rows, count) => {
            let (shown_rows, mut table) = (rows.len(), Table::new(["module", "inputs", "hidden neurons", "outputs"]));
            for (module, [inputs, hidden, outputs]) in rows {
                table = table.row(vec![(module + 1).into(), inputs.into(), hidden.into(), outputs.into()]);
            }
            let rest = if shown_rows < count { format!(" The first {shown_rows} of {count}.") } else { String::new() };
            section.table(table, format!("What the modules of the pruned network hold.{rest}"))
        }
    }
}

/// Modules with a connection, the first [`LISTED`], each with the names or numbers of its inputs,
/// hidden neurons and outputs; and how many there are.
fn members(shown: &Shown<'_>) -> (Vec<(usize, [String; 3])>, usize) {
    let of = &shown.left.modules.of;
    let last = shown.wiring.sheets.len().saturating_sub(1);
    let (inputs, outputs) = shown.task.labels();
    let mut size = vec![0; of.iter().max().map_or(0, |m| m + 1)];
    of.iter().for_each(|&m| size[m] += 1);
    // A module of one is a neuron without a connection.
    let kept: Vec<usize> = (0..size.len()).filter(|&m| size[m] > 1).collect();
    let rows = kept.iter().take(LISTED).map(|&m| {
        let mut parts = [vec![], vec![], vec![]];
        let mut first = 0;
        for (s, sheet) in shown.wiring.sheets.iter().enumerate() {
            let n = sheet.slots.len();
            let (part, names) = match s {
                0 => (0, &inputs[..]),
                s if s == last => (2, &outputs[..]),
                _ => (1, &[][..]),
            };
            for i in (0..n).filter(|&i| of.get(first + i) == Some(&m)) {
                parts[part].push(names.get(i).cloned());
            }
            first += n;
        }
        let words = |part: Vec<Option<String>>| {
            let named: Vec<String> = part.iter().flatten().cloned().collect();
            if named.is_empty() { part.len().to_string() } else { named.join(", ") }
        };
        (m, parts.map(words))
    });
    (rows.collect(), kept.len())
}

/// The population that the network comes from.
fn population(task: Task, spreads: &[Spread]) -> Section {
    let mut table = Table::new(["settings", "done", "failed", "of", "best", "median", "quartiles"]);
    for s in spreads {
        let label = if s.label.is_empty() { "as above".into() } else { s.label.clone() };
        let quartiles = format!("{} to {}", figure(task, s.quartiles.0), figure(task, s.quartiles.1));
        table = table.row(vec![
            label.into(),
            s.done.into(),
            s.failed.into(),
            s.count.into(),
            figure(task, s.best).into(),
            figure(task, s.median).into(),
            quartiles.into(),
        ]);
    }
    Section::new("Population").table(
        table,
        format!("The {} of trained networks before pruning, over the members of each setting.", held_out(task)),
    )
}

/// The network at `places` with the connections whose parameters are `at`.
fn network(shown: &Shown<'_>, places: &Places, at: &[u32], weight: &[f32], modules: Option<&Modules>) -> NetworkPlot {
    let wiring = shown.wiring;
    let last = wiring.sheets.len().saturating_sub(1);
    let (inputs, outputs) = shown.task.labels();
    let mut first = 0;
    let sheet = |(s, sheet): (usize, &super::wiring::Sheet)| {
        let (name, labels) = match s {
            0 => ("inputs".to_string(), &inputs[..]),
            s if s == last => ("outputs".to_string(), &outputs[..]),
            s => (format!("layer {s}"), &[][..]),
        };
        let neuron = |i: usize| Neuron {
            place: places.point(wiring, s, i),
            label: labels.get(i).cloned().unwrap_or_default(),
            module: modules.and_then(|m| m.of.get(first + i).copied()),
        };
        let neurons = (0..sheet.slots.len()).map(neuron).collect();
        first += sheet.slots.len();
        NeuronSheet { name, neurons }
    };
    let sheets = wiring.sheets.iter().enumerate().map(sheet).collect();
    let connection = |(&k, &w): (&u32, &f32)| {
        let k = k as usize;
        let link = wiring.links.iter().find(|l| (l.at..l.at + l.rows * l.cols).contains(&k))?;
        let (r, c) = ((k - link.at) / link.cols, (k - link.at) % link.cols);
        // Folds share their neurons.
        let (to, from) = (wiring.sheets[link.to].slots.len(), wiring.sheets[link.from].slots.len());
        Some(Connection { from: (link.from, c % from), to: (link.to, r % to), weight: f64::from(w) })
    };
    NetworkPlot { sheets, connections: at.iter().zip(weight).filter_map(connection).collect() }
}

/// The places of a frame, where they are places of this wiring.
fn placed(shown: &Shown<'_>, frame: &Frame) -> Option<Places> {
    Places::of(shown.wiring, &frame.places).ok()
}

/// What the figure on held-out samples is called.
fn held_out(task: Task) -> String {
    format!("held-out {}", task.figure())
}

/// The task's figure, for reading.
fn figure(task: Task, value: f64) -> String {
    match (task.counts(), value.is_finite()) {
        (_, false) => "–".into(),
        (true, _) => format!("{:.1} %", 100.0 * value),
        (false, _) => format!("{value:.2e}"),
    }
}

/// `5 + 4`
fn counts(of: &[usize]) -> String {
    of.iter().map(usize::to_string).collect::<Vec<_>>().join(" + ")
}
