//! Reading a batch group by group.

use std::io::{ErrorKind, Read};

use ring::digest;

use super::error::{BatchError, StreamError};
use super::header::{Header, PREFIX_BYTES};
use super::{Batch, DIGEST_BYTES, GROUP_ROWS};

/// Reads header, row groups and trailer. Holds one column of one row group beside what it has
/// given.
pub struct BatchReader<R> {
    input: R,
    header: Header,
    digest: digest::Context,
    column: Vec<u8>,
    taken: u64,
    rows_left: u64,
    ended: bool,
}

impl<R: Read> BatchReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`BatchError`] when the bytes are no header; when `input` fails.
    pub fn new(mut input: R) -> Result<Self, StreamError> {
        let header = read_header(&mut input)?;
        let bytes = header.to_bytes();
        let mut digest = digest::Context::new(&digest::SHA256);
        digest.update(&bytes);
        Ok(Self {
            input,
            digest,
            column: Vec::new(),
            taken: bytes.len() as u64,
            rows_left: header.rows,
            ended: false,
            header,
        })
    }

    /// What the batch says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The SHA-256 in the trailer, which names these rows under this header; `None` until
    /// [`BatchReader::read_group`] has found the end.
    pub fn digest(&self) -> Option<[u8; DIGEST_BYTES]> {
        self.ended.then(|| {
            let mut digest = [0; DIGEST_BYTES];
            digest.copy_from_slice(self.digest.clone().finish().as_ref());
            digest
        })
    }

    /// Appends the rows of the next group to `into`, which has this batch's header; the number of
    /// rows, 0 at the end. Only then has the trailer been checked: what came before may have been
    /// damaged.
    ///
    /// # Errors
    /// [`BatchError`] when the bytes are no batch; when `input` fails.
    pub fn read_group(&mut self, into: &mut Batch) -> Result<usize, StreamError> {
        if self.rows_left == 0 {
            if !self.ended {
                self.check_trailer()?;
                self.ended = true;
            }
            return Ok(0);
        }
        let left = usize::try_from(self.rows_left).unwrap_or(usize::MAX);
        let rows = left.min(GROUP_ROWS);
        for (at, width) in self.header.layout().widths().enumerate() {
            self.read_column(rows * width)?;
            into.append_column(at, &self.column)?;
        }
        self.rows_left -= rows as u64;
        Ok(rows)
    }

    fn read_column(&mut self, bytes: usize) -> Result<(), StreamError> {
        self.column.clear();
        // Grows with what is there, not with what a header announces.
        let mut part = self.input.by_ref().take(bytes as u64);
        let found = part.read_to_end(&mut self.column)?;
        self.taken += found as u64;
        if found < bytes {
            return Err(self.wrong_length(self.taken).into());
        }
        self.digest.update(&self.column);
        Ok(())
    }

    fn check_trailer(&mut self) -> Result<(), StreamError> {
        let mut found = Vec::with_capacity(DIGEST_BYTES + 1);
        let mut rest = self.input.by_ref().take(DIGEST_BYTES as u64 + 1);
        rest.read_to_end(&mut found)?;
        if found.len() != DIGEST_BYTES {
            return Err(self.wrong_length(self.taken + found.len() as u64).into());
        }
        let expected = self.digest.clone().finish();
        if expected.as_ref() != found {
            return Err(BatchError::Checksum.into());
        }
        Ok(())
    }

    fn wrong_length(&self, found: u64) -> BatchError {
        let head = self.header.to_bytes().len() + DIGEST_BYTES;
        BatchError::Length {
            expected: self.header.body_bytes() + head as u64,
            found,
        }
    }
}

/// Reads the header at the beginning of `input` and nothing beyond it.
///
/// # Errors
/// [`BatchError`] when the bytes are no header; when `input` fails.
pub fn read_header(input: &mut impl Read) -> Result<Header, StreamError> {
    let short = |error: std::io::Error, refusal| match error.kind() {
        ErrorKind::UnexpectedEof => StreamError::Batch(refusal),
        _ => StreamError::Io(error),
    };
    let mut prefix = [0; PREFIX_BYTES];
    input
        .read_exact(&mut prefix)
        .map_err(|error| short(error, BatchError::Magic))?;
    let mut bytes = vec![0; Header::length(prefix)?];
    let (head, rest) = bytes.split_at_mut(PREFIX_BYTES);
    head.copy_from_slice(&prefix);
    input
        .read_exact(rest)
        .map_err(|error| short(error, BatchError::Header("it is too short")))?;
    Ok(Header::from_bytes(&bytes)?)
}
