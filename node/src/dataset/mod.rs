//! An owner's data set: from a source to a batch of encoded records. Raw values are in the memory
//! of the owner's process only, and of few records at a time.

mod blocks;
pub mod check;
mod encode;
mod ids;
mod origin;
mod shuffle;
mod work;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use linkage_core::encode::batch::{DIGEST_BYTES, Header, StreamError};
use linkage_core::keys::ProjectKey;
use linkage_core::normalise::DataQuality;
use linkage_core::record::Day;
use linkage_core::schema::Schema;
use serde::Serialize;

use crate::ingest;

pub use encode::encode;
pub use ids::{Ids, TooMany};
pub use origin::{DescriptionError, Origin};

/// A record's value of an attribute when it is none of the declared ones.
const NO_VALUE: u8 = u8::MAX;

/// Why a data set cannot be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] ingest::Error),
    /// The file of rejected rows cannot be written.
    #[error("the rejected rows cannot be written to {path}")]
    Rejects {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The encoded rows cannot be kept until their order is known.
    #[error("encoded rows cannot be kept in {folder}; it needs as much free space as the result")]
    Scratch {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The batch cannot be written.
    #[error("the encoded records cannot be written")]
    Output(#[source] StreamError),
    /// There are more records than can be held.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// No secret order can be drawn.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::NoEntropy),
    /// No row could be used.
    #[error("{origin} has no usable row: {rejected} were rejected; see {rejects}")]
    NoRows {
        /// The source.
        origin: Origin,
        /// Number of rejected rows.
        rejected: u64,
        /// Where they are, or a word that there are none.
        rejects: String,
    },
}

impl From<StreamError> for Error {
    fn from(error: StreamError) -> Self {
        Self::Output(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Output(error.into())
    }
}

/// What is encoded, how, and where it works.
pub struct Job<'a> {
    /// The source.
    pub source: &'a Origin,
    /// The schema.
    pub schema: &'a Schema,
    /// The key.
    pub key: &'a ProjectKey,
    /// Identity of the project; zero for work with files only.
    pub project: [u8; 32],
    /// Where rejected rows go.
    pub rejects: &'a Path,
    /// Folder for encoded rows whose order is not yet known: tokens and keys, no raw value and no
    /// identity. Should be on the disk that the result goes to, readable by this user alone.
    pub scratch: &'a Path,
    /// Rows of nobody that are put among the records, as a share of these; drawn between half as
    /// many and half as many again, so that their number says nothing of the records'. 0 for none.
    pub dummies_share: f64,
}

impl Job<'_> {
    fn rejects_error(&self, source: io::Error) -> Error {
        Error::Rejects {
            path: self.rejects.into(),
            source,
        }
    }

    fn scratch_error(&self, source: io::Error) -> Error {
        Error::Scratch {
            folder: self.scratch.into(),
            source,
        }
    }
}

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The source is read and encoded.
    Reading {
        /// Records encoded.
        records: u64,
        /// Bytes of a file or rows of a query that are read.
        done: u64,
        /// Their number in all.
        total: u64,
    },
    /// The records are written in their new order.
    Writing {
        /// Records written.
        records: u64,
        /// Records in all.
        total: u64,
    },
}

/// Counts on a source: what was read, rejected, and in what state the fields are.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Usable rows.
    pub rows: u64,
    /// Rejected rows by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Where the rejected rows were written.
    pub rejects_file: Option<PathBuf>,
    /// Records with too few features to have a token.
    pub without_token: u64,
    /// Shares of set bits over all tokens; none where no record has a token.
    pub fill: Option<Fill>,
    /// States of the fields.
    pub quality: DataQuality,
}

impl Summary {
    /// Number of rejected rows.
    pub fn rejected_rows(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// Shares of set bits over all tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fill {
    /// Mean over the records that have a token.
    pub mean: f64,
    /// The emptiest token.
    pub min: f64,
    /// The fullest token.
    pub max: f64,
}

/// Numbers of set bits seen.
#[derive(Default)]
struct FillRange {
    tokens: u64,
    sum: u64,
    range: Option<(u32, u32)>,
}

impl FillRange {
    fn add(&mut self, ones: u32) {
        self.tokens += 1;
        self.sum += u64::from(ones);
        let (min, max) = self.range.unwrap_or((ones, ones));
        self.range = Some((min.min(ones), max.max(ones)));
    }

    fn shares(&self, bits: u32) -> Option<Fill> {
        let (min, max) = self.range?;
        let bits = f64::from(bits);
        Some(Fill {
            mean: self.sum as f64 / self.tokens as f64 / bits,
            min: f64::from(min) / bits,
            max: f64::from(max) / bits,
        })
    }
}

/// What is known of an encoded source beside its batch; nothing of it leaves the owner.
pub struct Encoded {
    /// What the batch says of itself.
    pub header: Header,
    /// The batch's digest.
    pub digest: [u8; DIGEST_BYTES],
    /// Counts.
    pub summary: Summary,
    ids: Ids,
    /// The record in each row of the batch.
    order: Vec<u32>,
    /// Values of the attributes that the source has, by record.
    attributes: Vec<Option<Vec<u8>>>,
}

impl Encoded {
    /// The records' identities in the source, in the order of the batch's rows, without those of
    /// nobody.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.records().map(|record| self.ids.get(record))
    }

    /// The rows of nobody, rising.
    pub fn dummies(&self) -> impl Iterator<Item = u32> {
        let rows = (0..).zip(&self.order);
        rows.filter(|(_, record)| **record as usize >= self.ids.len())
            .map(|(row, _)| row)
    }

    /// The record in each row that has one.
    fn records(&self) -> impl Iterator<Item = u32> {
        let records = self.order.iter().copied();
        records.filter(|record| (*record as usize) < self.ids.len())
    }

    /// Index of each record's value of the schema's attribute `index`, in the order of the batch's
    /// rows without those of nobody; `None` if the source lacks the attribute.
    pub fn attribute(&self, index: usize) -> Option<impl Iterator<Item = Option<u16>>> {
        let values = self.attributes.get(index)?.as_ref()?;
        Some(self.records().map(|record| {
            let value = values.get(record as usize).copied().unwrap_or(NO_VALUE);
            (value != NO_VALUE).then_some(value.into())
        }))
    }
}

/// Today by the system's clock, in UTC.
pub fn today() -> Day {
    let date = jiff::tz::Offset::UTC
        .to_datetime(jiff::Timestamp::now())
        .date();
    // jiff's year is within -9999..=9999, and a clock before year 1 is no clock.
    Day {
        year: u16::try_from(date.year()).unwrap_or(1),
        month: date.month().unsigned_abs(),
        day: date.day().unsigned_abs(),
    }
}

#[cfg(test)]
mod tests;
