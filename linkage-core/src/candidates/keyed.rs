//! Pairs that share a link key, a block key or drawn bits of their tokens: one join after the
//! other, each comparing its pairs as they come.
//!
//! Several joins may propose one pair. Pairs of small blocks are put by, brought in order, and each
//! compared once. A pair of larger blocks is compared again, which costs less than finding out, and
//! listed once: what agrees enough is brought in order at the end, and doubles show.

use bloomfilter::Bloom;
use rayon::prelude::*;

use super::hits::{Hit, Hits};
use super::join::{Deal, Dealt, Join, Key};
use super::linked::Linked;
use super::lsh::{Draws, Tables};
use super::order::pack;
use super::score::{Gather, Scorer};
use super::split::Splitter;
use super::survey::Survey;
use super::{Candidates, Method, Prefilter, RuleCount, Side, TokenBits};
use crate::encode::Columns;
use crate::schema::CandidateSettings;

/// Rate at which the filter lets an absent key pass. At 1 % it takes 1.2 bytes a key; a lower rate
/// saves little, since what passes wrongly is only sorted in vain.
const FALSE_POSITIVE_RATE: f64 = 0.01;

const FILTER_SEED: [u8; 32] = [0x4c; 32];

/// Most pairs of a run of equal token bits that is compared whole: 2000 x 2000 records.
pub(super) const RUN_PAIRS_MAX: u64 = 4_000_000;

/// Two sides and what is compared with what.
pub(super) type Sides<'s, 'a> = (&'s Columns<'a>, &'s Columns<'a>, Side);

pub(super) fn find(
    (a, b, side): Sides<'_, '_>,
    settings: &CandidateSettings,
    prefilter: Prefilter,
    tables: Option<&Tables>,
) -> Candidates {
    let linked = Linked::find((a, b, side), prefilter);
    let draws = Draws::new(a, b);
    let survey = Survey::new((a, b, side), settings, tables);
    let floor = survey.floor(settings.agreement_min());
    let scorer = Scorer::new(a, b, side, floor);
    let mut hits = Hits::new(a.len());
    let deal = Deal::whole(larger(a, b));
    let block_rules: Vec<RuleCount> = (0..usize::from(a.header.block_keys))
        .map(|rule| {
            let key = |columns: &Columns<'_>, row: usize| columns.block_key(row, rule);
            let join = join((a, b, side), deal, prefilter, key);
            let positions = draws.as_ref().map_or(&[][..], Draws::orders);
            let splitter =
                Splitter::by_keys((a, b, side), settings.block_pairs_max, rule, positions);
            compare(&join, &splitter, &scorer, &mut hits)
        })
        .collect();
    let token_bits = tables.zip(draws.as_ref()).map(|(tables, draws)| {
        let mut sum = RuleCount::default();
        for table in 0..tables.count {
            let mask = draws.mask(table, tables.bits);
            let key = |columns: &Columns<'_>, row: usize| mask.key(columns, row);
            let join = join((a, b, side), deal, Prefilter::Off, key);
            let further = draws.further(table, tables.bits);
            let splitter = Splitter::by_bits((a, b, side), RUN_PAIRS_MAX, &further);
            sum.add(&compare(&join, &splitter, &scorer, &mut hits));
        }
        TokenBits {
            bits: tables.bits,
            tables: tables.count,
            recall: tables.recall,
            count: sum,
        }
    });
    let counts = block_rules
        .iter()
        .chain(token_bits.as_ref().map(|bits| &bits.count));
    let proposed: u64 = counts.map(|count| count.pairs).sum();
    let (pairs, distinct) = hits.finish(&linked, &scorer);
    Candidates {
        pairs,
        method: match (tables.is_some(), block_rules.is_empty()) {
            (false, _) => Method::Keys,
            (true, true) => Method::TokenBits,
            (true, false) => Method::KeysAndTokenBits,
        },
        floor,
        compared: if floor > 0.0 { proposed } else { distinct },
        block_rules,
        token_bits,
        identity_conflicts: linked.conflicts,
    }
}

pub(super) fn larger(a: &Columns<'_>, b: &Columns<'_>) -> usize {
    a.len().max(b.len())
}

/// A join of the two sides' keys; with the pre-filter, of the larger side only those that the
/// smaller side may have too.
pub(super) fn join<K: Key>(
    (a, b, side): Sides<'_, '_>,
    deal: Deal,
    prefilter: Prefilter,
    key: impl Fn(&Columns<'_>, usize) -> Option<K> + Sync,
) -> Join<K> {
    let all = |columns: &Columns<'_>| Dealt::new(columns.len(), deal, |row| key(columns, row));
    if side == Side::Within {
        return Join { a: all(a), b: None };
    }
    let (smaller, larger) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let filter = match prefilter {
        Prefilter::Off => None,
        Prefilter::Bloom => filter(smaller, &key),
    };
    let small = all(smaller);
    let large = match filter {
        Some(filter) => Dealt::new(larger.len(), deal, |row| {
            key(larger, row).filter(|key| filter.check(key))
        }),
        None => all(larger),
    };
    let (a, b) = if a.len() <= b.len() {
        (small, large)
    } else {
        (large, small)
    };
    Join { a, b: Some(b) }
}

/// A filter over the keys of `columns`; none for sizes that the filter cannot have.
fn filter<K: Key>(
    columns: &Columns<'_>,
    key: &impl Fn(&Columns<'_>, usize) -> Option<K>,
) -> Option<Bloom<K>> {
    let count = columns.len().max(1);
    let made = Bloom::new_for_fp_rate_with_seed(count, FALSE_POSITIVE_RATE, &FILTER_SEED);
    let mut filter = made.ok()?;
    let keys = (0..columns.len()).filter_map(|row| key(columns, row));
    keys.for_each(|key| filter.set(&key));
    Some(filter)
}

/// What one bundle of partitions finds.
#[derive(Default)]
struct Found {
    gather: Gather,
    hits: Vec<Hit>,
    /// Pairs of blocks too small to be worth gathering.
    put_by: Vec<u64>,
    count: RuleCount,
}

impl Found {
    /// Takes a block that is not to be split.
    fn block(&mut self, scorer: &Scorer<'_>, rows_a: &[u32], rows_b: &[u32]) {
        // A block with fewer pairs than rows costs more to gather than to take pair by pair; and
        // most such pairs are proposed by several rules, but compared once.
        if rows_a.len() * rows_b.len() <= rows_a.len() + rows_b.len() {
            for row_a in rows_a {
                let partners = rows_b
                    .iter()
                    .filter(|row_b| scorer.distinct(*row_a, **row_b));
                self.put_by
                    .extend(partners.map(|row_b| pack(*row_a, *row_b)));
            }
        } else {
            let hits = &mut self.hits;
            self.gather
                .push(scorer, rows_a, rows_b, &mut |a, b, score| {
                    hits.push(Hit::new(a, b, score))
                });
        }
    }
}

/// Compares what a join proposes.
fn compare<K: Key>(
    join: &Join<K>,
    splitter: &Splitter<'_>,
    scorer: &Scorer<'_>,
    hits: &mut Hits,
) -> RuleCount {
    let found = join.runs(Found::default, |found: &mut Found, rows_a, rows_b| {
        if splitter.is_over(rows_a, rows_b) {
            let cut = splitter.split(rows_a, rows_b, &mut |rows_a, rows_b| {
                found.block(scorer, rows_a, rows_b);
            });
            found.count.cut(cut);
        } else {
            found.count.pairs += splitter.pairs(rows_a, rows_b);
            found.block(scorer, rows_a, rows_b);
        }
    });
    let finished: Vec<Found> = found
        .into_par_iter()
        .map(|mut found| {
            let Found { gather, hits, .. } = &mut found;
            gather.finish(scorer, &mut |a, b, score| hits.push(Hit::new(a, b, score)));
            found
        })
        .collect();
    let mut sum = RuleCount::default();
    let (mut lists, mut put_by) = (Vec::new(), Vec::new());
    for found in finished {
        sum.add(&found.count);
        lists.push(found.hits);
        put_by.push(found.put_by);
    }
    hits.extend(lists);
    hits.put_by(put_by, scorer);
    sum
}
