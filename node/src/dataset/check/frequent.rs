//! Values that occur too often, found without keeping values.
//!
//! Misra and Gries 1982, with the counters lowered in one go when there are twice too many
//! (Anderson et al., "A high-performance algorithm for identifying frequent items", IMC 2017).
//! Values are known by a hash under a random key of this run.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Counters that stay when their number is halved: a value in more than one of so many records
/// is found for certain.
const COUNTERS: usize = 32_768;

/// The values are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A frequent value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counter {
    /// Records with it; never too many.
    pub(super) count: u64,
    /// Share of records that a model expects to have it; 0 where the model knows none.
    pub(super) expected: f32,
}

/// Counts of the most frequent values of one field.
#[derive(Default)]
pub(super) struct Frequent {
    counters: HashMap<u64, Counter, BuildHasherDefault<AsIs>>,
}

impl Frequent {
    /// Counts one record with `value`.
    pub(super) fn add(&mut self, value: u64, expected: f32) {
        self.counters
            .entry(value)
            .or_insert(Counter { count: 0, expected })
            .count += 1;
        if self.counters.len() > 2 * COUNTERS {
            self.lower();
        }
    }

    /// Takes the median count off every counter and drops those that have none left.
    fn lower(&mut self) {
        let mut counts: Vec<u64> = self.counters.values().map(|c| c.count).collect();
        let (_, median, _) = counts.select_nth_unstable(COUNTERS);
        let median = *median;
        self.counters.retain(|_, counter| {
            counter.count = counter.count.saturating_sub(median);
            counter.count > 0
        });
    }

    /// The counters.
    pub(super) fn counters(&self) -> impl Iterator<Item = Counter> {
        self.counters.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_values_are_found_among_many_rare_ones() {
        let mut frequent = Frequent::default();
        let spread = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for n in 1..=400_000_u64 {
            frequent.add(spread(n), 0.0);
            if n % 10 == 0 {
                frequent.add(spread(u64::MAX), 0.5);
            }
        }
        assert!(frequent.counters.len() <= 2 * COUNTERS);
        let found = frequent.counters.get(&spread(u64::MAX)).unwrap();
        // At most one count in 32 768 records is lost.
        assert!((39_980..=40_000).contains(&found.count), "{}", found.count);
        assert!((found.expected - 0.5).abs() < f32::EPSILON);
        let others = frequent
            .counters()
            .filter(|c| c.count > 1 && c.expected < 0.1);
        assert_eq!(others.count(), 0);
    }
}
