//! The lottery ticket of y = x²: two neurons that are each other's mirror image.
//!
//! `v·(σ(wx + b) + σ(−wx + b)) + c` is even in x, and its curvature at 0 can be that of x²:
//! `w₁ = −w₂`, `b₁ = b₂`, `v₁ = v₂`. In a wider network any two neurons may form one.

/// One hidden neuron: it adds `v·σ(wx + b)` to the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neuron {
    /// Weight of the input.
    pub w: f64,
    /// Bias.
    pub b: f64,
    /// Weight towards the output.
    pub v: f64,
}

impl Neuron {
    /// The same neuron of a ReLU network with `|w| = 1`: `v·relu(wx + b) = v|w|·relu(sign(w)·x + b/|w|)`.
    /// How a ReLU's slope is split between w and v is an accident of its initial values.
    pub fn of_unit_slope(self) -> Neuron {
        let size = self.w.abs();
        if size > 0.0 { Neuron { w: self.w / size, b: self.b / size, v: self.v * size } } else { self }
    }
}

/// What a network of two neurons found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The ticket, within a tolerance.
    Ticket,
    /// Weights of opposite signs, but no mirror image.
    Opposite,
    /// Weights of one sign, or one of them nothing: it bends on one side only.
    OneSided,
}

/// Largest difference of a ticket's two sides, relative to the larger of both.
pub const TOLERANCE: f64 = 0.1;

impl Found {
    /// All, in the order in which they are drawn.
    pub const ALL: [Found; 3] = [Found::Ticket, Found::Opposite, Found::OneSided];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Found::Ticket => "the ticket",
            Found::Opposite => "opposite signs",
            Found::OneSided => "one-sided",
        }
    }

    /// What two neurons are, with `tolerance` as in [`mirrored`].
    pub fn of(a: Neuron, c: Neuron, tolerance: f64) -> Found {
        if mirrored(a, c, tolerance) {
            Found::Ticket
        } else if a.w * c.w < 0.0 {
            Found::Opposite
        } else {
            Found::OneSided
        }
    }
}

/// Whether two neurons are mirror images: `|w₁ + w₂|`, `|b₁ − b₂|` and `|v₁ − v₂|` at most
/// `tolerance` times the larger of both; of the biases, times the larger of both or of the weights,
/// since a bias matters only beside them.
pub fn mirrored(a: Neuron, c: Neuron, tolerance: f64) -> bool {
    let near = |x: f64, y: f64, scale: f64| (x - y).abs() <= tolerance * scale;
    let larger = |x: f64, y: f64| x.abs().max(y.abs());
    let w = larger(a.w, c.w);
    w > 0.0
        && near(a.w, -c.w, w)
        && near(a.b, c.b, larger(a.b, c.b).max(w))
        && larger(a.v, c.v) > 0.0
        && near(a.v, c.v, larger(a.v, c.v))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn neuron() -> impl Strategy<Value = Neuron> {
        let size = prop_oneof![-10.0f64..-0.01, 0.01f64..10.0];
        (size.clone(), -5.0f64..5.0, size).prop_map(|(w, b, v)| Neuron { w, b, v })
    }

    proptest! {
        #[test]
        fn a_mirror_image_is_a_ticket_until_one_side_is_bent(a in neuron(), which in 0..3) {
            let mut c = Neuron { w: -a.w, ..a };
            prop_assert_eq!(Found::of(a, c, TOLERANCE), Found::Ticket);
            prop_assert_eq!(Found::of(c, a, TOLERANCE), Found::Ticket);
            match which {
                0 => c.w *= 1.2,
                1 => c.b += 0.2 * a.b.abs().max(a.w.abs()),
                _ => c.v *= 1.2,
            }
            prop_assert_eq!(Found::of(a, c, TOLERANCE), Found::Opposite);
            prop_assert_eq!(Found::of(a, a, TOLERANCE), Found::OneSided);
        }

        #[test]
        fn a_ticket_is_even(a in neuron(), x in -2.0f64..2.0) {
            let c = Neuron { w: -a.w, ..a };
            let silu = |z: f64| z / (1.0 + (-z).exp());
            let y = |x: f64| [a, c].iter().map(|n| n.v * silu(n.w * x + n.b)).sum::<f64>();
            prop_assert!((y(x) - y(-x)).abs() <= 1e-12 * (1.0 + y(x).abs()));
        }
    }

    #[test]
    fn how_a_relus_slope_is_split_does_not_matter() {
        let (a, c) = (Neuron { w: 1.5, b: -1.0, v: 1.8 }, Neuron { w: -3.0, b: -2.0, v: 0.9 });
        assert_eq!(Found::of(a, c, TOLERANCE), Found::Opposite);
        assert_eq!(Found::of(a.of_unit_slope(), c.of_unit_slope(), TOLERANCE), Found::Ticket);
        let (x, u) = (0.9, a.of_unit_slope());
        assert!((a.v * (a.w * x + a.b).max(0.0) - u.v * (u.w * x + u.b).max(0.0)).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_no_ticket() {
        let nothing = Neuron { w: 0.0, b: 0.0, v: 0.0 };
        assert_eq!(Found::of(nothing, nothing, TOLERANCE), Found::OneSided);
    }
}
