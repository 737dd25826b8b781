//! The catalogue: every attribute that owners offer as a dimension.

use std::collections::{HashMap, HashSet};

use super::{folded, is_name};
use crate::schema::Entity;

/// Largest number of values of a dimension: a table of two has at most 4096 cells, each of which
/// costs both owners work and one ciphertext.
pub const VALUES_MAX: usize = crate::schema::ATTRIBUTE_VALUES_MAX;

/// Longest value, characters. Values are labels of table rows.
pub const VALUE_CHARS_MAX: usize = crate::schema::ATTRIBUTE_VALUE_CHARS_MAX;

/// One attribute that an owner offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The owner.
    pub party: String,
    /// The attribute's name in requests.
    pub attribute: String,
    /// The attribute's name for people.
    pub title: Option<String>,
    /// Its values, in table order.
    pub values: Vec<String>,
}

/// All entries of a project, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    population: Entity,
    entries: Vec<CatalogueEntry>,
}

/// Why a catalogue was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// A party or attribute name is empty, too long, or holds quotes or control characters.
    #[error("{0:?} cannot be a party or attribute name")]
    Name(String),
    /// Two names that an unquoted request could not tell apart, or the same attribute twice.
    #[error("{0:?} and {1:?} cannot be told apart in a request")]
    Ambiguous(String, String),
    /// No values, or more than [`VALUES_MAX`].
    #[error("{party}.{attribute} has {count} values; 1 to {VALUES_MAX} are possible")]
    ValueCount {
        /// The owner.
        party: String,
        /// The attribute.
        attribute: String,
        /// Its number of values.
        count: usize,
    },
    /// A value is empty, too long or there twice.
    #[error("{party}.{attribute} has an empty, repeated or overlong value")]
    Value {
        /// The owner.
        party: String,
        /// The attribute.
        attribute: String,
    },
}

impl Catalogue {
    /// A catalogue of `entries` over one population.
    ///
    /// # Errors
    /// [`CatalogueError`] names the first entry that cannot be used.
    pub fn new(population: Entity, entries: Vec<CatalogueEntry>) -> Result<Self, CatalogueError> {
        let mut parties: HashMap<String, &str> = HashMap::new();
        let mut attributes: HashMap<(String, String), String> = HashMap::new();
        for entry in &entries {
            let CatalogueEntry {
                party,
                attribute,
                title: _,
                values,
            } = entry;
            for name in [party, attribute] {
                if !is_name(name) {
                    return Err(CatalogueError::Name(name.clone()));
                }
            }
            let spelled = *parties.entry(folded(party)).or_insert(party);
            if spelled != party {
                return Err(CatalogueError::Ambiguous(spelled.to_owned(), party.clone()));
            }
            let full_name = format!("{party}.{attribute}");
            let key = (folded(party), folded(attribute));
            if let Some(earlier) = attributes.insert(key, full_name.clone()) {
                return Err(CatalogueError::Ambiguous(earlier, full_name));
            }
            check_values(party, attribute, values)?;
        }
        Ok(Self {
            population,
            entries,
        })
    }

    /// What is counted.
    pub fn population(&self) -> Entity {
        self.population
    }

    /// All entries, in the order given.
    pub fn entries(&self) -> &[CatalogueEntry] {
        &self.entries
    }

    /// The entry of an attribute, spelled as in the catalogue.
    pub fn entry(&self, party: &str, attribute: &str) -> Option<&CatalogueEntry> {
        self.entries
            .iter()
            .find(|entry| entry.party == party && entry.attribute == attribute)
    }

    /// All party names, each once, sorted.
    pub(super) fn parties(&self) -> Vec<&str> {
        let mut parties: Vec<&str> = self.entries.iter().map(|entry| &*entry.party).collect();
        parties.sort_unstable();
        parties.dedup();
        parties
    }

    /// All attribute names of `party`, sorted.
    pub(super) fn attributes(&self, party: &str) -> Vec<&str> {
        let of_party = self.entries.iter().filter(|entry| entry.party == party);
        let mut attributes: Vec<&str> = of_party.map(|entry| &*entry.attribute).collect();
        attributes.sort_unstable();
        attributes
    }
}

fn check_values(party: &str, attribute: &str, values: &[String]) -> Result<(), CatalogueError> {
    if values.is_empty() || values.len() > VALUES_MAX {
        return Err(CatalogueError::ValueCount {
            party: party.to_owned(),
            attribute: attribute.to_owned(),
            count: values.len(),
        });
    }
    let mut seen = HashSet::new();
    let is_usable = |value: &&String| (1..=VALUE_CHARS_MAX).contains(&value.chars().count());
    if values
        .iter()
        .all(|value| is_usable(&value) && seen.insert(value))
    {
        return Ok(());
    }
    Err(CatalogueError::Value {
        party: party.to_owned(),
        attribute: attribute.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(party: &str, attribute: &str, values: &[&str]) -> CatalogueEntry {
        CatalogueEntry {
            party: party.into(),
            attribute: attribute.into(),
            title: None,
            values: values.iter().map(|value| (*value).into()).collect(),
        }
    }

    fn refused(entries: Vec<CatalogueEntry>) -> CatalogueError {
        Catalogue::new(Entity::Persons, entries).unwrap_err()
    }

    #[test]
    fn names_that_fold_together_are_refused() {
        assert!(matches!(
            refused(vec![
                entry("social-security", "a", &["x"]),
                entry("social_security", "b", &["x"])
            ]),
            CatalogueError::Ambiguous(..)
        ));
        assert!(matches!(
            refused(vec![
                entry("tax", "band", &["x"]),
                entry("tax", "Band", &["x"])
            ]),
            CatalogueError::Ambiguous(..)
        ));
    }

    #[test]
    fn unusable_names_and_values_are_refused() {
        for name in ["", "a\"b", "a`b", "a\nb", &"x".repeat(65)] {
            assert_eq!(
                refused(vec![entry(name, "a", &["x"])]),
                CatalogueError::Name(name.into())
            );
            assert_eq!(
                refused(vec![entry("a", name, &["x"])]),
                CatalogueError::Name(name.into())
            );
        }
        for values in [&["x", "x"][..], &[""], &[&"x".repeat(65)]] {
            assert!(matches!(
                refused(vec![entry("a", "b", values)]),
                CatalogueError::Value { .. }
            ));
        }
        let many: Vec<String> = (0..=VALUES_MAX).map(|i| i.to_string()).collect();
        for values in [Vec::new(), many] {
            let count = values.len();
            let error = refused(vec![CatalogueEntry {
                values,
                ..entry("a", "b", &[])
            }]);
            assert!(matches!(error, CatalogueError::ValueCount { count: c, .. } if c == count));
        }
    }
}
