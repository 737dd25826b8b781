//! What an estimation found out, for people: shares, weights and counts, nothing about a record.

use serde::Serialize;

use super::estimate::Estimate;
use super::frequency::Frequencies;
use super::histogram::Histogram;
use super::level::{LEVELS, Level, Pattern};
use super::weight::Filter;

/// Fewest pairs of a pattern that is shown: one that few pairs have could point to a record.
pub const PATTERN_PAIRS_MIN: u64 = 10;

/// Most patterns that are shown.
pub const PATTERNS_MAX: usize = 100;

/// Fewest expected links that m is said to be estimated from: twice the imagined pairs that it
/// starts from, and then some. A share of one in twenty would rest on a single pair.
const LINKS_MIN: f64 = 20.0;

/// What the weights rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// These records.
    Data,
    /// There are too few links, fewer than 20, to learn m from: it is what registers usually are.
    /// The probabilities are then no better than that assumption; u is from these records.
    Assumption,
}

/// The estimated model of two owners' records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What m rests on.
    pub basis: Basis,
    /// By filter, in the schema's order.
    pub filters: Vec<FilterReport>,
    /// log2 of the prior odds that two records are one person's, before any filter is looked at.
    pub prior_bits: f64,
    /// Expected number of links among the candidate pairs.
    pub links: f64,
    /// Rounds that the estimation took.
    pub rounds: usize,
    /// Whether it settled; if not, the figures are those of the last round.
    pub converged: bool,
    /// The most frequent patterns of agreement, by falling number of pairs.
    pub patterns: Vec<PatternReport>,
    /// Number of further patterns, most of them of fewer than [`PATTERN_PAIRS_MIN`] pairs.
    pub patterns_hidden: u64,
    /// Pairs of those.
    pub pairs_hidden: u64,
}

/// One filter's model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilterReport {
    /// The levels, from the strongest to none; [`Level::Swapped`] last, where the filter swaps.
    pub levels: Vec<LevelReport>,
    /// Whether agreement on a rare value weighs more.
    pub term_frequency: bool,
}

/// One level of one filter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelReport {
    /// The level's word, of [`Level::as_str`].
    pub level: &'static str,
    /// Share among links, of those in which both records have a value.
    pub m: f64,
    /// The same among strangers.
    pub u: f64,
    /// Match weight in bits.
    pub bits: f64,
}

/// Pairs that agree alike in every filter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatternReport {
    /// The level of each filter, of [`Level::as_str`].
    pub levels: Vec<&'static str>,
    /// The match weight of each filter's level in bits, without term frequency.
    pub bits: Vec<f64>,
    /// Candidate pairs with this pattern.
    pub pairs: u64,
    /// Expected number of links among them.
    pub links: f64,
}

impl PatternReport {
    /// log2 of the odds before rivals and term frequency count.
    pub fn total_bits(&self, prior_bits: f64) -> f64 {
        prior_bits + self.bits.iter().sum::<f64>()
    }
}

impl Report {
    pub(super) fn new(
        estimate: &Estimate,
        histogram: &Histogram,
        frequencies: &Frequencies<'_>,
    ) -> Self {
        let filters = estimate.weights.filters();
        let each = histogram.patterns.iter().zip(&histogram.counts);
        let mut patterns: Vec<PatternReport> = each
            .zip(&estimate.by_pattern)
            .filter(|((_, pairs), _)| **pairs >= PATTERN_PAIRS_MIN)
            .map(|((pattern, pairs), links)| shown(*pattern, *pairs, *links, filters))
            .collect();
        // Equal numbers keep the order of the patterns.
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.pairs));
        patterns.truncate(PATTERNS_MAX);
        let pairs: u64 = histogram.counts.iter().sum();
        let pairs_shown: u64 = patterns.iter().map(|pattern| pattern.pairs).sum();
        let filter = |(at, filter): (usize, &Filter)| FilterReport {
            levels: levels(filter),
            term_frequency: frequencies.holds(at),
        };
        Self {
            basis: if estimate.matched < LINKS_MIN {
                Basis::Assumption
            } else {
                Basis::Data
            },
            filters: filters.iter().enumerate().map(filter).collect(),
            prior_bits: estimate.prior_bits,
            links: estimate.matched,
            rounds: estimate.rounds,
            converged: estimate.converged,
            patterns_hidden: (histogram.patterns.len() - patterns.len()) as u64,
            pairs_hidden: pairs - pairs_shown,
            patterns,
        }
    }

    /// Patterns that show how weights add up: the most frequent among sure links, the one nearest
    /// to even odds, and the most frequent among sure strangers; each if there is one.
    pub fn examples(&self) -> [Option<&PatternReport>; 3] {
        let bits = |pattern: &PatternReport| pattern.total_bits(self.prior_bits);
        // `patterns` is in order of falling frequency.
        let strong = self.patterns.iter().find(|pattern| bits(pattern) > 3.0);
        let weak = self.patterns.iter().find(|pattern| bits(pattern) < -3.0);
        let between = self
            .patterns
            .iter()
            .filter(|pattern| bits(pattern).abs() <= 3.0);
        let borderline = between.min_by(|x, y| bits(x).abs().total_cmp(&bits(y).abs()));
        [strong, borderline, weak]
    }
}

fn shown(pattern: Pattern, pairs: u64, links: f64, filters: &[Filter]) -> PatternReport {
    let level = |at: usize| Level::ALL.get(pattern.level(at)).copied();
    let weight = |(at, filter): (usize, &Filter)| {
        let bits = filter.bits.get(pattern.level(at));
        bits.copied().unwrap_or(0.0)
    };
    PatternReport {
        levels: (0..filters.len())
            .map(|at| level(at).unwrap_or(Level::Missing).as_str())
            .collect(),
        bits: filters.iter().enumerate().map(weight).collect(),
        pairs,
        links,
    }
}

fn levels(filter: &Filter) -> Vec<LevelReport> {
    let of = |shares: &[f64; LEVELS], level: Level| {
        let share = shares.get(level as usize);
        share.copied().unwrap_or(0.0)
    };
    let possible = |level: &Level| of(&filter.m, *level) > 0.0;
    let levels = Level::ALL.into_iter().skip(1).filter(possible);
    levels
        .map(|level| LevelReport {
            level: level.as_str(),
            m: of(&filter.m, level),
            u: of(&filter.u, level),
            bits: of(&filter.bits, level),
        })
        .collect()
}
