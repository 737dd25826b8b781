//! Writing a batch row by row.

use std::io::Write;

use ring::digest;

use super::error::{BatchError, StreamError};
use super::header::Header;
use super::row::{Row, RowLayout};
use super::{DIGEST_BYTES, GROUP_ROWS};

/// Writes header, row groups and trailer. Holds one row group in memory.
pub struct BatchWriter<W> {
    out: W,
    layout: RowLayout,
    digest: digest::Context,
    columns: Vec<Column>,
    packed: Vec<u8>,
    grouped: usize,
    written: u64,
    rows: u64,
}

struct Column {
    width: usize,
    bytes: Vec<u8>,
}

impl<W: Write> BatchWriter<W> {
    /// Writes the header; exactly `header.rows` rows must follow.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn new(mut out: W, header: &Header) -> Result<Self, StreamError> {
        let bytes = header.to_bytes();
        let mut digest = digest::Context::new(&digest::SHA256);
        digest.update(&bytes);
        out.write_all(&bytes)?;
        let layout = header.layout();
        let column = |width| Column {
            width,
            bytes: Vec::new(),
        };
        Ok(Self {
            out,
            layout,
            digest,
            columns: layout.widths().map(column).collect(),
            packed: Vec::with_capacity(layout.row_bytes()),
            grouped: 0,
            written: 0,
            rows: header.rows,
        })
    }

    /// Adds one row.
    ///
    /// # Errors
    /// [`BatchError::Row`] when it does not fit the header; when `out` fails.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), StreamError> {
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        let result = self.layout.pack(row, &mut packed);
        let result = result
            .map_err(StreamError::from)
            .and_then(|()| self.push_packed(&packed));
        self.packed = packed;
        result
    }

    /// Adds one row that [`RowLayout::pack`] made for this header.
    ///
    /// # Errors
    /// [`BatchError::Row`] when its length is another; when `out` fails.
    pub fn push_packed(&mut self, packed: &[u8]) -> Result<(), StreamError> {
        if packed.len() != self.layout.row_bytes() {
            return Err(BatchError::Row("its length is another").into());
        }
        let mut rest = packed;
        for column in &mut self.columns {
            let (part, others) = rest.split_at(column.width);
            column.bytes.extend_from_slice(part);
            rest = others;
        }
        self.grouped += 1;
        self.written += 1;
        if self.grouped == GROUP_ROWS {
            self.flush_group()?;
        }
        Ok(())
    }

    fn flush_group(&mut self) -> Result<(), StreamError> {
        for column in &mut self.columns {
            self.digest.update(&column.bytes);
            self.out.write_all(&column.bytes)?;
            column.bytes.clear();
        }
        self.grouped = 0;
        Ok(())
    }

    /// Writes the last group and the trailer; gives back `out` and the trailer's digest.
    ///
    /// # Errors
    /// [`BatchError::Rows`] when more or fewer rows came than announced; when `out` fails.
    pub fn finish(mut self) -> Result<(W, [u8; DIGEST_BYTES]), StreamError> {
        if self.written != self.rows {
            return Err(BatchError::Rows {
                expected: self.rows,
                found: self.written,
            }
            .into());
        }
        self.flush_group()?;
        let mut trailer = [0; DIGEST_BYTES];
        trailer.copy_from_slice(self.digest.finish().as_ref());
        self.out.write_all(&trailer)?;
        self.out.flush()?;
        Ok((self.out, trailer))
    }
}
