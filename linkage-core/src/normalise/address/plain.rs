//! An address without remarks and punctuation.

use zeroize::Zeroizing;

use super::numeral;

/// What is left of an address.
pub(super) struct Plain<'a> {
    /// The address as it was.
    pub(super) source: &'a str,
    /// Latin letters, digits and Han characters. A hyphen stays between the parts of a number;
    /// other separators become `、` there.
    pub(super) text: Zeroizing<String>,
    /// Whether a Han character is among them.
    pub(super) han: bool,
    /// Whether a remark was left out.
    pub(super) remarks: bool,
}

/// Takes away punctuation and bracketed remarks, with them what follows a bracket that is never
/// closed (the value was cut off). An address that is all remark is kept without its brackets.
pub(super) fn plain(clean: &str) -> Plain<'_> {
    let outside = keep(clean, false);
    if outside.text.is_empty() {
        keep(clean, true)
    } else {
        outside
    }
}

/// The text without punctuation, with or without what brackets enclose.
fn keep(clean: &str, remarks: bool) -> Plain<'_> {
    let mut out = Zeroizing::new(String::with_capacity(clean.len()));
    let mut depth = 0_u32;
    let mut separator = None;
    let mut left_out = false;
    let mut han = false;
    for c in clean.chars() {
        match c {
            '(' | '[' | '【' | '〔' | '〈' | '《' | '「' | '{' => depth += 1,
            ')' | ']' | '】' | '〕' | '〉' | '》' | '」' | '}' => {
                depth = depth.saturating_sub(1)
            }
            _ if depth > 0 && !remarks => left_out = true,
            '-' | '—' | '–' | '~' | '〜' | '至' | '−' | '、' | ',' | '/' | '\\' | ';' | '.'
            | '&'
                if out.ends_with(is_part) =>
            {
                separator = separator.or(Some(c));
            }
            '#' => {
                if out.ends_with(|last: char| last.is_ascii_alphanumeric()) {
                    out.push('号');
                }
                separator = None;
            }
            _ if is_part(c) || super::is_han(c) => {
                if let Some(separator) = separator.take() {
                    match separator {
                        '、' | ',' | '/' | '\\' | ';' | '.' | '&' if is_part(c) => out.push('、'),
                        _ if is_part(c) => out.push('-'),
                        '至' => out.push('至'),
                        _ => {}
                    }
                }
                han |= super::is_han(c);
                out.push(c);
            }
            _ => {}
        }
    }
    Plain {
        source: clean,
        text: out,
        han,
        remarks: left_out,
    }
}

/// Whether a character may be part of a number.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || numeral::is_numeral(c)
}
