//! Rows of a CSV file, read as Python's `csv.reader` reads them in its default dialect.
//!
//! A row is known by its number, so none may get lost: a blank line is a fault here, where other
//! readers pass over it. A quotation mark that is not closed, which Python lets pass, is one too.

mod record;

use std::io::{self, BufRead, Chain, Cursor, Read as _};

use zeroize::Zeroizing;

use super::faults::{Fault, Faults};
use super::value::Reason;
use record::Record;

/// Longest record, in bytes; far above any row of identifiers, low enough that an open quotation
/// mark does not read the whole file into memory.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes after which a batch of rows ends.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Rows after which a batch ends.
const BATCH_ROWS: usize = 32 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading failed.
    #[error("reading failed")]
    Io(#[source] io::Error),
    /// There is no header.
    #[error("the file is empty; its first row should name the columns")]
    Empty,
    /// The header has more or fewer columns than the schema has features.
    #[error("the header has {found} columns, the schema has {expected} features")]
    HeaderColumns {
        /// Features of the schema.
        expected: usize,
        /// Columns of the header.
        found: usize,
    },
    /// A column has another name than its feature. The name is not shown: in a file without header
    /// it is someone's.
    #[error(
        "column {column} of the header is not named \"{expected}\" as the schema says; put the \
         columns in the schema's order, or have the header ignored, or say that there is none"
    )]
    HeaderName {
        /// Number of the column, from 1.
        column: usize,
        /// The feature's identifier.
        expected: String,
    },
    /// The header is not UTF-8 or its quotation is not closed.
    #[error("the header {0}")]
    Header(#[source] Reason),
    /// A record is longer than [`RECORD_BYTES_MAX`].
    #[error(
        "row {row} is longer than {RECORD_BYTES_MAX} bytes; a quotation mark that is not closed \
         makes a row of all that follows"
    )]
    TooLong {
        /// The row.
        row: u64,
    },
}

/// Rows with as many fields as a schema has features, and the faults of rows that have not. Wiped
/// when dropped.
pub struct Rows {
    columns: usize,
    rows_max: usize,
    text: Zeroizing<String>,
    /// Where the fields of all rows end.
    ends: Vec<usize>,
    numbers: Vec<u64>,
    faults: Faults,
}

/// One row.
pub struct Row<'a> {
    number: u64,
    start: usize,
    ends: &'a [usize],
    text: &'a str,
}

impl Rows {
    /// No rows yet, with room for a batch.
    pub fn new(columns: usize) -> Self {
        Self::with_limit(columns, BATCH_ROWS)
    }

    /// No rows yet; a batch read into them has no more than so many.
    pub(super) fn with_limit(columns: usize, rows_max: usize) -> Self {
        // Text that never moves leaves no copies behind.
        Self {
            columns,
            rows_max: rows_max.clamp(1, BATCH_ROWS),
            text: Zeroizing::new(String::with_capacity(BATCH_BYTES + RECORD_BYTES_MAX)),
            ends: vec![],
            numbers: vec![],
            faults: Faults::default(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// What is wrong with rows that are not among these.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Adds a row after the last.
    pub fn push(&mut self, fields: &[&str]) {
        let number = self.numbers.last().map_or(1, |last| last + 1);
        if fields.len() != self.columns {
            return self.faults.push(self.wrong_length(number, fields.len()));
        }
        for field in fields {
            self.text.push_str(field);
            self.ends.push(self.text.len());
        }
        self.numbers.push(number);
    }

    /// The rows from an index on.
    pub(super) fn iter_from(&self, index: usize) -> impl Iterator<Item = Row<'_>> {
        let numbers = self.numbers.iter().enumerate().skip(index);
        numbers.map(|(index, number)| {
            let first = index * self.columns;
            let before = first.checked_sub(1).and_then(|at| self.ends.get(at));
            Row {
                number: *number,
                start: before.copied().unwrap_or(0),
                ends: self
                    .ends
                    .get(first..first + self.columns)
                    .unwrap_or_default(),
                text: &self.text,
            }
        })
    }

    fn wrong_length(&self, row: u64, found: usize) -> Fault {
        let expected = self.columns;
        Fault {
            row,
            column: None,
            reason: match found {
                0 => Reason::Blank,
                found => Reason::Fields { expected, found },
            },
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.numbers.clear();
        self.faults = Faults::default();
    }

    fn is_full(&self) -> bool {
        self.text.len() >= BATCH_BYTES || self.numbers.len() >= self.rows_max
    }

    fn add(&mut self, number: u64, record: &Record) {
        let fault = |reason| Fault {
            row: number,
            column: None,
            reason,
        };
        let text = match record.text() {
            Ok(_) if record.ends.len() != self.columns => {
                return self
                    .faults
                    .push(self.wrong_length(number, record.ends.len()));
            }
            Ok(text) => text,
            Err(reason) => return self.faults.push(fault(reason)),
        };
        let start = self.text.len();
        self.text.push_str(text);
        self.ends.extend(record.ends.iter().map(|end| start + end));
        self.numbers.push(number);
    }
}

impl<'a> Row<'a> {
    /// The row's number in the file.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The field of a column.
    pub(super) fn value(&self, column: usize) -> &'a str {
        let before = column.checked_sub(1).and_then(|at| self.ends.get(at));
        let start = before.copied().unwrap_or(self.start);
        let end = self.ends.get(column).copied().unwrap_or(start);
        self.text.get(start..end).unwrap_or_default()
    }
}

/// What the first row of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The features' identifiers, in order.
    Checked,
    /// Some names.
    Ignored,
    /// A row like the others.
    Absent,
}

/// A CSV file being read.
pub struct Reader<R> {
    source: Chain<Cursor<Vec<u8>>, R>,
    record: Record,
    row: u64,
}

impl<R: BufRead> Reader<R> {
    /// Starts to read, and checks the header against the features' names. A byte-order mark is
    /// passed over.
    ///
    /// # Errors
    /// [`Error`].
    pub fn new(mut source: R, header: Header, names: &[&str]) -> Result<Self, Error> {
        let mut start = vec![];
        source
            .by_ref()
            .take(BYTE_ORDER_MARK.len() as u64)
            .read_to_end(&mut start)
            .map_err(Error::Io)?;
        if start == BYTE_ORDER_MARK {
            start.clear();
        }
        let mut reader = Self {
            source: Cursor::new(start).chain(source),
            record: Record::default(),
            row: 0,
        };
        if header == Header::Absent {
            return Ok(reader);
        }
        if !reader.next()? {
            return Err(Error::Empty);
        }
        if header == Header::Checked {
            reader.check_header(names)?;
        }
        Ok(reader)
    }

    /// Reads the next batch in place of the one in `rows`. Whether there was one.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::TooLong`].
    pub fn read(&mut self, rows: &mut Rows) -> Result<bool, Error> {
        rows.clear();
        while !rows.is_full() && self.next()? {
            rows.add(self.row, &self.record);
        }
        Ok(!rows.is_empty() || rows.faults.count() > 0)
    }

    fn check_header(&self, names: &[&str]) -> Result<(), Error> {
        let text = self.record.text().map_err(Error::Header)?;
        let found = self.record.ends.len();
        if found != names.len() {
            return Err(Error::HeaderColumns {
                expected: names.len(),
                found,
            });
        }
        let row = Row {
            number: 1,
            start: 0,
            ends: &self.record.ends,
            text,
        };
        match (0..).zip(names).find(|(at, name)| row.value(*at) != **name) {
            Some((at, name)) => Err(Error::HeaderName {
                column: at + 1,
                expected: (*name).to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Reads one record; whether there was one.
    fn next(&mut self) -> Result<bool, Error> {
        self.record.clear();
        self.row += 1;
        loop {
            let buffer = match self.source.fill_buf() {
                Ok([]) => return Ok(self.record.end_of_file()),
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Io(error)),
            };
            let (used, whole) = self.record.take(buffer);
            self.source.consume(used);
            if whole {
                return Ok(true);
            }
            if self.record.len() > RECORD_BYTES_MAX {
                return Err(Error::TooLong { row: self.row });
            }
        }
    }
}

#[cfg(test)]
mod tests;
