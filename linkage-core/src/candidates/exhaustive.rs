//! Every record with every record, for inputs small enough.

use std::collections::HashMap;

use rayon::prelude::*;

use super::linked::Linked;
use super::{Candidates, Method, Prefilter, ScoredPair, Side};
use crate::encode::Columns;
use crate::similarity::Comparison;

/// Pairs drawn to place the floor.
const SAMPLE_PAIRS: usize = 200_000;

/// Unrelated pairs that the floor lets through, per record. The best stranger of a record is then
/// kept with near certainty, and with it the evidence of what agreement chance produces.
const STRANGERS_PER_RECORD: f64 = 8.0;

pub(super) fn find(a: &Columns<'_>, b: &Columns<'_>, side: Side) -> Candidates {
    let comparison = Comparison::new(a, b);
    let keyed = Linked::find(a, b, side, Prefilter::Off);
    let mut linked: HashMap<(u32, u32), u8> = keyed
        .links
        .iter()
        .map(|(a, b, rule)| ((*a, *b), *rule))
        .collect();
    let floor = floor(&comparison, a.len(), b.len());
    let mut pairs: Vec<ScoredPair> = (0..rows(a))
        .into_par_iter()
        .flat_map_iter(|row_a| {
            let first = if side == Side::Within { row_a + 1 } else { 0 };
            let (comparison, linked, keyed) = (&comparison, &linked, &keyed);
            (first..rows(b)).filter_map(move |row_b| {
                let score = comparison.score(row_a, row_b);
                // Nearly all pairs end here; the look-up is for the few others.
                let kept = score >= floor && score > 0.0 && !keyed.in_conflict((row_a, row_b));
                kept.then(|| ScoredPair {
                    a: row_a,
                    b: row_b,
                    link_rule: linked.get(&(row_a, row_b)).copied(),
                    score,
                })
            })
        })
        .collect();
    // Pairs that share a link key are candidates whatever their agreement.
    for pair in &pairs {
        linked.remove(&(pair.a, pair.b));
    }
    pairs.extend(linked.into_iter().map(|((a, b), rule)| ScoredPair {
        a,
        b,
        link_rule: Some(rule),
        score: comparison.score(a, b),
    }));
    pairs.par_sort_unstable_by_key(|pair| (pair.a, pair.b));
    let compared = match side {
        Side::Across => a.len() as u64 * b.len() as u64,
        Side::Within => a.len() as u64 * (a.len() as u64).saturating_sub(1) / 2,
    };
    Candidates {
        pairs,
        method: Method::AllPairs,
        floor,
        compared,
        block_rules: vec![],
        identity_conflicts: keyed.conflicts,
    }
}

fn rows(batch: &Columns<'_>) -> u32 {
    // A batch's header admits no more than u32::MAX rows.
    u32::try_from(batch.len()).unwrap_or(u32::MAX)
}

/// The agreement that all but about [`STRANGERS_PER_RECORD`] of a record's pairs stay below, from
/// an evenly strided sample.
fn floor(comparison: &Comparison<'_>, len_a: usize, len_b: usize) -> f64 {
    let total = len_a as u64 * len_b as u64;
    if total == 0 {
        return 0.0;
    }
    let sample = SAMPLE_PAIRS.min(usize::try_from(total).unwrap_or(usize::MAX));
    // An odd stride near the golden section visits rows of both sides evenly.
    let stride = (total as f64 * 0.618_033_988_75) as u64 | 1;
    let mut scores: Vec<f64> = (0..sample as u64)
        .into_par_iter()
        .map(|i| {
            let pair = (u128::from(i) * u128::from(stride) % u128::from(total)) as u64;
            comparison.score((pair / len_b as u64) as u32, (pair % len_b as u64) as u32)
        })
        .collect();
    let share = STRANGERS_PER_RECORD / len_a.max(len_b) as f64;
    let keep = ((sample as f64 * share).ceil() as usize).clamp(1, sample);
    let at = sample - keep;
    let (_, floor, _) = scores.select_nth_unstable_by(at, f64::total_cmp);
    *floor
}
