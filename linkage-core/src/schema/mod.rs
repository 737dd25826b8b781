//! The schema: which fields are compared, how they are encoded, and which keys link or block.
//!
//! A schema is a TOML or JSON file that all owners of a project sign as part of the manifest. It is
//! strict: an unknown key, a field that is not declared, a weight of zero are errors that name the
//! line. [`Schema::fingerprint`] identifies the meaning, not the spelling: comments, order of keys
//! and the choice of TOML or JSON do not change it.

mod check;
mod decide;
mod field;
mod key;
mod model;
mod token;

pub use check::{ATTRIBUTE_VALUE_CHARS_MAX, ATTRIBUTE_VALUES_MAX};
pub use decide::{Assignment, DecideSettings, RecordsPerOwner};
pub use field::{Calendar, Feature, FeatureKind, Field, Kind};
pub use key::{BlockKey, LinkColumn, LinkKey, LinkRole, Part, Take};
pub use model::{Attribute, CandidateSettings, Entity, Lsh, Schema, UnknownEntity};
pub use token::{Agreement, Diffusion, Filter, Profile, Segment, Suite, TokenSettings};

use crate::record::Components;

/// Largest schema file, in bytes. A schema with the 60 fields that are allowed takes under
/// 20 KiB; the bound keeps a wrong file (a data set, say) from being read as one.
pub const BYTES_MAX: usize = 256 * 1024;

/// Why a schema is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not TOML or JSON, or has a key that no schema has. The message names line and
    /// column.
    #[error("{0}")]
    Syntax(String),
    /// The text reads well and means something impossible.
    #[error("line {line}: {message}")]
    Meaning {
        /// Line of the offending word, from 1.
        line: usize,
        /// What is wrong and what to do.
        message: String,
    },
    /// The file is larger than [`BYTES_MAX`].
    #[error("a schema has at most {BYTES_MAX} bytes, this file has {0}: is it a schema?")]
    TooLarge(usize),
}

impl Schema {
    /// Reads a schema from TOML or, when the first character is `{`, from JSON.
    ///
    /// # Errors
    /// [`Error`], which names the line and what to do.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > BYTES_MAX {
            return Err(Error::TooLarge(text.len()));
        }
        let schema: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|e| Error::Syntax(e.to_string()))?
        } else {
            toml::from_str(text).map_err(|e| Error::Syntax(e.to_string().trim_end().to_owned()))?
        };
        check::meaning(&schema, text)?;
        Ok(schema)
    }

    /// SHA-256 of the schema's meaning (its canonical JSON form).
    pub fn fingerprint(&self) -> [u8; 32] {
        // Serialising plain structs of strings and numbers has no failing case; an empty text would
        // still be a well-defined, merely useless, fingerprint.
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(b"linkage/schema/v1\0");
        context.update(&canonical);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        fingerprint
    }

    /// Index of the field with this name, in schema order.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The components of `field`'s values that features and keys are cut out of.
    pub fn components(&self, field: &str) -> Components {
        let features = self.fields.iter().filter(|one| one.name == field);
        let features = features.flat_map(|one| one.features.iter().map(|feature| feature.part));
        let link = self.link_keys.iter();
        let link = link.flat_map(|key| key.parts.iter().chain(key.supports.iter().flatten()));
        let block = self.block_keys.iter().flat_map(|key| &key.parts);
        let keys = link.chain(block).filter(|part| part.field == field);
        features.chain(keys.map(|part| part.part)).collect()
    }

    /// Length of a token in bits: of the diffused filter, of the record-level filter, or of all
    /// field-level filters together, by profile.
    pub fn token_bits(&self) -> u32 {
        match self.token.profile {
            Profile::Hardened => self.token.diffusion().unwrap_or_default().bits,
            Profile::PlainClk => self.token.bits,
            Profile::Fields => self.filters.iter().map(|filter| filter.bits).sum(),
        }
    }

    /// The filters that a token is made of, in order; empty where the profile makes one filter of
    /// the whole record.
    pub fn segments(&self) -> Vec<Segment> {
        let partner = |at: usize| {
            let (filters, filter) = (&self.filters, self.filters.get(at)?);
            let named = |name: &String| filters.iter().position(|other| other.name == *name);
            let naming = || {
                let names = |other: &Filter| other.swaps_with.as_ref() == Some(&filter.name);
                filters.iter().position(names)
            };
            let partner = filter.swaps_with.as_ref().map_or_else(naming, named)?;
            u8::try_from(partner).ok()
        };
        let segment = |(at, filter): (usize, &Filter)| Segment {
            bits: filter.bits,
            weight: filter.weight,
            frequency: filter.frequency.is_some(),
            swaps_with: partner(at),
        };
        self.filters.iter().enumerate().map(segment).collect()
    }

    /// Name under which a field's features are hashed: its own, or for a field of a filter that
    /// swaps with another the first of the two's.
    pub(crate) fn hashed_as<'a>(&'a self, field: &'a str) -> &'a str {
        let holds = |filter: &&Filter| filter.fields.iter().any(|name| name == field);
        let Some(at) = self.filters.iter().position(|filter| holds(&filter)) else {
            return field;
        };
        let segments = self.segments();
        let partner = segments.get(at).and_then(|segment| segment.swaps_with);
        let first = partner.map_or(at, |partner| at.min(partner.into()));
        self.filters
            .get(first)
            .filter(|_| partner.is_some())
            .and_then(|filter| filter.fields.first())
            .map_or(field, String::as_str)
    }

    /// Names of the columns that a source must have: the record's id, then every field's column.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id_column.as_str()).chain(self.fields.iter().map(Field::column))
    }
}

#[cfg(test)]
mod tests;
