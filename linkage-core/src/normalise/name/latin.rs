//! Names in Latin letters, and in scripts other than Han.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::syllable;
use crate::pack;
use crate::record::{Component, NormalValue};

/// Most syllables of a Chinese name.
const SYLLABLES_MAX: usize = 4;

const APOSTROPHE: char = '\'';

/// Readings of all known surnames, syllables separated by blanks.
static SURNAME_READINGS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    pack::surnames()
        .iter()
        .map(|surname| surname.readings.join(" "))
        .collect()
});

/// The words of a cleaned name: letters and digits without marks; blanks, hyphens, underscores,
/// full stops, commas and interpuncts separate words, other punctuation is dropped
/// (`o'brien-smith` is `obrien smith`).
pub(super) fn words(clean: &str) -> Zeroizing<String> {
    separated(clean, None)
}

/// [`words`], in which `kept` counts as a letter.
fn separated(clean: &str, kept: Option<char>) -> Zeroizing<String> {
    if clean.is_ascii() {
        return letters(clean.chars(), clean.len(), kept);
    }
    let unmarked = clean.nfd().filter(|c| !is_mark(*c));
    let words = letters(unmarked.nfc(), clean.len(), kept);
    // Dropped punctuation may have stood between letters that compose (Hangul).
    Zeroizing::new(words.nfc().collect())
}

fn letters(
    chars: impl Iterator<Item = char>,
    length: usize,
    kept: Option<char>,
) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(length + 8));
    for c in chars {
        match c {
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'đ' | 'ð' => out.push('d'),
            'ı' => out.push('i'),
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'þ' => out.push_str("th"),
            _ if c.is_alphanumeric() || kept == Some(c) => out.push(c),
            ' ' | '-' | '_' | ',' | '.' | '/' | '·' | '•' | '・' | '‧' | '∙' | '⋅'
                if !out.is_empty() && !out.ends_with(' ') =>
            {
                out.push(' ');
            }
            _ => {}
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// Marks above and below Latin, Greek and Cyrillic letters.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// A name of these words.
pub(super) fn value(words: Zeroizing<String>, clean: &str) -> NormalValue {
    let mut value = NormalValue::text(words.clone());
    match pinyin(clean, &words) {
        Some(name) => {
            value.add(Component::SurnamePinyin, name.surname);
            value.add(Component::GivenPinyin, name.given);
            value.add(Component::Pinyin, name.pinyin);
        }
        None => value.add(Component::Pinyin, &words),
    }
    add_spellings(&mut value, &words);
    value
}

/// Adds the Latin words that stand beside a Han name: a spelling of it.
pub(super) fn add_beside(value: &mut NormalValue, beside: &str) {
    let words = words(beside);
    if !words.is_empty() {
        add_spellings(value, &words);
        value.add(Component::Alias, words);
    }
}

fn add_spellings(value: &mut NormalValue, words: &Zeroizing<String>) {
    value.add(Component::HongKong, words);
    value.add(Component::WadeGiles, words);
}

struct Pinyin {
    pinyin: Zeroizing<String>,
    /// Empty where the surname cannot be told.
    surname: Zeroizing<String>,
    given: Zeroizing<String>,
}

/// Reads the name as pinyin, if it can be: words of syllables, the surname first (`Zhang Sanfeng`)
/// or, if the last word can be a surname and the first cannot, last (`Sanfeng Zhang`).
fn pinyin(clean: &str, words: &str) -> Option<Pinyin> {
    // An apostrophe divides syllables, ü is v; both are gone from the words.
    let spelled = clean.contains([APOSTROPHE, '’', 'ü']).then(|| {
        let plain = clean.replace('’', "'").replace('ü', "v");
        separated(&Zeroizing::new(plain), Some(APOSTROPHE))
    });
    let spelled = spelled.as_ref().map_or(words, |spelled| spelled.as_str());
    let mut pinyin = Zeroizing::new(String::with_capacity(words.len() * 2));
    // Where the first word's syllables end and the last word's begin.
    let (mut first_end, mut last_start) = (0, 0);
    for (place, word) in spelled.split(' ').enumerate() {
        if place > 0 {
            pinyin.push(' ');
        }
        last_start = pinyin.len();
        push_syllables(word, &mut pinyin)?;
        if place == 0 {
            first_end = pinyin.len();
        }
    }
    let cut = |from: usize, to: usize| pinyin.get(from..to).unwrap_or("");
    let end = pinyin.len();
    let (first, last) = (cut(0, first_end), cut(last_start, end));
    let several = last_start > 0 && pinyin.split(' ').count() <= SYLLABLES_MAX;
    let (surname, given) = if several && SURNAME_READINGS.contains(first) {
        (first, cut(first_end + 1, end))
    } else if several && SURNAME_READINGS.contains(last) {
        (last, cut(0, last_start - 1))
    } else {
        ("", "")
    };
    let (surname, given) = (surname.to_owned(), given.to_owned());
    let (surname, given) = (Zeroizing::new(surname), Zeroizing::new(given));
    let pinyin = if surname.is_empty() {
        pinyin
    } else {
        Zeroizing::new([surname.as_str(), given.as_str()].join(" "))
    };
    Some(Pinyin {
        pinyin,
        surname,
        given,
    })
}

/// Appends the syllables of a word; apostrophes divide them.
fn push_syllables(word: &str, pinyin: &mut String) -> Option<()> {
    for (place, part) in word.split(APOSTROPHE).enumerate() {
        if place > 0 {
            pinyin.push(' ');
        }
        // Passports write lyu and nyu for lü and nü.
        let part = match part {
            "lyu" => "lv",
            "nyu" => "nv",
            other => other,
        };
        syllable::split(part, pinyin).then_some(())?;
    }
    Some(())
}
