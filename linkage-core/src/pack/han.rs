//! Lookups per Han character: folds, readings, four-corner codes, Hong Kong spellings.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::character_map::CharacterMap;

pub(super) const PRIVATE_USE: &str = include_str!("../../pack/private-use.tsv");
pub(super) const FOLD: &str = include_str!("../../pack/fold.tsv");
pub(super) const WEAK: &str = include_str!("../../pack/weak.tsv");
pub(super) const READINGS: &str = include_str!("../../pack/readings.tsv");
pub(super) const FOUR_CORNER: &str = include_str!("../../pack/four-corner.tsv");
pub(super) const HONG_KONG: &str = include_str!("../../pack/hong-kong.tsv");

/// Strong fold of a character: traditional to simplified, compatibility ideographs, variants.
///
/// A fixed point: folding twice changes nothing more. Characters are folded one by one, because
/// rules for phrases fold one character in two ways (鍾 in 錢鍾書 and in 鍾楚紅). Distinct legal surnames
/// stay apart; for those that clerks swap see [`weak`]. Other characters come back unchanged.
pub fn fold(c: char) -> char {
    static MAP: LazyLock<CharacterMap<char>> = LazyLock::new(|| CharacterMap::new(pairs(FOLD)));
    match MAP.get(c) {
        '\0' => c,
        folded => folded,
    }
}

/// The standard character of a private-use one that early GB 18030 assigned and later editions
/// moved.
///
/// `None` if `c` is private-use and not one of those; `Some(c)` if it is not private-use at all.
pub fn standard(c: char) -> Option<char> {
    static MAP: LazyLock<CharacterMap<char>> =
        LazyLock::new(|| CharacterMap::new(pairs(PRIVATE_USE)));
    match c {
        '\u{e000}'..='\u{f8ff}' => Some(MAP.get(c)).filter(|&standard| standard != '\0'),
        '\u{f0000}'.. => None,
        _ => Some(c),
    }
}

/// Representative of the weak class of a folded character (肖 and 萧 share one); `None` if in none.
///
/// Members of a class are distinct characters that clerks swap: a second token, no replacement.
pub fn weak(c: char) -> Option<char> {
    static MAP: LazyLock<CharacterMap<char>> = LazyLock::new(|| CharacterMap::new(pairs(WEAK)));
    Some(MAP.get(c)).filter(|&representative| representative != '\0')
}

/// Default toneless reading of a folded character: ASCII lower case, u-umlaut as `v`.
pub fn reading(c: char) -> Option<&'static str> {
    readings(c).first().copied()
}

/// Toneless readings in use today of a folded character, the default first, at most four.
pub fn readings(c: char) -> &'static [&'static str] {
    static LISTS: LazyLock<CharacterLists> = LazyLock::new(|| CharacterLists::new(READINGS));
    LISTS.get(c)
}

/// Spellings of a folded character in Hong Kong government use: lower case, at most two.
pub fn hong_kong(c: char) -> &'static [&'static str] {
    static LISTS: LazyLock<CharacterLists> = LazyLock::new(|| CharacterLists::new(HONG_KONG));
    LISTS.get(c)
}

/// Four-corner code of a folded character: five ASCII digits.
pub fn four_corner(c: char) -> Option<[u8; 5]> {
    static MAP: LazyLock<CharacterMap<[u8; 5]>> = LazyLock::new(|| {
        CharacterMap::new(
            rows(FOUR_CORNER).filter_map(|(c, code)| Some((c, code.as_bytes().try_into().ok()?))),
        )
    });
    Some(MAP.get(c)).filter(|code| code != &[0; 5])
}

/// Lists of words by character; equal lists are kept once.
struct CharacterLists {
    /// Place of the character's list in `lists`; place 0 is the empty list.
    places: CharacterMap<u16>,
    lists: Vec<&'static [&'static str]>,
}

impl CharacterLists {
    fn new(table: &'static str) -> Self {
        let mut lists: Vec<&'static [&'static str]> = vec![&[]];
        let mut known: HashMap<&'static str, u16> = HashMap::new();
        let places = CharacterMap::new(rows(table).map(|(c, words)| {
            let place = *known.entry(words).or_insert_with(|| {
                lists.push(words.split(' ').collect::<Vec<_>>().leak());
                // A table has a few thousand different lists; the tests see each looked up.
                (lists.len() - 1) as u16
            });
            (c, place)
        }));
        Self { places, lists }
    }

    fn get(&self, c: char) -> &'static [&'static str] {
        let place = usize::from(self.places.get(c));
        self.lists.get(place).copied().unwrap_or_default()
    }
}

/// Rows of a table whose first column is one character, as that and the rest.
fn rows(table: &'static str) -> impl Iterator<Item = (char, &'static str)> {
    table
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(key, rest)| Some((key.parse().ok()?, rest)))
}

/// Rows of a table of two characters each.
fn pairs(table: &'static str) -> impl Iterator<Item = (char, char)> {
    rows(table).filter_map(|(key, value)| Some((key, value.parse().ok()?)))
}
