//! The report as one HTML file: title, where it comes from, sections of figures with captions.
//!
//! The page is valid HTML and well-formed XML at once. It loads nothing and runs nothing; pointing
//! at a mark shows its figures by the SVG's own `<title>`.

use std::path::Path;

use super::canvas::escape;
use super::table::Table;
use super::{Plot, theme, write};

/// A drawing with the words under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    title: String,
    svg: String,
    caption: String,
}

impl Figure {
    /// `plot`, drawn, with a caption that says in plain words what to see.
    pub fn new(plot: &impl Plot, caption: impl Into<String>) -> Self {
        Figure { title: String::new(), svg: plot.svg(), caption: caption.into() }
    }

    /// The same figure with a title above it.
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }
}

/// Something in a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A drawing.
    Figure(Figure),
    /// A table and the words under it.
    Table(Table, String),
    /// A paragraph.
    Text(String),
}

/// A heading and what is under it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// From top to bottom.
    pub items: Vec<Item>,
}

impl Section {
    /// A section without content.
    pub fn new(heading: impl Into<String>) -> Self {
        Section { heading: heading.into(), items: Vec::new() }
    }

    /// The same section with one more paragraph.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.items.push(Item::Text(text.into()));
        self
    }

    /// The same section with one more figure.
    pub fn figure(self, plot: &impl Plot, caption: impl Into<String>) -> Self {
        self.item(Item::Figure(Figure::new(plot, caption)))
    }

    /// The same section with one more figure that has a title of its own.
    pub fn titled(self, title: impl Into<String>, plot: &impl Plot, caption: impl Into<String>) -> Self {
        self.item(Item::Figure(Figure::new(plot, caption).titled(title)))
    }

    /// The same section with one more table.
    pub fn table(self, table: Table, caption: impl Into<String>) -> Self {
        self.item(Item::Table(table, caption.into()))
    }

    /// The same section with one more item.
    pub fn item(mut self, item: Item) -> Self {
        self.items.push(item);
        self
    }
}

/// A whole report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The title.
    pub title: String,
    /// One sentence under the title.
    pub subtitle: String,
    /// Where the figures come from: (what, which), such as ("seed", "7").
    pub provenance: Vec<(String, String)>,
    /// The few figures to read first: (what, figure).
    pub facts: Vec<(String, String)>,
    /// From top to bottom.
    pub sections: Vec<Section>,
}

impl Page {
    /// A page with a title alone.
    pub fn new(title: impl Into<String>) -> Self {
        Page { title: title.into(), ..Page::default() }
    }

    /// The same page with a sentence under the title.
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = subtitle.into();
        self
    }

    /// The same page with one more item of provenance.
    pub fn provenance(mut self, what: impl Into<String>, which: impl Into<String>) -> Self {
        self.provenance.push((what.into(), which.into()));
        self
    }

    /// The same page with one more figure at the top.
    pub fn fact(mut self, what: impl Into<String>, figure: impl Into<String>) -> Self {
        self.facts.push((what.into(), figure.into()));
        self
    }

    /// The same page with one more section.
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// The page as one self-contained HTML document.
    pub fn html(&self) -> String {
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n\
             <meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{}</title>\n<style>\n{}{PAGE}</style>\n</head>\n\
             <body>\n<main>\n<header>\n<h1>{}</h1>\n",
            escape(&self.title),
            theme::plot_css(),
            escape(&self.title),
        );
        if !self.subtitle.is_empty() {
            out += &format!("<p class=\"subtitle\">{}</p>\n", escape(&self.subtitle));
        }
        if !self.provenance.is_empty() {
            let one =
                |(what, which): &(String, String)| format!("<span>{} <b>{}</b></span>", escape(what), escape(which));
            let all: Vec<String> = self.provenance.iter().map(one).collect();
            out += &format!("<p class=\"provenance\">{}</p>\n", all.join(" "));
        }
        if !self.facts.is_empty() {
            out += "<dl class=\"facts\">\n";
            for (what, figure) in &self.facts {
                out += &format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(what), escape(figure));
            }
            out += "</dl>\n";
        }
        if self.sections.len() > 3 {
            let link = |(i, s): (usize, &Section)| format!("<a href=\"#s{}\">{}</a>", i + 1, escape(&s.heading));
            let links: Vec<String> = self.sections.iter().enumerate().map(link).collect();
            out += &format!("<nav>{}</nav>\n", links.join(" "));
        }
        out += "</header>\n";
        for (i, section) in self.sections.iter().enumerate() {
            out += &format!("<section id=\"s{}\">\n<h2>{}</h2>\n", i + 1, escape(&section.heading));
            out.extend(section.items.iter().map(item));
            out += "</section>\n";
        }
        out + "</main>\n</body>\n</html>\n"
    }

    /// Writes the page to `path` as [`write_atomic`](super::write_atomic) does.
    ///
    /// # Errors
    /// The error names `path` and what the system said; what stood at `path` before is untouched.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        write::write_atomic(path, self.html().as_bytes())
    }
}

fn item(item: &Item) -> String {
    let caption = |text: &str| match text {
        "" => String::new(),
        text => format!("<figcaption>{}</figcaption>\n", escape(text)),
    };
    match item {
        Item::Figure(f) => {
            let title = match f.title.as_str() {
                "" => String::new(),
                title => format!("<h3>{}</h3>\n", escape(title)),
            };
            format!("<figure>\n{title}<div class=\"wide\">{}</div>\n{}</figure>\n", f.svg, caption(&f.caption))
        }
        Item::Table(table, text) => {
            format!("<figure>\n{}{}</figure>\n", table.html(), caption(text))
        }
        Item::Text(text) => format!("<p>{}</p>\n", escape(text)),
    }
}

/// Style of the page around the figures.
const PAGE: &str = "\
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);\
font:17px/1.5 Charter,'Bitstream Charter','Sitka Text',Cambria,Georgia,serif}
main{max-width:700px;margin:0 auto;padding:48px 20px 80px}
h1{font-size:34px;line-height:1.15;font-weight:600;letter-spacing:-.01em;margin:0 0 6px}
h2{font-size:22px;line-height:1.25;font-weight:600;margin:56px 0 10px;padding-top:14px;border-top:1px solid var(--rule)}
p{margin:0 0 12px}
.subtitle{font-size:19px;line-height:1.4;color:var(--soft);margin:0 0 14px}
.provenance,nav,h3,table,dl,.none{\
font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;\
font-variant-numeric:tabular-nums}
.provenance{font-size:12.5px;line-height:1.7;color:var(--soft)}
.provenance span{white-space:nowrap;margin-right:14px}
.provenance b{font-weight:500;color:var(--ink)}
.facts{display:flex;flex-wrap:wrap;gap:8px 36px;margin:24px 0 8px}
.facts dt{font-size:12.5px;color:var(--soft)}
.facts dd{margin:0;font-size:26px;line-height:1.2;font-weight:500;letter-spacing:-.01em}
nav{font-size:13px;line-height:1.8;margin-top:20px}
nav a{margin-right:14px;color:inherit;text-decoration-color:var(--rule);text-underline-offset:3px;white-space:nowrap}
h3{font-size:14px;font-weight:600;margin:0 0 10px}
figure{margin:22px 0 34px}
figcaption{font-size:15px;line-height:1.45;color:var(--soft);margin-top:10px;max-width:620px}
.wide{overflow-x:auto}
svg.plot{display:block;width:100%;min-width:560px;height:auto}
table{border-collapse:collapse;font-size:13px;line-height:1.35;min-width:100%}
th{font-weight:500;color:var(--soft);text-align:left;vertical-align:bottom;border-bottom:1px solid var(--rule)}
th,td{padding:5px 0 5px 20px}
th:first-child,td:first-child{padding-left:0}
tbody tr+tr td{border-top:1px solid var(--grid)}
.num{text-align:right;white-space:nowrap}
.strong td{font-weight:650}
.none{font-size:13px;color:var(--soft)}
@media print{body{font-size:11pt}main{padding:0}figure{break-inside:avoid}}
";
