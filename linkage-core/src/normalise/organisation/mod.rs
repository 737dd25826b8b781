//! Codes of enterprises and other organisations.
//!
//! | code | standard | module |
//! |---|---|---|
//! | unified social credit code, 18 | GB 32100-2015 | [`credit`] |
//! | organisation code, 9 | GB 11714-1997 | [`nine`] |
//! | registration number, 15 (older: 13) | GS 15-2006 | [`registration`] |
//! | tax number before 2015, 15 to 20 | built from the others | [`tax`] |
//!
//! The whole value is the code without separators, upper case. The organisation code inside a
//! credit code or an old tax number is a component, so that records from before and after 2015 meet
//! in it.

mod credit;
mod nine;
mod registration;
mod tax;

use zeroize::Zeroizing;

use super::{Parsed, placeholder};
use crate::pack;
use crate::record::{FieldState, Finding};

/// Longest code in characters: a resident number with two digits behind it.
const LENGTH_MAX: usize = 20;

/// Reads a cleaned code.
pub(super) fn parse(clean: &str) -> Parsed {
    let plain = match plain(clean) {
        Ok(plain) => plain,
        Err(finding) => return (None, FieldState::Invalid(finding)),
    };
    let code = plain.code;
    if placeholder::is_filler(&code) {
        return (None, FieldState::Placeholder);
    }
    let parsed = match code.len() {
        18 => credit::parse(code),
        9 => nine::parse(code),
        15 => fifteen(code),
        13 => registration::old(code),
        17 | 20 => tax::parse(code),
        _ => (None, FieldState::Invalid(Finding::BadLength)),
    };
    match (parsed, plain.repair) {
        ((value, FieldState::Valid), Some(finding)) => (value, FieldState::Repaired(finding)),
        (parsed, _) => parsed,
    }
}

/// A code of 15 characters: a registration number or an old tax number.
///
/// Where the checks of both pass, the sequence number decides: registries number from the front of
/// a band of ten million, so the second digit of a registration's sequence number is 0 unless
/// that many were registered there; in an organisation code or a year of birth it is any digit.
fn fifteen(code: Zeroizing<String>) -> Parsed {
    let as_registration = registration::check_holds(&code);
    let as_tax = tax::organisation_code(&code).is_some() || tax::is_old_resident_number(&code);
    if as_registration && (!as_tax || code.as_bytes().get(7) == Some(&b'0')) {
        registration::valued(code)
    } else {
        tax::parse(code)
    }
}

/// A code without what surrounds and separates it.
struct Plain {
    /// Letters and digits, upper case, at most [`LENGTH_MAX`].
    code: Zeroizing<String>,
    /// What was taken away, beyond the hyphens that codes are printed with.
    repair: Option<Finding>,
}

/// Takes away separators, a label in front (`信用代码:`) and remarks in Han characters.
fn plain(clean: &str) -> Result<Plain, Finding> {
    let mut code = Zeroizing::new(String::with_capacity(LENGTH_MAX + 1));
    let mut repair = None;
    let mut remark = false;
    let mut exponent = false;
    for c in clean.chars() {
        let c = latin(c);
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => {
                code.push(c.to_ascii_uppercase());
                if code.len() > LENGTH_MAX {
                    return Err(Finding::BadLength);
                }
            }
            '-' => {}
            '*' => return Err(Finding::Masked),
            // A spreadsheet's `9.14401E+17`.
            '+' if code.ends_with('E') => exponent = true,
            ' ' | '.' | ',' | '\'' | '"' | '`' | '/' | ':' | '(' | ')' | '[' | ']' | '_' | '#' => {
                repair = repair.or(Some(Finding::Spelling));
            }
            '\u{3400}'..='\u{9FFF}' => remark = true,
            _ => return Err(Finding::BadCharacters),
        }
    }
    if exponent {
        return Err(Finding::TruncatedBySpreadsheet);
    }
    if remark {
        repair = Some(Finding::RemarkRemoved);
    }
    if code.is_empty() {
        return Err(Finding::BadCharacters);
    }
    Ok(Plain { code, repair })
}

/// The Latin letter for its Cyrillic, Greek and mathematical doubles that keyboards offer for X.
fn latin(c: char) -> char {
    match c {
        'х' | 'Х' | 'χ' | 'Χ' | '×' => 'X',
        _ => c,
    }
}

/// Whether six digits are a region that codes are issued in: any that GB/T 2260 ever had, or
/// `01` behind a city's four digits, which stands for the city's districts together (市辖区) and is
/// missing from most code lists.
fn is_region(code: u32) -> bool {
    pack::region(code).is_some() || code % 100 == 1 && pack::region(code - 1).is_some()
}

#[cfg(test)]
mod tests;
