//! Telephone numbers.

use zeroize::Zeroizing;

use super::{Parsed, placeholder};
use crate::record::{Component, FieldState, Finding, NormalValue};

/// Numbers that people give who give none, and the short number of an operator.
const FILLERS: [&str; 5] = [
    "12345678",
    "12345678901",
    "13800138000",
    "13888888888",
    "10086",
];

/// Same digits in a row from which on a number is filler.
const RUN_MAX: usize = 8;

/// Digits of a number with area code: 2 to 3 for the area and its leading 0, 7 to 8 for the line.
const LANDLINE_DIGITS: std::ops::RangeInclusive<usize> = 10..=12;

/// Digits of an international number (ITU-T E.164).
const INTERNATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// What kind of line a number is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// A person's: a mainland mobile number, or any number of another country or region.
    Mobile,
    Landline,
}

/// Reads a cleaned list of telephone numbers. A mainland mobile number is canonically its 11
/// digits, a number of elsewhere (Hong Kong +852, Macau +853) `+` and its digits, a landline its
/// digits with the area code. The whole is the first mobile number, or else the first.
pub(super) fn parse(clean: &str) -> Parsed {
    if clean.contains('*') {
        return (None, FieldState::Invalid(Finding::Masked));
    }
    let mut numbers: Vec<(Line, Zeroizing<String>)> = Vec::new();
    let mut problem = None;
    for piece in clean.split(['/', ',', '、', ';', '或', '|', '。']) {
        // An extension is the switchboard's, not the person's; a second number may follow as well.
        for piece in piece.split('转').filter(|piece| !piece.is_empty()) {
            collect(piece, &mut numbers, &mut problem);
        }
    }
    let best = numbers.iter().position(|(line, _)| *line == Line::Mobile);
    let Some((line, whole)) = numbers.get(best.unwrap_or(0)) else {
        let state = problem.unwrap_or(FieldState::Invalid(Finding::BadCharacters));
        return (None, state);
    };
    let state = match line {
        Line::Mobile => FieldState::Valid,
        Line::Landline => FieldState::Suspect(Finding::Landline),
    };
    let mut value = NormalValue::text(whole.clone());
    for (_, number) in numbers {
        value.add(Component::Number, number);
    }
    (Some(value), state)
}

/// Adds the number or, where blanks separate several, the numbers of `piece`.
fn collect(
    piece: &str,
    numbers: &mut Vec<(Line, Zeroizing<String>)>,
    problem: &mut Option<FieldState>,
) {
    let piece = piece.trim();
    match read(piece) {
        Ok(found) => {
            if !numbers.iter().any(|(_, number)| **number == *found.1) {
                numbers.push(found);
            }
        }
        Err(state) => {
            let mut parts = piece
                .split(' ')
                .filter_map(|part| read(part).ok())
                .peekable();
            if parts.peek().is_none() {
                problem.get_or_insert(state);
            }
            for found in parts {
                if !numbers.iter().any(|(_, number)| **number == *found.1) {
                    numbers.push(found);
                }
            }
        }
    }
}

/// Reads one number.
fn read(piece: &str) -> Result<(Line, Zeroizing<String>), FieldState> {
    let mut digits = Zeroizing::new(String::with_capacity(piece.len()));
    let international = piece.starts_with('+') || piece.starts_with("(+");
    for c in piece.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' | '-' | ' ' | '(' | ')' | '.' | '—' => {}
            _ => return Err(FieldState::Invalid(Finding::BadCharacters)),
        }
    }
    if digits.is_empty() {
        return Err(FieldState::Invalid(Finding::BadCharacters));
    }
    let (international, digits) = match digits.strip_prefix("00") {
        Some(rest) if !international => (true, rest),
        _ => (international, digits.as_str()),
    };
    if is_filler(digits) {
        return Err(FieldState::Placeholder);
    }
    // No country code starts with 0 (ITU-T E.164).
    if international && digits.starts_with('0') {
        return Err(FieldState::Invalid(Finding::BadCharacters));
    }
    let found = match digits.strip_prefix("86").filter(|_| international) {
        Some(home) => mainland(home).or_else(|| area(home)),
        None if international => abroad(digits),
        None => mainland(digits).or_else(|| short_of_abroad(digits)),
    };
    let (line, number) = found.ok_or(FieldState::Invalid(Finding::BadLength))?;
    if is_filler(number.trim_start_matches('+')) {
        return Err(FieldState::Placeholder);
    }
    Ok((line, number))
}

/// Reads a number as dialled in the mainland: mobile, perhaps after 86, 0 or 17951 (a cheap-call
/// prefix); or a landline with or without area code.
fn mainland(digits: &str) -> Option<(Line, Zeroizing<String>)> {
    for prefix in ["", "0", "86", "17951", "1795186", "179510"] {
        if let Some(number) = digits.strip_prefix(prefix)
            && is_mobile(number)
        {
            return Some((Line::Mobile, own(number)));
        }
    }
    let with_area = is_trunk(digits) && LANDLINE_DIGITS.contains(&digits.len());
    let service = digits.len() == 10 && (digits.starts_with("400") || digits.starts_with("800"));
    let local = matches!(digits.len(), 7 | 8) && !digits.starts_with(['0', '1']);
    (with_area || service || local).then(|| (Line::Landline, own(digits)))
}

/// Reads a landline after the country code, where the area's leading 0 is left out.
fn area(digits: &str) -> Option<(Line, Zeroizing<String>)> {
    let home = matches!(digits.len(), 9..=11) && !digits.starts_with('0');
    home.then(|| {
        let mut number = own("0");
        number.push_str(digits);
        (Line::Landline, number)
    })
}

fn abroad(digits: &str) -> Option<(Line, Zeroizing<String>)> {
    INTERNATIONAL_DIGITS.contains(&digits.len()).then(|| {
        let mut number = Zeroizing::new(String::with_capacity(digits.len() + 1));
        number.push('+');
        number.push_str(digits);
        (Line::Mobile, number)
    })
}

/// Reads a number of Hong Kong or Macau with its code but without `+`.
fn short_of_abroad(digits: &str) -> Option<(Line, Zeroizing<String>)> {
    let coded = digits.starts_with("852") || digits.starts_with("853");
    if coded && digits.len() == 11 {
        abroad(digits)
    } else {
        None
    }
}

/// Whether this starts with the 0 of calls to another area; two of them go abroad.
fn is_trunk(digits: &str) -> bool {
    digits.starts_with('0') && !digits.starts_with("00")
}

/// Whether this is a mobile number of the mainland (11 digits, 13 to 19).
fn is_mobile(digits: &str) -> bool {
    matches!(digits.as_bytes(), [b'1', b'3'..=b'9', rest @ ..] if rest.len() == 9)
}

fn is_filler(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    let run = bytes.chunk_by(|a, b| a == b).map(<[u8]>::len).max();
    FILLERS.contains(&digits) || run.unwrap_or(0) >= RUN_MAX || placeholder::is_filler(digits)
}

fn own(digits: &str) -> Zeroizing<String> {
    // Room for what callers put before.
    let mut own = Zeroizing::new(String::with_capacity(digits.len().max(16)));
    own.push_str(digits);
    own
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::twice;
    use super::super::text;
    use super::*;

    fn read(raw: &str) -> (Option<String>, FieldState) {
        let (value, state) = parse(&text::clean(raw));
        (value.map(|value| value.whole().to_owned()), state)
    }

    #[test]
    fn mobile_numbers() {
        for raw in [
            "13812345679",
            "138 1234 5679",
            "１３８-1234-5679",
            "+86 138 1234 5679",
            "(+86)13812345679",
            "008613812345679",
            "8613812345679",
            "1795113812345679",
            "013812345679",
            "0757-86123456/13812345679",
        ] {
            let found = (Some("13812345679".to_owned()), FieldState::Valid);
            assert_eq!(read(raw), found, "{raw}");
        }
        for (raw, whole) in [
            ("+852 9123 4567", "+85291234567"),
            ("85291234567", "+85291234567"),
            ("00853-66123456", "+85366123456"),
            ("+1 415 555 0123", "+14155550123"),
        ] {
            assert_eq!(
                read(raw),
                (Some(whole.to_owned()), FieldState::Valid),
                "{raw}"
            );
        }
    }

    #[test]
    fn landlines_are_suspect() {
        let landline = FieldState::Suspect(Finding::Landline);
        for (raw, whole) in [
            ("0757-86123456", "075786123456"),
            ("+86 757 86123456", "075786123456"),
            ("020-81234567转801", "02081234567"),
            ("81234567", "81234567"),
            ("4008123123", "4008123123"),
        ] {
            assert_eq!(read(raw), (Some(whole.to_owned()), landline), "{raw}");
        }
    }

    #[test]
    fn several_numbers_are_a_set() {
        let clean = text::clean("020-81234567、13812345679；13912345670 13812345679");
        let (value, state) = parse(&clean);
        let value = value.unwrap();
        let numbers: Vec<_> = value.texts(Component::Number).collect();
        assert_eq!(numbers, ["02081234567", "13812345679", "13912345670"]);
        assert_eq!((value.whole(), state), ("13812345679", FieldState::Valid));
    }

    #[test]
    fn what_is_no_number_says_why() {
        for (raw, state) in [
            ("00000000000", FieldState::Placeholder),
            ("13800138000", FieldState::Placeholder),
            ("13888888888", FieldState::Placeholder),
            ("12345678", FieldState::Placeholder),
            ("10086", FieldState::Placeholder),
            ("138****5679", FieldState::Invalid(Finding::Masked)),
            ("1381234567", FieldState::Invalid(Finding::BadLength)),
            ("12812345679", FieldState::Invalid(Finding::BadLength)),
            ("同手机", FieldState::Invalid(Finding::BadCharacters)),
            ("0000010001", FieldState::Invalid(Finding::BadCharacters)),
            (
                "+0 757 8612 3456",
                FieldState::Invalid(Finding::BadCharacters),
            ),
            ("+86 0075 7861 23", FieldState::Invalid(Finding::BadLength)),
            ("+86 012345689", FieldState::Invalid(Finding::BadLength)),
        ] {
            assert_eq!(read(raw), (None, state), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn a_canonical_number_stays_as_it_is(raw in "[+0-9 /,转()-]{1,30}|\\PC{0,30}") {
            if let Some([(_, state), (_, again)]) = twice(parse, &raw)? {
                prop_assert_eq!(again, state);
            }
        }
    }
}
