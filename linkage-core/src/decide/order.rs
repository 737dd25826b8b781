//! The order in which pairs are taken: link keys by precision, then falling agreement, then row.

#![allow(
    clippy::indexing_slicing,
    reason = "every index comes from an enumeration of the slice that it is used on, or is a bucket"
)]

use crate::candidates::ScoredPair;

/// Buckets of pairs without a link key: agreements to 12 bits. As many streams of writes stay in a
/// core's own cache; exact order within a bucket is a sort of those that are still wanted.
const BUCKETS: usize = 1 << 12;

const RULES: usize = 1 << 8;

/// What is taken so far, and what may still be.
pub(super) trait Taking {
    /// Whether a pair of these rows may be taken. Once it may not, it never may.
    fn admits(&self, a: u32, b: u32) -> bool;

    /// Takes a pair that may be.
    fn take(&mut self, pair: &ScoredPair);
}

/// Takes of `pairs` what may be taken, best first: by link-key rule, those without one last; then
/// by falling agreement; then by (a, b). The order of `pairs` itself does not matter, but is best
/// (a, b). At most 2^32 pairs.
///
/// A stable counting sort by rule or quantised agreement, then an exact one within each bucket of
/// what may still be taken. Twelve bytes a pair.
pub(super) fn take_best(pairs: &[ScoredPair], taking: &mut impl Taking) {
    let (order, ends) = by_bucket(pairs);
    let mut wanted: Vec<ScoredPair> = Vec::new();
    let mut start = 0;
    for end in ends {
        wanted.clear();
        let admitted = order[start..end]
            .iter()
            .filter(|[a, b, _]| taking.admits(*a, *b));
        wanted.extend(admitted.map(|[_, _, index]| pairs[*index as usize]));
        let falling = |x: &ScoredPair, y: &ScoredPair| y.score.total_cmp(&x.score);
        if !wanted.is_sorted_by(|x, y| falling(x, y).is_le()) {
            wanted.sort_by(falling);
        }
        for pair in &wanted {
            if taking.admits(pair.a, pair.b) {
                taking.take(pair);
            }
        }
        start = end;
    }
}

/// Rows of a pair and its index. Most pairs are turned down for their rows: with these at hand, the
/// pairs themselves, which lie all over the memory, are read only where one may be taken.
type Placed = [u32; 3];

/// The pairs bucket by bucket, in each by (a, b), and where each bucket ends.
fn by_bucket(pairs: &[ScoredPair]) -> (Vec<Placed>, Vec<usize>) {
    let by_rows = rows_order(pairs);
    let mut ends = vec![0_usize; RULES + BUCKETS + 1];
    for pair in pairs {
        ends[bucket(pair) + 1] += 1;
    }
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    let mut order = vec![[0; 3]; pairs.len()];
    // While it scatters, `ends[b]` walks from the start of bucket b to its end.
    let mut place = |index: u32| {
        let pair = &pairs[index as usize];
        let next = &mut ends[bucket(pair)];
        order[*next] = [pair.a, pair.b, index];
        *next += 1;
    };
    match by_rows {
        Some(by_rows) => by_rows.into_iter().for_each(&mut place),
        None => (0_u32..).zip(pairs).for_each(|(index, _)| place(index)),
    }
    ends.pop();
    (order, ends)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes all.
    impl Taking for Vec<ScoredPair> {
        fn admits(&self, _: u32, _: u32) -> bool {
            true
        }

        fn take(&mut self, pair: &ScoredPair) {
            self.push(*pair);
        }
    }

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
            let mut taken = Vec::new();
            take_best(&pairs, &mut taken);
            let got: Vec<_> = taken.iter().map(key).collect();
            let exact: Vec<_> = exact.iter().map(key).collect();
            prop_assert_eq!(got, exact);
        }
    }
}
