//! Text folding: one spelling for what looks or means the same.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use zeroize::Zeroizing;

use crate::pack;
use crate::record::WILDCARD;

/// The canonical form of any text, in this order: private-use characters of GB 18030 to their
/// standard ones (an unknown one becomes [`WILDCARD`]), NFKC (Unicode Standard Annex 15), lower
/// case, no invisible characters, single inner spaces and none outside, no leading `'` (a
/// spreadsheet's mark for "this is text"), and each Han character folded by itself to its
/// simplified, standard form.
pub(super) fn clean(raw: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::default();
    clean_into(raw, &mut text);
    text
}

/// [`clean`] in place of what `text` held, in the same memory if there is enough.
pub(super) fn clean_into(raw: &str, text: &mut Zeroizing<String>) {
    if raw.bytes().all(|byte| byte.is_ascii_graphic()) && !raw.starts_with('\'') {
        let sink = Sink::new(raw.len(), text);
        sink.text.push_str(raw);
        sink.text.make_ascii_lowercase();
    } else if quick(raw, text).is_none() {
        *text = thorough(raw);
    }
}

/// [`clean`] for a text of characters that each fold by themselves, whatever their neighbours.
fn quick(raw: &str, text: &mut Zeroizing<String>) -> Option<()> {
    let mut out = Sink::new(raw.len(), text);
    for c in raw.chars() {
        match simple(c)? {
            // Neither blank nor invisible.
            c @ ('\u{4E00}'..='\u{9FFF}' | '0'..='9' | 'a'..='z') => out.text.push(c),
            c => out.push(c),
        }
    }
    out.finish();
    Some(())
}

/// What `c` folds to, if that depends on nothing else: ASCII and its full-width forms, the two Han
/// blocks in everyday use, and punctuation of Chinese text that NFKC leaves alone.
fn simple(c: char) -> Option<char> {
    match c {
        '\0'..='\x7f' => Some(c.to_ascii_lowercase()),
        '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' => Some(pack::fold(c)),
        '\u{3000}' => Some(' '),
        '\u{FF01}'..='\u{FF5E}' => {
            let ascii = u8::try_from(u32::from(c) - 0xFEE0).ok()?;
            Some(char::from(ascii.to_ascii_lowercase()))
        }
        '\u{B7}' | '\u{2014}' | '\u{2022}' | '\u{3001}' | '\u{3002}' | '\u{3007}' => Some(c),
        _ => None,
    }
}

/// [`clean`] for every text. The steps can undo each other's work (`İ` lowers to `i` and a
/// combining dot), so they run until nothing changes; two rounds reach the fixed point, the rest is
/// a guard.
fn thorough(raw: &str) -> Zeroizing<String> {
    let mut text = round(raw);
    for _ in 0..4 {
        let again = round(&text);
        if *again == *text {
            break;
        }
        text = again;
    }
    text
}

fn round(raw: &str) -> Zeroizing<String> {
    let standard = raw.chars().map(|c| pack::standard(c).unwrap_or(WILDCARD));
    let composed = Zeroizing::new(standard.nfkc().collect::<String>());
    let lowered = Zeroizing::new(composed.to_lowercase());
    let mut text = Zeroizing::default();
    let mut out = Sink::new(raw.len() * 2, &mut text);
    for c in lowered.nfkc() {
        out.push(pack::fold(c));
    }
    out.finish();
    text
}

/// Collects characters, leaving out what is invisible or surplus.
struct Sink<'a> {
    text: &'a mut Zeroizing<String>,
}

impl<'a> Sink<'a> {
    /// A sink for a text of about `length` bytes in place of what `text` held. A Han character of
    /// three bytes may fold to one of four: room for that, so that growing leaves no copy of the
    /// value behind.
    fn new(length: usize, text: &'a mut Zeroizing<String>) -> Self {
        let needed = length + length / 3 + 1;
        if text.capacity() < needed {
            *text = Zeroizing::new(String::with_capacity(needed));
        }
        text.clear();
        Self { text }
    }

    fn push(&mut self, c: char) {
        if c.is_whitespace() {
            if !self.text.is_empty() && !self.text.ends_with(' ') {
                self.text.push(' ');
            }
        } else if !(is_invisible(c) || c == '\'' && self.text.is_empty()) {
            self.text.push(c);
        }
    }

    fn finish(self) {
        if self.text.ends_with(' ') {
            self.text.pop();
        }
    }
}

/// Zero-width characters, joiners, directional marks, variation selectors, the soft hyphen and
/// control characters: copied along with text, never part of a value.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}'
            | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Whether a character is written in Han script (the unified blocks and extensions).
pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}')
}

/// Letters and digits of a cleaned code, upper case. Marks that combine with letters belong to no
/// code, and what stood apart may combine once separators are gone.
pub(super) fn code(clean: &str) -> Zeroizing<String> {
    let kept = clean
        .chars()
        .filter(|c| c.is_alphanumeric() && canonical_combining_class(*c) == 0)
        .flat_map(char::to_uppercase);
    Zeroizing::new(kept.nfkc().collect())
}

/// Decimal digits of a cleaned number. NFKC has turned full-width digits into ASCII already.
pub(super) fn digits(clean: &str) -> Zeroizing<String> {
    Zeroizing::new(clean.chars().filter(char::is_ascii_digit).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folds_characters_one_by_one() {
        for (raw, folded) in [
            ("錢鍾書", "钱钟书"),
            ("鍾楚紅", "钟楚红"),
            ("閆峯", "闫峰"),
            (" 張　三豐 ", "张 三丰"),
            ("\u{E863}", "䶮"),
            ("\u{E81E}", "\u{9FB4}"),
            ("王\u{E000}明", "王\u{FFFD}明"),
            ("\u{F9D8}", "律"),
            ("ＡＢ１２（）Ⅲ", "ab12()iii"),
            ("'0012\u{200B}3\u{FEFF}", "00123"),
            ("a \t\r\n b", "a b"),
            ("\u{2018}İ", "\u{2018}i\u{307}"),
        ] {
            assert_eq!(&*clean(raw), folded, "{raw}");
            assert_eq!(&*thorough(raw), folded, "{raw}");
        }
    }

    #[test]
    fn the_quick_way_gives_what_the_thorough_one_does() {
        for c in '\0'..='\u{FFFF}' {
            if simple(c).is_some() {
                let text = format!("a{c}b");
                assert_eq!(*clean(&text), *thorough(&text), "{:x}", u32::from(c));
            }
        }
    }

    proptest! {
        #[test]
        fn cleaning_a_clean_text_changes_nothing(raw in any::<String>()) {
            let once = clean(&raw);
            prop_assert_eq!(&*clean(&once), &*once);
            prop_assert_eq!(&*thorough(&raw), &*once);
        }
    }
}
