//! Resident identity numbers (GB 11643-1999), their 15-digit predecessors, and the numbers of
//! foreign permanent residents' cards.

use std::ops::Range;

use zeroize::Zeroizing;

use super::kind::DocumentKind;
use super::{Found, Reading, invalid};
use crate::normalise::date;
use crate::pack;
use crate::record::{Day, FieldState, Finding};

/// Weights of ISO 7064 MOD 11-2 for the 17 characters before the check.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// Check character for each remainder.
const CHECKS: [u8; 11] = *b"10X98765432";

/// A region code of six digits is its province times this, and a rest.
const PROVINCE: u32 = 10_000;

/// What a resident number says of its holder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resident {
    /// Day of birth.
    pub(crate) birth: Day,
    /// Whether the holder is a man: the number's sequence is odd.
    pub(crate) male: bool,
}

/// Reads a canonical document number; `None` if it is no resident number.
pub(crate) fn resident(number: &str) -> Option<Resident> {
    if number.len() != 18 {
        return None;
    }
    let birth = birth(number, 6..14).ok()?;
    let sequence = digits(number, 14..17)?;
    Some(Resident {
        birth,
        male: sequence % 2 == 1,
    })
}

/// Reads a resident number of 18 characters or 15 digits.
pub(super) fn read(number: &str, today: Day) -> Reading {
    match number.len() {
        18 => current(number, today),
        15 => predecessor(number),
        _ => Err(invalid(Finding::BadLength)),
    }
}

fn current(number: &str, today: Day) -> Reading {
    checked(number)?;
    let state = region(digits(number, 0..6))?;
    born(number, 6..14, today)?;
    Ok(Found::new(DocumentKind::Resident, number, state))
}

/// Brings a 15-digit number to 18: the century, which is the 19th for the sequences reserved to
/// people then 100 years old, and the check.
fn predecessor(number: &str) -> Reading {
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid(Finding::BadCharacters));
    }
    let state = region(digits(number, 0..6))?;
    let (Some(region), Some(rest), Some(sequence)) =
        (number.get(..6), number.get(6..), digits(number, 12..15))
    else {
        return Err(invalid(Finding::BadLength));
    };
    let century = if sequence >= 996 { "18" } else { "19" };
    let mut upgraded = Zeroizing::new(String::with_capacity(18));
    upgraded.push_str(region);
    upgraded.push_str(century);
    upgraded.push_str(rest);
    birth(&upgraded, 6..14).map_err(invalid)?;
    let Some(check) = check(&upgraded) else {
        return Err(invalid(Finding::BadCharacters));
    };
    upgraded.push(char::from(check));
    let state = match state {
        FieldState::Valid => FieldState::Repaired(Finding::UpgradedFrom15),
        odd => odd,
    };
    Ok(Found {
        kind: DocumentKind::Resident,
        number: upgraded,
        state,
    })
}

/// Reads the number of a foreign permanent resident's card: since December 2023 `9`, province,
/// nationality (ISO 3166-1 numeric), day of birth, sequence and the check of GB 11643; before that
/// nationality (alpha-3), region, two-digit year, month and day of birth, sequence and the check of
/// ICAO 9303.
pub(super) fn permanent(number: &str, today: Day) -> Reading {
    let kind = DocumentKind::PermanentResident;
    match number.len() {
        18 => {
            checked(number)?;
            let province = digits(number, 1..3).filter(|code| known(code * PROVINCE));
            if province.is_none() {
                return Err(invalid(Finding::BadRegion));
            }
            let country = digits(number, 3..6).and_then(|code| u16::try_from(code).ok());
            let state = match country.and_then(pack::country_numeric) {
                Some(_) => FieldState::Valid,
                None => FieldState::Suspect(Finding::UnknownRegion),
            };
            born(number, 6..14, today)?;
            Ok(Found::new(kind, number, state))
        }
        15 => {
            let (country, rest) = number.split_at_checked(3).unwrap_or(("", number));
            if pack::country_alpha3(country).is_none() {
                return Err(invalid(Finding::BadRegion));
            }
            if !rest.bytes().all(|b| b.is_ascii_digit()) {
                return Err(invalid(Finding::BadCharacters));
            }
            if icao_check(number.as_bytes()) != Some(0) {
                return Err(invalid(Finding::BadCheck));
            }
            if !digits(number, 3..5).is_some_and(|code| known(code * PROVINCE)) {
                return Err(invalid(Finding::BadRegion));
            }
            let (month, day) = (digits(number, 9..11), digits(number, 11..13));
            // The century is unknown; a leap year's February serves both.
            if !month
                .zip(day)
                .is_some_and(|(m, d)| date::exists(2000, m, d))
            {
                return Err(invalid(Finding::BadDate));
            }
            Ok(Found::valid(kind, number))
        }
        _ => Err(invalid(Finding::BadLength)),
    }
}

/// The state of a region code: in the list of all codes ever issued, or at least in a known
/// province (new codes appear every year).
fn region(code: Option<u32>) -> Result<FieldState, FieldState> {
    match code {
        Some(code) if known(code) => Ok(FieldState::Valid),
        Some(code) if known(code / PROVINCE * PROVINCE) => {
            Ok(FieldState::Suspect(Finding::UnknownRegion))
        }
        Some(_) => Err(invalid(Finding::BadRegion)),
        None => Err(invalid(Finding::BadCharacters)),
    }
}

fn known(code: u32) -> bool {
    pack::region(code).is_some()
}

/// Tests the check of 18 characters. Numbers that spreadsheets have cut to 15 significant digits
/// end in 000, made-up ones in 1234.
fn checked(number: &str) -> Result<(), FieldState> {
    let body = number.get(..17).unwrap_or(number);
    let Some(expected) = check(body) else {
        return Err(invalid(Finding::BadCharacters));
    };
    if number.as_bytes().last() == Some(&expected) {
        Ok(())
    } else if number.ends_with("000") {
        Err(invalid(Finding::TruncatedBySpreadsheet))
    } else if number.ends_with("1234") {
        Err(FieldState::Placeholder)
    } else if number.ends_with(|c: char| c.is_ascii_digit() || c == 'X') {
        Err(invalid(Finding::BadCheck))
    } else {
        Err(invalid(Finding::BadCharacters))
    }
}

/// Check character of GB 11643-1999 over 17 digits.
fn check(body: &str) -> Option<u8> {
    let mut sum = 0;
    for (byte, weight) in body.bytes().zip(WEIGHTS) {
        sum += char::from(byte).to_digit(10)? * weight;
    }
    CHECKS.get(sum as usize % CHECKS.len()).copied()
}

/// Weighted sum of ICAO 9303-3 (weights 7, 3, 1; A = 10 to Z = 35) over all characters but the
/// last, less the last, modulo 10: 0 if the check is right.
fn icao_check(number: &[u8]) -> Option<u32> {
    let (last, body) = number.split_last()?;
    let mut sum = 0;
    for (byte, weight) in body.iter().zip([7, 3, 1].iter().cycle()) {
        sum += char::from(*byte).to_digit(36)? * weight;
    }
    Some((sum % 10).abs_diff(char::from(*last).to_digit(10)?))
}

/// Tests that a `yyyymmdd` day of birth exists and has come.
fn born(number: &str, range: Range<usize>, today: Day) -> Result<(), FieldState> {
    match birth(number, range) {
        Ok(day) if day <= today => Ok(()),
        Ok(_) => Err(invalid(Finding::BadDate)),
        Err(finding) => Err(invalid(finding)),
    }
}

fn birth(number: &str, range: Range<usize>) -> Result<Day, Finding> {
    let packed = digits(number, range).ok_or(Finding::BadCharacters)?;
    let (year, month, day) = (packed / 10_000, packed / 100 % 100, packed % 100);
    date::day(year, month, day)
        .filter(|day| day.year >= date::YEAR_MIN)
        .ok_or(Finding::BadDate)
}

fn digits(number: &str, range: Range<usize>) -> Option<u32> {
    let part = number.get(range)?;
    let plain = part.bytes().all(|b| b.is_ascii_digit());
    if plain { part.parse().ok() } else { None }
}
