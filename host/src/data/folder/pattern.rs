//! Patterns of file names that say a recording's class and subject: `{class}_{subject}_*.csv`.
//!
//! `{class}` and `{subject}` stand for one or more characters, `*` for any number, none of them
//! for `/`; all else stands for itself. `{class}` is tried against the known class names first,
//! longest first, so that names with an underscore work.

use anyhow::{bail, ensure};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(String),
    Class,
    Subject,
    Any,
}

/// What a name says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    pub class: Option<String>,
    pub subject: Option<String>,
}

/// Matching may take time to the power of this.
const MAX_WILDCARDS: usize = 5;

impl Pattern {
    /// # Errors
    /// An unknown `{…}`, one that is not closed, the same one twice, or too many wildcards.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let at = rest.find(['{', '*']).unwrap_or(rest.len());
            let (literal, tail) = rest.split_at(at);
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_string()));
            }
            rest = tail;
            if let Some(tail) = rest.strip_prefix('*') {
                if parts.last() != Some(&Part::Any) {
                    parts.push(Part::Any);
                }
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix('{') {
                let Some((name, tail)) = tail.split_once('}') else {
                    bail!("\"{text}\" has a {{ without a }}");
                };
                parts.push(match name {
                    "class" => Part::Class,
                    "subject" => Part::Subject,
                    other => bail!("expected {{class}} or {{subject}}, got {{{other}}}"),
                });
                rest = tail;
            }
        }
        let count = |part: &Part| parts.iter().filter(|other| *other == part).count();
        ensure!(
            count(&Part::Class) <= 1 && count(&Part::Subject) <= 1,
            "\"{text}\" has {{class}} or {{subject}} twice"
        );
        let wildcards = parts.iter().filter(|part| !matches!(part, Part::Literal(_))).count();
        ensure!(wildcards <= MAX_WILDCARDS, "\"{text}\" has {wildcards} wildcards, at most {MAX_WILDCARDS} are taken");
        Ok(Self { text: text.to_string(), parts })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What `name`, a path with `/`, says; `None` if it does not match.
    pub(super) fn find(&self, name: &str, classes: &[String]) -> Option<Found> {
        let mut known: Vec<&str> = classes.iter().map(String::as_str).collect();
        known.sort_by_key(|class| std::cmp::Reverse(class.len()));
        let mut found = Found::default();
        let matched =
            matches(&self.parts, name, Some(&known), &mut found) || matches(&self.parts, name, None, &mut found);
        matched.then_some(found)
    }
}

/// With `known`, a class must be one of them.
fn matches(parts: &[Part], name: &str, known: Option<&[&str]>, found: &mut Found) -> bool {
    let Some((part, parts)) = parts.split_first() else {
        return name.is_empty();
    };
    match (part, known) {
        (Part::Literal(literal), _) => {
            name.strip_prefix(literal.as_str()).is_some_and(|rest| matches(parts, rest, known, found))
        }
        (Part::Class, Some(classes)) => classes.iter().any(|class| {
            let rest = name.strip_prefix(class);
            let matched = rest.is_some_and(|rest| matches(parts, rest, known, found));
            if matched {
                found.class = Some(class.to_string());
            }
            matched
        }),
        _ => {
            let least = usize::from(*part != Part::Any);
            let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
            let end = name.find('/').unwrap_or(name.len());
            for at in std::iter::once(0).chain(ends).filter(|at| (least..=end).contains(at)) {
                if matches(parts, &name[at..], known, found) {
                    match part {
                        Part::Class => found.class = Some(name[..at].to_string()),
                        Part::Subject => found.subject = Some(name[..at].to_string()),
                        _ => {}
                    }
                    return true;
                }
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pattern: &str, name: &str) -> Option<(String, String)> {
        let classes = ["pour", "pour_slow", "rest"].map(String::from);
        let found = Pattern::parse(pattern).unwrap().find(name, &classes)?;
        Some((found.class.unwrap_or_default(), found.subject.unwrap_or_default()))
    }

    #[test]
    fn finds_class_and_subject() {
        let cases = [
            ("{class}_{subject}_*.csv", "pour_anna_1.csv", Some(("pour", "anna"))),
            ("{class}_{subject}_*.csv", "pour_slow_anna_1.csv", Some(("pour_slow", "anna"))),
            ("{class}_{subject}_*.csv", "pour_slow_1.csv", Some(("pour", "slow"))),
            ("{class}_{subject}_*.csv", "stir_anna_1.csv", Some(("stir", "anna"))),
            ("{class}/{subject}*.csv", "rest/über-1.csv", Some(("rest", "ü"))),
            ("*/{class}.csv", "x/rest.csv", Some(("rest", ""))),
            ("{class}.csv", "x/rest.csv", None),
            ("{class}_{subject}_*.csv", "rest.csv", None),
            ("{class}_{subject}.csv", "_a.csv", None),
        ];
        for (pattern, name, expected) in cases {
            let expected = expected.map(|(c, s): (&str, &str)| (c.to_string(), s.to_string()));
            assert_eq!(find(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        for pattern in ["{class", "{who}", "{class}{class}", "*a*b*c*d*e*f"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
