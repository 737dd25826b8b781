//! Numbers as a reader sees them: grouped thousands, few digits, units.

/// Stands for a figure that does not exist or is not finite.
pub(super) const ABSENT: &str = "–";

/// `1234567` as `1,234,567`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Like [`count`], with a minus sign (U+2212) where one is due.
pub(super) fn signed(value: i64) -> String {
    let sign = if value < 0 { "\u{2212}" } else { "" };
    format!("{sign}{}", count(value.unsigned_abs()))
}

/// A difference: like [`signed`], with a plus sign for a gain.
pub(super) fn difference(value: i64) -> String {
    let sign = if value > 0 { "+" } else { "" };
    format!("{sign}{}", signed(value))
}

/// A count short enough for an axis: `200`, `20k`, `1.5M`.
pub(super) fn short_count(value: f64) -> String {
    for (unit, suffix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        // Four digits fit an axis; from five on the suffix is shorter.
        if value >= unit && value >= 1e4 {
            return format!("{}{suffix}", digits(value / unit, 3));
        }
    }
    digits(value, 3)
}

/// Bytes with a binary unit: `812 B`, `1.2 KiB`, `34.6 MiB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if value < 1024 {
        return format!("{value} B");
    }
    // Precise enough: one decimal is shown, and 53 bits hold any size met here.
    let mut scaled = value as f64 / 1024.0;
    let mut unit = "KiB";
    for larger in UNITS.into_iter().skip(1) {
        // 1023.95 would be rounded to "1024.0".
        if scaled < 1023.95 {
            break;
        }
        scaled /= 1024.0;
        unit = larger;
    }
    format!("{scaled:.1} {unit}")
}

/// A duration: `0.8 ms`, `0.041 s`, `4.21 s`, `61.3 s`, `12 min 3 s`, `2 h 5 min`.
pub(super) fn seconds(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        return ABSENT.to_owned();
    }
    if value == 0.0 {
        return "0 s".to_owned();
    }
    if value < 0.001 {
        return format!("{} ms", digits(value * 1e3, 1));
    }
    if value < 119.95 {
        return format!("{} s", digits(value, 3));
    }
    // Saturates far beyond any run.
    let whole = value.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole % 3600 / 60, whole % 60);
    if hours > 0 {
        format!("{hours} h {minutes} min")
    } else {
        format!("{minutes} min {rest} s")
    }
}

/// A rate between 0 and 1 with four decimals. Rounding never turns "almost all" into "all" or
/// "almost none" into "none".
pub(super) fn rate(value: f64) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    if (0.99995..1.0).contains(&value) {
        return "> 0.9999".to_owned();
    }
    if value > 0.0 && value < 0.00005 {
        return "< 0.0001".to_owned();
    }
    format!("{value:.4}")
}

/// A share in percent: `62 %`, `4.1 %`.
pub(super) fn percent(part: f64, whole: f64) -> String {
    let share = 100.0 * part / whole;
    if !share.is_finite() {
        return ABSENT.to_owned();
    }
    if share >= 9.95 || share == 0.0 {
        format!("{share:.0} %")
    } else {
        format!("{share:.1} %")
    }
}

/// A figure with at most `significant` significant digits and no trailing zeros.
pub(super) fn digits(value: f64, significant: i32) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = (significant - 1 - magnitude).clamp(0, 12) as usize;
    let text = format!("{:.decimals$}", value.abs());
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    let sign = if value < 0.0 { "\u{2212}" } else { "" };
    format!("{sign}{text}")
}

/// An expected number of things: grouped from a thousand on, with few digits below.
pub(super) fn expected(value: f64) -> String {
    // Precise enough: nothing met here comes near 2^53.
    if value.is_finite() && value >= 1000.0 {
        count(value.round() as u64)
    } else {
        digits(value, 3)
    }
}

/// A value on an axis whose neighbouring ticks lie `step` apart.
pub(super) fn tick(value: f64, step: f64) -> String {
    if !value.is_finite() || !step.is_finite() || step <= 0.0 {
        return ABSENT.to_owned();
    }
    let decimals = (-(step * 1.0001).log10().floor()).clamp(0.0, 12.0) as usize;
    // Keeps "−0.0" from the axis.
    let value = if value.abs() < step / 2.0 { 0.0 } else { value };
    format!("{value:.decimals$}").replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (value, shown) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (7_654_321, "7,654,321"),
        ] {
            assert_eq!(count(value), shown);
        }
        assert_eq!(signed(-1234), "\u{2212}1,234");
        assert_eq!(signed(i64::MIN), "\u{2212}9,223,372,036,854,775,808");
        assert_eq!(
            (difference(3), difference(0)),
            ("+3".to_owned(), "0".to_owned())
        );
    }

    #[test]
    fn axis_counts_are_short() {
        for (value, shown) in [
            (0.0, "0"),
            (5000.0, "5000"),
            (20_000.0, "20k"),
            (1_500_000.0, "1.5M"),
            (2e9, "2G"),
        ] {
            assert_eq!(short_count(value), shown);
        }
    }

    #[test]
    fn bytes_have_binary_units() {
        for (value, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (36_280_000, "34.6 MiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(bytes(value), shown);
        }
    }

    #[test]
    fn durations_keep_three_digits() {
        for (value, shown) in [
            (0.0, "0 s"),
            (0.0004, "0.4 ms"),
            (0.0412, "0.0412 s"),
            (4.207, "4.21 s"),
            (61.31, "61.3 s"),
            (723.0, "12 min 3 s"),
            (7503.0, "2 h 5 min"),
            (f64::NAN, ABSENT),
            (f64::INFINITY, ABSENT),
        ] {
            assert_eq!(seconds(value), shown);
        }
    }

    #[test]
    fn rates_are_never_rounded_to_perfection() {
        for (value, shown) in [
            (1.0, "1.0000"),
            (0.99123, "0.9912"),
            (0.99996, "> 0.9999"),
            (0.00001, "< 0.0001"),
            (0.0, "0.0000"),
            (f64::NAN, ABSENT),
        ] {
            assert_eq!(rate(value), shown);
        }
        assert_eq!(percent(1.0, 0.0), ABSENT);
        assert_eq!(percent(62.0, 100.0), "62 %");
        assert_eq!(percent(4.12, 100.0), "4.1 %");
    }

    #[test]
    fn digits_follow_magnitude_and_step() {
        assert_eq!(digits(4.2426, 3), "4.24");
        assert_eq!(digits(1.0, 3), "1");
        assert_eq!(digits(-1203.7, 3), "\u{2212}1204");
        assert_eq!(digits(f64::NEG_INFINITY, 3), ABSENT);
        assert_eq!(expected(11_586.7), "11,587");
        assert_eq!(expected(3.5681), "3.57");
        assert_eq!(expected(f64::NAN), ABSENT);
        assert_eq!(tick(0.30000000000000004, 0.1), "0.3");
        assert_eq!(tick(-1e-17, 0.05), "0.00");
        assert_eq!(tick(-4.0, 2.0), "\u{2212}4");
        assert_eq!(tick(0.25, f64::NAN), ABSENT);
    }
}
