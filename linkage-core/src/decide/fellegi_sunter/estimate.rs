//! Expectation and maximisation (Dempster, Laird, Rubin 1977) of the Fellegi-Sunter model
//! (Fellegi, Sunter, Journal of the American Statistical Association 64, 1969) without truth.
//!
//! What keeps it from running away, as it does on few fields when m, u and the share of links are
//! all left free among candidates:
//! * strangers are counted over *all* pairs of the two owners: a random sample stands for those
//!   that are no candidates, and of the candidates each counts by its chance to be none. So u
//!   cannot drift to what candidates, chosen for likeness, have in common;
//! * m stays above a floor and starts from what registers usually are;
//! * weights fall with the level;
//! * pairs of one record compete, where a record has one partner at most ([`super::compete`]);
//! * the prior odds of a pair follow from the estimated number of links M and the numbers of
//!   records: M / ((rows_a - M) (rows_b - M)), the odds that two records without another partner
//!   are partners.

use rayon::prelude::*;

use super::compete::{Contender, posteriors};
use super::frequency::Frequencies;
use super::histogram::Histogram;
use super::sample::Sample;
use super::weight::{Count, Weights};
use crate::candidates::ScoredPair;

/// Most rounds; sharp posteriors settle in about ten.
const ROUNDS_MAX: usize = 60;

/// The rounds end when no m and not the share of links moves by more.
const TOLERANCE: f64 = 1e-4;

/// Share of the smaller owner's records that are taken to have a partner before anything is known.
const PARTNERED_FIRST: f64 = 0.5;

/// Least share of an owner's records that are taken to have no partner, so that prior odds stay
/// finite where every record has one.
const ALONE_MIN: f64 = 0.01;

/// Odds below which a pair neither counts nor competes: most candidates, by far. What they would
/// add up to is left out of the number of links; a million of them are ten links at most.
const ODDS_MIN: f64 = 1e-5;

/// Pairs that one task looks at for contenders.
const TASK_PAIRS: usize = 1 << 16;

/// Bits by which a pair that shares a link key is surer than its filters make it, and at least: it
/// is a link whatever they say, unless a rival shares one too.
const LINKED_BITS: f64 = 20.0;

/// Largest log2 of odds: far beyond any doubt, far below what a double can hold.
const BITS_LIMIT: f64 = 900.0;

/// The pairs to be judged.
pub(super) struct Evidence<'a> {
    /// Candidate pairs, in order of (a, b).
    pub pairs: &'a [ScoredPair],
    /// Their patterns.
    pub histogram: &'a Histogram,
    /// Random pairs.
    pub sample: &'a Sample,
    /// What term frequency multiplies the odds of each pair by; empty for none.
    pub frequency_factors: Vec<f32>,
    /// Numbers of records.
    pub rows: (usize, usize),
    /// Whether a record has one partner at most.
    pub one_partner: bool,
}

/// The estimated model.
#[derive(Debug)]
pub(super) struct Estimate {
    /// m, u and weights.
    pub weights: Weights,
    /// Expected number of links among the candidates.
    pub matched: f64,
    /// log2 of the prior odds that two records are partners.
    pub prior_bits: f64,
    /// Rounds taken.
    pub rounds: usize,
    /// Whether they ended before the limit.
    pub converged: bool,
    /// Expected number of links of each pattern.
    pub by_pattern: Vec<f64>,
}

impl<'a> Evidence<'a> {
    /// Gathers what the estimation needs to know of `pairs`.
    pub fn new(
        pairs: &'a [ScoredPair],
        histogram: &'a Histogram,
        sample: &'a Sample,
        frequencies: &Frequencies<'_>,
        (rows, one_partner): ((usize, usize), bool),
    ) -> Self {
        let frequency_factors = if frequencies.is_empty() {
            vec![]
        } else {
            let each = pairs.par_iter().zip(&histogram.of_pair);
            each.map(|(pair, pattern)| {
                let pattern = histogram.patterns.get(*pattern as usize);
                let bits = frequencies.of(pair.a, pair.b, pattern.copied().unwrap_or_default());
                bits.exp2()
            })
            .collect()
        };
        Self {
            pairs,
            histogram,
            sample,
            frequency_factors,
            rows,
            one_partner,
        }
    }

    /// Runs the rounds.
    pub fn estimate(&self) -> Estimate {
        let patterns = self.histogram.patterns.len();
        let mut matched = PARTNERED_FIRST * self.rows.0.min(self.rows.1) as f64;
        let mut weights = Weights::first(&self.strangers(&vec![0.0; patterns]));
        let mut by_pattern = vec![0.0; patterns];
        let (mut rounds, mut converged) = (0, false);
        while rounds < ROUNDS_MAX && !converged {
            rounds += 1;
            by_pattern.fill(0.0);
            let contenders = self.contenders(&weights, self.prior_bits(matched));
            let chances = posteriors(&contenders, self.rows, self.one_partner);
            for (contender, chance) in contenders.iter().zip(chances) {
                let pattern = self.histogram.of_pair.get(contender.pair as usize);
                let sum = pattern.and_then(|pattern| by_pattern.get_mut(*pattern as usize));
                if let Some(sum) = sum {
                    *sum += chance;
                }
            }
            let found: f64 = by_pattern.iter().sum();
            let next =
                Weights::estimated(&self.by_level(&by_pattern), &self.strangers(&by_pattern));
            converged = next.distance(&weights) < TOLERANCE
                && (found - matched).abs() <= TOLERANCE * matched.max(1.0);
            (weights, matched) = (next, found);
        }
        Estimate {
            prior_bits: self.prior_bits(matched),
            weights,
            matched,
            rounds,
            converged,
            by_pattern,
        }
    }

    /// Under an estimate, the pairs that may be links, in order, and their posterior probabilities.
    pub fn chances(&self, estimate: &Estimate) -> (Vec<Contender>, Vec<f64>) {
        let contenders = self.contenders(&estimate.weights, estimate.prior_bits);
        let chances = posteriors(&contenders, self.rows, self.one_partner);
        (contenders, chances)
    }

    /// The pairs that may be links, in order.
    fn contenders(&self, weights: &Weights, prior_bits: f64) -> Vec<Contender> {
        let odds = |pattern| (prior_bits + weights.of(pattern)).min(BITS_LIMIT).exp2();
        let odds: Vec<f64> = self.histogram.patterns.iter().map(|p| odds(*p)).collect();
        let tasks: Vec<Vec<Contender>> = self
            .pairs
            .par_chunks(TASK_PAIRS)
            .enumerate()
            .map(|(task, pairs)| {
                let first = task * TASK_PAIRS;
                let each = (first..).zip(pairs);
                each.filter_map(|(at, pair)| self.contender(at, pair, &odds))
                    .collect()
            })
            .collect();
        tasks.concat()
    }

    #[inline]
    fn contender(&self, at: usize, pair: &ScoredPair, odds: &[f64]) -> Option<Contender> {
        let pattern = *self.histogram.of_pair.get(at)?;
        let factor = self.frequency_factors.get(at).copied().unwrap_or(1.0);
        let mut odds = odds.get(pattern as usize)? * f64::from(factor);
        if pair.link_rule.is_some() {
            odds = odds.max(1.0) * LINKED_BITS.exp2();
        }
        (odds >= ODDS_MIN).then_some(Contender {
            pair: u32::try_from(at).ok()?,
            a: pair.a,
            b: pair.b,
            odds,
        })
    }

    /// log2 of the odds that two records are partners, of `matched` links in all.
    fn prior_bits(&self, matched: f64) -> f64 {
        let (rows_a, rows_b) = (self.rows.0 as f64, self.rows.1 as f64);
        let matched = matched.max(f64::MIN_POSITIVE);
        if !self.one_partner {
            return (matched / (rows_a * rows_b - matched).max(1.0)).log2();
        }
        let alone = |rows: f64| (rows - matched).max(ALONE_MIN * rows).max(1.0);
        (matched / (alone(rows_a) * alone(rows_b))).log2()
    }

    /// Pairs of patterns by filter and level.
    fn by_level(&self, by_pattern: &[f64]) -> Vec<Count> {
        let empty = self
            .sample
            .counts
            .iter()
            .map(|count| Count::new(count.swaps));
        let mut counts: Vec<Count> = empty.collect();
        for (pattern, pairs) in self.histogram.patterns.iter().zip(by_pattern) {
            for (at, counts) in counts.iter_mut().enumerate() {
                counts.add(pattern.level(at), *pairs);
            }
        }
        counts
    }

    /// Strangers by filter and level, over all pairs of records: the sample scaled up, and of each
    /// candidate what is left of it.
    fn strangers(&self, by_pattern: &[f64]) -> Vec<Count> {
        let left = self.histogram.counts.iter().zip(by_pattern);
        let left: Vec<f64> = left
            .map(|(count, sum)| (*count as f64 - sum).max(0.0))
            .collect();
        let mut counts = self.by_level(&left);
        let all = self.rows.0 as f64 * self.rows.1 as f64;
        let others = (all - self.pairs.len() as f64).max(0.0);
        let scale = others / self.sample.pairs.max(1.0);
        for (counts, sample) in counts.iter_mut().zip(&self.sample.counts) {
            counts.add_sample(sample, scale);
        }
        counts
    }
}
