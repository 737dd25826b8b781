//! Extract requests: what an analyst may ask for, and how the question is read.
//!
//! A request is a small subset of SQL: up to four dimensions of one or two owners, a count, and
//! restrictions to some of a dimension's values.
//!
//! ```
//! use linkage_core::extract::ExtractRequest;
//! use linkage_core::extract::catalogue::{Catalogue, CatalogueEntry};
//!
//! let entry = |party: &str, attribute: &str, values: [&str; 2]| CatalogueEntry {
//!     party: party.into(),
//!     attribute: attribute.into(),
//!     title: None,
//!     values: values.map(String::from).into(),
//! };
//! # use linkage_core::schema::Entity;
//! let catalogue = Catalogue::new(Entity::Persons, vec![
//!     entry("credit", "grade", ["A", "B"]),
//!     entry("social-security", "band", ["low", "high"]),
//! ])?;
//! let request = ExtractRequest::parse(
//!     "select credit.grade, social_security.band, count(*) from persons group by 1, 2",
//!     &catalogue,
//! )?;
//! assert_eq!(
//!     request.canonical(),
//!     r#"SELECT "credit"."grade", "social-security"."band", count(*) FROM persons GROUP BY 1, 2"#
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The lexer and the token cursor are those of the `sqlparser` crate; its expression grammar is not
//! used. What is not said above is therefore not refused by a check that could be forgotten:
//! there is no rule that reads it, and as nothing nests, no input can exhaust the stack.

pub mod catalogue;
pub mod layout;
mod parse;
pub mod refusal;

use std::fmt;
use std::iter::{once, repeat};

use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::schema::Entity;

use catalogue::{Catalogue, CatalogueEntry};
use refusal::Refusal;

/// Longest accepted request text, bytes: room for a restriction to all values of a long code list.
pub const TEXT_BYTES_MAX: usize = 16_384;

/// Most dimensions of a table. More cut a population into cells that are too small to be shown.
pub const DIMENSIONS_MAX: usize = 4;

/// Most categories of one owner: the values of its dimensions, multiplied.
pub const CATEGORIES_MAX: usize = 256;

/// Most cells of a table.
pub const CELLS_MAX: usize = 4096;

/// Longest party, attribute or column name, characters.
pub const NAME_CHARS_MAX: usize = 64;

/// Separates these digests from every other SHA-256 in the system.
const DIGEST_LABEL: &[u8] = b"linkage/extract-request/v1\0";

/// A question that has been read and checked against the catalogue: how many there are of a
/// population for every combination of values of some attributes. Only [`ExtractRequest::parse`]
/// makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExtractRequest {
    dimensions: Vec<DimensionRef>,
    /// Name of the count column, if the analyst gave one.
    count_name: Option<String>,
    population: Entity,
    /// By owner and attribute, each attribute once.
    filters: Vec<Filter>,
}

/// A catalogue attribute that is used as a dimension.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct DimensionRef {
    /// The owner of the attribute, as the catalogue spells it.
    pub party: String,
    /// The attribute, as the catalogue spells it.
    pub attribute: String,
    /// The column name the analyst chose for it (`AS`), if any.
    pub name: Option<String>,
}

/// A restriction: only those with one of these values of an attribute are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Filter {
    /// The owner of the attribute.
    pub party: String,
    /// The attribute.
    pub attribute: String,
    /// The values, in the catalogue's order.
    pub values: Vec<String>,
}

impl ExtractRequest {
    /// Reads `text` and looks up its names in `catalogue`.
    ///
    /// # Errors
    /// A [`Refusal`] that points at the first word that cannot be accepted.
    pub fn parse(text: &str, catalogue: &Catalogue) -> Result<Self, Refusal> {
        parse::request(text, catalogue)
    }

    /// What is counted.
    pub fn population(&self) -> Entity {
        self.population
    }

    /// The dimensions, one to [`DIMENSIONS_MAX`].
    pub fn dimensions(&self) -> &[DimensionRef] {
        &self.dimensions
    }

    /// What the count is restricted to, by owner and attribute.
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// The owners that are asked, each once, in the order in which the request names them.
    pub fn parties(&self) -> Vec<&str> {
        let named = self.dimensions.iter().map(|named| &named.party);
        let mut parties: Vec<&str> = Vec::new();
        for party in named.chain(self.filters.iter().map(|filter| &filter.party)) {
            if !parties.contains(&party.as_str()) {
                parties.push(party);
            }
        }
        parties
    }

    /// The values of an attribute that are counted, in the catalogue's order.
    pub fn values_asked<'a>(&self, entry: &'a CatalogueEntry) -> Vec<&'a str> {
        let filter = self
            .filters
            .iter()
            .find(|filter| (&filter.party, &filter.attribute) == (&entry.party, &entry.attribute));
        let asked = |value: &&String| filter.is_none_or(|filter| filter.values.contains(value));
        entry
            .values
            .iter()
            .filter(asked)
            .map(String::as_str)
            .collect()
    }

    /// The name of the count column, if the analyst gave one.
    pub fn count_name(&self) -> Option<&str> {
        self.count_name.as_deref()
    }

    /// The one spelling of this request. It reads back as the same request, and two texts that mean
    /// the same have the same canonical form. All names are quoted, so that it does not depend on
    /// which words an SQL dialect reserves.
    pub fn canonical(&self) -> String {
        let mut items: Vec<String> = self.dimensions.iter().map(ToString::to_string).collect();
        let name = self
            .count_name
            .as_ref()
            .map(|name| format!(" AS \"{name}\""));
        items.push(format!("count(*){}", name.unwrap_or_default()));
        let mut text = format!("SELECT {} FROM {}", items.join(", "), self.population);
        for (filter, word) in self.filters.iter().zip(once("WHERE").chain(repeat("AND"))) {
            text.push_str(&format!(" {word} {filter}"));
        }
        let numbers: Vec<String> = (1..=self.dimensions.len())
            .map(|at| at.to_string())
            .collect();
        format!("{text} GROUP BY {}", numbers.join(", "))
    }

    /// SHA-256 of the label `linkage/extract-request/v1`, a zero byte and the canonical form:
    /// what approvals and the audit log name this request by.
    pub fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(DIGEST_LABEL);
        context.update(self.canonical().as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

/// The canonical spelling in a select list. Names hold no quotes, so none need escaping.
impl fmt::Display for DimensionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\".\"{}\"", self.party, self.attribute)?;
        self.name
            .as_ref()
            .map_or(Ok(()), |name| write!(f, " AS \"{name}\""))
    }
}

/// The canonical spelling in a condition, quotes in values doubled.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |value: &String| format!("'{}'", value.replace('\'', "''"));
        let values: Vec<String> = self.values.iter().map(quoted).collect();
        let (party, attribute) = (&self.party, &self.attribute);
        write!(f, "\"{party}\".\"{attribute}\" IN ({})", values.join(", "))
    }
}

/// Whether `name` may be a party, attribute or column name: 1 to [`NAME_CHARS_MAX`] characters,
/// without quotes (the canonical form would have to escape them) and control characters.
fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.chars().count())
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '"' | '`'))
}

/// Folds what unquoted SQL names do not distinguish: ASCII case, and `_` for the `-` that an
/// unquoted name cannot hold.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests;
