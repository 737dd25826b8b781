//! Identity-number errors, and digits in full width.

use std::sync::LazyLock;

use crate::errors::Kind;
use crate::stream::{Stream, Weighted};

/// The mix in per cent: reasoned defaults, as [`super::rates`].
static MIX: LazyLock<Weighted<Kind>> = LazyLock::new(|| {
    Weighted::new([
        (Kind::Substituted, 35),
        (Kind::Transposed, 18),
        (Kind::LengthWrong, 17),
        (Kind::LastLost, 20),
        (Kind::OldForm, 10),
    ])
});

/// The number, of at least five ASCII characters, with one error. For an 18-digit number none of
/// these is a valid number of someone else: the check character finds every substitution and
/// adjacent transposition, the rest have another length or a star, and the 15-digit form stands
/// for the same number.
pub(crate) fn mistaken(stream: &mut Stream, number: &str) -> (String, Kind) {
    for _ in 0..20 {
        let kind = MIX.pick(stream);
        let wrong = match kind {
            Kind::Substituted => substituted(stream, number),
            Kind::Transposed => transposed(stream, number),
            Kind::LengthWrong => length_wrong(stream, number),
            Kind::OldForm => old_form(number),
            _ => None,
        };
        if let Some(wrong) = wrong.filter(|wrong| wrong != number) {
            return (wrong, kind);
        }
        if kind == Kind::LastLost {
            break;
        }
    }
    let star = if stream.chance(5_000) { "*" } else { "" };
    let head = number.get(..number.len() - 1).unwrap_or_default();
    (format!("{head}{star}"), Kind::LastLost)
}

/// A credit code with one error: the same mix, less the 15-digit form, which it does not have. No
/// such error gives a valid code of someone else.
pub(crate) fn mistaken_code(stream: &mut Stream, code: &str) -> (String, Kind) {
    loop {
        let (wrong, kind) = mistaken(stream, code);
        if kind != Kind::OldForm {
            return (wrong, kind);
        }
    }
}

/// Where an error of so many characters falls; the last character has its own kind of error. Travel
/// permits have no check character, so their first two, which make them no one's, stay.
fn place(stream: &mut Stream, number: &str, width: usize) -> usize {
    let first = if number.len() == 18 { 0 } else { 2 };
    first + stream.below((number.len() - width - first) as u32) as usize
}

fn substituted(stream: &mut Stream, number: &str) -> Option<String> {
    let place = place(stream, number, 1);
    let digit = stream.below(10);
    Some(format!(
        "{}{digit}{}",
        number.get(..place)?,
        number.get(place + 1..)?
    ))
}

fn transposed(stream: &mut Stream, number: &str) -> Option<String> {
    let place = place(stream, number, 2);
    let pair = number.get(place..place + 2)?;
    let turned: String = pair.chars().rev().collect();
    Some(format!(
        "{}{turned}{}",
        number.get(..place)?,
        number.get(place + 2..)?
    ))
}

fn length_wrong(stream: &mut Stream, number: &str) -> Option<String> {
    let place = place(stream, number, 1);
    let (head, tail) = number.split_at_checked(place)?;
    if stream.chance(5_000) {
        return Some(format!("{head}{}", tail.get(1..)?));
    }
    // A key that bounced.
    Some(format!("{head}{}{tail}", tail.get(..1)?))
}

/// The 15-digit form of numbers before 1999: no century, no check character.
pub(crate) fn old_form(number: &str) -> Option<String> {
    if number.len() != 18 {
        return None;
    }
    let century = number.get(6..8)?;
    (century == "19").then(|| Some(format!("{}{}", number.get(..6)?, number.get(8..17)?)))?
}

/// The text with its ASCII digits in full width.
pub(crate) fn full_width(text: &str) -> String {
    let widened = |c: char| match c {
        '0'..='9' => char::from_u32(u32::from(c) - 0x30 + 0xFF10).unwrap_or(c),
        _ => c,
    };
    text.chars().map(widened).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::resident_id::{check_character, is_well_formed};
    use crate::stream::Purpose;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_error_never_gives_a_valid_number(index: u64, body in 0u64..10_000) {
            let body = format!("4423211990010{body:04}");
            let number = format!("{body}{}", check_character(&body));
            let mut stream = Stream::open(1, Purpose::Copy, 0, index);
            let (wrong, kind) = mistaken(&mut stream, &number);
            prop_assert_ne!(&wrong, &number);
            prop_assert!(!is_well_formed(&wrong), "{} became {} by {:?}", number, wrong, kind);
        }
    }

    #[test]
    fn an_error_in_a_travel_permit_leaves_what_makes_it_impossible() {
        let mut stream = Stream::open(1, Purpose::Copy, 0, 0);
        for _ in 0..500 {
            assert!(mistaken(&mut stream, "H91234567").0.starts_with("H9"));
        }
    }

    #[test]
    fn full_width_digits() {
        assert_eq!(full_width("12号X"), "１２号X");
    }
}
