//! Numbers of persons' documents. The canonical form of a resident identity number is the number
//! itself, of every other `type:number`, so that numbers of different types are never equal.
//!
//! | type | documents | form of the number | check |
//! |---|---|---|---|
//! | `resident` | resident identity card; residence permit for Hong Kong, Macau and Taiwan | 18 (15 before 1999) | GB 11643 |
//! | `permanent-resident` | foreign permanent resident's card | `9` and 17, or 3 letters and 12 digits | GB 11643, ICAO 9303 |
//! | `hk-macau-permit` | 港澳居民来往内地通行证 | H or M and 8 | none |
//! | `taiwan-permit` | 台湾居民来往大陆通行证 | 8 digits; L or T and 8 | none |
//! | `passport` | passports of all countries | 5 to 12 letters and digits | none |
//! | `hkid` | Hong Kong identity card | 1 or 2 letters, 6 digits, check | mod 11 |
//! | `taiwan-id` | 國民身分證, 居留證 | letter, 9 digits | mod 10 |
//! | `social-security-card` | bank number of a social-security card | 16 or 19 digits | Luhn |
//!
//! A number alone does not always tell its type. Where two fit, the type most people hold wins, and
//! the check decides where there is one. Numbers that identify nobody across owners are no
//! documents: a household register's (a family, within one police station), a social-security
//! card's short number (unique within one city only), a medical-insurance number (an insurer's
//! own).

mod hkid;
mod kind;
mod passport;
mod permit;
mod resident;

use zeroize::Zeroizing;

use self::kind::DocumentKind;
use super::{Parsed, placeholder, text};
use crate::record::{Component, Components, Day, FieldState, Finding, NormalValue};

pub(super) use resident::resident;

/// A number brought to its canonical form, and what was found.
struct Found {
    kind: DocumentKind,
    number: Zeroizing<String>,
    state: FieldState,
}

impl Found {
    fn new(kind: DocumentKind, number: &str, state: FieldState) -> Self {
        Self {
            kind,
            number: Zeroizing::new(number.to_owned()),
            state,
        }
    }

    fn valid(kind: DocumentKind, number: &str) -> Self {
        Self::new(kind, number, FieldState::Valid)
    }
}

/// The number's type and canonical form, or why it has none.
type Reading = Result<Found, FieldState>;

fn invalid(finding: Finding) -> FieldState {
    FieldState::Invalid(finding)
}

/// Reads a cleaned document number; of its components only those of `wanted` are made. A date of
/// birth after `today` is invalid.
pub(super) fn parse(clean: &str, today: Day, wanted: Components) -> Parsed {
    let (declared, rest) = DocumentKind::declared(clean);
    let (rest, remark) = without_remark(rest);
    let found = spelled(rest).and_then(|spelled| {
        let found = classify(&spelled, declared, today)?;
        // What is left without a count of reissues may be filler.
        if is_placeholder(&found.number) {
            return Err(FieldState::Placeholder);
        }
        Ok((found, spelled.repaired))
    });
    match found {
        Ok((found, repaired)) => {
            let state = match found.state {
                FieldState::Valid if remark => FieldState::Repaired(Finding::RemarkRemoved),
                FieldState::Valid if repaired => FieldState::Repaired(Finding::Spelling),
                state => state,
            };
            (Some(value(found, wanted)), state)
        }
        Err(state) => (None, state),
    }
}

fn value(found: Found, wanted: Components) -> NormalValue {
    let number = found.number;
    let word = found.kind.word();
    let kind = wanted.contains(Component::DocumentType).then_some(word);
    if found.kind != DocumentKind::Resident {
        let mut whole = Zeroizing::new(String::with_capacity(word.len() + 1 + number.len()));
        whole.push_str(word);
        whole.push(':');
        whole.push_str(&number);
        let mut value = NormalValue::text(whole);
        value.add(Component::DocumentType, kind.unwrap_or(""));
        return value;
    }
    let mut value = NormalValue::text(number);
    value.add(Component::DocumentType, kind.unwrap_or(""));
    // Digits 00 of a level say that the place has none: a city without districts.
    let levels = [
        (Component::Province, 0..2, 2),
        (Component::City, 2..4, 4),
        (Component::District, 4..6, 6),
    ];
    for (component, own, length) in levels {
        if wanted.contains(component) && value.whole().get(own) != Some("00") {
            value.add_part(component, 0..length);
        }
    }
    value
}

/// Cuts a remark such as `(已注销)` off the end. Brackets around Latin letters and digits belong to
/// the number (`A123456(3)`).
fn without_remark(clean: &str) -> (&str, bool) {
    let closed = clean.ends_with([')', ']', '】', '>', '》']);
    let opened = clean.rfind(['(', '[', '【', '<', '《']);
    match opened {
        Some(at) if closed => match clean.split_at_checked(at) {
            Some((number, remark)) if remark.chars().any(text::is_han) && !number.is_empty() => {
                (number, true)
            }
            _ => (clean, false),
        },
        _ => (clean, false),
    }
}

/// A number's letters and digits.
struct Spelled {
    /// Upper case.
    number: Zeroizing<String>,
    /// Whether the check stands in brackets, as Hong Kong and Taiwan write it.
    brackets: bool,
    /// Whether separators were dropped or a look-alike was read as X.
    repaired: bool,
}

/// Letters and digits of a number; separators dropped, characters that look like the check X read
/// as one where they stand at the end. No digit is ever changed or guessed: that would make
/// another person's number.
fn spelled(clean: &str) -> Result<Spelled, FieldState> {
    if is_float(clean) {
        return Err(invalid(Finding::TruncatedBySpreadsheet));
    }
    let mut out = Spelled {
        number: Zeroizing::new(String::with_capacity(clean.len())),
        brackets: false,
        repaired: false,
    };
    let (mut masked, mut foreign) = (false, false);
    let mut chars = clean.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '0'..='9' | 'a'..='z' => out.number.push(c.to_ascii_uppercase()),
            '(' | ')' => out.brackets = true,
            ' ' | '-' | '\'' | '’' | '‘' | '`' | '<' | '—' => out.repaired = true,
            // Multiplication sign, Cyrillic ha, Greek chi.
            '×' | 'х' | 'χ' if chars.peek().is_none() => {
                out.number.push('X');
                out.repaired = true;
            }
            '*' | '●' => masked = true,
            _ => foreign = true,
        }
    }
    if masked || out.number.contains("XXX") {
        Err(invalid(Finding::Masked))
    } else if foreign || out.number.is_empty() {
        Err(invalid(Finding::BadCharacters))
    } else {
        Ok(out)
    }
}

/// Whether a spreadsheet has written the number as a floating-point one: `4.40106e+17`.
fn is_float(clean: &str) -> bool {
    let Some((mantissa, exponent)) = clean.split_once('e') else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            whole.len() == 1
                && digits(whole)
                && digits(fraction)
                && digits(exponent.trim_start_matches('+'))
        }
        None => {
            mantissa.len() == 1
                && digits(mantissa)
                && exponent.strip_prefix('+').is_some_and(digits)
        }
    }
}

/// Whether a number is filler, or one that forms show as an example.
fn is_placeholder(number: &str) -> bool {
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    let demonstration = digits && number.len() >= 15 && number.starts_with("123456");
    placeholder::is_filler(number) || number == "X" || demonstration
}

fn classify(spelled: &Spelled, declared: Option<DocumentKind>, today: Day) -> Reading {
    let number = spelled.number.as_str();
    if is_placeholder(number) {
        return Err(FieldState::Placeholder);
    }
    match declared {
        None => guess(number, spelled.brackets, today),
        Some(DocumentKind::Resident) => resident::read(number, today),
        Some(DocumentKind::PermanentResident) => resident::permanent(number, today),
        Some(DocumentKind::HkMacauPermit) => permit::hk_macau(number),
        Some(DocumentKind::TaiwanPermit) => permit::taiwan(number),
        Some(DocumentKind::Passport) => passport::read(number),
        Some(DocumentKind::Hkid) => hkid::read(number),
        Some(DocumentKind::TaiwanId) => permit::taiwan_id(number),
        Some(DocumentKind::SocialSecurityCard) => passport::bank_card(number),
    }
}

/// Reads a number of undeclared type by its shape: leading letters, then what follows.
fn guess(number: &str, brackets: bool, today: Day) -> Reading {
    let letters = number.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (head, tail) = number.split_at_checked(letters).unwrap_or(("", number));
    let digits = tail.bytes().all(|b| b.is_ascii_digit());
    let first = head.chars().next();
    match (letters, tail.len(), digits) {
        (0, 18, _) if number.starts_with('9') => resident::permanent(number, today),
        (0, 15 | 17 | 18, _) => resident::read(number, today),
        (0, 16 | 19, true) => passport::bank_card(number),
        (0, 8 | 10, true) => permit::taiwan(number),
        // Ten digits and the letter of the reissue.
        (0, 11, false) if permit::is_taiwan_reissue(number) => permit::taiwan(number),
        (3, 12, true) => resident::permanent(number, today),
        (3, 15, _) => passport::of_social_security(number),
        (1, 9, true) if tail.starts_with(['1', '2', '8', '9']) => permit::taiwan_id(number),
        (1, 8 | 10, true) if matches!(first, Some('H' | 'M')) => permit::hk_macau(number),
        (1, 8, true) if matches!(first, Some('L' | 'T')) => permit::taiwan(number),
        (1, 7, _) | (2, 7, _) if brackets => hkid::read(number),
        (2, 7, true) if matches!(first, Some('H' | 'M')) => permit::hk_macau(number),
        (2, 7, true) if first == Some('E') => passport::read(number),
        (1 | 2, 7, _) => hkid::or_passport(number),
        _ => passport::read(number),
    }
}

#[cfg(test)]
mod tests;
