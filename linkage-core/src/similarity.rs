//! Agreement of two tokens: Dice's coefficient, of the whole or filter by filter, or Hamming
//! agreement; all in 0..=1.

use crate::encode::Columns;
use crate::schema::{Agreement, Segment};

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

/// Dice's coefficient filter by filter: the mean, by weight, over the segments in which both tokens
/// have a bit. What one record lacks speaks neither for nor against; 0 where nothing is common to
/// both.
pub fn segment_agreement(a: &[u64], b: &[u64], segments: &[Segment]) -> f64 {
    let ones = |words: &[u64]| -> u32 { words.iter().map(|word| word.count_ones()).sum() };
    let (mut rest_a, mut rest_b) = (a, b);
    let (mut sum, mut weights) = (0.0, 0.0);
    for segment in segments {
        let words = segment.bits as usize / 64;
        let cut = rest_a
            .split_at_checked(words)
            .zip(rest_b.split_at_checked(words));
        let Some(((this_a, next_a), (this_b, next_b))) = cut else {
            break;
        };
        (rest_a, rest_b) = (next_a, next_b);
        let (ones_a, ones_b) = (ones(this_a), ones(this_b));
        if ones_a > 0 && ones_b > 0 {
            let weight = f64::from(segment.weight);
            sum += weight * dice(intersection(this_a, this_b), ones_a, ones_b);
            weights += weight;
        }
    }
    if weights > 0.0 { sum / weights } else { 0.0 }
}

/// Compares records of two owners that [`crate::encode::Header::comparable`] has accepted.
pub struct Comparison<'a> {
    a: Tokens<'a>,
    b: Tokens<'a>,
    agreement: Agreement,
    bits: u32,
    segments: &'a [Segment],
}

/// One owner's tokens and their numbers of set bits.
struct Tokens<'a> {
    words: &'a [u64],
    width: usize,
    ones: &'a [u16],
}

impl<'a> Tokens<'a> {
    fn new(columns: &Columns<'a>) -> Self {
        Self {
            words: columns.words,
            width: columns.width(),
            ones: columns.ones,
        }
    }

    #[inline]
    fn token(&self, row: usize) -> &'a [u64] {
        let words = row * self.width..(row + 1) * self.width;
        self.words.get(words).unwrap_or(&[])
    }

    #[inline]
    fn ones(&self, row: usize) -> u32 {
        self.ones.get(row).copied().unwrap_or(0).into()
    }
}

impl<'a> Comparison<'a> {
    /// A comparison of `a`'s records with `b`'s.
    pub fn new(a: &Columns<'a>, b: &Columns<'a>) -> Self {
        Self {
            a: Tokens::new(a),
            b: Tokens::new(b),
            agreement: a.header.agreement,
            bits: a.header.token_bits,
            segments: &a.header.segments,
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
        let (token_a, token_b) = (self.a.token(row_a), self.b.token(row_b));
        if self.agreement == Agreement::Dice && !self.segments.is_empty() {
            return segment_agreement(token_a, token_b, self.segments);
        }
        let both = intersection(token_a, token_b);
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
            let whole = [Segment::new(256, 7)];
            prop_assert!((segment_agreement(&a, &b, &whole) - expected).abs() < 1e-12);
        }

        #[test]
        fn segments_are_symmetric_and_in_bounds(
            a in prop::collection::vec(any::<u64>(), 0..6),
            b in prop::collection::vec(any::<u64>(), 0..6),
            parts in prop::collection::vec((1_u32..4, 1_u16..9), 0..5),
        ) {
            let segment = |(words, weight)| Segment::new(words * 64, weight);
            let parts: Vec<_> = parts.into_iter().map(segment).collect();
            let score = segment_agreement(&a, &b, &parts);
            prop_assert!((0.0..=1.0).contains(&score));
            prop_assert!((score - segment_agreement(&b, &a, &parts)).abs() < 1e-12);
        }
    }

    #[test]
    fn a_filter_that_one_record_lacks_does_not_count() {
        let segment = Segment::new;
        let parts = [segment(64, 3), segment(128, 1), segment(64, 9)];
        let a = [0b1111, 0b11, 0, 5];
        // Dice 1 by weight 3, 1/2 by weight 1; the last filter is empty in `b`.
        let b = [0b1111, 0b01, 0b1, 0];
        assert!((segment_agreement(&a, &b, &parts) - 3.5 / 4.0).abs() < 1e-12);
        assert!(segment_agreement(&a, &[0, 0, 0, 5], &parts) > 1.0 - 1e-12);
        assert!(segment_agreement(&a, &[0; 4], &parts).abs() < 1e-12);
    }

    #[test]
    fn empty_tokens_agree_with_nothing() {
        assert!(dice(0, 0, 0).abs() < f64::EPSILON);
    }
}
