//! Surnames: which there are, how common, how read.

use std::sync::LazyLock;

use super::character_map::CharacterMap;

pub(super) const SURNAMES: &str = include_str!("../../pack/surnames.tsv");

/// A known surname.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surname {
    /// The surname, folded: one character, or two of a compound one.
    pub text: &'static str,
    /// Bearers per 10 million people; 0 where no count is known, which means rare.
    pub weight: u32,
    /// Its toneless readings as a surname, one per character, u-umlaut as `v`.
    pub readings: &'static [&'static str],
}

/// The surnames in ascending order, and the place of each single one plus 1.
struct Surnames {
    all: &'static [Surname],
    single: CharacterMap<u16>,
    /// Whether a compound surname starts with the character.
    compound: CharacterMap<bool>,
}

static TABLE: LazyLock<Surnames> = LazyLock::new(|| {
    let all: &'static [Surname] = SURNAMES
        .lines()
        .filter_map(parse)
        .collect::<Vec<_>>()
        .leak();
    let single = CharacterMap::new(
        (1..)
            .zip(all)
            .filter_map(|(place, surname)| Some((surname.text.parse().ok()?, place))),
    );
    let compound = CharacterMap::new(all.iter().filter_map(|surname| {
        let mut characters = surname.text.chars();
        let first = characters.next()?;
        characters.next().map(|_| (first, true))
    }));
    Surnames {
        all,
        single,
        compound,
    }
});

/// Looks up a folded surname of one or two characters.
pub fn surname(text: &str) -> Option<&'static Surname> {
    let table = &*TABLE;
    let mut characters = text.chars();
    let first = characters.next()?;
    if characters.next().is_none() {
        let place = usize::from(table.single.get(first));
        return table.all.get(place.checked_sub(1)?);
    }
    if !table.compound.get(first) {
        return None;
    }
    let place = table
        .all
        .binary_search_by(|surname| surname.text.cmp(text))
        .ok()?;
    table.all.get(place)
}

/// All known surnames, ascending by code points.
pub fn surnames() -> &'static [Surname] {
    TABLE.all
}

fn parse(line: &'static str) -> Option<Surname> {
    let mut columns = line.split('\t');
    Some(Surname {
        text: columns.next()?,
        weight: columns.next()?.parse().ok()?,
        readings: columns.next()?.split(' ').collect::<Vec<_>>().leak(),
    })
}
