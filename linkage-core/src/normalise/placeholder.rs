//! Values that stand for "none".

use std::collections::BTreeSet;

use super::text;

/// Words that clerks and programs write where there is nothing, in canonical form.
const WORDS: &[&str] = &[
    "无",
    "无名",
    "无名氏",
    "不详",
    "未知",
    "未填",
    "空",
    "暂无",
    "测试",
    "某某",
    "同上",
    "身份证",
    "null",
    "nil",
    "n/a",
    "na",
    "none",
    "unknown",
    "test",
    "-",
    "--",
    "/",
    "?",
    "??",
    "???",
    ".",
    "x",
    "xxx",
];

/// The set of values that stand for "none".
pub struct Placeholders {
    words: BTreeSet<String>,
}

impl Placeholders {
    /// The built-in words and those of the schema.
    pub fn new(extra: &[String]) -> Self {
        let words = WORDS
            .iter()
            .map(|word| (*word).to_owned())
            .chain(extra.iter().map(|word| text::clean(word).to_string()))
            .collect();
        Self { words }
    }

    /// Whether a cleaned value stands for "none".
    pub(super) fn contains(&self, clean: &str) -> bool {
        self.words.contains(clean)
    }
}

/// Whether a code or number is filler: one character repeated (six or more times), or the ascending
/// digits `123456...`.
pub(super) fn is_filler(value: &str) -> bool {
    let mut chars = value.chars();
    let Some(first) = chars.next() else {
        return true;
    };
    let long = value.chars().count() >= 6;
    let repeated = chars.all(|c| c == first);
    let ascending = "12345678901234567890".starts_with(value);
    long && (repeated || ascending)
}
