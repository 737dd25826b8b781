//! Rows to encodings.

use std::sync::Mutex;

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::cache::{self, Cache};
use super::faults::{Fault, Faults};
use super::filter::Filter;
use super::hash::{Hasher, KeyLength};
use super::keys::{self, Secret};
use super::rows::{Row, Rows};
use super::schema::{Hashing, Schema, Strategy};
use super::tokens::{Token, Tokens};
use super::value::{self, Reason};

/// Rows that a worker takes at a time.
const ROWS_PER_TASK: usize = 256;

/// Bytes that the encodings of a batch take.
const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why there can be no encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The keys cannot be made.
    #[error("the keys cannot be made from the secret")]
    Keys(#[from] keys::Error),
    /// The schema's key size does not fit its hash.
    #[error("the schema's keySize does not fit its hash")]
    KeyLength(#[from] KeyLength),
}

/// Encodings in the order of their rows, equally long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encodings {
    bytes: Vec<u8>,
    size: usize,
}

impl Encodings {
    /// Bytes of an encoding.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.size.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The encodings, one after another. Bit 0 is the most significant bit of the first byte.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.size.max(1))
    }
}

/// A feature that is not ignored.
struct Column<'a> {
    index: usize,
    name: &'a str,
    hashing: &'a Hashing,
    hasher: Hasher,
}

/// What one thread works with: it outlives batches, so that a token is hashed once by a thread.
struct Worker {
    filter: Filter,
    caches: Vec<Cache>,
    split: Split,
}

/// Room for one value's work.
struct Split {
    tokens: Tokens,
    buffer: Zeroizing<String>,
    message: Zeroizing<Vec<u8>>,
    indices: Vec<u32>,
}

/// Encodes rows under one schema and secret.
pub struct Encoder<'a> {
    schema: &'a Schema,
    columns: Vec<Column<'a>>,
    idle: Mutex<Vec<Worker>>,
}

impl<'a> Encoder<'a> {
    /// An encoder; makes the keys.
    ///
    /// # Errors
    /// [`Error`]; none for a schema that was read from text.
    pub fn new(schema: &'a Schema, secret: &Secret) -> Result<Self, Error> {
        let keys = secret.keys(&schema.kdf, schema.features.len())?;
        let mut columns = Vec::new();
        for (index, (feature, keys)) in schema.features.iter().zip(keys).enumerate() {
            let Some(hashing) = &feature.hashing else {
                continue;
            };
            columns.push(Column {
                index,
                name: &feature.identifier,
                hashing,
                hasher: Hasher::new(hashing.hash, keys)?,
            });
        }
        Ok(Self {
            schema,
            columns,
            idle: Mutex::new(vec![]),
        })
    }

    /// Room for a batch of rows whose encodings take a bounded amount of memory.
    pub fn batch(&self) -> Rows {
        let rows_max = BATCH_BYTES_MAX / self.schema.encoding_bytes().max(1);
        Rows::with_limit(self.schema.features.len(), rows_max)
    }

    /// Encodes rows, in order, on all cores.
    ///
    /// # Errors
    /// [`Faults`]: all rows that cannot be used, the first of them with what is wrong. Since a row
    /// is known by its number, none is left out and nothing is encoded.
    pub fn encode(&self, rows: &Rows) -> Result<Encodings, Faults> {
        let size = self.schema.encoding_bytes();
        let mut bytes = vec![0; size * rows.len()];
        let faults = bytes
            .par_chunks_mut(size * ROWS_PER_TASK)
            .enumerate()
            .map(|(task, bytes)| {
                let mut worker = self.worker();
                let mut faults = Faults::default();
                let rows = rows.iter_from(task * ROWS_PER_TASK);
                for (row, out) in rows.zip(bytes.chunks_exact_mut(size)) {
                    if let Err(fault) = self.row(&mut worker, &row, out) {
                        faults.push(fault);
                    }
                }
                self.idle(worker);
                faults
            })
            .reduce(Faults::default, Faults::and);
        let faults = rows.faults().clone().and(faults);
        if faults.count() > 0 {
            return Err(faults);
        }
        Ok(Encodings { bytes, size })
    }

    fn worker(&self) -> Worker {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        idle.unwrap_or_else(|| {
            let bytes_max = cache::BYTES_MAX / self.columns.len().max(1);
            let caches = self.columns.iter().map(|_| Cache::new(bytes_max));
            Worker {
                filter: Filter::new(self.schema.filter_bits()),
                caches: caches.collect(),
                split: Split {
                    tokens: Tokens::default(),
                    buffer: Zeroizing::default(),
                    message: Zeroizing::default(),
                    indices: vec![],
                },
            }
        })
    }

    fn idle(&self, worker: Worker) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(worker);
        }
    }

    fn row(&self, worker: &mut Worker, row: &Row<'_>, out: &mut [u8]) -> Result<(), Fault> {
        worker.filter.clear();
        for (column, cache) in self.columns.iter().zip(&mut worker.caches) {
            let value = row.value(column.index);
            self.add(column, value, cache, &mut worker.split, &mut worker.filter)
                .map_err(|reason| Fault {
                    row: row.number(),
                    column: Some(column.name.to_owned()),
                    reason,
                })?;
        }
        worker.filter.fold_into(self.schema.folds, out);
        Ok(())
    }

    /// Adds the bits of one value to the filter.
    fn add(
        &self,
        column: &Column<'_>,
        value: &str,
        cache: &mut Cache,
        split: &mut Split,
        filter: &mut Filter,
    ) -> Result<(), Reason> {
        let hashing = column.hashing;
        let value = value::canonical(hashing, value, &mut split.buffer)?;
        split.tokens.split(&hashing.comparison, value)?;
        let tokens = split.tokens.tokens();
        // No more tokens than characters in a row, which are counted in 32 bits.
        let count = tokens.len() as u32;
        let (each, more) = match hashing.strategy {
            Strategy::BitsPerToken(bits) => (bits, 0),
            Strategy::BitsPerFeature(bits) => {
                (bits / count.max(1), bits.checked_rem(count).unwrap_or(0))
            }
        };
        for (number, token) in (0..).zip(tokens) {
            let bits = each + u32::from(number < more);
            if bits == 0 {
                break;
            }
            let key = match token {
                Token::Short(key) => Some(*key),
                Token::Long(_) => None,
            };
            if let Some(indices) = key.and_then(|key| cache.find(key, bits)) {
                filter.set(indices);
                continue;
            }
            let encoding = hashing.format.encoding();
            split.tokens.encode(token, encoding, &mut split.message);
            split.indices.clear();
            let filter_bits = self.schema.filter_bits();
            column
                .hasher
                .indices(&split.message, bits, filter_bits, |index| {
                    split.indices.push(index);
                });
            filter.set(&split.indices);
            if let Some(key) = key {
                cache.keep(key, &split.indices);
            }
        }
        Ok(())
    }
}
