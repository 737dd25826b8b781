//! Every record with every record, for inputs small enough.

use rayon::prelude::*;

use super::hits::{Hit, Hits};
use super::keyed::Sides;
use super::linked::Linked;
use super::score::Scorer;
use super::{Candidates, Method, Prefilter, Side};
use crate::schema::CandidateSettings;
use crate::similarity::Comparison;

/// Pairs drawn to place the floor.
const SAMPLE_PAIRS: usize = 200_000;

/// Unrelated pairs that the floor lets through, per record. The best stranger of a record is then
/// kept with near certainty, and with it the evidence of what agreement chance produces.
const STRANGERS_PER_RECORD: f64 = 8.0;

/// Rows of the first side that are compared in one task.
const TASK_ROWS: usize = 256;

pub(super) fn find((a, b, side): Sides<'_, '_>, settings: &CandidateSettings) -> Candidates {
    let linked = Linked::find((a, b, side), Prefilter::Off);
    let comparison = Comparison::new(a, b);
    let floor = floor(&comparison, a.len(), b.len()).max(settings.agreement_min());
    let scorer = Scorer::new(a, b, side, floor);
    let tasks: Vec<usize> = (0..a.len()).step_by(TASK_ROWS).collect();
    let lists: Vec<Vec<Hit>> = tasks
        .into_par_iter()
        .map(|first| {
            let rows = first..a.len().min(first + TASK_ROWS);
            let mut hits = Vec::new();
            scorer.ranges(rows, 0..b.len(), &mut |a, b, score| {
                if score > 0.0 {
                    hits.push(Hit::new(a, b, score));
                }
            });
            hits
        })
        .collect();
    let mut hits = Hits::new(a.len());
    hits.extend(lists);
    let compared = match side {
        Side::Across => a.len() as u64 * b.len() as u64,
        Side::Within => a.len() as u64 * (a.len() as u64).saturating_sub(1) / 2,
    };
    Candidates {
        pairs: hits.finish(&linked, &scorer).0,
        method: Method::AllPairs,
        floor,
        compared,
        block_rules: vec![],
        token_bits: None,
        identity_conflicts: linked.conflicts,
    }
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
