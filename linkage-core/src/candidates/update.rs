//! Candidate pairs after records have changed, from those before: only pairs with a new record are
//! searched and compared.
//!
//! **What is promised.** [`updated`] gives what a full search of the new records gives, to the last
//! bit: pairs, agreements, conflicts and counts. Where it cannot, it says so by [`FullSearch`] and
//! gives nothing. It can where pairs were and would be found by keys, with the same floor; no key
//! of a record that is new or gone has a block too large to be compared whole, before or after; and
//! other such blocks, if there are any, would be cut at the same token bits. Whether two records
//! are brought together is then a matter of these two and of no third.

use std::collections::HashSet;

use super::change::Change;
use super::hits::{Hit, Hits};
use super::join::{Deal, Join, Key};
use super::keyed::{Sides, join, larger};
use super::linked::{Linked, LinkedPair, contradicting};
use super::lsh::Draws;
use super::order::pack;
use super::plan::Choice;
use super::score::{Gather, Scorer};
use super::survey::Survey;
use super::{Candidates, LINK_PAIRS_MAX, Method, Prefilter, RuleCount, ScoredPair, Side};
use crate::encode::Columns;
use crate::schema::{CandidateSettings, LinkRole};

/// Why the pairs cannot be brought up to date and have to be searched anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FullSearch {
    /// Pairs were, or would now be, found by something else than keys.
    #[error("pairs are not found by keys alone")]
    Method,
    /// Another floor suits the new number of pairs.
    #[error("another lowest agreement suits the new number of pairs")]
    Floor,
    /// A key of a changed record brings more pairs together than are compared.
    #[error("a changed record shares a key with too many others")]
    LargeBlock,
    /// Blocks that were cut would now be cut at other token bits: those that are most balanced
    /// among all records.
    #[error("large blocks would now be cut at other token bits")]
    Cut,
}

/// One search for candidates: two sides' records (the same twice, within one owner), and what was
/// or is to be found.
#[derive(Clone, Copy)]
pub(super) struct Before<'s, 'a> {
    pub sides: Sides<'s, 'a>,
    pub found: &'s Candidates,
}

/// The candidates of `sides` from those `before`, with the change of either side's records.
///
/// # Errors
/// [`FullSearch`] where only a full search is sure to find the same.
pub(super) fn updated(
    before: Before<'_, '_>,
    sides: Sides<'_, '_>,
    (change_a, change_b): (&Change, &Change),
    settings: &CandidateSettings,
) -> Result<Candidates, FullSearch> {
    let choice = Choice::new(sides, settings);
    if before.found.method != Method::Keys || choice.method != Method::Keys {
        return Err(FullSearch::Method);
    }
    let floor = Survey::new(sides, settings, None).floor(settings.agreement_min());
    if floor.to_bits() != before.found.floor.to_bits() {
        return Err(FullSearch::Floor);
    }
    let lost = touching(
        before.sides,
        [change_a.gone(), change_b.gone()],
        settings,
        floor,
    )?;
    let gained = touching(sides, [change_a.fresh(), change_b.fresh()], settings, floor)?;
    let draws = |(a, b, _): Sides<'_, '_>| Draws::new(a, b);
    let cut = before
        .found
        .block_rules
        .iter()
        .any(|count| count.blocks_split > 0);
    if cut && draws(before.sides) != draws(sides) {
        return Err(FullSearch::Cut);
    }

    let moved = |a: u32, b: u32| {
        let (a, b) = (change_a.now(a)?, change_b.now(b)?);
        // Within one owner, the first of a pair is the one in the lower row.
        Some(match sides.2 {
            Side::Across => (a, b),
            Side::Within => (a.min(b), a.max(b)),
        })
    };
    let kept = before.found.pairs.iter().filter_map(|pair| {
        let (a, b) = moved(pair.a, pair.b)?;
        Some(ScoredPair { a, b, ..*pair })
    });
    let mut pairs: Vec<ScoredPair> = kept.chain(gained.pairs).collect();
    pairs.sort_unstable_by_key(|pair| pack(pair.a, pair.b));
    let kept = before.found.identity_conflicts.iter();
    let kept = kept.filter_map(|(a, b)| moved(*a, *b));
    let mut identity_conflicts: Vec<(u32, u32)> = kept.chain(gained.identity_conflicts).collect();
    identity_conflicts.sort_unstable();
    let counts = before.found.block_rules.iter();
    let block_rules = counts
        .zip(lost.block_rules.iter().zip(&gained.block_rules))
        .map(|(count, (lost, gained))| RuleCount {
            pairs: count.pairs - lost.pairs + gained.pairs,
            ..count.clone()
        });
    Ok(Candidates {
        pairs,
        method: Method::Keys,
        floor,
        compared: before.found.compared - lost.compared + gained.compared,
        block_rules: block_rules.collect(),
        token_bits: None,
        identity_conflicts,
    })
}

/// By side and row, whether the record is new, or gone.
type Marks<'m> = [&'m [bool]; 2];

/// Of the candidates of two sides those with a marked record.
fn touching(
    (a, b, side): Sides<'_, '_>,
    marks: Marks<'_>,
    settings: &CandidateSettings,
    floor: f64,
) -> Result<Candidates, FullSearch> {
    let linked = links((a, b, side), marks)?;
    let scorer = Scorer::new(a, b, side, floor);
    let mut hits = Hits::new(a.len());
    let mut block_rules = Vec::with_capacity(usize::from(a.header.block_keys));
    for rule in 0..usize::from(a.header.block_keys) {
        let key = |columns: &Columns<'_>, row: usize| columns.block_key(row, rule);
        let join = affected((a, b, side), marks, key);
        let found = join.runs(Found::default, |found, rows_a, rows_b| {
            found.add(&scorer, marks, rows_a, rows_b, settings.block_pairs_max);
        });
        let mut sum = RuleCount::default();
        for mut found in found {
            if found.over {
                return Err(FullSearch::LargeBlock);
            }
            sum.pairs += found.pairs;
            hits.extend([found.finish(&scorer)]);
        }
        block_rules.push(sum);
    }
    let proposed = block_rules.iter().map(|count| count.pairs).sum();
    let (pairs, distinct) = hits.finish(&linked, &scorer);
    Ok(Candidates {
        pairs,
        method: Method::Keys,
        floor,
        compared: if floor > 0.0 { proposed } else { distinct },
        block_rules,
        token_bits: None,
        identity_conflicts: linked.conflicts,
    })
}

/// A join of the keys that marked records have, whoever else has them.
fn affected<K: Key>(
    (a, b, side): Sides<'_, '_>,
    [marks_a, marks_b]: Marks<'_>,
    key: impl Fn(&Columns<'_>, usize) -> Option<K> + Sync,
) -> Join<K> {
    let of = |columns: &Columns<'_>, marks: &[bool]| -> Vec<K> {
        let rows = (0..columns.len()).zip(marks).filter(|(_, mark)| **mark);
        rows.filter_map(|(row, _)| key(columns, row)).collect()
    };
    let mut keys: HashSet<K> = of(a, marks_a).into_iter().collect();
    if side == Side::Across {
        keys.extend(of(b, marks_b));
    }
    let sieve = Sieve::new(&keys);
    let key = |columns: &Columns<'_>, row: usize| {
        key(columns, row).filter(|key| sieve.may_have(*key) && keys.contains(key))
    };
    join((a, b, side), Deal::whole(larger(a, b)), Prefilter::Off, key)
}

/// Lets nearly all keys that are not in a set pass by with one look at a few bits: a set is slow to
/// ask, and most keys of most records are not in it.
struct Sieve {
    bits: Vec<u64>,
    shift: u32,
}

impl Sieve {
    fn new<K: Key>(keys: &HashSet<K>) -> Self {
        // Sixteen bits a key.
        let log2 = (keys.len().max(4) * 16).next_power_of_two().ilog2();
        let mut sieve = Self {
            bits: vec![0; 1 << (log2 - 6)],
            shift: 64 - log2,
        };
        for key in keys {
            let at = sieve.place(*key);
            if let Some(word) = sieve.bits.get_mut((at / 64) as usize) {
                *word |= 1 << (at % 64);
            }
        }
        sieve
    }

    fn place<K: Key>(&self, key: K) -> u64 {
        key.mixed() >> self.shift
    }

    fn may_have<K: Key>(&self, key: K) -> bool {
        let at = self.place(key);
        let word = self.bits.get((at / 64) as usize);
        word.is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}

/// What one bundle of partitions finds.
#[derive(Default)]
struct Found {
    gather: Gather,
    hits: Vec<Hit>,
    pairs: u64,
    over: bool,
}

impl Found {
    /// Compares the pairs of a block that have a marked record.
    fn add(
        &mut self,
        scorer: &Scorer<'_>,
        [marks_a, marks_b]: Marks<'_>,
        rows_a: &[u32],
        rows_b: &[u32],
        pairs_max: u64,
    ) {
        self.over |= rows_a.len() as u64 * rows_b.len() as u64 > pairs_max;
        if self.over {
            return;
        }
        let (marked_a, other_a) = parted(rows_a, marks_a);
        let (marked_b, other_b) = parted(rows_b, marks_b);
        let Self { gather, hits, .. } = self;
        let mut list = |a, b, score| hits.push(Hit::new(a, b, score));
        gather.push(scorer, &marked_a, rows_b, &mut list);
        gather.push(scorer, &other_a, &marked_b, &mut list);
        let [marked_a, other_a, marked_b, other_b] =
            [marked_a, other_a, marked_b, other_b].map(|rows| rows.len() as u64);
        self.pairs += match scorer.side() {
            Side::Across => marked_a * (marked_b + other_b) + other_a * marked_b,
            Side::Within => marked_a * other_a + marked_a * marked_a.saturating_sub(1) / 2,
        };
    }

    fn finish(&mut self, scorer: &Scorer<'_>) -> Vec<Hit> {
        let Self { gather, hits, .. } = self;
        gather.finish(scorer, &mut |a, b, score| hits.push(Hit::new(a, b, score)));
        std::mem::take(hits)
    }
}

/// The rows that are marked, and the others.
fn parted(rows: &[u32], marks: &[bool]) -> (Vec<u32>, Vec<u32>) {
    let marked = |row: &u32| marks.get(*row as usize).copied().unwrap_or(false);
    rows.iter().partition(|row| marked(row))
}

/// What the link keys say about pairs with a marked record.
fn links((a, b, side): Sides<'_, '_>, marks: Marks<'_>) -> Result<Linked, FullSearch> {
    let [marks_a, marks_b] = marks;
    let marked = |marks: &[bool], row: u32| marks.get(row as usize).copied().unwrap_or(false);
    let (mut links, mut identities) = (Vec::new(), Vec::new());
    for (at, column) in a.header.link_columns.iter().enumerate() {
        let key = |columns: &Columns<'_>, row: usize| columns.link_key(row, at);
        let join = affected((a, b, side), marks, key);
        let start = || (Vec::new(), false);
        let found = join.runs(start, |(pairs, over), rows_a, rows_b| {
            *over |= rows_a.len() as u64 * rows_b.len() as u64 > LINK_PAIRS_MAX;
            if *over {
                return;
            }
            for row_a in rows_a {
                let partners = rows_b.iter().filter(|row_b| {
                    (side == Side::Across || row_a < *row_b)
                        && (marked(marks_a, *row_a) || marked(marks_b, **row_b))
                });
                pairs.extend(partners.map(|row_b| LinkedPair {
                    pair: pack(*row_a, *row_b),
                    rule: column.rule,
                }));
            }
        });
        for (pairs, over) in found {
            if over {
                return Err(FullSearch::LargeBlock);
            }
            match column.role {
                LinkRole::Link => links.push(pairs),
                LinkRole::Identity => identities.push(pairs),
            }
        }
    }
    Ok(contradicting((a, b), links, identities))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::seq::SliceRandom as _;
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::candidates::tests::{Rows, batch, rows, settings};
    use crate::candidates::{across, across_updated, within, within_updated};

    /// The rows with some taken away, some changed, some added, in another order.
    fn changed(rows: &Rows, rng: &mut ChaCha20Rng) -> Rows {
        let mut rows = rows.clone();
        rows.retain(|_| rng.random_ratio(9, 10));
        for row in &mut rows {
            if rng.random_ratio(1, 8) {
                row.1 = rng.random_range(0..5);
            }
            if rng.random_ratio(1, 8) {
                row.2 = rng.random_range(0..12);
            }
        }
        for _ in 0..rng.random_range(0..4) {
            rows.push((
                rng.random_range(1..6),
                rng.random_range(0..5),
                rng.random_range(0..12),
            ));
        }
        // Nothing with nothing is compared without keys.
        rows.extend([(1, 1, 1), (2, 2, 2)]);
        rows.shuffle(rng);
        rows
    }

    fn same(updated: &Candidates, full: &Candidates) -> Result<(), TestCaseError> {
        prop_assert_eq!(&updated.pairs, &full.pairs);
        prop_assert_eq!(&updated.identity_conflicts, &full.identity_conflicts);
        prop_assert_eq!(&updated.block_rules, &full.block_rules);
        prop_assert_eq!(updated.compared, full.compared);
        prop_assert_eq!(
            (updated.method, updated.floor.to_bits()),
            (full.method, full.floor.to_bits())
        );
        Ok(())
    }

    fn searched_anew(why: FullSearch) -> bool {
        matches!(why, FullSearch::LargeBlock | FullSearch::Cut)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn an_update_gives_what_a_full_search_does(
            a in rows(), b in rows(), seed in any::<u64>(), block_pairs_max in prop_oneof![Just(u64::MAX), 1_u64..400],
        ) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let settings = settings(0, block_pairs_max);
            let (new_a, new_b) = (changed(&a, &mut rng), changed(&b, &mut rng));
            let [a, b] = [a, b].map(|rows| [rows, vec![(1, 1, 1), (2, 2, 2)]].concat());
            let [a, b, new_a, new_b] = [&a, &b, &new_a, &new_b].map(|rows| batch(rows));
            let (old, new) = ((a.columns(), b.columns()), (new_a.columns(), new_b.columns()));
            let changes = (Change::between(&old.0, &new.0), Change::between(&old.1, &new.1));

            let found = across(&old.0, &old.1, &settings);
            let updated = across_updated((&old.0, &old.1, &found), (&new.0, &new.1), (&changes.0, &changes.1), &settings);
            match updated {
                Ok(updated) => same(&updated, &across(&new.0, &new.1, &settings))?,
                Err(refused) => prop_assert!(searched_anew(refused)),
            }

            let found = within(&old.0, &settings);
            match within_updated((&old.0, &found), &new.0, &changes.0, &settings) {
                Ok(updated) => same(&updated, &within(&new.0, &settings))?,
                Err(refused) => prop_assert!(searched_anew(refused)),
            }
        }

        #[test]
        fn without_large_blocks_nothing_is_searched_anew(a in rows(), seed in any::<u64>()) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            // At most eight records may share a link key.
            let spread = |rows: &Rows| -> Rows {
                rows.iter().zip(0..).map(|(row, at)| (row.0, row.1, if row.2 == 0 { 0 } else { at })).collect()
            };
            let new = spread(&changed(&a, &mut rng));
            let a = spread(&[a, vec![(1, 1, 1), (2, 2, 2)]].concat());
            let (a, new) = (batch(&a), batch(&new));
            let (a, new) = (a.columns(), new.columns());
            let change = Change::between(&a, &new);
            let settings = settings(0, u64::MAX);
            let updated = within_updated((&a, &within(&a, &settings)), &new, &change, &settings);
            same(&updated.unwrap(), &within(&new, &settings))?;
        }
    }

    #[test]
    fn records_are_known_by_their_content_wherever_they_lie() {
        let old = batch(&[(1, 1, 1), (2, 2, 2), (1, 1, 1), (3, 3, 3)]);
        let new = batch(&[(3, 3, 3), (1, 1, 1), (2, 2, 4)]);
        let change = Change::between(&old.columns(), &new.columns());
        let now: Vec<_> = (0..4).map(|row| change.now(row)).collect();
        assert_eq!(now, [Some(1), None, None, Some(0)]);
        assert_eq!(change.fresh(), [false, false, true]);
        assert_eq!(change.counts(), (2, 1));
        assert_eq!(change.now(99), None);
    }

    /// None of the records in the block changes, but those elsewhere decide where it is cut.
    #[test]
    fn a_block_that_would_be_cut_elsewhere_is_searched_anew() {
        let mut rows: Rows = (0..24).map(|at| (at % 4 + 1, 1, 0)).collect();
        let old = batch(&rows);
        rows.extend([(5, 0, 0); 12]);
        let new = batch(&rows);
        let (old, new) = (old.columns(), new.columns());
        let settings = settings(0, 100);
        let found = within(&old, &settings);
        assert!(found.block_rules.iter().any(|count| count.blocks_split > 0));
        let updated = |new: &Columns<'_>| {
            within_updated((&old, &found), new, &Change::between(&old, new), &settings)
        };
        assert_eq!(updated(&new).unwrap_err(), FullSearch::Cut);
        assert!(updated(&old).is_ok());
    }

    #[test]
    fn what_is_not_found_by_keys_is_searched_anew() {
        let old = batch(&[(1, 1, 1), (2, 2, 2)]);
        let all = settings(u64::MAX, u64::MAX);
        let (columns, found) = (old.columns(), across(&old.columns(), &old.columns(), &all));
        let change = Change::between(&columns, &columns);
        let updated = across_updated(
            (&columns, &columns, &found),
            (&columns, &columns),
            (&change, &change),
            &all,
        );
        assert_eq!(updated.unwrap_err(), FullSearch::Method);
    }
}
