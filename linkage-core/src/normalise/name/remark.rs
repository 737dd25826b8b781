//! Remarks in and behind names: brackets, and former names.

use zeroize::Zeroizing;

use super::text;

/// Words before a former or other name.
const FORMER: [&str; 6] = ["曾用名", "曾用过名", "又名", "原名", "别名", "曾名"];

const OPENING: [char; 7] = ['(', '[', '{', '【', '〔', '《', '<'];
const CLOSING: [char; 7] = [')', ']', '}', '】', '〕', '》', '>'];

/// A name apart from its remarks.
pub(super) struct Remarks {
    /// What stands outside all brackets.
    pub(super) name: Zeroizing<String>,
    /// A second spelling in brackets: Han characters for a Latin name, Latin words for a Han one.
    pub(super) bracketed: Option<Zeroizing<String>>,
    /// Former names, as written.
    pub(super) former: Vec<Zeroizing<String>>,
    /// Whether a remark was dropped.
    pub(super) removed: bool,
}

/// Whether [`split`] may find more than the name in a cleaned one.
pub(super) fn may_be_in(clean: &str) -> bool {
    clean.contains(OPENING) || marker(clean).is_some()
}

/// Takes remarks off a cleaned name that has Han characters.
pub(super) fn split(clean: &str) -> Remarks {
    let mut remarks = Remarks {
        name: Zeroizing::new(String::with_capacity(clean.len())),
        bracketed: None,
        former: Vec::new(),
        removed: false,
    };
    let mut rest = clean;
    while let Some(at) = rest.find(OPENING) {
        let (before, bracket) = rest.split_at_checked(at).unwrap_or((rest, ""));
        remarks.name.push_str(before);
        let inside = bracket.strip_prefix(OPENING).unwrap_or("");
        let (inside, after) = inside.split_once(CLOSING).unwrap_or((inside, ""));
        remarks.bracket(inside);
        rest = after;
    }
    remarks.name.push_str(rest);
    remarks.cut_former();
    if remarks.name.trim().is_empty()
        && let Some(inner) = remarks.bracketed.take()
    {
        remarks.name = inner;
    }
    remarks
}

/// What stands before a former name in letters that were written with blanks or marks between.
pub(super) fn former_in(whole: &str) -> Option<&str> {
    let (at, _) = marker(whole)?;
    whole.get(..at)
}

/// Where a word before a former name stands, not at the start, and its length.
fn marker(name: &str) -> Option<(usize, usize)> {
    // Shorter than a name, a marker and another name.
    if name.len() <= 12 {
        return None;
    }
    let found = FORMER
        .iter()
        .filter_map(|word| Some((name.find(word)?, word.len())));
    found.filter(|(at, _)| *at > 0).min()
}

impl Remarks {
    fn bracket(&mut self, inside: &str) {
        let marked = FORMER.iter().find_map(|word| {
            let (_, names) = inside.split_once(word)?;
            Some(names)
        });
        if let Some(names) = marked {
            self.add_former(names);
            return;
        }
        let outer_han = self.name.chars().any(text::is_han);
        let inner_han = inside.chars().filter(|c| text::is_han(*c)).count();
        let letters = inside.bytes().filter(u8::is_ascii_alphabetic).count();
        // A name of the other script, not a remark such as (女) or (已故).
        let second = if outer_han {
            inner_han == 0 && letters > 1
        } else {
            inner_han > 1
        };
        if second && self.bracketed.is_none() {
            self.bracketed = Some(Zeroizing::new(inside.to_owned()));
        } else {
            self.removed = true;
        }
    }

    /// Cuts a former name that stands behind the name without brackets.
    fn cut_former(&mut self) {
        let Some((at, length)) = marker(&self.name) else {
            return;
        };
        if let Some(names) = self.name.get(at + length..) {
            let names = Zeroizing::new(names.to_owned());
            self.add_former(&names);
        }
        self.name.truncate(at);
    }

    fn add_former(&mut self, names: &str) {
        let names = names.trim_start_matches([':', ' ', '为', '是']);
        for name in names.split(['、', ',', ';', '/']) {
            if !name.trim().is_empty() {
                self.former.push(Zeroizing::new(name.to_owned()));
            }
        }
    }
}
