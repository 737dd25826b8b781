//! Agreement of two tokens: Dice's coefficient or Hamming agreement, both in 0..=1.

use crate::encode::Batch;
use crate::schema::Agreement;

/// Number of positions set in both tokens.
#[inline]
pub fn intersection(a: &[u64], b: &[u64]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum()
}

/// Dice's coefficient 2 |a and b| / (|a| + |b|); 0 when both are empty.
#[inline]
pub fn dice(intersection: u32, ones_a: u32, ones_b: u32) -> f64 {
    let total = ones_a + ones_b;
    if total == 0 {
        0.0
    } else {
        f64::from(2 * intersection) / f64::from(total)
    }
}

/// Share of the `bits` positions on which two tokens agree.
#[inline]
pub fn hamming_agreement(intersection: u32, ones_a: u32, ones_b: u32, bits: u32) -> f64 {
    let differing = ones_a + ones_b - 2 * intersection;
    1.0 - f64::from(differing) / f64::from(bits.max(1))
}

/// Compares records of two batches that [`crate::encode::Header::comparable`] has accepted.
pub struct Comparison<'a> {
    a: &'a Batch,
    b: &'a Batch,
    agreement: Agreement,
    bits: u32,
}

impl<'a> Comparison<'a> {
    /// A comparison of `a`'s records with `b`'s.
    pub fn new(a: &'a Batch, b: &'a Batch) -> Self {
        Self {
            a,
            b,
            agreement: a.header().agreement,
            bits: a.header().token_bits,
        }
    }

    /// Agreement of record `row_a` of the one with `row_b` of the other; 0 when either has no
    /// token.
    #[inline]
    pub fn score(&self, row_a: u32, row_b: u32) -> f64 {
        let (row_a, row_b) = (row_a as usize, row_b as usize);
        let (ones_a, ones_b) = (self.a.ones(row_a), self.b.ones(row_b));
        if ones_a == 0 || ones_b == 0 {
            return 0.0;
        }
        let both = intersection(self.a.token(row_a), self.b.token(row_b));
        match self.agreement {
            Agreement::Dice => dice(both, ones_a, ones_b),
            Agreement::Hamming => hamming_agreement(both, ones_a, ones_b, self.bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(words: &[u64]) -> Vec<bool> {
        words
            .iter()
            .flat_map(|w| (0..64).map(move |i| w >> i & 1 == 1))
            .collect()
    }

    proptest! {
        #[test]
        fn agree_with_the_definitions(a in prop::collection::vec(any::<u64>(), 4), b in prop::collection::vec(any::<u64>(), 4)) {
            let (x, y) = (bits(&a), bits(&b));
            let count = |f: &dyn Fn(bool, bool) -> bool| {
                u32::try_from(x.iter().zip(&y).filter(|(x, y)| f(**x, **y)).count()).unwrap()
            };
            let both = count(&|x, y| x && y);
            let (ones_a, ones_b) = (count(&|x, _| x), count(&|_, y| y));
            prop_assert_eq!(intersection(&a, &b), both);
            let expected = f64::from(2 * both) / f64::from(ones_a + ones_b);
            prop_assert!((dice(both, ones_a, ones_b) - expected).abs() < 1e-12);
            let same = f64::from(count(&|x, y| x == y)) / 256.0;
            prop_assert!((hamming_agreement(both, ones_a, ones_b, 256) - same).abs() < 1e-12);
        }
    }

    #[test]
    fn empty_tokens_agree_with_nothing() {
        assert!(dice(0, 0, 0).abs() < f64::EPSILON);
    }
}
