//! Positions of features in a filter, and a cache of them.
//!
//! A feature's positions are its tag under the field's key, read as 16-bit numbers; those below the
//! largest multiple of the filter's length, reduced by it, count (random hashing: independent
//! positions instead of the lattice `g + i h` of double hashing, which Kroll and Steinmetzer,
//! HEALTHINF 2015, attacked; the rejection keeps positions uniform). A tag has 16 numbers; further
//! tags follow by a counter, so that asking for more positions keeps the ones before.

use siphasher::sip::SipHasher13;

use super::feature::Item;
use super::suite::Mac;
use crate::keys::Subkey;

/// Numbers in a tag.
const BLOCK: usize = super::suite::TAG_BYTES / 2;

/// Slots of a cache, a power of two. The features that a population of names, dates and addresses
/// keeps repeating number some ten thousands; 2^16 slots of 64 bytes are 4 MiB a thread.
const SLOTS_LOG2: u32 = 16;

/// Longest text that is named by one mixing of a number.
const SHORT_MAX: usize = 8;

/// What names a field's features in a cache, under a key of its own. The cache holds no feature,
/// only such names and positions.
///
/// Texts of up to 8 bytes, which nearly all are, are read as a number and mixed by a bijection, so
/// that no two of one length share a name; longer ones are hashed by SipHash-1-3 (Aumasson,
/// Bernstein, INDOCRYPT 2012).
#[derive(Clone, Copy)]
pub(super) struct Namer {
    short: u64,
    long: SipHasher13,
}

impl Namer {
    pub(super) fn new(key: &Subkey) -> Self {
        let mut halves = [0; 16];
        for (to, from) in halves.iter_mut().zip(key.iter()) {
            *to = *from;
        }
        let long = SipHasher13::new_with_key(&halves);
        let short = long.hash(b"short");
        Self { short, long }
    }

    /// The name of a text behind a head, which the number `head` stands for; its lowest byte is 0.
    #[inline]
    pub(super) fn name(&self, head: u64, text: &[u8]) -> u64 {
        if text.len() > SHORT_MAX {
            return self.long.hash(text).wrapping_add(mix(head));
        }
        // Heads and lengths choose among unrelated bijections; the multiplication is one as well.
        let keyed = self.short ^ (head | text.len() as u64).wrapping_mul(GOLDEN);
        mix(number(text) ^ keyed).wrapping_add(keyed)
    }
}

/// A number that differs between texts of one length of at most [`SHORT_MAX`] bytes: first and last
/// half, which may overlap.
#[inline]
fn number(text: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (text.first_chunk::<2>(), text.last_chunk::<2>()) {
        u64::from(u16::from_le_bytes(*first)) << 16 | u64::from(u16::from_le_bytes(*last))
    } else {
        text.first().map_or(0, |byte| u64::from(*byte))
    }
}

/// 2^64 divided by the golden ratio: multiples of it lie far apart (Knuth, The Art of Computer
/// Programming 3, 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// `SplitMix64`'s finaliser, a bijection (Steele, Lea, Flood, OOPSLA 2014).
#[inline]
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// The positions that one tag gives; those that rejection has dropped are left out.
#[derive(Clone, Copy, Default)]
struct Block {
    positions: [u16; BLOCK],
    found: u16,
}

/// A cache line of its own, so that a look-up waits for memory once.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Slot {
    name: u64,
    block: Block,
}

/// A direct-mapped cache: a feature has one slot, and the later comer takes it over. Memory is
/// bounded and nothing has to be evicted.
///
/// A name is trusted: two features of a batch share one, and its slot, with a probability of 2^-64
/// per pair, which no batch comes near.
pub(super) struct Cache {
    slots: Vec<Slot>,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// Reads the slots of a feature's first `count` positions. A record's features lie all over the
    /// cache; read one after the other without using what is read, they are fetched from memory at
    /// the same time, and [`Cache::set`] finds them near.
    #[inline]
    pub(super) fn touch(&self, name: u64, count: u32) -> u64 {
        (0..count.div_ceil(BLOCK as u32)).fold(0, |sum, counter| {
            let slot = self.slots.get(Self::slot(block_name(name, counter)));
            sum ^ slot.map_or(0, |slot| slot.name)
        })
    }

    #[inline]
    fn slot(name: u64) -> usize {
        (name >> (64 - SLOTS_LOG2)) as usize
    }

    /// The slot's block for `name`, computed where the slot holds another.
    #[inline]
    fn block(&mut self, name: u64, compute: impl FnOnce() -> Block) -> Option<&Block> {
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); 1 << SLOTS_LOG2];
        }
        let slot = self.slots.get_mut(Self::slot(name))?;
        if slot.name != name {
            *slot = Slot {
                name,
                block: compute(),
            };
        }
        Some(&slot.block)
    }

    /// Sets the first `count` positions of `feature` in `filter`, which has a byte for each bit.
    #[inline]
    pub(super) fn set(&mut self, feature: &Item<'_>, mac: &Mac, count: u32, filter: &mut [u8]) {
        let mut left = count as usize;
        for counter in 0_u32.. {
            if left == 0 {
                return;
            }
            let name = block_name(feature.name, counter);
            let bits = filter.len();
            // Every name has a slot.
            let Some(block) = self.block(name, || Block::new(mac, feature, counter, bits)) else {
                return;
            };
            let found = usize::from(block.found).min(left);
            for position in block.positions.get(..found).unwrap_or(&[]) {
                if let Some(bit) = filter.get_mut(usize::from(*position)) {
                    *bit = 1;
                }
            }
            left -= found;
        }
    }
}

/// The name of a feature's block; never 0, which means an empty slot.
#[inline]
fn block_name(feature: u64, counter: u32) -> u64 {
    feature
        .wrapping_add(u64::from(counter).wrapping_mul(GOLDEN))
        .max(1)
}

impl Block {
    /// Positions from tag number `counter` of `feature`.
    fn new(mac: &Mac, feature: &Item<'_>, counter: u32, bits: usize) -> Self {
        let tag = mac.tag([&counter.to_be_bytes(), feature.head(), feature.text()]);
        let bits = u32::try_from(bits).unwrap_or(u32::MAX).max(1);
        let fair = 65_536 / bits * bits;
        let fair = tag
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u32::from(u16::from_be_bytes(*pair)))
            .filter(|number| *number < fair);
        let mut block = Self::default();
        for (slot, number) in block.positions.iter_mut().zip(fair) {
            *slot = u16::try_from(number % bits).unwrap_or(0);
            block.found += 1;
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::encode::feature::Features;
    use crate::keys::ProjectKey;
    use crate::record::{Component, NormalValue};
    use crate::schema::{Feature, FeatureKind, Suite};

    fn filter(cache: &mut Cache, item: u32, count: u32, bits: usize) -> Vec<u8> {
        let key = ProjectKey::from_bytes([3; 32]);
        let mac = Mac::new(Suite::HmacSha256, &key.positions("f"));
        let namer = Namer::new(&key.cache("f"));
        let mut filter = vec![0; bits];
        let feature = Feature {
            kind: FeatureKind::Whole,
            part: Component::Whole,
            q: None,
            distance: None,
            resolution: None,
            bits: 1,
        };
        let value = NormalValue::text(Zeroizing::new(item.to_string()));
        let mut features = Features::default();
        features.extract(&feature, &value, &namer);
        cache.set(&features.get(0).unwrap(), &mac, count, &mut filter);
        filter
    }

    #[test]
    fn positions_are_uniform_and_nested() {
        let mut counts = [0_u32; 320];
        let mut cache = Cache::new();
        for item in 0_u32..4000 {
            let long = filter(&mut cache, item, 20, 320);
            let short = filter(&mut cache, item, 7, 320);
            assert!(short.iter().zip(&long).all(|(short, long)| short <= long));
            let first = filter(&mut cache, item, 1, 320);
            counts[first.iter().position(|bit| *bit == 1).unwrap()] += 1;
            assert_eq!(first.iter().sum::<u8>(), 1);
        }
        // 4000 draws into 320 cells: chi-square with 319 degrees of freedom is below 420 in 99.99
        // %.
        let chi: f64 = counts
            .iter()
            .map(|c| (f64::from(*c) - 12.5).powi(2) / 12.5)
            .sum();
        assert!(chi < 420.0, "{chi}");
    }

    /// With far more features than slots every feature is thrown out some time and comes back.
    #[test]
    fn a_cache_changes_nothing() {
        let mut shared = Cache::new();
        for item in (0..200_000).chain(0..2_000) {
            let got = filter(&mut shared, item, 18, 1024);
            if item % 50 == 0 {
                assert_eq!(got, filter(&mut Cache::new(), item, 18, 1024), "{item}");
            }
        }
    }
}
