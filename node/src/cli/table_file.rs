//! CSV files that the program itself or a user's script wrote: named columns, UTF-8, regular rows.
//! Anything else is refused with file and row; owners' data sets, which are never so regular, are
//! read by [`linkage_node::ingest`].

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use csv::{Reader, StringRecord};

/// Why such a file cannot be read. No message shows a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("{} cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A directory.
    #[error("{} is a directory; name a file", .0.display())]
    Directory(PathBuf),
    /// A column is missing.
    #[error("{}, row 1: no column \"{column}\"; the file must have {needed}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The missing column.
        column: &'static str,
        /// All columns that it must have.
        needed: String,
    },
    /// A row has more or fewer values than the header.
    #[error("{}, row {row}: {found} values, the header names {expected} columns", path.display())]
    Ragged {
        /// The file.
        path: PathBuf,
        /// Row in the file; the header is row 1.
        row: u64,
        /// Values in the row.
        found: u64,
        /// Columns of the header.
        expected: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("{}, row {row}: not valid UTF-8; save the file as UTF-8", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
    },
}

/// An open file with `N` columns of interest.
pub struct TableFile<const N: usize> {
    path: PathBuf,
    reader: Reader<File>,
    columns: [usize; N],
    record: StringRecord,
}

impl<const N: usize> TableFile<N> {
    /// Opens `path` and finds `columns`, in any order and among others.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(path: &Path, columns: [&'static str; N]) -> Result<Self, Error> {
        let io = |source| Error::Io {
            path: path.into(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(Error::Directory(path.into()));
        }
        let mut reader = Reader::from_reader(file);
        let header = reader
            .headers()
            .map_err(|error| refusal(path, error))?
            .clone();
        // A byte-order mark belongs to no column's name.
        let names = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').trim());
        let mut found = [0; N];
        for (slot, column) in found.iter_mut().zip(columns) {
            *slot = names
                .clone()
                .position(|name| name == column)
                .ok_or_else(|| Error::Column {
                    path: path.into(),
                    column,
                    needed: columns.join(", "),
                })?;
        }
        Ok(Self {
            path: path.into(),
            reader,
            columns: found,
            record: StringRecord::new(),
        })
    }

    /// The next row and its values, trimmed; `None` at the end.
    ///
    /// # Errors
    /// [`Error`].
    pub fn next_row(&mut self) -> Result<Option<(u64, [&str; N])>, Error> {
        let more = self
            .reader
            .read_record(&mut self.record)
            .map_err(|error| refusal(&self.path, error))?;
        if !more {
            return Ok(None);
        }
        let row = self.record.position().map_or(0, row_of);
        let values = self
            .columns
            .map(|column| self.record.get(column).unwrap_or("").trim());
        Ok(Some((row, values)))
    }
}

/// The row, counted as records: a line's number in the reader's books is one too low after `\r\n`.
fn row_of(position: &csv::Position) -> u64 {
    position.record() + 1
}

fn refusal(path: &Path, error: csv::Error) -> Error {
    let path = path.to_owned();
    let row = error.position().map_or(1, row_of);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Io { path, source },
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => Error::Ragged {
            path,
            row,
            found: len,
            expected: expected_len,
        },
        _ => Error::Encoding { path, row },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u64, [String; 2])>, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut table = TableFile::open(file.path(), ["row", "id"])?;
        let mut rows = vec![];
        while let Some((row, values)) = table.next_row()? {
            rows.push((row, values.map(str::to_owned)));
        }
        Ok(rows)
    }

    #[test]
    fn columns_are_found_by_name() {
        let rows = read("\u{feff}id, x ,row\n甲,,1\r\n\"b,c\",,2\n".as_bytes()).unwrap();
        let expected = [(2, ["1", "甲"]), (3, ["2", "b,c"])];
        assert_eq!(rows, expected.map(|(row, v)| (row, v.map(str::to_owned))));
    }

    #[test]
    fn refusals_name_the_row_and_show_no_value() {
        for (bytes, words) in [
            (&b"id,x\n"[..], "no column \"row\""),
            (b"", "no column \"row\""),
            (b"row,id\n1,secret\n1\n", "row 3: 1 values"),
            (b"row,id\n1,secret\xff\n", "row 2: not valid UTF-8"),
        ] {
            let message = read(bytes).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read(&[b"row,id\n", bytes.as_slice()].concat());
        }
    }
}
