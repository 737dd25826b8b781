//! What the keys will propose, from a sample of blocks: how many pairs, and how they agree.
//!
//! The sample is of keys, not of records: each block is in it whole or not at all, so sums over the
//! sample times its inverse share estimate sums over all. It is part of every large run, since the
//! list of pairs must fit the memory, and of every plan.

#![allow(clippy::indexing_slicing, reason = "bars are clamped to their number")]

use super::join::{Deal, Join, Key};
use super::keyed::{RUN_PAIRS_MAX, Sides, join, larger};
use super::lsh::{Distance, Draws, Tables};
use super::score::{Gather, Scorer};
use super::{Prefilter, Side, listed_max};
use crate::encode::Columns;
use crate::schema::CandidateSettings;

/// Bars of the histogram of agreements.
const BARS: usize = 1000;

/// log2 of the entries of a rule that are sampled: a thousandth of a percent of the blocks of two
/// registers of 10^9, all of two of 10^5.
const SAMPLE_BITS: u32 = 18;

/// The same for a table of token bits, whose blocks are far larger.
const TABLE_SAMPLE_BITS: u32 = 14;

/// Pairs of a sampled block that are compared; a larger block counts by this part of it.
const BLOCK_ROWS_MAX: usize = 512;

/// Estimates for one rule of block keys, or for all tables of token bits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct RuleSurvey {
    /// Records of both sides that have the key.
    pub entries: f64,
    /// Pairs in blocks of allowed size.
    pub pairs: f64,
    /// Blocks beyond it.
    pub blocks_over: f64,
    /// Pairs in those.
    pub pairs_over: f64,
}

/// Estimates for one run.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub rules: Vec<RuleSurvey>,
    pub tables: Option<RuleSurvey>,
    /// Pairs that may be listed.
    pub listed_max: f64,
    /// Estimated number of pairs by agreement, in bars over 0..=1.
    bars: Vec<f64>,
}

/// What one bundle of the sample's partitions finds.
struct Seen {
    gather: Gather,
    bars: Vec<f64>,
    rule: RuleSurvey,
}

impl Survey {
    /// For a run: nothing where even all pairs could be listed.
    pub fn new(
        (a, b, side): Sides<'_, '_>,
        settings: &CandidateSettings,
        tables: Option<&Tables>,
    ) -> Self {
        if a.len() as u64 * b.len() as u64 <= listed_max(a, b) {
            return Self::default();
        }
        Self::of((a, b, side), settings, tables)
    }

    /// For a plan.
    pub fn of(
        (a, b, side): Sides<'_, '_>,
        settings: &CandidateSettings,
        tables: Option<&Tables>,
    ) -> Self {
        let mut survey = Self {
            bars: vec![0.0; BARS],
            listed_max: listed_max(a, b) as f64,
            ..Self::default()
        };
        let scorer = Scorer::new(a, b, side, 0.0);
        let rows_log2 = (a.len() + b.len()).max(1).ilog2();
        for rule in 0..usize::from(a.header.block_keys) {
            let key = |columns: &Columns<'_>, row: usize| columns.block_key(row, rule);
            let deal = Deal::sample(larger(a, b), rows_log2.saturating_sub(SAMPLE_BITS));
            let join = join((a, b, side), deal, Prefilter::Off, key);
            let found = survey.add(&join, &scorer, settings.block_pairs_max, &|_| 1.0);
            survey.rules.push(found);
        }
        let draws = tables.and_then(|tables| Some((tables, Draws::new(a, b)?)));
        survey.tables = draws.map(|(tables, draws)| {
            let mask = draws.mask(0, tables.bits);
            let key = |columns: &Columns<'_>, row: usize| mask.key(columns, row);
            let deal = Deal::sample(larger(a, b), rows_log2.saturating_sub(TABLE_SAMPLE_BITS));
            let join = join((a, b, side), deal, Prefilter::Off, key);
            let distance = Distance::new(a, b, &draws);
            let distinct = |agreement| draws.distinct(distance.at(agreement), tables);
            let one = survey.add(&join, &scorer, RUN_PAIRS_MAX, &distinct);
            let all = f64::from(tables.count);
            RuleSurvey {
                entries: one.entries * all,
                pairs: one.pairs * all,
                blocks_over: one.blocks_over * all,
                pairs_over: one.pairs_over * all,
            }
        });
        survey
    }

    /// Lowest agreement at or above which no more pairs are expected than may be listed, but
    /// no lower than `least`.
    pub fn floor(&self, least: f64) -> f64 {
        let mut listed = 0.0;
        for (bar, pairs) in self.bars.iter().enumerate().rev() {
            listed += pairs;
            if listed > self.listed_max {
                return least.max((bar + 1) as f64 / BARS as f64);
            }
        }
        least
    }

    /// Adds a sampled join. Of each listed pair of some agreement, `times` tells how many it stands
    /// for beyond the sample.
    fn add<K: Key>(
        &mut self,
        join: &Join<K>,
        scorer: &Scorer<'_>,
        pairs_max: u64,
        times: &dyn Fn(f64) -> f64,
    ) -> RuleSurvey {
        let start = || Seen {
            gather: Gather::default(),
            bars: vec![0.0; BARS],
            rule: RuleSurvey::default(),
        };
        let across = scorer.side() == Side::Across;
        let seen = join.runs(start, |seen, rows_a, rows_b| {
            let product = rows_a.len() as f64 * rows_b.len() as f64;
            let pairs = if across { product } else { product / 2.0 };
            if product > pairs_max as f64 {
                seen.rule.blocks_over += 1.0;
                seen.rule.pairs_over += pairs;
                return;
            }
            seen.rule.pairs += pairs;
            let first = |rows: &[u32]| rows.len().min(BLOCK_ROWS_MAX);
            let (part_a, part_b) = (&rows_a[..first(rows_a)], &rows_b[..first(rows_b)]);
            let bars = &mut seen.bars;
            seen.gather
                .push(scorer, part_a, part_b, &mut |_, _, score| {
                    count(bars, score)
                });
        });
        let scale = 2.0_f64.powi(join.a.skip() as i32);
        let entries = join.a.len() + join.b.as_ref().map_or(join.a.len(), |b| b.len());
        let mut sum = RuleSurvey {
            entries: entries as f64 * scale,
            ..RuleSurvey::default()
        };
        for mut seen in seen {
            let bars = &mut seen.bars;
            seen.gather
                .finish(scorer, &mut |_, _, score| count(bars, score));
            sum.pairs += seen.rule.pairs * scale;
            sum.blocks_over += seen.rule.blocks_over * scale;
            sum.pairs_over += seen.rule.pairs_over * scale;
            for (at, (bar, pairs)) in self.bars.iter_mut().zip(&seen.bars).enumerate() {
                if *pairs > 0.0 {
                    *bar += pairs * scale * times((at as f64 + 0.5) / BARS as f64);
                }
            }
        }
        sum
    }
}

fn count(bars: &mut [f64], score: f64) {
    bars[((score * BARS as f64) as usize).min(BARS - 1)] += 1.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_rises_only_as_far_as_the_list_must_shrink() {
        let mut survey = Survey {
            bars: vec![1e5; BARS],
            listed_max: 5e7,
            ..Survey::default()
        };
        // 500 bars hold what may be listed.
        assert!((survey.floor(0.0) - 0.5).abs() < 0.002);
        assert!((survey.floor(0.7) - 0.7).abs() < 1e-9);
        survey.bars.fill(1.0);
        assert!(survey.floor(0.0).abs() < 1e-9);
    }
}
