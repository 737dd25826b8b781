//! Each record's nearest records of the other owner, as further candidates: what finds pairs of
//! which every key is wrong.

use linkage_kernel::{Measure, Rows, Rule, Settings};
use rayon::prelude::*;

use crate::candidates::ScoredPair;
use crate::encode::Columns;
use crate::similarity::Comparison;

/// Most pairs of records that are looked through; beyond, only keys propose pairs.
const PAIRS_MAX: u64 = 2_000_000_000;

/// Adds to `pairs`, which are in order of (a, b), each record's `keep` nearest records of the other
/// owner by Dice's coefficient of the whole tokens, but for those in `barred`, in order too. Does
/// nothing where there are more than 2 x 10^9 pairs of records to look through.
///
/// Returns the number of pairs added.
pub fn add_neighbours(
    (a, b): (&Columns<'_>, &Columns<'_>),
    pairs: &mut Vec<ScoredPair>,
    barred: &[(u32, u32)],
    keep: usize,
) -> u64 {
    if keep == 0 || a.len() as u64 * b.len() as u64 > PAIRS_MAX {
        return 0;
    }
    let mut found = nearest(a, b, keep);
    found.par_sort_unstable();
    found.dedup();
    found.retain(|pair| barred.binary_search(pair).is_err());
    let known = |pair: &(u32, u32)| {
        let at = pairs.binary_search_by_key(pair, |pair| (pair.a, pair.b));
        at.is_ok()
    };
    found.retain(|pair| !known(pair));
    let comparison = Comparison::new(a, b);
    let added = found.len() as u64;
    pairs.extend(found.into_iter().map(|(a, b)| ScoredPair {
        a,
        b,
        link_rule: None,
        score: comparison.score(a, b),
    }));
    pairs.par_sort_unstable_by_key(|pair| (pair.a, pair.b));
    added
}

/// The pairs of each record of either owner with its nearest of the other that share a bit with it;
/// none of tokens that the kernel does not take, which no schema makes.
fn nearest(a: &Columns<'_>, b: &Columns<'_>, keep: usize) -> Vec<(u32, u32)> {
    let bits = a.header.token_bits;
    let search = || {
        let rows_a = Rows::new(a.words, a.ones, bits)?;
        let rows_b = Rows::new(b.words, b.ones, bits)?;
        let rule = Rule::new(Measure::Dice, f64::MIN_POSITIVE, bits)?;
        let settings = Settings::default();
        let of_a = linkage_kernel::nearest(&rows_a, &rows_b, &rule, keep, &settings)?;
        let of_b = linkage_kernel::nearest(&rows_b, &rows_a, &rule, keep, &settings)?;
        let of_a = of_a.into_iter().map(|hit| (hit.a, hit.b));
        let pairs = of_a.chain(of_b.into_iter().map(|hit| (hit.b, hit.a)));
        Ok::<_, linkage_kernel::Error>(pairs.collect())
    };
    search().unwrap_or_default()
}
