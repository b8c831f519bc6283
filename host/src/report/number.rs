//! How figures are written: few digits, one unit, a true minus sign.
//!
//! Units: [`Unit::Percent`] takes fractions (0.873 is written 87.3%), [`Unit::Bytes`] counts in
//! 1024s (KiB), [`Unit::Count`] in thousands (9.3k).

/// What the figures on an axis or in a cell are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// A number without a unit, three significant digits.
    #[default]
    Plain,
    /// A fraction of one, written in percent.
    Percent,
    /// A count (steps, multiply-accumulates): 950, 9.3k, 1.2M.
    Count,
    /// Bytes in powers of 1024: 950 B, 2.1 KiB.
    Bytes,
    /// An angle in degrees.
    Degrees,
}

/// Stands for a figure that is missing or not finite.
pub(super) const MISSING: &str = "–";
const COUNTS: [&str; 5] = ["", "k", "M", "G", "T"];
const BYTES: [&str; 5] = [" B", " KiB", " MiB", " GiB", " TiB"];

/// `value` for reading alone: about three significant digits.
pub(super) fn figure(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return MISSING.into();
    }
    match unit {
        Unit::Plain => plain(value),
        Unit::Percent => format!("{}%", fixed(value * 100.0, 1)),
        Unit::Count => scaled(value, 1000.0, COUNTS, true),
        Unit::Bytes => scaled(value, 1024.0, BYTES, true),
        Unit::Degrees => format!("{}°", fixed(value, 0)),
    }
}

/// `value` for a column of its like: as [`figure`], but with the decimals of its neighbours
/// (16.0 KiB under 9.4 KiB).
pub(super) fn column(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count if value.is_finite() => scaled(value, 1000.0, COUNTS, false),
        Unit::Bytes if value.is_finite() => scaled(value, 1024.0, BYTES, false),
        _ => figure(value, unit),
    }
}

/// `value` as the label of a tick, where neighbouring ticks lie `step` apart.
pub(super) fn tick(value: f64, step: f64, unit: Unit) -> String {
    let decimals = |step: f64| (-(step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
    match unit {
        Unit::Plain if value != 0.0 && !(1e-4..1e6).contains(&value.abs()) => scientific(value),
        Unit::Plain => fixed(value, decimals(step)),
        Unit::Percent if value.abs() > 1e6 => scientific(value),
        Unit::Percent => format!("{}%", fixed(value * 100.0, decimals(step * 100.0))),
        Unit::Degrees if value.abs() > 1e6 => scientific(value),
        Unit::Degrees => format!("{}°", fixed(value, decimals(step))),
        Unit::Count | Unit::Bytes => figure(value, unit),
    }
}

/// `value` with a fixed number of decimals, grouped by commas, `–` when not finite.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return MISSING.into();
    }
    if value.abs() >= 1e15 {
        return scientific(value);
    }
    let text = format!("{:.*}", decimals, value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let negative = value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    let sign = if negative { "−" } else { "" };
    format!("{sign}{}{rest}", grouped(whole))
}

fn plain(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".into()
    } else if !(1e-3..1e6).contains(&size) {
        scientific(value)
    } else {
        let decimals = (2.0 - size.log10().floor()).clamp(0.0, 5.0) as usize;
        fixed(value, decimals)
    }
}

fn scaled(value: f64, base: f64, suffixes: [&str; 5], trim: bool) -> String {
    let size = value.abs();
    if size >= 1e15 || (size < 0.01 && size > 0.0) {
        return format!("{}{}", scientific(value), suffixes[0]);
    }
    let mut rest = value;
    let mut suffix = suffixes[0];
    for next in &suffixes[1..] {
        // 999.95 would be written 1000.0.
        if rest.abs() < base - 0.05 {
            break;
        }
        rest /= base;
        suffix = next;
    }
    let decimals = match rest.abs() {
        r if (trim || suffix == suffixes[0]) && (r - r.round()).abs() < 0.005 => 0,
        r if r < 1.0 => 2,
        r if r < 99.95 => 1,
        _ => 0,
    };
    format!("{}{suffix}", fixed(rest, decimals))
}

pub(super) fn scientific(value: f64) -> String {
    let text = format!("{:.1e}", value.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.strip_suffix(".0").unwrap_or(digits);
    let power: String = exponent
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '0' => '⁰',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '4' => '⁴',
            '5' => '⁵',
            '6' => '⁶',
            '7' => '⁷',
            '8' => '⁸',
            '9' => '⁹',
            other => other,
        })
        .collect();
    let sign = if value < 0.0 { "−" } else { "" };
    if digits == "1" { format!("{sign}10{power}") } else { format!("{sign}{digits}·10{power}") }
}

pub(super) fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_a_person_would_write_them() {
        let cases = [
            (0.0, Unit::Plain, "0"),
            (-0.4321, Unit::Plain, "−0.432"),
            (9300.0, Unit::Plain, "9,300"),
            (1.5e-7, Unit::Plain, "1.5·10⁻⁷"),
            (0.8734, Unit::Percent, "87.3%"),
            (9300.0, Unit::Count, "9.3k"),
            (1_000_000.0, Unit::Count, "1M"),
            (999_999.0, Unit::Count, "1M"),
            (512.0, Unit::Bytes, "512 B"),
            (2150.0, Unit::Bytes, "2.1 KiB"),
            (16384.0, Unit::Bytes, "16 KiB"),
            (36.6, Unit::Degrees, "37°"),
            (f64::NAN, Unit::Plain, MISSING),
            (f64::INFINITY, Unit::Bytes, MISSING),
        ];
        for (value, unit, expected) in cases {
            assert_eq!(figure(value, unit), expected, "{value} as {unit:?}");
        }
    }

    #[test]
    fn a_column_keeps_its_decimals() {
        assert_eq!(column(16384.0, Unit::Bytes), "16.0 KiB");
        assert_eq!(column(120.0, Unit::Bytes), "120 B");
        assert_eq!(column(432.0, Unit::Count), "432");
        assert_eq!(column(3000.0, Unit::Count), "3.0k");
        assert_eq!(column(f64::NAN, Unit::Count), MISSING);
    }

    #[test]
    fn a_tick_has_the_decimals_of_its_step() {
        assert_eq!(tick(0.5, 0.1, Unit::Plain), "0.5");
        assert_eq!(tick(0.25, 0.05, Unit::Plain), "0.25");
        assert_eq!(tick(0.85, 0.05, Unit::Percent), "85%");
        assert_eq!(tick(20.0, 20.0, Unit::Degrees), "20°");
        assert_eq!(tick(1e9, 1e9, Unit::Plain), "10⁹");
    }

    #[test]
    fn fixed_groups_thousands_and_never_writes_minus_zero() {
        assert_eq!(fixed(1234567.0, 0), "1,234,567");
        assert_eq!(fixed(123.0, 0), "123");
        assert_eq!(fixed(-1234.5, 1), "−1,234.5");
        assert_eq!(fixed(-0.001, 1), "0.0");
    }
}
