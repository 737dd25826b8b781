//! A map from characters to small values that costs two array reads.

const PAGE_BITS: u32 = 8;
const PAGE_LEN: usize = 1 << PAGE_BITS;
const PAGES: usize = (char::MAX as usize >> PAGE_BITS) + 1;

/// Values by character, in pages of 256 code points; pages without a value share the first one.
pub(super) struct CharacterMap<T> {
    /// For each page of code points, its number among the pages of `values`.
    pages: Vec<u16>,
    values: Vec<T>,
}

impl<T: Copy + Default> CharacterMap<T> {
    /// Builds the map. A character without a value gets `T::default()`.
    pub(super) fn new(entries: impl IntoIterator<Item = (char, T)>) -> Self {
        let mut map = Self {
            pages: vec![0; PAGES],
            values: vec![T::default(); PAGE_LEN],
        };
        for (character, value) in entries {
            let (page, offset) = split(character);
            let next = map.values.len() / PAGE_LEN;
            if let Some(slot) = map.pages.get_mut(page) {
                if *slot == 0 {
                    // There are 4 352 pages in all, far below u16::MAX.
                    *slot = next as u16;
                    map.values.resize((next + 1) * PAGE_LEN, T::default());
                }
                let start = usize::from(*slot) * PAGE_LEN;
                if let Some(place) = map.values.get_mut(start + offset) {
                    *place = value;
                }
            }
        }
        map
    }

    /// The value of a character, `T::default()` if it has none.
    pub(super) fn get(&self, character: char) -> T {
        let (page, offset) = split(character);
        let slot = self.pages.get(page).copied().unwrap_or_default();
        let place = usize::from(slot) * PAGE_LEN + offset;
        self.values.get(place).copied().unwrap_or_default()
    }
}

fn split(character: char) -> (usize, usize) {
    let code = character as usize;
    (code >> PAGE_BITS, code % PAGE_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_in_and_nothing_else() {
        let map = CharacterMap::new([('\0', 1), ('陈', 2), (char::MAX, 3), ('陈', 4)]);
        assert_eq!(map.get('\0'), 1);
        assert_eq!(map.get('陈'), 4);
        assert_eq!(map.get(char::MAX), 3);
        assert_eq!(map.get('陉'), 0);
        assert_eq!(map.get('\u{20000}'), 0);
        assert_eq!(
            (0..=char::MAX as u32)
                .filter_map(char::from_u32)
                .map(|c| map.get(c))
                .sum::<i32>(),
            8
        );
    }
}
