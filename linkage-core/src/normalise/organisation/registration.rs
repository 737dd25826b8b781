//! The registration number of GS 15-2006: authority (6), sequence (8), check; and the older number
//! of 13 digits, which has no check.

use zeroize::Zeroizing;

use crate::normalise::Parsed;
use crate::record::{Component, FieldState, Finding, NormalValue};

/// Whether a code is 15 digits with the right check digit (ISO 7064 MOD 11,10).
pub(super) fn check_holds(code: &str) -> bool {
    let Some((&check, body)) = code.as_bytes().split_last() else {
        return false;
    };
    if body.len() != 14 {
        return false;
    }
    let mut product = 10;
    for &c in body {
        if !c.is_ascii_digit() {
            return false;
        }
        let sum = (product + u32::from(c - b'0')) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    u32::from(check) == u32::from(b'0') + (11 - product) % 10
}

/// The value of a registration number.
pub(super) fn valued(code: Zeroizing<String>) -> Parsed {
    let mut value = NormalValue::text(code.clone());
    value.add(Component::RegistrationNumber, code);
    (Some(value), FieldState::Valid)
}

/// Reads a number of before 2007: 13 digits without a check, used as they are.
pub(super) fn old(code: Zeroizing<String>) -> Parsed {
    if code.bytes().all(|c| c.is_ascii_digit()) {
        valued(code)
    } else {
        (None, FieldState::Invalid(Finding::BadCharacters))
    }
}
