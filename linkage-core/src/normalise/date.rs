//! Calendar days in the spellings that departments use.

use super::Parsed;
use crate::record::{Day, FieldState, Finding, NormalValue};
use crate::schema::Field;

/// Earliest year accepted as a date in a person's or enterprise's record.
const YEAR_MIN: u16 = 1850;

/// Reads a cleaned date. One after `today` is invalid.
pub(super) fn parse(clean: &str, _field: &Field, today: Day) -> Parsed {
    match day(clean) {
        Some(day) if is_placeholder(day) => (None, FieldState::Placeholder),
        Some(day) if day <= today => (Some(NormalValue::day(day)), FieldState::Valid),
        _ => (None, FieldState::Invalid(Finding::BadDate)),
    }
}

/// Reads `yyyymmdd`, `yyyy-m-d`, `yyyy/m/d`, `yyyy.m.d` and `yyyy年m月d日`; a time of day after a
/// blank or `t` is ignored. Anything else, and any day that the calendar does not have, is `None`.
fn day(clean: &str) -> Option<Day> {
    let date = clean.split([' ', 't']).next()?;
    let date = date.trim_end_matches('日').trim_end_matches('号');
    let parts: Vec<&str> = if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) {
        vec![date.get(0..4)?, date.get(4..6)?, date.get(6..8)?]
    } else {
        date.split(['-', '/', '.', '年', '月']).collect()
    };
    let &[year, month, day] = parts.as_slice() else {
        return None;
    };
    let year: u16 = number(year, 4..=4)?;
    let month: u8 = number(month, 1..=2)?;
    let day: u8 = number(day, 1..=2)?;
    // The calendar's rules come from jiff; only ranges that its integer types need are cast here.
    let known = i16::try_from(year)
        .ok()
        .zip(i8::try_from(month).ok())
        .zip(i8::try_from(day).ok());
    let ((y, m), d) = known?;
    jiff::civil::Date::new(y, m, d).ok()?;
    Some(Day { year, month, day })
}

fn number<T: std::str::FromStr>(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<T> {
    let digits = lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Days that programs write when they have none: the epochs of spreadsheets, Unix and databases,
/// the first and last representable day, and years before [`YEAR_MIN`].
fn is_placeholder(day: Day) -> bool {
    day.year < YEAR_MIN
        || matches!(
            (day.year, day.month, day.day),
            (1899, 12, 30 | 31) | (1900, 1, 1) | (1911, 11, 11) | (1970, 1, 1) | (9999, 12, 31)
        )
}
