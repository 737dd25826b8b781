//! The letters of a Han name: everything else taken off, its segments found.

use zeroize::Zeroizing;

use super::{latin, syllable, text};
use crate::record::WILDCARD;

/// From how many characters on separators divide a name into segments; in a shorter one they are a
/// typist's blanks.
const SEGMENTED_FROM: usize = 5;

/// Most characters of a name in which Latin letters stand for a character's pinyin.
const SPELLED_TO: usize = 4;

/// Forms of address behind a name, of two characters each.
const TITLES: [&str; 5] = ["女士", "先生", "医生", "小姐", "太太"];

/// A Han name's letters.
pub(super) struct Letters {
    /// The characters, [`WILDCARD`] for each that cannot be read; a character that was written in
    /// pinyin (`王xiao明`) stays so.
    pub(super) whole: Zeroizing<String>,
    /// Number of characters, readable or not.
    pub(super) places: usize,
    /// Number of readable ones.
    pub(super) readable: usize,
    /// Where the segments end in the whole, in bytes; empty for a name without segments.
    pub(super) ends: Vec<usize>,
    /// Latin words beside the Han name.
    pub(super) latin: Zeroizing<String>,
    /// Whether a title or digits were dropped.
    pub(super) removed: bool,
}

/// What Latin letters in a Han name are.
#[derive(PartialEq, Eq)]
enum Latin {
    /// There are none, or they are the pinyin of so many characters.
    Spelled(usize),
    /// `x` for characters that are not to be read.
    Mask,
    /// The name once more, in words of its own.
    Beside,
}

/// Reads the letters of a cleaned name that has Han characters, without brackets.
pub(super) fn read(name: &str) -> Letters {
    let latin = kind_of_latin(name);
    let mut letters = Letters {
        whole: Zeroizing::new(String::with_capacity(name.len() + 6)),
        places: 0,
        readable: 0,
        ends: Vec::new(),
        latin: Zeroizing::new(String::new()),
        removed: false,
    };
    if let Latin::Spelled(syllables) = latin {
        letters.places = syllables;
        letters.readable = syllables;
    }
    for c in name.chars() {
        match latin {
            _ if !c.is_ascii_alphabetic() => letters.push(c),
            Latin::Spelled(_) => letters.whole.push(c),
            Latin::Mask => letters.push(WILDCARD),
            Latin::Beside => {}
        }
    }
    if latin == Latin::Beside {
        letters.latin = latin::words(&ascii_words(name));
    }
    letters.cut_titles();
    letters.close_segments();
    letters
}

fn kind_of_latin(name: &str) -> Latin {
    let Some(at) = name.find(|c: char| c.is_ascii_alphabetic()) else {
        return Latin::Spelled(0);
    };
    let run = name.get(at..).unwrap_or("");
    let end = run
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(run.len());
    let (run, after) = run.split_at_checked(end).unwrap_or((run, ""));
    let more = after.bytes().any(|b| b.is_ascii_alphabetic());
    if name.bytes().all(|b| !b.is_ascii_alphabetic() || b == b'x') {
        return Latin::Mask;
    }
    let han = name.chars().filter(|c| text::is_han(*c)).count();
    match syllable::count(run) {
        Some(syllables) if !more && han + syllables <= SPELLED_TO => Latin::Spelled(syllables),
        _ => Latin::Beside,
    }
}

/// The ASCII words of a mixed name.
fn ascii_words(name: &str) -> Zeroizing<String> {
    let ascii = |c: char| if c.is_ascii() { c } else { ' ' };
    Zeroizing::new(name.chars().map(ascii).collect())
}

impl Letters {
    fn push(&mut self, c: char) {
        match c {
            _ if text::is_han(c) || is_other_letter(c) => {
                self.whole.push(c);
                self.places += 1;
                self.readable += 1;
            }
            _ if is_unreadable(c) => {
                self.whole.push(WILDCARD);
                self.places += 1;
            }
            _ if is_separator(c) => self.end_segment(),
            _ => self.removed |= c.is_ascii_digit(),
        }
    }

    fn end_segment(&mut self) {
        let end = self.whole.len();
        if end > self.ends.last().copied().unwrap_or(0) {
            self.ends.push(end);
        }
    }

    fn cut_titles(&mut self) {
        while self.places >= 3
            && let Some(name) = TITLES
                .iter()
                .find_map(|title| self.whole.strip_suffix(title))
        {
            let length = name.len();
            self.whole.truncate(length);
            self.places -= 2;
            self.readable -= 2;
            self.removed = true;
            self.ends.retain(|end| *end <= length);
        }
    }

    fn close_segments(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        self.end_segment();
        if self.places < SEGMENTED_FROM || self.ends.len() < 2 {
            self.ends.clear();
        }
    }
}

/// Marks that clerks and programs write for a character they cannot.
pub(super) fn is_unreadable(c: char) -> bool {
    matches!(
        c,
        '?' | '*' | '□' | '■' | '〇' | '○' | '〓' | '◇' | '_' | '×' | WILDCARD
    )
}

/// Marks between the segments of a name: the official U+00B7, what keyboards offer instead, and
/// what is left of it after a passage through other character sets.
fn is_separator(c: char) -> bool {
    matches!(
        c,
        '·' | '•' | '・' | '.' | '‧' | '∙' | '⋅' | '●' | '。' | '-' | ' ' | '\'' | '’' | '`'
    )
}

/// Kana and Hangul.
fn is_other_letter(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30FF}' | '\u{AC00}'..='\u{D7A3}') && c.is_alphanumeric()
}
