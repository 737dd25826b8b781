//! Permits and identity cards of people from Hong Kong, Macau and Taiwan.

use super::kind::DocumentKind;
use super::{Found, Reading, invalid};
use crate::record::Finding;

/// Values of Taiwan's letters A to Z: two-digit codes of the place of first registration.
const TAIWAN_LETTERS: [u32; 26] = [
    10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30,
    31, 33,
];

/// Reads a permit of Hong Kong and Macau residents: H or M, eight digits that are the holder's for
/// life, and in the older form two digits that count the reissues; since 2024, for holders without
/// Chinese nationality, H or M, a letter and seven digits.
pub(super) fn hk_macau(number: &str) -> Reading {
    let Some(tail) = number.strip_prefix(['H', 'M']) else {
        return Err(invalid(Finding::BadCharacters));
    };
    let digits = match tail.strip_prefix(|c: char| c.is_ascii_uppercase()) {
        Some(digits) if digits.len() == 7 => digits,
        None if matches!(tail.len(), 8 | 10) => tail,
        _ => return Err(invalid(Finding::BadLength)),
    };
    match number.get(..9) {
        Some(lasting) if all_digits(digits) => {
            Ok(Found::valid(DocumentKind::HkMacauPermit, lasting))
        }
        _ => Err(invalid(Finding::BadCharacters)),
    }
}

/// Reads a permit of Taiwan residents: eight digits; in the older form two digits and perhaps a
/// letter more, which count the reissues; a single-journey permit's L or T and eight digits.
pub(super) fn taiwan(number: &str) -> Reading {
    let kind = DocumentKind::TaiwanPermit;
    if let Some(digits) = number.strip_prefix(['L', 'T']) {
        return if digits.len() == 8 && all_digits(digits) {
            Ok(Found::valid(kind, number))
        } else {
            Err(invalid(Finding::BadLength))
        };
    }
    let fits = matches!(number.len(), 8 | 10) && all_digits(number) || is_taiwan_reissue(number);
    match number.get(..8) {
        Some(lasting) if fits => Ok(Found::valid(kind, lasting)),
        _ => Err(invalid(Finding::BadLength)),
    }
}

/// Whether this is ten digits and a letter.
pub(super) fn is_taiwan_reissue(number: &str) -> bool {
    let (digits, letter) = number.split_at_checked(10).unwrap_or(("", number));
    all_digits(digits) && matches!(letter.as_bytes(), [b'A'..=b'Z'])
}

/// Reads an identity or residence card of Taiwan: a letter, 1, 2, 8 or 9, seven digits and the
/// check. The letter counts as two digits with the weights 1 and 9, the rest with 8 to 1 and 1.
pub(super) fn taiwan_id(number: &str) -> Reading {
    let Some((&letter, digits)) = number.as_bytes().split_first() else {
        return Err(invalid(Finding::BadLength));
    };
    let place = usize::from(letter.wrapping_sub(b'A'));
    let Some(code) = TAIWAN_LETTERS.get(place) else {
        return Err(invalid(Finding::BadCharacters));
    };
    if digits.len() != 9 {
        return Err(invalid(Finding::BadLength));
    }
    let mut sum = code / 10 + code % 10 * 9;
    for (byte, weight) in digits.iter().zip([8, 7, 6, 5, 4, 3, 2, 1, 1]) {
        let Some(digit) = char::from(*byte).to_digit(10) else {
            return Err(invalid(Finding::BadCharacters));
        };
        sum += digit * weight;
    }
    if sum.is_multiple_of(10) {
        Ok(Found::valid(DocumentKind::TaiwanId, number))
    } else {
        Err(invalid(Finding::BadCheck))
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
