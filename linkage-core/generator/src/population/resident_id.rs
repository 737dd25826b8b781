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
//! * Residents of Hong Kong, Macau and Taiwan with a residence permit (regions 810000, 820000,
//!   830000) and foreign permanent residents (`9`, province, nationality; form of 2023): sequence
//!   241 and above. Sequences are given out in order, and not one of these groups has so many
//!   holders of one birth date.
//!
//! [`Settings::with_realistic_ids`](crate::Settings::with_realistic_ids) takes region codes in use
//! instead, some of them withdrawn after the birth date, as real numbers have them.
//!
//! **Numbers are distinct by construction.** Of each region, birth year and sex, one pattern of
//! 48 000 people has a known count, so the people of all repetitions can be numbered through. A
//! seeded permutation turns that ordinal into a slot: a day of the year and six neighbouring
//! sequences, three for men and three for women. The first of the own sex is the person's; a twin
//! takes another of its sibling's six and so the same day; one person in 1 000 has a second as the
//! number before a correction. This bounds the population.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use crate::data::regions::{GUANGDONG, LAST_YEAR, OTHER_PROVINCES};
use crate::permutation::Permutation;
use crate::stream::{Purpose, mix};

/// First birth year that takes a withdrawn code; [`LAST_YEAR`] is the last year of those codes.
pub(super) const WITHDRAWN_SINCE: i16 = 1985;
const _: () = assert!(LAST_YEAR + 2 < WITHDRAWN_SINCE);

/// Added to a county part, it gives one that was never issued: the standard numbers counties of a
/// prefecture from 21, and none of the listed prefectures reached 39.
pub(super) const NEVER_ISSUED: u32 = 50;

/// Not 366, so that every slot is a day in every year.
const DAYS: u32 = 365;
/// Sequences of a slot.
const WIDTH: u32 = 6;
/// Groups of the 996 sequences that are used: 1-6, 7-12, ..., 991-996.
const GROUPS: u32 = 166;
/// First group of those who have no region of their own: sequence 241.
const HIGH_GROUP: u32 = 40;
/// Most people of one region, birth year and sex in a pattern.
pub(super) const RANKS_MAX: u8 = 16;
/// The same for those from [`HIGH_GROUP`] on.
pub(super) const HIGH_RANKS_MAX: u8 = 12;

/// How often the pattern may be repeated.
pub(super) const CYCLES_MAX: u32 = {
    let all = DAYS * GROUPS / RANKS_MAX as u32;
    let high = DAYS * (GROUPS - HIGH_GROUP) / HIGH_RANKS_MAX as u32;
    if all < high { all } else { high }
};

/// Which sequence of a slot, counted from its first for either sex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// The person's own number.
    Own = 0,
    /// A twin's of the same sex, or the number before a correction.
    Second = 2,
    /// A twin's of the other sex.
    Cross = 4,
}

/// Those whose numbers are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stratum {
    /// Six digits.
    pub(super) region: u32,
    pub(super) birth_year: i16,
    pub(super) male: bool,
    /// Only sequences from [`HIGH_GROUP`] on.
    pub(super) high: bool,
}

impl Stratum {
    /// Birth date and number of the one with this ordinal, below [`CYCLES_MAX`] times
    /// [`RANKS_MAX`] or [`HIGH_RANKS_MAX`].
    pub(super) fn issue(&self, seed: u64, ordinal: u32, share: Share) -> (Date, String) {
        let key = mix([
            seed,
            Purpose::ResidentId as u64,
            u64::from(self.region),
            self.birth_year as u64 * 2 + u64::from(self.male),
        ]);
        let first_group = if self.high { HIGH_GROUP } else { 0 };
        let slots = DAYS * (GROUPS - first_group);
        let slot = Permutation::new(u64::from(slots), key).apply(u64::from(ordinal)) as u32;
        let first = date(self.birth_year, 1, 1);
        let day = first.saturating_add(i64::from(slot % DAYS).days());
        let group = first_group + slot / DAYS;
        let male = self.male != (share == Share::Cross);
        let sequence = group * WIDTH + share as u32 + if male { 1 } else { 2 };
        (day, number(self.region, day, sequence))
    }
}

fn number(region: u32, day: Date, sequence: u32) -> String {
    let (year, month, of_month) = (day.year(), day.month(), day.day());
    let body = format!("{region:06}{year:04}{month:02}{of_month:02}{sequence:03}");
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
    let (Some(code), Some(county), Some(year), Some(sequence)) =
        (part(0..4), part(4..6), part(6..10), part(14..17))
    else {
        return false;
    };
    if matches!((code, county), (8100 | 8200 | 8300, 0)) || code / 1_000 == 9 {
        return sequence > HIGH_GROUP * WIDTH;
    }
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
    fn the_last_ordinal_still_has_a_slot() {
        for (high, ranks) in [(false, RANKS_MAX), (true, HIGH_RANKS_MAX)] {
            let stratum = Stratum {
                region: if high { 810_000 } else { 442_321 },
                birth_year: 2000,
                male: true,
                high,
            };
            let last = CYCLES_MAX * u32::from(ranks) - 1;
            let (_, number) = stratum.issue(1, last, Share::Second);
            assert!(is_well_formed(&number) && belongs_to_no_one(&number));
            let (_, first) = stratum.issue(1, last, Share::Own);
            assert_ne!(number, first);
        }
    }
}
