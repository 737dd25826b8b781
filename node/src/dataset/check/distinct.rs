//! How many values there are and how many of them occur more than once, from a sample of values
//! that takes all records of a value or none (Gibbons, "Distinct sampling", VLDB 2001).

use serde::Serialize;

/// Most records kept: 8 MiB.
const SAMPLE_MAX: usize = 1 << 20;

/// Hashes of values of one kind.
#[derive(Default)]
pub(super) struct Distinct {
    sample: Vec<u64>,
    /// Of all values, those are kept whose hash ends in as many zero bits.
    level: u32,
}

/// Counts of values; estimated where there were more records than are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Repeats {
    /// Different values.
    pub values: u64,
    /// Values that more records have than are allowed.
    pub repeated_values: u64,
    /// Records that have such a value.
    pub repeated_records: u64,
    /// Whether the counts are scaled up from a sample.
    pub estimated: bool,
}

impl Distinct {
    /// Counts one record with `value`.
    pub(super) fn add(&mut self, value: u64) {
        if !self.kept(value) {
            return;
        }
        self.sample.push(value);
        while self.sample.len() >= SAMPLE_MAX {
            self.level += 1;
            let mask = (1 << self.level) - 1;
            self.sample.retain(|value| value & mask == 0);
            if self.level >= u64::BITS - 1 {
                return;
            }
        }
    }

    fn kept(&self, value: u64) -> bool {
        value.trailing_zeros() >= self.level
    }

    /// Values of more than `records_max` records are repeated.
    pub(super) fn repeats(&self, records_max: u64) -> Repeats {
        let mut sorted = self.sample.clone();
        sorted.sort_unstable();
        let mut found = Repeats {
            estimated: self.level > 0,
            ..Repeats::default()
        };
        for run in sorted.chunk_by(|a, b| a == b) {
            found.values += 1;
            if run.len() as u64 > records_max {
                found.repeated_values += 1;
                found.repeated_records += run.len() as u64;
            }
        }
        for count in [
            &mut found.values,
            &mut found.repeated_values,
            &mut found.repeated_records,
        ] {
            *count = count.saturating_mul(1 << self.level.min(63));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(n: u64) -> u64 {
        let n = (n ^ n >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (n ^ n >> 27)
            .wrapping_mul(0x94d0_49bb_1331_11eb)
            .rotate_left(21)
    }

    #[test]
    fn few_values_are_counted_exactly() {
        let mut distinct = Distinct::default();
        (0..1000).for_each(|n| distinct.add(spread(n)));
        (0..100).for_each(|n| distinct.add(spread(n)));
        (0..3).for_each(|_| distinct.add(spread(7)));
        let expected = Repeats {
            values: 1000,
            repeated_values: 100,
            repeated_records: 203,
            estimated: false,
        };
        assert_eq!(distinct.repeats(1), expected);
        assert_eq!(distinct.repeats(4).repeated_records, 5);
        assert_eq!(distinct.repeats(5).repeated_records, 0);
    }

    /// A quarter of the values is kept: the counts are within 1 %, five standard deviations.
    #[test]
    fn many_values_are_estimated() {
        let mut distinct = Distinct::default();
        for n in 0..3_000_000 {
            distinct.add(spread(n));
            if n % 3 == 0 {
                distinct.add(spread(n));
            }
        }
        let found = distinct.repeats(1);
        assert!(found.estimated);
        let near = |count: u64, truth: u64| count.abs_diff(truth) * 100 < truth;
        assert!(near(found.values, 3_000_000), "{found:?}");
        assert!(near(found.repeated_values, 1_000_000), "{found:?}");
        assert!(near(found.repeated_records, 2_000_000), "{found:?}");
    }
}
