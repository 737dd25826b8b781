//! Names of persons, in Han characters, Latin letters or both.
//!
//! The canonical form of a Han name is its characters and nothing else, of any other name its words
//! without marks. A character that cannot be read keeps its place as
//! [`crate::record::WILDCARD`].

mod han;
mod latin;
mod letters;
mod reading;
mod remark;
mod romanise;
mod syllable;

use zeroize::Zeroizing;

use super::{Parsed, text};
use crate::record::{Components, FieldState, Finding, NormalValue};

/// Reads a cleaned name; of the components that cost most only those of `wanted` are made.
pub(super) fn parse(clean: &str, wanted: Components) -> Parsed {
    if clean.is_ascii() || !clean.chars().any(text::is_han) {
        return in_words(clean);
    }
    if !remark::may_be_in(clean) {
        return in_characters([clean, ""], &[], false, wanted);
    }
    let remarks = remark::split(clean);
    if !remarks.name.chars().any(text::is_han) {
        // `CHAN TAI MAN (陈大文)`: what stands in brackets is the name, or else a remark.
        let Some(inner) = remarks.bracketed else {
            return in_words(&remarks.name);
        };
        return in_characters([&inner, &remarks.name], &remarks.former, false, wanted);
    }
    let beside = remarks
        .bracketed
        .as_ref()
        .map_or("", |inner| inner.as_str());
    in_characters(
        [&remarks.name, beside],
        &remarks.former,
        remarks.removed,
        wanted,
    )
}

/// A name without Han characters.
fn in_words(clean: &str) -> Parsed {
    let words = latin::words(clean);
    let readable = !clean.contains(|c| c != '_' && letters::is_unreadable(c));
    let state = match (words.is_empty(), readable) {
        (false, true) => FieldState::Valid,
        (false, false) => FieldState::Suspect(Finding::Unreadable),
        (true, false) => FieldState::Invalid(Finding::Unreadable),
        (true, true) => FieldState::Invalid(Finding::BadCharacters),
    };
    let value = (!words.is_empty()).then(|| latin::value(words, clean));
    (value, state)
}

/// A name in Han characters, with the same in Latin letters beside it, if any.
fn in_characters(
    [name, beside]: [&str; 2],
    former: &[Zeroizing<String>],
    removed: bool,
    wanted: Components,
) -> Parsed {
    let mut letters = letters::read(name);
    let joined = remark::former_in(&letters.whole)
        .map(str::to_owned)
        .map(Zeroizing::new);
    if let Some(joined) = &joined {
        letters = letters::read(joined);
    }
    if letters.readable == 0 {
        return (None, FieldState::Invalid(Finding::Unreadable));
    }
    if !letters.whole.chars().any(text::is_han) {
        // A title or a word before a former name was all there was in Han characters.
        return in_words(&letters.whole);
    }
    if han::is_placeholder(&letters.whole) {
        return (None, FieldState::Placeholder);
    }
    let state = if letters.readable < letters.places {
        FieldState::Suspect(Finding::Unreadable)
    } else if letters.places == 1 {
        // A surname alone.
        FieldState::Suspect(Finding::Unparsed)
    } else if removed || letters.removed {
        FieldState::Repaired(Finding::RemarkRemoved)
    } else {
        FieldState::Valid
    };
    let mut value = NormalValue::text(letters.whole.clone());
    han::add_components(&mut value, &letters, wanted);
    for former in former {
        han::add_former(&mut value, former);
    }
    for words in [letters.latin.as_str(), beside] {
        latin::add_beside(&mut value, words);
    }
    (Some(value), state)
}

#[cfg(test)]
mod tests;
