//! The counts-only report on a source's quality.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::{FieldState, Finding, NormalRecord};
use crate::schema::Schema;

/// How many records had which state in one field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FieldCounts {
    /// Usable values as they stand.
    pub valid: u64,
    /// Usable values after a repair.
    pub repaired: u64,
    /// Usable values with something odd about them.
    pub suspect: u64,
    /// Usable values that contradict another field of the record.
    pub conflict: u64,
    /// Empty values.
    pub missing: u64,
    /// Values that stand for "none".
    pub placeholder: u64,
    /// Values that the field's kind does not allow.
    pub invalid: u64,
    /// How often each finding occurred.
    pub findings: BTreeMap<Finding, u64>,
}

impl FieldCounts {
    /// Number of records with a usable value.
    pub fn usable(&self) -> u64 {
        self.valid + self.repaired + self.suspect + self.conflict
    }

    fn add(&mut self, state: FieldState) {
        let count = match state {
            FieldState::Valid => &mut self.valid,
            FieldState::Repaired(_) => &mut self.repaired,
            FieldState::Suspect(_) => &mut self.suspect,
            FieldState::Conflict(_) => &mut self.conflict,
            FieldState::Missing => &mut self.missing,
            FieldState::Placeholder => &mut self.placeholder,
            FieldState::Invalid(_) => &mut self.invalid,
        };
        *count += 1;
        if let Some(finding) = state.finding() {
            *self.findings.entry(finding).or_default() += 1;
        }
    }
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
            if let Some(counts) = self.fields.get_mut(&field.name) {
                counts.add(state);
            }
        }
    }
}
