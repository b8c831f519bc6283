//! Laws as straight-line programs: what a chip can evaluate.
//!
//! A law is expanded into a sum of products of atoms; an atom is a state, `1/√s`, `sin s` or `cos s` of a sum s.
//! Products are shared between terms and laws (`x·y` serves `x·y²` and `x·y·z`). Powers that are not whole go over
//! `1/√s`: `√s = s·(1/√s)`; `1/s = (1/√s)²` where s is positive by its form, else `s·(1/√s²)²`.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use super::expr::{Expr, Function};
use crate::program::Step;

/// Atoms of a product in order, repeated for powers.
type Product = Vec<usize>;
/// A sum of products.
type Sum = BTreeMap<Product, f64>;

/// Most terms of a sum.
const TERMS: usize = 500;

/// Builds one program for several laws.
pub struct Lower<'a> {
    states: usize,
    definitions: &'a [(String, Expr)],
    steps: Vec<Step>,
    products: BTreeMap<Product, usize>,
    functions: Vec<(Kind, Sum, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsqrt,
    Sin,
    Cos,
}

impl<'a> Lower<'a> {
    /// An empty program over `states` inputs.
    pub fn new(states: usize, definitions: &'a [(String, Expr)]) -> Self {
        Lower { states, definitions, steps: Vec::new(), products: BTreeMap::new(), functions: Vec::new() }
    }

    /// The register of a law's value, without its constant term.
    pub fn law(&mut self, law: &Expr) -> Result<usize> {
        let mut sum = self.sum(law)?;
        sum.remove(&Vec::new());
        ensure!(!sum.is_empty(), "the law is a constant");
        self.register(&sum)
    }

    /// The steps.
    pub fn finish(self) -> Vec<Step> {
        self.steps
    }

    fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.states + self.steps.len() - 1
    }

    /// The register of a sum, its terms in order.
    fn register(&mut self, sum: &Sum) -> Result<usize> {
        let mut b = None;
        for (product, &c) in sum {
            let a = self.product(product)?;
            b = Some(self.push(Step::Affine { c, a, b }));
        }
        b.ok_or_else(|| anyhow::anyhow!("a sum of nothing"))
    }

    fn product(&mut self, atoms: &[usize]) -> Result<usize> {
        match atoms {
            [] => bail!("a constant within a function; the chip's registers hold none: give it a state of its own"),
            [one] => Ok(*one),
            [head @ .., last] => {
                if let Some(&r) = self.products.get(atoms) {
                    return Ok(r);
                }
                let a = self.product(head)?;
                let r = self.push(Step::Product { a, b: *last });
                self.products.insert(atoms.to_vec(), r);
                Ok(r)
            }
        }
    }

    fn function(&mut self, kind: Kind, of: Sum) -> Result<usize> {
        if let Some((_, _, r)) = self.functions.iter().find(|f| f.0 == kind && f.1 == of) {
            return Ok(*r);
        }
        let a = self.register(&of)?;
        let r = self.push(match kind {
            Kind::Rsqrt => Step::Rsqrt { a },
            Kind::Sin => Step::Sin { a },
            Kind::Cos => Step::Cos { a },
        });
        self.functions.push((kind, of, r));
        Ok(r)
    }

    fn sum(&mut self, e: &Expr) -> Result<Sum> {
        Ok(match e {
            Expr::Number(c) => BTreeMap::from([(Vec::new(), *c)]),
            Expr::Var(i) if *i < self.states => BTreeMap::from([(vec![*i], 1.0)]),
            Expr::Var(i) => {
                let definitions = self.definitions;
                self.sum(&definitions[*i - self.states].1)?
            }
            Expr::Sum(terms) => {
                let mut all = Sum::new();
                for term in terms {
                    for (product, c) in self.sum(term)? {
                        *all.entry(product).or_default() += c;
                    }
                }
                bounded(all)?
            }
            Expr::Product(factors) => {
                let mut all = BTreeMap::from([(Vec::new(), 1.0)]);
                for factor in factors {
                    all = times(&all, &self.sum(factor)?)?;
                }
                all
            }
            Expr::Power(base, p) => self.power(base, *p)?,
            Expr::Call(function, x) => {
                let kind = match function {
                    Function::Sin => Kind::Sin,
                    Function::Cos => Kind::Cos,
                    other => bail!("the chip computes no {}; watch another law", format!("{other:?}").to_lowercase()),
                };
                let of = self.sum(x)?;
                BTreeMap::from([(vec![self.function(kind, of)?], 1.0)])
            }
        })
    }

    fn power(&mut self, base: &Expr, p: f64) -> Result<Sum> {
        ensure!((2.0 * p).fract() == 0.0 && p.abs() <= 16.0, "the chip computes no power of {p}; watch another law");
        let definitions = self.definitions;
        match base {
            Expr::Number(c) => return Ok(BTreeMap::from([(Vec::new(), c.powf(p))])),
            Expr::Var(i) if *i >= self.states => return self.power(&definitions[*i - self.states].1, p),
            // √ asks for what is positive, so that powers of it may be joined.
            Expr::Power(inner, q) if q.fract() != 0.0 => return self.power(inner, q * p),
            Expr::Product(factors) if p.fract() == 0.0 => {
                let mut all = BTreeMap::from([(Vec::new(), 1.0)]);
                for factor in factors {
                    all = times(&all, &self.power(factor, p)?)?;
                }
                return Ok(all);
            }
            _ => {}
        }
        let sum = self.sum(base)?;
        if let [(product, c)] = &sum.iter().collect::<Vec<_>>()[..]
            && product.is_empty()
        {
            return Ok(BTreeMap::from([(Vec::new(), c.powf(p))]));
        }
        let mut all = BTreeMap::from([(Vec::new(), 1.0)]);
        if p.fract() == 0.0 {
            for _ in 0..p.abs() as usize {
                all = times(&all, &sum)?;
            }
            if p > 0.0 {
                return Ok(all);
            }
            // 1/s^n = s^n·(1/√s^2n)²
            let square = times(&all, &all)?;
            let root = self.function(Kind::Rsqrt, square)?;
            return times(&all, &BTreeMap::from([(vec![root, root], 1.0)]));
        }
        let root = self.function(Kind::Rsqrt, sum.clone())?;
        // s^(k/2): whole powers of s, and one root too many taken back.
        let (wholes, roots) = if p > 0.0 { ((p + 0.5) as usize, 1) } else { (0, (-2.0 * p) as usize) };
        for _ in 0..wholes {
            all = times(&all, &sum)?;
        }
        times(&all, &BTreeMap::from([(vec![root; roots], 1.0)]))
    }
}

fn times(a: &Sum, b: &Sum) -> Result<Sum> {
    let mut all = Sum::new();
    for (p, c) in a {
        for (q, d) in b {
            let mut product = [p.as_slice(), q.as_slice()].concat();
            product.sort_unstable();
            *all.entry(product).or_default() += c * d;
        }
        all = bounded(all)?;
    }
    Ok(all)
}

fn bounded(mut sum: Sum) -> Result<Sum> {
    sum.retain(|_, c| *c != 0.0);
    ensure!(sum.len() <= TERMS, "a law of more than {TERMS} terms; watch a shorter one");
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::sid::System;
    use crate::program::Program;

    /// The program of a law equals the law, up to its constant.
    #[test]
    fn programs_equal_their_expressions() {
        let system = System::load("kepler").unwrap();
        let laws = [
            "(vx^2 + vy^2)/2 - mu/r",
            "x*vy - y*vx",
            "x/r^3 + 1/(1 + x^2 + y^2)^2 + sqrt(3 + x*y)",
            "sin(x)*cos(x - 2*y) + 7",
            "1/(x - 3*y) - (x + y)^3/x^2 + r",
        ];
        let mut lower = Lower::new(4, &system.definitions);
        let exprs: Vec<Expr> = laws.iter().map(|l| Expr::parse(l, &system.variables()).unwrap()).collect();
        // A function of a constant and more is no program.
        assert!(lower.law(&exprs[2]).unwrap_err().to_string().contains("constant"));
        let fits = [0, 1, 3, 4];
        let values: Vec<usize> = fits.iter().map(|&i| lower.law(&exprs[i]).unwrap()).collect();
        let program = Program { units: vec![1.0; 4], steps: lower.finish(), laws: vec![], float: true };
        let at = |x: &[f64]| {
            let r = program.registers(x);
            values.iter().zip(&fits).map(|(v, &i)| r[*v] - exprs[i].value(&system.values(x))).collect::<Vec<_>>()
        };
        let (a, b) = (at(&[0.5, 0.25, 0.1, 1.2]), at(&[0.7, -0.4, -0.3, 0.9]));
        for (i, (a, b)) in a.iter().zip(&b).enumerate() {
            assert!((a - b).abs() < 1e-9, "law {i}: {a} {b}");
        }
    }

    #[test]
    fn kepler_takes_few_steps() {
        let system = System::load("kepler").unwrap();
        let mut lower = Lower::new(4, &system.definitions);
        for law in ["(vx^2 + vy^2)/2 - mu/r", "x*vy - y*vx"] {
            lower.law(&Expr::parse(law, &system.variables()).unwrap()).unwrap();
        }
        assert!(lower.finish().len() <= 14);
    }
}
