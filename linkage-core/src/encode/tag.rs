//! Link keys and block keys: keyed tags over ordered composites of field values; and the frequency
//! classes of the `fields` profile.

use zeroize::Zeroizing;

use super::LINK_KEY_BYTES;
use super::pinyin;
use super::suite::{Mac, TAG_BYTES};
use crate::keys::ProjectKey;
use crate::record::{NormalRecord, NormalValue, WILDCARD};
use crate::schema::{Part, Schema, Take};

/// One column of tags.
struct Column<'a> {
    mac: Mac,
    /// Which column of its rule it is, so that the same text under two supports gives two tags.
    number: u8,
    parts: Vec<(usize, &'a Part)>,
}

/// Makes the tags of a record.
pub(super) struct Tagger<'a> {
    link: Vec<Column<'a>>,
    block: Vec<Column<'a>>,
}

impl<'a> Tagger<'a> {
    pub(super) fn new(schema: &'a Schema, key: &ProjectKey) -> Self {
        let column = |mac: &Mac, number, parts: &mut dyn Iterator<Item = &'a Part>| Column {
            mac: mac.clone(),
            number,
            parts: parts
                .filter_map(|part| Some((schema.field_index(&part.field)?, part)))
                .collect(),
        };
        let suite = schema.token.suite;
        let mut link = Vec::new();
        for rule in &schema.link_keys {
            let mac = Mac::new(suite, &key.link_keys(&rule.name));
            for (number, support) in (1..).zip(&rule.supports) {
                let mut parts = rule.parts.iter().chain(support);
                link.push(column(&mac, number, &mut parts));
            }
            link.push(column(&mac, 0, &mut rule.parts.iter()));
        }
        let block = schema.block_keys.iter().map(|rule| {
            let mac = Mac::new(suite, &key.block_keys(&rule.name));
            column(&mac, 0, &mut rule.parts.iter())
        });
        Self {
            block: block.collect(),
            link,
        }
    }

    /// The tags of the link keys' columns; `message` is room to work in.
    pub(super) fn link_keys(
        &self,
        record: &NormalRecord,
        message: &mut Zeroizing<Vec<u8>>,
    ) -> Vec<Option<[u8; LINK_KEY_BYTES]>> {
        let tag = |column: &Column<'_>, message: &mut _| {
            column.tag(record, message)?.first_chunk().copied()
        };
        self.link
            .iter()
            .map(|column| tag(column, message))
            .collect()
    }

    /// The tags of the block keys; `message` is room to work in.
    pub(super) fn block_keys(
        &self,
        record: &NormalRecord,
        message: &mut Zeroizing<Vec<u8>>,
    ) -> Vec<Option<u64>> {
        let tag = |column: &Column<'_>, message: &mut _| {
            let tag = column.tag(record, message)?;
            tag.first_chunk().copied().map(u64::from_be_bytes)
        };
        self.block
            .iter()
            .map(|column| tag(column, message))
            .collect()
    }
}

impl Column<'_> {
    /// The tag over the column's number and the parts, each preceded by its length, so that parts
    /// cannot run into each other. `None` when a part is missing or cannot be read: absence is no
    /// evidence.
    fn tag(
        &self,
        record: &NormalRecord,
        message: &mut Zeroizing<Vec<u8>>,
    ) -> Option<[u8; TAG_BYTES]> {
        message.clear();
        message.push(self.number);
        for (index, part) in &self.parts {
            let value = record.value(*index)?;
            reserve(message, value, part);
            let at = message.len();
            message.extend_from_slice(&[0; 4]);
            take(part, value, message)?;
            let taken = message.get(at + 4..)?;
            if taken.is_empty() || unreadable(taken) {
                return None;
            }
            let length = u32::try_from(taken.len()).ok()?.to_be_bytes();
            message.get_mut(at..at + 4)?.copy_from_slice(&length);
        }
        Some(self.mac.tag(&[message]))
    }
}

/// Whether a character of the text stands for one that could not be read.
fn unreadable(text: &[u8]) -> bool {
    let mut wildcard = [0; 4];
    let wildcard = WILDCARD.encode_utf8(&mut wildcard).as_bytes();
    wildcard.first().is_some_and(|first| text.contains(first))
        && text.windows(wildcard.len()).any(|run| run == wildcard)
}

/// Makes room for what [`take`] may append, without leaving a copy behind as `Vec`'s own growth
/// would. Nothing taken is longer than its text but a date's part, and those have under 16 bytes.
fn reserve(message: &mut Zeroizing<Vec<u8>>, value: &NormalValue, part: &Part) {
    let more = 4 + 16 + value.first(part.part).map_or(0, str::len);
    if message.capacity() - message.len() < more {
        let mut larger = Zeroizing::new(Vec::with_capacity(2 * (message.len() + more)));
        larger.extend_from_slice(message);
        *message = larger;
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

    /// 16 bits of the whole value's tag: enough to count how often a value comes, too few to tell
    /// rare values apart. 0 where there is none.
    pub(super) fn classes(&self, record: &NormalRecord) -> Vec<u16> {
        let class = |(field, mac): &(usize, Mac)| {
            let Some(value) = record.value(*field) else {
                return 0;
            };
            let [high, low, ..] = mac.tag(&[value.whole().as_bytes()]);
            u16::from_be_bytes([high, low]).max(1)
        };
        self.fields.iter().map(class).collect()
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
mod tests {
    use super::soundex;

    #[test]
    fn soundex_follows_the_archives_examples() {
        // https://www.archives.gov/research/census/soundex
        for (name, code) in [
            ("Washington", "w252"),
            ("Lee", "l000"),
            ("Gutierrez", "g362"),
            ("Pfister", "p236"),
            ("Jackson", "j250"),
            ("Tymczak", "t522"),
            ("Ashcraft", "a261"),
        ] {
            assert_eq!(soundex(name).unwrap().as_str(), code, "{name}");
        }
        assert!(soundex("欧阳").is_none());
    }
}
