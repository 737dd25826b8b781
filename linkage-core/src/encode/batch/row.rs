//! One row: what it holds, how long it is, and its packed form.

use super::error::BatchError;
use crate::encode::EncodedRecord;

/// Length of a link key in bytes: 128 bits, so that no two of 2^40 values collide by chance.
pub const LINK_KEY_BYTES: usize = 16;

pub(super) const BLOCK_KEY_BYTES: usize = 8;
pub(super) const ONES_BYTES: usize = 2;
pub(super) const CLASS_BYTES: usize = 2;

/// The parts of one record, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Words of the token; bit `i` is bit `i % 64` of word `i / 64`. Without any bit when the
    /// record is not compared.
    pub token: &'a [u64],
    /// One tag per column of link keys.
    pub link_keys: &'a [Option<[u8; LINK_KEY_BYTES]>],
    /// One tag per column of block keys.
    pub block_keys: &'a [Option<u64>],
    /// One value per column of frequency classes; 0 where the value is missing.
    pub classes: &'a [u16],
}

impl<'a> From<&'a EncodedRecord> for Row<'a> {
    fn from(record: &'a EncodedRecord) -> Self {
        Self {
            token: record.token.words(),
            link_keys: &record.link_keys,
            block_keys: &record.block_keys,
            classes: &record.classes,
        }
    }
}

/// Sizes of a row's parts.
///
/// A packed row is the token's bytes, its number of set bits (u16), the link keys, the block keys,
/// the frequency classes: one row of every column in the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLayout {
    pub(super) token: usize,
    pub(super) link_keys: usize,
    pub(super) block_keys: usize,
    pub(super) classes: usize,
}

impl RowLayout {
    pub(super) fn new(bits: u32, link_keys: usize, block_keys: usize, classes: usize) -> Self {
        Self {
            token: bits as usize / 8,
            link_keys,
            block_keys,
            classes,
        }
    }

    /// Size of a row in bytes.
    pub fn row_bytes(&self) -> usize {
        self.widths().sum()
    }

    /// Words of a token.
    pub fn words(&self) -> usize {
        self.token.div_ceil(8)
    }

    /// Bytes of each column's entry, in the order of the columns.
    pub(super) fn widths(&self) -> impl Iterator<Item = usize> + use<> {
        let columns = |width, count| std::iter::repeat_n(width, count);
        [self.token, ONES_BYTES]
            .into_iter()
            .chain(columns(LINK_KEY_BYTES, self.link_keys))
            .chain(columns(BLOCK_KEY_BYTES, self.block_keys))
            .chain(columns(CLASS_BYTES, self.classes))
    }

    /// Refuses a row with other columns, or with bits beyond the token's length.
    pub(super) fn check(&self, row: &Row<'_>) -> Result<(), BatchError> {
        if row.token.len() != self.words() {
            return Err(BatchError::Row("its token has another length"));
        }
        let beyond = self.words() * 8 - self.token;
        let last = row.token.last().copied().unwrap_or(0);
        if beyond > 0 && last.leading_zeros() < beyond as u32 * 8 {
            return Err(BatchError::Row("its token has bits beyond its length"));
        }
        if (row.link_keys.len(), row.block_keys.len()) != (self.link_keys, self.block_keys) {
            return Err(BatchError::Row("it has another number of keys"));
        }
        if row.classes.len() != self.classes {
            return Err(BatchError::Row(
                "it has another number of frequency classes",
            ));
        }
        Ok(())
    }

    /// Appends the packed row to `out`.
    ///
    /// # Errors
    /// [`BatchError::Row`] for a row with other columns, or with bits beyond the token's length.
    pub fn pack(&self, row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), BatchError> {
        self.check(row)?;
        let start = out.len();
        let mut ones = 0;
        for word in row.token {
            ones += word.count_ones();
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.truncate(start + self.token);
        // No token has more than TOKEN_BITS_MAX bits.
        out.extend_from_slice(&u16::try_from(ones).unwrap_or(u16::MAX).to_le_bytes());
        for tag in row.link_keys {
            out.extend_from_slice(&tag.unwrap_or([0; LINK_KEY_BYTES]));
        }
        for tag in row.block_keys {
            out.extend_from_slice(&tag.unwrap_or(0).to_le_bytes());
        }
        for class in row.classes {
            out.extend_from_slice(&class.to_le_bytes());
        }
        Ok(())
    }

    /// Number of set bits that a packed row states of its token.
    pub fn packed_ones(&self, packed: &[u8]) -> u32 {
        let ones = packed.get(self.token..).and_then(<[u8]>::first_chunk);
        ones.map_or(0, |ones| u16::from_le_bytes(*ones).into())
    }
}
