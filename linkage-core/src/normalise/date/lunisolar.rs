//! 农历, the Chinese lunisolar calendar.

use chinese_lunisolar_calendar::LunisolarDate;

use crate::record::Day;

/// The civil day of a lunisolar date; `None` for one that the calendar lacks or that lies before
/// 1901-02-19, where its table begins. `year` is the civil year in which the lunisolar one begins.
pub(super) fn to_civil(year: u32, month: u32, leap: bool, day: u32) -> Option<Day> {
    let (year, month, day) = (
        u16::try_from(year).ok()?,
        u8::try_from(month).ok()?,
        u8::try_from(day).ok()?,
    );
    let date = LunisolarDate::from_ymd(year, month, leap, day).ok()?;
    let civil = date.to_solar_date();
    Some(Day {
        year: civil.to_solar_year().to_u16(),
        month: civil.to_solar_month().to_u8(),
        day: civil.to_solar_day().to_u8(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::normalise::date;

    #[test]
    fn known_days() {
        for ((year, month, leap, day), civil) in [
            ((1985, 8, false, 15), (1985, 9, 29)),
            ((1984, 10, true, 15), (1984, 12, 7)),
            ((1985, 12, false, 29), (1986, 2, 7)),
            ((2024, 1, false, 1), (2024, 2, 10)),
        ] {
            let found = to_civil(year, month, leap, day).unwrap();
            assert_eq!((found.year, found.month, found.day), civil);
        }
        assert!(to_civil(1985, 8, true, 15).is_none());
        assert!(to_civil(1985, 13, false, 1).is_none());
        assert!(to_civil(1900, 1, false, 1).is_none());
    }

    proptest! {
        #[test]
        fn every_date_gives_a_day_or_none(
            year in 0..=3000_u32, month in 0..=14_u32, leap: bool, day in 0..=40_u32,
        ) {
            if let Some(found) = to_civil(year, month, leap, day) {
                prop_assert!(date::exists(found.year.into(), found.month.into(), found.day.into()));
            }
        }
    }
}
