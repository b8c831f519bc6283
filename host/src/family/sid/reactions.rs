//! Chemical reactions of mass action, and what they conserve for certain.
//!
//! Reaction r with rate k_r: `dx/dt = Σ_r k_r · Π(reactants) · ν_r`. A linear law `c·x` is conserved for all
//! x exactly if c is orthogonal to the sum of `k_r ν_r` over the reactions that share one product of
//! reactants: those keep a constant ratio. That null space is computed in exact fractions.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::expr::Expr;
use super::fraction::Fraction;

/// A reaction as the file writes it: `from = "HO2 + NO"`, `to = "OH + NO2"`, `rate = 11982.578`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    from: String,
    to: String,
    rate: f64,
}

/// A reaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Reaction {
    /// Number of molecules of each state that go in.
    pub from: Vec<u32>,
    /// … that come out.
    pub to: Vec<u32>,
    /// Rate constant.
    pub rate: f64,
}

/// Reads the reactions.
pub fn parse(lines: &[Line], states: &[String]) -> Result<Vec<Reaction>> {
    let side = |text: &str| -> Result<Vec<u32>> {
        let mut counts = vec![0u32; states.len()];
        for part in text.split('+').map(str::trim).filter(|p| !p.is_empty()) {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let count = if digits == 0 { 1 } else { part[..digits].parse::<u32>().context("too many molecules")? };
            let name = part[digits..].trim();
            ensure!((1..=9).contains(&count), "{part:?}: 1 to 9 molecules of a kind");
            let Some(i) = states.iter().position(|s| s == name) else {
                bail!("{name:?} is no state; the states are {}", states.join(", "))
            };
            counts[i] += count;
        }
        Ok(counts)
    };
    lines
        .iter()
        .enumerate()
        .map(|(r, line)| {
            let what = || format!("reaction {}, {} → {}", r + 1, line.from, line.to);
            ensure!(line.rate.is_finite() && line.rate > 0.0, "{}: a rate of {}", what(), line.rate);
            Ok(Reaction {
                from: side(&line.from).with_context(what)?,
                to: side(&line.to).with_context(what)?,
                rate: line.rate,
            })
        })
        .collect()
}

/// `f`, one expression a state.
pub fn equations(reactions: &[Reaction], states: usize) -> Vec<Expr> {
    let of = |i: usize| {
        let terms = reactions.iter().filter(|r| r.from[i] != r.to[i]).map(|r| {
            let change = f64::from(r.to[i]) - f64::from(r.from[i]);
            let mut factors = vec![Expr::Number(change * r.rate)];
            for (j, &count) in r.from.iter().enumerate() {
                factors.extend((0..count).map(|_| Expr::Var(j)));
            }
            Expr::Product(factors)
        });
        Expr::Sum(terms.collect())
    };
    (0..states).map(of).collect()
}

/// A basis of the linear laws, exact: rows in reduced echelon form. None if the rates have more digits than
/// fractions hold.
pub fn laws(reactions: &[Reaction], states: usize) -> Option<Vec<Vec<Fraction>>> {
    let mut groups: Vec<(&[u32], Vec<Fraction>)> = Vec::new();
    for r in reactions {
        let k = Fraction::of_decimal(r.rate)?;
        let change = |i: usize| k.times(Fraction::whole(i64::from(r.to[i]) - i64::from(r.from[i])));
        let change: Vec<Fraction> = (0..states).map(change).collect::<Option<_>>()?;
        match groups.iter_mut().find(|g| g.0 == r.from) {
            Some((_, sum)) => {
                for (s, c) in sum.iter_mut().zip(change) {
                    *s = s.plus(c)?;
                }
            }
            None => groups.push((&r.from, change)),
        }
    }
    // Rows are of the size of a rate; over their largest entry fractions stay small.
    let rows = groups.into_iter().map(|(_, row)| {
        let one = *row.iter().find(|v| !v.is_zero())?;
        row.iter().map(|v| v.over(one)).collect::<Option<Vec<_>>>()
    });
    let rows = rows.flatten().collect();
    null_space(rows, states)
}

/// The null space of `rows` `(m, n)`: one vector a free column, 1 there.
fn null_space(mut rows: Vec<Vec<Fraction>>, n: usize) -> Option<Vec<Vec<Fraction>>> {
    let mut pivots: Vec<usize> = Vec::new();
    for column in 0..n {
        let at = pivots.len();
        let Some(p) = (at..rows.len()).find(|&r| !rows[r][column].is_zero()) else { continue };
        rows.swap(at, p);
        let head = rows[at][column];
        for v in &mut rows[at] {
            *v = v.over(head)?;
        }
        let row = rows[at].clone();
        for (r, other) in rows.iter_mut().enumerate() {
            let factor = other[column];
            if r == at || factor.is_zero() {
                continue;
            }
            for (v, p) in other.iter_mut().zip(&row) {
                *v = v.plus(factor.times(*p)?.negative())?;
            }
        }
        pivots.push(column);
    }
    let free = (0..n).filter(|c| !pivots.contains(c));
    Some(
        free.map(|c| {
            let mut law = vec![Fraction::whole(0); n];
            law[c] = Fraction::whole(1);
            for (row, &p) in rows.iter().zip(&pivots) {
                law[p] = row[c].negative();
            }
            law
        })
        .collect(),
    )
}
