//! Han characters: what they fold to, how they are read, what they look like.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::{HAN, PRIVATE_USE, WEAK, only_char, rows};

/// The two blocks that are looked up by index: CJK Extension A and the unified ideographs.
const DENSE: Range<u32> = 0x3400..0xA000;

/// Properties of one character.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// First of its readings in [`Tables::readings`], and how many.
    readings: (u32, u8),
    /// Four-corner code in ASCII digits; zeros if unknown.
    corners: [u8; 5],
}

struct Tables {
    folds: Vec<char>,
    rare_folds: HashMap<char, char>,
    entries: Vec<Entry>,
    readings: Vec<&'static str>,
    weak: HashMap<char, char>,
    private_use: HashMap<char, char>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::load);

impl Tables {
    fn load() -> Self {
        let mut tables = Self {
            folds: DENSE
                .map(|code| char::from_u32(code).unwrap_or_default())
                .collect(),
            rare_folds: HashMap::new(),
            entries: vec![Entry::default(); DENSE.len()],
            readings: Vec::new(),
            weak: HashMap::new(),
            private_use: HashMap::new(),
        };
        for row in rows(HAN.1) {
            let [char, target, readings, corners] = row.as_slice() else {
                continue;
            };
            if let Some(char) = only_char(char) {
                tables.add(char, only_char(target), readings, corners);
            }
        }
        for row in rows(WEAK.1) {
            let [first, others] = row.as_slice() else {
                continue;
            };
            if let Some(first) = only_char(first) {
                tables.weak.insert(first, first);
                tables
                    .weak
                    .extend(others.chars().map(|other| (other, first)));
            }
        }
        let code = |hex: &str| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
        for row in rows(PRIVATE_USE.1) {
            if let [from, to] = row.as_slice()
                && let Some((from, to)) = code(from).zip(code(to))
            {
                tables.private_use.insert(from, to);
            }
        }
        tables
    }

    fn add(
        &mut self,
        char: char,
        target: Option<char>,
        readings: &'static str,
        corners: &'static str,
    ) {
        let at = dense(char);
        if let Some(target) = target {
            match at.and_then(|at| self.folds.get_mut(at)) {
                Some(slot) => *slot = target,
                None => {
                    self.rare_folds.insert(char, target);
                }
            }
        }
        let first = self.readings.len();
        self.readings
            .extend(readings.split(',').filter(|reading| !reading.is_empty()));
        let count = self.readings.len() - first;
        if let Some(entry) = at.and_then(|at| self.entries.get_mut(at)) {
            // The table has under 30,000 rows of at most three readings.
            entry.readings = (
                u32::try_from(first).unwrap_or(0),
                u8::try_from(count).unwrap_or(0),
            );
            entry.corners = corners.as_bytes().try_into().unwrap_or_default();
        }
    }

    fn entry(&self, c: char) -> Option<&Entry> {
        dense(c).and_then(|at| self.entries.get(at))
    }
}

fn dense(c: char) -> Option<usize> {
    DENSE
        .contains(&u32::from(c))
        .then(|| (u32::from(c) - DENSE.start) as usize)
}

/// The simplified, standard form of a character, one by one and never by phrase: traditional to
/// simplified (the first target of OpenCC's table), compatibility ideographs, and variants in names.
/// A fixed point: folding twice is folding once. Any other character is returned as it is.
#[inline]
pub fn fold(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    match dense(c) {
        Some(at) => TABLES.folds.get(at).copied().unwrap_or(c),
        None => TABLES.rare_folds.get(&c).copied().unwrap_or(c),
    }
}

/// The standard character of a private-use one of GB 18030 (GB 18030-2022, annex D). `None` for a
/// private-use character that the standard does not know; any other is returned as it is.
pub fn standard(c: char) -> Option<char> {
    let private = matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFD}');
    if private {
        TABLES.private_use.get(&c).copied()
    } else {
        Some(c)
    }
}

/// The representative of the class of characters that clerks exchange with this one (肖 and 萧 are
/// one class, and each a legal surname). `None` for a character in no class.
pub fn weak(c: char) -> Option<char> {
    TABLES.weak.get(&c).copied()
}

/// The most usual reading of a folded character: pinyin without tone, in lower-case letters, `v`
/// for ü.
#[inline]
pub fn reading(c: char) -> Option<&'static str> {
    readings(c).first().copied()
}

/// The readings of a folded character, the most usual first, at most three.
#[inline]
pub fn readings(c: char) -> &'static [&'static str] {
    let tables: &'static Tables = &TABLES;
    let Some(entry) = tables.entry(c) else {
        return &[];
    };
    let (first, count) = (entry.readings.0 as usize, usize::from(entry.readings.1));
    tables.readings.get(first..first + count).unwrap_or(&[])
}

/// The four-corner code of a folded character (Wang Yunwu, 1925): five ASCII digits for the strokes
/// in its corners, upper left first, and above the lower right one.
#[inline]
pub fn four_corner(c: char) -> Option<[u8; 5]> {
    let corners = TABLES.entry(c)?.corners;
    corners.iter().all(u8::is_ascii_digit).then_some(corners)
}
