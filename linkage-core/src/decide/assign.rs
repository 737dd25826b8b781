//! One-to-one assignment: every record is linked at most once.

use crate::candidates::ScoredPair;

/// Greedy one-to-one assignment: pairs that share a link key first, by precision of the rule, then
/// by falling agreement; a pair is taken when both records are free. Ties fall by row, so the
/// result depends on nothing but the pairs.
///
/// The order is the answer's: link-key pairs, then falling agreement.
pub fn one_to_one(pairs: &[ScoredPair], rows_a: usize, rows_b: usize) -> Vec<ScoredPair> {
    let mut order: Vec<&ScoredPair> = pairs.iter().collect();
    order.sort_unstable_by(|x, y| {
        rank(x)
            .cmp(&rank(y))
            .then(y.score.total_cmp(&x.score))
            .then((x.a, x.b).cmp(&(y.a, y.b)))
    });
    let (mut taken_a, mut taken_b) = (vec![false; rows_a], vec![false; rows_b]);
    let mut chosen = Vec::new();
    for pair in order {
        let (Some(a), Some(b)) = (
            taken_a.get_mut(pair.a as usize),
            taken_b.get_mut(pair.b as usize),
        ) else {
            continue;
        };
        if !*a && !*b {
            (*a, *b) = (true, true);
            chosen.push(*pair);
        }
    }
    chosen
}

fn rank(pair: &ScoredPair) -> u16 {
    pair.link_rule.map_or(u16::MAX, u16::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

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
    }
}
