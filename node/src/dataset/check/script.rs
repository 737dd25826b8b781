//! Which script a value is written in.

use linkage_core::pack;
use serde::Serialize;

/// Scripts that values are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Script {
    /// Han characters, perhaps with digits.
    Han,
    /// Latin letters, perhaps with digits.
    Latin,
    /// Digits alone.
    Digits,
    /// Han characters and Latin letters.
    Mixed,
    /// Hiragana, katakana or hangul among others.
    KanaHangul,
    /// Some character stands for one that could not be read: a replacement, private-use or question
    /// mark, a box.
    Unreadable,
    /// Nothing of these: other scripts, signs alone.
    Other,
}

impl Script {
    /// Every script, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::Han,
        Self::Latin,
        Self::Digits,
        Self::Mixed,
        Self::KanaHangul,
        Self::Unreadable,
        Self::Other,
    ];

    /// The script of a value that is not empty.
    pub(super) fn of(value: &str) -> Self {
        let (mut han, mut latin, mut digits, mut kana) = (false, false, false, false);
        for c in value.chars() {
            // Private-use characters of early GB 18030 are read as the standard ones.
            match pack::standard(c).unwrap_or(char::REPLACEMENT_CHARACTER) {
                '0'..='9' | '\u{ff10}'..='\u{ff19}' => digits = true,
                'a'..='z' | 'A'..='Z' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => {
                    latin = true;
                }
                // Latin-1 and Latin Extended-A and -B, letters with marks.
                '\u{c0}'..='\u{24f}' if c.is_alphabetic() => latin = true,
                // Unified ideographs with extensions A to J, compatibility, 〇 and 々.
                '\u{3400}'..='\u{4dbf}'
                | '\u{4e00}'..='\u{9fff}'
                | '\u{f900}'..='\u{faff}'
                | '\u{20000}'..='\u{3ffff}'
                | '\u{3007}'
                | '\u{3005}' => han = true,
                '\u{3041}'..='\u{30ff}' | '\u{ac00}'..='\u{d7a3}' | '\u{1100}'..='\u{11ff}' => {
                    kana |= c != '\u{30fb}';
                }
                '?' | '\u{ff1f}' | '\u{25a1}' | '\u{fffd}' => {
                    return Self::Unreadable;
                }
                _ => {}
            }
        }
        match (kana, han, latin, digits) {
            (true, ..) => Self::KanaHangul,
            (_, true, true, _) => Self::Mixed,
            (_, true, ..) => Self::Han,
            (_, _, true, _) => Self::Latin,
            (.., true) => Self::Digits,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_told_apart() {
        for (value, script) in [
            ("王小明", Script::Han),
            ("解放路33号", Script::Han),
            ("买买提·艾力", Script::Han),
            ("𠮷野", Script::Han),
            ("Zoë Müller-3", Script::Latin),
            ("138 0000-0001", Script::Digits),
            ("ＡＢ１", Script::Latin),
            ("王Tom", Script::Mixed),
            ("たなか", Script::KanaHangul),
            ("김철수", Script::KanaHangul),
            ("王?明", Script::Unreadable),
            ("王\u{e863}", Script::Han),
            ("王\u{e000}", Script::Unreadable),
            ("--", Script::Other),
        ] {
            assert_eq!(Script::of(value), script, "{value}");
        }
    }
}
