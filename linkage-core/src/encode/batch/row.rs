//! One row: what it holds, how long it is, and its packed form.

use std::ops::Range;

use rand::{CryptoRng, RngExt as _};

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

    /// Makes a packed row one of nobody: as many set bits as before at random places of each of
    /// `parts`, the lengths in bits of what the token is made of, and a random key for each that
    /// was there. Frequency classes stay.
    pub fn disguise(&self, packed: &mut [u8], parts: &[u32], rng: &mut impl CryptoRng) {
        let (token, rest) = packed.split_at_mut(self.token.min(packed.len()));
        let mut bits_before = 0;
        for part in parts {
            scatter(token, bits_before..bits_before + *part as usize, rng);
            bits_before += *part as usize;
        }
        let keys = rest.get_mut(ONES_BYTES..).unwrap_or(&mut []);
        let (link_keys, keys) =
            keys.split_at_mut((self.link_keys * LINK_KEY_BYTES).min(keys.len()));
        let block_keys = keys
            .get_mut(..self.block_keys * BLOCK_KEY_BYTES)
            .unwrap_or(&mut []);
        let of_link = link_keys.chunks_exact_mut(LINK_KEY_BYTES);
        for key in of_link.chain(block_keys.chunks_exact_mut(BLOCK_KEY_BYTES)) {
            if key.iter().any(|byte| *byte != 0) {
                rng.fill_bytes(key);
            }
        }
    }

    /// Number of set bits that a packed row states of its token.
    pub fn packed_ones(&self, packed: &[u8]) -> u32 {
        let ones = packed.get(self.token..).and_then(<[u8]>::first_chunk);
        ones.map_or(0, |ones| u16::from_le_bytes(*ones).into())
    }
}

/// Puts the set bits of `range` at random places of it.
fn scatter(bytes: &mut [u8], range: Range<usize>, rng: &mut impl CryptoRng) {
    let get =
        |bytes: &[u8], bit: usize| bytes.get(bit / 8).is_some_and(|b| b >> (bit % 8) & 1 == 1);
    let set = |bytes: &mut [u8], bit: usize, to: bool| {
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte = *byte & !(1 << (bit % 8)) | u8::from(to) << (bit % 8);
        }
    };
    // Fisher and Yates, on bits.
    for at in range.clone().skip(1) {
        let other = rng.random_range(range.start..=at);
        let (here, there) = (get(bytes, at), get(bytes, other));
        set(bytes, at, there);
        set(bytes, other, here);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn a_disguised_row_keeps_its_form_and_nothing_else() {
        let layout = RowLayout::new(128, 2, 2, 1);
        let row = Row {
            token: &[0x00ff_00ff, 0xffff],
            link_keys: &[Some([5; 16]), None],
            block_keys: &[None, Some(7)],
            classes: &[9],
        };
        let mut packed = vec![];
        layout.pack(&row, &mut packed).unwrap();
        let before = packed.clone();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        layout.disguise(&mut packed, &[64, 64], &mut rng);
        assert_eq!(packed.len(), before.len());
        let ones = |bytes: &[u8]| bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
        for part in [0..8, 8..16] {
            assert_ne!(packed[part.clone()], before[part.clone()]);
            assert_eq!(ones(&packed[part.clone()]), ones(&before[part]));
        }
        assert_eq!(layout.packed_ones(&packed), 32);
        // Present keys are others, absent ones stay absent, classes stay.
        assert_ne!(packed[18..34], before[18..34]);
        assert_eq!(packed[34..58], before[34..58]);
        assert_ne!(packed[58..66], before[58..66]);
        assert_eq!(packed[66..], before[66..]);
    }
}
