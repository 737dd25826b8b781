//! Counts of agreements: fine while they are collected, coarse where they are read.

use crate::candidates::ScoredPair;

/// Steps that agreements are counted in: 2^-12 is finer than one bit of a token of 4096 bits.
const STEPS: usize = 1 << 12;

/// Most bars of a grid. Half as many or twice as many estimate no better on the test data.
const BARS_MAX: usize = 100;

/// How many pairs agree by how much; a fixed 32 KiB, whatever the number of pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scores {
    counts: Vec<u64>,
}

impl Default for Scores {
    fn default() -> Self {
        Self {
            counts: vec![0; STEPS],
        }
    }
}

impl Scores {
    /// The agreements of `pairs`.
    pub fn of<'a>(pairs: impl IntoIterator<Item = &'a ScoredPair>) -> Self {
        let mut scores = Self::default();
        pairs.into_iter().for_each(|pair| scores.add(pair.score));
        scores
    }

    /// Counts an agreement, 0 to 1.
    pub fn add(&mut self, score: f64) {
        let step = ((score * STEPS as f64) as usize).min(STEPS - 1);
        if let Some(count) = self.counts.get_mut(step) {
            *count += 1;
        }
    }

    /// Removes those of no agreement at all; their number.
    pub(super) fn take_zero(&mut self) -> u64 {
        self.counts.first_mut().map_or(0, std::mem::take)
    }

    /// Adds the counts of others.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Number of agreements counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// First step at which more than `share` of the agreements lie at or below it; 0 without any.
    fn quantile(&self, share: f64) -> usize {
        let wanted = self.total() as f64 * share;
        let mut below = 0.0;
        let step = self.counts.iter().position(|count| {
            below += *count as f64;
            below > wanted
        });
        step.unwrap_or(0)
    }

    /// The agreement that half of the pairs stay below; 0 without any.
    pub fn median(&self) -> f64 {
        self.quantile(0.5) as f64 / STEPS as f64
    }
}

/// Bars of equal width up to an agreement of 1: those of the histogram, and by their left edges the
/// thresholds of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    first: usize,
    step: usize,
    bars: usize,
}

impl Grid {
    /// A grid over what is above the `share` of `scores` that agree least, and above `floor`.
    pub fn over(scores: &Scores, share: f64, floor: f64) -> Self {
        let floor = (floor * STEPS as f64).ceil() as usize;
        let span = STEPS - scores.quantile(share).max(floor).min(STEPS - 1);
        let step = span.div_ceil(BARS_MAX);
        let bars = span / step;
        Self {
            first: STEPS - bars * step,
            step,
            bars,
        }
    }

    pub fn bars(&self) -> usize {
        self.bars
    }

    /// Left edge of a bar; 1 is that of the bar after the last. Exact in binary, so that a score
    /// is at or above it exactly if it is counted there.
    pub fn edge(&self, bar: usize) -> f64 {
        (self.first + bar * self.step) as f64 / STEPS as f64
    }

    /// The middle of a bar.
    pub fn middle(&self, bar: usize) -> f64 {
        f64::midpoint(self.edge(bar), self.edge(bar + 1))
    }

    /// Counts by bar; what lies below the first is left out.
    pub fn count(&self, scores: &Scores) -> Vec<f64> {
        let above = scores.counts.get(self.first..).unwrap_or(&[]);
        above
            .chunks(self.step)
            .map(|steps| steps.iter().sum::<u64>() as f64)
            .collect()
    }

    /// Counts by bar; what lies below the first counts there.
    pub fn count_all(&self, scores: &Scores) -> Vec<f64> {
        let mut counts = self.count(scores);
        let below = scores.counts.iter().take(self.first).sum::<u64>() as f64;
        if let Some(first) = counts.first_mut() {
            *first += below;
        }
        counts
    }
}

/// Sums from each place to the end.
pub(super) fn from_here_on(counts: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mut sums: Vec<f64> = counts
        .iter()
        .rev()
        .map(|count| {
            sum += count;
            sum
        })
        .collect();
    sums.reverse();
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bars_count_what_is_at_or_above_their_edges(
            values in prop::collection::vec(0.0_f64..=1.0, 0..200),
            share in 0.0_f64..0.5,
            floor in 0.0_f64..=1.0,
        ) {
            let mut scores = Scores::default();
            values.iter().for_each(|value| scores.add(*value));
            let grid = Grid::over(&scores, share, floor);
            prop_assert!((1..=BARS_MAX).contains(&grid.bars()));
            prop_assert!(grid.edge(0) >= floor.min(1.0 - 1.0 / STEPS as f64));
            prop_assert!((grid.edge(grid.bars()) - 1.0).abs() < f64::EPSILON);
            let above = from_here_on(&grid.count(&scores));
            for (bar, count) in above.iter().enumerate() {
                let edge = grid.edge(bar);
                let expected = values.iter().filter(|value| **value >= edge).count();
                prop_assert_eq!(*count, expected as f64);
            }
            let all: f64 = grid.count_all(&scores).iter().sum();
            prop_assert_eq!(all, values.len() as f64);
        }
    }

    #[test]
    fn quantiles_and_sums() {
        let mut scores = Scores::default();
        assert!(scores.median() < f64::EPSILON);
        for step in 0..100 {
            scores.add(f64::from(step) / 100.0);
        }
        assert!((scores.median() - 0.5).abs() < 0.001);
        let mut twice = scores.clone();
        twice.merge(&scores);
        assert_eq!((twice.total(), scores.total()), (200, 100));
    }
}
