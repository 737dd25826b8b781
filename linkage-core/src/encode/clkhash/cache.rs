//! Bits of tokens that came before: names, dates and places share most of their tokens.

use std::collections::HashMap;

use zeroize::Zeroize as _;

/// Bytes that a worker's caches may take. Bigrams of names need a few hundred kilobytes; what is
/// different in every record (a number, compared whole) fills the cache and is not worth more.
pub(super) const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes that an entry takes beside its token and bits: the token's address and length, the place
/// of the bits, the map's room for more.
const ENTRY_BYTES: usize = 64;

/// For one feature the bits of each token, for each number of bits that a token sets. When it is
/// full, what is in it stays.
pub(super) struct Cache {
    maps: Vec<(u32, HashMap<Box<str>, usize>)>,
    bits: Vec<u64>,
    words: usize,
    bytes_left: usize,
}

impl Drop for Cache {
    fn drop(&mut self) {
        for (mut token, _) in self.maps.iter_mut().flat_map(|(_, map)| map.drain()) {
            token.zeroize();
        }
    }
}

/// The map for one number of bits; good until the next is asked for.
#[derive(Clone, Copy)]
pub(super) struct Map(usize);

impl Cache {
    /// An empty cache for filters of so many words.
    pub(super) fn new(words: usize, bytes_max: usize) -> Self {
        Self {
            maps: vec![],
            bits: vec![],
            words,
            bytes_left: bytes_max,
        }
    }

    /// The map for tokens that set `count` bits.
    pub(super) fn map(&mut self, count: u32) -> Map {
        let found = self.maps.iter().position(|(other, _)| *other == count);
        Map(found.unwrap_or_else(|| {
            self.maps.push((count, HashMap::new()));
            self.maps.len() - 1
        }))
    }

    /// The bits of a token.
    pub(super) fn find(&self, map: Map, token: &str) -> Option<&[u64]> {
        let (_, map) = self.maps.get(map.0)?;
        let start = *map.get(token)?;
        self.bits.get(start..start + self.words)
    }

    /// Keeps the bits of a token, if there is room.
    pub(super) fn keep(&mut self, map: Map, token: &str, bits: &[u64]) {
        let bytes = ENTRY_BYTES + token.len() + size_of_val(bits);
        let (Some(left), Some((_, map))) =
            (self.bytes_left.checked_sub(bytes), self.maps.get_mut(map.0))
        else {
            return;
        };
        self.bytes_left = left;
        map.insert(token.into(), self.bits.len());
        self.bits.extend_from_slice(bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_keeps_what_it_has() {
        let entry = ENTRY_BYTES + 2 + 8;
        let mut cache = Cache::new(1, 2 * entry);
        let (one, two) = (cache.map(1), cache.map(2));
        cache.keep(one, "ab", &[5]);
        cache.keep(two, "ab", &[7]);
        cache.keep(two, "cd", &[9]);
        assert_eq!(cache.find(one, "ab"), Some([5].as_slice()));
        assert_eq!(cache.find(two, "ab"), Some([7].as_slice()));
        assert_eq!(cache.find(two, "cd"), None);
    }
}
