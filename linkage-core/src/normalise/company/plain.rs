//! A company name without punctuation, and what its brackets hold.

use zeroize::Zeroizing;

use crate::normalise::address::region::{self, Named, Place, REGIONS};

/// What brackets may hold that belongs to the name.
const PARTS: [&str; 10] = [
    "集团",
    "控股",
    "控股集团",
    "实业",
    "企业",
    "有限合伙",
    "普通合伙",
    "特殊普通合伙",
    "合伙",
    "总店",
];

/// What the end of a bracket says if it names a branch.
const BRANCHES: [&str; 6] = ["店", "分公司", "支行", "分行", "营业部", "门市部"];

/// Kinds of owners, written behind names; other fields tell them.
const OWNERS: [&str; 9] = [
    "个体工商户",
    "个体户",
    "个体",
    "个人独资",
    "自然人独资",
    "外商独资",
    "普通",
    "独资",
    "中国",
];

/// A name on one level.
pub(super) struct Plain {
    /// Han characters, Latin letters and digits.
    pub(super) text: Zeroizing<String>,
    /// The region that a bracket named.
    pub(super) inner: Place,
    /// Whether a remark in brackets was left out.
    pub(super) remarks: bool,
}

/// Takes brackets and punctuation away: a region in brackets is returned by itself, `(集团)` and
/// the like stay in the name, remarks are left out.
pub(super) fn plain(clean: &str) -> Plain {
    let mut plain = Plain {
        text: Zeroizing::new(String::with_capacity(clean.len())),
        inner: Place::default(),
        remarks: false,
    };
    let mut rest = clean;
    while let Some(open) = rest.find(is_open) {
        let (outside, bracket) = rest.split_at_checked(open).unwrap_or((rest, ""));
        push(&mut plain.text, outside);
        let inside = bracket.trim_start_matches(is_open);
        let end = inside.find(is_close).unwrap_or(inside.len());
        let (content, behind) = inside.split_at_checked(end).unwrap_or((inside, ""));
        rest = behind.trim_start_matches(is_close);
        // A bracket that is all of the name is no remark.
        if outside.is_empty() && plain.text.is_empty() && rest.is_empty() {
            push(&mut plain.text, content);
        } else {
            plain.take_bracket(content, rest.is_empty());
        }
    }
    push(&mut plain.text, rest);
    plain
}

impl Plain {
    fn take_bracket(&mut self, content: &str, last: bool) {
        let mut text = Zeroizing::new(String::with_capacity(content.len()));
        push(&mut text, content);
        let branch = last && BRANCHES.iter().any(|ending| text.ends_with(ending));
        if PARTS.contains(&text.as_str()) || branch {
            self.text.push_str(&text);
        } else if let Some(place) = place(&text) {
            self.inner = place;
        } else if !OWNERS.contains(&text.as_str()) && !text.is_empty() {
            self.remarks = true;
        }
    }
}

/// The region that a whole text names.
fn place(text: &str) -> Option<Place> {
    let (_, candidates) = REGIONS.of(text).find(|(name, _)| *name == text)?;
    match region::choose(candidates, Place::default(), |_| true) {
        Named::Region(candidate) => Some(Place::new(candidate.code)),
        Named::Ambiguous | Named::No => None,
    }
}

fn push(out: &mut String, text: &str) {
    out.extend(
        text.chars()
            .filter(|c| c.is_ascii_alphanumeric() || is_han(*c)),
    );
}

fn is_open(c: char) -> bool {
    matches!(c, '(' | '[' | '【' | '〔' | '〈' | '《' | '「' | '{')
}

fn is_close(c: char) -> bool {
    matches!(c, ')' | ']' | '】' | '〕' | '〉' | '》' | '」' | '}')
}

pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{323AF}' | '〇')
}

/// A name of Latin letters without the remarks in Han characters beside them.
pub(super) fn without_han(clean: &str) -> Zeroizing<String> {
    Zeroizing::new(
        clean
            .chars()
            .map(|c| if is_han(c) { ' ' } else { c })
            .collect(),
    )
}
