//! The schema's shape. Every struct refuses unknown keys.

use serde::{Deserialize, Serialize};

use super::decide::DecideSettings;
use super::field::Field;
use super::key::{BlockKey, LinkKey};
use super::token::{Filter, TokenSettings};

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
    /// The field-level filters of the `fields` profile; empty under every other.
    #[serde(rename = "filter", default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// How candidate pairs are found.
    #[serde(default)]
    pub candidates: CandidateSettings,
    /// How candidate pairs become links and clusters.
    #[serde(default, skip_serializing_if = "DecideSettings::is_default")]
    pub decide: DecideSettings,
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

/// How candidate pairs are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateSettings {
    /// Two owners with at most this many pairs of records are compared exhaustively; with more,
    /// only records that share a link key or block key are. 0 is never; otherwise, without block
    /// keys, more are compared exhaustively where the search by token bits would cost more.
    pub all_pairs_max: u64,
    /// Largest number of pairs that one value of a block key may propose; a larger block is split
    /// by what else its records share, and what is still too large is left out and reported.
    pub block_pairs_max: u64,
    /// Whether candidates are also taken from tokens that are alike at drawn positions; if absent,
    /// only where the schema has no block keys. Never under the `hardened` profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsh: Option<Lsh>,
    /// Share of the pairs sought that the drawn positions must find; 0.99 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsh_recall: Option<f64>,
    /// Lowest agreement of the pairs sought by drawn positions; 0.8 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsh_agreement: Option<f64>,
    /// Lowest agreement of a pair that is listed, unless it shares a link key; 0 if absent. A run
    /// raises it where the list would not fit the memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement_min: Option<f64>,
    /// Under the `fields` profile: number of a record's nearest records of the other owner, by
    /// Dice's coefficient of the whole tokens, that are compared beside those that share a key; 0
    /// for none, at most 50; 5 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<u8>,
}

/// Whether candidates are taken from the tokens' bits (locality-sensitive hashing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lsh {
    /// From keys only.
    Off,
    /// From as many tables of drawn positions as reach the recall.
    Auto,
}

impl CandidateSettings {
    /// Share of the pairs sought that the drawn positions must find.
    pub fn lsh_recall(&self) -> f64 {
        self.lsh_recall.unwrap_or(0.99)
    }

    /// Lowest agreement of the pairs sought by drawn positions.
    pub fn lsh_agreement(&self) -> f64 {
        self.lsh_agreement.unwrap_or(0.8)
    }

    /// Lowest agreement of a pair that is listed.
    pub fn agreement_min(&self) -> f64 {
        self.agreement_min.unwrap_or(0.0)
    }

    /// Number of a record's nearest records that are compared under the `fields` profile.
    pub fn neighbours(&self) -> u8 {
        self.neighbours.unwrap_or(5)
    }
}

impl Default for CandidateSettings {
    fn default() -> Self {
        Self {
            all_pairs_max: 50_000_000,
            block_pairs_max: 250_000,
            lsh: None,
            lsh_recall: None,
            lsh_agreement: None,
            agreement_min: None,
            neighbours: None,
        }
    }
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
