//! Surnames.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{SURNAMES, han, rows};

/// A surname of one or two folded characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surname {
    /// The surname.
    pub text: &'static str,
    /// Bearers per 10 million people; 0 where unknown.
    pub weight: u32,
    /// Its reading as a surname, one syllable per character.
    pub readings: Vec<&'static str>,
}

struct Table {
    list: Vec<Surname>,
    by_text: HashMap<&'static str, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let entry = |row: Vec<&'static str>| {
        let [text, readings, weight] = row.as_slice() else {
            return None;
        };
        let readings = if readings.is_empty() {
            text.chars().filter_map(han::reading).collect()
        } else {
            readings.split(' ').collect()
        };
        Some(Surname {
            text,
            weight: weight.parse().ok()?,
            readings,
        })
    };
    let list: Vec<Surname> = rows(SURNAMES.1).filter_map(entry).collect();
    let by_text = (0..).zip(&list).map(|(at, s)| (s.text, at)).collect();
    Table { list, by_text }
});

/// The surname that is exactly `text` (folded).
pub fn surname(text: &str) -> Option<&'static Surname> {
    let at = TABLE.by_text.get(text)?;
    TABLE.list.get(*at)
}

/// All known surnames.
pub fn surnames() -> &'static [Surname] {
    &TABLE.list
}
