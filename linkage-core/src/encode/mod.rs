//! Records to tokens, link keys and block keys. Only this module makes them, and only under a
//! project's key.
//!
//! | profile | token |
//! |---|---|
//! | `plain-clk` | one keyed Bloom filter of the record's features |
//! | `hardened` | that filter at a fill of about 0.45, then linear diffusion under the project's key |
//! | `fields` | a keyed Bloom filter for each declared filter, one after the other |
//!
//! A feature's positions follow from its keyed tag (`cache`). A record with too few features, or
//! under `hardened` with a filter too thin or too full, gets no token, is counted by
//! [`Refusal`], and takes part by its link keys only.

pub mod batch;
mod cache;
pub mod clkhash;
mod diffusion;
mod feature;
mod fill;
mod filter;
mod pinyin;
mod solver;
mod suite;
mod tag;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::Serialize;

use self::batch::Row;
use self::diffusion::{Diffusion, LANES};
use self::filter::{FILL_MAX, FILL_MIN, Filters, Workspace};
use self::tag::{FrequencyTagger, Room, Tagger, Tags};
use crate::keys::ProjectKey;
use crate::record::NormalRecord;
use crate::schema::Schema;

pub use batch::{Batch, BatchError, Columns, Header, LINK_KEY_BYTES};
pub use fill::{FillStatistics, expected_fill};
pub use solver::{Proposal, SAMPLE_MIN, SolverError, propose};

/// What records are compared by: a filter, diffused or not, by profile.
///
/// De-identified, not anonymous: equal and similar records have equal and similar tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    words: Box<[u64]>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Token({} of {} bits set)",
            self.ones(),
            self.words.len() * 64
        )
    }
}

impl Token {
    fn empty(words: usize) -> Self {
        Self {
            words: vec![0; words].into_boxed_slice(),
        }
    }

    /// The bits, 64 to a word; bit `i` is bit `i % 64` of word `i / 64`.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Number of set bits.
    pub fn ones(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }
}

/// Why a record has no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Fewer features than the schema's `features_min`, or a filter filled below 0.35 even after
    /// its weights were raised: a thin token identifies itself by its weight.
    Thin,
    /// A filter filled above 0.55: strangers' tokens would look alike.
    Overfull,
}

/// What an owner sends of a record: its token, its link keys and its block keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRecord {
    /// The token; without any bit when the record is given none.
    pub token: Token,
    /// Why the record has no token; the owner's own, not sent.
    pub refusal: Option<Refusal>,
    /// One tag per column of [`Schema::link_columns`], where the record has all its parts.
    pub link_keys: Vec<Option<[u8; LINK_KEY_BYTES]>>,
    /// One tag per block-key rule of the schema, where the record has all its parts.
    pub block_keys: Vec<Option<u64>>,
    /// Under the `fields` profile the keyed frequency class of each filter that declares one, in
    /// order; 0 where the value is missing. Empty under any other profile.
    pub classes: Vec<u16>,
}

/// Encodes the records of one owner under one project's key and schema.
pub struct Encoder<'a> {
    schema: &'a Schema,
    filters: Filters<'a>,
    diffusion: Option<Diffusion>,
    tags: Tagger<'a>,
    frequencies: FrequencyTagger,
    /// One for every thread of the pool: a thread keeps its cache from batch to batch.
    workspaces: Vec<Mutex<(Workspace, Room, Group)>>,
}

/// At most [`LANES`] encoded records, part by part; room that is used again from group to group.
#[derive(Default)]
struct Group {
    filters: Vec<u64>,
    /// Diffused tokens; without diffusion the filters are the tokens.
    tokens: Vec<u64>,
    refusals: Vec<Option<Refusal>>,
    tags: Tags,
}

impl<'a> Encoder<'a> {
    /// An encoder; derives one subkey per field and rule, and the diffusion matrix.
    pub fn new(schema: &'a Schema, key: &ProjectKey) -> Self {
        let workspace = |_| Mutex::new((Workspace::new(), Room::new(), Group::default()));
        Self {
            schema,
            filters: Filters::new(schema, key),
            diffusion: schema
                .token
                .diffusion()
                .map(|shape| Diffusion::new(key, schema.token.bits, shape)),
            tags: Tagger::new(schema, key),
            frequencies: FrequencyTagger::new(schema, key),
            workspaces: (0..rayon::current_num_threads()).map(workspace).collect(),
        }
    }

    /// Encodes one record. Many at a time cost far less each: see [`Encoder::records`].
    pub fn record(&self, record: &NormalRecord) -> EncodedRecord {
        let none = EncodedRecord {
            token: Token::empty(0),
            refusal: None,
            link_keys: vec![],
            block_keys: vec![],
            classes: vec![],
        };
        self.group(std::slice::from_ref(record))
            .pop()
            .unwrap_or(none)
    }

    /// Encodes many records, in order, on this thread.
    pub fn records_here(&self, records: &[NormalRecord]) -> Vec<EncodedRecord> {
        let groups = records.chunks(LANES);
        groups.flat_map(|group| self.group(group)).collect()
    }

    /// Encodes many records, in order, on all cores.
    pub fn records(&self, records: &[NormalRecord]) -> Vec<EncodedRecord> {
        records
            .par_chunks(LANES)
            .flat_map_iter(|group| self.group(group))
            .collect()
    }

    /// Encodes many records on this thread and hands each to `each`, in order, as a row of a batch:
    /// no memory is asked for. `each` must not encode.
    pub fn rows_here(&self, records: &[NormalRecord], mut each: impl FnMut(&Row<'_>)) {
        for group in records.chunks(LANES) {
            self.rows(group, |row, _| each(row));
        }
    }

    /// Encodes at most [`LANES`] records on this thread.
    fn group(&self, records: &[NormalRecord]) -> Vec<EncodedRecord> {
        let mut encoded = Vec::with_capacity(records.len());
        self.rows(records, |row, refusal| {
            encoded.push(EncodedRecord {
                token: Token {
                    words: row.token.into(),
                },
                refusal,
                link_keys: row.link_keys.to_vec(),
                block_keys: row.block_keys.to_vec(),
                classes: row.classes.to_vec(),
            });
        });
        encoded
    }

    /// Encodes at most [`LANES`] records on this thread and hands out each, in order.
    fn rows(&self, records: &[NormalRecord], mut each: impl FnMut(&Row<'_>, Option<Refusal>)) {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.workspaces.len().max(1);
        let Some(workspace) = self.workspaces.get(thread) else {
            return;
        };
        // A workspace is valid whatever a panicking thread left in it.
        let mut locked = workspace.lock().unwrap_or_else(PoisonError::into_inner);
        let (workspace, room, group) = &mut *locked;
        self.encode(records, workspace, room, group);
        let (tokens, words) = match self.diffusion {
            Some(_) => (&group.tokens, self.schema.token_bits() as usize / 64),
            None => (&group.filters, self.filters.words()),
        };
        let [link_keys, block_keys] = self.tags.columns();
        for (at, refusal) in group.refusals.iter().enumerate() {
            let row = Row {
                token: part(tokens, at, words),
                link_keys: part(&group.tags.link_keys, at, link_keys),
                block_keys: part(&group.tags.block_keys, at, block_keys),
                classes: part(&group.tags.classes, at, self.frequencies.len()),
            };
            each(&row, *refusal);
        }
    }

    fn encode(
        &self,
        records: &[NormalRecord],
        workspace: &mut Workspace,
        room: &mut Room,
        group: &mut Group,
    ) {
        let words = self.filters.words();
        group.filters.clear();
        group.filters.resize(words * records.len(), 0);
        group.refusals.clear();
        group.tags.clear();
        let filters = group.filters.chunks_exact_mut(words.max(1));
        for (record, filter) in records.iter().zip(filters) {
            let features = self.filters.fill(|at| record.value(at), workspace, filter);
            let refusal = self.refusal(features, filter);
            if refusal.is_some() {
                filter.fill(0);
            }
            group.refusals.push(refusal);
            self.tags.add(record, room, &mut group.tags);
            self.frequencies.add(record, &mut group.tags);
        }
        let Some(diffusion) = &self.diffusion else {
            return;
        };
        let length = self.schema.token_bits() as usize / 64;
        group.tokens.clear();
        group.tokens.resize(length * records.len(), 0);
        let filters: Vec<&[u64]> = group.filters.chunks_exact(words.max(1)).collect();
        diffusion.apply(&filters, |lane, word, bits| {
            if let Some(slot) = group.tokens.get_mut(lane * length + word) {
                *slot = bits;
            }
        });
    }

    /// Fill of the record's filter, and why it would be given no token.
    fn fill_of(&self, record: &NormalRecord) -> (f64, Option<Refusal>) {
        let Some(workspace) = self.workspaces.first() else {
            return (0.0, Some(Refusal::Thin));
        };
        let mut locked = workspace.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filter = vec![0_u64; self.filters.words()];
        let features = self
            .filters
            .fill(|at| record.value(at), &mut locked.0, &mut filter);
        let ones: u32 = filter.iter().map(|word| word.count_ones()).sum();
        let fill = f64::from(ones) / (filter.len().max(1) * 64) as f64;
        (fill, self.refusal(features, &filter))
    }

    /// Why a record with so many features and this filter is given no token.
    fn refusal(&self, features: u32, filter: &[u64]) -> Option<Refusal> {
        if features < self.schema.token.features_min.max(1) {
            return Some(Refusal::Thin);
        }
        self.diffusion.as_ref()?;
        let ones: u32 = filter.iter().map(|word| word.count_ones()).sum();
        let fill = f64::from(ones) / (filter.len() * 64) as f64;
        match fill {
            fill if fill < FILL_MIN => Some(Refusal::Thin),
            fill if fill > FILL_MAX => Some(Refusal::Overfull),
            _ => None,
        }
    }
}

/// Part `at` of `parts` that all have the same length.
fn part<T>(parts: &[T], at: usize, length: usize) -> &[T] {
    parts.get(at * length..(at + 1) * length).unwrap_or(&[])
}

#[cfg(test)]
mod tests;
