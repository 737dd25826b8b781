//! What of a value is hashed.
//!
//! A feature is a label, which says what kind it is, and what it holds, so that a bigram and a whole
//! value of the same letters are different. The component that it is cut out of is no part of it: a
//! former name shares its characters with the name it once was. Names of fields are in the key.

use zeroize::Zeroizing;

use super::cache::Namer;
use super::pinyin;
use crate::record::{Day, NormalValue, WILDCARD};
use crate::schema::{Feature, FeatureKind};

/// Pad character around texts: U+0000 occurs in no normalised value.
const PAD: u8 = 0;

/// Length to which features are compared pairwise when repeats are dropped; longer lists are sorted.
const PAIRWISE_MAX: usize = 48;

/// Decimals of a quantity that count; R6 of anonlink's clkhash calls it the precision.
const DECIMALS: usize = 6;

/// One feature: where its bytes lie, and its name in a cache.
#[derive(Clone, Copy)]
struct Span {
    name: u64,
    start: usize,
    end: usize,
}

/// The features of a record, in one buffer that is used again for the next record and wiped in the
/// end.
#[derive(Default)]
pub(super) struct Features {
    bytes: Zeroizing<Vec<u8>>,
    spans: Vec<Span>,
    /// Starts of the characters of the text at hand, and its end.
    bounds: Vec<usize>,
    /// Where the feature being written starts.
    open: usize,
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
        for text in value.texts(feature.part) {
            match feature.kind {
                FeatureKind::QGram => self.grams(b"q", text, q, false, namer),
                FeatureKind::PositionalQGram => self.grams(b"p", text, q, true, namer),
                FeatureKind::PinyinBigram => {
                    for syllable in text.split(' ') {
                        self.grams(b"b", syllable, 2, false, namer);
                    }
                }
                FeatureKind::FuzzySyllable => self.syllables(text, namer),
                FeatureKind::FourCorner => self.corners(text, namer),
                FeatureKind::NumericNeighbourhood => self.neighbourhood(feature, text, namer),
                FeatureKind::Whole if !text.contains(WILDCARD) => {
                    self.add(&[b"w", text.as_bytes()], namer);
                }
                FeatureKind::Whole | FeatureKind::DateComponents => {}
            }
        }
        self.drop_repeats(start);
        start..self.spans.len()
    }

    /// Feature `index` and its name.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], u64)> {
        let span = self.spans.get(index)?;
        Some((self.bytes.get(span.start..span.end)?, span.name))
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

    #[inline]
    fn close(&mut self, namer: &Namer) {
        let (start, end) = (self.open, self.bytes.len());
        let name = namer.name(self.bytes.get(start..end).unwrap_or(&[]));
        self.spans.push(Span { name, start, end });
        self.open = end;
    }

    #[inline]
    fn add(&mut self, parts: &[&[u8]], namer: &Namer) {
        self.open = self.bytes.len();
        parts.iter().for_each(|part| self.put(part));
        self.close(namer);
    }

    /// Every run of `q` characters of `text`, padded on both sides by `q - 1` pads; with its place
    /// if `placed`.
    fn grams(&mut self, label: &[u8], text: &str, q: usize, placed: bool, namer: &Namer) {
        let mut bounds = std::mem::take(&mut self.bounds);
        bounds.clear();
        bounds.extend(text.char_indices().map(|(at, _)| at));
        let count = bounds.len();
        bounds.push(text.len());
        let readable = !text.contains(WILDCARD);
        let windows = if count == 0 { 0 } else { count + q - 1 };
        for end in 1..=windows {
            let from = end.saturating_sub(q);
            let gram = bounds
                .get(from)
                .zip(bounds.get(end.min(count)))
                .and_then(|(from, to)| text.get(*from..*to))
                .unwrap_or("");
            if !readable && gram.contains(WILDCARD) {
                continue;
            }
            let place = u16::try_from(end - 1).unwrap_or(u16::MAX).to_be_bytes();
            let place: &[u8] = if placed { &place } else { &[] };
            let pads = [PAD; 4];
            let before = pads.get(..q.saturating_sub(end)).unwrap_or(&[]);
            let after = pads.get(..end.saturating_sub(count)).unwrap_or(&[]);
            self.add(&[label, place, before, gram.as_bytes(), after], namer);
        }
        self.bounds = bounds;
    }

    fn syllables(&mut self, text: &str, namer: &Namer) {
        for syllable in text.split(' ') {
            if syllable.is_empty() || syllable.contains(WILDCARD) {
                continue;
            }
            self.open = self.bytes.len();
            self.reserve(1 + syllable.len());
            self.put(b"f");
            pinyin::fold_syllable(syllable, &mut self.bytes);
            self.close(namer);
        }
    }

    /// Each digit of each character's four-corner code with its corner and the character's place.
    fn corners(&mut self, text: &str, namer: &Namer) {
        for (place, c) in text.chars().enumerate() {
            let Some(code) = four_corner(c) else {
                continue;
            };
            let place = u8::try_from(place).unwrap_or(u8::MAX);
            for (corner, digit) in (0_u8..).zip(code) {
                self.add(&[b"c", &[place, corner, digit]], namer);
            }
        }
    }

    fn date(&mut self, day: Day, namer: &Namer) {
        self.add(&[b"y", &day.year.to_be_bytes()], namer);
        self.add(&[b"m", &[day.month]], namer);
        self.add(&[b"d", &[day.day]], namer);
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
                self.add(&[b"n", &at.to_be_bytes()], namer);
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

/// Four-corner code of a character.
fn four_corner(_: char) -> Option<[u8; 5]> {
    None
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
