//! What a run found out, in counts and estimates.

use serde::Serialize;

use crate::candidates::{Candidates, Method, RuleCount, ScoredPair, TokenBits};
use crate::decide::Calibration;
use crate::decide::fellegi_sunter::{self, Unfit};

/// What a run found out about two owners' records, or one owner's own: counts and estimates,
/// nothing about a record.
#[derive(Debug, Clone, Serialize)]
pub struct PairReport {
    /// Index of the first owner.
    pub owner_a: usize,
    /// Index of the second owner; of the first again for the links within it.
    pub owner_b: usize,
    /// How candidate pairs were found.
    pub method: Method,
    /// Pairs compared.
    pub compared: u64,
    /// Share of all pairs that was not compared.
    pub reduction_ratio: f64,
    /// Counts of the block-key rules.
    pub block_rules: Vec<RuleCount>,
    /// What the tokens' bits proposed, if asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_bits: Option<TokenBits>,
    /// Pairs of records that share an identity number, say, and contradict each other in everything
    /// that should support it. Not linked; for review.
    pub identity_conflicts: u64,
    /// Assigned pairs that share a link key.
    pub keyed: u64,
    /// Assigned pairs at or above the threshold, those by link key included.
    pub links: u64,
    /// Groups of records too large for the optimal assignment, assigned greedily.
    pub components_beyond: u64,
    /// Agreements of all assigned pairs.
    pub histogram: Histogram,
    /// The threshold and the estimated quality.
    pub calibration: Calibration,
    /// Under the `fields` profile, what each filter's agreement weighs; scores and threshold are
    /// then probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
}

/// What a run found out about the weights of filters.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// The estimated model.
    Estimated(fellegi_sunter::Report),
    /// Why there is none; scores are then weighted means of the filters' agreement.
    Unfit(Unfit),
}

/// Counts of scores in bars of equal width; their left edges are the thresholds of the curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Left edge of the first bar.
    pub from: f64,
    /// Right edge of the last bar.
    pub to: f64,
    /// Number of pairs in each bar.
    pub counts: Vec<u64>,
    /// Expected number of false links in each bar.
    pub expected_false: Vec<f64>,
}

/// What was decided about the candidates of two owners.
pub(super) struct Decided {
    /// The assigned pairs, without a threshold.
    pub chosen: Vec<ScoredPair>,
    pub calibration: Calibration,
    pub components_beyond: u64,
    pub weights: Option<Weights>,
}

/// Whether a pair is a link under a threshold.
pub(super) fn is_link(pair: &ScoredPair, threshold: f64) -> bool {
    pair.link_rule.is_some() || pair.score >= threshold
}

/// The report on what was found and chosen.
pub(super) fn report(
    (owner_a, owner_b): (usize, usize),
    (rows_a, rows_b): (usize, usize),
    found: &Candidates,
    decided: Decided,
) -> (PairReport, Vec<ScoredPair>) {
    let Decided {
        chosen,
        calibration,
        components_beyond,
        weights,
    } = decided;
    let keyed = |pair: &&ScoredPair| pair.link_rule.is_some();
    let linked = |pair: &&ScoredPair| is_link(pair, calibration.threshold);
    let (rows_a, rows_b) = (rows_a as f64, rows_b as f64);
    let all = if owner_a == owner_b {
        rows_a * (rows_a - 1.0) / 2.0
    } else {
        rows_a * rows_b
    };
    let from = calibration.curve.first();
    let report = PairReport {
        owner_a,
        owner_b,
        method: found.method,
        compared: found.compared,
        reduction_ratio: 1.0 - found.compared as f64 / all.max(1.0),
        block_rules: found.block_rules.clone(),
        token_bits: found.token_bits.clone(),
        identity_conflicts: found.identity_conflicts.len() as u64,
        keyed: chosen.iter().filter(keyed).count() as u64,
        links: chosen.iter().filter(linked).count() as u64,
        components_beyond,
        histogram: Histogram {
            from: from.map_or(0.0, |point| point.threshold),
            to: 1.0,
            counts: calibration.counts.clone(),
            expected_false: calibration.expected_false.clone(),
        },
        calibration,
        weights,
    };
    (report, chosen)
}
