//! A trained model as a float graph: what is quantised, and what the chip runs.

use anyhow::{Result, ensure};

use super::{ClassTable, Kind, Model, Settings, Standardise, Weight};
use crate::graph::{Class, Graph, Input, Matrix, Node, Op};

/// The graph of `model` behind `standardise`, ending in scores of the classes of `table`
/// ([`Targets::table`](super::Targets::table)). A supervised model's `s` are its scores; else a
/// match node ranks by `a_c·s − h_c‖s‖`.
///
/// # Errors
/// If shapes do not agree.
pub fn to_graph(model: &Model, input: Input, standardise: &Standardise, table: &ClassTable) -> Result<Graph> {
    let (mean, deviation) = (standardise.mean.clone(), standardise.deviation.clone());
    ensure!(mean.len() == model.n_in, "the model takes {} inputs, {} are standardised", model.n_in, mean.len());
    let mut nodes = Vec::new();
    let mut add = |name: &str, op: Op| {
        nodes.push(Node { name: name.to_owned(), op });
        nodes.len() - 1
    };
    let mut x = add("standardise", Op::Standardise { mean, deviation, clip: standardise.clip });
    if standardise.unit_rms {
        x = add("unit rms", Op::UnitRms { x });
    }
    let s = &model.settings;
    match s.kind {
        Kind::Linear if s.rank > 0 => {
            let ((v, b), (u, c)) = (layer(model, "v")?, layer(model, "u")?);
            x = add("low-rank map", Op::LowRank { x, v, b, u, c });
        }
        Kind::Linear | Kind::Eszsl | Kind::Bilinear => x = add("linear map", dense(model, "w", x, false)?),
        Kind::Composite => {
            let gate = add("gate", gate(model, x)?);
            let base = if s.residual { Some(add("residual map", dense(model, "w0", x, false)?)) } else { None };
            let (v, b) = layer(model, "v")?;
            let v = (0..s.bases).map(|k| (rows(&v, k * s.rank, s.rank), b[k * s.rank..][..s.rank].to_vec())).collect();
            x = add("bases", Op::Mix { x, gate, base, v: Some(v), u: outputs_of_bases(model)? });
        }
        Kind::Trunk => {
            let z = add("trunk", dense(model, "trunk", x, false)?);
            let z = add("trunk, unit rms", Op::UnitRms { x: z });
            let gate = add("gate", gate(model, z)?);
            let base = add("common map", dense(model, "u0", z, false)?);
            x = add("bases", Op::Mix { x: z, gate, base: Some(base), v: None, u: outputs_of_bases(model)? });
        }
        Kind::Mlp => {
            for i in 0..=s.widths.len() {
                x = add(&format!("layer {i}"), dense(model, &format!("layer{i}"), x, i < s.widths.len())?);
            }
        }
    }
    if model.targets.supervised {
        ensure!(table.rows == model.targets.rows, "a supervised model tells all of its classes apart, in their order");
    } else {
        add("classes", Op::Match { x, rows: table.rows.clone(), handicaps: table.handicaps.clone() });
    }
    let classes =
        table.names.iter().zip(&table.seen).map(|(name, seen)| Class { name: name.clone(), seen: *seen }).collect();
    let graph = Graph { family: "parsnets".to_owned(), input, nodes, classes };
    graph.shapes()?;
    Ok(graph)
}

fn matrix(w: &Weight) -> Matrix {
    Matrix::new(w.shape[0], w.shape[1], w.values.clone())
}

/// `(n_out, n_in)` weights and the biases of the dense layer `name`.
fn layer(model: &Model, name: &str) -> Result<(Matrix, Vec<f32>)> {
    let w = matrix(model.weight(&format!("{name}.w"))?).transposed();
    Ok((w, model.weight(&format!("{name}.b"))?.values.clone()))
}

fn dense(model: &Model, name: &str, x: usize, relu: bool) -> Result<Op> {
    let (w, b) = layer(model, name)?;
    Ok(Op::Dense { x, w, b, relu })
}

fn gate(model: &Model, x: usize) -> Result<Op> {
    let (w, c) = layer(model, "gate")?;
    Ok(Op::Gate { x, w, c, keep: model.settings.keep, temperature: Settings::TEMPERATURE })
}

/// `U_k (a, r)` and `u_k (a)` of every base.
fn outputs_of_bases(model: &Model) -> Result<Vec<(Matrix, Vec<f32>)>> {
    let (u, bias) = (matrix(model.weight("u.w")?), matrix(model.weight("u.b")?));
    let rank = model.settings.rank;
    Ok((0..bias.rows).map(|k| (rows(&u, k * rank, rank).transposed(), bias.row(k).to_vec())).collect())
}

fn rows(m: &Matrix, from: usize, count: usize) -> Matrix {
    Matrix::new(count, m.cols, m.data[from * m.cols..(from + count) * m.cols].to_vec())
}
