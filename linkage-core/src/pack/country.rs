//! Countries, ISO 3166-1.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{COUNTRIES, rows};

struct Table {
    by_number: HashMap<u16, &'static str>,
    by_letters: HashMap<&'static str, u16>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let entry = |row: Vec<&'static str>| match row.as_slice() {
        [letters, number] => Some((*letters, number.parse().ok()?)),
        _ => None,
    };
    let by_letters: HashMap<&'static str, u16> = rows(COUNTRIES.1).filter_map(entry).collect();
    let by_number = by_letters
        .iter()
        .map(|(letters, number)| (*number, *letters));
    Table {
        by_number: by_number.collect(),
        by_letters,
    }
});

/// The three letters of a country's number.
pub fn country_numeric(code: u16) -> Option<&'static str> {
    TABLE.by_number.get(&code).copied()
}

/// The number of a country's three upper-case letters.
pub fn country_alpha3(code: &str) -> Option<u16> {
    TABLE.by_letters.get(code).copied()
}
