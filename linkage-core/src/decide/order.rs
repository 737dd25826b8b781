//! The order in which pairs are taken: link keys by precision, then falling agreement, then row.

#![allow(
    clippy::indexing_slicing,
    reason = "every index comes from an enumeration of the slice that it is used on, or is a bucket"
)]

use crate::candidates::ScoredPair;

/// Buckets of pairs without a link key: agreements to 16 bits. Exact order within a bucket is a
/// sort of what is left, mostly of equal agreements, which are in order already.
const BUCKETS: usize = 1 << 16;

const RULES: usize = 1 << 8;

/// Indices of `pairs`, best pair first: by link-key rule, those without one last; then by falling
/// agreement; then by (a, b). The order of `pairs` itself does not matter, but is best (a, b).
///
/// A stable counting sort by rule or quantised agreement, then an exact one within each bucket.
/// At most 2^32 pairs.
pub(super) fn precedence(pairs: &[ScoredPair]) -> Vec<u32> {
    let by_rows = rows_order(pairs);
    let mut ends = vec![0_usize; RULES + BUCKETS + 1];
    for pair in pairs {
        ends[bucket(pair) + 1] += 1;
    }
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    let mut order = vec![0_u32; pairs.len()];
    // While it scatters, `ends[b]` walks from the start of bucket b to its end.
    let mut place = |index: u32| {
        let next = &mut ends[bucket(&pairs[index as usize])];
        order[*next] = index;
        *next += 1;
    };
    match by_rows {
        Some(by_rows) => by_rows.into_iter().for_each(&mut place),
        None => (0_u32..).zip(pairs).for_each(|(index, _)| place(index)),
    }
    let mut start = 0;
    let mut exact = Vec::new();
    for end in ends.into_iter().take(RULES + BUCKETS) {
        sort_bucket(pairs, &mut order[start..end], &mut exact);
        start = end;
    }
    order
}

/// Indices in order of (a, b), if the pairs are not so already.
fn rows_order(pairs: &[ScoredPair]) -> Option<Vec<u32>> {
    if pairs.is_sorted_by_key(|pair| (pair.a, pair.b)) {
        return None;
    }
    let mut order: Vec<u32> = (0_u32..).zip(pairs).map(|(index, _)| index).collect();
    order.sort_by_key(|index| {
        let pair = &pairs[*index as usize];
        (pair.a, pair.b)
    });
    Some(order)
}

fn bucket(pair: &ScoredPair) -> usize {
    match pair.link_rule {
        Some(rule) => usize::from(rule),
        None => {
            let top = BUCKETS - 1;
            RULES + top - ((pair.score * top as f64) as usize).min(top)
        }
    }
}

/// Sorts what one bucket holds by falling agreement, stably.
fn sort_bucket(pairs: &[ScoredPair], order: &mut [u32], exact: &mut Vec<(f64, u32)>) {
    if order.len() < 2 {
        return;
    }
    exact.clear();
    let entry = |index: &u32| (pairs[*index as usize].score, *index);
    exact.extend(order.iter().map(entry));
    if exact.is_sorted_by(|x, y| x.0.total_cmp(&y.0).is_ge()) {
        return;
    }
    exact.sort_by(|x, y| y.0.total_cmp(&x.0));
    for (slot, (_, index)) in order.iter_mut().zip(exact) {
        *slot = *index;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_exact_order(
            pairs in prop::collection::vec(
                (0_u32..30, 0_u32..30, prop::option::of(0_u8..3), 0_u32..200_000),
                0..200,
            )
        ) {
            let pairs: Vec<ScoredPair> = pairs
                .into_iter()
                .map(|(a, b, link_rule, score)| ScoredPair {
                    a,
                    b,
                    link_rule,
                    // Finer than a bucket, so that buckets hold different agreements.
                    score: f64::from(score) / 199_999.0,
                })
                .collect();
            let key = |pair: &ScoredPair| {
                let rule = pair.link_rule.map_or(u16::MAX, u16::from);
                (rule, (-pair.score).to_bits() ^ u64::MAX, pair.a, pair.b)
            };
            let mut exact = pairs.clone();
            exact.sort_by_key(key);
            let got: Vec<_> = precedence(&pairs).iter().map(|at| key(&pairs[*at as usize])).collect();
            let exact: Vec<_> = exact.iter().map(key).collect();
            prop_assert_eq!(got, exact);
        }
    }
}
