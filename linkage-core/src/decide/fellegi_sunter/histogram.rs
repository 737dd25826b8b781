//! Pairs by agreement pattern. Distinct patterns are far fewer than pairs, so that whatever depends
//! on the pattern alone is computed once each.

use std::collections::HashMap;

use rayon::prelude::*;

use super::level::{Comparison, Pattern};
use crate::candidates::ScoredPair;

/// Pairs that one task compares: long enough to make its table of patterns worth while.
const TASK_PAIRS: usize = 1 << 16;

/// The agreement patterns of a list of pairs.
#[derive(Debug)]
pub(super) struct Histogram {
    /// The distinct patterns, in order.
    pub patterns: Vec<Pattern>,
    /// Number of pairs of each pattern.
    pub counts: Vec<u64>,
    /// Index of each pair's pattern.
    pub of_pair: Vec<u32>,
}

impl Histogram {
    /// Compares all `pairs`. The same whatever the number of threads.
    pub fn of(comparison: &Comparison<'_>, pairs: &[ScoredPair]) -> Self {
        let tasks: Vec<(Vec<Pattern>, Vec<u32>)> = pairs
            .par_chunks(TASK_PAIRS)
            .map(|pairs| number(pairs.iter().map(|pair| comparison.pattern(pair.a, pair.b))))
            .collect();
        let mut patterns: Vec<Pattern> =
            tasks.iter().flat_map(|(found, _)| found).copied().collect();
        patterns.par_sort_unstable();
        patterns.dedup();
        let mut counts = vec![0; patterns.len()];
        let mut of_pair = Vec::with_capacity(pairs.len());
        for (found, numbers) in tasks {
            let place = |pattern: &Pattern| patterns.binary_search(pattern).unwrap_or(0);
            let places: Vec<usize> = found.iter().map(place).collect();
            for number in numbers {
                let place = places.get(number as usize).copied().unwrap_or(0);
                if let Some(count) = counts.get_mut(place) {
                    *count += 1;
                }
                of_pair.push(u32::try_from(place).unwrap_or(u32::MAX));
            }
        }
        Self {
            patterns,
            counts,
            of_pair,
        }
    }
}

/// Places of a [`Recent`], a power of two: 64 KiB and more patterns than a task has often.
const PLACES_LOG2: u32 = 11;

/// The patterns met lately and their numbers, direct-mapped: a few patterns make up most pairs, and
/// a map's hash costs as much as the comparison does.
struct Recent(Vec<Option<(Pattern, u32)>>);

impl Recent {
    fn new() -> Self {
        Self(vec![None; 1 << PLACES_LOG2])
    }

    /// The place for `pattern`, by multiplicative hashing (Knuth, TAOCP 3, 6.4).
    #[inline]
    fn place(&mut self, pattern: Pattern) -> Option<&mut Option<(Pattern, u32)>> {
        let place = pattern.mixed() >> (u64::BITS - PLACES_LOG2);
        self.0.get_mut(place as usize)
    }
}

/// Distinct patterns in the order in which they come first, and each one's number.
fn number(patterns: impl Iterator<Item = Pattern>) -> (Vec<Pattern>, Vec<u32>) {
    let (mut found, mut numbers) = (Vec::new(), Vec::new());
    let mut known: HashMap<Pattern, u32> = HashMap::new();
    let mut recent = Recent::new();
    for pattern in patterns {
        let place = recent.place(pattern);
        if let Some(Some((_, number))) = place
            .as_deref()
            .filter(|p| p.is_some_and(|p| p.0 == pattern))
        {
            numbers.push(*number);
            continue;
        }
        let next = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let number = *known.entry(pattern).or_insert_with(|| {
            found.push(pattern);
            next
        });
        if let Some(place) = place {
            *place = Some((pattern, number));
        }
        numbers.push(number);
    }
    (found, numbers)
}
