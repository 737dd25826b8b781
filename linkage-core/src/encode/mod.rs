//! Records to tokens, link keys and block keys. Only this module makes them, and only under a
//! project's key.
//!
//! The token is a record-level keyed Bloom filter. Each feature of a field (a q-gram, a date's
//! year) is hashed with HMAC-SHA-256 under the field's own key; the digest is read as 16-bit
//! numbers, and those below the largest multiple of the token's length, reduced by it, are the
//! positions (random hashing: independent positions instead of the lattice `g + i h` of double
//! hashing, which Kroll and Steinmetzer, HEALTHINF 2015, attacked; the rejection keeps the
//! positions uniform).

pub mod batch;
pub mod clkhash;
mod feature;
mod tag;

use std::fmt;

use rayon::prelude::*;
use ring::hmac;

use crate::keys::ProjectKey;
use crate::record::NormalRecord;
use crate::schema::{Feature, Schema};

pub use batch::{Batch, BatchError, Header, LINK_KEY_BYTES};

/// Most positions that one feature sets. A field with a single short value would otherwise put its
/// whole weight on one feature, which then shows in the token's weight.
const POSITIONS_MAX: u32 = 64;

/// A record-level keyed Bloom filter.
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
    fn empty(bits: u32) -> Self {
        Self {
            words: vec![0; bits as usize / 64].into_boxed_slice(),
        }
    }

    fn set(&mut self, position: u32) {
        if let Some(word) = self.words.get_mut(position as usize / 64) {
            *word |= 1 << (position % 64);
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

/// What an owner sends of a record: its token, its link keys and its block keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRecord {
    /// The token; without any bit when the record has too few features to be compared.
    pub token: Token,
    /// One tag per link-key rule of the schema, where the record has all its parts.
    pub link_keys: Vec<Option<[u8; LINK_KEY_BYTES]>>,
    /// One tag per block-key rule of the schema, where the record has all its parts.
    pub block_keys: Vec<Option<u64>>,
}

struct FieldEncoder<'a> {
    index: usize,
    key: hmac::Key,
    features: &'a [Feature],
}

/// Encodes the records of one owner under one project's key and schema.
pub struct Encoder<'a> {
    schema: &'a Schema,
    fields: Vec<FieldEncoder<'a>>,
    tags: tag::Tagger<'a>,
}

impl<'a> Encoder<'a> {
    /// An encoder; derives one subkey per field and rule.
    pub fn new(schema: &'a Schema, key: &ProjectKey) -> Self {
        let fields = schema
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| !field.features.is_empty())
            .map(|(index, field)| FieldEncoder {
                index,
                key: key.positions(&field.name),
                features: &field.features,
            })
            .collect();
        Self {
            schema,
            fields,
            tags: tag::Tagger::new(schema, key),
        }
    }

    /// Encodes one record.
    pub fn record(&self, record: &NormalRecord) -> EncodedRecord {
        EncodedRecord {
            token: self.token(record),
            link_keys: self.tags.link_keys(record),
            block_keys: self.tags.block_keys(record),
        }
    }

    /// Encodes many records, in order, on all cores.
    pub fn records(&self, records: &[NormalRecord]) -> Vec<EncodedRecord> {
        records
            .par_iter()
            .map(|record| self.record(record))
            .collect()
    }

    fn token(&self, record: &NormalRecord) -> Token {
        let bits = self.schema.token.bits;
        let mut token = Token::empty(bits);
        let mut features = 0;
        for field in &self.fields {
            let Some(value) = record.value(field.index) else {
                continue;
            };
            for feature in field.features {
                let items = feature::extract(feature, value);
                let count = u32::try_from(items.len()).unwrap_or(u32::MAX).max(1);
                // The weight is spread over the items; rounding to nearest keeps it on average.
                let each = ((u32::from(feature.bits) + count / 2) / count).clamp(1, POSITIONS_MAX);
                features += count;
                for item in &items {
                    positions(&field.key, item, each, bits, |position| token.set(position));
                }
            }
        }
        if features < self.schema.token.features_min {
            Token::empty(bits)
        } else {
            token
        }
    }
}

/// The first `count` positions of `item` in a token of `bits` bits. Asking for more keeps the ones
/// before, so that records with different numbers of features still share positions.
fn positions(key: &hmac::Key, item: &[u8], count: u32, bits: u32, mut found: impl FnMut(u32)) {
    let fair = 65_536 / bits * bits;
    let mut left = count;
    for block in 0_u32.. {
        let mut context = hmac::Context::with_key(key);
        context.update(&block.to_be_bytes());
        context.update(item);
        for pair in context.sign().as_ref().chunks_exact(2) {
            let &[high, low] = pair else { continue };
            let number = u32::from(u16::from_be_bytes([high, low]));
            if number < fair {
                found(number % bits);
                left -= 1;
                if left == 0 {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
