//! Independent random streams, one per (seed, purpose, index), and weighted draws from them.
#![allow(
    clippy::indexing_slicing,
    reason = "each index is drawn below the length of a table that is never empty"
)]

/// What a stream is for. Streams of different purposes never meet, so a draw added for one
/// purpose leaves all others as they were.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Household = 1,
    Person = 2,
    Copy = 3,
    Coverage = 4,
    Duplicate = 5,
    Order = 6,
    RecordId = 7,
    ResidentId = 8,
    Pattern = 9,
    Address = 10,
    Mobile = 11,
    Move = 12,
    PhoneChange = 13,
    Renaming = 14,
    SharedNumber = 15,
    NumberChange = 16,
    FifteenDigits = 17,
    Document = 18,
    Episodes = 19,
    Scatter = 20,
    Enterprise = 21,
    Brand = 22,
    Code = 23,
    Representative = 24,
    NewRepresentative = 25,
    Attribute = 26,
}

/// A random stream: SplitMix64 with an increment of its own for each stream (Steele, Lea and
/// Flood, OOPSLA 2014). The data are made up, so speed counts and secrecy does not.
pub(crate) struct Stream {
    state: u64,
    increment: u64,
}

impl Stream {
    /// Opens the stream of `index` under `purpose`; `scope` separates departments or copies.
    pub(crate) fn open(seed: u64, purpose: Purpose, scope: u64, index: u64) -> Self {
        let state = mix([seed, purpose as u64, scope, index]);
        Self {
            state,
            increment: finalise(!state) | 1,
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(self.increment);
        finalise(self.state)
    }

    /// A number in `0..bound` (Lemire's multiplication; the bias, below `bound / 2^32`, is far
    /// under what any test of this data can see). Own code, because a library's draws may change
    /// between versions and the data must not.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1) as u32) as i32
    }

    /// True with a probability of `rate` in 10 000.
    pub(crate) fn chance(&mut self, rate: u32) -> bool {
        self.below(10_000) < rate
    }

    /// One item, all equally likely. `items` is never empty.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }
}

/// A table from which items are drawn by weight.
pub(crate) struct Weighted<T> {
    items: Vec<T>,
    cumulative: Vec<u32>,
}

impl<T: Copy> Weighted<T> {
    /// Builds the table; the weights are positive and there is at least one.
    pub(crate) fn new(entries: impl IntoIterator<Item = (T, u32)>) -> Self {
        let (mut items, mut cumulative, mut sum) = (Vec::new(), Vec::new(), 0);
        for (item, weight) in entries {
            sum += weight;
            items.push(item);
            cumulative.push(sum);
        }
        Self { items, cumulative }
    }

    /// Draws one item.
    pub(crate) fn pick(&self, stream: &mut Stream) -> T {
        let total = self.cumulative[self.cumulative.len() - 1];
        let drawn = stream.below(total);
        self.items[self.cumulative.partition_point(|&bound| bound <= drawn)]
    }

    /// The items, in the order given.
    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    /// The items with their weights, in the order given.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (T, u32)> {
        let before = std::iter::once(0).chain(self.cumulative.iter().copied());
        let weights = self.cumulative.iter().zip(before).map(|(sum, b)| sum - b);
        self.items.iter().copied().zip(weights)
    }
}

/// Mixes words into one. For decisions that are asked for every person and need no more than one
/// draw.
pub(crate) fn mix(words: [u64; 4]) -> u64 {
    words
        .into_iter()
        .fold(0x9E37_79B9_7F4A_7C15, |state, word| {
            finalise((state ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15))
        })
}

/// True with a probability of `rate` in 10 000, decided once per (seed, purpose, scope, index).
pub(crate) fn happens(seed: u64, purpose: Purpose, scope: u64, index: u64, rate: u64) -> bool {
    mix([seed, purpose as u64, scope, index]) % 10_000 < rate
}

/// Finaliser of SplitMix64: a bijection that scatters.
pub(crate) fn finalise(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_every_part() {
        let first =
            |seed, purpose, scope, index| Stream::open(seed, purpose, scope, index).below(u32::MAX);
        let base = first(1, Purpose::Person, 0, 0);
        assert_eq!(base, first(1, Purpose::Person, 0, 0));
        for other in [
            first(2, Purpose::Person, 0, 0),
            first(1, Purpose::Household, 0, 0),
            first(1, Purpose::Person, 1, 0),
            first(1, Purpose::Person, 0, 1),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn weights_are_followed() {
        let table = Weighted::new([('a', 1), ('b', 3)]);
        let mut stream = Stream::open(1, Purpose::Person, 0, 0);
        let hits = (0..40_000)
            .filter(|_| table.pick(&mut stream) == 'b')
            .count();
        // Standard deviation 87; five of them.
        assert!(hits.abs_diff(30_000) < 435, "{hits}");
    }
}
