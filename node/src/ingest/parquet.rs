//! Apache Parquet files: columns of values that are brought to text as CSV would have them.
//!
//! Only the schema's columns are read, a row group at a time. What the library holds of a page
//! while it is read is not wiped; what leaves this module is.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Span};
use linkage_core::schema::Schema;
use parquet::basic::{LogicalType, Repetition, TimeUnit};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr};
use zeroize::Zeroizing;

use super::columns::Columns;
use super::values::{Rows, ValueBlock};
use super::{Error, Reason};

/// First bytes of a file, and its last (Parquet format, "File format").
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// Rows of a file, block by block.
pub(super) struct ParquetRows {
    path: PathBuf,
    file: SerializedFileReader<File>,
    columns: SchemaDescPtr,
    /// Whether a column holds nanoseconds, which the library gives as plain numbers.
    nanoseconds: Vec<bool>,
    group: usize,
    rows: Option<ReaderIter>,
    given: u64,
    total: u64,
    bytes_total: u64,
}

impl ParquetRows {
    /// Opens a file and finds the schema's columns.
    ///
    /// # Errors
    /// [`Error`], naming the column.
    pub(super) fn open(path: &Path, file: File, schema: &Schema) -> Result<(Self, Columns), Error> {
        let bytes_total = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let damaged = |error: ParquetError| refuse(path, "the footer", &error.to_string());
        let opened = guarded(|| SerializedFileReader::new(file));
        let file = opened.map_err(damaged)?;
        let metadata = file.metadata().file_metadata();
        let fields = metadata.schema().get_fields();
        let names: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
        let (needed, columns) = Columns::chosen(&path.display().to_string(), names, schema)?;
        let fields = fields.iter().enumerate();
        let fields = fields.filter(|(at, _)| needed.contains(at));
        let fields: Vec<TypePtr> = fields.map(|(_, field)| Arc::clone(field)).collect();
        for field in &fields {
            let single =
                field.is_primitive() && field.get_basic_info().repetition() != Repetition::REPEATED;
            if !single {
                let place = format!("column \"{}\"", field.name());
                return Err(refuse(
                    path,
                    &place,
                    "it holds lists or structures; give one value a row",
                ));
            }
        }
        let nanoseconds = fields.iter().map(|field| is_nanoseconds(field)).collect();
        let projected = Type::group_type_builder("rows").with_fields(fields).build();
        let projected = projected.map_err(damaged)?;
        let total = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let rows = Self {
            path: path.into(),
            columns: Arc::new(SchemaDescriptor::new(Arc::new(projected))),
            nanoseconds,
            group: 0,
            rows: None,
            given: 0,
            total,
            bytes_total,
            file,
        };
        Ok((rows, columns))
    }

    fn read_rows(&mut self, block: &mut ValueBlock) -> Result<(), ParquetError> {
        while !block.is_full() {
            let row = loop {
                if let Some(row) = self.rows.as_mut().and_then(Iterator::next) {
                    break row?;
                }
                if self.group >= self.file.num_row_groups() {
                    return Ok(());
                }
                let group = self.file.get_row_group(self.group)?;
                self.group += 1;
                let builder = TreeBuilder::new();
                self.rows = Some(builder.as_iter(Arc::clone(&self.columns), &*group)?);
            };
            self.given += 1;
            block.begin_row(self.given);
            let values = row.get_column_iter().zip(&self.nanoseconds);
            for ((_, value), nanoseconds) in values {
                match text(value, *nanoseconds) {
                    Some(value) => block.push(&value),
                    None => block.push_fault(NOT_TEXT),
                }
            }
        }
        Ok(())
    }
}

impl Rows for ParquetRows {
    fn next_block(&mut self) -> Result<Option<ValueBlock>, Error> {
        let mut block = ValueBlock::new(self.nanoseconds.len());
        let read = guarded(|| self.read_rows(&mut block));
        read.map_err(|error| {
            let place = format!("row group {}", self.group);
            refuse(&self.path, &place, &error.to_string())
        })?;
        if block.is_empty() {
            return Ok(None);
        }
        let share = self.given as f64 / self.total.max(1) as f64;
        block.set_read((self.bytes_total as f64 * share.min(1.0)) as u64);
        Ok(Some(block))
    }

    /// By the file's footer.
    fn total(&self) -> u64 {
        self.total
    }
}

/// Runs a step of the library, which is made for files of its own kind: what it gives up on is an
/// error, not the end of the program.
fn guarded<T>(step: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let gave_up = |_| Err(ParquetError::General("the file is damaged".into()));
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(gave_up)
}

fn refuse(path: &Path, place: &str, message: &str) -> Error {
    Error::Parquet {
        path: path.into(),
        place: place.to_owned(),
        message: message.to_owned(),
    }
}

fn is_nanoseconds(field: &Type) -> bool {
    match field.get_basic_info().logical_type_ref() {
        Some(LogicalType::Timestamp(time)) => time.unit == TimeUnit::NANOS,
        _ => false,
    }
}

/// A value as CSV would have it; empty for none. `None` for bytes that are no text.
fn text(value: &Field, nanoseconds: bool) -> Option<Zeroizing<String>> {
    let shown = match value {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data()).ok()?.to_owned(),
        Field::Long(since) if nanoseconds => moment(SignedDuration::from_nanos(*since)),
        Field::TimestampMillis(since) => moment(SignedDuration::from_millis(*since)),
        Field::TimestampMicros(since) => moment(SignedDuration::from_micros(*since)),
        Field::Date(days) => Date::constant(1970, 1, 1)
            .checked_add(Span::new().try_days(*days).ok()?)
            .map_or_else(|_| days.to_string(), |date| date.to_string()),
        Field::Float(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::TimeMillis(since) => since.to_string(),
        Field::TimeMicros(since) => since.to_string(),
        number => number.to_string(),
    };
    Some(Zeroizing::new(shown))
}

/// A moment since 1970: a day alone where it is midnight, as dates are often stored.
fn moment(since: SignedDuration) -> String {
    let begin = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    match begin.checked_add(since) {
        Ok(moment) if moment.time() == jiff::civil::Time::midnight() => moment.date().to_string(),
        Ok(moment) => moment.to_string().replace('T', " "),
        Err(_) => since.as_secs().to_string(),
    }
}

/// Why a row with a value that is no text is set aside.
const NOT_TEXT: Reason = Reason::Encoding("UTF-8");

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
