//! What the matcher reads of an owner's records, wherever they lie: in memory or in a mapped file.

use super::Header;

/// One owner's encoded records in columns; row `i` of each column is record `i`. Borrowed, so that
/// comparing does not care who holds the bytes.
#[derive(Debug, Clone)]
pub struct Columns<'a> {
    /// What the records say of themselves.
    pub header: &'a Header,
    /// All tokens, row after row, each of [`Columns::width`] words. Bit `i` of a token is bit
    /// `i % 64` of word `i / 64`; bits of the last word beyond the token's length are zero.
    pub words: &'a [u64],
    /// Number of set bits of each token; zero for a record that is not compared by token.
    pub ones: &'a [u16],
    /// Columns of link keys; zero = absent.
    pub link_keys: Vec<&'a [u128]>,
    /// Columns of block keys; zero = absent.
    pub block_keys: Vec<&'a [u64]>,
    /// Columns of frequency classes; zero = the value is missing.
    pub classes: Vec<&'a [u16]>,
}

impl<'a> Columns<'a> {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.ones.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.ones.is_empty()
    }

    /// Words of a token.
    pub fn width(&self) -> usize {
        (self.header.token_bits as usize).div_ceil(64)
    }

    /// Words of record `row`'s token; empty beyond the last row.
    pub fn token(&self, row: usize) -> &'a [u64] {
        let width = self.width();
        self.words
            .get(row * width..(row + 1) * width)
            .unwrap_or(&[])
    }

    /// Number of set bits of record `row`'s token.
    pub fn ones(&self, row: usize) -> u32 {
        self.ones.get(row).copied().unwrap_or(0).into()
    }

    /// Tag of record `row` in column `column` of link keys; `None` if absent.
    pub fn link_key(&self, row: usize, column: usize) -> Option<u128> {
        let tag = *self.link_keys.get(column)?.get(row)?;
        (tag != 0).then_some(tag)
    }

    /// Tag of record `row` under block-key rule `rule`; `None` if absent.
    pub fn block_key(&self, row: usize, rule: usize) -> Option<u64> {
        let tag = *self.block_keys.get(rule)?.get(row)?;
        (tag != 0).then_some(tag)
    }

    /// Frequency class of record `row` in column `column`; `None` if its value is missing.
    pub fn class(&self, row: usize, column: usize) -> Option<u16> {
        let class = *self.classes.get(column)?.get(row)?;
        (class != 0).then_some(class)
    }
}
