//! Expressions of equations and laws: parsed from text, evaluated, differentiated exactly.
//!
//! ```text
//! sum := ['-'] product (('+'|'-') product)*      product := signed (('*'|'·'|'/') signed)*
//! signed := '-' signed | power                   power := atom ['^' signed]
//! atom := number | name | function '(' sum ')' | '(' sum ')'
//! ```
//!
//! An exponent is a constant. Any text gives an expression or an error that says where. Derivatives are dual
//! numbers: `(a, a')·(b, b') = (ab, a'b + ab')`, exact to rounding.

use anyhow::{Result, bail, ensure};

/// Functions of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// sine of radians
    Sin,
    /// cosine of radians
    Cos,
    /// tangent of radians
    Tan,
    /// exponential
    Exp,
    /// natural logarithm
    Ln,
}

const FUNCTIONS: [(&str, Function); 6] = [
    ("sin", Function::Sin),
    ("cos", Function::Cos),
    ("tan", Function::Tan),
    ("exp", Function::Exp),
    ("ln", Function::Ln),
    ("log", Function::Ln),
];

/// An expression over numbered variables.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A constant.
    Number(f64),
    /// A variable: a state, or after the states a definition.
    Var(usize),
    /// Terms, added from the left.
    Sum(Vec<Expr>),
    /// Factors, multiplied from the left.
    Product(Vec<Expr>),
    /// A constant power.
    Power(Box<Expr>, f64),
    /// A function.
    Call(Function, Box<Expr>),
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Meaning {
    /// A variable.
    Var(usize),
    /// A parameter's value.
    Value(f64),
}

/// A value and its derivative along one direction.
pub type Dual = (f64, f64);

impl Expr {
    /// Parses `text`; `names` are those it may use.
    pub fn parse(text: &str, names: &[(String, Meaning)]) -> Result<Expr> {
        let mut parser = Parser { text, at: 0, depth: 0, names };
        let expr = parser.sum()?;
        parser.space();
        ensure!(parser.at == text.len(), "{}", parser.wrong("the end, an operator or a bracket"));
        Ok(expr)
    }

    /// Its value, `v` the variables'.
    pub fn value(&self, v: &[f64]) -> f64 {
        match self {
            Expr::Number(c) => *c,
            Expr::Var(i) => v[*i],
            Expr::Sum(terms) => terms.iter().map(|t| t.value(v)).sum(),
            Expr::Product(factors) => factors.iter().map(|f| f.value(v)).product(),
            Expr::Power(base, p) => power(base.value(v), *p),
            Expr::Call(function, x) => {
                let x = x.value(v);
                match function {
                    Function::Sin => x.sin(),
                    Function::Cos => x.cos(),
                    Function::Tan => x.tan(),
                    Function::Exp => x.exp(),
                    Function::Ln => x.ln(),
                }
            }
        }
    }

    /// Its value and derivative, `v` the variables'.
    pub fn dual(&self, v: &[Dual]) -> Dual {
        match self {
            Expr::Number(c) => (*c, 0.0),
            Expr::Var(i) => v[*i],
            Expr::Sum(terms) => terms.iter().fold((0.0, 0.0), |s, t| {
                let t = t.dual(v);
                (s.0 + t.0, s.1 + t.1)
            }),
            Expr::Product(factors) => factors.iter().fold((1.0, 0.0), |p, f| {
                let f = f.dual(v);
                (p.0 * f.0, p.1 * f.0 + p.0 * f.1)
            }),
            Expr::Power(base, p) => {
                let (x, d) = base.dual(v);
                // At 0 the slope of x¹ is 1 and that of x⁰ is 0.
                let slope = if *p == 0.0 { 0.0 } else { p * power(x, p - 1.0) };
                (power(x, *p), if d == 0.0 { 0.0 } else { slope * d })
            }
            Expr::Call(function, x) => {
                let (x, d) = x.dual(v);
                let (y, slope) = match function {
                    Function::Sin => (x.sin(), x.cos()),
                    Function::Cos => (x.cos(), -x.sin()),
                    Function::Tan => (x.tan(), 1.0 + x.tan().powi(2)),
                    Function::Exp => (x.exp(), x.exp()),
                    Function::Ln => (x.ln(), 1.0 / x),
                };
                (y, slope * d)
            }
        }
    }

    /// Its constant, if it is one.
    fn constant(&self) -> Option<f64> {
        match self {
            Expr::Number(c) => Some(*c),
            Expr::Var(_) => None,
            Expr::Sum(terms) => terms.iter().map(Expr::constant).sum(),
            Expr::Product(factors) => factors.iter().map(Expr::constant).product(),
            Expr::Power(base, p) => Some(power(base.constant()?, *p)),
            Expr::Call(_, x) => x.constant().map(|c| Expr::Call(self.function(), Box::new(Expr::Number(c))).value(&[])),
        }
    }

    fn function(&self) -> Function {
        if let Expr::Call(function, _) = self { *function } else { Function::Sin }
    }

    /// Marks the variables that it reads.
    pub fn mark(&self, used: &mut [bool]) {
        match self {
            Expr::Number(_) => {}
            Expr::Var(i) => used[*i] = true,
            Expr::Sum(parts) | Expr::Product(parts) => parts.iter().for_each(|p| p.mark(used)),
            Expr::Power(x, _) | Expr::Call(_, x) => x.mark(used),
        }
    }
}

fn power(x: f64, p: f64) -> f64 {
    if p.fract() == 0.0 && p.abs() <= 64.0 { x.powi(p as i32) } else { x.powf(p) }
}

/// Brackets, functions and signs that may stand within each other.
const DEPTH: usize = 100;
/// Characters of one expression.
const LENGTH: usize = 100_000;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    names: &'a [(String, Meaning)],
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes one of `symbols` if it comes next.
    fn take(&mut self, symbols: &[char]) -> Option<char> {
        self.space();
        let next = self.rest().chars().next().filter(|c| symbols.contains(c))?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn wrong(&self, expected: &str) -> String {
        let column = self.text[..self.at].chars().count() + 1;
        match self.rest().chars().next() {
            Some(c) => format!("column {column}: {expected} expected, {c:?} found"),
            None => format!("column {column}: {expected} expected, but the expression ends"),
        }
    }

    fn sum(&mut self) -> Result<Expr> {
        self.depth += 1;
        ensure!(self.depth <= DEPTH, "column {}: more than {DEPTH} levels of brackets and signs", self.at + 1);
        ensure!(self.text.len() <= LENGTH, "an expression of {} characters, {LENGTH} at most", self.text.len());
        let mut terms = vec![self.product()?];
        while let Some(sign) = self.take(&['+', '-', '−']) {
            let term = self.product()?;
            terms.push(if sign == '+' { term } else { negative(term) });
        }
        self.depth -= 1;
        Ok(if terms.len() == 1 { terms.remove(0) } else { Expr::Sum(terms) })
    }

    fn product(&mut self) -> Result<Expr> {
        let mut factors = vec![self.signed()?];
        while let Some(sign) = self.take(&['*', '·', '/']) {
            let factor = self.signed()?;
            factors.push(match (sign, factor) {
                ('/', Expr::Number(c)) if c != 0.0 => Expr::Number(1.0 / c),
                ('/', Expr::Power(x, p)) => Expr::Power(x, -p),
                ('/', factor) => Expr::Power(Box::new(factor), -1.0),
                (_, factor) => factor,
            });
        }
        Ok(if factors.len() == 1 { factors.remove(0) } else { Expr::Product(factors) })
    }

    fn signed(&mut self) -> Result<Expr> {
        if self.take(&['-', '−']).is_none() {
            return self.power();
        }
        self.depth += 1;
        ensure!(self.depth <= DEPTH, "column {}: more than {DEPTH} levels of brackets and signs", self.at + 1);
        let inner = self.signed()?;
        self.depth -= 1;
        Ok(negative(inner))
    }

    fn power(&mut self) -> Result<Expr> {
        let base = self.atom()?;
        if self.take(&['^']).is_none() {
            return Ok(base);
        }
        self.depth += 1;
        ensure!(self.depth <= DEPTH, "column {}: more than {DEPTH} levels of brackets and signs", self.at + 1);
        let at = self.at;
        let exponent = self.signed()?.constant();
        self.depth -= 1;
        match exponent.filter(|p| p.is_finite()) {
            Some(1.0) => Ok(base),
            Some(p) => Ok(Expr::Power(Box::new(base), p)),
            None => bail!("column {}: an exponent is a constant number here; write exp(b*ln(a)) for a^b", at + 1),
        }
    }

    fn atom(&mut self) -> Result<Expr> {
        self.space();
        let Some(first) = self.rest().chars().next() else { bail!("{}", self.wrong("a number, a name or a bracket")) };
        if first == '(' {
            return self.bracket();
        }
        if first.is_ascii_digit() || first == '.' {
            return self.number();
        }
        if !(first.is_alphabetic() || first == '_') {
            bail!("{}", self.wrong("a number, a name or a bracket"));
        }
        let start = self.at;
        let end = self.rest().find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest().len());
        self.at += end;
        let name = &self.text[start..self.at];
        self.space();
        if self.rest().starts_with('(') {
            if name == "sqrt" {
                return Ok(Expr::Power(Box::new(self.bracket()?), 0.5));
            }
            if let Some((_, function)) = FUNCTIONS.iter().find(|f| f.0 == name) {
                return Ok(Expr::Call(*function, Box::new(self.bracket()?)));
            }
        }
        match self.names.iter().find(|n| n.0 == name) {
            Some((_, Meaning::Var(i))) => Ok(Expr::Var(*i)),
            Some((_, Meaning::Value(v))) => Ok(Expr::Number(*v)),
            None if name == "pi" => Ok(Expr::Number(std::f64::consts::PI)),
            None => bail!(
                "column {}: unknown name {name:?}; known are {}, pi, sqrt, sin, cos, tan, exp, ln",
                self.text[..start].chars().count() + 1,
                known(self.names)
            ),
        }
    }

    fn bracket(&mut self) -> Result<Expr> {
        self.take(&['(']);
        let inner = self.sum()?;
        ensure!(self.take(&[')']).is_some(), "{}", self.wrong("a closing bracket"));
        Ok(inner)
    }

    fn number(&mut self) -> Result<Expr> {
        let bytes = self.rest().as_bytes();
        let mut n = bytes.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        // An exponent counts where digits follow it.
        if matches!(bytes.get(n), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(n + 1), Some(b'+' | b'-')));
            let digits = bytes[(n + 1 + sign).min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
            n += if digits > 0 { 1 + sign + digits } else { 0 };
        }
        let (word, start) = (self.rest()[..n].to_string(), self.at);
        self.at += n;
        match word.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Expr::Number(value)),
            _ => bail!("column {}: {word:?} is not a number", start + 1),
        }
    }
}

fn negative(e: Expr) -> Expr {
    match e {
        Expr::Number(c) => Expr::Number(-c),
        e => Expr::Product(vec![Expr::Number(-1.0), e]),
    }
}

/// At most the first twenty names.
fn known(names: &[(String, Meaning)]) -> String {
    let mut list: Vec<&str> = names.iter().take(20).map(|n| n.0.as_str()).collect();
    if names.len() > 20 {
        list.push("…");
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Vec<(String, Meaning)> {
        vec![("x".into(), Meaning::Var(0)), ("y".into(), Meaning::Var(1)), ("mu".into(), Meaning::Value(3.0))]
    }

    fn at(text: &str, x: f64, y: f64) -> f64 {
        Expr::parse(text, &names()).unwrap().value(&[x, y])
    }

    #[test]
    fn arithmetic_is_what_it_looks_like() {
        assert_eq!(at("1 - 2 - 3*x^2/4", 2.0, 0.0), -4.0);
        assert_eq!(at("-x^2", 3.0, 0.0), -9.0);
        assert_eq!(at("2^-1 * mu", 0.0, 0.0), 1.5);
        assert!((at("-mu*x/(x^2+y^2)^1.5", 3.0, 4.0) + 9.0 / 125.0).abs() < 1e-15);
        assert_eq!(at("x·y − 1e-1", 2.0, 3.0), 5.9);
        assert_eq!(at("--x + 2*x", 2.0, 0.0), 6.0);
        assert_eq!(at("sqrt(x)*exp(0) + ln(1) + cos(0)", 4.0, 0.0), 3.0);
    }

    #[test]
    fn errors_say_where_and_what_is_known() {
        let error = |text: &str| Expr::parse(text, &names()).unwrap_err().to_string();
        assert!(error("x + vz*2").contains("column 5: unknown name \"vz\"; known are x, y, mu"), "{}", error("x + vz"));
        assert!(error("x +").contains("column 4: a number, a name or a bracket expected, but the expression ends"));
        assert!(error("(x").contains("closing bracket"));
        assert!(error("x)").contains("column 2"));
        assert!(error("x^y").contains("constant"));
        assert!(error(&"(".repeat(5000)).contains("levels"));
        assert!(error(&"-".repeat(5000)).contains("levels"));
        assert!(error(&"2^".repeat(5000)).contains("levels"));
        assert!(error("1.2.3").contains("not a number"));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_expression_or_an_error(text in "[-+*/^()xy. 0-9esincoqrtμ·−]{0,60}") {
            if let Ok(e) = Expr::parse(&text, &names()) {
                e.value(&[0.5, -2.0]);
                e.dual(&[(0.5, 1.0), (-2.0, 0.0)]);
            }
        }

        #[test]
        fn dual_numbers_are_derivatives(x in 0.3f64..2.0, y in 0.3f64..2.0) {
            for text in ["x^3*y - x/y", "sqrt(x^2+y^2)", "sin(x*y)*cos(x)", "exp(-x)*ln(y+x)", "tan(x/3)^2", "1/(x^2+y^2)^1.5"] {
                let e = Expr::parse(text, &names()).unwrap();
                let h = 1e-6;
                let slope = (e.value(&[x + h, y + 2.0 * h]) - e.value(&[x - h, y - 2.0 * h])) / (2.0 * h);
                let (value, d) = e.dual(&[(x, 1.0), (y, 2.0)]);
                prop_assert!((value - e.value(&[x, y])).abs() < 1e-12);
                prop_assert!((d - slope).abs() < 1e-5 * (1.0 + slope.abs()), "{}: {} {}", text, d, slope);
            }
        }
    }
}
