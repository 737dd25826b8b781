//! Bits of tokens that came before: names share most of their bigrams, days their digits.

use zeroize::Zeroize as _;

/// Bytes that a worker's caches may take. Of ten features each then has room for 16 000 tokens of
/// 1024 bits; bigrams of names are some hundreds, with bits shared by all tokens of a value some
/// thousands.
pub(super) const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Longest token that is kept, in bytes: n-grams and numbers. Longer ones are whole values, of which
/// fewer come again.
const TOKEN_BYTES_MAX: usize = 13;

/// Slots of a table at the start.
const SLOTS_MIN: usize = 64;

/// A slot of the table: a token's key, 0 where there is none, and its number.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: u128,
    number: u32,
}

/// The bits of tokens, which depend on how many a token sets. When it is full, what is in it stays.
pub(super) struct Cache {
    /// A power of two, at most half of them taken; a token is in the first slot that was free from
    /// the one on that its hash names.
    slots: Vec<Slot>,
    /// The bits of all tokens in order of number.
    bits: Vec<u64>,
    count: usize,
    count_max: usize,
}

impl Drop for Cache {
    fn drop(&mut self) {
        wipe(&mut self.slots);
    }
}

fn wipe(slots: &mut [Slot]) {
    slots.iter_mut().for_each(|slot| slot.key.zeroize());
}

/// A token in one number, which it can be compared and hashed by without following a pointer: its
/// bytes, above them its length and one, above that the number of bits that it sets, whose last 16
/// bits tell all that are allowed apart.
fn key(bits: u32, token: &str) -> Option<u128> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let bytes = token.bytes();
    let text = bytes.fold(0, |text: u128, byte| text << 8 | u128::from(byte));
    let length = token.len() as u128 + 1;
    Some(text | length << 104 | u128::from(bits & 0xffff) << 112)
}

impl Cache {
    /// An empty cache for filters of so many words.
    pub(super) fn new(words: usize, bytes_max: usize) -> Self {
        // Two to four slots for a token: right after it grew, a table is a quarter full.
        let bytes = 4 * size_of::<Slot>() + words * size_of::<u64>();
        Self {
            slots: vec![Slot::default(); SLOTS_MIN],
            bits: vec![],
            count: 0,
            count_max: (bytes_max / bytes).min(u32::MAX as usize),
        }
    }

    /// The number of a token that sets so many bits.
    pub(super) fn find(&self, bits: u32, token: &str) -> Option<u32> {
        let key = key(bits, token)?;
        let slot = self.slots.get(self.place(key))?;
        (slot.key == key).then_some(slot.number)
    }

    /// The bits of all tokens in order of number, each in as many words as a filter has.
    pub(super) fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// Keeps the bits of a token that was not found, if there is room.
    pub(super) fn keep(&mut self, bits: u32, token: &str, found: &[u64]) {
        let Some(key) = key(bits, token) else {
            return;
        };
        if self.count >= self.count_max {
            return;
        }
        if (self.count + 1) * 2 > self.slots.len() {
            self.grow();
        }
        self.put(Slot {
            key,
            number: self.count as u32,
        });
        self.count += 1;
        self.bits.extend_from_slice(found);
    }

    /// Where a key is, or would be. Multiplicative hashing (Knuth, The Art of Computer Programming 3,
    /// section 6.4) by 2^64 over the golden ratio; tokens made to collide fill one feature's cache.
    fn place(&self, key: u128) -> usize {
        let mixed = key as u64 ^ ((key >> 64) as u64).rotate_left(23);
        let hash = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mask = self.slots.len() - 1;
        let mut place = (hash >> 32) as usize & mask;
        while let Some(slot) = self.slots.get(place)
            && slot.key != key
            && slot.key != 0
        {
            place = (place + 1) & mask;
        }
        place
    }

    fn put(&mut self, slot: Slot) {
        let place = self.place(slot.key);
        if let Some(to) = self.slots.get_mut(place) {
            *to = slot;
        }
    }

    fn grow(&mut self) {
        let larger = vec![Slot::default(); 2 * self.slots.len()];
        let mut slots = std::mem::replace(&mut self.slots, larger);
        for slot in slots.iter().filter(|slot| slot.key != 0) {
            self.put(*slot);
        }
        wipe(&mut slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_apart_by_length_and_number_of_bits() {
        let mut cache = Cache::new(1, 1 << 20);
        let long = "x".repeat(TOKEN_BYTES_MAX);
        let tokens = ["", "a", "a\0", "\0a", "ab", "é", &long, &long[1..]];
        let mut number = 0;
        for token in tokens {
            for bits in [1, 2, 256, 65_536] {
                assert_eq!(cache.find(bits, token), None);
                cache.keep(bits, token, &[7 * number]);
                number += 1;
            }
        }
        let mut number = 0;
        for token in tokens {
            for bits in [1, 2, 256, 65_536] {
                assert_eq!(cache.find(bits, token), Some(number), "{token:?}");
                assert_eq!(cache.bits()[number as usize], 7 * u64::from(number));
                number += 1;
            }
        }
        let longer = "x".repeat(TOKEN_BYTES_MAX + 1);
        cache.keep(1, &longer, &[5]);
        assert_eq!(cache.find(1, &longer), None);
    }

    #[test]
    fn a_full_cache_keeps_what_it_has() {
        let mut cache = Cache::new(2, 500 * (4 * 32 + 16));
        for number in 0..1000_u64 {
            cache.keep(3, &number.to_string(), &[number, !number]);
        }
        for number in 0..1000_u32 {
            let found = cache.find(3, &number.to_string());
            assert_eq!(found, (number < 500).then_some(number));
        }
        assert_eq!(cache.bits()[998..], [499, !499]);
    }
}
