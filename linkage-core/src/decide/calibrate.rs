//! A threshold, and an estimate of the links' quality, without truth.
//!
//! Chance agreement is measured where it is nearly pure: among one owner's own records, which are
//! different people but for its few duplicates. The rate at which such pairs of strangers reach an
//! agreement t says how many false links the one-to-one assignment makes above t among the records
//! that have no partner; what it makes beyond that are true links. The threshold is where the
//! estimated F1 is largest.
//!
//! Steps, with n(t) the assigned pairs at or above t, u and v the records of either side that no
//! link key has linked, and r(t) the strangers' rate (both owners' pooled):
//! * false links: the greedy assignment of u' x v' strangers grows as dm/dr = (u' - m)(v' - m),
//!   whose solution is in [`chance_links`]; u' = u - M, v' = v - M are the records without a
//!   partner;
//! * true links: n(t) minus these; M, the number of true pairs, is their value at the t where it is
//!   largest after two standard deviations are taken off, among the t at which strangers are still
//!   rare ([`RARE`]; where everyone finds a stranger, the difference says nothing). M enters u' and
//!   v', so the two are iterated from M = 0 to their least fixed point.
//!
//! The estimate leans on three things: owners hold few duplicates (known ones, which share a link
//! key, are left out), strangers within an owner agree as strangers across owners do, and at most
//! one record per owner belongs to a person.

use serde::Serialize;

use crate::candidates::ScoredPair;

/// What the calibration looks at.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The one-to-one assignment across two owners, without any threshold.
    pub assigned: &'a [ScoredPair],
    /// Pairs among the first owner's own records.
    pub strangers_a: &'a [ScoredPair],
    /// Pairs among the second owner's own records.
    pub strangers_b: &'a [ScoredPair],
    /// Number of the first owner's records.
    pub rows_a: usize,
    /// Number of the second owner's records.
    pub rows_b: usize,
    /// Agreement below which pairs may be missing from the lists.
    pub floor: f64,
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
    /// Estimated number of true pairs across the two owners.
    pub true_pairs: f64,
    /// Estimated quality over the thresholds, ascending.
    pub curve: Vec<CurvePoint>,
    /// Expected number of false links at or above each threshold of the curve.
    pub expected_false: Vec<f64>,
}

/// Points of the reported curve.
const CURVE_POINTS: usize = 60;

/// Strangers are rare where a record has at most this many of them on average. Below 1/2 the
/// iteration is a contraction: one more true pair lowers the false links by less than one.
const RARE: f64 = 0.05;

/// Rounds of the fixed-point iteration; it converges geometrically with the share of matched
/// records.
const ROUNDS: usize = 200;

/// Picks the threshold; see the module's text.
pub fn calibrate(evidence: &Evidence<'_>) -> Calibration {
    let keyed = evidence
        .assigned
        .iter()
        .filter(|pair| pair.link_rule.is_some())
        .count();
    let mut scores: Vec<f64> = evidence
        .assigned
        .iter()
        .filter(|pair| pair.link_rule.is_none() && pair.score >= evidence.floor)
        .map(|pair| pair.score)
        .collect();
    scores.sort_unstable_by(|x, y| y.total_cmp(x));
    let strangers = Strangers::new(evidence);
    let model = Model {
        keyed: keyed as f64,
        free_a: evidence.rows_a.saturating_sub(keyed) as f64,
        free_b: evidence.rows_b.saturating_sub(keyed) as f64,
        rates: scores.iter().map(|score| strangers.rate(*score)).collect(),
    };
    let true_free = model.true_pairs();
    let quality: Vec<CurvePoint> = scores
        .iter()
        .enumerate()
        .map(|(at, score)| model.quality(*score, at + 1, true_free))
        .collect();
    // Of equally good thresholds the highest: fewer false links for the same F1.
    let best = quality
        .iter()
        .copied()
        .reduce(|best, point| if point.f1 > best.f1 { point } else { best });
    // Without any comparable pair only the link keys link.
    let none = model.quality(1.0, 0, true_free);
    let estimate = best.filter(|best| best.f1 > none.f1).unwrap_or(none);
    let (curve, expected_false) = curve(evidence.floor, &scores, &strangers, &model, true_free);
    Calibration {
        threshold: estimate.threshold,
        estimate,
        true_pairs: model.keyed + true_free,
        curve,
        expected_false,
    }
}

fn curve(
    floor: f64,
    scores: &[f64],
    strangers: &Strangers,
    model: &Model,
    true_free: f64,
) -> (Vec<CurvePoint>, Vec<f64>) {
    (0..=CURVE_POINTS)
        .map(|step| {
            let threshold = floor + (1.0 - floor) * step as f64 / CURVE_POINTS as f64;
            let links = scores.partition_point(|score| *score >= threshold);
            let false_links = model.false_links(strangers.rate(threshold), true_free);
            (
                model.point(threshold, links, false_links, true_free),
                false_links,
            )
        })
        .unzip()
}

/// Agreements of stranger pairs, falling, and the number of pairs that they are taken from.
struct Strangers {
    sides: [(Vec<f64>, f64); 2],
}

impl Strangers {
    fn new(evidence: &Evidence<'_>) -> Self {
        let side = |pairs: &[ScoredPair], rows: usize| {
            let mut scores: Vec<f64> = pairs
                .iter()
                .filter(|pair| pair.link_rule.is_none())
                .map(|pair| pair.score)
                .collect();
            scores.sort_unstable_by(|x, y| y.total_cmp(x));
            let rows = rows as f64;
            (scores, (rows * (rows - 1.0) / 2.0).max(1.0))
        };
        Self {
            sides: [
                side(evidence.strangers_a, evidence.rows_a),
                side(evidence.strangers_b, evidence.rows_b),
            ],
        }
    }

    /// Upper bound on the share of stranger pairs that agree by `score` or more: one standard
    /// deviation of the count, and one pair, are added. The threshold is where the estimate is
    /// best; without the margin that is too often where chance has made the strangers look too few.
    fn rate(&self, score: f64) -> f64 {
        let (seen, pairs) = self
            .sides
            .iter()
            .fold((0.0, 0.0), |(seen, all), (scores, pairs)| {
                (
                    seen + scores.partition_point(|s| *s >= score) as f64,
                    all + pairs,
                )
            });
        (seen + seen.sqrt() + 1.0) / pairs
    }
}

struct Model {
    /// Links by link keys.
    keyed: f64,
    /// Records of either side that no link key has linked.
    free_a: f64,
    free_b: f64,
    /// Strangers' rate at each token-only assigned pair, by falling agreement.
    rates: Vec<f64>,
}

impl Model {
    /// The least fixed point of M = n(t) - false links given M, at the t where that is clearest.
    fn true_pairs(&self) -> f64 {
        let rare = RARE / self.free_a.max(self.free_b).max(1.0);
        let mut matched = 0.0;
        for _ in 0..ROUNDS {
            let found = self
                .rates
                .iter()
                .take_while(|rate| **rate <= rare)
                .enumerate()
                .map(|(at, rate)| {
                    let false_links = self.false_links(*rate, matched);
                    let true_links = (at + 1) as f64 - false_links;
                    // False links scatter like a Poisson count, and so does their estimated rate.
                    (true_links - 2.0 * (2.0 * false_links).sqrt(), true_links)
                })
                .fold(
                    (0.0, 0.0),
                    |best, next| if next.0 > best.0 { next } else { best },
                )
                .1;
            if (found - matched).abs() < 1e-6 {
                break;
            }
            matched = found;
        }
        matched
    }

    fn false_links(&self, rate: f64, matched: f64) -> f64 {
        chance_links(
            rate,
            (self.free_a - matched).max(0.0),
            (self.free_b - matched).max(0.0),
        )
    }

    fn quality(&self, threshold: f64, links: usize, true_free: f64) -> CurvePoint {
        let rate = links
            .checked_sub(1)
            .and_then(|at| self.rates.get(at))
            .copied();
        let false_links = rate.map_or(0.0, |rate| self.false_links(rate, true_free));
        self.point(threshold, links, false_links, true_free)
    }

    fn point(&self, threshold: f64, links: usize, false_links: f64, true_free: f64) -> CurvePoint {
        let found = links as f64 + self.keyed;
        let right = (links as f64 - false_links).clamp(0.0, true_free.max(0.0)) + self.keyed;
        let all = true_free + self.keyed;
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        CurvePoint {
            threshold,
            precision: if found > 0.0 { right / found } else { 1.0 },
            recall: ratio(right, all),
            f1: ratio(2.0 * right, found + all),
        }
    }
}

/// Links that a greedy one-to-one assignment makes by chance among u x v strangers of which a share
/// `rate` of pairs agrees enough: the solution of dm/dr = (u - m)(v - m), m(0) = 0.
fn chance_links(rate: f64, u: f64, v: f64) -> f64 {
    let (u, v) = (u.max(v), u.min(v));
    if v <= 0.0 {
        return 0.0;
    }
    if u - v < 1e-6 * u {
        return u * (rate * u) / (1.0 + rate * u);
    }
    // With e = exp(-(u - v) r): m = u v (1 - e) / (u - v e), which stays finite for large r.
    let e = (-(u - v) * rate).exp();
    u * v * (1.0 - e) / (u - v * e)
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
        let assigned = one_to_one(&across, n as usize, n as usize);
        let calibration = calibrate(&Evidence {
            assigned: &assigned,
            strangers_a: &within_a,
            strangers_b: &within_b,
            rows_a: n as usize,
            rows_b: n as usize,
            floor: 0.0,
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
                error < 0.03,
                "{matched}: estimated {:?}, true {got}",
                calibration.estimate
            );
            let pairs = calibration.true_pairs / f64::from(matched);
            assert!((0.9..1.1).contains(&pairs), "{matched}: {pairs}");
        }
    }

    #[test]
    fn without_true_pairs_it_links_next_to_nothing() {
        let (calibration, ..) = simulate(300, 0, 0, 5);
        assert!(calibration.true_pairs < 10.0, "{}", calibration.true_pairs);
    }

    #[test]
    fn empty_evidence_links_by_keys_only() {
        let calibration = calibrate(&Evidence {
            assigned: &[],
            strangers_a: &[],
            strangers_b: &[],
            rows_a: 0,
            rows_b: 0,
            floor: 0.0,
        });
        assert!(calibration.threshold >= 1.0);
        assert!(calibration.curve.iter().all(|p| p.f1.is_finite()));
    }

    #[test]
    fn chance_links_follow_their_equation() {
        for (u, v) in [(100.0, 100.0), (100.0, 40.0), (40.0, 100.0), (5.0, 0.0)] {
            let (mut m, dr) = (0.0_f64, 1e-6);
            for _ in 0..20_000 {
                m += (u - m) * (v - m) * dr;
            }
            let got = chance_links(0.02, u, v);
            assert!((got - m).abs() < 0.05, "{u} {v}: {got} against {m}");
        }
        assert!((chance_links(1e9, 30.0, 20.0) - 20.0).abs() < 1e-9);
    }
}
