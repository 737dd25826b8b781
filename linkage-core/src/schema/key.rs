//! Link keys and block keys: rules over parts of fields.

use serde::{Deserialize, Serialize};

use super::Schema;
use crate::record::Component;

/// An ordered rule whose equality links.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkKey {
    /// Name of the rule, for reports.
    pub name: String,
    /// What must be equal; a record that lacks a part has no such key.
    pub parts: Vec<Part>,
    /// Further evidence, of which at least one must be equal beside `parts`; nothing more is asked
    /// if empty. Two records that share `parts` and contradict each other in every support that
    /// both have are an identity conflict: one number under two names. They are not linked, and
    /// counted for review.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supports: Vec<Vec<Part>>,
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
    /// Which component of its value; the whole value if absent. Of a component that the value has
    /// several of, the first counts.
    #[serde(default, skip_serializing_if = "Component::is_whole")]
    pub part: Component,
    /// What of the component.
    #[serde(default)]
    pub take: Take,
    /// Number of characters, for `prefix` and `suffix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u8>,
}

/// What of a value's component enters a key.
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
    /// Its characters in order of their code points, so that swapped ones do not matter.
    Sorted,
    /// The first letter of each word or pinyin syllable.
    Initials,
    /// Pinyin syllables with the merged sounds of the feature `fuzzy-syllable`.
    Fuzzy,
    /// Year of a date.
    Year,
    /// Year and month of a date.
    YearMonth,
    /// Year and day of the month of a date.
    YearDay,
    /// Month and day of a date.
    MonthDay,
    /// American Soundex of a Latin text (Russell 1918; NARA rules): how it sounds, roughly.
    Soundex,
}

/// What equality in one column of link keys means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRole {
    /// The records are linked.
    Link,
    /// The records should be one identity's: unless a column of role `Link` of the same rule is
    /// equal too, they are not linked, and if one is present in both, in conflict.
    Identity,
}

/// A column of link keys in a batch. A rule without supports has one of role `Link`; a rule with
/// supports has one of role `Link` for each, then one of role `Identity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkColumn {
    /// Index of the rule in [`Schema::link_keys`].
    pub rule: u8,
    /// What equality means.
    pub role: LinkRole,
}

impl Schema {
    /// The columns of link keys that records encoded under this schema have, in order.
    pub fn link_columns(&self) -> Vec<LinkColumn> {
        let mut columns = Vec::new();
        for (rule, key) in (0_u8..).zip(&self.link_keys) {
            let links = key.supports.len().max(1);
            columns.extend((0..links).map(|_| LinkColumn {
                rule,
                role: LinkRole::Link,
            }));
            if !key.supports.is_empty() {
                columns.push(LinkColumn {
                    rule,
                    role: LinkRole::Identity,
                });
            }
        }
        columns
    }
}
