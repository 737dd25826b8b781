//! Tokens as the kernels read them.

use crate::error::Error;

/// Shortest token, in bits.
pub const BITS_MIN: u32 = 8;

/// Longest token, in bits: a count of set bits fits 16 bits.
pub const BITS_MAX: u32 = 32_768;

/// Tokens of one register, borrowed: row after row of words, and the number of set bits of each.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    words: &'a [u64],
    ones: &'a [u16],
    width: usize,
    bits: u32,
}

impl<'a> Rows<'a> {
    /// Tokens of `bits` bits in rows of `bits / 64` words, rounded up.
    ///
    /// Bits beyond the length must be zero and `ones` must hold each row's number of set bits, or
    /// zero for a row that agrees with nothing; where they do not, nothing breaks, but which pairs
    /// are found is not specified.
    ///
    /// # Errors
    ///
    /// [`Error::Bits`], [`Error::Shape`], [`Error::Rows`] and [`Error::Ones`] for columns that
    /// cannot be.
    pub fn new(words: &'a [u64], ones: &'a [u16], bits: u32) -> Result<Self, Error> {
        if !(BITS_MIN..=BITS_MAX).contains(&bits) {
            return Err(Error::Bits(bits));
        }
        let width = bits.div_ceil(64) as usize;
        let rows = ones.len();
        if rows > u32::MAX as usize {
            return Err(Error::Rows(rows));
        }
        if rows.checked_mul(width) != Some(words.len()) {
            return Err(Error::Shape {
                words: words.len(),
                rows,
                width,
            });
        }
        match ones.iter().position(|&ones| u32::from(ones) > bits) {
            Some(row) => Err(Error::Ones {
                row,
                ones: ones.get(row).copied().unwrap_or(0),
            }),
            None => Ok(Self {
                words,
                ones,
                width,
                bits,
            }),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ones.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ones.is_empty()
    }

    /// Length of a token in bits.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Words of a token.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Set bits of every row.
    pub fn ones(&self) -> &'a [u16] {
        self.ones
    }

    /// Words of row `row`; empty beyond the last row.
    #[inline]
    pub fn token(&self, row: usize) -> &'a [u64] {
        row.checked_mul(self.width)
            .and_then(|start| self.words.get(start..start + self.width))
            .unwrap_or(&[])
    }

    /// Set bits of row `row`; zero beyond the last row.
    #[inline]
    pub(crate) fn count(&self, row: usize) -> usize {
        self.ones.get(row).copied().unwrap_or(0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_cannot_be_are_refused() {
        assert_eq!(Rows::new(&[], &[], 7).unwrap_err(), Error::Bits(7));
        assert_eq!(
            Rows::new(&[], &[], 32_769).unwrap_err(),
            Error::Bits(32_769)
        );
        let shape = Error::Shape {
            words: 3,
            rows: 2,
            width: 2,
        };
        assert_eq!(Rows::new(&[0; 3], &[0; 2], 65).unwrap_err(), shape);
        let ones = Error::Ones { row: 1, ones: 66 };
        assert_eq!(Rows::new(&[0; 4], &[65, 66], 65).unwrap_err(), ones);
    }

    #[test]
    fn a_row_beyond_the_last_is_empty() {
        let rows = Rows::new(&[1, 2, 3, 4], &[1, 1], 100).unwrap();
        assert_eq!((rows.len(), rows.width(), rows.bits()), (2, 2, 100));
        assert_eq!(rows.token(1), [3, 4]);
        assert!(rows.token(2).is_empty() && rows.token(usize::MAX).is_empty());
    }
}
