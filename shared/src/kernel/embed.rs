//! `y = (E_t₀, E_t₁, …)`: the rows of a table that the input's tokens name, one after the other.

/// Copies row `token` of `table` `(vocabulary, dim)` to place `i` of `y` `(tokens · dim)`. A token
/// outside `0..vocabulary` is read as the nearest inside, so that every input has one answer.
pub fn embed(token: i16, table: &[i8], vocabulary: u16, dim: u16, i: usize, y: &mut [i8]) {
    let row = u16::try_from(token).unwrap_or(0).min(vocabulary.saturating_sub(1));
    let dim = usize::from(dim);
    let from = table.get(usize::from(row) * dim..).unwrap_or(&[]);
    let to = i.checked_mul(dim).and_then(|at| y.get_mut(at..)).unwrap_or(&mut []);
    for (y, &x) in to.iter_mut().zip(from).take(dim) {
        *y = x;
    }
}
