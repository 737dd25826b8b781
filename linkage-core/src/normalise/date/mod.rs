//! Calendar days in the spellings that departments use, brought to `yyyymmdd`.
//!
//! A value that says only the year or the month is invalid ([`Finding::YearOnly`]): as a part of a
//! link key it would join everyone of that name and year. A default such as 1 January cannot be
//! told from a birthday in one value; its share in the source tells.

mod lunisolar;
mod scan;

use jiff::Span;

use super::Parsed;
use crate::record::{Day, FieldState, Finding, NormalValue};
use crate::schema::{Calendar, Field};

/// Earliest year accepted as a date in a person's or enterprise's record.
pub(super) const YEAR_MIN: u16 = 1850;

/// Last serial number of a day that is read as one: 2064-04-08.
const SERIAL_MAX: i64 = 60_000;

/// Four digits in this range are a year, not a serial number (of a day in 1905).
const YEARS: std::ops::RangeInclusive<u64> = 1850..=2100;

/// China Standard Time and the summer time of 1986 to 1991 are 8 and 9 hours ahead of UTC. Systems
/// store a day as its first moment, local or UTC: 9 hours later it is that day in every case.
const EPOCH_SHIFT_MS: i64 = 9 * 3_600_000;

const DAY_MS: i64 = 86_400_000;

/// Year, month and day as written.
struct Parts {
    year: u32,
    /// Digits of the year.
    year_digits: u32,
    month: u32,
    /// Whether the month is a leap month of the lunisolar calendar.
    leap: bool,
    day: u32,
}

/// Reads a cleaned date. One after `today` is invalid; today itself is what forms are filled with
/// when the date is not known.
///
/// The canonical form is a day of the civil calendar. It stays as it is when read again, except
/// under a field that declares its source to write lunisolar dates.
pub(super) fn parse(clean: &str, field: &Field, today: Day) -> Parsed {
    match read(clean, field) {
        Ok(day) if is_placeholder(day) || day == today => (None, FieldState::Placeholder),
        Ok(day) if day < today => (Some(NormalValue::day(day)), FieldState::Valid),
        Ok(_) => (None, FieldState::Invalid(Finding::BadDate)),
        Err(finding) => (None, FieldState::Invalid(finding)),
    }
}

/// The day that these numbers name, if the Gregorian calendar has it.
pub(super) fn day(year: u32, month: u32, day: u32) -> Option<Day> {
    exists(year, month, day).then_some(())?;
    Some(Day {
        year: u16::try_from(year).ok()?,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
    })
}

/// Whether the Gregorian calendar has this day.
pub(super) fn exists(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    (1..=9999).contains(&year) && (1..=days).contains(&day)
}

/// Reads `yyyymmdd`, `yyyymmddhhmmss`, `yyyy-m-d` (also with `/`, `.`, a blank or 年 月 日 between),
/// Chinese numerals, serial numbers of spreadsheets, milliseconds since 1970 and, where the field
/// says which century, two-digit years. A time of day after a blank or `t` is ignored.
fn read(clean: &str, field: &Field) -> Result<Day, Finding> {
    let (calendar, text) = calendar(clean, field.calendar);
    let date = text.split([' ', 't']).next().unwrap_or(text);
    // Programs that take the column for numbers write a fraction.
    let date = match date.split_once('.') {
        Some((days, fraction))
            if fraction == "0" || days.len() == 5 && number(fraction).is_some() =>
        {
            days
        }
        _ => date,
    };
    // A short number with more behind it is the year of `1985 3 7`.
    let alone = date.len() >= 5 || date.len() == text.len() || text.contains('.');
    if let Some(value) = number(date)
        && alone
    {
        return digits(value, date.len(), calendar, field);
    }
    if let Some(milliseconds) = date.strip_prefix('-').and_then(number) {
        return epoch(-milliseconds).ok_or(Finding::BadDate);
    }
    resolve(&scan::parts(text)?, calendar, field)
}

/// The calendar that the value itself names, else the source's.
fn calendar(clean: &str, declared: Calendar) -> (Calendar, &str) {
    // Nearly every value starts with a digit.
    if clean.starts_with(|c: char| c.is_ascii_digit()) {
        return (declared, clean);
    }
    for (word, calendar) in [
        ("农历", Calendar::Lunisolar),
        ("阴历", Calendar::Lunisolar),
        ("公历", Calendar::Gregorian),
        ("阳历", Calendar::Gregorian),
    ] {
        if let Some(rest) = clean.strip_prefix(word) {
            return (calendar, rest.trim_start_matches([':', ' ']));
        }
    }
    (declared, clean)
}

/// Reads a date of nothing but digits, which their number tells apart.
fn digits(value: i64, length: usize, calendar: Calendar, field: &Field) -> Result<Day, Finding> {
    let unsigned = u64::try_from(value).map_err(|_| Finding::BadDate)?;
    match length {
        6 => resolve(&Parts::packed(unsigned, 2), calendar, field),
        8 => resolve(&Parts::packed(unsigned, 4), calendar, field),
        14 => resolve(&Parts::packed(unsigned / 1_000_000, 4), calendar, field),
        4 if YEARS.contains(&unsigned) => Err(Finding::YearOnly),
        1..=5 => serial(value).ok_or(Finding::BadDate),
        // Eleven digits that start like a mobile number are one, not a day of 1970.
        11 if !(13_000_000_000..20_000_000_000).contains(&unsigned) => {
            epoch(value).ok_or(Finding::BadDate)
        }
        12 | 13 => epoch(value).ok_or(Finding::BadDate),
        _ => Err(Finding::BadDate),
    }
}

impl Parts {
    /// Reads `yyyymmdd`, or `yymmdd` if the year has two digits.
    fn packed(number: u64, year_digits: u32) -> Self {
        let part = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            year: part(number / 10_000),
            year_digits,
            month: part(number / 100 % 100),
            leap: false,
            day: part(number % 100),
        }
    }
}

/// The day that the parts name in `calendar`.
fn resolve(parts: &Parts, calendar: Calendar, field: &Field) -> Result<Day, Finding> {
    let year = match (parts.year_digits, field.two_digit_years_to) {
        (4, _) => parts.year,
        (2, Some(last)) => {
            let last = u32::from(last);
            let year = last - last % 100 + parts.year;
            if year > last { year - 100 } else { year }
        }
        _ => return Err(Finding::BadDate),
    };
    if parts.month == 0 || parts.day == 0 {
        return Err(Finding::YearOnly);
    }
    let day = match calendar {
        Calendar::Gregorian if parts.leap => None,
        Calendar::Gregorian => day(year, parts.month, parts.day),
        Calendar::Lunisolar => lunisolar::to_civil(year, parts.month, parts.leap, parts.day),
    };
    day.ok_or(Finding::BadDate)
}

/// The day with this serial number in a spreadsheet. Number 60 is 29 February 1900, which never was
/// (the spreadsheets keep a mistake of the first one); the days before it are one off.
fn serial(number: i64) -> Option<Day> {
    let days = match number {
        1..=59 => number + 1,
        61..=SERIAL_MAX => number,
        _ => return None,
    };
    civil(jiff::civil::date(1899, 12, 30), days)
}

/// The day that holds this moment, in milliseconds since 1970-01-01T00:00Z.
fn epoch(milliseconds: i64) -> Option<Day> {
    let days = milliseconds.checked_add(EPOCH_SHIFT_MS)?.div_euclid(DAY_MS);
    civil(jiff::civil::date(1970, 1, 1), days)
}

/// The day `days` after `start`.
fn civil(start: jiff::civil::Date, days: i64) -> Option<Day> {
    let date = start.checked_add(Span::new().try_days(days).ok()?).ok()?;
    day(
        u32::try_from(date.year()).ok()?,
        u32::try_from(date.month()).ok()?,
        u32::try_from(date.day()).ok()?,
    )
}

/// The number that a text of ASCII digits and nothing else writes.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
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

#[cfg(test)]
mod tests;
