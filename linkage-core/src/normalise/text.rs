//! Text folding: Unicode NFKC, invisible characters, case, white space.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// NFKC (Unicode Standard Annex 15), lower case, no invisible characters, single inner spaces, none
/// outside; a leading `'` (a spreadsheet's mark for "this is text") is dropped.
///
/// Lower-casing and NFKC can undo each other's work (`İ` lowers to `i` and a combining dot), so the
/// two run until nothing changes; two rounds reach the fixed point, the third is a guard.
pub(super) fn clean(raw: &str) -> Zeroizing<String> {
    let mut text = fold(raw);
    for _ in 0..3 {
        let again = fold(&text);
        if *again == *text {
            break;
        }
        text = again;
    }
    text
}

fn fold(raw: &str) -> Zeroizing<String> {
    // Capacity for the usual case, so that growing leaves no copy of the value behind.
    let mut out = Zeroizing::new(String::with_capacity(raw.len() * 2));
    let lowered = Zeroizing::new(raw.nfkc().collect::<String>().to_lowercase());
    for c in lowered.nfkc() {
        if c.is_whitespace() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !(is_invisible(c) || c == '\'' && out.is_empty()) {
            out.push(c);
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
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
fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}')
}

/// A cleaned name without punctuation; spaces go where the name has Han characters (`张 三` is `张三`)
/// and stay between Latin words.
pub(super) fn name(clean: &str) -> Zeroizing<String> {
    let han = clean.chars().any(is_han);
    let mut out = Zeroizing::new(String::with_capacity(clean.len()));
    for c in clean.chars() {
        if c.is_alphanumeric() {
            out.push(c);
        } else if !han && !out.is_empty() && !out.ends_with(' ') && (c == ' ' || c == '-') {
            out.push(' ');
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// Letters and digits of a cleaned code, upper case.
pub(super) fn code(clean: &str) -> Zeroizing<String> {
    Zeroizing::new(
        clean
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_uppercase)
            .collect(),
    )
}

/// Decimal digits of a cleaned number. NFKC has turned full-width digits into ASCII already.
pub(super) fn digits(clean: &str) -> Zeroizing<String> {
    Zeroizing::new(clean.chars().filter(char::is_ascii_digit).collect())
}
