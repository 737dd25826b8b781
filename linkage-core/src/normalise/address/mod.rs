//! Postal addresses: province, city, district, town, road, numbers.
//!
//! | step | module |
//! |---|---|
//! | remarks and punctuation are taken away | [`plain`] |
//! | province, city, district by any name they ever had | [`region`] |
//! | town, subdistrict | [`town`] |
//! | road, house, building, unit, floor, room | [`tail`] |
//! | no Han characters: words | [`western`] |
//!
//! Numerals become digits where they count something (三十三号, 二楼); inside the name of a road digits
//! become numerals (新洲11街 is 新洲十一街), so that both spellings meet and a road has no digits.

mod numeral;
mod plain;
pub(in crate::normalise) mod prefix;
pub(in crate::normalise) mod region;
mod tail;
pub(in crate::normalise) mod town;
mod western;

use zeroize::Zeroizing;

use self::region::{Named, Place, REGIONS};
use super::Parsed;
use crate::record::{Component, Components, FieldState, Finding, NormalValue};

/// Most names of regions that are read from one address: some repeat the city.
const NAMES_MAX: usize = 8;

/// Names of the country, which say nothing.
const COUNTRY: [&str; 2] = ["中华人民共和国", "中国"];

/// Times that an address is read at most until its canonical text stays the same. Two readings
/// suffice for addresses that mean something; what has none after all of them is no address.
const READS_MAX: usize = 6;

/// Reads a cleaned address; of its components only those of `wanted` are made.
pub(super) fn parse(clean: &str, wanted: Components) -> Parsed {
    let plain = plain::plain(clean);
    let mut read = read(&plain, wanted);
    let mut stable = read.settled || *plain.text == *read.value.whole();
    for _ in 1..READS_MAX {
        if stable {
            break;
        }
        // Digits in place of numerals, and names of regions in full, may run into what they stand
        // beside and be read otherwise.
        let again = self::read(&plain::plain(read.value.whole()), wanted);
        stable = again.value.whole() == read.value.whole();
        read = again;
    }
    let state = if read.value.whole().is_empty() {
        return (None, FieldState::Invalid(Finding::BadCharacters));
    } else if !stable {
        return (None, FieldState::Invalid(Finding::Unparsed));
    } else if !read.known {
        FieldState::Suspect(Finding::UnknownPlace)
    } else if plain.remarks {
        FieldState::Repaired(Finding::RemarkRemoved)
    } else {
        FieldState::Valid
    };
    (Some(read.value), state)
}

/// What was read from an address.
struct Read {
    value: NormalValue,
    /// Whether a region was recognised, or none can be: the address has no Han characters.
    known: bool,
    /// Whether the canonical text is certainly read alike.
    settled: bool,
}

/// What the name of a region or town may go on with, behind its canonical ending.
const REGION_ENDINGS: [char; 13] = [
    '省', '市', '区', '县', '州', '盟', '旗', '镇', '乡', '街', '道', '办', '人',
];

/// Reads an address without punctuation.
fn read(plain: &plain::Plain<'_>, wanted: Components) -> Read {
    if !plain.han {
        return Read {
            value: western::parse(plain.source),
            known: true,
            settled: false,
        };
    }
    let regions = regions(&plain.text);
    let place = regions.place;
    let city = place.city().map_or(0, |city| city * 100);
    let town = town::known(city, regions.rest).or_else(|| town::any(regions.rest));
    let rest = town.as_ref().map_or(regions.rest, |town| town.rest);
    let tail = tail::parse(rest);
    // Courtyards (院) and letters stand with numbers in more ways than the canonical one.
    let plain_tail = !rest.contains(|c: char| c == '院' || c.is_ascii_alphabetic());
    let settled = !tail.unsettled
        && plain_tail
        && place.is_current()
        && regions.unresolved.is_empty()
        && !rest.starts_with(REGION_ENDINGS);

    let mut whole = Zeroizing::new(String::with_capacity(plain.text.len() + 32));
    place.write_names(&mut whole);
    whole.push_str(regions.unresolved);
    if let Some(town) = &town {
        whole.push_str(town.name);
        whole.push_str(town.ending);
    }
    whole.push_str(&tail.text);

    let mut value = NormalValue::text(whole);
    add_place(&mut value, place, wanted);
    if let Some(town) = town.filter(|_| wanted.contains(Component::Town)) {
        value.add(Component::Town, town.name);
    }
    value.add(Component::Road, &tail.road);
    for number in tail.numbers() {
        value.add(Component::HouseNumber, number);
    }
    Read {
        value,
        known: !place.is_unknown(),
        settled,
    }
}

/// Adds the codes of a place that are wanted.
pub(in crate::normalise) fn add_place(value: &mut NormalValue, place: Place, wanted: Components) {
    let codes = [
        (Component::Province, place.province()),
        (Component::City, place.city()),
        (Component::District, place.district()),
    ];
    for (component, code) in codes {
        if let Some(code) = code.filter(|_| wanted.contains(component)) {
            value.add(component, Zeroizing::new(code.to_string()));
        }
    }
}

/// The regions that an address starts with.
struct Regions<'a> {
    place: Place,
    /// The name of a region that several have, and nothing tells apart.
    unresolved: &'a str,
    rest: &'a str,
}

/// Reads the names of regions, each within the one before.
fn regions(plain: &str) -> Regions<'_> {
    let mut rest = plain;
    for country in COUNTRY {
        rest = rest.strip_prefix(country).unwrap_or(rest);
    }
    let mut found = Regions {
        place: Place::default(),
        unresolved: "",
        rest,
    };
    for _ in 0..NAMES_MAX {
        let Some((named, behind)) = next_region(found.place, found.rest) else {
            break;
        };
        match named {
            Named::Region(candidate) => found.place = Place::new(candidate.code),
            Named::Ambiguous => {
                found.unresolved = found
                    .rest
                    .get(..found.rest.len() - behind.len())
                    .unwrap_or_default();
            }
            // A name said twice.
            Named::No => {}
        }
        found.rest = behind;
        if !found.unresolved.is_empty() {
            break;
        }
    }
    found
}

/// The next name and the text behind it; [`Named::No`] for one of a region that is known already.
fn next_region(scope: Place, text: &str) -> Option<(Named, &str)> {
    for (name, candidates) in REGIONS.of(text) {
        let behind = text.get(name.len()..)?;
        if behind.is_empty() && scope.is_unknown() && candidates.iter().all(|one| one.short) {
            continue;
        }
        let road_ahead = town::is_road_ahead(behind);
        let named = region::choose(candidates, scope, |candidate| {
            // A short name of a district needs its city or province for company.
            let alone = scope.is_unknown() && candidate.listed % 100 != 0;
            !candidate.short || !alone && !road_ahead
        });
        if !matches!(named, Named::No) {
            return Some((named, behind));
        }
        let repeated = candidates
            .iter()
            .any(|candidate| !candidate.short && scope.within(candidate.code));
        if repeated && !scope.is_unknown() {
            return Some((Named::No, behind));
        }
    }
    None
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{323AF}')
}

#[cfg(test)]
mod tests;
