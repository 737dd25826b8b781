//! An owner's data set: from a source file to encoded records and attribute values, in memory of
//! the owner's process only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use linkage_core::encode::{EncodedRecord, Encoder};
use linkage_core::keys::ProjectKey;
use linkage_core::normalise::{DataQuality, Normaliser};
use linkage_core::record::{Day, NormalRecord};
use linkage_core::schema::Schema;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::ingest::{self, RejectFile, Source};

/// Records normalised and encoded at a time: enough to keep all cores busy, few enough that raw
/// values of a large source are never all in memory.
const CHUNK_RECORDS: usize = 4096;

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
        source: std::io::Error,
    },
    /// No row could be used.
    #[error("{path} has no usable row: {rejected} were rejected; see {rejects}")]
    NoRows {
        /// The source.
        path: PathBuf,
        /// Number of rejected rows.
        rejected: u64,
        /// Where they are, or a word that there are none.
        rejects: String,
    },
}

/// Counts on a source: what was read, rejected, and in what state the fields are.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Usable rows.
    pub rows: u64,
    /// Rejected rows by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Where the rejected rows were written.
    pub rejects_file: Option<PathBuf>,
    /// Records with too few features to have a token.
    pub without_token: u64,
    /// States of the fields.
    pub quality: DataQuality,
}

impl Summary {
    /// Number of rejected rows.
    pub fn rejected_rows(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// An encoded source. Entry `i` of every list is record `i`, in the source's order.
pub struct Dataset {
    /// The records' identities in the source.
    pub ids: Vec<Zeroizing<String>>,
    /// What may be sent to the matcher.
    pub encoded: Vec<EncodedRecord>,
    /// Values of each schema attribute that the source has: `attributes[k][i]` is the index of
    /// record `i`'s value of attribute `k`. Empty for attributes that the source lacks.
    pub attributes: Vec<Vec<Option<u16>>>,
    /// Counts.
    pub summary: Summary,
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

/// Reads, normalises and encodes the source at `path`. Rejected rows go to `rejects`; `progress` is
/// told bytes read and bytes in all.
///
/// # Errors
/// [`Error`], saying what to do.
pub fn encode(
    path: &Path,
    schema: &Schema,
    key: &ProjectKey,
    rejects: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Dataset, Error> {
    let rejects_error = |source| Error::Rejects {
        path: rejects.into(),
        source,
    };
    let mut source = Source::open(path, schema)?;
    let mut reject_file = RejectFile::new(rejects).map_err(rejects_error)?;
    let normaliser = Normaliser::new(schema, today());
    let encoder = Encoder::new(schema, key);
    let mut data = Dataset {
        ids: vec![],
        encoded: vec![],
        attributes: vec![vec![]; schema.attributes.len()],
        summary: Summary::default(),
    };
    let mut chunk: Vec<NormalRecord> = Vec::with_capacity(CHUNK_RECORDS);
    while let Some(row) = source.next_row()? {
        match row {
            Ok(row) => {
                let normal = normaliser.record(&row.record);
                data.summary.quality.add(schema, &normal);
                data.ids.push(row.record.id);
                for (at, value) in row.attributes.into_iter().enumerate() {
                    if source.has_attribute(at)
                        && let Some(column) = data.attributes.get_mut(at)
                    {
                        column.push(value);
                    }
                }
                chunk.push(normal);
            }
            Err(reject) => reject_file.add(&reject).map_err(rejects_error)?,
        }
        if chunk.len() == CHUNK_RECORDS {
            data.encoded.extend(encoder.records(&chunk));
            chunk.clear();
            let (read, total) = source.progress();
            progress(read, total);
        }
    }
    data.encoded.extend(encoder.records(&chunk));
    let (read, total) = source.progress();
    progress(read, total);
    let (rejected, rejects_file) = reject_file.finish().map_err(rejects_error)?;
    let thin = data
        .encoded
        .iter()
        .filter(|record| record.token.ones() == 0)
        .count();
    data.summary.rows = data.ids.len() as u64;
    data.summary.rejected = rejected;
    data.summary.rejects_file = rejects_file;
    data.summary.without_token = thin as u64;
    if data.ids.is_empty() {
        return Err(Error::NoRows {
            path: path.into(),
            rejected: data.summary.rejected_rows(),
            rejects: data.summary.rejects_file.map_or_else(
                || "the header, there are no rows".into(),
                |p| p.display().to_string(),
            ),
        });
    }
    Ok(data)
}
