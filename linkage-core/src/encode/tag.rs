//! Link keys and block keys: keyed tags over ordered composites of field values; and the frequency
//! classes of the `fields` profile.

use std::ops::Range;

use zeroize::Zeroizing;

use super::LINK_KEY_BYTES;
use super::feature::holds_wildcard;
use super::pinyin;
use super::suite::{Mac, TAG_BYTES};
use crate::keys::ProjectKey;
use crate::record::{NormalRecord, NormalValue};
use crate::schema::{Part, Schema, Take};

/// Bytes for which room is made at once; a record whose parts take more is rare.
const ROOM_BYTES: usize = 2048;

/// One column of tags.
struct Column {
    mac: Mac,
    /// Which column of its rule it is, so that the same text under two supports gives two tags.
    number: u8,
    /// Places in [`Tagger::parts`].
    parts: Vec<usize>,
}

/// Makes the tags of a record.
pub(super) struct Tagger<'a> {
    /// The distinct parts of all rules, each with its field's index; taken once per record.
    parts: Vec<(usize, &'a Part)>,
    link: Vec<Column>,
    block: Vec<Column>,
}

/// The tags of some records, by record and then by column or rule; `None` where one lacks a part.
#[derive(Default)]
pub(super) struct Tags {
    pub(super) link_keys: Vec<Option<[u8; LINK_KEY_BYTES]>>,
    pub(super) block_keys: Vec<Option<u64>>,
    pub(super) classes: Vec<u16>,
}

impl Tags {
    /// Removes all tags and keeps the room.
    pub(super) fn clear(&mut self) {
        self.link_keys.clear();
        self.block_keys.clear();
        self.classes.clear();
    }
}

/// Room to work in, used again from record to record and wiped in the end.
pub(super) struct Room {
    /// What the parts took, each preceded by its length.
    bytes: Zeroizing<Vec<u8>>,
    /// Where each part lies.
    taken: Vec<Option<Range<usize>>>,
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(ROOM_BYTES)),
            taken: Vec::new(),
        }
    }

    /// Makes room for `more` bytes without leaving a copy behind, as `Vec`'s own growth would.
    fn reserve(&mut self, more: usize) {
        if self.bytes.capacity() - self.bytes.len() < more {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * (self.bytes.len() + more)));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
    }

    /// Takes `part` of `value`: its length, then itself. `None` where there is nothing or it cannot
    /// be read.
    fn take(&mut self, part: &Part, value: &NormalValue) -> Option<Range<usize>> {
        // Nothing taken is longer than its text but a code or a date's part of a few bytes.
        self.reserve(4 + 16 + value.first(part.part).map_or(0, str::len));
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        take(part, value, &mut self.bytes)?;
        let text = self.bytes.get(start + 4..)?;
        if text.is_empty() || holds_wildcard(text) {
            return None;
        }
        let length = u32::try_from(text.len()).ok()?.to_be_bytes();
        self.bytes
            .get_mut(start..start + 4)?
            .copy_from_slice(&length);
        Some(start..self.bytes.len())
    }
}

impl<'a> Tagger<'a> {
    pub(super) fn new(schema: &'a Schema, key: &ProjectKey) -> Self {
        let mut parts: Vec<(usize, &'a Part)> = Vec::new();
        let mut column = |mac: &Mac, number, used: &mut dyn Iterator<Item = &'a Part>| Column {
            mac: mac.clone(),
            number,
            parts: used
                .filter_map(|part| {
                    let field = schema.field_index(&part.field)?;
                    Some(
                        parts
                            .iter()
                            .position(|(_, p)| *p == part)
                            .unwrap_or_else(|| {
                                parts.push((field, part));
                                parts.len() - 1
                            }),
                    )
                })
                .collect(),
        };
        let suite = schema.token.suite;
        let mut link = Vec::new();
        for rule in &schema.link_keys {
            let mac = Mac::new(suite, &key.link_keys(&rule.name));
            for (number, support) in (1..).zip(&rule.supports) {
                let mut used = rule.parts.iter().chain(support);
                link.push(column(&mac, number, &mut used));
            }
            link.push(column(&mac, 0, &mut rule.parts.iter()));
        }
        let mut block = Vec::new();
        for rule in &schema.block_keys {
            let mac = Mac::new(suite, &key.block_keys(&rule.name));
            block.push(column(&mac, 0, &mut rule.parts.iter()));
        }
        Self { parts, link, block }
    }

    /// Number of columns of link keys and of block keys.
    pub(super) fn columns(&self) -> [usize; 2] {
        [self.link.len(), self.block.len()]
    }

    /// Adds the record's tags.
    pub(super) fn add(&self, record: &NormalRecord, room: &mut Room, tags: &mut Tags) {
        room.bytes.clear();
        room.taken.clear();
        for (field, part) in &self.parts {
            let taken = record
                .value(*field)
                .and_then(|value| room.take(part, value));
            room.taken.push(taken);
        }
        let room = &*room;
        tags.link_keys.extend(self.link.iter().map(|column| {
            let tag = column.tag(room)?;
            tag.first_chunk().copied()
        }));
        tags.block_keys.extend(self.block.iter().map(|column| {
            let tag = column.tag(room)?;
            tag.first_chunk().copied().map(u64::from_be_bytes)
        }));
    }
}

impl Column {
    /// The tag over the column's number and its parts. Each part is preceded by its length, so that
    /// parts cannot run into each other. `None` when one is missing: absence is no evidence.
    fn tag(&self, room: &Room) -> Option<[u8; TAG_BYTES]> {
        let part = |at: &usize| room.bytes.get(room.taken.get(*at)?.clone()?);
        if self.parts.iter().any(|at| part(at).is_none()) {
            return None;
        }
        let number = std::iter::once(std::slice::from_ref(&self.number));
        let parts = self.parts.iter().filter_map(part);
        Some(self.mac.tag(number.chain(parts)))
    }
}

/// Appends what `part` takes of `value`.
fn take(part: &Part, value: &NormalValue, out: &mut Zeroizing<Vec<u8>>) -> Option<()> {
    let length = usize::from(part.length.unwrap_or(u8::MAX));
    let text = value.first(part.part)?;
    let start_of = |place: usize| {
        text.char_indices()
            .nth(place)
            .map_or(text.len(), |(at, _)| at)
    };
    match part.take {
        Take::Whole => out.extend_from_slice(text.as_bytes()),
        Take::Prefix => out.extend_from_slice(text.get(..start_of(length))?.as_bytes()),
        Take::Suffix => {
            let skip = text.chars().count().saturating_sub(length);
            out.extend_from_slice(text.get(start_of(skip)..)?.as_bytes());
        }
        Take::Sorted => {
            let mut chars: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().collect());
            chars.sort_unstable();
            chars.iter().for_each(|c| put(*c, out));
        }
        Take::Initials => text
            .split(' ')
            .filter_map(|word| word.chars().next())
            .for_each(|c| put(c, out)),
        Take::Fuzzy => {
            for (place, syllable) in text.split(' ').enumerate() {
                if place > 0 {
                    out.push(b' ');
                }
                pinyin::fold_syllable(syllable, out);
            }
        }
        Take::Year | Take::YearMonth | Take::YearDay | Take::MonthDay => {
            let day = value.as_day()?;
            if part.take != Take::MonthDay {
                out.extend_from_slice(&day.year.to_be_bytes());
            }
            if matches!(part.take, Take::YearMonth | Take::MonthDay) {
                out.push(day.month);
            }
            if matches!(part.take, Take::YearDay | Take::MonthDay) {
                out.push(day.day);
            }
        }
        Take::Soundex => out.extend_from_slice(soundex(text)?.as_bytes()),
    }
    Some(())
}

fn put(c: char, out: &mut Zeroizing<Vec<u8>>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Makes the frequency classes of the `fields` profile's filters.
pub(super) struct FrequencyTagger {
    fields: Vec<(usize, Mac)>,
}

impl FrequencyTagger {
    pub(super) fn new(schema: &Schema, key: &ProjectKey) -> Self {
        let fields = schema.filters.iter().filter_map(|filter| {
            let name = filter.frequency.as_ref()?;
            let mac = Mac::new(schema.token.suite, &key.frequency(name));
            Some((schema.field_index(name)?, mac))
        });
        Self {
            fields: fields.collect(),
        }
    }

    /// Adds 16 bits of each whole value's tag: enough to count how often a value comes, too few to
    /// tell rare values apart. 0 where there is none.
    pub(super) fn add(&self, record: &NormalRecord, tags: &mut Tags) {
        let class = |(field, mac): &(usize, Mac)| {
            let Some(value) = record.value(*field) else {
                return 0;
            };
            let [high, low, ..] = mac.tag([value.whole().as_bytes()]);
            u16::from_be_bytes([high, low]).max(1)
        };
        tags.classes.extend(self.fields.iter().map(class));
    }

    /// Number of fields that have a class.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }
}

/// American Soundex by the rules of the U.S. National Archives: first letter and three digits;
/// letters of the same digit count once, also across `h` and `w`. `None` for a text without a Latin
/// letter.
fn soundex(text: &str) -> Option<Zeroizing<String>> {
    let digit = |c: char| match c {
        'b' | 'f' | 'p' | 'v' => '1',
        'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => '2',
        'd' | 't' => '3',
        'l' => '4',
        'm' | 'n' => '5',
        'r' => '6',
        _ => '0',
    };
    let mut letters = text
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase());
    let first = letters.next()?;
    let mut code = Zeroizing::new(String::with_capacity(4));
    code.push(first);
    let mut last = digit(first);
    for letter in letters {
        let this = digit(letter);
        if this != '0' && this != last {
            code.push(this);
        }
        if !matches!(letter, 'h' | 'w') {
            last = this;
        }
        if code.len() == 4 {
            break;
        }
    }
    while code.len() < 4 {
        code.push('0');
    }
    Some(code)
}

#[cfg(test)]
mod tests;
