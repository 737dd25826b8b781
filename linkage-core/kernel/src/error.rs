//! Why a call is refused.

use crate::isa::Isa;

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The length of a token is outside [`crate::BITS_MIN`]..=[`crate::BITS_MAX`].
    #[error("tokens of {0} bits; 8 to 32768 are possible")]
    Bits(u32),
    /// The columns of words and of counts are of different lengths.
    #[error("{words} words for {rows} tokens of {width} words")]
    Shape {
        /// Words given.
        words: usize,
        /// Counts of set bits given, one for each row.
        rows: usize,
        /// Words of a token.
        width: usize,
    },
    /// More rows than a row number of 32 bits can name.
    #[error("{0} rows are more than a 32-bit row number can name")]
    Rows(usize),
    /// A row claims more set bits than a token has.
    #[error("row {row} claims {ones} set bits")]
    Ones {
        /// The row.
        row: usize,
        /// What it claims.
        ones: u16,
    },
    /// The threshold is outside 0..=1.
    #[error("a threshold of {0}; it must lie in 0 to 1")]
    Threshold(f64),
    /// Both sides and the rule must be about tokens of one length.
    #[error("tokens of {found} bits where {expected} are expected")]
    Length {
        /// Bits the rule was made for.
        expected: u32,
        /// Bits of the rows.
        found: u32,
    },
    /// This processor lacks the instructions that were asked for.
    #[error("this processor cannot run {0:?} code")]
    Isa(Isa),
}
