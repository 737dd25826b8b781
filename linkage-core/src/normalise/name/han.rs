//! The structure of a Han name: surname and given name, other forms, placeholders.

use zeroize::Zeroizing;

use super::letters::{self, Letters};
use super::{reading, romanise};
use crate::pack;
use crate::record::{Component, Components, NormalValue, WILDCARD};

/// Most characters of a name that starts with a surname; longer ones are of other languages.
const SURNAMED_TO: usize = 4;

/// Field lengths of older systems, which cut longer names.
const FIELD_LENGTHS: [usize; 2] = [12, 20];

/// Endings of the entry for a newborn under the mother's name. It names the mother.
const NEWBORN: [&str; 8] = [
    "之子",
    "之女",
    "之婴",
    "之长子",
    "之次子",
    "之长女",
    "之次女",
    "之双",
];

/// Whether a name stands for none: a newborn without one (王芳之子), somebody (王某).
pub(super) fn is_placeholder(whole: &str) -> bool {
    // One of these characters is in each of the words.
    if !whole.contains(['之', '婴', '新', '某']) {
        return false;
    }
    let newborn = NEWBORN.iter().any(|ending| {
        whole
            .strip_suffix(ending)
            .is_some_and(|mother| mother.chars().count() >= 2)
    });
    newborn
        || ["婴儿", "新生儿", "女婴", "男婴", "某"]
            .iter()
            .any(|word| whole.contains(word))
}

/// Adds every component of the name, those that cost most only where they are wanted.
pub(super) fn add_components(value: &mut NormalValue, letters: &Letters, wanted: Components) {
    let whole = letters.whole.as_str();
    let surname = surname_length(letters).and_then(|at| whole.split_at_checked(at));
    let spoken = reading::read(whole, surname.map(|(surname, _)| surname));
    let parts = [
        (surname, Component::Surname, Component::Given),
        (
            spoken.parts(),
            Component::SurnamePinyin,
            Component::GivenPinyin,
        ),
    ];
    for (parts, first, second) in parts {
        if let Some((surname, given)) = parts {
            // A surname that cannot be read is none; what follows it is the given name still.
            if !surname.contains(WILDCARD) {
                value.add(first, surname);
            }
            value.add(second, given);
        }
    }
    if wanted.contains(Component::WadeGiles) {
        value.add(Component::WadeGiles, romanise::wade_giles(&spoken.pinyin));
    }
    value.add(Component::Pinyin, spoken.pinyin);
    if wanted.contains(Component::HongKong) {
        for spelling in romanise::hong_kong(whole) {
            value.add(Component::HongKong, spelling);
        }
    }
    if wanted.contains(Component::Weak) {
        add_weak(value, whole);
    }
    add_forms(value, letters);
}

/// Adds a former name: its letters.
pub(super) fn add_former(value: &mut NormalValue, former: &str) {
    let former = letters::read(former);
    if former.readable > 0 {
        value.add(Component::Alias, former.whole);
    }
}

/// Length of the surname in bytes; `None` where the name has no surname of its own.
fn surname_length(letters: &Letters) -> Option<usize> {
    if !(2..=SURNAMED_TO).contains(&letters.places) || !letters.ends.is_empty() {
        return None;
    }
    let mut chars = letters.whole.char_indices();
    let (_, first) = chars.next()?;
    let (second_at, second) = chars.next()?;
    let two = second_at + second.len_utf8();
    if letters.places > 2 && letters.whole.get(..two).is_some_and(is_surname) {
        return Some(two);
    }
    // Pinyin in the surname's place may be more than the surname.
    (!first.is_ascii()).then_some(second_at)
}

fn is_surname(text: &str) -> bool {
    pack::surname(text).is_some()
}

/// Adds the name with each easily confused character replaced by its class's representative.
fn add_weak(value: &mut NormalValue, whole: &str) {
    let mut weak = Zeroizing::new(String::with_capacity(whole.len() + 4));
    let mut classed = false;
    for c in whole.chars() {
        let representative = pack::weak(c);
        classed |= representative.is_some();
        weak.push(representative.unwrap_or(c));
    }
    if classed {
        value.add(Component::Weak, weak);
    }
}

/// Adds segments, cut forms, and the name without the first of two surnames: a wife's in Hong Kong
/// (陈方安生), a parent's elsewhere.
fn add_forms(value: &mut NormalValue, letters: &Letters) {
    let whole = letters.whole.as_str();
    if letters.places == SURNAMED_TO && letters.ends.is_empty() {
        let mut bounds = whole.char_indices().map(|(at, _)| at).skip(1);
        if let (Some(one), Some(two)) = (bounds.next(), bounds.next())
            && let (Some(first), Some(second)) = (whole.get(..one), whole.get(one..two))
            && is_surname(first)
            && is_surname(second)
            && !whole.get(..two).is_some_and(is_surname)
        {
            value.add(Component::Alias, whole.get(one..).unwrap_or(""));
        }
        return;
    }
    let mut start = 0;
    for end in &letters.ends {
        value.add(Component::Segment, whole.get(start..*end).unwrap_or(""));
        start = *end;
    }
    for length in FIELD_LENGTHS {
        if letters.places + letters.ends.len() > length {
            add_cut(value, letters, length);
        }
    }
}

/// Adds what is left of the name in a field of `length` characters, where each of its interpuncts
/// takes one.
fn add_cut(value: &mut NormalValue, letters: &Letters, length: usize) {
    let mut used = 0;
    for (at, _) in letters.whole.char_indices() {
        used += if letters.ends.contains(&at) { 2 } else { 1 };
        if used > length {
            value.add(Component::Alias, letters.whole.get(..at).unwrap_or(""));
            return;
        }
    }
}
