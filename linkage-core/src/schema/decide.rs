//! How candidate pairs become links and clusters.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How candidate pairs become links and clusters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecideSettings {
    /// Which of the pairs across two owners are links, if they agree enough. Greedy where an owner
    /// has one record of an entity, many-to-many where it may have more, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assignment>,
    /// How many records of one entity an owner may have.
    pub records_per_owner: RecordsPerOwner,
}

impl DecideSettings {
    /// Which pairs are links: as declared, or as suits the number of records per owner.
    pub fn assignment(self) -> Assignment {
        self.assignment.unwrap_or(match self.records_per_owner {
            RecordsPerOwner::One => Assignment::Greedy,
            RecordsPerOwner::Any => Assignment::ManyToMany,
        })
    }

    /// Whether nothing is declared that the defaults do not say.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Which of the pairs across two owners are links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assignment {
    /// One-to-one: the best pair first, then the best of those whose records are still free.
    Greedy,
    /// One-to-one: those that agree most in all.
    Optimal,
    /// The last owner's register has one record of an entity; several records of any other owner
    /// may be linked to it, and each of them to one there only.
    ManyToOne,
    /// All.
    ManyToMany,
}

impl Assignment {
    /// Whether it links a record to at most one of each other owner.
    pub fn is_one_to_one(self) -> bool {
        matches!(self, Self::Greedy | Self::Optimal)
    }

    /// The word in schemas.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::Optimal => "optimal",
            Self::ManyToOne => "many-to-one",
            Self::ManyToMany => "many-to-many",
        }
    }
}

/// How many records of one entity an owner may have: `1` or `"any"` in schemas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecordsPerOwner {
    /// At most one: no two records of one owner come into one cluster.
    #[default]
    One,
    /// Any number: records are linked within an owner, too, so that one data set alone can be
    /// searched for duplicates.
    Any,
}

impl Serialize for RecordsPerOwner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One => serializer.serialize_u8(1),
            Self::Any => serializer.serialize_str("any"),
        }
    }
}

impl<'de> Deserialize<'de> for RecordsPerOwner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrAny)
    }
}

struct OneOrAny;

impl serde::de::Visitor<'_> for OneOrAny {
    type Value = RecordsPerOwner;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("1 or \"any\"")
    }

    fn visit_i64<E: serde::de::Error>(self, count: i64) -> Result<RecordsPerOwner, E> {
        if count == 1 {
            Ok(RecordsPerOwner::One)
        } else {
            Err(E::invalid_value(
                serde::de::Unexpected::Signed(count),
                &self,
            ))
        }
    }

    fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<RecordsPerOwner, E> {
        self.visit_i64(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<RecordsPerOwner, E> {
        if word == "any" {
            Ok(RecordsPerOwner::Any)
        } else {
            Err(E::invalid_value(serde::de::Unexpected::Str(word), &self))
        }
    }
}
