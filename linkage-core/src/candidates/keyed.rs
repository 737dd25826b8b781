//! Pairs that share a link key or a block key, by a sort-merge join per rule.
//!
//! A join holds the keys of both sides in memory, and all rules run at once. Most keys of one owner
//! occur at no other owner, so on large inputs a Bloom filter over the smaller side's keys (1.2
//! bytes each) keeps those of the larger side (16 to 32 bytes each) from being collected at all. It
//! costs time: see the bench `candidates`. The filter never leaves the process and its seed is
//! fixed: the keys are keyed tags already.

use std::hash::Hash;

use bloomfilter::Bloom;
use rayon::prelude::*;

use super::linked::Linked;
use super::{Candidates, Method, Prefilter, RuleCount, ScoredPair, Side};
use crate::encode::Columns;
use crate::schema::CandidateSettings;
use crate::similarity::Comparison;

/// Rate at which the filter lets an absent key pass. At 1 % it takes 1.2 bytes a key; a lower rate
/// saves little, since what passes wrongly is only sorted in vain.
const FALSE_POSITIVE_RATE: f64 = 0.01;

const FILTER_SEED: [u8; 32] = [0x4c; 32];

pub(super) type Entry<K> = (K, u32);

pub(super) fn find(
    a: &Columns<'_>,
    b: &Columns<'_>,
    settings: &CandidateSettings,
    side: Side,
    prefilter: Prefilter,
) -> Candidates {
    let keyed = Linked::find(a, b, side, prefilter);
    let rules = usize::from(a.header.block_keys);
    let joined: Vec<(Vec<u64>, RuleCount)> = (0..rules)
        .into_par_iter()
        .map(|rule| {
            let key = |batch: &Columns<'_>, row: usize| batch.block_key(row, rule);
            join(
                collect(a, b, key, side, prefilter),
                side,
                settings.block_pairs_max,
            )
        })
        .collect();
    let (mut pairs, mut block_rules) = (Vec::new(), Vec::with_capacity(rules));
    pairs.extend(keyed.links.iter().map(|(a, b, _)| pack(*a, *b)));
    for (found, count) in joined {
        pairs.extend(found);
        block_rules.push(count);
    }
    pairs.par_sort_unstable();
    pairs.dedup();
    pairs.retain(|pair| !keyed.in_conflict(unpack(*pair)));

    let comparison = Comparison::new(a, b);
    let mut pairs: Vec<ScoredPair> = pairs
        .into_par_iter()
        .map(|pair| {
            let (a, b) = unpack(pair);
            ScoredPair {
                a,
                b,
                link_rule: None,
                score: comparison.score(a, b),
            }
        })
        .collect();
    keyed.mark(&mut pairs);
    let compared = pairs.len() as u64;
    pairs.retain(|pair| pair.score > 0.0 || pair.link_rule.is_some());
    Candidates {
        pairs,
        method: Method::Keys,
        floor: 0.0,
        compared,
        block_rules,
        identity_conflicts: keyed.conflicts,
    }
}

/// Both sides' keys and rows; with the pre-filter, of the larger side only those that the smaller
/// side may have too.
pub(super) fn collect<K: Hash>(
    a: &Columns<'_>,
    b: &Columns<'_>,
    key: impl Fn(&Columns<'_>, usize) -> Option<K>,
    side: Side,
    prefilter: Prefilter,
) -> (Vec<Entry<K>>, Vec<Entry<K>>) {
    let entries = |batch: &Columns<'_>, shared: Option<&Bloom<K>>| -> Vec<Entry<K>> {
        let keyed =
            (0..batch.len()).filter_map(|row| Some((key(batch, row)?, u32::try_from(row).ok()?)));
        match shared {
            Some(filter) => keyed.filter(|(key, _)| filter.check(key)).collect(),
            None => keyed.collect(),
        }
    };
    let filtered = side == Side::Across && prefilter == Prefilter::Bloom;
    let (smaller, larger) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let small = entries(smaller, None);
    let filter = filtered.then(|| filter(&small)).flatten();
    let large = entries(larger, filter.as_ref());
    if a.len() <= b.len() {
        (small, large)
    } else {
        (large, small)
    }
}

/// A filter over the keys of `entries`; none for sizes that the filter cannot have.
fn filter<K: Hash>(entries: &[Entry<K>]) -> Option<Bloom<K>> {
    let count = entries.len().max(1);
    let made = Bloom::new_for_fp_rate_with_seed(count, FALSE_POSITIVE_RATE, &FILTER_SEED);
    let mut filter = made.ok()?;
    entries.iter().for_each(|(key, _)| filter.set(key));
    Some(filter)
}

/// Joins two columns of keys. Within one owner's records each pair comes once and none with itself.
pub(super) fn join<K: Ord + Copy>(
    (mut a, mut b): (Vec<Entry<K>>, Vec<Entry<K>>),
    side: Side,
    pairs_max: u64,
) -> (Vec<u64>, RuleCount) {
    a.sort_unstable();
    b.sort_unstable();
    let (mut pairs, mut count) = (Vec::new(), RuleCount::default());
    let (mut rest_a, mut rest_b) = (a.as_slice(), b.as_slice());
    while let (Some((key_a, _)), Some((key_b, _))) = (rest_a.first(), rest_b.first()) {
        let key = *key_a.max(key_b);
        rest_a = skip_below(rest_a, key);
        rest_b = skip_below(rest_b, key);
        let (run_a, run_b) = (run(rest_a, key), run(rest_b, key));
        let product = run_a.len() as u64 * run_b.len() as u64;
        if product > pairs_max {
            count.blocks_left_out += 1;
            count.pairs_left_out += product;
        } else {
            for (_, row_a) in run_a {
                let partners = run_b
                    .iter()
                    .filter(|(_, row_b)| side == Side::Across || row_a < row_b);
                pairs.extend(partners.map(|(_, row_b)| pack(*row_a, *row_b)));
            }
        }
        rest_a = rest_a.get(run_a.len()..).unwrap_or(&[]);
        rest_b = rest_b.get(run_b.len()..).unwrap_or(&[]);
    }
    count.pairs = pairs.len() as u64;
    (pairs, count)
}

fn skip_below<K: Ord + Copy>(entries: &[Entry<K>], key: K) -> &[Entry<K>] {
    let below = entries.iter().take_while(|(k, _)| *k < key).count();
    entries.get(below..).unwrap_or(&[])
}

fn run<K: Ord + Copy>(entries: &[Entry<K>], key: K) -> &[Entry<K>] {
    let equal = entries.iter().take_while(|(k, _)| *k == key).count();
    entries.get(..equal).unwrap_or(&[])
}

fn pack(a: u32, b: u32) -> u64 {
    u64::from(a) << 32 | u64::from(b)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the two halves of what `pack` made"
)]
pub(super) fn unpack(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}
