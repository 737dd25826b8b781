//! Birth-date errors.

use std::sync::LazyLock;

use jiff::ToSpan;
use jiff::civil::{Date, date};

use crate::record::Kind;
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

/// A wrong date, or none, and what happened.
pub(crate) fn mistaken(stream: &mut Stream, of: Date) -> (Option<Date>, Kind) {
    for _ in 0..20 {
        let kind = MIX.pick(stream);
        let wrong = match kind {
            Kind::DigitWrong => digit_wrong(stream, of),
            Kind::DayMonthSwapped => Date::new(of.year(), of.day(), of.month()).ok(),
            // The lunar calendar runs 19 to 50 days behind.
            Kind::LunarDate => Some(of.saturating_sub(i64::from(stream.between(19, 50)).days())),
            Kind::YearOff => {
                let by = if stream.chance(5_000) { 1 } else { -1 };
                Some(of.saturating_add(by.years()))
            }
            Kind::FirstOfJanuary => Some(date(of.year(), 1, 1)),
            _ => return (None, Kind::Missing),
        };
        if let Some(wrong) = wrong.filter(|&wrong| wrong != of) {
            return (Some(wrong), kind);
        }
    }
    (None, Kind::Missing)
}

/// The date with one digit of year's end, month or day changed, if that is a day.
fn digit_wrong(stream: &mut Stream, of: Date) -> Option<Date> {
    let mut digits = of.strftime("%Y%m%d").to_string().into_bytes();
    let place = 2 + stream.below(6) as usize;
    *digits.get_mut(place)? = b'0' + stream.below(10) as u8;
    Date::strptime("%Y%m%d", digits).ok()
}
