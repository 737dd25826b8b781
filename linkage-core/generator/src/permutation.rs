//! Seeded permutations of `0..size`, computed point by point.

use crate::stream::{finalise, mix};

/// A bijection of `0..size`: a balanced four-round Feistel network over the next even power of
/// two, walked until it lands inside the range (Black and Rogaway, CT-RSA 2002). The round
/// function is a plain mixer: it scatters, it does not protect, and made-up data needs no more.
pub(crate) struct Permutation {
    size: u64,
    half_bits: u32,
    keys: [u64; 4],
}

impl Permutation {
    /// A permutation of `0..size`, where `0 < size <= 2^62`.
    pub(crate) fn new(size: u64, key: u64) -> Self {
        let bits = u64::BITS - size.saturating_sub(1).leading_zeros();
        Self {
            size,
            half_bits: bits.div_ceil(2).max(1),
            keys: [0, 1, 2, 3].map(|round| mix([key, round, size, 0])),
        }
    }

    /// The image of `value`, which is below the size.
    pub(crate) fn apply(&self, value: u64) -> u64 {
        let mut image = self.rounds(value);
        while image >= self.size {
            image = self.rounds(image);
        }
        image
    }

    fn rounds(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            let swapped = left ^ (finalise(right.wrapping_add(key)) & mask);
            (left, right) = (right, swapped);
        }
        (left << self.half_bits) | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_a_bijection(size in 1u64..3_000, key: u64) {
            let permutation = Permutation::new(size, key);
            let mut seen = vec![false; size as usize];
            for value in 0..size {
                let image = permutation.apply(value) as usize;
                prop_assert!(!std::mem::replace(&mut seen[image], true));
            }
        }
    }

    #[test]
    fn keys_give_different_orders() {
        let order = |key| {
            (0..100)
                .map(|v| Permutation::new(100, key).apply(v))
                .collect::<Vec<_>>()
        };
        assert_ne!(order(1), order(2));
    }
}
