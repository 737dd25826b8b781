//! What of a value is hashed.
//!
//! A feature is a label, which says what kind it is, and what it holds, so that a bigram and a
//! whole value of the same letters are different. The component that it is cut out of is no part of
//! it: a former name shares its characters with the name it once was. Names of fields are in the
//! key.

use zeroize::Zeroizing;

use super::cache::Namer;
use super::pinyin;
use crate::pack;
use crate::record::{Day, NormalValue, WILDCARD};
use crate::schema::{Feature, FeatureKind};

/// Pad character around texts: U+0000 occurs in no normalised value.
const PAD: u8 = 0;

/// Length to which features are compared pairwise when repeats are dropped; longer lists are
/// sorted.
const PAIRWISE_MAX: usize = 48;

/// Decimals of a quantity that count; R6 of anonlink's clkhash calls it the precision.
const DECIMALS: usize = 6;

/// One feature: its label, its place in the text where that counts, and where its characters lie.
#[derive(Clone, Copy)]
struct Span {
    name: u64,
    head: Head,
    start: usize,
    end: usize,
}

/// What stands before a feature's characters: the label, and for some kinds a place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Head {
    label: u8,
    place: Option<u16>,
}

impl Head {
    /// A number that differs between heads, to tell apart what has the same characters; its lowest
    /// byte is 0.
    #[inline]
    fn number(self) -> u64 {
        let place = self.place.map_or(0, |place| u64::from(place) + 1);
        u64::from(self.label) << 32 | place << 8
    }
}

/// A feature as it is hashed: label, place if it has one (big-endian), characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item<'a> {
    /// Name in a cache; equal for equal features.
    pub(super) name: u64,
    head: [u8; 3],
    placed: bool,
    text: &'a [u8],
}

impl Item<'_> {
    /// What stands before the characters.
    #[inline]
    pub(super) fn head(&self) -> &[u8] {
        let length = if self.placed { 3 } else { 1 };
        self.head.get(..length).unwrap_or(&self.head)
    }

    /// The characters.
    #[inline]
    pub(super) fn text(&self) -> &[u8] {
        self.text
    }
}

/// The features of a record, in one buffer that is used again for the next record and wiped in the
/// end.
#[derive(Default)]
pub(super) struct Features {
    bytes: Zeroizing<Vec<u8>>,
    spans: Vec<Span>,
    /// Starts of the characters of the text at hand, and its end.
    bounds: Vec<usize>,
}

impl Features {
    /// Forgets the features of the last record.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Cuts `feature` out of `value`: features `start..end` of [`Features::get`], without repeats.
    pub(super) fn extract(
        &mut self,
        feature: &Feature,
        value: &NormalValue,
        namer: &Namer,
    ) -> std::ops::Range<usize> {
        let start = self.spans.len();
        let q = usize::from(feature.q.unwrap_or(1).max(1));
        if feature.kind == FeatureKind::DateComponents {
            if let Some(day) = value.as_day() {
                self.date(day, namer);
            }
            return start..self.spans.len();
        }
        let mut texts = 0;
        for text in value.texts(feature.part) {
            texts += 1;
            match feature.kind {
                FeatureKind::QGram => {
                    self.padded([text], q - 1);
                    self.grams(b'q', q, false, namer);
                }
                FeatureKind::PositionalQGram => {
                    self.padded([text], q - 1);
                    self.grams(b'p', q, true, namer);
                }
                // Pads on both sides of each syllable: of names with one syllable mistaken (zh for
                // z, -ang for -an, l for n), 92 % or more are then nearer than all but 1 in 10^4
                // strangers; with a pad before only 80 %, after only 72 %, without 63 %.
                FeatureKind::PinyinBigram => {
                    self.padded(text.split(' '), 1);
                    self.grams(b'b', 2, false, namer);
                }
                FeatureKind::FuzzySyllable => self.syllables(text, namer),
                FeatureKind::FourCorner => self.corners(text, namer),
                FeatureKind::NumericNeighbourhood => self.neighbourhood(feature, text, namer),
                FeatureKind::Whole if !text.contains(WILDCARD) => {
                    self.add(b'w', text.as_bytes(), namer);
                }
                FeatureKind::Whole | FeatureKind::DateComponents => {}
            }
        }
        // No two of one text have one place.
        if texts > 1 || feature.kind != FeatureKind::PositionalQGram {
            self.drop_repeats(start);
        }
        start..self.spans.len()
    }

    /// The names of features that [`Features::extract`] has given.
    pub(super) fn names(&self, features: std::ops::Range<usize>) -> impl Iterator<Item = u64> {
        let spans = self.spans.get(features).unwrap_or(&[]);
        spans.iter().map(|span| span.name)
    }

    /// Feature `index`.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<Item<'_>> {
        let span = self.spans.get(index)?;
        let [high, low] = span.head.place.unwrap_or(0).to_be_bytes();
        Some(Item {
            name: span.name,
            head: [span.head.label, high, low],
            placed: span.head.place.is_some(),
            text: self.bytes.get(span.start..span.end)?,
        })
    }

    /// Makes room without leaving a copy behind, as `Vec`'s own growth would.
    fn reserve(&mut self, more: usize) {
        if self.bytes.capacity() - self.bytes.len() < more {
            let capacity = 4096.max(2 * (self.bytes.len() + more));
            let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
    }

    #[inline]
    fn put(&mut self, part: &[u8]) {
        self.reserve(part.len());
        self.bytes.extend_from_slice(part);
    }

    /// Notes the buffer's bytes from `start` to `end` as a feature.
    #[inline]
    fn note(&mut self, head: Head, start: usize, end: usize, namer: &Namer) {
        let text = self.bytes.get(start..end).unwrap_or(&[]);
        let name = namer.name(head.number(), text);
        self.spans.push(Span {
            name,
            head,
            start,
            end,
        });
    }

    #[inline]
    fn add(&mut self, label: u8, text: &[u8], namer: &Namer) {
        let start = self.bytes.len();
        self.put(text);
        let head = Head { label, place: None };
        self.note(head, start, self.bytes.len(), namer);
    }

    /// Writes texts with `pads` pads before, between and after them, for [`Features::grams`].
    /// Empty texts are left out, and where all are, nothing is written.
    fn padded<'t>(&mut self, texts: impl IntoIterator<Item = impl AsRef<str> + 't>, pads: usize) {
        self.bounds.clear();
        for text in texts {
            let text = text.as_ref();
            if text.is_empty() {
                continue;
            }
            self.reserve(text.len() + 2 * pads);
            if self.bounds.is_empty() {
                self.pad(pads);
            }
            let start = self.bytes.len();
            let starts = text.char_indices().map(|(at, _)| start + at);
            self.bounds.extend(starts);
            self.bytes.extend_from_slice(text.as_bytes());
            self.pad(pads);
        }
        self.bounds.push(self.bytes.len());
    }

    fn pad(&mut self, pads: usize) {
        for _ in 0..pads {
            self.bounds.push(self.bytes.len());
            self.bytes.push(PAD);
        }
    }

    /// Every run of `q` characters of what [`Features::padded`] has written; with its place if
    /// `placed`.
    fn grams(&mut self, label: u8, q: usize, placed: bool, namer: &Namer) {
        let bounds = std::mem::take(&mut self.bounds);
        let written = bounds
            .first()
            .and_then(|first| self.bytes.get(*first..))
            .unwrap_or(&[]);
        let readable = !holds_wildcard(written);
        let ends = bounds.iter().skip(q);
        for (place, (start, end)) in (0_u16..).zip(bounds.iter().zip(ends)) {
            let gram = self.bytes.get(*start..*end).unwrap_or(&[]);
            if !readable && holds_wildcard(gram) {
                continue;
            }
            let place = placed.then_some(place);
            self.note(Head { label, place }, *start, *end, namer);
        }
        self.bounds = bounds;
    }

    fn syllables(&mut self, text: &str, namer: &Namer) {
        for syllable in text.split(' ') {
            if syllable.is_empty() || syllable.contains(WILDCARD) {
                continue;
            }
            self.reserve(syllable.len());
            let start = self.bytes.len();
            pinyin::fold_syllable(syllable, &mut self.bytes);
            let head = Head {
                label: b'f',
                place: None,
            };
            self.note(head, start, self.bytes.len(), namer);
        }
    }

    /// Each digit of each character's four-corner code with its corner and the character's place.
    fn corners(&mut self, text: &str, namer: &Namer) {
        for (place, c) in text.chars().enumerate() {
            let Some(code) = pack::four_corner(c) else {
                continue;
            };
            let place = u8::try_from(place).unwrap_or(u8::MAX);
            for (corner, digit) in (0_u8..).zip(code) {
                self.add(b'c', &[place, corner, digit], namer);
            }
        }
    }

    fn date(&mut self, day: Day, namer: &Namer) {
        self.add(b'y', &day.year.to_be_bytes(), namer);
        self.add(b'm', &[day.month], namer);
        self.add(b'd', &[day.day], namer);
    }

    /// The steps near a quantity: it is brought to the nearest multiple of `distance / 2r` and the
    /// `r` steps on either side count, so that equal quantities share all `2r + 1` and quantities
    /// `distance` apart share one (Vatsalan, Christen 2016; clkhash's `numeric` comparison).
    fn neighbourhood(&mut self, feature: &Feature, text: &str, namer: &Namer) {
        let scale = 10_f64.powi(DECIMALS as i32);
        // A schema's distance is positive and finite; the cast saturates.
        let distance = ((feature.distance.unwrap_or(1.0) * scale).round_ties_even() as i128).max(1);
        let steps = i128::from(feature.resolution.unwrap_or(1));
        let Some(centre) = decimal(text)
            .and_then(|x| x.checked_mul(2 * steps))
            .and_then(|v| nearest_multiple(v, distance))
        else {
            return;
        };
        for step in -steps..=steps {
            if let Some(at) = step
                .checked_mul(distance)
                .and_then(|d| d.checked_add(centre))
            {
                self.add(b'n', &at.to_be_bytes(), namer);
            }
        }
    }

    /// Drops repeats among the features from `start` on, by their names.
    fn drop_repeats(&mut self, start: usize) {
        if self.spans.len() - start > PAIRWISE_MAX {
            if let Some(set) = self.spans.get_mut(start..) {
                set.sort_unstable_by_key(|span| span.name);
            }
            let mut last = None;
            let mut at = 0;
            self.spans.retain(|span| {
                at += 1;
                at <= start || last.replace(span.name) != Some(span.name)
            });
            return;
        }
        let mut kept = start;
        for at in start..self.spans.len() {
            let Some(span) = self.spans.get(at).copied() else {
                break;
            };
            let set = self.spans.get(start..kept).unwrap_or(&[]);
            if set.iter().all(|known| known.name != span.name) {
                if let Some(slot) = self.spans.get_mut(kept) {
                    *slot = span;
                }
                kept += 1;
            }
        }
        self.spans.truncate(kept);
    }
}

/// Whether a character of the text stands for one that could not be read.
pub(super) fn holds_wildcard(text: &[u8]) -> bool {
    let mut wildcard = [0; 4];
    let wildcard = WILDCARD.encode_utf8(&mut wildcard).as_bytes();
    wildcard.first().is_some_and(|first| text.contains(first))
        && text.windows(wildcard.len()).any(|run| run == wildcard)
}

/// A decimal number in units of 10^-6; further decimals are cut off. `None` for what is no number
/// or out of range.
fn decimal(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let fraction = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(DECIMALS);
    let mut value = 0_i128;
    for digit in whole.bytes().chain(fraction) {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value
            .checked_mul(10)?
            .checked_add(i128::from(digit - b'0'))?;
    }
    Some(sign * value)
}

/// The multiple of `step` nearest to `value`; the upper one of two.
fn nearest_multiple(value: i128, step: i128) -> Option<i128> {
    let over = value.rem_euclid(step);
    if over.checked_mul(2)? < step {
        value.checked_sub(over)
    } else {
        value.checked_add(step - over)
    }
}

#[cfg(test)]
mod tests;
