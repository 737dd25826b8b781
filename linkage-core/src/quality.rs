//! Linkage quality against known truth: precision, recall, F1.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::candidates::ScoredPair;
use crate::decide::{Clusters, CurvePoint};

/// Which person or enterprise each record belongs to, by owner and row; `None` where unknown.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    entities: Vec<Vec<Option<u64>>>,
}

/// Counts of links against truth, and what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quality {
    /// Pairs of records, across owners, that belong together.
    pub true_pairs: u64,
    /// Pairs that were linked.
    pub found: u64,
    /// Linked pairs that belong together.
    pub correct: u64,
    /// `correct / found`; 1 when nothing was linked.
    pub precision: f64,
    /// `correct / true_pairs`; 1 when there is nothing to find.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
}

impl Quality {
    /// Quality from its three counts.
    pub fn of(true_pairs: u64, found: u64, correct: u64) -> Self {
        let ratio = |part: u64, whole: u64| {
            if whole == 0 {
                1.0
            } else {
                part as f64 / whole as f64
            }
        };
        Self {
            true_pairs,
            found,
            correct,
            precision: ratio(correct, found),
            recall: ratio(correct, true_pairs),
            f1: ratio(2 * correct, found + true_pairs),
        }
    }
}

impl Truth {
    /// Truth from each owner's entity numbers, in row order.
    pub fn new(entities: Vec<Vec<Option<u64>>>) -> Self {
        Self { entities }
    }

    fn entity(&self, owner: usize, row: u32) -> Option<u64> {
        self.entities
            .get(owner)?
            .get(row as usize)
            .copied()
            .flatten()
    }

    /// Pairs of records of two owners that belong together; of one owner's records with each other
    /// where both are the same.
    pub fn pairs(&self, owner_a: usize, owner_b: usize) -> u64 {
        let count = |owner: usize| {
            let mut counts: HashMap<u64, u64> = HashMap::new();
            for entity in self.entities.get(owner).into_iter().flatten().flatten() {
                *counts.entry(*entity).or_default() += 1;
            }
            counts
        };
        if owner_a == owner_b {
            return count(owner_a).values().map(|n| n * (n - 1) / 2).sum();
        }
        let b = count(owner_b);
        count(owner_a)
            .iter()
            .map(|(entity, n)| n * b.get(entity).copied().unwrap_or(0))
            .sum()
    }

    /// People or enterprises of whom both owners have a record: the most pairs that a one-to-one
    /// linkage can find.
    pub fn entities_in_common(&self, owner_a: usize, owner_b: usize) -> u64 {
        let set = |owner: usize| -> HashSet<u64> {
            self.entities
                .get(owner)
                .into_iter()
                .flatten()
                .flatten()
                .copied()
                .collect()
        };
        set(owner_a).intersection(&set(owner_b)).count() as u64
    }

    /// Whether two owners' records belong together.
    pub fn together(&self, owner_a: usize, a: u32, owner_b: usize, b: u32) -> bool {
        self.entity(owner_a, a)
            .is_some_and(|entity| self.entity(owner_b, b) == Some(entity))
    }

    /// Quality of clusters: every pair of records of different owners in one cluster is a link.
    pub fn clusters(&self, clusters: &Clusters) -> Quality {
        self.judge(clusters, false)
    }

    /// Quality of clusters where owners may have several records of an entity: every pair of
    /// records in one cluster is a link, those of one owner included.
    pub fn clusters_and_duplicates(&self, clusters: &Clusters) -> Quality {
        self.judge(clusters, true)
    }

    fn judge(&self, clusters: &Clusters, within: bool) -> Quality {
        let mut members: HashMap<u32, Vec<(usize, u32)>> = HashMap::new();
        for (owner, numbers) in clusters.owners().enumerate() {
            for (row, cluster) in (0..).zip(numbers) {
                members.entry(*cluster).or_default().push((owner, row));
            }
        }
        let (mut found, mut correct) = (0, 0);
        for records in members.values() {
            for (at, (owner_a, a)) in records.iter().enumerate() {
                for (owner_b, b) in records.iter().skip(at + 1) {
                    if within || owner_a != owner_b {
                        found += 1;
                        correct += u64::from(self.together(*owner_a, *a, *owner_b, *b));
                    }
                }
            }
        }
        let owners = self.entities.len();
        let true_pairs = (0..owners)
            .flat_map(|a| (a + usize::from(!within)..owners).map(move |b| (a, b)))
            .map(|(a, b)| self.pairs(a, b))
            .sum();
        Quality::of(true_pairs, found, correct)
    }

    /// Measured quality of a one-to-one assignment of two owners' records at each of `thresholds`.
    pub fn curve(
        &self,
        owner_a: usize,
        owner_b: usize,
        assigned: &[ScoredPair],
        thresholds: &[f64],
    ) -> Vec<CurvePoint> {
        let true_pairs = self.pairs(owner_a, owner_b);
        thresholds
            .iter()
            .map(|threshold| {
                let links = assigned
                    .iter()
                    .filter(|p| p.link_rule.is_some() || p.score >= *threshold);
                let (mut found, mut correct) = (0, 0);
                for pair in links {
                    found += 1;
                    correct += u64::from(self.together(owner_a, pair.a, owner_b, pair.b));
                }
                let quality = Quality::of(true_pairs, found, correct);
                CurvePoint {
                    threshold: *threshold,
                    precision: quality.precision,
                    recall: quality.recall,
                    f1: quality.f1,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Link, cluster};

    fn truth() -> Truth {
        Truth::new(vec![
            vec![Some(1), Some(2), None, Some(4)],
            vec![Some(2), Some(1), Some(5)],
            vec![Some(1), Some(1)],
        ])
    }

    #[test]
    fn counts_pairs_across_owners() {
        let truth = truth();
        assert_eq!(truth.pairs(0, 1), 2);
        assert_eq!(truth.pairs(0, 2), 2);
        assert_eq!((truth.pairs(2, 2), truth.pairs(0, 0)), (1, 0));
        assert_eq!(truth.entities_in_common(0, 2), 1);
        assert!(truth.together(0, 0, 1, 1));
        assert!(!truth.together(0, 2, 1, 2));
        assert!(!truth.together(0, 9, 1, 2));
    }

    #[test]
    fn clusters_are_judged_by_all_their_pairs() {
        let link = |owner_a, a, owner_b, b, score| Link {
            owner_a,
            a,
            owner_b,
            b,
            link_rule: None,
            score,
        };
        // {a0, b1, c0} right, {a3, b2} wrong.
        let links = [
            link(0, 0, 1, 1, 0.9),
            link(1, 1, 2, 0, 0.9),
            link(0, 3, 1, 2, 0.8),
        ];
        let quality = truth().clusters(&cluster(&[4, 3, 2], &links, &[]));
        assert_eq!(
            (quality.found, quality.correct, quality.true_pairs),
            (4, 3, 6)
        );
        assert!((quality.precision - 0.75).abs() < 1e-12 && (quality.recall - 0.5).abs() < 1e-12);
        assert!((quality.f1 - 0.6).abs() < 1e-12);
        let all = truth().clusters_and_duplicates(&Clusters::from_marks(&[
            vec![0, 1, 2, 3],
            vec![1, 0, 3],
            vec![0, 0],
        ]));
        assert_eq!((all.found, all.correct, all.true_pairs), (8, 7, 7));
    }

    #[test]
    fn the_curve_counts_link_keys_at_every_threshold() {
        let pair = |a, b, link_rule, score| ScoredPair {
            a,
            b,
            link_rule,
            score,
        };
        let assigned = [
            pair(0, 1, Some(0), 0.2),
            pair(1, 0, None, 0.8),
            pair(3, 2, None, 0.6),
        ];
        let curve = truth().curve(0, 1, &assigned, &[0.5, 0.7, 0.9]);
        let counts: Vec<_> = curve.iter().map(|p| (p.precision, p.recall)).collect();
        assert_eq!(counts, [(2.0 / 3.0, 1.0), (1.0, 1.0), (1.0, 0.5)]);
    }
}
