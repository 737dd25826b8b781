//! Words of a dictionary at the end of a text.

use crate::normalise::address::prefix::Groups;

/// A dictionary that finds its words at the end of a text, grouped by their last two characters.
pub(super) struct Suffixes<T> {
    groups: Groups<T>,
}

impl<T> Suffixes<T> {
    /// The dictionary of `words`. Empty words are left out.
    pub(super) fn new(words: impl IntoIterator<Item = (String, T)>) -> Self {
        let mut groups = Groups::<T>::default();
        for (word, value) in words {
            let [_, pair] = tails(&word);
            if pair != 0 {
                let group = groups.entry(pair).or_default();
                group.push((word.into_boxed_str(), value));
            }
        }
        for group in groups.values_mut() {
            group.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        }
        Self { groups }
    }

    /// The words that `text` ends with, longest first.
    pub(super) fn of<'d, 't>(
        &'d self,
        text: &'t str,
    ) -> impl Iterator<Item = (&'d str, &'d T)> + use<'d, 't, T> {
        let [single, pair] = tails(text);
        let pair = if pair == single { 0 } else { pair };
        [pair, single]
            .into_iter()
            .filter_map(|tail| self.groups.get(&tail))
            .flatten()
            .filter(move |(word, _)| text.ends_with(&**word))
            .map(|(word, value)| (&**word, value))
    }
}

/// Keys of the last character and of the last two; 0 for an empty text.
fn tails(text: &str) -> [u64; 2] {
    let mut chars = text.chars().rev();
    let last = chars.next().map_or(0, u64::from);
    let before = chars.next().map_or(0, u64::from);
    [last, last | before << 32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_word_comes_first() {
        let words = ["店", "商店", "百货商店", "行"];
        let map = Suffixes::new(words.map(|word| (word.to_owned(), ())));
        let of = |text| map.of(text).map(|(word, ())| word).collect::<Vec<_>>();
        assert_eq!(of("新大新百货商店"), ["百货商店", "商店", "店"]);
        assert_eq!(of("店"), ["店"]);
        assert_eq!(of(""), [""; 0]);
    }
}
