//! CSV files: records, truth and error log, in one pass.
//!
//! | file | columns |
//! |---|---|
//! | records of persons | `record_id,name,sex,birth_date,id_number,mobile,address`, then the department's attributes |
//! | records of enterprises | [`crate::enterprise::IDENTIFYING_COLUMNS`], then the department's attributes |
//! | truth | `dataset,record_id,entity_id`: records with one `entity_id` are copies of one entity |
//! | errors | `dataset,record_id,field,kind`: one row per error; a clean record has none |
//!
//! `dataset` is the department's slug. UTF-8, comma, `\n`, quoted only where needed. Truth and
//! errors of several departments may go to one file: write the header once with [`Header::No`].

use std::io;
use std::ops::Range;

use rayon::prelude::*;

use crate::errors::Finding;

/// Why writing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The CSV writer.
    #[error("writing CSV")]
    Csv(#[from] csv::Error),
    /// The file beneath it.
    #[error("writing a file")]
    File(#[from] io::Error),
}

/// Whether to begin truth and errors with the column names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Begin with them.
    Yes,
    /// Continue a file that has them.
    No,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records.
    pub rows: u64,
    /// Errors over all fields.
    pub errors: u64,
    /// Records with at least one error.
    pub rows_with_errors: u64,
}

/// One record and the truth about it.
pub trait Row {
    /// Identifies the record within its data set.
    fn record_id(&self) -> &str;

    /// Identifies the person or enterprise in the truth, in every data set.
    fn entity_id(&self) -> String;

    /// The values, in the order of [`Dataset::header`].
    fn values(&self) -> impl Iterator<Item = &str>;

    /// What is wrong.
    fn errors(&self) -> &[Finding];
}

/// A department's records, any of which can be computed alone.
pub trait Dataset: Sync {
    /// Its kind of record.
    type Row: Row;

    /// The name in truth and errors.
    fn slug(&self) -> &'static str;

    /// The columns of its records.
    fn header(&self) -> Vec<&'static str>;

    /// How many positions there are; a record may stand at each.
    fn visits(&self) -> u64;

    /// How many records, from the first position on, make up the data set.
    fn rows_max(&self) -> u64;

    /// The record at a position, if there is one.
    fn row(&self, position: u64) -> Option<Self::Row>;

    /// All records, in order.
    fn rows(&self) -> impl Iterator<Item = Self::Row> {
        let limit = usize::try_from(self.rows_max()).unwrap_or(usize::MAX);
        let rows = (0..self.visits()).filter_map(|position| self.row(position));
        rows.take(limit)
    }
}

/// Where a data set goes.
pub struct Files<R, T, E> {
    /// Its records.
    pub records: R,
    /// Which entity each is a copy of.
    pub truth: T,
    /// What is wrong in them.
    pub errors: E,
}

/// Writes a data set, its truth and its error log. Records are computed on all cores and written
/// in order; memory does not grow with their number. `written` is told how many records are
/// written, each time some are.
///
/// # Errors
/// When a writer fails.
pub fn write<D: Dataset>(
    dataset: &D,
    header: Header,
    files: Files<impl io::Write, impl io::Write, impl io::Write>,
    written: &mut dyn FnMut(u64),
) -> Result<Summary, Error> {
    let Files {
        mut records,
        mut truth,
        mut errors,
    } = files;
    let mut heading = Chunk::default();
    csv_writer(&mut heading.records).write_record(dataset.header())?;
    if header == Header::Yes {
        csv_writer(&mut heading.truth).write_record(["dataset", "record_id", "entity_id"])?;
        let columns = ["dataset", "record_id", "field", "kind"];
        csv_writer(&mut heading.errors).write_record(columns)?;
    }
    let mut summary = Summary::default();
    let mut put = |chunk: &Chunk| -> Result<(), Error> {
        records.write_all(&chunk.records)?;
        truth.write_all(&chunk.truth)?;
        errors.write_all(&chunk.errors)?;
        Ok(())
    };
    put(&heading)?;
    let (visits, rows_max) = (dataset.visits(), dataset.rows_max());
    let side = CHUNK_VISITS * rayon::current_num_threads() as u64;
    let mut start = 0;
    while start < visits && summary.rows < rows_max {
        let end = visits.min(start + side);
        let starts: Vec<u64> = (start..end).step_by(CHUNK_VISITS as usize).collect();
        let range = |start: u64| start..end.min(start + CHUNK_VISITS);
        let chunks: Vec<Result<Chunk, Error>> = starts
            .par_iter()
            .map(|&start| Chunk::of(dataset, range(start), u64::MAX))
            .collect();
        for (chunk, &start) in chunks.into_iter().zip(&starts) {
            let left = rows_max - summary.rows;
            let mut chunk = chunk?;
            if chunk.summary.rows > left {
                chunk = Chunk::of(dataset, range(start), left)?;
            }
            put(&chunk)?;
            summary.rows += chunk.summary.rows;
            summary.errors += chunk.summary.errors;
            summary.rows_with_errors += chunk.summary.rows_with_errors;
            written(summary.rows);
        }
        start = end;
    }
    records.flush()?;
    truth.flush()?;
    errors.flush()?;
    Ok(summary)
}

/// Writes a data set's records alone.
///
/// # Errors
/// When the writer fails.
pub fn write_csv<D: Dataset>(dataset: &D, writer: impl io::Write) -> Result<Summary, Error> {
    let files = Files {
        records: writer,
        truth: io::sink(),
        errors: io::sink(),
    };
    write(dataset, Header::No, files, &mut |_| {})
}

/// Visits computed in one go: enough to keep a core busy for milliseconds, few enough that their
/// records take a few megabytes.
const CHUNK_VISITS: u64 = 16_384;

/// Records in the making.
#[derive(Default)]
struct Chunk {
    records: Vec<u8>,
    truth: Vec<u8>,
    errors: Vec<u8>,
    summary: Summary,
}

fn csv_writer(bytes: &mut Vec<u8>) -> csv::Writer<&mut Vec<u8>> {
    csv::Writer::from_writer(bytes)
}

impl Chunk {
    fn of<D: Dataset>(dataset: &D, positions: Range<u64>, rows_max: u64) -> Result<Self, Error> {
        let mut chunk = Self::default();
        let mut records = csv_writer(&mut chunk.records);
        let mut truth = csv_writer(&mut chunk.truth);
        let mut errors = csv_writer(&mut chunk.errors);
        let slug = dataset.slug();
        for position in positions {
            if chunk.summary.rows == rows_max {
                break;
            }
            let Some(row) = dataset.row(position) else {
                continue;
            };
            records.write_record(row.values().map(str::as_bytes))?;
            truth.write_record([slug, row.record_id(), &row.entity_id()])?;
            for (field, kind) in row.errors() {
                errors.write_record([slug, row.record_id(), field.slug(), kind.slug()])?;
            }
            chunk.summary.rows += 1;
            chunk.summary.errors += row.errors().len() as u64;
            chunk.summary.rows_with_errors += u64::from(!row.errors().is_empty());
        }
        records.flush()?;
        truth.flush()?;
        errors.flush()?;
        drop((records, truth, errors));
        Ok(chunk)
    }
}
