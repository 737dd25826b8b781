//! Words of a dictionary at the start of a text.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Words by the two characters that they share.
pub(in crate::normalise) type Groups<T> =
    HashMap<u64, Vec<(Box<str>, T)>, BuildHasherDefault<Mixer>>;

/// A dictionary that finds its words at the start of a text, grouped by their first two characters.
pub(in crate::normalise) struct Prefixes<T> {
    groups: Groups<T>,
}

impl<T> Prefixes<T> {
    /// The dictionary of `words`. Empty words are left out.
    pub(in crate::normalise) fn new(words: impl IntoIterator<Item = (String, T)>) -> Self {
        let mut groups = Groups::<T>::default();
        for (word, value) in words {
            let [_, pair] = heads(word.chars());
            if pair != 0 {
                groups
                    .entry(pair)
                    .or_default()
                    .push((word.into_boxed_str(), value));
            }
        }
        for group in groups.values_mut() {
            group.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        }
        Self { groups }
    }

    /// The words that `text` starts with, longest first.
    pub(in crate::normalise) fn of<'d, 't>(
        &'d self,
        text: &'t str,
    ) -> impl Iterator<Item = (&'d str, &'d T)> + use<'d, 't, T> {
        let [single, pair] = heads(text.chars());
        let pair = if pair == single { 0 } else { pair };
        [pair, single]
            .into_iter()
            .filter_map(|head| self.groups.get(&head))
            .flatten()
            .filter(move |(word, _)| text.starts_with(&**word))
            .map(|(word, value)| (&**word, value))
    }
}

/// Keys of the first character and of the first two; 0 for an empty text.
fn heads(mut chars: impl Iterator<Item = char>) -> [u64; 2] {
    let first = chars.next().map_or(0, u64::from);
    let second = chars.next().map_or(0, u64::from);
    [first, first | second << 32]
}

/// Spreads the keys over the table: one multiplication by 2^64 divided by the golden ratio (Knuth,
/// The Art of Computer Programming 3, 6.4). The keys are the dictionary's own, so nobody can
/// choose them to collide.
#[derive(Default)]
pub(in crate::normalise) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        let mixed = (self.0 ^ key).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ mixed >> 32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_word_comes_first() {
        let words = ["中", "中山", "中山市", "中国", "东"];
        let map = Prefixes::new(words.map(|word| (word.to_owned(), ())));
        let of = |text| map.of(text).map(|(word, ())| word).collect::<Vec<_>>();
        assert_eq!(of("中山市三乡"), ["中山市", "中山", "中"]);
        assert_eq!(of("中"), ["中"]);
        assert_eq!(of("东"), ["东"]);
        assert_eq!(of("西中"), [""; 0]);
        assert_eq!(of(""), [""; 0]);
    }
}
