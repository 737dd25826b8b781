//! The organisation code of GB 11714-1997: eight characters and a check.

use zeroize::Zeroizing;

use crate::normalise::Parsed;
use crate::record::{Component, FieldState, Finding, NormalValue};

/// Weights of the eight characters (GB 11714-1997).
const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// Reads a code of nine letters and digits.
pub(super) fn parse(code: Zeroizing<String>) -> Parsed {
    if is_private(&code) {
        return (None, FieldState::Invalid(Finding::PrivateUse));
    }
    if !check_holds(&code) {
        return (None, FieldState::Invalid(Finding::BadCheck));
    }
    let mut value = NormalValue::text(code.clone());
    value.add(Component::OrganisationCode, code);
    (Some(value), FieldState::Valid)
}

/// Whether the check character is right. Letters count A = 10 to Z = 35.
pub(super) fn check_holds(code: &str) -> bool {
    let Some((&check, body)) = code.as_bytes().split_last() else {
        return false;
    };
    if body.len() != WEIGHTS.len() {
        return false;
    }
    let mut sum = 0;
    for (&c, weight) in body.iter().zip(WEIGHTS) {
        match (c as char).to_digit(36) {
            Some(digit) => sum += digit * weight,
            None => return false,
        }
    }
    let expected = match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + u8::try_from(digit).unwrap_or_default(),
    };
    check == expected
}

/// Whether the code lies in PDY00001 to PDY99999, which GB 11714 leaves to its users: two
/// registers may give one such code to different bodies.
pub(super) fn is_private(code: &str) -> bool {
    code.starts_with("PDY")
}

/// Whether all nine characters are zero: passes the check and stands for "none".
pub(super) fn is_zero(code: &str) -> bool {
    code.bytes().all(|c| c == b'0')
}
