//! Hong Kong identity card numbers.

use super::kind::DocumentKind;
use super::{Found, Reading, invalid, passport};
use crate::record::{FieldState, Finding};

/// Reads one or two letters, six digits and the check.
pub(super) fn read(number: &str) -> Reading {
    match remainder(number) {
        Some(0) => Ok(Found::valid(DocumentKind::Hkid, number)),
        Some(_) => Err(invalid(Finding::BadCheck)),
        None => Err(invalid(Finding::BadCharacters)),
    }
}

/// Reads a number without brackets, which is a passport's where the check is wrong. Letter and
/// seven digits with a wrong check may also be a mistyped card: usable, and suspect.
pub(super) fn or_passport(number: &str) -> Reading {
    match remainder(number) {
        Some(0) => read(number),
        None => passport::read(number),
        Some(_) => passport::read(number).map(|found| Found {
            state: FieldState::Suspect(Finding::BadCheck),
            ..found
        }),
    }
}

/// Weighted sum modulo 11, 0 if the check is right: weights 9 to 2, then 1 for the check; a missing
/// second letter counts as 36, A to Z as 10 to 35, the check A as 10. `None` for another shape.
fn remainder(number: &str) -> Option<u32> {
    let (body, check) = number.split_at_checked(number.len().checked_sub(1)?)?;
    let letters = body.bytes().take_while(u8::is_ascii_alphabetic).count();
    let shaped = matches!(letters, 1 | 2) && body.len() == letters + 6;
    if !shaped || !matches!(check.as_bytes(), [b'0'..=b'9' | b'A']) {
        return None;
    }
    let blank = if letters == 1 { 36 * 9 } else { 0 };
    let mut sum = blank + check.chars().next()?.to_digit(16)?;
    for (place, c) in body.chars().rev().enumerate() {
        let radix = if place < 6 { 10 } else { 36 };
        sum += c.to_digit(radix)? * (u32::try_from(place).ok()? + 2);
    }
    Some(sum % 11)
}
