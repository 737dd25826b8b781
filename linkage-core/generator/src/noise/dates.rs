//! Birth-date errors.

use std::sync::LazyLock;

use jiff::ToSpan;
use jiff::civil::{Date, date};

use crate::errors::Kind;
use crate::stream::{Stream, Weighted};

/// The mix in per cent: reasoned defaults, as [`super::rates`].
static MIX: LazyLock<Weighted<Kind>> = LazyLock::new(|| {
    Weighted::new([
        (Kind::DigitWrong, 35),
        (Kind::DayMonthSwapped, 15),
        (Kind::LunarDate, 20),
        (Kind::YearOff, 15),
        (Kind::FirstOfJanuary, 10),
        (Kind::Missing, 5),
    ])
});

/// A wrong date, or none, and what happened. A kind that a date cannot suffer (day 13 as month)
/// is drawn again.
pub(crate) fn mistaken(stream: &mut Stream, of: Date) -> (Option<Date>, Kind) {
    for _ in 0..20 {
        let kind = MIX.pick(stream);
        if kind == Kind::Missing {
            break;
        }
        // Not every changed digit gives a day.
        let mut attempts = (0..8).map(|_| changed(stream, of, kind));
        let wrong = attempts.find_map(|wrong| wrong.filter(|&wrong| wrong != of));
        if wrong.is_some() {
            return (wrong, kind);
        }
    }
    (None, Kind::Missing)
}

fn changed(stream: &mut Stream, of: Date, kind: Kind) -> Option<Date> {
    match kind {
        Kind::DigitWrong => digit_wrong(stream, of),
        Kind::DayMonthSwapped => Date::new(of.year(), of.day(), of.month()).ok(),
        // The lunar calendar runs 19 to 50 days behind.
        Kind::LunarDate => Some(of.saturating_sub(i64::from(stream.between(19, 50)).days())),
        Kind::YearOff => {
            let by = if stream.chance(5_000) { 1 } else { -1 };
            Some(of.saturating_add(by.years()))
        }
        Kind::FirstOfJanuary => Some(date(of.year(), 1, 1)),
        _ => None,
    }
}

/// The date with one digit of year's end, month or day changed, if that is a day.
fn digit_wrong(stream: &mut Stream, of: Date) -> Option<Date> {
    // Of year's end, month and day the ones or the tens.
    let place = stream.below(6);
    let digit = stream.below(10) as i16;
    let changed = |value: i16| {
        let (tens, ones) = (value / 10 % 10, value % 10);
        let rest = value - tens * 10 - ones;
        rest + if place.is_multiple_of(2) {
            digit * 10 + ones
        } else {
            tens * 10 + digit
        }
    };
    let (year, month, day) = (of.year(), i16::from(of.month()), i16::from(of.day()));
    let (year, month, day) = match place {
        0 | 1 => (changed(year), month, day),
        2 | 3 => (year, changed(month), day),
        _ => (year, month, changed(day)),
    };
    Date::new(year, month as i8, day as i8).ok()
}
