//! Optimal one-to-one assignment: the pairs that agree most in all.
//!
//! Records that no pair connects, directly or by way of others, cannot compete. So each connected
//! component is solved by itself, by the Hungarian method (Kuhn 1955, Munkres 1957) as the crate
//! `pathfinding` has it. Components are small where the threshold is any good; one that is too
//! large for a cubic method is left to the greedy assignment, and counted.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use rayon::prelude::*;

use super::assign::{Bitmap, one_to_one};
use super::components::Components;
use crate::candidates::ScoredPair;

/// Most records of either owner in a component that is solved optimally: 256 take about 20 ms.
const COMPONENT_ROWS_MAX: usize = 256;

/// Steps that agreement is counted in, since the method adds whole numbers.
const STEPS: f64 = (1_u64 << 40) as f64;

/// An optimal assignment.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimal {
    /// The pairs taken: link-key pairs, then falling agreement.
    pub pairs: Vec<ScoredPair>,
    /// Components that were too large and assigned greedily.
    pub components_beyond: u64,
}

/// Pairs that share a link key are taken as [`one_to_one`] takes them. Of the others, between the
/// records still free, those at or above `threshold` are taken whose agreement above `base` is
/// largest in sum. With `base` the usual agreement of strangers, one good pair counts for more than
/// two that are hardly better than chance. Of the pairs below the threshold, which are no links,
/// those are added that the greedy assignment takes among the records then left.
pub fn optimal(
    pairs: &[ScoredPair],
    (rows_a, rows_b): (usize, usize),
    threshold: f64,
    base: f64,
) -> Optimal {
    let keyed = |pair: &&ScoredPair| pair.link_rule.is_some();
    let keyed: Vec<_> = pairs.iter().filter(keyed).copied().collect();
    let mut chosen = one_to_one(&keyed, rows_a, rows_b);
    let (mut taken_a, mut taken_b) = (Bitmap::new(rows_a), Bitmap::new(rows_b));
    let mut free: Vec<_> = pairs
        .iter()
        .copied()
        .filter(|p| p.link_rule.is_none())
        .collect();
    let mut without = |taken: &[ScoredPair], free: &mut Vec<ScoredPair>| {
        for pair in taken {
            taken_a.set(pair.a);
            taken_b.set(pair.b);
        }
        free.retain(|pair| !taken_a.has(pair.a) && !taken_b.has(pair.b));
    };
    without(&chosen, &mut free);
    let (above, mut below): (Vec<_>, Vec<_>) =
        free.into_iter().partition(|pair| pair.score >= threshold);
    let solved: Vec<(Vec<ScoredPair>, bool)> = by_component(above, rows_a, rows_b)
        .par_chunk_by(|x, y| x.0 == y.0)
        .map(|component| {
            let component: Vec<_> = component.iter().map(|(_, pair)| *pair).collect();
            solve(&component, rows_a, rows_b, base)
        })
        .collect();
    let components_beyond = solved.iter().filter(|(_, exact)| !exact).count() as u64;
    let mut tokens: Vec<_> = solved.into_iter().flat_map(|(pairs, _)| pairs).collect();
    tokens.par_sort_unstable_by(|x, y| {
        (y.score.total_cmp(&x.score)).then((x.a, x.b).cmp(&(y.a, y.b)))
    });
    without(&tokens, &mut below);
    chosen.extend(tokens);
    chosen.extend(one_to_one(&below, rows_a, rows_b));
    Optimal {
        pairs: chosen,
        components_beyond,
    }
}

/// Pairs with their component's number, in order of component, then of (a, b).
fn by_component(pairs: Vec<ScoredPair>, rows_a: usize, rows_b: usize) -> Vec<(u32, ScoredPair)> {
    // Owners beyond 2^32 records together have been refused when their batches were read.
    let first_b = u32::try_from(rows_a).unwrap_or(u32::MAX);
    let nodes = u32::try_from(rows_a + rows_b).unwrap_or(u32::MAX);
    let mut components = Components::new(nodes);
    let inside = |pair: &ScoredPair| pair.b < nodes.saturating_sub(first_b);
    let all_inside = pairs.iter().filter(|pair| inside(pair));
    components.join_all(all_inside.map(|pair| (pair.a, first_b + pair.b)));
    let mut numbered: Vec<(u32, ScoredPair)> = pairs
        .into_iter()
        .filter(inside)
        .map(|pair| (components.root(pair.a), pair))
        .collect();
    numbered.par_sort_by_key(|(component, pair)| (*component, pair.a, pair.b));
    numbered
}

/// The best pairs of one component, and whether they are.
fn solve(pairs: &[ScoredPair], rows_a: usize, rows_b: usize, base: f64) -> (Vec<ScoredPair>, bool) {
    if let [pair] = pairs {
        return (vec![*pair], true);
    }
    let rows = |row: fn(&ScoredPair) -> u32| {
        let mut rows: Vec<u32> = pairs.iter().map(row).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    };
    let (a, b) = (rows(|pair| pair.a), rows(|pair| pair.b));
    if a.len().max(b.len()) > COMPONENT_ROWS_MAX {
        return (one_to_one(pairs, rows_a, rows_b), false);
    }
    // The method gives every row of the matrix a column, so the shorter side makes the rows. Where
    // two records have no pair the weight is 0, and being given such a column means none.
    let across = a.len() <= b.len();
    let (short, long) = if across { (&a, &b) } else { (&b, &a) };
    let mut weights = Matrix::new(short.len(), long.len(), 0_i64);
    let mut of = Matrix::new(short.len(), long.len(), None);
    for pair in pairs {
        let (row, column) = if across {
            (pair.a, pair.b)
        } else {
            (pair.b, pair.a)
        };
        let place = short
            .binary_search(&row)
            .ok()
            .zip(long.binary_search(&column).ok());
        let Some(place) = place else { continue };
        // At least 1 and at most 2^40 each: no sum of 256 overflows.
        let weight = ((pair.score - base) * STEPS).clamp(1.0, STEPS) as i64;
        if let (Some(cell), Some(of)) = (weights.get_mut(place), of.get_mut(place))
            && weight > *cell
        {
            (*cell, *of) = (weight, Some(*pair));
        }
    }
    let (_, columns) = kuhn_munkres(&weights);
    let taken = (0..).zip(columns).filter_map(|place| *of.get(place)?);
    (taken.collect(), true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn pairs(rows: u32, most: usize) -> impl Strategy<Value = Vec<ScoredPair>> {
        let pair =
            (0..rows, 0..rows, 0_u8..8, 0_u32..=20).prop_map(|(a, b, rule, score)| ScoredPair {
                a,
                b,
                link_rule: (rule < 1).then_some(rule),
                score: f64::from(score) / 20.0,
            });
        prop::collection::vec(pair, 0..most)
    }

    fn total(pairs: &[ScoredPair], base: f64) -> f64 {
        let tokens = pairs.iter().filter(|pair| pair.link_rule.is_none());
        tokens.map(|pair| (pair.score - base).max(0.0)).sum()
    }

    /// The largest sum over all assignments, by trying them.
    fn by_trial(pairs: &[ScoredPair], base: f64) -> f64 {
        let Some((pair, rest)) = pairs.split_first() else {
            return 0.0;
        };
        let without = by_trial(rest, base);
        let apart = |p: &&ScoredPair| p.a != pair.a && p.b != pair.b;
        let compatible: Vec<_> = rest.iter().filter(apart).copied().collect();
        without.max((pair.score - base).max(0.0) + by_trial(&compatible, base))
    }

    proptest! {
        #[test]
        fn no_record_twice_and_no_less_than_greedy(pairs in pairs(12, 60), base in 0.0_f64..0.9) {
            let found = optimal(&pairs, (12, 12), base, base);
            let a: BTreeSet<_> = found.pairs.iter().map(|p| p.a).collect();
            let b: BTreeSet<_> = found.pairs.iter().map(|p| p.b).collect();
            prop_assert_eq!((a.len(), b.len()), (found.pairs.len(), found.pairs.len()));
            prop_assert!(found.pairs.iter().all(|p| pairs.contains(p)));
            let greedy = one_to_one(&pairs, 12, 12);
            prop_assert!(total(&found.pairs, base) >= total(&greedy, base) - 1e-9);
            let keyed = |pairs: &[ScoredPair]| -> Vec<ScoredPair> {
                pairs.iter().filter(|p| p.link_rule.is_some()).copied().collect()
            };
            prop_assert_eq!(keyed(&found.pairs), keyed(&greedy));
        }

        #[test]
        fn it_is_the_optimum(pairs in pairs(5, 11), base in 0.0_f64..0.9) {
            let tokens: Vec<_> = pairs.into_iter().filter(|p| p.link_rule.is_none()).collect();
            let found = optimal(&tokens, (5, 5), base, base);
            prop_assert!((total(&found.pairs, base) - by_trial(&tokens, base)).abs() < 1e-9);
        }

        #[test]
        fn the_order_of_the_pairs_does_not_matter(pairs in pairs(12, 60), seed in any::<u64>()) {
            use rand::{SeedableRng, seq::SliceRandom};
            let mut shuffled = pairs.clone();
            shuffled.shuffle(&mut rand_chacha::ChaCha20Rng::seed_from_u64(seed));
            prop_assert_eq!(optimal(&pairs, (12, 12), 0.4, 0.3), optimal(&shuffled, (12, 12), 0.4, 0.3));
        }
    }

    fn pair(a: u32, b: u32, score: f64) -> ScoredPair {
        ScoredPair {
            a,
            b,
            link_rule: None,
            score,
        }
    }

    #[test]
    fn it_gives_up_the_best_pair_for_two_good_ones_but_not_for_two_by_chance() {
        let pairs = [pair(0, 0, 0.9), pair(0, 1, 0.8), pair(1, 0, 0.8)];
        assert_eq!(
            optimal(&pairs, (2, 2), 0.7, 0.5).pairs,
            [pairs[1], pairs[2]]
        );
        assert_eq!(optimal(&pairs, (2, 2), 0.75, 0.75).pairs, [pairs[0]]);
        assert_eq!(one_to_one(&pairs, 2, 2), [pairs[0]]);
    }

    #[test]
    fn below_the_threshold_the_rest_is_greedy() {
        let pairs = [
            pair(0, 0, 0.9),
            pair(0, 1, 0.6),
            pair(1, 0, 0.6),
            pair(1, 1, 0.4),
        ];
        let found = optimal(&pairs, (2, 2), 0.7, 0.3);
        assert_eq!(found.pairs, [pairs[0], pairs[3]]);
    }

    #[test]
    fn a_component_beyond_the_limit_is_greedy_and_counted() {
        let rows = u32::try_from(COMPONENT_ROWS_MAX).unwrap() + 1;
        let mut chain = vec![pair(rows + 5, rows + 5, 0.9)];
        for row in 0..rows {
            chain.extend([pair(row, row, 0.8), pair(row, row + 1, 0.7)]);
        }
        let side = rows as usize + 6;
        let found = optimal(&chain, (side, side), 0.5, 0.5);
        assert_eq!(found.components_beyond, 1);
        assert_eq!(found.pairs, one_to_one(&chain, side, side));
    }

    #[test]
    fn rows_beyond_the_batches_are_ignored() {
        for stray in [pair(99, 0, 1.0), pair(0, 99, 1.0)] {
            assert!(
                optimal(&[stray, pair(1, 1, 0.9)], (3, 3), 0.0, 0.0)
                    .pairs
                    .len()
                    == 1
            );
        }
    }
}
