//! The schema's shape. Every struct refuses unknown keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A schema, as declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Version of the schema language; 1.
    pub version: u32,
    /// What a record is; the population of requests.
    pub entity: Entity,
    /// Column that holds the record's identity in the owner's source.
    pub id_column: String,
    /// Values, beside the built-in list, that stand for "none" in any field.
    #[serde(default)]
    pub placeholders: Vec<String>,
    /// How tokens are made and compared.
    #[serde(default)]
    pub token: TokenSettings,
    /// How candidate pairs are found.
    #[serde(default)]
    pub candidates: CandidateSettings,
    /// The compared fields.
    #[serde(rename = "field")]
    pub fields: Vec<Field>,
    /// Link keys, most precise first: records that share one are linked, whatever their tokens.
    #[serde(rename = "link_key", default)]
    pub link_keys: Vec<LinkKey>,
    /// Block keys: records that share one are compared.
    #[serde(rename = "block_key", default)]
    pub block_keys: Vec<BlockKey>,
    /// Attributes that tables may use. An owner whose source lacks the column has no such
    /// attribute.
    #[serde(rename = "attribute", default)]
    pub attributes: Vec<Attribute>,
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entity {
    /// People.
    Persons,
    /// Companies and other organisations.
    Enterprises,
}

impl Entity {
    /// The word in schemas and requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Persons => "persons",
            Self::Enterprises => "enterprises",
        }
    }
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Entity {
    type Err = UnknownEntity;

    fn from_str(word: &str) -> Result<Self, UnknownEntity> {
        [Self::Persons, Self::Enterprises]
            .into_iter()
            .find(|entity| entity.as_str() == word)
            .ok_or(UnknownEntity)
    }
}

/// A word that names no [`Entity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a population is persons or enterprises")]
pub struct UnknownEntity;

/// How tokens are made and compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
    /// Length of a token in bits; a multiple of 64 from 256 to 4096.
    pub bits: u32,
    /// How a record becomes a token.
    pub profile: Profile,
    /// How two tokens are compared.
    pub agreement: Agreement,
    /// Fewest features (q-grams and the like) that make a token; a record with fewer is not
    /// compared by token, because a thin token identifies itself by its weight (Schnell 2021).
    pub features_min: u32,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            bits: 1024,
            profile: Profile::PlainClk,
            agreement: Agreement::Dice,
            features_min: 8,
        }
    }
}

/// How a record becomes a token; named for what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// One keyed Bloom filter per record (cryptographic long-term key, Schnell, Bachteler, Reiher
    /// 2011) with HMAC random hashing, without hardening. De-identified, not anonymous: a matcher
    /// that knows some of the records can re-identify others from the similarities.
    PlainClk,
}

/// How two tokens are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// 2 |a and b| / (|a| + |b|).
    Dice,
    /// Share of positions on which both tokens have the same bit.
    Hamming,
}

/// How candidate pairs are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateSettings {
    /// Two owners with at most this many pairs of records are compared exhaustively; with more,
    /// only records that share a link key or block key are.
    pub all_pairs_max: u64,
    /// Largest number of pairs that one value of a block key may propose; a larger block is left
    /// out and reported.
    pub block_pairs_max: u64,
}

impl Default for CandidateSettings {
    fn default() -> Self {
        Self {
            all_pairs_max: 50_000_000,
            block_pairs_max: 250_000,
        }
    }
}

/// One compared field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Name within the schema.
    pub name: String,
    /// Column in the source; the name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How values are normalised.
    pub kind: Kind,
    /// Replacement of whole values after normalisation, for code lists that differ between owners
    /// (`"男" = "1"`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// What is hashed, with which weight. A field without features takes part in keys only.
    #[serde(rename = "feature", default)]
    pub features: Vec<Feature>,
}

impl Field {
    /// Column of the source that holds the field.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }
}

/// How a field's values are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Free text: NFKC, lower case, spaces collapsed.
    Text,
    /// A name: as text, without punctuation and, between Han characters, without spaces.
    Name,
    /// A code: NFKC, letters and digits only, upper case.
    Code,
    /// A number such as a telephone's: decimal digits only.
    Digits,
    /// A calendar day in any of the usual spellings.
    Date,
}

/// What of a field is hashed into the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// What is cut out of the value.
    pub kind: FeatureKind,
    /// Length of a q-gram in characters, 1..=4; with `q-gram` and `positional-q-gram` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<u8>,
    /// Bits that the feature set may set in the token: the field's weight.
    pub bits: u16,
}

/// What is cut out of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureKind {
    /// Every run of `q` characters, the text padded by `q - 1` blanks on both sides.
    QGram,
    /// Every run of `q` characters together with its place in the text.
    PositionalQGram,
    /// Year, month and day, each by itself.
    DateComponents,
    /// The whole value.
    Whole,
}

/// An ordered rule whose equality links.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkKey {
    /// Name of the rule, for reports.
    pub name: String,
    /// What must be equal; a record that lacks a part has no such key.
    pub parts: Vec<Part>,
}

/// A rule whose equality makes two records a candidate pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockKey {
    /// Name of the rule, for reports.
    pub name: String,
    /// What must be equal; a record that lacks a part has no such key.
    pub parts: Vec<Part>,
}

/// One part of a composite key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The field's name.
    pub field: String,
    /// What of its value.
    #[serde(default)]
    pub take: Take,
    /// Number of characters, for `prefix` and `suffix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u8>,
}

/// What of a field's value enters a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Take {
    /// All of it.
    #[default]
    Whole,
    /// Its first `length` characters.
    Prefix,
    /// Its last `length` characters.
    Suffix,
    /// The year of a date.
    Year,
    /// Month and day of a date.
    MonthDay,
    /// American Soundex of a Latin text (Russell 1918; NARA rules): how it sounds, roughly.
    Soundex,
}

/// An owner's value that tables may count by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Name in requests.
    pub name: String,
    /// Column in the source; the name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// For people, in any language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Every value that a table may show, in order. A record with another value is in no cell.
    pub values: Vec<String>,
}

impl Attribute {
    /// Column of the source that holds the attribute.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }
}
