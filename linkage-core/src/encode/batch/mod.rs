//! A batch of encoded records as bytes: what an owner uploads and what a token file holds.
//!
//! ```text
//! header   magic "LKBATCH\n" (8), format version (u16), length of the header in bytes (u32),
//!          project id (32), schema fingerprint (32), key id (8), data pack hash (32),
//!          suite (1), profile (1), agreement (1), token bits (u32), rows (u64),
//!          columns of block keys (u8), columns of frequency classes (u8),
//!          columns of link keys (u8), for each its rule (u8) and role (u8),
//!          segments (u8), for each its bits (u32) and weight (u16), and in version 2 whether a
//!          column of frequency classes is its (u8) and the number of the segment that it swaps
//!          with, from 1 (u8, 0 = none); version 1 is that of a batch where no segment has either
//! groups   16 384 rows each, the last one what is left; in a group column after column:
//!          tokens (bits / 8 bytes each), their numbers of set bits (u16),
//!          each column of link keys (16 bytes, zero = absent),
//!          each column of block keys (u64, zero = absent),
//!          each column of frequency classes (u16, zero = absent)
//! trailer  SHA-256 over header and groups (32)
//! ```
//!
//! Numbers are little-endian. Bit `i` of a token is bit `i % 8` of byte `i / 8`. The header says
//! everything that two batches must share to be comparable; [`Header::comparable`] names the first
//! difference. There is exactly one way to write a batch: what is read and written again has the
//! same bytes.

mod columns;
mod cut;
mod error;
mod header;
mod read;
mod row;
mod write;

use std::fs::File;
use std::io::{BufReader, Read};

pub use columns::Columns;
pub use error::{BatchError, StreamError};
pub use header::{Header, TOKEN_BITS_MAX};
pub use read::{BatchReader, read_header};
pub use row::{LINK_KEY_BYTES, Row, RowLayout};
pub use write::BatchWriter;

use super::EncodedRecord;

/// Length of the trailer, a SHA-256 digest, in bytes.
pub const DIGEST_BYTES: usize = 32;

/// Rows of a group: a column of keys is then 128 to 256 KiB, long enough to be read in one go, and
/// a group of 2048-bit tokens with ten keys 7 MiB, little enough to hold.
pub const GROUP_ROWS: usize = 16_384;

/// Encoded records in columns, ready to be compared. Row `i` of each column is record `i`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    header: Header,
    words: Vec<u64>,
    ones: Vec<u16>,
    link_keys: Vec<Vec<u128>>,
    block_keys: Vec<Vec<u64>>,
    classes: Vec<Vec<u16>>,
}

impl Batch {
    /// An empty batch, to which rows are added.
    pub fn new(header: Header) -> Self {
        let layout = header.layout();
        Self {
            header,
            words: vec![],
            ones: vec![],
            link_keys: vec![vec![]; layout.link_keys],
            block_keys: vec![vec![]; layout.block_keys],
            classes: vec![vec![]; layout.classes],
        }
    }

    /// What the batch says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.ones.len()
    }

    /// Whether the batch has no record.
    pub fn is_empty(&self) -> bool {
        self.ones.is_empty()
    }

    /// Words of a token. Bits of the last word beyond the token's length are zero.
    pub fn width(&self) -> usize {
        (self.header.token_bits as usize).div_ceil(64)
    }

    /// The records as columns.
    pub fn columns(&self) -> Columns<'_> {
        Columns {
            header: &self.header,
            words: &self.words,
            ones: &self.ones,
            link_keys: self.link_keys.iter().map(Vec::as_slice).collect(),
            block_keys: self.block_keys.iter().map(Vec::as_slice).collect(),
            classes: self.classes.iter().map(Vec::as_slice).collect(),
        }
    }

    /// Removes all rows and keeps the header, to read the next group.
    pub fn clear(&mut self) {
        self.words.clear();
        self.ones.clear();
        self.link_keys.iter_mut().for_each(Vec::clear);
        self.block_keys.iter_mut().for_each(Vec::clear);
        self.classes.iter_mut().for_each(Vec::clear);
    }

    /// Adds one row.
    ///
    /// # Errors
    /// [`BatchError::Row`] when it does not fit the header.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), BatchError> {
        self.header.layout().check(row)?;
        self.words.extend_from_slice(row.token);
        let ones: u32 = row.token.iter().map(|word| word.count_ones()).sum();
        self.ones.push(u16::try_from(ones).unwrap_or(u16::MAX));
        for (column, tag) in self.link_keys.iter_mut().zip(row.link_keys) {
            column.push(tag.map_or(0, u128::from_be_bytes));
        }
        for (column, tag) in self.block_keys.iter_mut().zip(row.block_keys) {
            column.push(tag.unwrap_or(0));
        }
        for (column, class) in self.classes.iter_mut().zip(row.classes) {
            column.push(*class);
        }
        Ok(())
    }

    /// Appends the bytes of column `at` of a row group. The tokens come before their numbers of
    /// set bits, which are checked against them.
    fn append_column(&mut self, at: usize, bytes: &[u8]) -> Result<(), BatchError> {
        let layout = self.header.layout();
        if layout.token == 0 && at < 2 {
            // Keys alone: no record has any bit.
            if bytes.iter().any(|byte| *byte != 0) {
                return Err(BatchError::Ones);
            }
            self.ones.extend(bytes.as_chunks::<2>().0.iter().map(|_| 0));
        } else if at == 0 {
            for token in bytes.chunks_exact(layout.token) {
                let (whole, rest) = token.as_chunks();
                self.words
                    .extend(whole.iter().map(|word| u64::from_le_bytes(*word)));
                if !rest.is_empty() {
                    let mut last = [0; 8];
                    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    self.words.push(u64::from_le_bytes(last));
                }
            }
        } else if at == 1 {
            let width = self.width();
            let tokens = self.words.get(self.ones.len() * width..).unwrap_or(&[]);
            for (token, stated) in tokens.chunks_exact(width).zip(bytes.as_chunks().0) {
                let ones = u16::from_le_bytes(*stated);
                let counted: u32 = token.iter().map(|word| word.count_ones()).sum();
                if counted != u32::from(ones) {
                    return Err(BatchError::Ones);
                }
                self.ones.push(ones);
            }
        } else if let Some(column) = self.link_keys.get_mut(at - 2) {
            let tags = bytes.as_chunks().0.iter();
            column.extend(tags.map(|tag| u128::from_be_bytes(*tag)));
        } else if let Some(column) = self.block_keys.get_mut(at - 2 - layout.link_keys) {
            let tags = bytes.as_chunks().0.iter();
            column.extend(tags.map(|tag| u64::from_le_bytes(*tag)));
        } else if let Some(column) = self
            .classes
            .get_mut(at - 2 - layout.link_keys - layout.block_keys)
        {
            let classes = bytes.as_chunks().0.iter();
            column.extend(classes.map(|class| u16::from_le_bytes(*class)));
        }
        Ok(())
    }

    /// Header, rows and trailer of `records`.
    ///
    /// # Errors
    /// [`BatchError`] when the records do not fit the header.
    pub fn encode(header: &Header, records: &[EncodedRecord]) -> Result<Vec<u8>, BatchError> {
        let refused = |error| match error {
            StreamError::Batch(error) => error,
            // A vector takes whatever is written to it.
            StreamError::Io(_) => BatchError::Row("out of memory"),
        };
        let mut writer = BatchWriter::new(Vec::new(), header).map_err(refused)?;
        for record in records {
            writer.push(&record.into()).map_err(refused)?;
        }
        Ok(writer.finish().map_err(refused)?.0)
    }

    /// Reads header, rows and trailer; refuses trailing bytes.
    ///
    /// # Errors
    /// [`BatchError`] naming what does not fit; when `input` fails.
    pub fn read(input: impl Read) -> Result<Self, StreamError> {
        let mut reader = BatchReader::new(input)?;
        let mut batch = Self::new(reader.header().clone());
        while reader.read_group(&mut batch)? > 0 {}
        Ok(batch)
    }

    /// As [`Batch::read`], from a file. Room for all rows is made at once, which takes half of the
    /// time that growing does; but none for rows that the file has no bytes for.
    ///
    /// # Errors
    /// As [`Batch::read`].
    pub fn read_file(file: &File) -> Result<Self, StreamError> {
        let bytes = file.metadata()?.len();
        let mut reader = BatchReader::new(BufReader::new(file))?;
        let mut batch = Self::new(reader.header().clone());
        if reader.header().body_bytes() <= bytes {
            batch.reserve(usize::try_from(reader.header().rows).unwrap_or(0));
        }
        while reader.read_group(&mut batch)? > 0 {}
        Ok(batch)
    }

    fn reserve(&mut self, rows: usize) {
        let tokens = if self.header.layout().token == 0 {
            0
        } else {
            rows
        };
        self.words.reserve_exact(tokens * self.width());
        self.ones.reserve_exact(rows);
        for column in &mut self.link_keys {
            column.reserve_exact(rows);
        }
        for column in &mut self.block_keys {
            column.reserve_exact(rows);
        }
        for column in &mut self.classes {
            column.reserve_exact(rows);
        }
    }

    /// Reads header, rows and trailer; refuses trailing bytes.
    ///
    /// # Errors
    /// [`BatchError`], naming what does not fit.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        match Self::read(bytes) {
            Ok(batch) => Ok(batch),
            Err(StreamError::Batch(error)) => Err(error),
            Err(StreamError::Io(_)) => Err(BatchError::Magic),
        }
    }
}

#[cfg(test)]
mod tests;
