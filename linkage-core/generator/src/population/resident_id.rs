//! Resident identity numbers (GB 11643-1999) that belong to no one.
//!
//! A number is region (6 digits), birth date (8), sequence (3, odd for men) and an ISO 7064
//! MOD 11-2 check character. Form and check are valid here; the region makes the number
//! impossible:
//!
//! * Born in 1985 or later: the code of a county whose whole prefecture left the code lists of
//!   GB/T 2260 after that of 1982. A number carries the code in force when the person was first
//!   registered, hence no earlier than birth; this code was no longer in force.
//! * Born earlier: the same prefecture with a county part 50 higher. No list since the first, of
//!   1980, holds such a county, and numbering began in 1984-85, after the prefecture itself was
//!   gone. These codes are unknown to region tables, so a normaliser that knows the province
//!   should warn of them, not refuse them. Withdrawn codes do not serve here: people born before
//!   1985 got their numbers when numbering began, and an office may have used an outdated list.
//!
//! **Numbers are distinct by construction.** Every county has 90 885 slots (day of the year,
//! quarter of the sequence). A household owns five consecutive ordinals of its county, one per
//! member, and a permutation of the county's slots, seeded, turns an ordinal into a slot, so two
//! people of a county never share day and quarter. A twin takes the second half of its sibling's
//! quarter and so the same day. This also bounds the population.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::person::Sex;
use crate::data::regions::{
    GUANGDONG, LAST_YEAR, OTHER_PROVINCES, Prefecture, counties, county_code,
};
use crate::permutation::Permutation;
use crate::stream::{Purpose, mix};

/// First birth year that takes a withdrawn code; [`LAST_YEAR`] is the last year of those codes.
const WITHDRAWN_SINCE: i16 = 1985;
const _: () = assert!(LAST_YEAR + 2 < WITHDRAWN_SINCE);

/// Added to a county part, it gives one that was never issued: the standard numbers counties of a
/// prefecture from 21, and none of the listed prefectures reached 39.
const NEVER_ISSUED: u32 = 50;

const DAYS: u32 = 365;
/// Quarters of the 996 sequences that are used: 1-4, 5-8, ..., 993-996.
const QUARTERS: u32 = 249;
/// Slots per county.
const SLOTS: u32 = DAYS * QUARTERS;
const MEMBERS_MAX: u32 = 5;

/// Of 17 households 4 come from other provinces: 23.5 %, as the census of 2020 counted.
const CYCLE: u32 = 17;
const LOCAL: u32 = 13;

/// The most households whose members have distinct numbers.
pub(super) const HOUSEHOLDS_MAX: u32 = counties(GUANGDONG) * (SLOTS / MEMBERS_MAX) / LOCAL * CYCLE;
const _: () =
    assert!(HOUSEHOLDS_MAX / CYCLE * (CYCLE - LOCAL) < counties(OTHER_PROVINCES) * (SLOTS / 5));

/// Where a household was first registered.
#[derive(Debug)]
pub(super) struct Registration {
    county: u32,
    first_ordinal: u32,
}

impl Registration {
    /// The registration of the household with this index, below [`HOUSEHOLDS_MAX`].
    pub(super) fn of_household(household: u32) -> Self {
        let (round, place) = (household / CYCLE, household % CYCLE);
        let (list, ordinal): (&[Prefecture], u32) = if place < LOCAL {
            (GUANGDONG, round * LOCAL + place)
        } else {
            (OTHER_PROVINCES, round * (CYCLE - LOCAL) + place - LOCAL)
        };
        let count = counties(list);
        // The remainder is always listed; 0 could only come from an empty list.
        let county = county_code(list, ordinal % count).unwrap_or_default();
        Self {
            county,
            first_ordinal: ordinal / count * MEMBERS_MAX,
        }
    }

    /// Birth date and number of the member at `place` (0 to 4); a twin passes its sibling's place.
    pub(super) fn issue(
        &self,
        seed: u64,
        place: u32,
        twin: bool,
        birth_year: i16,
        sex: Sex,
    ) -> (Date, String) {
        let key = mix([seed, Purpose::ResidentId as u64, u64::from(self.county), 0]);
        let slots = Permutation::new(u64::from(SLOTS), key);
        let slot = slots.apply(u64::from(self.first_ordinal + place)) as u32;
        let day = date(birth_year, 1, 1).saturating_add(i64::from(slot % DAYS).days());
        let half = if twin { 3 } else { 1 };
        let sequence = slot / DAYS * 4 + half + u32::from(sex == Sex::Female);
        let region = if birth_year >= WITHDRAWN_SINCE {
            self.county
        } else {
            self.county + NEVER_ISSUED
        };
        (day, number(region, day, sequence))
    }
}

fn number(region: u32, day: Date, sequence: u32) -> String {
    let body = format!("{region:06}{}{sequence:03}", day.strftime("%Y%m%d"));
    let check = check_character(&body);
    format!("{body}{check}")
}

/// The check character of the first 17 digits (GB 11643-1999: ISO 7064 MOD 11-2). Weights are
/// powers of 2 modulo 11, so they need no table.
pub fn check_character(digits: &str) -> char {
    let sum = digits.bytes().take(17).fold(0, |sum, digit| {
        (sum + u32::from(digit.wrapping_sub(b'0'))) * 2 % 11
    });
    match (12 - sum) % 11 {
        10 => 'X',
        value => char::from_digit(value, 10).unwrap_or('X'),
    }
}

/// Whether the text has the form of a number: 17 digits, a real date, a right check character.
pub fn is_well_formed(text: &str) -> bool {
    let (Some(body), Some(last)) = (text.get(..17), text.get(17..)) else {
        return false;
    };
    body.bytes().all(|byte| byte.is_ascii_digit())
        && text
            .get(6..14)
            .is_some_and(|date| Date::strptime("%Y%m%d", date).is_ok())
        && last.chars().eq([check_character(body)])
}

/// Whether a well-formed number is impossible for the reasons given in the module documentation.
pub fn belongs_to_no_one(text: &str) -> bool {
    let part = |range| {
        text.get(range)
            .and_then(|digits: &str| digits.parse::<u32>().ok())
    };
    let (Some(code), Some(county), Some(year)) = (part(0..4), part(4..6), part(6..10)) else {
        return false;
    };
    let prefectures = GUANGDONG.iter().chain(OTHER_PROVINCES);
    let Some(prefecture) = prefectures.into_iter().find(|p| p.code == code) else {
        return false;
    };
    let withdrawn = (prefecture.first_county..=prefecture.last_county).contains(&county);
    withdrawn && year >= WITHDRAWN_SINCE.unsigned_abs().into() || county > NEVER_ISSUED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_examples_have_valid_checks() {
        // The two examples of GB 11643.
        assert!(is_well_formed("11010519491231002X"));
        assert!(is_well_formed("440524188001010014"));
        assert!(!is_well_formed("110105194912310021"));
        assert!(!is_well_formed("110105194913310021"));
        assert!(!is_well_formed("11010519491231002"));
        assert!(!is_well_formed("11010519491231002X0"));
        assert!(!is_well_formed("一二三"));
        assert!(!belongs_to_no_one("11010519491231002X"));
        assert!(!belongs_to_no_one("442321197001010014"));
        assert!(belongs_to_no_one("442321200001010014"));
    }

    #[test]
    fn county_parts_leave_room_for_the_never_issued_ones() {
        for prefecture in GUANGDONG.iter().chain(OTHER_PROVINCES) {
            assert!(prefecture.last_county <= NEVER_ISSUED);
            assert!(prefecture.first_county + NEVER_ISSUED > prefecture.last_county);
            assert!(prefecture.last_county + NEVER_ISSUED < 100);
        }
    }

    #[test]
    fn the_last_household_still_has_slots() {
        for household in HOUSEHOLDS_MAX - CYCLE..HOUSEHOLDS_MAX {
            let registration = Registration::of_household(household);
            assert!(registration.first_ordinal + MEMBERS_MAX <= SLOTS);
            assert_ne!(registration.county, 0);
        }
    }
}
