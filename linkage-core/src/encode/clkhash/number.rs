//! Numbers as Python 3.11 reads them from text.

use std::fmt::Write as _;

/// Most digits of an integer: the bound of Python's `int` since 3.11
/// (`sys.int_info.default_max_str_digits`).
const DIGITS_MAX: usize = 4300;

/// The zero of every run of ten decimal digits in Unicode 14.0 (general category Nd), the version
/// that Python 3.11 knows.
#[rustfmt::skip]
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
    0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650,
    0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50,
    0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// The value of a decimal digit of any script.
pub(super) fn digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    let code = u32::from(c);
    let run = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    let value = code - ZEROS.get(run)?;
    u8::try_from(value).ok().filter(|value| *value < 10)
}

/// White space as `str.isspace` knows it: Unicode's and four control characters.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Writes text with digits of any script in ASCII and without white space around, to which the four
/// control characters do not belong here; nothing when another character is not ASCII.
fn plain(text: &str, out: &mut String) -> Option<()> {
    out.clear();
    for c in text.trim().chars() {
        match digit(c) {
            Some(digit) => out.push(char::from(b'0' + digit)),
            None if c.is_ascii() => out.push(c),
            None => return None,
        }
    }
    Some(())
}

/// Whether every underscore stands between two digits. Removes them.
fn without_underscores(text: &mut String) -> bool {
    if !text.contains('_') {
        return true;
    }
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let good = bytes.iter().enumerate().all(|(at, byte)| {
        *byte != b'_' || is_digit(at.checked_sub(1)) && is_digit(at.checked_add(1))
    });
    text.retain(|c| c != '_');
    good
}

/// Reads an integer as `int(text, 10)` and writes it as `str` does. Whether it is one; if not,
/// `out` holds nothing of use.
pub(super) fn integer(text: &str, out: &mut String) -> bool {
    // Most are written canonically.
    let plain_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if plain_digits && !text.starts_with('0') && (1..=DIGITS_MAX).contains(&text.len()) {
        out.clear();
        out.push_str(text);
        return true;
    }
    if plain(text, out).is_none() || !without_underscores(out) {
        return false;
    }
    let digits = out.strip_prefix(['+', '-']).unwrap_or(out);
    let bytes = digits.as_bytes();
    if bytes.is_empty() || bytes.len() > DIGITS_MAX || !bytes.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let start = out.len() - digits.trim_start_matches('0').len();
    if start == out.len() {
        out.replace_range(.., "0");
    } else {
        let sign = if out.starts_with('-') { "-" } else { "" };
        out.replace_range(..start, sign);
    }
    true
}

/// Whether a canonical integer is less than another number.
pub(super) fn less(canonical: &str, bound: i64) -> bool {
    // Out of range of an i128 only the sign counts.
    let value = canonical.parse::<i128>();
    value.map_or(canonical.starts_with('-'), |value| {
        value < i128::from(bound)
    })
}

/// Whether a canonical integer is greater than another number.
pub(super) fn greater(canonical: &str, bound: i64) -> bool {
    let value = canonical.parse::<i128>();
    value.map_or(!canonical.starts_with('-'), |value| {
        value > i128::from(bound)
    })
}

/// Why text is no number for the numeric comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotNumber {
    /// Neither an integer nor a finite decimal number.
    Text,
    /// Beyond what 128 bits hold.
    TooLarge,
}

/// Greatest number times ten to the precision; a 128-bit number holds it times all resolutions.
const SCALED_MAX: i128 = 10_i128.pow(33);

/// Reads a number, times ten to the `precision`: an integer exactly, else a double; that rounded
/// half to even, or cut off when the precision is 0.
pub(super) fn scaled(text: &str, precision: u32, buffer: &mut String) -> Result<i128, NotNumber> {
    let scale = 10_i128.pow(precision);
    let value = if integer(text, buffer) {
        let value = buffer.parse::<i128>().ok();
        value.and_then(|value| value.checked_mul(scale))
    } else {
        let number = float(text, buffer).ok_or(NotNumber::Text)?;
        if precision == 0 {
            whole(number.trunc())
        } else {
            whole((number * scale as f64).round_ties_even())
        }
    };
    value
        .filter(|value| value.abs() <= SCALED_MAX)
        .ok_or(NotNumber::TooLarge)
}

/// A whole double as an integer, if 128 bits hold it.
pub(super) fn whole(number: f64) -> Option<i128> {
    (number.abs() < 1e38).then_some(number as i128)
}

/// Reads a finite number as `float(text)`.
fn float(text: &str, buffer: &mut String) -> Option<f64> {
    plain(text, buffer)?;
    if !without_underscores(buffer) {
        return None;
    }
    // Names of what is not finite have other letters.
    let usual = |byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    if !buffer.bytes().all(usual) {
        return None;
    }
    buffer
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

/// Appends a number in decimal.
pub(super) fn push(out: &mut String, number: i128) {
    // Writing to a string does not fail.
    let _ = write!(out, "{number}");
}

/// Appends a number with so many digits at least, without the machinery of formatting.
pub(super) fn push_padded(out: &mut String, number: u32, digits_min: usize) {
    let mut digits = [b'0'; 10];
    let mut used = 0;
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        if left == 0 && used >= digits_min.max(1) {
            break;
        }
        // One decimal digit.
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
        used += 1;
    }
    let (_, written) = digits.split_at(digits.len() - used);
    // Digits are ASCII.
    out.push_str(std::str::from_utf8(written).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let mut out = String::new();
        integer(text, &mut out).then_some(out)
    }

    #[test]
    fn integers_are_read_as_python_does() {
        for (text, value) in [
            ("5", "5"),
            ("\t 007\n", "7"),
            ("-0", "0"),
            ("+12", "12"),
            ("-012", "-12"),
            ("1_000", "1000"),
            ("0_0", "0"),
            ("١٢", "12"),
            ("\u{2003}٣\u{85}", "3"),
            ("-１_２", "-12"),
            ("𝟗𝟎", "90"),
        ] {
            assert_eq!(read(text).as_deref(), Some(value), "{text:?}");
        }
        for text in [
            "",
            " ",
            "+",
            "- 1",
            "1__0",
            "_1",
            "1_",
            "+_1",
            "1.0",
            "1e3",
            "\x1c5",
            "\x1c٥",
            "5\u{200b}",
            "½",
            "二",
            "0x1",
            "1 2",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&"1".repeat(4300)).map(|out| out.len()), Some(4300));
        assert_eq!(read(&"0".repeat(4301)), None);
    }

    #[test]
    fn numbers_are_written_with_zeros_before_them() {
        let written = |number, digits| {
            let mut out = String::new();
            push_padded(&mut out, number, digits);
            out
        };
        assert_eq!(written(0, 0), "0");
        assert_eq!(written(7, 2), "07");
        assert_eq!(written(1234, 2), "1234");
        assert_eq!(written(u32::MAX, 1), u32::MAX.to_string());
    }

    #[test]
    fn bounds_hold_for_numbers_of_any_length() {
        let long = "9".repeat(60);
        assert!(less("-5", -4) && !less("-4", -4) && less(&format!("-{long}"), i64::MIN));
        assert!(greater("5", 4) && !greater("4", 4) && greater(&long, i64::MAX));
        assert!(!less(&long, 3) && !greater(&format!("-{long}"), 3));
    }

    #[test]
    fn decimal_numbers_are_read_as_python_does() {
        let read = |text, precision| scaled(text, precision, &mut String::new());
        assert_eq!(read("1.9", 0), Ok(1));
        assert_eq!(read("-1.9", 0), Ok(-1));
        assert_eq!(read(" 1_0.5 ", 1), Ok(105));
        assert_eq!(read("٥.٥", 1), Ok(55));
        assert_eq!(read("+.5e1", 0), Ok(5));
        assert_eq!(read("5.", 0), Ok(5));
        // Half to even, on the double next to the decimal number.
        assert_eq!(read("0.125", 2), Ok(12));
        assert_eq!(read("0.375", 2), Ok(38));
        assert_eq!(read("1.005", 2), Ok(100));
        for text in [
            "", "abc", "inf", "nan", "1e999", "1_.5", "1._5", "1e", ".", "0x10",
        ] {
            assert_eq!(read(text, 1), Err(NotNumber::Text), "{text}");
        }
        assert_eq!(read("1e36", 0), Err(NotNumber::TooLarge));
        assert_eq!(read(&"1".repeat(60), 0), Err(NotNumber::TooLarge));
    }
}
