//! How a Han name is read aloud.

use zeroize::Zeroizing;

use super::syllable;
use crate::pack;
use crate::record::WILDCARD;

/// Longest reading of a character and the blank after it, in bytes.
const READING_BYTES: usize = 7;

/// A name in pinyin.
pub(super) struct Spoken {
    /// Toneless syllables separated by blanks, [`WILDCARD`] where the reading is not known.
    pub(super) pinyin: Zeroizing<String>,
    /// Where the surname's reading ends, in bytes; 0 without surname.
    surname_end: usize,
}

impl Spoken {
    /// Readings of surname and given name.
    pub(super) fn parts(&self) -> Option<(&str, &str)> {
        let (surname, given) = self.pinyin.split_at_checked(self.surname_end)?;
        (!surname.is_empty()).then(|| (surname, given.trim_start()))
    }
}

/// Reads a name aloud. A surname has its own reading (单 is shan as a surname, dan in a given name);
/// every other character the most usual one.
pub(super) fn read(whole: &str, surname: Option<&str>) -> Spoken {
    let mut pinyin = Zeroizing::new(String::with_capacity(whole.len() / 3 * READING_BYTES + 8));
    let surname = surname.unwrap_or("");
    match pack::surname(surname) {
        Some(known) => known
            .readings
            .iter()
            .for_each(|reading| push(&mut pinyin, reading)),
        None => characters(&mut pinyin, surname),
    }
    let surname_end = pinyin.len();
    characters(&mut pinyin, whole.strip_prefix(surname).unwrap_or(whole));
    Spoken {
        pinyin,
        surname_end,
    }
}

fn push(pinyin: &mut Zeroizing<String>, syllable: &str) {
    if !pinyin.is_empty() {
        pinyin.push(' ');
    }
    pinyin.push_str(syllable);
}

fn characters(pinyin: &mut Zeroizing<String>, mut text: &str) {
    let mut wildcard = [0; 4];
    let wildcard = &*WILDCARD.encode_utf8(&mut wildcard);
    while let Some(c) = text.chars().next() {
        let spelled = text.bytes().take_while(u8::is_ascii_lowercase).count();
        let (this, rest) = text
            .split_at_checked(spelled.max(c.len_utf8()))
            .unwrap_or((text, ""));
        text = rest;
        if spelled == 0 {
            push(pinyin, pack::reading(c).unwrap_or(wildcard));
            continue;
        }
        // A character that was written in pinyin.
        if !pinyin.is_empty() {
            pinyin.push(' ');
        }
        if !syllable::split(this, pinyin) {
            pinyin.push_str(this);
        }
    }
}
