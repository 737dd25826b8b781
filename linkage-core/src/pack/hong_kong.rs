//! Spellings of Hong Kong's government.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{HONG_KONG, only_char, rows};

static SPELLINGS: LazyLock<HashMap<char, Vec<&'static str>>> = LazyLock::new(|| {
    let entry = |row: Vec<&'static str>| match row.as_slice() {
        [char, spellings] => Some((only_char(char)?, spellings.split(' ').collect())),
        _ => None,
    };
    rows(HONG_KONG.1).filter_map(entry).collect()
});

/// How Hong Kong's government spells a folded character in names, in lower-case letters, the more
/// usual first; at most two. From the Cantonese reading by rule, with the usual spellings of
/// frequent surnames: people choose others too.
pub fn hong_kong(c: char) -> &'static [&'static str] {
    SPELLINGS.get(&c).map_or(&[], Vec::as_slice)
}
