//! A network as it is wired: neurons at their places, connections by sign and weight, as the BIMT
//! paper draws them (arXiv 2305.08746, figure 1).
//!
//! ```text
//! t = |w| / (largest |w| between the same two sheets)      width ∝ t, opacity ∝ t; w > 0 blue, w < 0 red
//! ```
//!
//! Inputs are at the bottom, outputs on top. A sheet whose neurons lie on a line is a row; one with
//! depth (a grid of pixels, a ring) is drawn as a sheet that leans back. A neuron without a way in
//! or a way out is hollow. Connections come in [`LEVELS`] strengths, the weak under the strong: one
//! path a strength keeps a figure of thousands small.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::canvas::{self, Anchor, Canvas, Marker, SMALL, TEXT, WIDTH};
use super::{Plot, number, theme};

/// Strengths that are told apart.
const LEVELS: usize = 12;
/// Up to so many connections each says its weight when pointed at.
const TITLED: usize = 250;
/// A connection weaker than this share of the largest is not seen and not drawn.
const FAINTEST: f64 = 0.01;
/// Room at the left for the sheets' names.
const NAMES: f64 = 76.0;
/// Room over and under a network for the labels of outputs and inputs.
const LABEL: f64 = 26.0;
/// Small networks in a row of a film.
const ACROSS: usize = 4;

/// A neuron.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neuron {
    /// (x, y) in [0, 1]: along the sheet, and from its back to its front; held to that range.
    pub place: [f64; 2],
    /// Its name, for inputs and outputs; may be empty.
    pub label: String,
    /// Its module, which gives it a colour.
    pub module: Option<usize>,
}

/// Neurons of one layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NeuronSheet {
    /// What they are ("inputs"); may be empty.
    pub name: String,
    /// In any order.
    pub neurons: Vec<Neuron>,
}

/// A weight between two neurons, each given as (sheet, neuron).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connection {
    /// Where it comes from.
    pub from: (usize, usize),
    /// Where it leads to.
    pub to: (usize, usize),
    /// Its weight; 0 and what is not finite are not drawn.
    pub weight: f64,
}

/// One network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkPlot {
    /// From inputs to outputs.
    pub sheets: Vec<NeuronSheet>,
    /// In any order.
    pub connections: Vec<Connection>,
}

/// A network at several steps of its training, side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkFilm {
    /// (caption, network), in order.
    pub frames: Vec<(String, NetworkPlot)>,
}

/// A connection that is drawn: its index, and its strength in (0, 1].
type Drawn = (usize, f64);

/// Where a network is drawn, and how large.
struct Stage {
    left: f64,
    right: f64,
    top: f64,
    /// Depth of a leaning sheet.
    depth: f64,
    /// From one sheet to the next.
    gap: f64,
    /// Largest radius of a neuron.
    radius: f64,
    /// Width of the strongest connection.
    stroke: f64,
}

/// A network with a place on the page for each neuron.
struct Laid<'n> {
    plot: &'n NetworkPlot,
    /// `at[sheet][neuron]`
    at: Vec<Vec<(f64, f64)>>,
    /// Radius of each sheet's neurons.
    radius: Vec<f64>,
    /// (top, bottom) of each sheet.
    rows: Vec<(f64, f64)>,
}

impl Plot for NetworkPlot {
    fn svg(&self) -> String {
        if let Some(problem) = self.problem() {
            return canvas::empty("Network", &problem);
        }
        let stage = Stage {
            left: NAMES,
            right: WIDTH - 16.0,
            top: LABEL,
            depth: 120.0,
            gap: (330.0 / (self.sheets.len().max(2) - 1) as f64).clamp(62.0, 110.0),
            radius: 6.0,
            stroke: 3.0,
        };
        let laid = stage.lay(self);
        let mut canvas = Canvas::new(laid.bottom() + LABEL);
        let drawn = self.drawn();
        for (sheet, &(top, bottom)) in self.sheets.iter().zip(&laid.rows) {
            let name = canvas::fit(&sheet.name, NAMES - 8.0, SMALL);
            canvas.text("soft sm", Anchor::Start, (0.0, (top + bottom) / 2.0 + 3.5), &name);
        }
        laid.sheets(&mut canvas, &stage);
        laid.neurons(&mut canvas, true);
        laid.labels(&mut canvas);
        let label = format!("Network of {} sheets, {} connections", self.sheets.len(), drawn.len());
        beneath(canvas.finish(&label), &laid.connections(&drawn, &stage, drawn.len() <= TITLED))
    }
}

impl Plot for NetworkFilm {
    fn svg(&self) -> String {
        if self.frames.is_empty() {
            return canvas::empty("Film", "no data");
        }
        if let Some((caption, problem)) = self.frames.iter().find_map(|(c, n)| n.problem().map(|p| (c, p))) {
            return canvas::empty("Film", &format!("{caption}: {problem}"));
        }
        let space = 20.0;
        let width = (WIDTH - space * (ACROSS - 1) as f64) / ACROSS as f64;
        let mut top = 0.0;
        let (mut strips, mut laid) = (Vec::new(), Vec::new());
        for strip in self.frames.chunks(ACROSS) {
            let mut bottom: f64 = 0.0;
            for (i, (caption, plot)) in strip.iter().enumerate() {
                let left = i as f64 * (width + space);
                let sheets = plot.sheets.len().max(2) - 1;
                let stage = Stage {
                    left: left + 4.0,
                    right: left + width - 4.0,
                    top: top + 24.0,
                    depth: 38.0,
                    gap: (110.0 / sheets as f64).clamp(22.0, 44.0),
                    radius: 2.6,
                    stroke: 1.5,
                };
                let network = stage.lay(plot);
                bottom = bottom.max(network.bottom());
                strips.push(((left, top + 12.0), canvas::fit(caption, width, SMALL)));
                laid.push((network, stage));
            }
            top = bottom + 20.0;
        }
        let mut canvas = Canvas::new(top - 10.0);
        let mut lines = String::new();
        for ((at, caption), (network, stage)) in strips.iter().zip(&laid) {
            canvas.text("soft sm", Anchor::Start, *at, caption);
            network.sheets(&mut canvas, stage);
            network.neurons(&mut canvas, false);
            lines += &network.connections(&network.plot.drawn(), stage, false);
        }
        beneath(canvas.finish(&format!("Film of {} frames", self.frames.len())), &lines)
    }
}

impl NetworkPlot {
    /// Why it cannot be drawn.
    fn problem(&self) -> Option<String> {
        if self.sheets.iter().all(|s| s.neurons.is_empty()) {
            return Some("no data".into());
        }
        let missing =
            |&(sheet, neuron): &(usize, usize)| self.sheets.get(sheet).is_none_or(|s| neuron >= s.neurons.len());
        let mut ends = self.connections.iter().flat_map(|c| [c.from, c.to]);
        ends.find(missing)
            .map(|(sheet, neuron)| format!("a connection to neuron {neuron} of sheet {sheet}, which is not there"))
    }

    /// The connections that are seen, the weakest first.
    fn drawn(&self) -> Vec<Drawn> {
        let mut largest = BTreeMap::<(usize, usize), f64>::new();
        for c in self.connections.iter().filter(|c| c.weight.is_finite()) {
            let most = largest.entry((c.from.0, c.to.0)).or_default();
            *most = most.max(c.weight.abs());
        }
        let strength = |(i, c): (usize, &Connection)| {
            let most = *largest.get(&(c.from.0, c.to.0))?;
            let t = c.weight.abs() / most;
            (c.weight.is_finite() && t >= FAINTEST).then_some((i, t.min(1.0)))
        };
        let mut drawn: Vec<Drawn> = self.connections.iter().enumerate().filter_map(strength).collect();
        drawn.sort_by(|a, b| a.1.total_cmp(&b.1));
        drawn
    }

    /// Connections into and out of each neuron.
    fn ways(&self) -> Vec<Vec<(usize, usize)>> {
        let mut ways: Vec<Vec<(usize, usize)>> = self.sheets.iter().map(|s| vec![(0, 0); s.neurons.len()]).collect();
        for c in self.connections.iter().filter(|c| c.weight != 0.0 && c.weight.is_finite()) {
            ways[c.from.0][c.from.1].1 += 1;
            ways[c.to.0][c.to.1].0 += 1;
        }
        ways
    }
}

/// A number in [0, 1], whatever came.
fn held(v: f64) -> f64 {
    if v.is_finite() { v.clamp(0.0, 1.0) } else { 0.5 }
}

/// Whether a sheet has depth.
fn leans(sheet: &NeuronSheet) -> bool {
    sheet.neurons.iter().any(|n| held(n.place[1]) != held(sheet.neurons[0].place[1]))
}

/// The smallest distance between two of `values` that differ, else `whole`.
fn pitch(values: impl Iterator<Item = f64>, whole: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.windows(2).map(|w| w[1] - w[0]).filter(|g| *g > 1e-3).fold(whole, f64::min)
}

impl Stage {
    /// Left edge at the front, width, and how far the back is to the right, of a leaning sheet.
    fn lean(&self) -> (f64, f64, f64) {
        let room = self.right - self.left;
        let (width, lean) = (0.62 * room, 0.2 * room);
        (self.left + (room - width - lean) / 2.0, width, lean)
    }

    fn lay<'n>(&self, plot: &'n NetworkPlot) -> Laid<'n> {
        let count = plot.sheets.len();
        let (mut rows, mut y) = (vec![(0.0, 0.0); count], self.top);
        for (i, sheet) in plot.sheets.iter().enumerate().rev() {
            let margin = self.radius + 1.0;
            let depth = if leans(sheet) { self.depth } else { 2.0 * margin };
            rows[i] = (y, y + depth);
            // What leans covers little of the way to its neighbour; rows are a gap apart.
            y += depth + self.gap - 2.0 * margin;
        }
        let place = |(sheet, row): (&NeuronSheet, &(f64, f64))| -> Vec<(f64, f64)> {
            let leans = leans(sheet);
            let (left, width, lean) = self.lean();
            let one = |n: &Neuron| {
                let [x, y] = n.place.map(held);
                match leans {
                    true => (left + lean * (1.0 - y) + width * x, row.0 + (row.1 - row.0) * y),
                    false => (self.left + (self.right - self.left) * x, (row.0 + row.1) / 2.0),
                }
            };
            sheet.neurons.iter().map(one).collect()
        };
        let at: Vec<Vec<(f64, f64)>> = plot.sheets.iter().zip(&rows).map(place).collect();
        let radius = at.iter().zip(&plot.sheets).map(|(at, sheet)| {
            // Across, only neurons of one depth are neighbours.
            let mut lines = BTreeMap::<i64, Vec<f64>>::new();
            at.iter().for_each(|p| lines.entry((p.1 * 10.0) as i64).or_default().push(p.0));
            let across = lines.into_values().map(|xs| pitch(xs.into_iter(), 40.0)).fold(40.0, f64::min);
            let deep = if leans(sheet) { pitch(at.iter().map(|p| p.1), 40.0) } else { 40.0 };
            (0.4 * across.min(deep)).clamp(0.5, self.radius)
        });
        Laid { plot, radius: radius.collect(), at, rows }
    }
}

impl Laid<'_> {
    /// The lower edge of the lowest sheet.
    fn bottom(&self) -> f64 {
        self.rows.first().map_or(0.0, |r| r.1)
    }

    /// The outlines of sheets that lean.
    fn sheets(&self, canvas: &mut Canvas, stage: &Stage) {
        let (left, width, lean) = stage.lean();
        for (_, &(top, bottom)) in self.plot.sheets.iter().zip(&self.rows).filter(|(s, _)| leans(s)) {
            let corners = [(left, bottom), (left + width, bottom), (left + width + lean, top), (left + lean, top)];
            for (i, &a) in corners.iter().enumerate() {
                canvas.line("axis", a, corners[(i + 1) % 4]);
            }
        }
    }

    /// The neurons; those that something goes through are filled.
    fn neurons(&self, canvas: &mut Canvas, titled: bool) {
        let last = self.plot.sheets.len().saturating_sub(1);
        let ways = self.plot.ways();
        for (s, sheet) in self.plot.sheets.iter().enumerate() {
            for (i, neuron) in sheet.neurons.iter().enumerate() {
                let (ins, outs) = ways[s][i];
                let alive = (s == 0 || ins > 0) && (s == last || outs > 0);
                let radius = self.radius[s];
                let class = match (alive, radius > 3.5) {
                    (true, true) => "dot",
                    (true, false) => "cell",
                    (false, true) => "ring",
                    (false, false) => "thin",
                };
                let hue = neuron.module.filter(|_| alive).map_or(String::new(), |m| theme::hue(2 + m % 6));
                let radius = if alive || radius <= 1.5 { radius } else { radius - 0.7 };
                let at = self.at[s][i];
                if titled && (alive || !neuron.label.is_empty()) {
                    let name = if neuron.label.is_empty() { format!("neuron {i}") } else { neuron.label.clone() };
                    let module = neuron.module.map_or(String::new(), |m| format!(", module {}", m + 1));
                    canvas.open_titled(&hue, &format!("{} {name}: {ins} in, {outs} out{module}", sheet.name));
                } else {
                    canvas.open(&hue);
                }
                canvas.marker(class, Marker::Circle, at, radius);
                canvas.close();
            }
        }
    }

    /// The names of neurons: under the first sheet, over the others, beside neurons of a sheet that leans.
    fn labels(&self, canvas: &mut Canvas) {
        for (s, sheet) in self.plot.sheets.iter().enumerate() {
            let named = || sheet.neurons.iter().zip(&self.at[s]).filter(|(n, _)| !n.label.is_empty());
            let leans = leans(sheet);
            let room = if leans { 44.0 } else { pitch(named().map(|(_, at)| at.0), 280.0) - 4.0 };
            if room < 12.0 {
                continue;
            }
            let radius = self.radius[s];
            for (neuron, &(x, y)) in named() {
                let text = canvas::fit(&neuron.label, room, TEXT);
                let half = canvas::text_width(&text, TEXT) / 2.0;
                let middle = x.clamp(half.min(WIDTH / 2.0), (WIDTH - half).max(WIDTH / 2.0));
                match (leans, s) {
                    (true, _) => canvas.text("halo b", Anchor::Start, (x + radius + 4.0, y + 4.0), &text),
                    (false, 0) => canvas.text("halo", Anchor::Middle, (middle, y + radius + 15.0), &text),
                    (false, _) => canvas.text("halo", Anchor::Middle, (middle, y - radius - 7.0), &text),
                }
            }
        }
    }

    /// The connections as SVG, `drawn` from weak to strong.
    fn connections(&self, drawn: &[Drawn], stage: &Stage, titled: bool) -> String {
        let level = |t: f64| ((t * LEVELS as f64).ceil() as usize).clamp(1, LEVELS);
        let ends = |i: usize| {
            let c = &self.plot.connections[i];
            let ((x1, y1), (x2, y2)) = (self.at[c.from.0][c.from.1], self.at[c.to.0][c.to.1]);
            format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}")
        };
        let mut out = String::new();
        for same in drawn.chunk_by(|a, b| level(a.1) == level(b.1)) {
            let t = level(same[0].1) as f64 / LEVELS as f64;
            for sign in [false, true] {
                let these = || same.iter().filter(|d| (self.plot.connections[d.0].weight < 0.0) == sign);
                if these().next().is_none() {
                    continue;
                }
                let _ = write!(
                    out,
                    "<g class=\"{}\" fill=\"none\" stroke=\"currentColor\" stroke-linecap=\"round\" \
                     stroke-width=\"{:.2}\" opacity=\"{:.2}\">",
                    theme::hue(usize::from(sign)),
                    (stage.stroke * t).max(0.35),
                    0.1 + 0.85 * t,
                );
                if titled {
                    for d in these() {
                        let w = number::figure(self.plot.connections[d.0].weight, number::Unit::Plain);
                        let _ = write!(out, "<path d=\"{}\"><title>weight {w}</title></path>", ends(d.0));
                    }
                } else {
                    let all: String = these().map(|d| ends(d.0)).collect();
                    let _ = write!(out, "<path d=\"{all}\"/>");
                }
                out.push_str("</g>");
            }
        }
        out
    }
}

/// A finished figure with `marks` under all its own.
fn beneath(svg: String, marks: &str) -> String {
    // Text is escaped, so that the first `>` ends the opening tag.
    svg.replacen('>', &format!("><g>{marks}</g>"), 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roxmltree::Document;

    use super::*;

    fn numbers(text: &str) -> Vec<f64> {
        text.replace(['M', 'L', 'Z'], " ").split_whitespace().map(|n| n.parse().unwrap()).collect()
    }

    /// Well-formed, nothing outside the view box, no NaN.
    fn check(svg: &str) -> Result<(), TestCaseError> {
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
        let document = Document::parse(svg).map_err(|e| TestCaseError::fail(format!("{e}: {svg}")))?;
        let view = numbers(document.root_element().attribute("viewBox").unwrap());
        for node in document.descendants().filter(|n| n.is_element()) {
            let get = |name: &str| node.attribute(name).map_or(0.0, |v| v.parse::<f64>().unwrap());
            let places = match node.tag_name().name() {
                "path" => numbers(node.attribute("d").unwrap()).chunks(2).map(|c| (c[0], c[1])).collect(),
                "line" => vec![(get("x1"), get("y1")), (get("x2"), get("y2"))],
                "circle" => [-1.0, 1.0].map(|s| (get("cx") + s * get("r"), get("cy") + s * get("r"))).to_vec(),
                "text" => {
                    let class: Vec<&str> = node.attribute("class").unwrap_or("").split(' ').collect();
                    let size = if class.contains(&"sm") { SMALL } else { TEXT };
                    let text = node.text().unwrap_or("");
                    let bold = class.contains(&"b");
                    let width = if bold { canvas::bold_width(text, size) } else { canvas::text_width(text, size) };
                    let middle = node.attribute("text-anchor") == Some("middle");
                    let x = get("x") - if middle { width / 2.0 } else { 0.0 };
                    vec![(x, get("y") - 0.7 * size), (x + width, get("y"))]
                }
                _ => vec![],
            };
            for (x, y) in places {
                let inside = (-0.06..=view[2] + 0.06).contains(&x) && (-0.06..=view[3] + 0.06).contains(&y);
                prop_assert!(inside, "{x} {y} outside {view:?}: {node:?}\n{svg}");
            }
        }
        Ok(())
    }

    fn network() -> impl Strategy<Value = NetworkPlot> {
        let wild = || prop_oneof![4 => 0.0f64..1.0, 1 => any::<f64>()];
        let word = prop_oneof![2 => Just(String::new()), 2 => "[a-z+²]{1,12}", 1 => ".{0,40}"];
        let neuron = (wild(), prop_oneof![2 => Just(0.0), 1 => wild()], word.clone(), prop::option::of(0usize..9))
            .prop_map(|(x, y, label, module)| Neuron { place: [x, y], label, module });
        let sheet =
            (word, prop::collection::vec(neuron, 0..9)).prop_map(|(name, neurons)| NeuronSheet { name, neurons });
        let index = || (0usize..4, 0usize..8);
        // Mostly within bounds: indices are taken modulo the sheets that there are, one in twenty as it came.
        let connection = (index(), index(), wild(), 0..20u8);
        (prop::collection::vec(sheet, 0..6), prop::collection::vec(connection, 0..40)).prop_map(|(sheets, raw)| {
            let to = |(s, n): (usize, usize), as_is: bool| {
                let s = if as_is { s } else { s % sheets.len().max(1) };
                let count = sheets.get(s).map_or(0, |x| x.neurons.len()).max(1);
                (s, if as_is { n } else { n % count })
            };
            let one = |(a, b, weight, odd): ((usize, usize), (usize, usize), f64, u8)| Connection {
                from: to(a, odd == 0),
                to: to(b, odd == 0),
                weight: weight - 0.5,
            };
            let connections = raw.into_iter().map(one).collect();
            NetworkPlot { connections, sheets }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn networks_stay_inside(plot in network()) {
            check(&plot.svg())?;
        }

        #[test]
        fn films_stay_inside(frames in prop::collection::vec((".{0,30}", network()), 0..7)) {
            check(&NetworkFilm { frames }.svg())?;
        }
    }

    /// Two inputs, two hidden neurons of which one is dead, one output.
    fn small() -> NetworkPlot {
        let sheet = |name: &str, labels: &[&str]| NeuronSheet {
            name: name.into(),
            neurons: labels
                .iter()
                .enumerate()
                .map(|(i, l)| Neuron {
                    place: [(i as f64 + 0.5) / labels.len() as f64, 0.0],
                    label: (*l).into(),
                    module: None,
                })
                .collect(),
        };
        let link = |from, to, weight| Connection { from, to, weight };
        NetworkPlot {
            sheets: vec![sheet("inputs", &["x1", "x2"]), sheet("hidden", &["", ""]), sheet("outputs", &["y"])],
            connections: vec![
                link((0, 0), (1, 0), 2.0),
                link((0, 1), (1, 0), -1.0),
                link((0, 1), (1, 1), f64::NAN),
                link((1, 0), (2, 0), -0.5),
                link((1, 1), (2, 0), 0.001),
            ],
        }
    }

    #[test]
    fn sign_and_strength_are_told_apart_sheet_by_sheet() {
        // The weight of 0.001 is a five-hundredth of the largest beside it, and the one that is NaN has no place.
        assert_eq!(small().drawn(), [(1, 0.5), (0, 1.0), (3, 1.0)]);
        let svg = small().svg();
        let document = Document::parse(&svg).unwrap();
        let class = |weight: &str| {
            let title = document.descendants().find(|n| n.text() == Some(weight)).unwrap();
            title.ancestors().find(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "g"))).unwrap()
        };
        let strong = class("weight 2.00");
        let weak = class("weight −1.00");
        assert_eq!((strong.attribute("class"), weak.attribute("class")), (Some("c0"), Some("c1")));
        let width = |n: roxmltree::Node| n.attribute("stroke-width").unwrap().parse::<f64>().unwrap();
        assert_eq!(width(strong), 2.0 * width(weak));
    }

    #[test]
    fn a_neuron_without_a_way_in_is_hollow() {
        let svg = small().svg();
        let circles = |class: &str| svg.matches(&format!("<circle class=\"{class}\"")).count();
        assert_eq!((circles("ring"), circles("dot")), (1, 4));
    }

    #[test]
    fn what_cannot_be_drawn_says_why() {
        assert!(NetworkPlot::default().svg().contains("no data"));
        assert!(NetworkFilm::default().svg().contains("no data"));
        let mut plot = small();
        plot.connections[0].to = (1, 7);
        assert!(plot.svg().contains("neuron 7 of sheet 1, which is not there"));
        let film = NetworkFilm { frames: vec![("step 0".into(), small()), ("step 9".into(), plot)] };
        assert!(film.svg().contains("step 9: a connection"));
    }

    #[test]
    fn labels_of_a_full_row_do_not_overlap() {
        let neurons = (0..10)
            .map(|i| Neuron {
                place: [(f64::from(i) + 0.5) / 10.0, 0.0],
                label: format!("a long name {i}"),
                module: None,
            })
            .collect();
        let svg =
            NetworkPlot { sheets: vec![NeuronSheet { name: "inputs".into(), neurons }], connections: vec![] }.svg();
        let document = Document::parse(&svg).unwrap();
        let spans: Vec<(f64, f64)> = document
            .descendants()
            .filter(|n| n.attribute("text-anchor") == Some("middle"))
            .map(|n| {
                let (x, w) =
                    (n.attribute("x").unwrap().parse::<f64>().unwrap(), canvas::text_width(n.text().unwrap(), TEXT));
                (x - w / 2.0, x + w / 2.0)
            })
            .collect();
        assert_eq!(spans.len(), 10);
        assert!(spans.windows(2).all(|w| w[0].1 <= w[1].0), "{spans:?}");
    }
}
