//! Families of models. Each is a paper's method, from settings to a float graph.

pub mod parsnets;
pub mod sid;

/// What can be trained, for `smidgen families`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// What `smidgen train` takes
    pub name: &'static str,
    /// What the paper says, in a sentence
    pub claim: &'static str,
    /// Where it says so
    pub paper: &'static str,
}

/// All families; each is a folder beside this file.
pub const FAMILIES: &[Family] = &[Family {
    name: "parsnets",
    claim: "Low-rank linear networks, put together anew for each sample, match deep ones on zero-shot learning.",
    paper: "ParsNets: a parsimonious composition of orthogonal and low-rank linear networks for zero-shot learning, arXiv 2312.09709",
}];

/// The family of that name; the error names the nearest ones.
pub fn find(name: &str) -> anyhow::Result<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name).ok_or_else(|| {
        let mut names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
        names.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
        anyhow::anyhow!(
            "there is no family {name:?}; nearest: {}; `smidgen families` lists all",
            names[..names.len().min(3)].join(", ")
        )
    })
}
