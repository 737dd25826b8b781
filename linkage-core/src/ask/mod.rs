//! Which tokens the matcher needs: those of records that may yet be linked to somebody.
//!
//! Owners first send keys only. What shares a link key is linked by it, mostly beyond doubt; what
//! is left is compared by token with the records in the same blocks, and only for that are tokens
//! needed. So the matcher asks each owner with a filter of block keys, and the owner answers with
//! the tokens of all its records that the filter hits, linked or not: it learns that some record
//! without a partner somewhere may share a coarse key with one of its own, and no more.
//!
//! | type | what it is | who has it |
//! |---|---|---|
//! | [`Wanted`] | which block keys are worth asking each owner for | matcher |
//! | [`AskFilter`] | those for one owner, as a Bloom filter | matcher, that owner |
//! | [`share`] | whether the owner's answer stays below what the manifest allows | owner |

mod filter;
mod wanted;

#[cfg(test)]
mod tests;

pub use filter::{AskFilter, FILTER_BYTES_MAX, FilterError, ROW_FALSE_POSITIVE_RATE};
pub use wanted::{TooManyOwners, Wanted};

use crate::schema::{CandidateSettings, Lsh, Profile, Schema};

/// Share of the records that owners add to their own, which are nobody's and whose keys and tokens
/// are random: the matcher does not learn how many records an owner has.
pub const DUMMIES_SHARE: f64 = 0.02;

/// Why a project's owners send whole batches at once instead of keys first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WholeBatch {
    /// There are no block keys to ask by.
    NoBlockKeys,
    /// Records are also compared with those whose tokens are nearest, whatever their keys.
    Fields,
    /// Candidates are also taken from the tokens' bits.
    TokenBits,
}

impl WholeBatch {
    /// Why owners under this schema send whole batches, or `None` if they send keys first.
    pub fn of(schema: &Schema) -> Option<Self> {
        if schema.token.profile == Profile::Fields {
            Some(Self::Fields)
        } else if schema.block_keys.is_empty() {
            Some(Self::NoBlockKeys)
        } else if schema.candidates.lsh == Some(Lsh::Auto) {
            Some(Self::TokenBits)
        } else {
            None
        }
    }

    /// One sentence for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoBlockKeys => {
                "the schema has no block keys to ask by, so every token is sent at once"
            }
            Self::Fields => {
                "the profile `fields` compares each record with its nearest, whatever their keys, so \
                 every token is sent at once"
            }
            Self::TokenBits => {
                "the schema takes candidates from the tokens' bits (lsh = \"auto\"), so every token is \
                 sent at once"
            }
        }
    }
}

/// The settings under which records are compared whose tokens were asked for: by keys, whatever
/// their number.
pub fn candidates(settings: &CandidateSettings) -> CandidateSettings {
    CandidateSettings {
        all_pairs_max: 0,
        lsh: Some(Lsh::Off),
        ..settings.clone()
    }
}

/// Share of an owner's rows that a filter hits.
pub fn share(hits: u64, rows: u64) -> f64 {
    if rows == 0 {
        0.0
    } else {
        hits as f64 / rows as f64
    }
}
