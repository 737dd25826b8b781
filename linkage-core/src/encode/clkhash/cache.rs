//! Indices of tokens that came before: names share most of their bigrams, days their digits.

use super::tokens::Key;

/// Bytes that a worker's caches may take: of ten features each then has room for some ten thousand
/// tokens. Bigrams of names are some hundreds.
pub(super) const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Slots of a table at the start.
const SLOTS_MIN: usize = 64;

/// A slot of the table: a token's key, or none, and where its indices are.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: Key,
    start: u32,
    count: u32,
}

/// The first indices of short tokens. Longer ones are whole values, of which fewer come again. When
/// it is full, what is in it stays.
pub(super) struct Cache {
    /// A power of two, at most half of them taken; a token is in the first slot that was free from
    /// the one on that its hash names.
    slots: Vec<Slot>,
    taken: usize,
    indices: Vec<u32>,
    bytes_left: usize,
}

impl Drop for Cache {
    fn drop(&mut self) {
        wipe(&mut self.slots);
    }
}

fn wipe(slots: &mut [Slot]) {
    slots.iter_mut().for_each(|slot| slot.key.wipe());
}

impl Cache {
    /// An empty cache.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            slots: vec![Slot::default(); SLOTS_MIN],
            taken: 0,
            indices: vec![],
            bytes_left: bytes_max.min(u32::MAX as usize),
        }
    }

    /// The first `count` indices of a token, if so many are kept.
    pub(super) fn find(&self, key: Key, count: u32) -> Option<&[u32]> {
        let slot = self.slots.get(self.place(key))?;
        if slot.key != key || slot.count < count {
            return None;
        }
        let start = slot.start as usize;
        self.indices.get(start..start + count as usize)
    }

    /// Keeps the first indices of a token of which fewer are kept, if there is room.
    pub(super) fn keep(&mut self, key: Key, indices: &[u32]) {
        // Two to four slots for a token: right after it grew, a table is a quarter full.
        let bytes = 4 * size_of::<Slot>() + size_of_val(indices);
        let Some(left) = self.bytes_left.checked_sub(bytes) else {
            return;
        };
        self.bytes_left = left;
        if (self.taken + 1) * 2 > self.slots.len() {
            self.grow();
        }
        // Fewer than bytes, which are counted in 32 bits.
        let fresh = self.put(Slot {
            key,
            start: self.indices.len() as u32,
            count: indices.len() as u32,
        });
        self.taken += usize::from(fresh);
        self.indices.extend_from_slice(indices);
    }

    /// Where a key is, or would be. Tokens that were made to collide fill one feature's cache.
    fn place(&self, key: Key) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = key.hash() as usize & mask;
        while let Some(slot) = self.slots.get(place)
            && slot.key != key
            && slot.key != Key::NONE
        {
            place = (place + 1) & mask;
        }
        place
    }

    /// Fills the slot of a key; whether it was free.
    fn put(&mut self, slot: Slot) -> bool {
        let place = self.place(slot.key);
        let Some(to) = self.slots.get_mut(place) else {
            return false;
        };
        std::mem::replace(to, slot).key == Key::NONE
    }

    fn grow(&mut self) {
        let larger = vec![Slot::default(); 2 * self.slots.len()];
        let mut slots = std::mem::replace(&mut self.slots, larger);
        for slot in slots.iter().filter(|slot| slot.key != Key::NONE) {
            self.put(*slot);
        }
        wipe(&mut slots);
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::Comparison;
    use super::super::tokens::{Token, Tokens};
    use super::*;

    fn key(number: u32) -> Key {
        let mut tokens = Tokens::default();
        tokens
            .split(&Comparison::Exact, &number.to_string())
            .unwrap();
        match tokens.tokens() {
            [Token::Short(key)] => *key,
            _ => panic!("no key"),
        }
    }

    #[test]
    fn more_indices_replace_fewer() {
        let mut cache = Cache::new(1 << 20);
        assert_eq!(cache.find(key(5), 0), None);
        cache.keep(key(5), &[1, 2]);
        cache.keep(key(5), &[1, 2, 3]);
        assert_eq!(cache.find(key(5), 1), Some(&[1][..]));
        assert_eq!(cache.find(key(5), 3), Some(&[1, 2, 3][..]));
        assert_eq!(cache.find(key(5), 4), None);
        assert_eq!(cache.taken, 1);
    }

    #[test]
    fn a_full_cache_keeps_what_it_has() {
        let mut cache = Cache::new(500 * (4 * size_of::<Slot>() + 8));
        for number in 0..1000_u32 {
            cache.keep(key(number), &[number, !number]);
        }
        for number in 0..1000_u32 {
            let expected = [number, !number];
            let expected = (number < 500).then_some(&expected[..]);
            assert_eq!(cache.find(key(number), 2), expected);
        }
    }
}
