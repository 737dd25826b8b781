//! What strangers look like: random pairs of the two owners' records.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::level::Comparison;
use super::weight::Count;
use crate::candidates::ScoredPair;

/// Most random pairs drawn; no more than there are. A level that one stranger in 10^5 shows then
/// comes ten times, and rarer ones are nearly all among the candidates, which are counted in full.
const PAIRS: u64 = 1_000_000;

/// Pairs that one task draws, from a stream of its own.
const TASK_PAIRS: u64 = 1 << 14;

/// Random numbers are for an even choice, not for secrecy; a fixed seed makes runs repeatable.
const SEED: u64 = 0x46_53;

/// Levels of random pairs that are no candidates.
#[derive(Debug)]
pub(super) struct Sample {
    /// By filter.
    pub counts: Vec<Count>,
    /// Number of pairs.
    pub pairs: f64,
}

impl Sample {
    /// Draws pairs of `rows.0` x `rows.1` records; `candidates` are in order of (a, b).
    pub fn draw(
        comparison: &Comparison<'_>,
        candidates: &[ScoredPair],
        rows: (usize, usize),
    ) -> Self {
        let all = rows.0 as u64 * rows.1 as u64;
        let pairs = PAIRS.min(all);
        let drawn: Vec<Self> = (0..pairs.div_ceil(TASK_PAIRS))
            .into_par_iter()
            .map(|task| {
                let count = TASK_PAIRS.min(pairs - task * TASK_PAIRS);
                Self::task(comparison, candidates, rows, (task, count))
            })
            .collect();
        let mut sum = Self::empty(comparison);
        for part in drawn {
            sum.pairs += part.pairs;
            for (to, from) in sum.counts.iter_mut().zip(&part.counts) {
                let levels = from.pairs.iter().enumerate();
                levels.for_each(|(level, pairs)| to.add(level, *pairs));
            }
        }
        sum
    }

    fn empty(comparison: &Comparison<'_>) -> Self {
        Self {
            counts: comparison.swaps().map(Count::new).collect(),
            pairs: 0.0,
        }
    }

    fn task(
        comparison: &Comparison<'_>,
        candidates: &[ScoredPair],
        (rows_a, rows_b): (usize, usize),
        (task, count): (u64, u64),
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED ^ task << 32);
        let mut sample = Self::empty(comparison);
        let row = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        for _ in 0..count {
            let pair = (
                row(rng.random_range(0..rows_a)),
                row(rng.random_range(0..rows_b)),
            );
            let candidate = candidates.binary_search_by_key(&pair, |pair| (pair.a, pair.b));
            if candidate.is_ok() {
                continue;
            }
            let pattern = comparison.pattern(pair.0, pair.1);
            sample.pairs += 1.0;
            for (at, counts) in sample.counts.iter_mut().enumerate() {
                counts.add(pattern.level(at), 1.0);
            }
        }
        sample
    }
}
