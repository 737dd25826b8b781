//! What a report is made of: plain numbers and words, no type of another module.
//!
//! The same structs are written to `report.json`, so the names below are the names of that file.
//! A figure that is not finite is written as `null` there and as an en dash in the page.

use serde::{Serialize, Serializer};

use super::count::Count;

/// Everything one report shows.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Heading of the page and of the browser window.
    pub title: String,
    /// When the report was made, as shown (RFC 3339 reads well).
    pub generated_at: String,
    /// Version of the program that made it.
    pub linkage_version: String,
    /// One linkage of one kind of record each (persons, enterprises), in the order they ran.
    pub rounds: Vec<Round>,
    /// What each party held or learned, in the order of the picture's rows.
    pub parties: Vec<WhatPartySaw>,
    /// One line per audit log that was checked.
    pub audit: Vec<AuditResult>,
    /// One line per process that took part.
    pub processes: Vec<ProcessUse>,
}

/// One linkage from upload to released tables.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Round {
    /// Name of the round, for example the kind of record.
    pub name: String,
    /// One or two sentences on what was linked.
    pub description: String,
    /// One line per owner that took part.
    pub datasets: Vec<DatasetLine>,
    /// Bytes that moved after the upload (the upload itself is in `datasets`).
    pub flows: Vec<Flow>,
    /// One entry per pair of owners that was compared.
    pub pairs: Vec<PairQuality>,
    /// Clusters of the link map by size.
    pub clusters: Vec<ClusterSize>,
    /// Quality over all pairs of owners, where the truth is known.
    pub overall: Option<Quality>,
    /// What each stage took, in the order the stages ran.
    pub stages: Vec<Stage>,
    /// Tables that were released to the analyst.
    pub tables: Vec<TableView>,
}

/// What one owner read and sent.
#[derive(Debug, Clone, Serialize)]
pub struct DatasetLine {
    /// The owner's name.
    pub owner: String,
    /// Rows read from its source.
    pub rows_read: u64,
    /// Rows that could not be used and were not sent.
    pub rows_rejected: u64,
    /// Tokens sent to the matcher.
    pub tokens_sent: u64,
    /// Bytes sent to the matcher with them.
    pub bytes_sent: u64,
}

/// Bytes of one party in one step after the upload.
#[derive(Debug, Clone, Serialize)]
pub struct Flow {
    /// Which step.
    pub step: FlowStep,
    /// The owner that received (positions) or sent (tables, release).
    pub party: String,
    /// Bytes moved.
    pub bytes: u64,
}

/// The steps after the upload, in flow order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowStep {
    /// Matcher to owner: one position per record.
    Positions,
    /// Owner to owner: ciphertexts of the oblivious tables.
    Tables,
    /// Owner to analyst: the released tables.
    Release,
}

/// How well one pair of owners was linked.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PairQuality {
    /// The two owners.
    pub owners: (String, String),
    /// Scores of the candidate pairs.
    pub histogram: Histogram,
    /// Scores from here on are links.
    pub threshold: f64,
    /// Quality as the matcher estimates it, without the truth.
    pub estimated: Option<Quality>,
    /// Quality counted against the truth.
    pub measured: Option<Quality>,
    /// Measured quality at other thresholds, ascending.
    pub curve: Vec<CurvePoint>,
    /// Estimated quality at other thresholds, ascending.
    pub estimated_curve: Vec<CurvePoint>,
    /// How the candidate pairs were found.
    pub candidates: Option<CandidateUse>,
    /// What each filter's agreement weighs, under the `fields` profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
}

/// How the candidate pairs of two owners were found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CandidateUse {
    /// All pairs, keys, token bits, or keys and token bits.
    pub method: String,
    /// Pairs compared.
    pub compared: u64,
    /// Share of all pairs that was not compared.
    pub reduction_ratio: f64,
    /// Share of the true pairs that were candidates; none without the truth.
    pub pair_completeness: Option<f64>,
    /// Assigned pairs that share a link key.
    pub keyed: Count,
    /// Whether there are links, and every one of them shares a link key: none by its score.
    pub only_keyed: bool,
    /// Pairs with one number and everything else contradicting; not linked.
    pub identity_conflicts: Count,
    /// Of the block keys, in the schema's order.
    pub block_keys: Vec<BlockKeyUse>,
    /// Tables of token bits, if any: bits of a table, tables, pairs proposed.
    pub token_bits: Option<(u32, u32, u64)>,
}

/// What one block key proposed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BlockKeyUse {
    /// Its name.
    pub name: String,
    /// Pairs proposed.
    pub pairs: u64,
    /// Blocks cut because they held more pairs than the schema allows.
    pub blocks_cut: u64,
    /// Pairs of those blocks that nothing else brought together: not compared.
    pub pairs_left_out: u64,
}

/// What the agreement of each filter of a token says about a pair.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Weights {
    /// By filter.
    pub filters: Vec<FilterWeights>,
    /// log2 of the odds that two records are partners before they are compared.
    pub prior_bits: f64,
    /// Frequent patterns of agreement that show how weights add up.
    pub examples: Vec<PatternWeights>,
}

/// One filter.
#[derive(Debug, Clone, Serialize)]
pub struct FilterWeights {
    /// Its name.
    pub name: String,
    /// Its levels, the strongest agreement first.
    pub levels: Vec<LevelWeights>,
}

/// One level of agreement.
#[derive(Debug, Clone, Serialize)]
pub struct LevelWeights {
    /// A word for it.
    pub level: String,
    /// Share among links.
    pub m: f64,
    /// Share among strangers.
    pub u: f64,
    /// Match weight in bits.
    pub bits: f64,
}

/// Pairs that agree alike in every filter.
#[derive(Debug, Clone, Serialize)]
pub struct PatternWeights {
    /// What it stands for.
    pub name: String,
    /// Level and bits of each filter.
    pub steps: Vec<(String, f64)>,
    /// Candidate pairs like this.
    pub pairs: u64,
    /// Expected number of links among them.
    pub links: f64,
}

/// Counts of candidate pairs by score.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Histogram {
    /// Bin borders, strictly ascending, one more than there are counts.
    #[serde(serialize_with = "short_all")]
    pub edges: Vec<f64>,
    /// Candidate pairs per bin; `None` where the count is withheld because it is below `k`.
    pub counts: Vec<Option<u64>>,
    /// Counts from 1 to `k - 1` are withheld; `None` when every count is shown.
    pub k: Option<u64>,
    /// Pairs of different people or enterprises that each bin is expected to hold.
    #[serde(serialize_with = "short_if_any")]
    pub null_counts: Option<Vec<f64>>,
}

/// Quality at one threshold.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CurvePoint {
    /// The threshold.
    #[serde(serialize_with = "short")]
    pub threshold: f64,
    /// Share of the found links that are correct, 0 to 1.
    #[serde(serialize_with = "short")]
    pub precision: f64,
    /// Share of the true links that are found, 0 to 1.
    #[serde(serialize_with = "short")]
    pub recall: f64,
    /// Harmonic mean of the two.
    #[serde(serialize_with = "short")]
    pub f1: f64,
}

/// Precision, recall and F1, with the counts behind them where they are known.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Quality {
    /// Share of the found links that are correct, 0 to 1.
    #[serde(serialize_with = "short")]
    pub precision: f64,
    /// Share of the true links that are found, 0 to 1.
    #[serde(serialize_with = "short")]
    pub recall: f64,
    /// Harmonic mean of the two.
    #[serde(serialize_with = "short")]
    pub f1: f64,
    /// 95 % interval of F1, lower and upper end.
    pub f1_interval: Option<(f64, f64)>,
    /// Links that exist.
    pub true_links: Option<Count>,
    /// Links that were found.
    pub found_links: Option<Count>,
    /// Found links that exist.
    pub correct_links: Option<Count>,
}

/// How many clusters have one size.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ClusterSize {
    /// Records in the cluster.
    pub size: usize,
    /// Clusters of this size.
    pub count: Count,
}

/// What one stage took.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// Name of the stage.
    pub name: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// CPU time of all threads in seconds, where it was measured.
    pub cpu_seconds: Option<f64>,
    /// Highest memory of the process from its start to the end of the stage, in bytes, where it was
    /// measured.
    pub memory_peak_bytes: Option<u64>,
    /// What was done in it, for example a count and a rate.
    pub detail: String,
}

/// One released table and how it was protected.
#[derive(Debug, Clone, Serialize)]
pub struct TableView {
    /// The extract request.
    pub sql: String,
    /// What a cell holds, for example `count(*)`.
    pub measure: String,
    /// Dimension whose labels head the rows.
    pub row_dimension: Dimension,
    /// Dimension whose labels head the columns; without one the table has a single column.
    pub column_dimension: Option<Dimension>,
    /// Cells by row, then column.
    pub cells: Vec<Vec<Cell>>,
    /// Threshold k: cells that count fewer records are not released.
    pub k: u64,
    /// Lowest noised count that is released: `k` and, where noise was added, a margin for it.
    pub shown_min: u64,
    /// Privacy loss of this table, where noise was added.
    pub epsilon: Option<f64>,
    /// Standard deviation of the noise in each cell, in units of the measure.
    pub noise_sd: Option<f64>,
    /// How the cells were protected, in words.
    pub method_note: String,
    /// Cells computed from the raw data of all owners; exists only where one program made that
    /// data itself, and is never part of a release.
    pub true_cells: Option<Vec<Vec<i64>>>,
}

/// One dimension of a released table.
#[derive(Debug, Clone, Serialize)]
pub struct Dimension {
    /// Owner that holds the attribute.
    pub owner: String,
    /// Name of the attribute.
    pub name: String,
    /// Its values in the order of the rows or columns.
    pub labels: Vec<String>,
}

/// One cell of a released table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Released; with noise it may lie below zero.
    Value(i64),
    /// Primary suppression: the count is below `shown_min`.
    BelowK,
    /// Complementary suppression: withheld so that no cell below k can be computed from the rest.
    Complementary,
}

/// What one party held or learned of each kind of data.
#[derive(Debug, Clone, Serialize)]
pub struct WhatPartySaw {
    /// The party's name.
    pub party: String,
    /// Its role, a word of the glossary.
    pub role: String,
    /// Names, numbers, birth dates.
    pub identifiers: Sight,
    /// Project keys.
    pub keys: Sight,
    /// Encoded records.
    pub tokens: Sight,
    /// Which records belong together.
    pub link_map: Sight,
    /// Owners' values used in tables.
    pub attributes: Sight,
    /// The released tables.
    pub table: Sight,
    /// Bytes received by the party's process.
    pub bytes_in: u64,
    /// Bytes sent by it.
    pub bytes_out: u64,
}

/// How much a party saw of one kind of data.
#[derive(Debug, Clone, Serialize)]
pub struct Sight {
    /// The grade, shown as a word and a symbol.
    pub level: Level,
    /// A few words of detail; may be empty.
    pub text: String,
}

/// Grades of seeing data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The party's own data, and nobody else's.
    Own,
    /// Nothing of it.
    Nothing,
    /// De-identified data about single records: not anonymous.
    Pseudonymous,
    /// What was released after disclosure control.
    Released,
}

/// Result of checking one audit log.
#[derive(Debug, Clone, Serialize)]
pub struct AuditResult {
    /// The node whose log it is.
    pub node: String,
    /// Entries in the log.
    pub entries: u64,
    /// Root hash of the log's last checkpoint, in hex.
    pub head_hash: String,
    /// Whether every entry, proof and signature held.
    pub verified: bool,
    /// What was checked, or the first thing that did not hold.
    pub detail: String,
}

/// What one process used.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessUse {
    /// Name of the process.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Highest resident memory in bytes.
    pub memory_peak_bytes: u64,
    /// CPU time in seconds, user and system.
    pub cpu_seconds: f64,
    /// Where its log lies.
    pub log_path: String,
}

/// Six decimals: what repeats for every pair of owners would else make most of the file.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference to the field"
)]
fn short<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(rounded(*value))
}

fn short_all<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().copied().map(rounded))
}

fn short_if_any<S: Serializer>(values: &Option<Vec<f64>>, to: S) -> Result<S::Ok, S::Error> {
    let values = values.as_ref();
    values
        .map(|values| values.iter().copied().map(rounded).collect::<Vec<f64>>())
        .serialize(to)
}
