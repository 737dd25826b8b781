//! The unified social credit code of GB 32100-2015: department, class, region (6), organisation
//! code (9), check.

use zeroize::Zeroizing;

use super::{is_region, nine, tax};
use crate::normalise::Parsed;
use crate::pack;
use crate::record::{Component, FieldState, Finding, NormalValue};

/// The characters in order of their value; no I, O, S, V, Z.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Value of each ASCII character, 31 for those outside the alphabet.
const VALUES: [u8; 128] = values();

/// Registering departments: 1 establishment office, 2 foreign affairs, 3 justice, 4 culture,
/// 5 civil affairs, 6 tourism, 7 religion, 8 trade unions, 9 market regulation, A military,
/// N agriculture, Y other.
const DEPARTMENTS: &[u8] = b"123456789ANY";

/// "Nationwide": not in GB/T 2260, used by central registries.
const NATIONWIDE: u32 = 100_000;

/// Reads a code of 18 letters and digits.
///
/// A resident number, which was the tax number of a sole trader, is no credit code and is handed
/// to [`tax`].
pub(super) fn parse(code: Zeroizing<String>) -> Parsed {
    if check_holds(&code) {
        return if region_finding(&code).is_some() && tax::is_resident_number(&code) {
            tax::parse(code)
        } else {
            valued(code, FieldState::Valid)
        };
    }
    if tax::is_resident_number(&code) {
        return tax::parse(code);
    }
    let repaired = without_look_alikes(&code);
    if *repaired != *code && check_holds(&repaired) {
        return valued(repaired, FieldState::Repaired(Finding::LookAlikeLetters));
    }
    let finding = if code.ends_with("000") && code.bytes().all(|c| c.is_ascii_digit()) {
        Finding::TruncatedBySpreadsheet
    } else if code.bytes().all(|c| digit(c).is_some()) {
        Finding::BadCheck
    } else {
        Finding::BadCharacters
    };
    (None, FieldState::Invalid(finding))
}

/// The value of a code whose check holds. `state` is what was found so far.
fn valued(code: Zeroizing<String>, state: FieldState) -> Parsed {
    let department = code.bytes().next().unwrap_or_default();
    let class = code.bytes().nth(1).unwrap_or_default();
    if !DEPARTMENTS.contains(&department) || !matches!(class, b'1'..=b'9') {
        return (None, FieldState::Invalid(Finding::BadCharacters));
    }
    let organisation = Zeroizing::new(code.get(8..17).unwrap_or_default().to_owned());
    if nine::is_private(&organisation) {
        return (None, FieldState::Invalid(Finding::PrivateUse));
    }
    if nine::is_zero(&organisation) {
        return (None, FieldState::Placeholder);
    }
    let state = if !nine::check_holds(&organisation) {
        FieldState::Suspect(Finding::BadInnerCheck)
    } else if let Some(finding) = region_finding(&code) {
        FieldState::Suspect(finding)
    } else {
        state
    };
    let mut value = NormalValue::text(code.clone());
    value.add(Component::CreditCode, code);
    value.add(Component::OrganisationCode, organisation);
    (Some(value), state)
}

/// What is odd about the region: codes are never reissued when a region is abolished, so every code
/// that ever was is fine; new ones appear each year, so an unknown one is no ground for refusal.
fn region_finding(code: &str) -> Option<Finding> {
    let region: u32 = code.get(2..8)?.parse().unwrap_or_default();
    if region == NATIONWIDE || is_region(region) {
        None
    } else if pack::region(region / 10_000 * 10_000).is_some() {
        Some(Finding::UnknownRegion)
    } else {
        Some(Finding::BadRegion)
    }
}

/// Whether all characters are of the alphabet and the check character is right:
/// `(31 - sum of value * 3^(place - 1) mod 31) mod 31`.
fn check_holds(code: &str) -> bool {
    let Some((&check, body)) = code.as_bytes().split_last() else {
        return false;
    };
    let mut sum = 0;
    let mut weight = 1;
    for &c in body {
        let Some(digit) = digit(c) else {
            return false;
        };
        sum += digit * weight;
        weight = weight * 3 % 31;
    }
    digit(check) == Some((31 - sum % 31) % 31)
}

fn digit(c: u8) -> Option<u32> {
    match VALUES.get(usize::from(c)) {
        Some(&value) if value < 31 => Some(u32::from(value)),
        _ => None,
    }
}

/// The code with the letters that the alphabet leaves out read as the digits they look like.
fn without_look_alikes(code: &str) -> Zeroizing<String> {
    let digits = code.chars().map(|c| match c {
        'O' => '0',
        'I' => '1',
        'Z' => '2',
        'S' => '5',
        _ => c,
    });
    Zeroizing::new(digits.collect())
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which rejects an index out of bounds"
)]
const fn values() -> [u8; 128] {
    let mut values = [31; 128];
    let mut i = 0;
    while i < ALPHABET.len() {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
}
