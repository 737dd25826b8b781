//! Extract requests: what an analyst may ask for, and how the question is read.
//!
//! A request is a small subset of SQL: two dimensions of two different owners and a count.
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
//! used. What is not in the list above is therefore not refused by a check that could be forgotten:
//! there is no rule that reads it, and as nothing nests, no input can exhaust the stack.

pub mod catalogue;
mod parse;
pub mod refusal;

use std::fmt;

use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::schema::Entity;

use catalogue::Catalogue;
use refusal::Refusal;

/// Longest accepted request text, bytes. The canonical form of a request is below 1 KiB; the rest
/// is room for comments and layout.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Longest party, attribute or column name, characters.
pub const NAME_CHARS_MAX: usize = 64;

/// Separates these digests from every other SHA-256 in the system.
const DIGEST_LABEL: &[u8] = b"linkage/extract-request/v1\0";

/// A question that has been read and checked against the catalogue: how many there are of a
/// population for every pair of values of two attributes. Only [`ExtractRequest::parse`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExtractRequest {
    row: DimensionRef,
    column: DimensionRef,
    population: Entity,
    /// Name of the count column, if the analyst gave one.
    count_name: Option<String>,
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

    /// The dimension down the side of the table.
    pub fn row(&self) -> &DimensionRef {
        &self.row
    }

    /// The dimension across the top of the table.
    pub fn column(&self) -> &DimensionRef {
        &self.column
    }

    /// The name of the count column, if the analyst gave one.
    pub fn count_name(&self) -> Option<&str> {
        self.count_name.as_deref()
    }

    /// The one spelling of this request. It reads back as the same request, and two texts that mean
    /// the same have the same canonical form. All names are quoted, so that it does not depend on
    /// which words an SQL dialect reserves.
    pub fn canonical(&self) -> String {
        let count_name = self
            .count_name
            .as_ref()
            .map(|name| format!(" AS \"{name}\""));
        format!(
            "SELECT {}, {}, count(*){} FROM {} GROUP BY 1, 2",
            self.row,
            self.column,
            count_name.unwrap_or_default(),
            self.population
        )
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
