//! What finding candidates will cost, and which way of it is taken.

use serde::Serialize;

use super::keyed::Sides;
use super::lsh::{Draws, Tables};
use super::score::Scorer;
use super::survey::{RuleSurvey, Survey};
use super::{Method, ScoredPair};
use crate::encode::Columns;
use crate::schema::{CandidateSettings, Lsh, Profile};

/// Nanoseconds of one core for the steps that all ways are made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Costs {
    /// Comparing two tokens in the cache, whatever their length.
    pub pair_ns: f64,
    /// For each 64 bits of theirs, in addition.
    pub word_ns: f64,
    /// Dealing one record's key to its partition and joining it.
    pub entry_ns: f64,
    /// Fetching a token from anywhere in memory.
    pub fetch_ns: f64,
    /// For each 64 bits of two tokens, where every record meets every other.
    pub all_word_ns: f64,
}

impl Default for Costs {
    /// As `candidates_scale` takes on 10^6 to 10^7 records a side: one core at about 3.7 GHz with
    /// AVX-512, its memory shared with other work.
    fn default() -> Self {
        Self {
            pair_ns: 1.5,
            word_ns: 0.12,
            entry_ns: 60.0,
            fetch_ns: 20.0,
            all_word_ns: 0.06,
        }
    }
}

/// Rows that [`Costs::measured`] compares with each other.
const MEASURED_ROWS: usize = 1024;

impl Costs {
    /// The costs on this machine, by comparing some of the records. `seconds` runs what it is given
    /// and says how long that took. They scale the figures of a plan; what is chosen does not
    /// depend on them, since a run's result must not depend on the machine.
    pub fn measured(
        a: &Columns<'_>,
        b: &Columns<'_>,
        seconds: impl FnOnce(&mut dyn FnMut()) -> f64,
    ) -> Self {
        let (rows_a, rows_b) = (a.len().min(MEASURED_ROWS), b.len().min(MEASURED_ROWS));
        let scorer = Scorer::new(a, b, super::Side::Across, 0.9);
        let mut agreeing = 0_u32;
        let took = seconds(&mut || {
            scorer.ranges(0..rows_a, 0..rows_b, &mut |_, _, _| agreeing += 1);
        });
        let pairs = (rows_a as f64 * rows_b as f64).max(1.0);
        let usual = Self::default();
        let faster = usual.compare_ns(a.width()) / (took * 1e9 / pairs).max(0.01);
        Self {
            pair_ns: usual.pair_ns / faster,
            word_ns: usual.word_ns / faster,
            entry_ns: usual.entry_ns,
            fetch_ns: usual.fetch_ns,
            all_word_ns: usual.all_word_ns / faster,
        }
    }

    fn compare_ns(&self, words: usize) -> f64 {
        self.pair_ns + self.word_ns * words as f64
    }

    /// Seconds of comparing every record with every other, at the full width of the tokens; less
    /// where few pairs agree enough.
    fn all_pairs_seconds(&self, pairs: f64, words: usize) -> f64 {
        pairs * self.all_word_ns * words as f64 * 1e-9
    }

    /// Seconds of `passes` joins of `entries` records that compare `pairs` pairs of `words` words.
    pub(super) fn pass_seconds(&self, entries: f64, passes: f64, pairs: f64, words: usize) -> f64 {
        // A record is fetched once for all of its partners in a join.
        let fetched = pairs.min(entries * passes);
        let each = entries * passes * self.entry_ns + fetched * self.fetch_ns;
        (each + pairs * self.compare_ns(words)) * 1e-9
    }
}

/// The ways of finding candidates, what each would cost, and the one that is taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Records of the first side.
    pub rows_a: u64,
    /// Records of the second side.
    pub rows_b: u64,
    /// The way that is taken.
    pub method: Method,
    /// Every way, whether it may be taken or not.
    pub options: Vec<Estimate>,
    /// What each rule of block keys proposes, in schema order.
    pub block_rules: Vec<RuleEstimate>,
    /// Positions that a table of token bits draws; none if there is no such table.
    pub bits: Option<u32>,
    /// Number of tables of token bits.
    pub tables: Option<u32>,
    /// Agreement below which pairs are not listed, so that the list fits the memory.
    pub floor: f64,
}

/// What one way of finding candidates costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The way.
    pub method: Method,
    /// Why it may not be taken.
    pub refused: Option<&'static str>,
    /// Comparisons.
    pub pairs: f64,
    /// Seconds of one core; on more cores, divide.
    pub cpu_seconds: f64,
    /// Memory beyond the records themselves, in bytes.
    pub bytes: f64,
    /// Share of the pairs sought that are compared, where it is known: 1 for all pairs, sampled
    /// for token bits.
    pub recall: Option<f64>,
}

/// What one rule of block keys proposes, estimated from a sample of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RuleEstimate {
    /// Records of both sides that have the key.
    pub entries: f64,
    /// Pairs in blocks within `block_pairs_max`.
    pub pairs: f64,
    /// Blocks beyond it, which are split.
    pub blocks_over: f64,
    /// Pairs in those before they are split.
    pub pairs_over: f64,
}

impl From<&RuleSurvey> for RuleEstimate {
    fn from(rule: &RuleSurvey) -> Self {
        Self {
            entries: rule.entries,
            pairs: rule.pairs,
            blocks_over: rule.blocks_over,
            pairs_over: rule.pairs_over,
        }
    }
}

/// What is taken.
pub(super) struct Choice {
    pub method: Method,
    pub tables: Option<Tables>,
}

impl Choice {
    /// Depends on the records and the settings alone.
    pub fn new(sides: Sides<'_, '_>, settings: &CandidateSettings) -> Self {
        let (a, b, _) = sides;
        let keys = a.header.block_keys > 0;
        if all_pairs(a, b) <= settings.all_pairs_max {
            return Self {
                method: Method::AllPairs,
                tables: None,
            };
        }
        let draws = Draws::new(a, b).filter(|_| by_token_bits(a, settings));
        let Some(draws) = draws else {
            return Self {
                method: Method::Keys,
                tables: None,
            };
        };
        let costs = Costs::default();
        let tables = Tables::choose(sides, &draws, settings, &costs);
        let all = costs.all_pairs_seconds(all_pairs(a, b) as f64, a.width());
        let cheaper = all <= tables_seconds(a, b, &tables, &costs);
        if !keys && cheaper && settings.all_pairs_max > 0 {
            return Self {
                method: Method::AllPairs,
                tables: None,
            };
        }
        Self {
            method: if keys {
                Method::KeysAndTokenBits
            } else {
                Method::TokenBits
            },
            tables: Some(tables),
        }
    }
}

/// Whether candidates are also taken from the tokens' bits: as declared, or if there is no block
/// key.
fn by_token_bits(a: &Columns<'_>, settings: &CandidateSettings) -> bool {
    match settings.lsh {
        Some(Lsh::Off) => false,
        Some(Lsh::Auto) => true,
        None => a.header.block_keys == 0,
    }
}

fn all_pairs(a: &Columns<'_>, b: &Columns<'_>) -> u64 {
    a.len() as u64 * b.len() as u64
}

fn tables_seconds(a: &Columns<'_>, b: &Columns<'_>, tables: &Tables, costs: &Costs) -> f64 {
    let entries = (a.len() + b.len()) as f64;
    costs.pass_seconds(entries, tables.count.into(), tables.pairs, a.width())
}

/// The plan for two sides.
pub(super) fn plan(sides: Sides<'_, '_>, settings: &CandidateSettings, costs: &Costs) -> Plan {
    let (a, b, _) = sides;
    let choice = Choice::new(sides, settings);
    let draws = Draws::new(a, b);
    let tables = choice.tables.or_else(|| {
        let draws = draws.as_ref()?;
        Some(Tables::choose(sides, draws, settings, &Costs::default()))
    });
    let survey = Survey::of(sides, settings, choice.tables.as_ref());
    let keys = by_keys(a, &survey, costs);
    let mut options = vec![by_all_pairs(a, b, &choice, costs), keys.clone()];
    if let Some(tables) = &tables {
        let bits = by_tables(a, b, tables, settings, costs);
        if a.header.block_keys > 0 {
            options.push(Estimate {
                method: Method::KeysAndTokenBits,
                pairs: bits.pairs + keys.pairs,
                cpu_seconds: bits.cpu_seconds + keys.cpu_seconds,
                bytes: bits.bytes.max(keys.bytes),
                ..bits
            });
        } else {
            options.push(bits);
        }
    }
    Plan {
        rows_a: a.len() as u64,
        rows_b: b.len() as u64,
        method: choice.method,
        options,
        block_rules: survey.rules.iter().map(RuleEstimate::from).collect(),
        bits: choice.tables.map(|tables| tables.bits),
        tables: choice.tables.map(|tables| tables.count),
        floor: survey.floor(settings.agreement_min()),
    }
}

fn by_all_pairs(a: &Columns<'_>, b: &Columns<'_>, choice: &Choice, costs: &Costs) -> Estimate {
    let pairs = all_pairs(a, b) as f64;
    let larger = a.len().max(b.len()) as f64;
    Estimate {
        method: Method::AllPairs,
        refused: (choice.method != Method::AllPairs)
            .then_some("more pairs than all_pairs_max allows"),
        pairs,
        cpu_seconds: costs.all_pairs_seconds(pairs, a.width()),
        // About eight listed pairs a record.
        bytes: 8.0 * larger * size_of::<ScoredPair>() as f64,
        recall: Some(1.0),
    }
}

fn by_keys(a: &Columns<'_>, survey: &Survey, costs: &Costs) -> Estimate {
    let sum = |of: fn(&RuleSurvey) -> f64| survey.rules.iter().map(of).sum::<f64>();
    let pairs = sum(|rule| rule.pairs);
    let most = survey.rules.iter().map(|rule| rule.entries);
    let listed = pairs.min(survey.listed_max);
    Estimate {
        method: Method::Keys,
        refused: (a.header.block_keys == 0 && a.header.link_columns.is_empty())
            .then_some("the schema has no keys"),
        pairs,
        cpu_seconds: costs.pass_seconds(sum(|rule| rule.entries), 1.0, pairs, a.width()),
        bytes: pass_bytes(most.fold(0.0, f64::max), listed),
        recall: None,
    }
}

fn by_tables(
    a: &Columns<'_>,
    b: &Columns<'_>,
    tables: &Tables,
    settings: &CandidateSettings,
    costs: &Costs,
) -> Estimate {
    let declared = a.header.profile != Profile::Hardened && by_token_bits(a, settings);
    let listed = tables.pairs.min(super::PAIRS_LISTED_MAX as f64);
    Estimate {
        method: Method::TokenBits,
        refused: (!declared).then_some("the schema does not ask for it with lsh = \"auto\""),
        pairs: tables.pairs,
        cpu_seconds: tables_seconds(a, b, tables, costs),
        bytes: pass_bytes((a.len() + b.len()) as f64, listed),
        recall: Some(tables.recall),
    }
}

/// Bytes of one join's entries, and of its listed pairs twice: once as found, once in order.
fn pass_bytes(entries: f64, listed: f64) -> f64 {
    16.0 * entries + 2.0 * listed * size_of::<ScoredPair>() as f64
}
