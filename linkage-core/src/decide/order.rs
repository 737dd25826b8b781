//! The order in which pairs are taken: link keys by precision, then falling agreement, then row.

#![allow(
    clippy::indexing_slicing,
    reason = "every index comes from an enumeration of the slice that it is used on, or is a bucket"
)]

use std::ops::Range;

use crate::candidates::ScoredPair;

/// Agreements of pairs without a link key, to 12 bits. As many streams of writes stay in a core's
/// own cache; exact order within a bucket is a sort of those that are still wanted.
const AGREEMENTS: usize = 1 << 12;

const RULES: usize = 1 << 8;

/// Rules, best first, then agreements, best first.
const BUCKETS: usize = RULES + AGREEMENTS;

/// Pairs that a round has room for at least: 3 MiB of them.
const LEAST_ROOM: usize = 1 << 18;

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
/// In rounds, the best buckets first: a stable counting sort, by rule or quantised agreement, of
/// about a quarter of the pairs, then an exact one within each bucket. What one round takes rules
/// out most pairs of the next, which are read over but neither kept nor sorted. Three bytes a pair.
pub(super) fn take_best(pairs: &[ScoredPair], taking: &mut impl Taking) {
    take_in_rounds(pairs, taking, (pairs.len() / 4).max(LEAST_ROOM));
}

/// A round takes no more pairs than there is `room` for, but a whole bucket at least.
fn take_in_rounds(pairs: &[ScoredPair], taking: &mut impl Taking, room: usize) {
    let by_rows = rows_order(pairs);
    let (mut placed, mut wanted) = (Vec::new(), Vec::new());
    let mut round = 0..0;
    while round.end < BUCKETS {
        let mut ends = counts(pairs, taking, round.end);
        round = fitting(&ends, round.end, room);
        place(
            pairs,
            by_rows.as_deref(),
            taking,
            &round,
            &mut ends,
            &mut placed,
        );
        let mut start = 0;
        for end in &ends[round.clone()] {
            take_bucket(pairs, &placed[start..*end], taking, &mut wanted);
            start = *end;
        }
    }
}

/// How many pairs of each bucket from `first` on may still be taken.
fn counts(pairs: &[ScoredPair], taking: &impl Taking, first: usize) -> Vec<usize> {
    let mut counts = vec![0; BUCKETS];
    for pair in pairs {
        let bucket = bucket(pair);
        if bucket >= first && taking.admits(pair.a, pair.b) {
            counts[bucket] += 1;
        }
    }
    counts
}

/// The buckets from `first` on that there is room for together, one at least.
fn fitting(counts: &[usize], first: usize, room: usize) -> Range<usize> {
    let mut held = 0;
    let more = counts[first..].iter().skip(1).take_while(|next| {
        held += **next;
        held + counts[first] <= room
    });
    first..first + 1 + more.count()
}

/// Rows of a pair and its index. Most pairs are turned down for their rows: with these at hand, the
/// pairs themselves, which lie all over the memory, are read only where one may be taken.
type Placed = [u32; 3];

/// Puts the pairs of a round that may be taken into `placed`, bucket by bucket, in each by (a, b).
/// `ends` comes with the number of such pairs and goes with the place where each bucket ends.
fn place(
    pairs: &[ScoredPair],
    by_rows: Option<&[u32]>,
    taking: &impl Taking,
    round: &Range<usize>,
    ends: &mut [usize],
    placed: &mut Vec<Placed>,
) {
    let mut held = 0;
    for end in &mut ends[round.clone()] {
        held += std::mem::replace(end, held);
    }
    placed.clear();
    placed.resize(held, [0; 3]);
    // `ends[b]` walks from the start of bucket b to its end.
    let mut place = |index: u32, pair: &ScoredPair| {
        let bucket = bucket(pair);
        if round.contains(&bucket) && taking.admits(pair.a, pair.b) {
            placed[ends[bucket]] = [pair.a, pair.b, index];
            ends[bucket] += 1;
        }
    };
    match by_rows {
        Some(by_rows) => (by_rows.iter()).for_each(|index| place(*index, &pairs[*index as usize])),
        None => (0_u32..)
            .zip(pairs)
            .for_each(|(index, pair)| place(index, pair)),
    }
}

/// Takes of a bucket's pairs, which are by (a, b), what may be taken. `wanted` is room to work in.
fn take_bucket(
    pairs: &[ScoredPair],
    placed: &[Placed],
    taking: &mut impl Taking,
    wanted: &mut Vec<ScoredPair>,
) {
    wanted.clear();
    let admitted = placed.iter().filter(|[a, b, _]| taking.admits(*a, *b));
    wanted.extend(admitted.map(|[_, _, index]| pairs[*index as usize]));
    let falling = |x: &ScoredPair, y: &ScoredPair| y.score.total_cmp(&x.score);
    if !wanted.is_sorted_by(|x, y| falling(x, y).is_le()) {
        wanted.sort_by(falling);
    }
    for pair in wanted {
        if taking.admits(pair.a, pair.b) {
            taking.take(pair);
        }
    }
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
            let top = AGREEMENTS - 1;
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
            ),
            room in 1_usize..100,
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
            take_in_rounds(&pairs, &mut taken, room);
            let got: Vec<_> = taken.iter().map(key).collect();
            let exact: Vec<_> = exact.iter().map(key).collect();
            prop_assert_eq!(got, exact);
        }
    }
}
