//! Threshold and quality from posterior probabilities: they say by themselves how many links are
//! right.

use crate::candidates::ScoredPair;
use crate::decide::{Calibration, CurvePoint};

/// Points of the reported curve and bars of the histogram, at even steps of probability.
const CURVE_POINTS: usize = 60;

/// The probability that links, and the expected quality, if each pair's score is its posterior
/// probability. `assigned` is the one-to-one assignment without a threshold; `links` the expected
/// number of links among all candidates. Pairs that share a link key are links whatever their
/// score.
///
/// The threshold is where the expected F1 is largest. Links that no candidate pair holds are
/// unknown here: where candidates miss some, recall is lower than it says.
pub(super) fn calibration(assigned: &[ScoredPair], links: f64) -> Calibration {
    let keyed = assigned.iter().filter(|pair| pair.link_rule.is_some());
    let keyed = keyed.fold(Sum::default(), |sum, pair| sum.with(pair.score));
    let free = assigned.iter().filter(|pair| pair.link_rule.is_none());
    let mut scores: Vec<f64> = free.map(|pair| pair.score).collect();
    scores.sort_unstable_by(|x, y| y.total_cmp(x));
    let mut sum = keyed;
    // Without any pair but those of link keys.
    let mut estimate = sum.point(1.0, links);
    let mut sums = Vec::with_capacity(scores.len() + 1);
    sums.push(sum);
    for score in &scores {
        sum = sum.with(*score);
        sums.push(sum);
        let point = sum.point(*score, links);
        if point.f1 > estimate.f1 {
            estimate = point;
        }
    }
    let edge = |step: usize| step as f64 / CURVE_POINTS as f64;
    let at = |step: usize| {
        let above = scores.partition_point(|score| *score >= edge(step));
        sums.get(above).copied().unwrap_or(keyed)
    };
    let steps = || 0..CURVE_POINTS;
    let false_in = |step: usize| {
        let wrong = |sum: Sum| (sum.found - sum.right).max(0.0);
        let next = if step + 1 < CURVE_POINTS {
            wrong(at(step + 1))
        } else {
            wrong(keyed)
        };
        (wrong(at(step)) - next).max(0.0)
    };
    Calibration {
        threshold: estimate.threshold,
        estimate,
        interval: None,
        true_pairs: links,
        strangers: 0.0,
        curve: steps()
            .map(|step| at(step).point(edge(step), links))
            .collect(),
        intervals: vec![],
        counts: histogram(assigned),
        expected_false: steps().map(false_in).collect(),
    }
}

/// Assigned pairs by probability.
fn histogram(assigned: &[ScoredPair]) -> Vec<u64> {
    let mut counts = vec![0; CURVE_POINTS];
    for pair in assigned {
        let bar = ((pair.score * CURVE_POINTS as f64) as usize).min(CURVE_POINTS - 1);
        if let Some(count) = counts.get_mut(bar) {
            *count += 1;
        }
    }
    counts
}

/// Pairs found and the expected number of right ones.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    found: f64,
    right: f64,
}

impl Sum {
    fn with(self, chance: f64) -> Self {
        Self {
            found: self.found + 1.0,
            right: self.right + chance,
        }
    }

    fn point(self, threshold: f64, links: f64) -> CurvePoint {
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let links = links.max(self.right);
        CurvePoint {
            threshold,
            precision: if self.found > 0.0 {
                self.right / self.found
            } else {
                1.0
            },
            recall: ratio(self.right, links),
            f1: ratio(2.0 * self.right, self.found + links),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(at: u32, score: f64, link_rule: Option<u8>) -> ScoredPair {
        ScoredPair {
            a: at,
            b: at,
            link_rule,
            score,
        }
    }

    #[test]
    fn the_threshold_is_where_the_expected_f1_is_largest() {
        let scores = [0.99, 0.95, 0.9, 0.6, 0.3, 0.05, 0.01];
        let pairs: Vec<_> = (0..).zip(scores).map(|(at, p)| pair(at, p, None)).collect();
        let links: f64 = scores.iter().sum();
        let found = calibration(&pairs, links);
        let f1 = |count: usize| 2.0 * scores[..count].iter().sum::<f64>() / (count as f64 + links);
        let best = (1..=scores.len())
            .max_by(|x, y| f1(*x).total_cmp(&f1(*y)))
            .unwrap();
        assert!(
            (found.threshold - scores[best - 1]).abs() < 1e-12,
            "{found:?}"
        );
        assert!((found.estimate.f1 - f1(best)).abs() < 1e-12);
        assert!(found.curve.is_sorted_by(|x, y| x.recall >= y.recall));
    }

    #[test]
    fn link_keys_link_whatever_their_score() {
        let pairs = [pair(0, 0.2, Some(0)), pair(1, 0.9, None)];
        let found = calibration(&pairs, 1.1);
        assert!((found.threshold - 0.9).abs() < 1e-12);
        assert!((found.estimate.precision - 0.55).abs() < 1e-12);
        assert!((found.curve[59].precision - 0.2).abs() < 1e-12);
    }

    #[test]
    fn nothing_to_link_is_no_error() {
        let found = calibration(&[], 0.0);
        assert!((found.threshold - 1.0).abs() < 1e-12);
        assert!(found.estimate.f1.abs() < 1e-12);
    }
}
