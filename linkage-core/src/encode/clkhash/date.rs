//! Days as Python's `datetime.strptime` reads them in English, written `%Y%m%d`.
//!
//! Python turns a format into a regular expression whose alternatives are tried in order, with a
//! step back where the rest does not fit; the same is done here. The digits `\d` are those of every
//! script, letters match in either case, white space in the format stands for any white space.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::number::{self, digit, is_space};
use One::{Any, Blank, Of};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Letters of an abbreviated month or weekday.
const SHORT: usize = 3;

/// Why a format is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "the directive %{0} is not supported; supported are %Y %y %m %b %B %d %j, and, without \
         effect on the day, %a %A %w %H %I %M %S %f %p"
    )]
    Directive(char),
    #[error("a % at the end stands for nothing; write %% for a percent sign")]
    Stray,
    #[error("the directive %{0} occurs twice")]
    Twice(char),
    #[error("%j is the day of the year and does not go with a month or a day of the month")]
    DayOfYear,
}

/// One character of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum One {
    /// An ASCII digit from the one to the other.
    Of(u8, u8),
    /// `\d`: a decimal digit of any script.
    Any,
    /// A blank, which counts for nothing.
    Blank,
}

type Digits = &'static [One];

/// An ASCII digit that is not 0.
const NONZERO: One = Of(1, 9);

/// An ASCII digit.
const DIGIT: One = Of(0, 9);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Literal(char),
    Space,
    /// Alternatives in the order in which they are tried.
    Number(char, &'static [Digits]),
    /// Names and how many of their letters; all, if none is given.
    Name(char, &'static [&'static str], usize),
}

/// The alternatives of a number's directive, as in Python's `_strptime.TimeRE`.
fn alternatives(directive: char) -> Option<&'static [Digits]> {
    Some(match directive {
        'd' => &[
            &[Of(3, 3), Of(0, 1)],
            &[Of(1, 2), Any],
            &[Of(0, 0), NONZERO],
            &[NONZERO],
            &[Blank, NONZERO],
        ],
        'm' | 'I' => &[&[Of(1, 1), Of(0, 2)], &[Of(0, 0), NONZERO], &[NONZERO]],
        'Y' => &[&[Any, Any, Any, Any]],
        'y' => &[&[Any, Any]],
        'H' => &[&[Of(2, 2), Of(0, 3)], &[Of(0, 1), Any], &[Any]],
        'M' => &[&[Of(0, 5), Any], &[Any]],
        'S' => &[&[Of(6, 6), Of(0, 1)], &[Of(0, 5), Any], &[Any]],
        'w' => &[&[Of(0, 6)]],
        'j' => &[
            &[Of(3, 3), Of(6, 6), Of(0, 6)],
            &[Of(3, 3), Of(0, 5), Any],
            &[Of(1, 2), Any, Any],
            &[Of(0, 0), NONZERO, Any],
            &[Of(0, 0), Of(0, 0), NONZERO],
            &[NONZERO, Any],
            &[Of(0, 0), NONZERO],
            &[NONZERO],
        ],
        'f' => &[
            &[DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT],
            &[DIGIT, DIGIT, DIGIT, DIGIT, DIGIT],
            &[DIGIT, DIGIT, DIGIT, DIGIT],
            &[DIGIT, DIGIT, DIGIT],
            &[DIGIT, DIGIT],
            &[DIGIT],
        ],
        _ => return None,
    })
}

/// A format of days.
#[derive(Debug, PartialEq, Eq)]
pub struct DateFormat {
    text: String,
    items: Vec<Item>,
}

/// What was read, in the order of the format.
#[derive(Default)]
struct Found {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    day_of_year: Option<i16>,
    second: i16,
}

impl DateFormat {
    /// Reads a `strptime` format.
    ///
    /// # Errors
    /// [`Error`], naming the directive.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let mut items = Vec::new();
        let mut chars = text.chars();
        let mut seen = String::new();
        while let Some(c) = chars.next() {
            let item = match c {
                '%' => match chars.next().ok_or(Error::Stray)? {
                    '%' => Item::Literal('%'),
                    directive if seen.contains(directive) => return Err(Error::Twice(directive)),
                    directive => {
                        seen.push(directive);
                        Item::directive(directive).ok_or(Error::Directive(directive))?
                    }
                },
                c if is_space(c) => Item::Space,
                c => Item::Literal(c),
            };
            // A run of white space is as one.
            if item != Item::Space || items.last() != Some(&Item::Space) {
                items.push(item);
            }
        }
        if seen.contains('j') && seen.contains(['m', 'b', 'B', 'd']) {
            return Err(Error::DayOfYear);
        }
        Ok(Self {
            text: text.to_owned(),
            items,
        })
    }

    /// The format as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads a day and writes it `%Y%m%d`, the year without zeros before it as glibc does. Whether
    /// it is one.
    pub(super) fn canonical(&self, text: &str, out: &mut String) -> bool {
        out.clear();
        let mut found = Found::default();
        // As in Python, the first way to read the beginning decides; what is left is an error.
        if matches(&self.items, text, &mut found) != Some("") {
            return false;
        }
        let Some(date) = found.date() else {
            return false;
        };
        let parts = [
            (u32::try_from(date.year()), 1),
            (u32::try_from(date.month()), 2),
            (u32::try_from(date.day()), 2),
        ];
        for (part, digits) in parts {
            // No part of a day that was read is negative.
            number::push_padded(out, part.unwrap_or(0), digits);
        }
        true
    }
}

impl Item {
    fn directive(directive: char) -> Option<Self> {
        Some(match directive {
            'b' => Self::Name('b', &MONTHS, SHORT),
            'B' => Self::Name('B', &MONTHS, usize::MAX),
            'a' => Self::Name('a', &WEEKDAYS, SHORT),
            'A' => Self::Name('A', &WEEKDAYS, usize::MAX),
            'p' => Self::Name('p', &["am", "pm"], usize::MAX),
            other => Self::Number(other, alternatives(other)?),
        })
    }
}

/// Matches the beginning of `text`; what is left of it.
fn matches<'a>(items: &[Item], text: &'a str, found: &mut Found) -> Option<&'a str> {
    let Some((item, items)) = items.split_first() else {
        return Some(text);
    };
    match item {
        Item::Literal(c) => {
            let mut chars = text.chars();
            let same = chars.next()?.to_lowercase().eq(c.to_lowercase());
            if same {
                matches(items, chars.as_str(), found)
            } else {
                None
            }
        }
        Item::Space => {
            // Fewer than all of it may be left to what follows, whose only white space is the blank
            // in front of a day.
            let rest = text.trim_start_matches(is_space);
            let taken = text.len() - rest.len();
            let mut ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
            let ends: Vec<usize> = ends.by_ref().take_while(|end| *end <= taken).collect();
            ends.iter()
                .rev()
                .find_map(|end| matches(items, text.get(*end..)?, found))
        }
        Item::Number(directive, alternatives) => alternatives.iter().find_map(|digits| {
            let (value, rest) = take(digits, text)?;
            let left = matches(items, rest, found)?;
            found.set(*directive, value);
            Some(left)
        }),
        Item::Name(directive, names, letters) => (1..).zip(*names).find_map(|(number, name)| {
            let name = name.get(..(*letters).min(name.len()))?;
            let (start, rest) = text.split_at_checked(name.len())?;
            if !start.eq_ignore_ascii_case(name) {
                return None;
            }
            let left = matches(items, rest, found)?;
            found.set(*directive, number);
            Some(left)
        }),
    }
}

/// The number that the text begins with, if it has these digits.
fn take(digits: Digits, text: &str) -> Option<(i16, &str)> {
    let mut chars = text.chars();
    let mut value = 0_i16;
    for one in digits {
        let c = chars.next()?;
        let digit = match one {
            Blank if c == ' ' => continue,
            Blank => return None,
            Any => digit(c)?,
            Of(..) if !c.is_ascii() => return None,
            Of(from, to) => digit(c).filter(|digit| (*from..=*to).contains(digit))?,
        };
        // Six digits are only in a second's fraction, which no day depends on.
        value = value.wrapping_mul(10).wrapping_add(i16::from(digit));
    }
    Some((value, chars.as_str()))
}

impl Found {
    /// Called from the last directive to the first; where two say the same, the last counts.
    fn set(&mut self, directive: char, value: i16) {
        let small = i8::try_from(value).ok();
        match directive {
            'Y' => self.year = self.year.or(Some(value)),
            // POSIX: 69 to 99 are of the 20th century, 0 to 68 of the 21st.
            'y' if value <= 68 => self.year = self.year.or(Some(2000 + value)),
            'y' => self.year = self.year.or(Some(1900 + value)),
            'm' | 'b' | 'B' => self.month = self.month.or(small),
            'd' => self.day = self.day.or(small),
            'j' => self.day_of_year = Some(value),
            'S' => self.second = value,
            _ => {}
        }
    }

    fn date(&self) -> Option<Date> {
        let year = self.year.unwrap_or(1900);
        let date = Date::new(year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?;
        let days = i64::from(self.day_of_year.unwrap_or(1)) - 1;
        // A leap second is read, and is no time of any day.
        (year >= 1 && self.second < 60)
            .then(|| date.checked_add(days.days()).ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, text: &str) -> Option<String> {
        let mut out = String::new();
        let format = DateFormat::parse(format).unwrap();
        format.canonical(text, &mut out).then_some(out)
    }

    #[test]
    fn days_are_read_as_python_does() {
        for (format, text, day) in [
            ("%Y-%m-%d", "2000-01-02", "20000102"),
            ("%Y-%m-%d", "2000-1- 2", "20000102"),
            ("%Y-%m-%d", "0999-01-01", "9990101"),
            ("%Y-%m-%d", "２０００-01-02", "20000102"),
            ("%d%m%Y", "1122000", "20000211"),
            ("%d%m%Y", "112000", "20000101"),
            ("%d/%m/%y", "31/12/68", "20681231"),
            ("%d/%m/%y", "31/12/69", "19691231"),
            ("%d %b %Y", " 2  FEB\u{a0}2000", "20000202"),
            ("%d.%B %Y", "2.may 2000", "20000502"),
            ("%A, %d %B %Y", "monday, 1 January 1900", "19000101"),
            ("%Y %j", "2001 60", "20010301"),
            ("%Y %j", "2001 366", "20020101"),
            ("%Y", "2000", "20000101"),
            ("%d/%m", "28/02", "19000228"),
            ("%m %d", "1   2", "19000102"),
            ("%m %d", "1 2", "19000102"),
            (
                "%H:%M:%S.%f %p %w %Y",
                "23:59:59.123456 pm 0 2000",
                "20000101",
            ),
            ("T%m(.)%%", "t1(.)%", "19000101"),
            ("%y %Y", "01 1999", "19990101"),
            ("%Y %y", "1999 01", "20010101"),
            ("", "", "19000101"),
        ] {
            assert_eq!(read(format, text).as_deref(), Some(day), "{format} {text}");
        }
        for (format, text) in [
            ("%Y-%m-%d", ""),
            ("%Y-%m-%d", "2000-01-02 "),
            ("%Y-%m-%d", "99-01-01"),
            ("%Y-%m-%d", "0000-01-01"),
            ("%Y-%m-%d", "2001-02-29"),
            ("%Y-%m-%d", "2000- 1-02"),
            ("%Y-%m-%d", "2000-00-02"),
            ("%d/%m", "29/02"),
            ("%y", "7"),
            ("%H:%M:%S %Y", "23:59:60 2000"),
            ("%H:%M:%S %Y", "24:00:00 2000"),
            ("%Y %j", "2001 000"),
            ("%Y %j", "9999 366"),
            (" %m", "1"),
            ("%b", "é"),
        ] {
            assert_eq!(read(format, text), None, "{format} {text}");
        }
    }

    #[test]
    fn formats_that_are_not_supported_are_refused_by_name() {
        for (format, error) in [
            ("%z", Error::Directive('z')),
            ("%-d", Error::Directive('-')),
            ("%U %Y", Error::Directive('U')),
            ("%Y%", Error::Stray),
            ("%Y %Y", Error::Twice('Y')),
            ("%Y %m %j", Error::DayOfYear),
        ] {
            assert_eq!(DateFormat::parse(format), Err(error), "{format}");
        }
    }
}
