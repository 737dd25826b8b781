//! Codes of enterprises with right check characters.
//!
//! The region codes in them were withdrawn in 1982, before any of the codes was given out, so no
//! credit code or registration number can be anyone's, unless the settings ask for region codes in
//! use. The organisation code inside, taken alone, has no region: it may coincide with a real one.
//!
//! Codes are distinct: each permutes the enterprise's number.

use crate::permutation::Permutation;
use crate::stream::{Purpose, mix};

/// Characters of credit codes in the order of their values (GB 32100-2015): no I, O, S, V, Z.
const CREDIT_CHARACTERS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Eight-digit organisation codes.
const OLD_BODIES: u64 = 100_000_000;
/// Bodies after `MA`: 31^6.
const NEW_BODIES: u64 = 887_503_681;
/// Registration numbers of a region and kind: 2 first digits times 7 digits.
const REGISTRATIONS: u64 = 20_000_000;

/// The most enterprises with distinct codes.
pub const ENTERPRISES_MAX: u32 = REGISTRATIONS as u32;

/// Which 8 characters an enterprise's organisation code begins with.
pub(super) fn organisation_body(seed: u64, enterprise: u64, since_2015: bool) -> String {
    let key = |kind| mix([seed, Purpose::Code as u64, kind, 0]);
    if !since_2015 {
        let body = Permutation::new(OLD_BODIES, key(0)).apply(enterprise);
        return format!("{body:08}");
    }
    let mut rest = Permutation::new(NEW_BODIES, key(1)).apply(enterprise);
    let mut text = String::from("MA");
    for _ in 0..6 {
        let at = (rest % 31) as usize;
        text.push(char::from(
            CREDIT_CHARACTERS.get(at).copied().unwrap_or(b'0'),
        ));
        rest /= 31;
    }
    text
}

/// The organisation code of a body of 8 characters: body and check character (GB 11714-1997).
pub fn organisation_code(body: &str) -> String {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let values = body.chars().map(|c| c.to_digit(36).unwrap_or_default());
    let sum: u32 = values
        .zip(WEIGHTS)
        .map(|(value, weight)| value * weight)
        .sum();
    let check = match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    };
    format!("{body}{check}")
}

/// The credit code (GB 32100-2015): department and class, region, organisation code, check.
pub fn credit_code(class: &str, region: u32, organisation_code: &str) -> String {
    let body = format!("{class}{region:06}{organisation_code}");
    let check = credit_check(&body).unwrap_or('0');
    format!("{body}{check}")
}

/// Check character of the first 17: powers of 3 modulo 31. `None` for characters that credit codes
/// do not have.
fn credit_check(body: &str) -> Option<char> {
    let (mut sum, mut weight) = (0, 1);
    for character in body.bytes().take(17) {
        let value = CREDIT_CHARACTERS
            .iter()
            .position(|&known| known == character)?;
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    CREDIT_CHARACTERS
        .get((31 - sum % 31) % 31)
        .copied()
        .map(char::from)
}

/// Whether text is a credit code with right check character.
pub fn is_credit_code(text: &str) -> bool {
    let (Some(body), Some(last)) = (text.get(..17), text.get(17..)) else {
        return false;
    };
    credit_check(body).is_some_and(|check| last.chars().eq([check]))
}

/// Whether text is an organisation code with right check character.
pub fn is_organisation_code(text: &str) -> bool {
    text.len() == 9
        && text
            .get(..8)
            .is_some_and(|body| organisation_code(body) == text)
}

/// First digit class of a registration number (GS 15-2006).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registrant {
    Domestic = 0,
    Foreign = 4,
    Individual = 6,
}

/// The registration number (GS 15-2006): authority, sequence, check.
pub(super) fn registration_number(
    seed: u64,
    region: u32,
    registrant: Registrant,
    enterprise: u64,
) -> String {
    let key = mix([seed, Purpose::Code as u64, 2, 0]);
    let sequence = Permutation::new(REGISTRATIONS, key).apply(enterprise);
    let sequence = sequence + registrant as u64 * 10_000_000;
    let body = format!("{region:06}{sequence:08}");
    let check = registration_check(&body);
    format!("{body}{check}")
}

/// ISO 7064 MOD 11,10 over the first 14 digits.
fn registration_check(body: &str) -> u32 {
    let digits = body
        .chars()
        .take(14)
        .map(|c| c.to_digit(10).unwrap_or_default());
    let product = digits.fold(10, |product, digit| {
        let sum = match (product + digit) % 10 {
            0 => 10,
            sum => sum,
        };
        sum * 2 % 11
    });
    (11 - product) % 10
}

/// Whether text is a registration number with right check digit.
pub fn is_registration_number(text: &str) -> bool {
    text.len() == 15
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text
            .get(14..)
            .is_some_and(|last| last == registration_check(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_are_valid() {
        // The corrected worked example of GB 32100-2015, and that of GB 11714-1997.
        assert!(is_credit_code("91350100M000100Y43"));
        assert!(!is_credit_code("91350100M000100Y4Z"));
        assert!(!is_credit_code("9135010OM000100Y43"));
        assert!(is_organisation_code("M000100Y4"));
        assert!(is_organisation_code("D2143569X"));
        assert!(!is_organisation_code("D21435690"));
        for number in ["110108000000016", "440101000000017", "440306600000023"] {
            assert!(is_registration_number(number), "{number}");
        }
        assert!(!is_registration_number("110108000000017"));
    }

    #[test]
    fn made_codes_are_valid_and_distinct() {
        let mut seen = std::collections::HashSet::new();
        for enterprise in 0..2_000 {
            for since in [false, true] {
                let organisation = organisation_code(&organisation_body(7, enterprise, since));
                assert!(is_organisation_code(&organisation));
                let code = credit_code("91", 442_321, &organisation);
                assert!(is_credit_code(&code));
                assert!(seen.insert(code));
            }
            let number = registration_number(7, 442_321, Registrant::Foreign, enterprise);
            assert!(is_registration_number(&number));
            assert!(seen.insert(number));
        }
    }
}
