//! Every operator against its formula in wide arithmetic, and every kernel against the oracle.

extern crate std;
use super::*;
use crate::fixed::Row;
use crate::op::Layout;
use proptest::collection::vec;
use proptest::prelude::*;
use std::vec::Vec;

fn i8s(n: usize) -> impl Strategy<Value = Vec<i8>> {
    vec(-127i8..=127, n)
}

/// `(acc·m / 2²⁴)` rounded half up, exactly.
fn scaled(acc: i128, m: i32) -> i128 {
    (acc * i128::from(m) * 2 + (1 << 24)).div_euclid(1 << 25)
}

fn dot(w: &[i8], x: &[i8]) -> i128 {
    w.iter().zip(x).map(|(&w, &x)| i128::from(w) * i128::from(x)).sum()
}

prop_compose! {
    fn rows(n: usize)(bias in vec(-100_000i32..100_000, n), multiplier in vec(0i32..1 << 24, n)) -> Vec<Row> {
        bias.into_iter().zip(multiplier).map(|(bias, multiplier)| Row { bias, multiplier }).collect()
    }
}

prop_compose! {
    fn layer()(n_in in 1usize..70, n_out in 1usize..23)
        (x in i8s(n_in), w in i8s(n_in * n_out), rows in rows(n_out)) -> (Vec<i8>, Vec<i8>, Vec<Row>) { (x, w, rows) }
}

proptest! {
    #[test]
    fn portable_equals_the_oracle((x, w, _) in layer()) {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        Naive::accumulate(&x, &w, &mut |i, sum| a.push((i, sum)));
        Portable::accumulate(&x, &w, &mut |i, sum| b.push((i, sum)));
        prop_assert_eq!(a, b);
    }

    /// Every packing, there and back: the same weights, rows and sums, and 0 where nothing lies.
    #[test]
    fn packings_hold_the_same_matrix((x, w, rows) in layer()) {
        let (n_in, n_out) = (x.len(), rows.len());
        let plain = Matrix::row_major(n_out, n_in, &w);
        let (mut expected, mut y) = (std::vec![0; n_out], std::vec![0; n_out]);
        dense::<Naive>(&x, &Layer::new(plain, bytemuck::cast_slice(&rows)).unwrap(), &mut [], Out::I8(&mut expected));
        for packing in Packing::ALL {
            // Of words, so that it lies at a multiple of 4.
            let bytes = packing.bytes(n_out, n_in).unwrap();
            let mut weights = std::vec![0u32; bytes.div_ceil(4)];
            let weights: &mut [i8] = &mut bytemuck::cast_slice_mut(&mut weights)[..bytes];
            plain.repack(packing, weights);
            let matrix = Matrix::new(packing, n_out, n_in, weights).unwrap();
            let mut words = std::vec![0; packing.row_words(n_out)];
            Rows::plain(&rows).repack(n_out, packing, &mut words);
            let packed = Rows { packing, words: &words };
            let (padded_rows, columns) = packing.padded(n_out, n_in);
            let mut places = std::collections::HashSet::new();
            for i in 0..padded_rows {
                for j in 0..columns {
                    let inside = i < n_out && j < n_in;
                    prop_assert_eq!(matrix.weight(i, j), if inside { i32::from(w[i * n_in + j]) } else { 0 });
                    let alone = places.insert(packing.place(n_in, i, j));
                    prop_assert!(alone);
                }
            }
            prop_assert_eq!(places.len(), matrix.weights().len());
            prop_assert_eq!((0..n_out).map(|i| packed.row(i).unwrap()).collect::<Vec<_>>(), rows.clone());
            let mut scratch = std::vec![0; packing.scratch_words(n_in)];
            y.fill(0);
            dense::<Portable>(&x, &Layer::new(matrix, &words).unwrap(), &mut scratch, Out::I8(&mut y));
            prop_assert_eq!(&y, &expected);
        }
    }

    #[test]
    fn dense_is_its_formula((x, w, rows) in layer(), relu: bool) {
        let lo = if relu { 0 } else { -127 };
        let mut y = std::vec![0; rows.len()];
        let layer = Layer::new(Matrix::row_major(rows.len(), x.len(), &w), bytemuck::cast_slice(&rows)).unwrap();
        dense::<Portable>(&x, &layer, &mut [], if relu { Out::Relu(&mut y) } else { Out::I8(&mut y) });
        let mut wide = std::vec![0; rows.len()];
        dense::<Naive>(&x, &layer, &mut [], Out::I16(&mut wide));
        for (i, row) in rows.iter().enumerate() {
            let exact = scaled(dot(&w[i * x.len()..], &x) + i128::from(row.bias), row.multiplier);
            prop_assert_eq!(i128::from(y[i]), exact.clamp(lo.into(), 127));
            prop_assert_eq!(i128::from(wide[i]), exact.clamp(-32767, 32767));
        }
    }

    #[test]
    fn gate_keeps_the_largest_and_weighs_them_like_softmax((x, w, rows) in layer(), m in 1usize..6) {
        let m = m.min(rows.len());
        let mut y = std::vec![0i8; 2 * m];
        gate::<Portable>(&x, &Matrix::row_major(rows.len(), x.len(), &w), &rows, &mut [], &mut y);
        let q: Vec<i128> = rows.iter().enumerate()
            .map(|(k, row)| scaled(dot(&w[k * x.len()..], &x) + i128::from(row.bias), row.multiplier)).collect();
        let mut order: Vec<usize> = (0..q.len()).collect();
        order.sort_by_key(|&k| (-q[k], k));
        let exp: Vec<f64> = order[..m].iter().map(|&k| (-((q[order[0]] - q[k]) as f64) / 32.0).exp()).collect();
        let total: f64 = exp.iter().sum();
        let mut sum = 0;
        for (j, pair) in y.chunks(2).enumerate() {
            prop_assert_eq!(usize::from(pair[0] as u8), order[j]);
            let g = pair[1] as u8;
            sum += i32::from(g);
            // Half a unit by rounding; the first also takes what the others' rounding leaves.
            let slack = if j == 0 { 0.51 * m as f64 } else { 0.51 };
            prop_assert!((f64::from(g) - 128.0 * exp[j] / total).abs() <= slack);
        }
        prop_assert_eq!(sum, 128);
    }

    #[test]
    fn mix_is_its_formula(
        n_in in 1usize..20, n_out in 1usize..9, rank in 0usize..6, bases in 1usize..5, with_base: bool, seed: u64,
    ) {
        let mut state = seed;
        let mut next = |span: i64| { state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); ((state >> 33) as i64) % span };
        let mut bytes = |n: usize| (0..n).map(|_| (next(255) - 127) as i8).collect::<Vec<i8>>();
        let inner = if rank == 0 { n_in } else { rank };
        let (x, v, u) = (bytes(n_in), bytes(bases * rank * n_in), bytes(bases * n_out * inner));
        let u_bias: Vec<i32> = bytes(bases * n_out).iter().map(|&b| i32::from(b) * 100).collect();
        let v_rows: Vec<Row> = bytes(bases * rank).iter().map(|&b| Row { bias: i32::from(b), multiplier: 1 << 17 }).collect();
        let multipliers: Vec<i32> = bytes(n_out).iter().map(|&b| (i32::from(b) + 128) << 12).collect();
        let base: Vec<i16> = bytes(n_out).iter().map(|&b| i16::from(b) * 50).collect();
        let gate: Vec<(usize, i128)> = if bases > 1 { std::vec![(bases - 1, 100), (0, 28)] } else { std::vec![(0, 128)] };
        let gate_bytes: Vec<i8> = gate.iter().flat_map(|&(k, g)| [k as i8, g as u8 as i8]).collect();
        let (mut z, mut acc, mut y) = (std::vec![0i8; rank], std::vec![0i32; n_out], std::vec![0i16; n_out]);
        let constants = Bases {
            v: Matrix::row_major(bases * rank, n_in, &v),
            v_rows: Rows::plain(&v_rows),
            u: Matrix::row_major(bases * n_out, inner, &u),
            u_bias: &u_bias,
            multipliers: &multipliers,
        };
        mix::<Portable>(&x, &gate_bytes, with_base.then_some(&base[..]), constants, &mut z, &mut acc, &mut [], Out::I16(&mut y));
        for i in 0..n_out {
            let mut sum = 0i128;
            for &(k, g) in &gate {
                let z: Vec<i8> = if rank == 0 { x.clone() } else {
                    (0..rank).map(|r| {
                        let row = k * rank + r;
                        scaled(dot(&v[row * n_in..(row + 1) * n_in], &x) + i128::from(v_rows[row].bias), v_rows[row].multiplier).clamp(-127, 127) as i8
                    }).collect()
                };
                let row = k * n_out + i;
                sum += g * (dot(&u[row * inner..(row + 1) * inner], &z) + i128::from(u_bias[row]));
            }
            let exact = scaled((sum + 64).div_euclid(128), multipliers[i]) + if with_base { i128::from(base[i]) } else { 0 };
            prop_assert_eq!(i128::from(y[i]), exact.clamp(-32767, 32767));
        }
    }

    #[test]
    fn match_is_its_formula_and_rows_are_independent((x, w, rows) in layer(), h in 0i32..1 << 20) {
        let mut y = std::vec![0; rows.len()];
        let handicaps = std::vec![h; rows.len()];
        matching::<Portable>(&x, &Matrix::row_major(rows.len(), x.len(), &w), &rows, &handicaps, &mut [], &mut y);
        let length = ((x.iter().map(|&x| i64::from(x) * i64::from(x)).sum::<i64>() * 256) as f64).sqrt().floor() as i128;
        for (c, row) in rows.iter().enumerate() {
            let exact = scaled(dot(&w[c * x.len()..], &x) + i128::from(row.bias), row.multiplier) - scaled(length, h);
            prop_assert_eq!(i128::from(y[c]), exact);
        }
        let mut fewer = std::vec![0; rows.len() - 1];
        let (n, m) = (x.len(), rows.len() - 1);
        matching::<Portable>(&x, &Matrix::row_major(m, n, &w[..m * n]), &rows[..m], &handicaps[..m], &mut [], &mut fewer);
        prop_assert_eq!(&fewer[..], &y[..rows.len() - 1]);
    }

    #[test]
    fn unit_rms_is_close_to_exact(x in i8s(40)) {
        prop_assume!(x.iter().any(|&x| x != 0));
        let y_scale = 4.0 / 127.0;
        let gain = (4096.0 * 40f64.sqrt() / y_scale).round() as u32;
        let mut y = std::vec![0i8; 40];
        unit_rms(&x, gain, &mut y);
        let rms = (x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 40.0).sqrt();
        for (&x, &y) in x.iter().zip(&y) {
            let exact = (f64::from(x) / rms / y_scale).clamp(-127.0, 127.0);
            // isqrt's floor costs at most 1/16 of the smallest norm, 1: 7 % only there.
            prop_assert!((exact - f64::from(y)).abs() <= 0.51 + exact.abs() / (16.0 * rms * 40f64.sqrt()));
        }
    }

    #[test]
    fn embed_is_its_formula(vocabulary in 1u16..9, dim in 0u16..7, tokens in vec(any::<i16>(), 1..4), seed in i8s(64)) {
        let table = &seed[..usize::from(vocabulary * dim)];
        let mut y = std::vec![0i8; tokens.len() * usize::from(dim)];
        for (i, &token) in tokens.iter().enumerate() {
            embed(token, table, vocabulary, dim, i, &mut y);
        }
        for (k, &y) in y.iter().enumerate() {
            let token = i64::from(tokens[k / usize::from(dim)]).clamp(0, i64::from(vocabulary) - 1) as usize;
            prop_assert_eq!(y, table[token * usize::from(dim) + k % usize::from(dim)]);
        }
    }

    /// Whatever the bytes: nothing panics, and the kernels agree on what the check would take.
    #[test]
    fn sparse_kernels_take_any_bytes(x in i8s(300), n in 1usize..300, counts in vec(0u16..5, 0..6), entries in vec(any::<u8>(), 0..90), kind in 0usize..3) {
        let layout = [Layout::Csr, Layout::Blocks, Layout::Pairs][kind];
        let matrix = Sparse { layout, counts: &counts, entries: &entries };
        let (mut naive, mut fast): (Vec<i32>, Vec<i32>) = (Vec::new(), Vec::new());
        Naive::sparse(&x[..n], &matrix, |i, sums| { assert_eq!(i, naive.len()); naive.extend(sums) });
        Portable::sparse(&x[..n], &matrix, |i, sums| { assert_eq!(i, fast.len()); fast.extend(sums) });
        let inside = matrix.runs(n).flat_map(|run| run.chunks(group_bytes(layout, n))).all(|bytes| {
            let start = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
            let window = layout != Layout::Csr || n <= WINDOW || start + WINDOW <= n;
            window && group(layout, bytes).is_some_and(|(columns, _)| columns.iter().all(|&c| c < n))
        });
        // A last batch is left out where groups are missing: the check lets no such matrix through.
        if inside && layout != Layout::Pairs && matrix.runs(n).count() == counts.len() { prop_assert_eq!(naive, fast); }
    }

    #[test]
    fn pointwise_operators(x in i8s(30), lo in -127i8..=127, hi in -127i8..=127) {
        let (mut c, mut l) = (std::vec![0; 30], std::vec![0; 30]);
        clamp(&x, lo, hi, &mut c);
        let table: Vec<i8> = (0..=255u8).map(|i| (i ^ 0x80) as i8).collect();
        lookup(&x, &table, &mut l);
        prop_assert_eq!(&l, &x);
        if lo <= hi { for (c, x) in c.iter().zip(&x) { prop_assert_eq!(*c, (*x).clamp(lo, hi)); } }
    }
}

#[test]
fn exp_table_is_exp() {
    for d in 0..=255 {
        let exact = 32768.0 * (-f64::from(d) / 32.0).exp();
        assert!((f64::from(exp_neg(d)) - exact).abs() <= 0.51, "{d}: {} {exact}", exp_neg(d));
    }
    assert_eq!(exp_neg(256), 0);
}
