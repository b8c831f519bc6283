//! Training windows as another wearer might have given them: the sensor tilted, the movement
//! faster or slower.
//!
//! Tilt: `x ← R x` for every three-axis sensor, R about a uniform axis by an angle ~ N(0, 15°).
//! Tempo: the window is read at rate f = exp(N(0, 0.1)), reflected at its ends, and angular rates
//! are multiplied by f. Test windows are never altered.

use super::Input;
use crate::rng::Rng;

/// Standard deviation of the tilt, degrees.
const TILT: f32 = 15.0;
/// Standard deviation of the tempo's logarithm.
const TEMPO: f32 = 0.1;

/// Copy `copy` of window `i`, (window, channels); `None` past the end or for vectors.
///
/// The same `(i, copy)` always gives the same counts.
pub fn altered(input: &Input, i: usize, copy: u64) -> Option<Vec<i16>> {
    let raw = input.window(i)?;
    let Input::Windows { channels, window, units, .. } = input else { return None };
    let mut rng = Rng::new(copy, "tilt and tempo", i as u64);
    let turn = rotation(&mut rng);
    let tempo = (TEMPO * rng.normal()).exp();
    let last = (window - 1) as f32;
    let mut out = Vec::with_capacity(raw.len());
    for t in 0..*window {
        // Reflected into [0, last].
        let at = last - (last - (t as f32 * tempo).rem_euclid(2.0 * last)).abs();
        let (before, share) = ((at as usize).min(window.saturating_sub(2)), at - at.floor());
        let value = |c: usize| {
            let (a, b) = (raw[before * channels + c], raw[(before + 1).min(window - 1) * channels + c]);
            f32::from(a) * (1.0 - share) + f32::from(b) * share
        };
        for sensor in 0..channels.div_ceil(3) {
            let first = 3 * sensor;
            if first + 3 > *channels {
                out.extend((first..*channels).map(|c| count(value(c))));
                continue;
            }
            let x = [value(first), value(first + 1), value(first + 2)];
            let rate = if is_rate(&units[first]) { tempo } else { 1.0 };
            out.extend(turn.iter().map(|row| count(rate * (row[0] * x[0] + row[1] * x[1] + row[2] * x[2]))));
        }
    }
    Some(out)
}

/// Whether a unit is one of angular rate.
fn is_rate(unit: &str) -> bool {
    matches!(unit, "deg/s" | "°/s" | "dps" | "rad/s")
}

fn count(x: f32) -> i16 {
    x.round().clamp(-32768.0, 32767.0) as i16
}

/// Rodrigues' formula for a uniform axis and a normal angle.
fn rotation(rng: &mut Rng) -> [[f32; 3]; 3] {
    let axis = [rng.normal(), rng.normal(), rng.normal()];
    let norm = axis.iter().map(|a| a * a).sum::<f32>().sqrt().max(1e-6);
    let [x, y, z] = axis.map(|a| a / norm);
    let (s, c) = (TILT.to_radians() * rng.normal()).sin_cos();
    let d = 1.0 - c;
    [
        [c + x * x * d, x * y * d - z * s, x * z * d + y * s],
        [y * x * d + z * s, c + y * y * d, y * z * d - x * s],
        [z * x * d - y * s, z * y * d + x * s, c + z * z * d],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilt_is_a_rotation() {
        for i in 0..50 {
            let r = rotation(&mut Rng::new(1, "tilt and tempo", i));
            for a in 0..3 {
                for b in 0..3 {
                    let dot: f32 = (0..3).map(|k| r[a][k] * r[b][k]).sum();
                    assert!((dot - if a == b { 1.0 } else { 0.0 }).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn a_still_sensor_keeps_its_norm_and_a_copy_is_the_same_twice() {
        let input = Input::Windows {
            channels: 3,
            channel_names: vec!["x".into(), "y".into(), "z".into()],
            window: 40,
            rate_hz: 50.0,
            samples: [300, -400, 1200].repeat(40),
            lsb: vec![1.0; 3],
            units: vec!["g".into(); 3],
        };
        let copy = altered(&input, 0, 7).unwrap();
        assert_eq!(copy, altered(&input, 0, 7).unwrap());
        assert_ne!(copy, altered(&input, 0, 8).unwrap());
        for step in copy.chunks(3) {
            let norm = step.iter().map(|&v| f32::from(v).powi(2)).sum::<f32>().sqrt();
            assert!((norm - 1300.0).abs() < 2.0, "{norm}");
        }
        assert!(altered(&input, 1, 7).is_none());
    }
}
