//! Pinyin of a company name.

use zeroize::Zeroizing;

use crate::pack;
use crate::record::WILDCARD;

/// Syllables separated by blanks; Latin words and digits as they are, [`WILDCARD`] for a character
/// without reading.
pub(super) fn pinyin(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 2));
    let mut in_run = false;
    for c in text.chars() {
        let latin = c.is_ascii_alphanumeric();
        if !(out.is_empty() || latin && in_run) {
            out.push(' ');
        }
        in_run = latin;
        if latin {
            out.push(c);
        } else {
            match pack::reading(c) {
                Some(reading) => out.push_str(reading),
                None => out.push(WILDCARD),
            }
        }
    }
    out
}
