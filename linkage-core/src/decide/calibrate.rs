//! A threshold, and an estimate of the links' quality, without truth.
//!
//! The evidence is how much three kinds of pairs agree: those that the assignment takes, those
//! among them that share a link key and so are true pairs but for a few, and pairs within one
//! owner's records, which are strangers but for a few. From strangers follows how many links are
//! false at every agreement, from link keys how true pairs agree where strangers bury them. See
//! the modules `estimate`, and `bulk` for data sets without strangers apart: one alone, or such
//! with many duplicates. The threshold is where the estimated F1 is largest.
//!
//! The estimate leans on this: strangers within an owner agree as strangers across owners do, and
//! true pairs that are no candidates are few. Under a one-to-one assignment recall is that of the
//! people whom both owners have, each counted once: what duplicates make impossible to find is not
//! held against it.

use serde::Serialize;

use super::bulk;
use super::estimate::{self, Counts, Estimate, Setting};
use super::interval::{Interval, intervals};
use super::scores::{Grid, Scores, from_here_on};
use crate::candidates::ScoredPair;
use crate::schema::Assignment;

/// Share of the strangers, those that agree least, that the curve begins above.
const LEFT_OUT: f64 = 0.01;

/// Most duplicates within owners, for each true pair across them, that strangers are told from by
/// taking them off in proportion. Copies of copies agree less than a copy and its original do, so
/// that many would leave a tail.
const DUPLICATES_MAX: f64 = 0.25;

/// Pairs within owners: strangers, but for duplicates.
#[derive(Debug, Clone, Default)]
pub struct Strangers {
    /// Agreements of those without a link key in common.
    pub free: Scores,
    /// Agreements of those with one.
    pub keyed: Scores,
    /// Number of pairs of records that they were found among.
    pub pairs: f64,
    /// Agreement below which pairs may be missing.
    pub floor: f64,
}

impl Strangers {
    /// The pairs found within an owner of `rows` records.
    pub fn within(found: &[ScoredPair], rows: usize, floor: f64) -> Self {
        let rows = rows as f64;
        let (free, keyed) = split(found);
        Self {
            free,
            keyed,
            pairs: rows * (rows - 1.0).max(0.0) / 2.0,
            floor,
        }
    }

    /// The same, if only this share of the pairs in question could be compared.
    #[must_use]
    pub fn among(mut self, share: f64) -> Self {
        self.pairs *= share;
        self
    }

    /// Both owners' strangers.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.free.merge(&other.free);
        self.keyed.merge(&other.keyed);
        self.pairs += other.pairs;
        self.floor = self.floor.max(other.floor);
        self
    }
}

/// Agreements of pairs without a link key, and of those with one.
pub(super) fn split(pairs: &[ScoredPair]) -> (Scores, Scores) {
    let (mut free, mut keyed) = (Scores::default(), Scores::default());
    for pair in pairs {
        let kind = if pair.link_rule.is_some() {
            &mut keyed
        } else {
            &mut free
        };
        kind.add(pair.score);
    }
    (free, keyed)
}

/// What the calibration looks at.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The pairs that the assignment takes, without any threshold.
    pub assigned: &'a [ScoredPair],
    /// Strangers, if there are any apart from the pairs in question.
    pub strangers: Option<&'a Strangers>,
    /// How the pairs were assigned.
    pub assignment: Assignment,
    /// Number of the first owner's records.
    pub rows_a: usize,
    /// Number of the second owner's records.
    pub rows_b: usize,
    /// Agreement below which pairs may be missing.
    pub floor: f64,
    /// A threshold that is known from elsewhere; the next one of the curve is taken.
    pub threshold: Option<f64>,
    /// Whether pairs by link key of agreement 0 are ones whose tokens were not asked for. They then
    /// count as those do whose tokens are there.
    pub asked: bool,
}

/// Estimated or measured quality if all assigned pairs at or above `threshold` are links.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Lowest agreement that links.
    pub threshold: f64,
    /// Share of the links that are right.
    pub precision: f64,
    /// Share of the true pairs that are linked.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
}

/// The outcome of [`calibrate`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Lowest agreement that links two records that share no link key.
    pub threshold: f64,
    /// Estimated quality at the threshold.
    pub estimate: CurvePoint,
    /// How far off that may be; none where scores are probabilities.
    pub interval: Option<Interval>,
    /// Estimated number of true pairs.
    pub true_pairs: f64,
    /// Agreement of the strangers in the middle.
    pub strangers: f64,
    /// Estimated quality over the thresholds, ascending at equal distances from the first to 1.
    pub curve: Vec<CurvePoint>,
    /// How far off each point of the curve may be; empty where scores are probabilities.
    pub intervals: Vec<Interval>,
    /// Assigned pairs from each threshold of the curve to the next, the last to 1.
    pub counts: Vec<u64>,
    /// Expected number of false links among those of them that share no link key.
    pub expected_false: Vec<f64>,
}

/// Picks the threshold; see the module's text.
pub fn calibrate(evidence: &Evidence<'_>) -> Calibration {
    let (free, mut keyed) = split(evidence.assigned);
    let unknown = if evidence.asked { keyed.take_zero() } else { 0 };
    let strangers = evidence.strangers;
    let low = strangers.map_or(&free, |strangers| &strangers.free);
    let floor = strangers.map_or(0.0, |strangers| strangers.floor);
    let grid = Grid::over(low, LEFT_OUT, evidence.floor.max(floor));
    let counts = Counts {
        free: grid.count(&free),
        keyed: in_proportion(grid.count_all(&keyed), unknown),
        strangers: strangers.map_or_else(Vec::new, |known| grid.count(&known.free)),
        keyed_strangers: strangers.map_or_else(Vec::new, |known| grid.count_all(&known.keyed)),
    };
    let setting = strangers.map(|strangers| Setting {
        rows_a: evidence.rows_a as f64,
        rows_b: evidence.rows_b as f64,
        stranger_pairs: strangers.pairs.max(1.0),
        assignment: evidence.assignment,
    });
    // Where owners may have many duplicates and do, their own pairs are no sample of strangers.
    let setting = setting.filter(|setting| {
        evidence.assignment != Assignment::ManyToMany
            || estimate::estimate(&counts, *setting).duplicates <= DUPLICATES_MAX
    });
    let curve = Curve::new(&counts, setting, grid);
    let best = match evidence.threshold {
        Some(threshold) => curve.at_or_above(threshold),
        None => curve.best(),
    };
    let points: Vec<CurvePoint> = (0..grid.bars()).map(|bar| curve.point(bar)).collect();
    let intervals = intervals(&counts, grid.bars() + 1, |counts| {
        let curve = Curve::new(counts, setting, grid);
        let points = (0..=grid.bars()).map(|bar| curve.point(bar));
        points
            .map(|point| (point.precision, point.recall))
            .collect()
    });
    let middle = match strangers {
        Some(strangers) => strangers.free.median(),
        None => free.median(),
    };
    let keyed = in_proportion(grid.count(&keyed), unknown);
    let all = grid.count(&free).into_iter().zip(keyed);
    Calibration {
        threshold: grid.edge(best),
        estimate: curve.point(best),
        interval: intervals.get(best).copied(),
        true_pairs: curve.estimate.true_free + curve.estimate.keyed_right,
        strangers: middle,
        counts: all.map(|(free, keyed)| (free + keyed) as u64).collect(),
        expected_false: curve.false_by_bar(),
        curve: points,
        intervals: intervals.into_iter().take(grid.bars()).collect(),
    }
}

/// Adds pairs of unknown agreement to those of known, in proportion; to the first bar if none is
/// known.
fn in_proportion(mut counts: Vec<f64>, unknown: u64) -> Vec<f64> {
    let known: f64 = counts.iter().sum();
    if unknown == 0 {
    } else if known > 0.0 {
        let scale = 1.0 + unknown as f64 / known;
        counts.iter_mut().for_each(|count| *count *= scale);
    } else if let Some(first) = counts.first_mut() {
        *first += unknown as f64;
    }
    counts
}

/// What an estimate says of every threshold.
struct Curve {
    grid: Grid,
    keyed: f64,
    /// Links without a link key at or above each bar.
    found: Vec<f64>,
    estimate: Estimate,
}

impl Curve {
    fn new(counts: &Counts, setting: Option<Setting>, grid: Grid) -> Self {
        let keyed = counts.keyed.iter().sum();
        let estimate = if let Some(setting) = setting {
            estimate::estimate(counts, setting)
        } else {
            let middles: Vec<f64> = (0..grid.bars()).map(|bar| grid.middle(bar)).collect();
            bulk::estimate(&counts.free, &counts.keyed, &middles)
        };
        Self {
            grid,
            keyed,
            found: from_here_on(&counts.free),
            estimate,
        }
    }

    /// Quality at the left edge of a bar; after the last, that of the link keys alone.
    fn point(&self, bar: usize) -> CurvePoint {
        let at = |values: &[f64]| values.get(bar).copied().unwrap_or(0.0);
        let links = at(&self.found);
        let true_free = self.estimate.true_free;
        let right = (links - at(&self.estimate.false_links)).clamp(0.0, true_free);
        let right = right + self.estimate.keyed_right;
        let (found, all) = (links + self.keyed, true_free + self.estimate.keyed_right);
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        CurvePoint {
            threshold: self.grid.edge(bar),
            precision: if found > 0.0 { right / found } else { 1.0 },
            recall: ratio(right, all),
            f1: ratio(2.0 * right, found + all),
        }
    }

    /// The bar with the best F1; of equally good ones the highest, with fewer false links. Without
    /// any comparable pair that is the one after the last: only the link keys link.
    fn best(&self) -> usize {
        let mut best = (self.grid.bars(), self.point(self.grid.bars()).f1);
        for bar in (0..self.grid.bars()).rev() {
            let f1 = self.point(bar).f1;
            if f1 > best.1 {
                best = (bar, f1);
            }
        }
        best.0
    }

    /// The first bar whose left edge is not below `threshold`, or the one after the last.
    fn at_or_above(&self, threshold: f64) -> usize {
        let bars = 0..self.grid.bars();
        let mut above = bars.filter(|bar| self.grid.edge(*bar) >= threshold);
        above.next().unwrap_or(self.grid.bars())
    }

    fn false_by_bar(&self) -> Vec<f64> {
        let above = &self.estimate.false_links;
        let next = above.iter().skip(1).copied().chain([0.0]);
        let bars = above.iter().zip(next);
        bars.map(|(here, above)| (here - above).max(0.0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::decide::one_to_one;

    /// Scores of strangers around 0.5, of true pairs around 0.8; everyone compared with everyone.
    fn simulate(n: u32, matched: u32, keyed: u32, seed: u64) -> (Calibration, f64, f64) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut bell = |mean: f64, sd: f64| {
            let sum: f64 = (0..12).map(|_| rng.random::<f64>()).sum();
            (mean + sd * (sum - 6.0)).clamp(0.0, 1.0)
        };
        let mut across = vec![];
        let (mut within_a, mut within_b) = (vec![], vec![]);
        for a in 0..n {
            for b in 0..n {
                let partner = a == b && a < matched;
                let score = if partner {
                    bell(0.8, 0.07)
                } else {
                    bell(0.45, 0.05)
                };
                let link_rule = (partner && a < keyed).then_some(0);
                across.push(ScoredPair {
                    a,
                    b,
                    link_rule,
                    score,
                });
                if a < b {
                    let pair = |score| ScoredPair {
                        a,
                        b,
                        link_rule: None,
                        score,
                    };
                    within_a.push(pair(bell(0.45, 0.05)));
                    within_b.push(pair(bell(0.45, 0.05)));
                }
            }
        }
        let rows = n as usize;
        let assigned = one_to_one(&across, rows, rows);
        let strangers = Strangers::within(&within_a, rows, 0.0);
        let calibration = calibrate(&Evidence {
            assigned: &assigned,
            strangers: Some(&strangers.and(&Strangers::within(&within_b, rows, 0.0))),
            assignment: Assignment::Greedy,
            rows_a: rows,
            rows_b: rows,
            floor: 0.0,
            threshold: None,
            asked: false,
        });
        let f1 = |threshold: f64| {
            let links: Vec<_> = assigned
                .iter()
                .filter(|p| p.link_rule.is_some() || p.score >= threshold)
                .collect();
            let right = links.iter().filter(|p| p.a == p.b && p.a < matched).count() as f64;
            2.0 * right / (links.len() as f64 + f64::from(matched))
        };
        let best = (0..=100)
            .map(|t| f1(f64::from(t) / 100.0))
            .fold(0.0, f64::max);
        let got = f1(calibration.threshold);
        (calibration, got, best)
    }

    #[test]
    fn comes_close_to_the_best_threshold_and_knows_how_good_it_is() {
        for (matched, keyed, seed) in [(300, 0, 1), (150, 60, 2), (570, 100, 3), (300, 60, 4)] {
            let (calibration, got, best) = simulate(600, matched, keyed, seed);
            assert!(got > best - 0.01, "{matched}: {got} against {best}");
            let error = (calibration.estimate.f1 - got).abs();
            assert!(
                error < 0.02,
                "{matched}: estimated {:?}, true {got}",
                calibration.estimate
            );
            let pairs = calibration.true_pairs / f64::from(matched);
            assert!((0.95..1.05).contains(&pairs), "{matched}: {pairs}");
            let Interval { precision, recall } = calibration.interval.unwrap();
            let estimate = calibration.estimate;
            assert!(precision[0] <= estimate.precision && estimate.precision <= precision[1]);
            assert!(recall[0] <= estimate.recall + 0.01 && estimate.recall <= recall[1] + 0.01);
            let widths = (precision[1] - precision[0], recall[1] - recall[0]);
            assert!(widths.0 < 0.2 && widths.1 < 0.2, "{matched}: {widths:?}");
        }
    }

    #[test]
    fn bars_and_curve_are_one_grid() {
        let (calibration, ..) = simulate(300, 200, 50, 6);
        let bars = calibration.curve.len();
        assert_eq!(calibration.counts.len(), bars);
        assert_eq!(calibration.expected_false.len(), bars);
        assert_eq!(calibration.intervals.len(), bars);
        let thresholds: Vec<_> = calibration.curve.iter().map(|p| p.threshold).collect();
        assert!(thresholds.is_sorted());
        assert!(thresholds.contains(&calibration.threshold));
    }

    #[test]
    fn without_true_pairs_it_links_next_to_nothing() {
        let (calibration, ..) = simulate(300, 0, 0, 5);
        assert!(calibration.true_pairs < 10.0, "{}", calibration.true_pairs);
    }

    #[test]
    fn empty_evidence_links_by_keys_only() {
        let none = Strangers::default();
        for strangers in [None, Some(&none)] {
            let calibration = calibrate(&Evidence {
                assigned: &[],
                strangers,
                assignment: Assignment::Greedy,
                rows_a: 0,
                rows_b: 0,
                floor: 0.0,
                threshold: None,
                asked: false,
            });
            assert!(calibration.threshold >= 1.0);
            assert!(calibration.curve.iter().all(|p| p.f1.is_finite()));
        }
    }
}
