//! Encodings as the anonlink family hands them over: JSON of three layouts, or raw bytes.
//!
//! | layout | content |
//! |---|---|
//! | [`Layout::Clks`] | `{"clks": [b64, ...]}` |
//! | [`Layout::Encodings`] | `{"encodings": [b64, ...], "blocks": {"0": ["id", ...], ...}}`, blocks optional |
//! | [`Layout::ClkNBlocks`] | `{"clknblocks": [[b64, "id", ...], ...]}` |
//! | raw | encodings end to end, with the headers [`HASH_COUNT`] and [`HASH_SIZE`] beside them |
//!
//! In all of them an encoding's place is the record's identity. Readers take one encoding at a time
//! and refuse what is not exactly of a layout; writers write what Python's `json.dump` does.

mod read;

use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::schema::FILTER_BITS_MAX;

pub use read::read_json;

/// HTTP header that says how many encodings a raw body has.
pub const HASH_COUNT: &str = "Hash-Count";

/// HTTP header that says how many bytes an encoding has.
pub const HASH_SIZE: &str = "Hash-Size";

/// Longest encoding, in bytes: that of the longest filter a schema may have.
pub const ENCODING_BYTES_MAX: usize = FILTER_BITS_MAX as usize / 8;

/// Most bytes of JSON between one encoding, or the block ids of one row, and the next.
pub const ELEMENT_BYTES_MAX: u64 = 1024 * 1024;

/// Why encodings cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading failed.
    #[error("reading failed")]
    Read(#[source] io::Error),
    /// Writing failed, or whoever takes the encodings gave up.
    #[error("the encodings cannot be handed on")]
    Write(#[source] io::Error),
    /// Not JSON of one of the layouts. The message names line and column.
    #[error("not encodings in JSON: {0}")]
    Json(String),
    /// The bytes end within an encoding.
    #[error(
        "{left} bytes are left over after {count} encodings of {size} bytes; is the size right?"
    )]
    Truncated {
        /// Whole encodings.
        count: u64,
        /// Bytes of each.
        size: usize,
        /// Bytes of the last, which is not whole.
        left: usize,
    },
    /// There are more or fewer encodings than was said.
    #[error("{expected} encodings were announced, and {found} or more are there")]
    Count {
        /// The number announced.
        expected: u64,
        /// The number found, at most one above.
        found: u64,
    },
    /// No encoding is so long.
    #[error("an encoding has 1 to {ENCODING_BYTES_MAX} bytes, not {0}")]
    Size(usize),
}

/// How JSON holds encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The usual one.
    Clks,
    /// The newer one, with blocks beside.
    Encodings,
    /// Each encoding with its blocks.
    ClkNBlocks,
}

impl Layout {
    /// The key that the encodings stand under.
    pub fn key(self) -> &'static str {
        match self {
            Self::Clks => "clks",
            Self::Encodings => "encodings",
            Self::ClkNBlocks => "clknblocks",
        }
    }
}

/// Takes encodings as they are read.
pub trait Sink {
    /// Takes the next encoding; all have the same length.
    ///
    /// # Errors
    /// Ends the reading.
    fn encoding(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Takes the block ids of a row. They carry no key: whoever sees them can guess the values that
    /// they were made of.
    ///
    /// # Errors
    /// Ends the reading.
    fn blocks(&mut self, row: u64, ids: &[String]) -> io::Result<()>;
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many encodings.
    pub count: u64,
    /// Bytes of each; 0 if there are none.
    pub size: usize,
    /// How many block ids.
    pub block_ids: u64,
    /// The layout; nothing for raw bytes.
    pub layout: Option<Layout>,
}

/// Writes encodings as JSON.
pub struct JsonWriter<W> {
    to: W,
    first: bool,
    text: String,
}

impl<W: Write> JsonWriter<W> {
    /// Starts the layout [`Layout::Clks`].
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn new(mut to: W) -> Result<Self, Error> {
        to.write_all(b"{\"clks\": [").map_err(Error::Write)?;
        Ok(Self {
            to,
            first: true,
            text: String::new(),
        })
    }

    /// Adds an encoding.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn push(&mut self, encoding: &[u8]) -> Result<(), Error> {
        self.text.clear();
        self.text.push_str(if self.first { "\"" } else { ", \"" });
        self.first = false;
        STANDARD.encode_string(encoding, &mut self.text);
        self.text.push('"');
        self.to
            .write_all(self.text.as_bytes())
            .map_err(Error::Write)
    }

    /// Ends the file and gives back what it was written to.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn finish(mut self) -> Result<W, Error> {
        let end = self.to.write_all(b"]}").and_then(|()| self.to.flush());
        end.map_err(Error::Write)?;
        Ok(self.to)
    }
}

/// Reads raw encodings of `size` bytes each, and just `count` of them if that is given.
///
/// # Errors
/// [`Error`].
pub fn read_raw(
    mut from: impl Read,
    size: usize,
    count: Option<u64>,
    sink: &mut impl Sink,
) -> Result<Summary, Error> {
    if !(1..=ENCODING_BYTES_MAX).contains(&size) {
        return Err(Error::Size(size));
    }
    let mut encoding = Vec::with_capacity(size);
    let mut found = 0;
    loop {
        encoding.clear();
        let left = from
            .by_ref()
            .take(size as u64)
            .read_to_end(&mut encoding)
            .map_err(Error::Read)?;
        if left == 0 {
            break;
        }
        if left < size {
            return Err(Error::Truncated {
                count: found,
                size,
                left,
            });
        }
        found += 1;
        if let Some(expected) = count.filter(|expected| found > *expected) {
            return Err(Error::Count { expected, found });
        }
        sink.encoding(&encoding).map_err(Error::Write)?;
    }
    match count {
        Some(expected) if expected != found => Err(Error::Count { expected, found }),
        _ => Ok(Summary {
            count: found,
            size,
            block_ids: 0,
            layout: None,
        }),
    }
}

#[cfg(test)]
mod tests;
