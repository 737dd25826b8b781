//! Which pairs of records are compared.
//!
//! Small inputs are compared exhaustively. Larger ones propose the pairs that share a link key or a
//! block key. Either way each pair comes once, with its agreement and the first link-key rule that
//! it shares.

mod exhaustive;
mod keyed;
mod linked;

use serde::Serialize;

use crate::encode::Columns;
use crate::schema::CandidateSettings;

/// A candidate pair with its agreement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredPair {
    /// Row in the first batch.
    pub a: u32,
    /// Row in the second batch.
    pub b: u32,
    /// Index of the most precise link-key rule that both records share.
    pub link_rule: Option<u8>,
    /// Agreement of the tokens, 0..=1.
    pub score: f64,
}

/// How the pairs were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Every record with every record.
    AllPairs,
    /// Records that share a key.
    Keys,
}

/// What one rule of link keys or block keys proposed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// Pairs that share the rule's key.
    pub pairs: u64,
    /// Blocks left out because they would propose more pairs than the schema's `block_pairs_max`.
    pub blocks_left_out: u64,
    /// Pairs in those blocks.
    pub pairs_left_out: u64,
}

/// The candidate pairs of two batches.
#[derive(Debug)]
pub struct Candidates {
    /// The pairs, in order of (a, b).
    pub pairs: Vec<ScoredPair>,
    /// How they were found.
    pub method: Method,
    /// Lowest agreement that was kept: pairs below are not listed unless they share a link key.
    pub floor: f64,
    /// Pairs compared.
    pub compared: u64,
    /// Counts of the block-key rules, in schema order; empty after an exhaustive comparison.
    pub block_rules: Vec<RuleCount>,
    /// Pairs that share an identity and contradict each other in everything that should support it:
    /// one number under two names, in order of (a, b). They are no candidates.
    pub identity_conflicts: Vec<(u32, u32)>,
}

/// Most pairs that one value of a link key may link: beyond eight records on either side it is a
/// shared default (an agent's number, a clerk's filler), not an identity.
pub const LINK_PAIRS_MAX: u64 = 64;

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Two owners' records.
    Across,
    /// One owner's records among themselves, each pair once and none with itself: strangers by and
    /// large, from which false agreement is estimated.
    Within,
}

/// What keeps keys that the other side lacks out of a join. The pairs are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefilter {
    /// Nothing: all keys are collected and sorted. Faster.
    Off,
    /// A Bloom filter over the smaller side's keys. Smaller.
    Bloom,
}

/// Rows of the larger side from which memory counts for more than time: a join's keys then take 16
/// to 32 MB a rule and side.
const PREFILTER_ROWS_MIN: usize = 1_000_000;

/// Candidate pairs across two owners' batches.
pub fn across(a: &Columns<'_>, b: &Columns<'_>, settings: &CandidateSettings) -> Candidates {
    find(a, b, settings, Side::Across)
}

/// Candidate pairs across two owners' batches by keys, whatever their size: what [`across`] does on
/// large inputs, with the choice of the pre-filter.
pub fn across_by_keys(
    a: &Columns<'_>,
    b: &Columns<'_>,
    settings: &CandidateSettings,
    prefilter: Prefilter,
) -> Candidates {
    keyed::find(a, b, settings, Side::Across, prefilter)
}

/// Candidate pairs among one owner's own records, found in the same way as [`across`].
pub fn within(batch: &Columns<'_>, settings: &CandidateSettings) -> Candidates {
    find(batch, batch, settings, Side::Within)
}

fn find(a: &Columns<'_>, b: &Columns<'_>, settings: &CandidateSettings, side: Side) -> Candidates {
    let pairs = a.len() as u64 * b.len() as u64;
    if pairs <= settings.all_pairs_max {
        exhaustive::find(a, b, side)
    } else {
        let large = a.len().max(b.len()) >= PREFILTER_ROWS_MIN;
        let prefilter = if large {
            Prefilter::Bloom
        } else {
            Prefilter::Off
        };
        keyed::find(a, b, settings, side, prefilter)
    }
}

#[cfg(test)]
mod tests;
