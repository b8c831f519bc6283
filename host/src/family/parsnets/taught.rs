//! The row of a class that training did not see, as the model's own rows were made: attributes to unit length, less
//! the seen classes' mean, on their principal components, to unit length again (`targets.rs`).

use anyhow::{Context, Result, ensure};
use smidgen_shared::artifact::{Artifact, Provenance};
use smidgen_shared::op::Op;

use super::{Settings, Targets};
use crate::family::{Place, nearest};
use crate::run::held_out;

/// A quantised row's largest weight is 127; half a unit of rounding, and one for the width of its scale.
const UNITS: f32 = 1.5;

/// As [`crate::family::Family::class_row`] says.
pub fn class_row(model: &Artifact<'_>, name: &str, attributes: Option<&[f32]>, place: &Place) -> Result<Vec<f32>> {
    let provenance: Provenance = postcard::from_bytes(model.manifest().provenance)
        .ok()
        .context("the artifact does not say where it comes from")?;
    let dataset = place.data.load(provenance.dataset)?;
    let n = dataset.attribute_names.len();
    ensure!(n > 0, "{} states no attributes of its classes, so none can be taught", dataset.name);
    let raw = match attributes {
        Some(raw) => {
            ensure!(
                raw.len() == n,
                "{} attributes are given, {} has {n}: {}",
                raw.len(),
                dataset.name,
                dataset.attribute_names.join(", ")
            );
            raw.to_vec()
        }
        None => {
            let known: Vec<&str> = dataset.classes.iter().map(String::as_str).collect();
            let at = dataset.classes.iter().position(|class| class == name).with_context(|| {
                format!(
                    "{} has no class {name:?} (nearest: {}); give the new class's attributes by --attributes, in the order {}",
                    dataset.name,
                    nearest(name, &known).join(", "),
                    dataset.attribute_names.join(",")
                )
            })?;
            dataset.attributes[at * n..][..n].to_vec()
        }
    };
    let (_, split) = held_out(&dataset, provenance.split)?;
    let (width, rows) =
        table(model).context("the model does not end with a class table: train one for the task zero-shot")?;
    let mut seen: Vec<bool> = (0..dataset.classes.len()).map(|c| split.seen.contains(&(c as u16))).collect();
    seen.push(false);
    let mut all = dataset.attributes.clone();
    all.extend(&raw);
    // The artifact does not keep how its rows were made: what gives its rows again is taken.
    let mut settings = Settings::preset("zero-shot")?;
    for (centre, components) in [(true, width), (false, width), (true, 0), (false, 0)] {
        (settings.centre, settings.components) = (centre, if components == n { 0 } else { components });
        let Ok(targets) = Targets::attributes(&all, &seen, &settings) else { continue };
        let same = targets.width() == width
            && model.classes().zip(&rows).all(|(class, weights)| {
                let at = dataset.classes.iter().position(|name| name == class.name);
                at.is_some_and(|at| quantises_to(targets.rows.row(at), weights))
            });
        if same {
            return Ok(targets.rows.row(seen.len() - 1).to_vec());
        }
    }
    anyhow::bail!(
        "the model's class table does not follow from the attributes of {}: were they changed since?",
        dataset.name
    )
}

/// Attributes a class, and every class's weights.
fn table(model: &Artifact<'_>) -> Option<(usize, Vec<Vec<i8>>)> {
    let Some(Op::Match { x, y, weights, .. }) = model.ops().last() else { return None };
    let matrix = model.matrix(weights, x.len, y.len).ok()?;
    let row = |i| (0..matrix.n_in()).map(|j| matrix.weight(i, j) as i8).collect();
    Some((matrix.n_in(), (0..matrix.n_out()).map(row).collect()))
}

fn quantises_to(row: &[f32], weights: &[i8]) -> bool {
    let most = row.iter().fold(0.0f32, |most, w| most.max(w.abs()));
    row.iter().zip(weights).all(|(w, q)| (w / most * 127.0 - f32::from(*q)).abs() < UNITS)
}
