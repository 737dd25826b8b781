//! Reading an owner's source. A row that cannot be used is set aside with its reason, never dropped
//! in silence; a file that cannot be used is refused with what to do.

mod columns;
mod encoding;
mod lines;
mod parquet;
mod rejects;
mod source;
mod split;
mod values;
mod xlsx;

use std::path::PathBuf;

use linkage_core::record::RawRecord;
use zeroize::Zeroizing;

pub use columns::Columns;
pub use encoding::Encoding;
pub use lines::LINE_BYTES_MAX as ROW_BYTES_MAX;
pub use rejects::RejectFile;
pub use source::{Block, Format, Parser, Source};
pub use values::{BLOCK_ROWS, Rows, ValueBlock};
pub use xlsx::CellFault;

/// Why a source cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path names a directory.
    #[error("{0} is a directory; name a file in it")]
    Directory(PathBuf),
    /// There is no such file.
    #[error("{0} does not exist; check the path")]
    Missing(PathBuf),
    /// The file may not be read.
    #[error("{0} may not be read by this user; run as its owner or give this user read permission")]
    Permission(PathBuf),
    /// Any other failure of the file system.
    #[error("{path} cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file has no header or no content.
    #[error("{0} is empty; the first line must name the columns")]
    Empty(PathBuf),
    /// The file's bytes are in no known encoding.
    #[error("{path}: {message}")]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What was seen and what to do.
        message: String,
    },
    /// A Parquet file that is damaged or holds what a record cannot have.
    #[error("{path}, {place}: {message}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Row group or column.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// An XLSX workbook that is damaged or locked, or whose sheet is not clear.
    #[error("{path}{}: {message}", quoted_sheet(.sheet.as_deref()))]
    Xlsx {
        /// The file.
        path: PathBuf,
        /// The sheet, where one is chosen.
        sheet: Option<String>,
        /// What is wrong and what to do.
        message: String,
    },
    /// A sheet is asked of a file that has none.
    #[error("{0} is no XLSX workbook and has no sheets; leave the sheet out")]
    NoSheets(PathBuf),
    /// The header names a column twice.
    #[error("{place}: column \"{column}\" occurs twice; rename one of them")]
    DuplicateColumn {
        /// The source, and where its header stands.
        place: String,
        /// The column.
        column: String,
    },
    /// The header lacks columns that the schema needs.
    #[error(
        "{place}: no column {}; there is: {}. Rename the column, or set `column = \"...\"` in the \
         schema",
        quoted(.missing), quoted(.present)
    )]
    MissingColumns {
        /// The source, and where its header stands.
        place: String,
        /// Columns that the schema needs.
        missing: Vec<String>,
        /// Columns that the source has.
        present: Vec<String>,
    },
    /// What gives the rows failed.
    #[error(transparent)]
    Rows(Box<dyn std::error::Error + Send + Sync>),
}

fn quoted_sheet(sheet: Option<&str>) -> String {
    sheet.map_or_else(String::new, |sheet| format!(", sheet \"{sheet}\""))
}

fn quoted(names: &[String]) -> String {
    names
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Error {
    /// The error for a failed system call on `path`.
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::Missing(path.into()),
            std::io::ErrorKind::PermissionDenied => Self::Permission(path.into()),
            std::io::ErrorKind::IsADirectory => Self::Directory(path.into()),
            _ => Self::Io {
                path: path.into(),
                source,
            },
        }
    }
}

/// A usable row.
pub struct Row {
    /// Row in the source. The header of a text is row 1; a sheet's rows have its own numbers.
    pub number: u64,
    /// The record.
    pub record: RawRecord,
    /// For every attribute of the schema the index of the row's value in the attribute's list;
    /// `None` when the value is not listed or the source has no such column.
    pub attributes: Vec<Option<u16>>,
}

/// Why a row is set aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// More or fewer values than columns.
    #[error("the row has {found} values, the header names {expected} columns")]
    Ragged {
        /// Values in the row.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// A quotation mark is not closed within the line.
    #[error("a quotation mark is opened and not closed in this line")]
    Quoting,
    /// Bytes that are not text in the file's encoding.
    #[error("a value is not valid {0}")]
    Encoding(&'static str),
    /// The record has no identity.
    #[error("the record's id is empty")]
    NoId,
    /// The identity has been seen before.
    #[error("the record's id occurred before, in row {0}; the first is kept")]
    DuplicateId(u64),
    /// The row is longer than any record.
    #[error("the row has more than {} bytes", lines::LINE_BYTES_MAX)]
    TooLong,
    /// A cell of a sheet holds no value.
    #[error("cell {cell} {fault}")]
    Cell {
        /// The cell, as the spreadsheet names it.
        cell: String,
        /// What it holds instead.
        fault: CellFault,
    },
}

impl Reason {
    /// A short, stable name for counts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ragged { .. } => "ragged-row",
            Self::Quoting => "bad-quoting",
            Self::Encoding(_) => "bad-encoding",
            Self::NoId => "empty-id",
            Self::DuplicateId(_) => "duplicate-id",
            Self::TooLong => "line-too-long",
            Self::Cell { .. } => "bad-cell",
        }
    }
}

/// A row that was set aside.
pub struct Reject {
    /// Row in the file; the header is row 1.
    pub row: u64,
    /// Name of the column at fault, where there is one.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: Reason,
    /// The line as read, for the owner's own file of rejects.
    pub line: Zeroizing<Vec<u8>>,
}
