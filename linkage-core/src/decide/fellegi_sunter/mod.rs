//! Fellegi-Sunter linkage of tokens of the `fields` profile: how much each filter's agreement says,
//! found out without truth.
//!
//! | step | module | in -> out |
//! |---|---|---|
//! | further candidates | [`add_neighbours`] | each record's nearest -> pairs beside those of the keys |
//! | compare | `level` | two records' filters -> [`Pattern`] of agreement levels |
//! | count | `histogram`, `sample` | candidates and random pairs -> numbers of pairs by pattern |
//! | estimate | `estimate`, `weight`, `compete`, `frequency` | -> m, u, match weights, posteriors |
//! | judge | `calibration`, `report` | -> threshold, expected quality, what can be shown |
//!
//! A filter's level weighs log2(m / u) bits: m is its share among records of one person, u among
//! strangers. A value that either record lacks weighs nothing. The bits of all filters and the
//! prior odds add up to a pair's log odds; where a record has one partner at most, pairs of one
//! record compete for it (`compete`). A pair's score is then its posterior probability.
//!
//! All results are the same whatever the number of threads.

mod calibration;
mod compete;
mod estimate;
mod frequency;
mod histogram;
mod level;
mod neighbours;
mod report;
mod sample;
mod weight;

pub use level::{Comparison, LEVELS, Level, Pattern};
pub use neighbours::add_neighbours;
pub use report::{
    Basis, FilterReport, LevelReport, PATTERN_PAIRS_MIN, PATTERNS_MAX, PatternReport, Report,
};

use rayon::prelude::*;
use serde::Serialize;

use self::estimate::Evidence;
use self::frequency::Frequencies;
use self::histogram::Histogram;
use self::sample::Sample;
use super::{Calibration, one_to_one};
use crate::candidates::ScoredPair;
use crate::encode::Columns;

/// What is known of the owners' records beside their tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether a record has one partner at the other owner at most, so that its pairs compete.
    pub one_partner: bool,
    /// Whether agreement on rare values weighs more, for filters with frequency classes.
    pub term_frequency: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            one_partner: true,
            term_frequency: true,
        }
    }
}

/// Why no weights could be estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "reason")]
#[non_exhaustive]
pub enum Unfit {
    /// The tokens are not made of filters.
    #[error("the tokens are not made of filters")]
    NoFilters,
    /// No two candidates have a value in common to compare.
    #[error("no candidate pair has a value of any filter in both records")]
    NothingToCompare,
}

/// What [`score`] found.
#[derive(Debug)]
pub struct Scored {
    /// The one-to-one assignment of the scored pairs without a threshold; all of them where a
    /// record may have several partners.
    pub assigned: Vec<ScoredPair>,
    /// The probability that links, and the expected quality.
    pub calibration: Calibration,
    /// The model.
    pub report: Report,
}

/// Estimates the model from candidate `pairs` of two owners, which are in order of (a, b), and
/// makes each pair's score its posterior probability of being one person's. Pairs with next to no
/// chance are dropped.
///
/// # Errors
/// [`Unfit`] where there is not enough to estimate from; the pairs are then as before.
pub fn score(
    (a, b): (&Columns<'_>, &Columns<'_>),
    pairs: &mut Vec<ScoredPair>,
    settings: Settings,
) -> Result<Scored, Unfit> {
    if a.header.segments.is_empty() {
        return Err(Unfit::NoFilters);
    }
    let comparison = Comparison::new(a, b);
    let histogram = Histogram::of(&comparison, pairs);
    if histogram.patterns.iter().all(|pattern| pattern.is_empty()) {
        return Err(Unfit::NothingToCompare);
    }
    let rows = (a.len(), b.len());
    let sample = Sample::draw(&comparison, pairs, rows);
    let frequencies = if settings.term_frequency {
        Frequencies::count(a, b)
    } else {
        Frequencies::none()
    };
    let evidence = Evidence::new(
        pairs,
        &histogram,
        &sample,
        &frequencies,
        (rows, settings.one_partner),
    );
    let estimate = evidence.estimate();
    let (contenders, chances) = evidence.chances(&estimate);
    let report = Report::new(&estimate, &histogram, &frequencies);
    pairs.par_iter_mut().for_each(|pair| pair.score = 0.0);
    for (contender, chance) in contenders.iter().zip(chances) {
        if let Some(pair) = pairs.get_mut(contender.pair as usize) {
            pair.score = chance;
        }
    }
    // What is left has some chance, or a link key that gives it one.
    pairs.retain(|pair| pair.score > 0.0);
    let assigned = if settings.one_partner {
        one_to_one(pairs, rows.0, rows.1)
    } else {
        pairs.clone()
    };
    Ok(Scored {
        calibration: calibration::calibration(&assigned, estimate.matched),
        assigned,
        report,
    })
}

#[cfg(test)]
mod tests;
