//! Tax numbers of before October 2015, when the credit code took their place.
//!
//! | length | built from |
//! |---|---|
//! | 15 | region (6), organisation code (9) |
//! | 15, 18 | a sole trader's resident number |
//! | 17 | a resident number of 15, two digits; or a branch: the tax number of 15, two digits |
//! | 20 | a resident number of 18, two digits; or one of 15, five digits |
//!
//! A number built from a resident number identifies a person and the shop that the last digits
//! count. It is usable as a whole, has no components, and is suspect
//! ([`Finding::Unparsed`]) because it belongs to no organisation: two owners' columns hold the same
//! number, or nothing of it is comparable. The same goes for a branch's number: its organisation
//! code is the parent's, and would merge the two.

use zeroize::Zeroizing;

use super::{is_region, nine};
use crate::normalise::Parsed;
use crate::record::{Component, FieldState, Finding, NormalValue};

/// Weights of a resident number's 17 digits (GB 11643-1999, ISO 7064 MOD 11-2).
const RESIDENT_WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// Check characters of a resident number by the weighted sum modulo 11.
const RESIDENT_CHECKS: &[u8; 11] = b"10X98765432";

/// Reads a tax number of 15, 17, 18 or 20 letters and digits.
pub(super) fn parse(code: Zeroizing<String>) -> Parsed {
    if let (15, Some(nine)) = (code.len(), organisation_code(&code)) {
        let nine = Zeroizing::new(nine.to_owned());
        if nine::is_private(&nine) {
            return (None, FieldState::Invalid(Finding::PrivateUse));
        }
        let mut value = NormalValue::text(code);
        value.add(Component::OrganisationCode, nine);
        return (Some(value), FieldState::Valid);
    }
    let opaque = match code.len() {
        15 => is_old_resident_number(&code),
        17 => is_old_resident_number(head(&code, 15)) || organisation_code(&code).is_some(),
        18 => is_resident_number(&code),
        20 => is_resident_number(head(&code, 18)) || is_old_resident_number(head(&code, 15)),
        _ => false,
    };
    let digits_behind = code.bytes().skip(18).all(|c| c.is_ascii_digit());
    if opaque && digits_behind {
        let value = NormalValue::text(code);
        (Some(value), FieldState::Suspect(Finding::Unparsed))
    } else {
        (None, FieldState::Invalid(Finding::BadCheck))
    }
}

/// The organisation code at places 7 to 15, if the first six are a region and its check holds.
pub(super) fn organisation_code(code: &str) -> Option<&str> {
    let region: u32 = code.get(..6)?.parse().ok()?;
    let nine = code.get(6..15)?;
    (is_region(region) && nine::check_holds(nine) && !nine::is_zero(nine)).then_some(nine)
}

/// Whether the code is a resident number of 18 with a day in its place and the right check.
pub(super) fn is_resident_number(code: &str) -> bool {
    let bytes = code.as_bytes();
    let Some((&check, body)) = bytes.split_last() else {
        return false;
    };
    if body.len() != RESIDENT_WEIGHTS.len() || !body.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum: u32 = body
        .iter()
        .zip(RESIDENT_WEIGHTS)
        .map(|(&c, weight)| u32::from(c - b'0') * weight)
        .sum();
    let century = code.get(6..8);
    RESIDENT_CHECKS.get((sum % 11) as usize) == Some(&check)
        && matches!(century, Some("18" | "19" | "20"))
        && is_month_and_day(code.get(10..14))
}

/// Whether the code is a resident number of 15: a known region, two digits of the year, month and
/// day.
pub(super) fn is_old_resident_number(code: &str) -> bool {
    let region = code.get(..6).and_then(|region| region.parse().ok());
    code.len() == 15
        && code.bytes().all(|c| c.is_ascii_digit())
        && region.is_some_and(is_region)
        && is_month_and_day(code.get(8..12))
}

fn is_month_and_day(text: Option<&str>) -> bool {
    let number: u32 = text.and_then(|text| text.parse().ok()).unwrap_or_default();
    matches!(number / 100, 1..=12) && matches!(number % 100, 1..=31)
}

fn head(code: &str, length: usize) -> &str {
    code.get(..length).unwrap_or_default()
}
