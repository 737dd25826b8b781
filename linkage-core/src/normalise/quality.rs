//! The counts-only report on a source's quality.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::record::{FieldState, Finding};
use crate::schema::{Field, Schema};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataQuality {
    fields: Vec<(String, FieldCounts)>,
}

impl DataQuality {
    /// No record yet.
    pub fn new(schema: &Schema) -> Self {
        let field = |field: &Field| (field.name.clone(), FieldCounts::default());
        Self {
            fields: schema.fields.iter().map(field).collect(),
        }
    }

    /// Counts one record in: the states of its fields in schema order.
    pub fn add(&mut self, states: impl IntoIterator<Item = FieldState>) {
        for ((_, counts), state) in self.fields.iter_mut().zip(states) {
            counts.add(state);
        }
    }

    /// Every field's name and counts, in schema order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &FieldCounts)> {
        self.fields
            .iter()
            .map(|(name, counts)| (name.as_str(), counts))
    }
}

impl Serialize for DataQuality {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<M: Serialize> {
            fields: M,
        }
        struct ByName<'a>(&'a DataQuality);
        impl Serialize for ByName<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.fields())
            }
        }
        let fields = ByName(self);
        Shown { fields }.serialize(serializer)
    }
}
