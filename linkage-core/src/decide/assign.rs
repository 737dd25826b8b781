//! Assignment: which of the pairs across two owners are taken.

use super::order::{Taking, take_best};
use crate::candidates::ScoredPair;

/// Greedy one-to-one assignment: pairs that share a link key first, by precision of the rule, then
/// by falling agreement; a pair is taken when both records are free. Ties fall by row, so the
/// result depends on nothing but the pairs.
///
/// The order is the answer's: link-key pairs, then falling agreement.
pub fn one_to_one(pairs: &[ScoredPair], rows_a: usize, rows_b: usize) -> Vec<ScoredPair> {
    let mut taking = OneToOne {
        a: Bitmap::new(rows_a),
        b: Bitmap::new(rows_b),
        taken: Vec::with_capacity(pairs.len().min(rows_a).min(rows_b)),
    };
    take_best(pairs, &mut taking);
    taking.taken
}

/// Many-to-one assignment: in the same order as [`one_to_one`], a pair is taken when its record of
/// the first owner is free; the second owner's may be taken any number of times.
pub fn many_to_one(pairs: &[ScoredPair], rows_a: usize, rows_b: usize) -> Vec<ScoredPair> {
    let mut taking = ManyToOne {
        a: Bitmap::new(rows_a),
        rows_b,
        taken: Vec::with_capacity(pairs.len().min(rows_a)),
    };
    take_best(pairs, &mut taking);
    taking.taken
}

struct OneToOne {
    a: Bitmap,
    b: Bitmap,
    taken: Vec<ScoredPair>,
}

impl Taking for OneToOne {
    fn admits(&self, a: u32, b: u32) -> bool {
        !self.a.has(a) && !self.b.has(b)
    }

    fn take(&mut self, pair: &ScoredPair) {
        self.a.set(pair.a);
        self.b.set(pair.b);
        self.taken.push(*pair);
    }
}

struct ManyToOne {
    a: Bitmap,
    rows_b: usize,
    taken: Vec<ScoredPair>,
}

impl Taking for ManyToOne {
    fn admits(&self, a: u32, b: u32) -> bool {
        !self.a.has(a) && (b as usize) < self.rows_b
    }

    fn take(&mut self, pair: &ScoredPair) {
        self.a.set(pair.a);
        self.taken.push(*pair);
    }
}

/// One bit for each row; a row beyond the last counts as taken.
pub(super) struct Bitmap {
    words: Vec<u64>,
    rows: usize,
}

impl Bitmap {
    pub fn new(rows: usize) -> Self {
        Self {
            words: vec![0; rows.div_ceil(64)],
            rows,
        }
    }

    pub fn has(&self, row: u32) -> bool {
        let row = row as usize;
        let word = self.words.get(row / 64);
        row >= self.rows || word.is_none_or(|word| word >> (row % 64) & 1 == 1)
    }

    pub fn set(&mut self, row: u32) {
        if let Some(word) = self.words.get_mut(row as usize / 64) {
            *word |= 1 << (row % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn rank(pair: &ScoredPair) -> u16 {
        pair.link_rule.map_or(u16::MAX, u16::from)
    }

    fn pairs() -> impl Strategy<Value = Vec<ScoredPair>> {
        let pair = (0_u32..12, 0_u32..12, 0_u8..4, 0_u32..20).prop_map(|(a, b, rule, score)| {
            let link_rule = (rule < 2).then_some(rule);
            ScoredPair {
                a,
                b,
                link_rule,
                score: f64::from(score) / 20.0,
            }
        });
        prop::collection::vec(pair, 0..60)
    }

    proptest! {
        #[test]
        fn no_record_is_linked_twice_and_none_is_left_that_could_be(pairs in pairs()) {
            let chosen = one_to_one(&pairs, 12, 12);
            let a: BTreeSet<_> = chosen.iter().map(|p| p.a).collect();
            let b: BTreeSet<_> = chosen.iter().map(|p| p.b).collect();
            prop_assert_eq!((a.len(), b.len()), (chosen.len(), chosen.len()));
            prop_assert!(pairs.iter().all(|p| a.contains(&p.a) || b.contains(&p.b)));
            prop_assert!(chosen.iter().all(|p| pairs.contains(p)));
        }

        #[test]
        fn a_pair_is_passed_over_only_for_a_better_one(pairs in pairs()) {
            let chosen = one_to_one(&pairs, 12, 12);
            let better = |x: &ScoredPair, y: &ScoredPair| {
                (rank(x), -x.score, x.a, x.b) <= (rank(y), -y.score, y.a, y.b)
            };
            for pair in &pairs {
                prop_assert!(
                    chosen.iter().any(|c| (c.a == pair.a || c.b == pair.b) && better(c, pair))
                );
            }
        }

        #[test]
        fn many_to_one_gives_every_first_record_its_best_partner(pairs in pairs()) {
            let chosen = many_to_one(&pairs, 12, 12);
            let a: BTreeSet<_> = chosen.iter().map(|p| p.a).collect();
            prop_assert_eq!(a.len(), chosen.len());
            for pair in &pairs {
                let got = chosen.iter().find(|c| c.a == pair.a).unwrap();
                let key = |p: &ScoredPair| (rank(p), -p.score, p.a, p.b);
                prop_assert!(key(got) <= key(pair));
            }
        }

        #[test]
        fn the_order_of_the_pairs_does_not_matter(pairs in pairs(), seed in any::<u64>()) {
            use rand::{SeedableRng, seq::SliceRandom};
            let mut shuffled = pairs.clone();
            shuffled.shuffle(&mut rand_chacha::ChaCha20Rng::seed_from_u64(seed));
            prop_assert_eq!(one_to_one(&pairs, 12, 12), one_to_one(&shuffled, 12, 12));
        }
    }

    #[test]
    fn rows_beyond_the_batches_are_ignored() {
        let stray = ScoredPair {
            a: 99,
            b: 0,
            link_rule: None,
            score: 1.0,
        };
        assert!(one_to_one(&[stray], 12, 12).is_empty());
        assert!(many_to_one(&[stray], 12, 12).is_empty());
    }
}
