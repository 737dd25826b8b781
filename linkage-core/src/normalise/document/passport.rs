//! Passports, and the numbers of social-security cards.

use super::kind::DocumentKind;
use super::{Found, Reading, invalid};
use crate::pack;
use crate::record::Finding;

/// Reads a passport of any country. Chinese ones have E or G and eight digits, E, a letter and
/// seven, P, S or D and seven or eight, 14 or 15 and seven; others five to twelve letters and
/// digits. No check outside the machine-readable zone.
pub(super) fn read(number: &str) -> Reading {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let mobile = number.len() == 11 && digits == 11 && number.starts_with('1');
    if !(5..=12).contains(&number.len()) || mobile {
        Err(invalid(Finding::BadLength))
    } else if digits < 3 {
        // A word, not a number.
        Err(invalid(Finding::BadCharacters))
    } else {
        Ok(Found::valid(DocumentKind::Passport, number))
    }
}

/// Reads a foreigner's social-security number (Order 16 of the Ministry of Human Resources and
/// Social Security, annex): the country's alpha-3 code, a reserved 0 and the number of the holder's
/// document, padded with zeros to 14 characters. The document's number is what others know.
pub(super) fn of_social_security(number: &str) -> Reading {
    let (country, rest) = number.split_at_checked(3).unwrap_or(("", number));
    match rest.strip_prefix('0') {
        Some(padded) if padded.len() == 14 && pack::country_alpha3(country).is_some() => {
            read(padded.trim_start_matches('0'))
        }
        _ => Err(invalid(Finding::BadLength)),
    }
}

/// Reads the bank number of a social-security card: 16 or 19 digits with the check of ISO/IEC
/// 7812-1 (Luhn).
pub(super) fn bank_card(number: &str) -> Reading {
    if !matches!(number.len(), 16 | 19) {
        return Err(invalid(Finding::BadLength));
    }
    let mut sum = 0;
    for (place, c) in number.chars().rev().enumerate() {
        let Some(digit) = c.to_digit(10) else {
            return Err(invalid(Finding::BadCharacters));
        };
        sum += match place % 2 {
            0 => digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        };
    }
    if sum.is_multiple_of(10) {
        Ok(Found::valid(DocumentKind::SocialSecurityCard, number))
    } else {
        // Also a resident number with a digit lost or added.
        Err(invalid(Finding::BadLength))
    }
}
