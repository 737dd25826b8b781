//! Values that stand for "none".

use std::collections::HashSet;

use super::text;

/// Words that clerks and programs write where there is nothing, in canonical form.
const WORDS: &[&str] = &[
    "无",
    "无名",
    "无名氏",
    "不详",
    "未知",
    "未填",
    "未填写",
    "空",
    "空白",
    "暂无",
    "没有",
    "测试",
    "某某",
    "某某某",
    "婴儿",
    "新生儿",
    "之子",
    "之女",
    "之婴",
    "本人",
    "同上",
    "身份证",
    "null",
    "nil",
    "n/a",
    "na",
    "nan",
    "none",
    "unknown",
    "test",
    "0",
    "-",
    "--",
    "---",
    "/",
    "?",
    "??",
    "???",
    ".",
    "x",
    "xx",
    "xxx",
];

/// The set of values that stand for "none".
pub struct Placeholders {
    words: HashSet<String>,
    /// Length of the longest word in bytes: a longer value is none of them.
    length_max: usize,
}

impl Placeholders {
    /// The built-in words and those of the schema.
    pub fn new(extra: &[String]) -> Self {
        let words: HashSet<String> = WORDS
            .iter()
            .map(|word| (*word).to_owned())
            .chain(extra.iter().map(|word| text::clean(word).to_string()))
            .collect();
        let length_max = words.iter().map(String::len).max().unwrap_or(0);
        Self { words, length_max }
    }

    /// Whether a cleaned value stands for "none".
    pub(super) fn contains(&self, clean: &str) -> bool {
        clean.len() <= self.length_max && self.words.contains(clean)
    }

    /// Whether a canonical value, of a code in upper case, stands for "none".
    pub(super) fn contains_canonical(&self, whole: &str) -> bool {
        whole.len() <= self.length_max && self.contains(&text::clean(whole))
    }
}

/// Whether a code or number is filler: one character repeated (six or more times), or the ascending
/// digits `123456...`.
pub(super) fn is_filler(value: &str) -> bool {
    let mut chars = value.chars();
    let Some(first) = chars.next() else {
        return true;
    };
    let repeated = chars.all(|c| c == first);
    let ascending = "12345678901234567890".starts_with(value);
    (repeated || ascending) && value.chars().count() >= 6
}
