//! Linkage schemas of clkhash, versions 1, 2 and 3: which columns there are and what each becomes.
//!
//! Strict where the package is lax: an unknown key is refused by name, so that a misspelt setting
//! is not passed over in silence. `xorFolds`, which the package documents and ignores, is refused
//! unless it is 0; the name that works is `xor_folds`.

mod convert;
mod file;

use std::collections::HashSet;
use std::fmt;

use zeroize::Zeroizing;

use super::date::DateFormat;
use super::pattern::Pattern;

/// Largest schema file, in bytes; the features that HKDF has key material for take under 100 KiB.
pub const BYTES_MAX: usize = 256 * 1024;

/// Most bits of a Bloom filter before folding. Linkage schemas in use have some thousands; a record
/// takes an eighth of it in bytes.
pub const FILTER_BITS_MAX: u32 = 1 << 20;

/// Most bits that one token, or one feature, may set.
pub const INSERTIONS_MAX: u32 = 1 << 16;

/// Longest n-gram, in characters.
pub const NGRAM_CHARS_MAX: u32 = 64;

/// Greatest `resolution` of a numeric comparison, which makes twice as many tokens and one.
pub const RESOLUTION_MAX: u32 = 10_000;

/// Greatest `fractional_precision`: the greatest power of ten that a double holds exactly is the
/// 22nd.
pub const PRECISION_MAX: u32 = 22;

/// Why a schema is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not JSON or has a key that no schema has. The message names line and column.
    #[error("{0}")]
    Syntax(String),
    /// The schema's version is none that is known.
    #[error("version: {0} is no version of a clkhash linkage schema; 1, 2 and 3 are")]
    Version(String),
    /// The text reads well and means something impossible.
    #[error("{path}: {message}")]
    Meaning {
        /// The offending element, such as `features[2].hashing.strategy`.
        path: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The text is longer than [`BYTES_MAX`].
    #[error("a schema has at most {BYTES_MAX} bytes, this file has {0}: is it a schema?")]
    TooLarge(usize),
}

/// A linkage schema, whatever the version it was written in.
#[derive(Debug)]
pub struct Schema {
    /// Bits of an encoding.
    pub bits: u32,
    /// How often the filter is folded in half on the way to [`Self::bits`].
    pub folds: u32,
    /// How keys come from the secret.
    pub kdf: Kdf,
    /// What each column becomes, in the order of columns.
    pub features: Vec<Feature>,
    /// The version that the schema was written in.
    pub version: u8,
}

impl Schema {
    /// Reads a schema from JSON.
    ///
    /// # Errors
    /// [`Error`], which names the place and what to do.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > BYTES_MAX {
            return Err(Error::TooLarge(text.len()));
        }
        convert::schema(file::read(text)?)
    }

    /// Bits of the filter before folding.
    pub fn filter_bits(&self) -> u32 {
        self.bits << self.folds
    }

    /// Bytes of an encoding.
    pub fn encoding_bytes(&self) -> usize {
        self.bits.div_ceil(8) as usize
    }
}

/// HKDF (RFC 5869) and its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kdf {
    /// The hash function.
    pub hash: KdfHash,
    /// Salt; empty stands for as many zero bytes as the hash is long.
    pub salt: Vec<u8>,
    /// Context.
    pub info: Vec<u8>,
    /// Bytes of each key.
    pub key_bytes: usize,
}

/// Hash functions of HKDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KdfHash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A column.
#[derive(Debug)]
pub struct Feature {
    /// The column's name.
    pub identifier: String,
    /// What its values become; nothing for an ignored column, which has keys all the same.
    pub hashing: Option<Hashing>,
}

/// What the values of a column become.
#[derive(Debug)]
pub struct Hashing {
    /// Which values are allowed, and how they are written canonically.
    pub format: Format,
    /// What stands for a missing value.
    pub missing: Option<Missing>,
    /// How values are split into tokens.
    pub comparison: Comparison,
    /// How many bits a token sets.
    pub strategy: Strategy,
    /// Which bits.
    pub hash: Hash,
}

/// Allowed values.
#[derive(Debug)]
pub enum Format {
    /// Text.
    Text {
        /// How tokens become bytes.
        encoding: Encoding,
        /// What is asked of the text.
        rule: TextRule,
    },
    /// Whole numbers.
    Integer {
        /// Least value.
        minimum: Option<i64>,
        /// Greatest value.
        maximum: Option<i64>,
    },
    /// Days.
    Date(DateFormat),
    /// One of a list.
    Enum(HashSet<String>),
}

impl Format {
    /// The format's name in a schema.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "string",
            Self::Integer { .. } => "integer",
            Self::Date(_) => "date",
            Self::Enum(_) => "enum",
        }
    }

    /// How tokens become bytes.
    pub(super) fn encoding(&self) -> Encoding {
        match self {
            Self::Text { encoding, .. } => *encoding,
            _ => Encoding::Utf8,
        }
    }
}

/// Text encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// ASCII; other characters are refused.
    Ascii,
    /// UTF-8.
    Utf8,
    /// UTF-16, little-endian, every token with a byte-order mark.
    Utf16,
    /// UTF-32, little-endian, every token with a byte-order mark.
    Utf32,
}

/// What is asked of text.
#[derive(Debug)]
pub enum TextRule {
    /// The whole text matches a regular expression.
    Pattern(Pattern),
    /// Case and length.
    Shape {
        /// Upper or lower case.
        case: Option<Case>,
        /// Fewest characters.
        chars_min: Option<u64>,
        /// Most characters.
        chars_max: Option<u64>,
    },
}

/// A case that text must be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Upper.
    Upper,
    /// Lower.
    Lower,
}

/// What stands for a missing value.
pub struct Missing {
    /// The value in the source.
    pub sentinel: Zeroizing<String>,
    /// What is encoded for it; by default the sentinel itself.
    pub replacement: Option<Zeroizing<String>>,
}

impl Missing {
    /// What is encoded for the sentinel.
    pub(super) fn encoded(&self) -> &str {
        self.replacement.as_ref().unwrap_or(&self.sentinel)
    }
}

impl fmt::Debug for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Missing(redacted)")
    }
}

/// How values are split into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Windows of `n` characters.
    Ngram {
        /// Characters of a window.
        n: u32,
        /// Whether its place counts.
        positional: bool,
    },
    /// The whole value.
    Exact,
    /// Neighbourhoods of a number (Karapiperis, Gkoulalas-Divanis, Verykios, TKDE 30(2), 2018).
    Numeric {
        /// Distance at which two numbers have no token in common, times ten to the precision.
        distance: i128,
        /// Tokens on either side of the number's own.
        resolution: u32,
        /// Decimal places that count.
        precision: u32,
    },
}

/// How many bits a token sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// So many.
    BitsPerToken(u32),
    /// So many are shared by all tokens of the value.
    BitsPerFeature(u32),
}

/// Which bits a token sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// 16-bit pieces of keyed BLAKE2b digests.
    Blake,
    /// `g + i d` of HMAC-SHA1 and HMAC-MD5.
    Double {
        /// Whether `d` may not be 0.
        prevent_singularity: bool,
    },
}

#[cfg(test)]
mod tests;
