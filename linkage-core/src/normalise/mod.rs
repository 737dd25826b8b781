//! Raw records to canonical form, and the counts-only report on what was found.
//!
//! Every rule is idempotent: normalising a canonical value changes nothing.

mod date;
mod placeholder;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::record::{FieldState, NormalRecord, NormalValue, RawRecord};
use crate::schema::{Field, Kind, Schema};

pub use placeholder::Placeholders;

/// Turns an owner's raw records into canonical ones, as the schema says.
pub struct Normaliser<'a> {
    schema: &'a Schema,
    placeholders: Placeholders,
}

impl<'a> Normaliser<'a> {
    /// A normaliser for this schema.
    pub fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            placeholders: Placeholders::new(&schema.placeholders),
        }
    }

    /// The canonical form of `raw`. Nothing is lost by an unusable value: the field is empty and
    /// its state says why.
    pub fn record(&self, raw: &RawRecord) -> NormalRecord {
        let empty = Zeroizing::new(String::new());
        let values = self
            .schema
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| self.value(field, raw.values.get(index).unwrap_or(&empty)))
            .collect();
        NormalRecord { values }
    }

    fn value(&self, field: &Field, raw: &str) -> (Option<NormalValue>, FieldState) {
        let clean = text::clean(raw);
        if clean.is_empty() {
            return (None, FieldState::Missing);
        }
        if self.placeholders.contains(&clean) {
            return (None, FieldState::Placeholder);
        }
        if field.kind == Kind::Date {
            return match date::parse(&clean) {
                Some(day) if date::is_placeholder(day) => (None, FieldState::Placeholder),
                Some(day) => (Some(NormalValue::Day(day)), FieldState::Valid),
                None => (None, FieldState::Invalid),
            };
        }
        let folded = match field.kind {
            Kind::Text | Kind::Date => clean,
            Kind::Name => text::name(&clean),
            Kind::Code => text::code(&clean),
            Kind::Digits => text::digits(&clean),
        };
        let mapped = match field.map.get(folded.as_str()) {
            Some(to) => Zeroizing::new(to.clone()),
            None => folded,
        };
        if mapped.is_empty() {
            (None, FieldState::Invalid)
        } else if matches!(field.kind, Kind::Code | Kind::Digits) && placeholder::is_filler(&mapped)
        {
            (None, FieldState::Placeholder)
        } else {
            (Some(NormalValue::Text(mapped)), FieldState::Valid)
        }
    }
}

/// How many records had which state in one field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FieldCounts {
    /// Usable values.
    pub valid: u64,
    /// Empty values.
    pub missing: u64,
    /// Values that stand for "none".
    pub placeholder: u64,
    /// Values that the field's kind does not allow.
    pub invalid: u64,
}

/// Counts-only report on a source's quality; holds no value of any record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DataQuality {
    /// Counts by field name.
    pub fields: BTreeMap<String, FieldCounts>,
}

impl DataQuality {
    /// Counts one record in.
    pub fn add(&mut self, schema: &Schema, record: &NormalRecord) {
        for (field, state) in schema.fields.iter().zip(record.states()) {
            if !self.fields.contains_key(&field.name) {
                self.fields
                    .insert(field.name.clone(), FieldCounts::default());
            }
            let Some(counts) = self.fields.get_mut(&field.name) else {
                continue;
            };
            match state {
                FieldState::Valid => counts.valid += 1,
                FieldState::Missing => counts.missing += 1,
                FieldState::Placeholder => counts.placeholder += 1,
                FieldState::Invalid => counts.invalid += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests;
