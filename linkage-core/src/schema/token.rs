//! How records become tokens and how tokens are compared.

use serde::{Deserialize, Serialize};

/// How tokens are made and compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
    /// How a record becomes a token.
    pub profile: Profile,
    /// Keyed hash function of tokens and keys.
    pub suite: Suite,
    /// Length in bits of the record-level filter that features set bits in; a multiple of 64 from
    /// 256 to 4096. Not used by the `fields` profile.
    pub bits: u32,
    /// Diffusion of that filter into the token; under the `hardened` profile only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diffusion: Option<Diffusion>,
    /// How two tokens are compared. Hamming under `hardened`, otherwise Dice, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// Fewest features (q-grams and the like) that make a token; a record with fewer is not
    /// compared by token, because a thin token identifies itself by its weight (Schnell 2021).
    pub features_min: u32,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            profile: Profile::Hardened,
            suite: Suite::HmacSha256,
            bits: 1024,
            diffusion: None,
            agreement: None,
            features_min: 8,
        }
    }
}

impl TokenSettings {
    /// How two tokens are compared: as declared, or as suits the profile.
    pub fn agreement(&self) -> Agreement {
        self.agreement.unwrap_or(match self.profile {
            Profile::Hardened => Agreement::Hamming,
            Profile::Fields | Profile::PlainClk => Agreement::Dice,
        })
    }

    /// The diffusion that the profile applies: as declared or the default under `hardened`, none
    /// under any other.
    pub fn diffusion(&self) -> Option<Diffusion> {
        (self.profile == Profile::Hardened).then(|| self.diffusion.unwrap_or_default())
    }
}

/// How a record becomes a token; named for what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// One keyed Bloom filter per record at a fill of 0.42 to 0.50, then linear diffusion
    /// (Armknecht, Heng, Schnell, PoPETs 2023(2)), compared by Hamming agreement.
    Hardened,
    /// One keyed Bloom filter per declared [`Filter`] and keyed frequency classes. Links dirty data
    /// best and is weakest against frequency attacks: a project's manifest must say who accepted
    /// that risk.
    Fields,
    /// One keyed Bloom filter per record (cryptographic long-term key, Schnell, Bachteler, Reiher
    /// 2011) with HMAC random hashing, without hardening. De-identified, not anonymous: a matcher
    /// that knows some of the records can re-identify others from the similarities.
    PlainClk,
}

impl Profile {
    /// What tokens of this profile protect against and what not, for people who must decide.
    pub fn protection(self) -> &'static str {
        match self {
            Self::Hardened => {
                "\
Without the project's key nobody can compute a token from a name, and every bit of a token depends on
several bits of the record's filter, so that patterns of frequent names and the likeness of strangers'
tokens vanish, which the published attacks build on. There is no proof. Near-duplicates (twins at one
address) stay visible as near-duplicates, equal records have equal tokens, an attacker who knows most of
the records learns some of the rest, and whoever gets the key can try out every name. Tokens are
de-identified, not anonymous: delete them after use."
            }
            Self::Fields => {
                "\
Without the project's key nobody can compute a filter from a value. That is all: every group of fields
has a filter of its own, equal values have equal filters, and the frequency classes say how common a
value is, so that whoever holds many of them can line them up with public lists of names and recognise
the frequent ones, then the rest by their likeness. Use it where identities are public anyhow, as those
of enterprises are, or where the manifest records who accepted that risk. Whoever gets the key can try
out every value. Tokens are de-identified, not anonymous: delete them after use."
            }
            Self::PlainClk => {
                "\
Without the project's key nobody can compute a token from a name. But likeness shows: who knows some of
the records, or a population much like them, can recognise others by which tokens resemble which
(published attacks re-identify nearly all records of large sets), and patterns common to many tokens
reveal frequent parts of names. Whoever gets the key can try out every record. Use it to compare methods
on test data, not to protect people. Tokens are de-identified, not anonymous: delete them after use."
            }
        }
    }

    /// The word in schemas.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hardened => "hardened",
            Self::Fields => "fields",
            Self::PlainClk => "plain-clk",
        }
    }
}

/// Keyed hash functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suite {
    /// HMAC (RFC 2104) with SHA-256 (FIPS 180-4).
    #[default]
    HmacSha256,
    /// HMAC with SM3 (GB/T 32905-2016).
    HmacSm3,
}

/// Diffusion: every bit of the token is the exclusive or of `inputs` bits of the record-level
/// filter, chosen under the project's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Diffusion {
    /// Filter bits per token bit, the `t` of the paper; 2 to 10.
    pub inputs: u32,
    /// Length of the token in bits; a multiple of 64 from 512 to 8192.
    pub bits: u32,
}

impl Default for Diffusion {
    /// `t = 5` into 2048 bits: with a fill of 0.42 to 0.50, unrelated records then agree as coin
    /// tosses do, and records of one person still stand out by 5 standard deviations or more.
    fn default() -> Self {
        Self {
            inputs: 5,
            bits: 2048,
        }
    }
}

/// How two tokens are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// 2 |a and b| / (|a| + |b|); under the `fields` profile the mean over the filters that both
    /// records have, by weight.
    Dice,
    /// Share of positions on which both tokens have the same bit.
    Hamming,
}

/// One filter of the `fields` profile: a keyed Bloom filter over one or a few fields.
///
/// A field with few values (sex, a month) must share its filter with others: alone, the histogram
/// of its filters names the values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Name of the filter, for reports.
    pub name: String,
    /// Length in bits; a multiple of 64 from 64 to 1024.
    pub bits: u32,
    /// The fields whose features it holds.
    pub fields: Vec<String>,
    /// Weight of the filter's agreement.
    pub weight: u16,
    /// Field whose value's keyed frequency class (16 bits) goes along, so that the matcher can tell
    /// frequent values from rare ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<String>,
    /// Name of another filter whose value is at times written in this one's place and the other way
    /// round, as surname and given name are. Declared at one of the two; they must be alike (one
    /// field each, the same features and bits). Both are then hashed under one key, so that the
    /// matcher can compare them crosswise. The price: it also sees which surnames serve as given
    /// names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swaps_with: Option<String>,
}

/// One filter of a token of the `fields` profile: where it ends and what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Length in bits.
    pub bits: u32,
    /// Weight of the filter's agreement.
    pub weight: u16,
    /// Whether a column of frequency classes belongs to it; the columns are in the order of these
    /// filters.
    pub frequency: bool,
    /// Index of the filter whose value is at times in this one's place; mutual.
    pub swaps_with: Option<u8>,
}

impl Segment {
    /// A filter without frequency classes that swaps with no other.
    pub const fn new(bits: u32, weight: u16) -> Self {
        Self {
            bits,
            weight,
            frequency: false,
            swaps_with: None,
        }
    }
}
