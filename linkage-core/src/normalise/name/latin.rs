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

/// Readings of all known surnames, written together.
static SURNAME_READINGS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    pack::surnames()
        .iter()
        .map(|surname| surname.readings.concat())
        .collect()
});

/// The words of a cleaned name: letters and digits without marks; blanks, hyphens, underscores,
/// full stops, commas and interpuncts separate words, other punctuation is dropped (`o'brien-smith` is
/// `obrien smith`).
pub(super) fn words(clean: &str) -> Zeroizing<String> {
    if clean.is_ascii() {
        return separated(clean.chars(), clean.len());
    }
    let plain = Zeroizing::new(
        clean
            .nfd()
            .filter(|c| !is_mark(*c))
            .nfc()
            .collect::<String>(),
    );
    // Dropped punctuation may have stood between letters that compose (Hangul).
    let words = separated(plain.chars(), plain.len());
    Zeroizing::new(words.nfc().collect())
}

fn separated(chars: impl Iterator<Item = char>, length: usize) -> Zeroizing<String> {
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
            _ if c.is_alphanumeric() => out.push(c),
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
        None => value.add(Component::Pinyin, words.clone()),
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
    value.add(Component::HongKong, words.clone());
    value.add(Component::WadeGiles, words.clone());
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
    let spelled = clean.contains(['\'', '’', 'ü']).then(|| {
        let spelled = clean.replace(['\'', '’'], " ").replace('ü', "v");
        self::words(&Zeroizing::new(spelled))
    });
    let words = spelled.as_ref().map_or(words, |spelled| spelled.as_str());
    let mut pinyin = Zeroizing::new(String::with_capacity(words.len() * 2));
    // Where the first word's syllables end and the last word's begin.
    let (mut first_end, mut last_start) = (0, 0);
    for (place, word) in words.split(' ').enumerate() {
        if place > 0 {
            pinyin.push(' ');
        }
        last_start = pinyin.len();
        // Passports write lyu and nyu for lü and nü.
        let pushed = match word {
            "lyu" => "lv",
            "nyu" => "nv",
            other => other,
        };
        if !syllable::split(pushed, &mut pinyin) {
            return None;
        }
        if place == 0 {
            first_end = pinyin.len();
        }
    }
    let (first, last) = (words.split(' ').next()?, words.rsplit(' ').next()?);
    let several = last_start > 0 && pinyin.split(' ').count() <= SYLLABLES_MAX;
    let can_be_surname = |word: &str| SURNAME_READINGS.contains(word);
    let cut = |from: usize, to: usize| pinyin.get(from..to).unwrap_or("").to_owned();
    let end = pinyin.len();
    let (surname, given) = if several && can_be_surname(first) {
        (cut(0, first_end), cut(first_end + 1, end))
    } else if several && can_be_surname(last) {
        (cut(last_start, end), cut(0, last_start - 1))
    } else {
        (String::new(), String::new())
    };
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
