//! Which pairs of records are compared.
//!
//! Small inputs are compared exhaustively. Larger ones propose the pairs that share a link key or a
//! block key, or, without block keys and where tokens are not diffused, the pairs whose tokens are
//! alike at drawn positions. Either way each pair comes once, with its agreement and the first
//! link-key rule that it shares.

mod change;
mod exhaustive;
mod hits;
mod join;
mod keyed;
mod linked;
mod lsh;
mod order;
mod plan;
mod radix;
mod score;
mod split;
mod survey;
mod tune;
mod update;

use serde::{Deserialize, Serialize};

pub use change::Change;
pub use plan::{Costs, Estimate, Plan, RuleEstimate};
pub use split::{Cut, Splitter};
pub use update::FullSearch;

use self::plan::Choice;
use crate::encode::Columns;
use crate::schema::CandidateSettings;

/// Pairs that a run lists at most, about: 1.2 GB. Where more are expected, the floor is raised.
const PAIRS_LISTED_MAX: u64 = 50_000_000;

/// The same for tokens of filters, for each record of either side, and in all at least: each listed
/// pair is compared filter by filter and weighed in every round of the estimation. A record has a
/// partner or two and a few rivals; what agrees less than those is strangers, who are sampled.
const FILTER_PAIRS_EACH: u64 = 4;
const FILTER_PAIRS_LEAST: u64 = 1_000_000;

/// Pairs of two sides that a run lists at most, about.
fn listed_max(a: &Columns<'_>, b: &Columns<'_>) -> u64 {
    if a.header.segments.is_empty() {
        return PAIRS_LISTED_MAX;
    }
    let each = FILTER_PAIRS_EACH * (a.len() + b.len()) as u64;
    each.clamp(FILTER_PAIRS_LEAST, PAIRS_LISTED_MAX)
}

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
    /// Records that share a link key or whose tokens are alike at drawn positions.
    TokenBits,
    /// Records that share a key or whose tokens are alike at drawn positions.
    KeysAndTokenBits,
}

/// What one rule of block keys proposed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCount {
    /// Pairs proposed: those that share the rule's key, less those left out.
    pub pairs: u64,
    /// Blocks that were split because they would propose more pairs than the schema's
    /// `block_pairs_max`.
    pub blocks_split: u64,
    /// Pairs that those blocks proposed nevertheless.
    pub pairs_split: u64,
    /// Blocks of which pairs were left out.
    pub blocks_left_out: u64,
    /// Pairs in those blocks that nothing else brought together.
    pub pairs_left_out: u64,
}

impl RuleCount {
    /// Adds what another part of the rule's blocks proposed.
    pub fn add(&mut self, other: &Self) {
        self.pairs += other.pairs;
        self.blocks_split += other.blocks_split;
        self.pairs_split += other.pairs_split;
        self.blocks_left_out += other.blocks_left_out;
        self.pairs_left_out += other.pairs_left_out;
    }

    /// Adds a block that was cut.
    pub fn cut(&mut self, cut: Cut) {
        self.add(&Self {
            pairs: cut.proposed,
            blocks_split: 1,
            pairs_split: cut.proposed,
            blocks_left_out: u64::from(cut.left_out > 0),
            pairs_left_out: cut.left_out,
        });
    }
}

/// What the tokens' bits proposed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenBits {
    /// Positions that each table drew.
    pub bits: u32,
    /// Number of tables.
    pub tables: u32,
    /// Share of the pairs sought (`lsh_agreement` in the schema) that the tables bring together,
    /// estimated from a sample before the run, less one standard error.
    pub recall: f64,
    /// Sums over the tables; a pair that several propose counts several times.
    pub count: RuleCount,
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
    /// Pairs compared. Where the floor is above 0, a pair that several rules propose is compared,
    /// and counted, for each.
    pub compared: u64,
    /// Counts of the block-key rules, in schema order; empty after an exhaustive comparison.
    pub block_rules: Vec<RuleCount>,
    /// What the tokens' bits proposed, if asked.
    pub token_bits: Option<TokenBits>,
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
    /// Nothing: all keys are dealt and joined. In memory always faster: to deal a key takes less
    /// than to ask the filter (10^7 records against 10^6, 10^5 and 10^4: 3.4, 1.5 and 1.3 seconds
    /// of one core; with the filter 4.8, 2.9 and 2.3, at the same peak of memory).
    Off,
    /// A Bloom filter over the smaller side's keys: for keys that are dear to keep, as in files.
    Bloom,
}

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
    keyed::find((a, b, Side::Across), settings, prefilter, None)
}

/// Candidate pairs among one owner's own records, found in the same way as [`across`].
pub fn within(batch: &Columns<'_>, settings: &CandidateSettings) -> Candidates {
    find(batch, batch, settings, Side::Within)
}

/// The pairs of two owners' records that share a link key, and those in identity conflict.
#[derive(Debug)]
pub struct LinkedPairs {
    shared: Vec<(u32, u32)>,
    conflicts: Vec<(u32, u32)>,
}

impl LinkedPairs {
    /// Pairs that a link key may join, or that an identity keeps apart.
    pub fn joined(&self) -> impl Iterator<Item = (u32, u32)> {
        self.shared.iter().chain(&self.conflicts).copied()
    }

    /// Pairs of which each is the other's only partner.
    pub fn single(&self, rows_a: usize, rows_b: usize) -> Vec<(u32, u32)> {
        let (mut a, mut b) = (vec![0_u8; rows_a], vec![0_u8; rows_b]);
        let count = |partners: &mut [u8], row: u32| {
            if let Some(partners) = partners.get_mut(row as usize) {
                *partners = partners.saturating_add(1);
            }
        };
        for (row_a, row_b) in self.joined() {
            count(&mut a, row_a);
            count(&mut b, row_b);
        }
        let one = |partners: &[u8], row: u32| partners.get(row as usize) == Some(&1);
        let pairs = self.shared.iter().copied();
        pairs
            .filter(|(row_a, row_b)| one(&a, *row_a) && one(&b, *row_b))
            .collect()
    }
}

/// What the link keys say about two owners' records, without their tokens.
pub fn linked(a: &Columns<'_>, b: &Columns<'_>) -> LinkedPairs {
    let linked = linked::Linked::find((a, b, Side::Across), Prefilter::Off);
    LinkedPairs {
        shared: linked
            .links
            .iter()
            .map(|link| order::unpack(link.pair))
            .collect(),
        conflicts: linked.conflicts,
    }
}

/// Share of the pairs that one owner's block keys propose among its own records, each rule counted
/// by itself, whose tokens are both there; 1 where all are.
pub fn share_with_tokens(batch: &Columns<'_>) -> f64 {
    if batch.ones.iter().all(|ones| *ones > 0) {
        return 1.0;
    }
    let pairs = |count: u64| count * count.saturating_sub(1) / 2;
    let (mut all, mut with) = (0_u64, 0_u64);
    for column in &batch.block_keys {
        let rows = column.iter().zip(batch.ones).filter(|(key, _)| **key != 0);
        let mut keys: Vec<(u64, bool)> = rows.map(|(key, ones)| (*key, *ones > 0)).collect();
        keys.sort_unstable();
        for block in keys.chunk_by(|a, b| a.0 == b.0) {
            all += pairs(block.len() as u64);
            with += pairs(block.iter().filter(|(_, there)| *there).count() as u64);
        }
    }
    if all == 0 {
        1.0
    } else {
        with as f64 / all as f64
    }
}

/// The lowest agreement of the pairs that [`across`], or without `b` [`within`], lists: such that
/// the list fits the memory.
pub fn floor(a: &Columns<'_>, b: Option<&Columns<'_>>, settings: &CandidateSettings) -> f64 {
    let sides = match b {
        Some(b) => (a, b, Side::Across),
        None => (a, a, Side::Within),
    };
    survey::Survey::new(sides, settings, None).floor(settings.agreement_min())
}

/// How [`across`], or without `b` [`within`], finds its pairs.
pub fn method(a: &Columns<'_>, b: Option<&Columns<'_>>, settings: &CandidateSettings) -> Method {
    let sides = match b {
        Some(b) => (a, b, Side::Across),
        None => (a, a, Side::Within),
    };
    Choice::new(sides, settings).method
}

/// What [`across`] will do and cost, and what its alternatives would.
pub fn plan(a: &Columns<'_>, b: &Columns<'_>, settings: &CandidateSettings, costs: &Costs) -> Plan {
    plan::plan((a, b, Side::Across), settings, costs)
}

/// What [`across`] finds in `new`, from what it found in `old`: bit for bit the same, at the cost
/// of the records that have changed. See [`FullSearch`] for when that cannot be.
///
/// # Errors
/// [`FullSearch`] where only [`across`] itself is sure to find the same.
pub fn across_updated(
    old: (&Columns<'_>, &Columns<'_>, &Candidates),
    new: (&Columns<'_>, &Columns<'_>),
    changes: (&Change, &Change),
    settings: &CandidateSettings,
) -> Result<Candidates, FullSearch> {
    let before = update::Before {
        sides: (old.0, old.1, Side::Across),
        found: old.2,
    };
    update::updated(before, (new.0, new.1, Side::Across), changes, settings)
}

/// What [`within`] finds in `new`, from what it found in `old`, in the way of [`across_updated`].
///
/// # Errors
/// [`FullSearch`] where only [`within`] itself is sure to find the same.
pub fn within_updated(
    old: (&Columns<'_>, &Candidates),
    new: &Columns<'_>,
    change: &Change,
    settings: &CandidateSettings,
) -> Result<Candidates, FullSearch> {
    let before = update::Before {
        sides: (old.0, old.0, Side::Within),
        found: old.1,
    };
    update::updated(before, (new, new, Side::Within), (change, change), settings)
}

fn find(a: &Columns<'_>, b: &Columns<'_>, settings: &CandidateSettings, side: Side) -> Candidates {
    let choice = Choice::new((a, b, side), settings);
    match choice.method {
        Method::AllPairs => exhaustive::find((a, b, side), settings),
        Method::Keys | Method::TokenBits | Method::KeysAndTokenBits => keyed::find(
            (a, b, side),
            settings,
            Prefilter::Off,
            choice.tables.as_ref(),
        ),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
