//! Records before encoding. They hold what a person would recognise, so they cannot be serialised,
//! print nothing of their values, and are wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// One row of an owner's source, as read.
///
/// Raw records never leave the owner's process, and no code can send one by mistake:
///
/// ```compile_fail
/// fn needs_serialize<T: serde::Serialize>() {}
/// needs_serialize::<linkage_core::record::RawRecord>();
/// ```
pub struct RawRecord {
    /// The record's identity in the owner's source.
    pub id: Zeroizing<String>,
    /// One value per schema field, in schema order; empty where the source has none.
    pub values: Vec<Zeroizing<String>>,
}

impl fmt::Debug for RawRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawRecord({} values, redacted)", self.values.len())
    }
}

/// A calendar day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// Year, 1..=9999.
    pub year: u16,
    /// Month, 1..=12.
    pub month: u8,
    /// Day of the month, 1..=31.
    pub day: u8,
}

/// A field's value in canonical form.
pub enum NormalValue {
    /// Text: folded, spaces collapsed.
    Text(Zeroizing<String>),
    /// A valid calendar day.
    Day(Day),
}

impl NormalValue {
    /// The value as one text: the text itself, or the day as `yyyymmdd`.
    pub fn to_text(&self) -> Zeroizing<String> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Day(day) => {
                Zeroizing::new(format!("{:04}{:02}{:02}", day.year, day.month, day.day))
            }
        }
    }
}

impl fmt::Debug for NormalValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NormalValue(redacted)")
    }
}

/// What the normaliser found in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldState {
    /// A usable value.
    Valid,
    /// Nothing there.
    Missing,
    /// A value that stands for "none", such as `不详` or `1900-01-01`.
    Placeholder,
    /// A value that the field's kind does not allow, such as a 30th of February.
    Invalid,
}

/// A record in canonical form: one value or none per schema field.
///
/// ```compile_fail
/// fn needs_serialize<T: serde::Serialize>() {}
/// needs_serialize::<linkage_core::record::NormalRecord>();
/// ```
pub struct NormalRecord {
    pub(crate) values: Vec<(Option<NormalValue>, FieldState)>,
}

impl NormalRecord {
    /// The value of field `index` (schema order), if it has a usable one.
    pub fn value(&self, index: usize) -> Option<&NormalValue> {
        self.values.get(index).and_then(|(value, _)| value.as_ref())
    }

    /// What the normaliser found in each field, in schema order.
    pub fn states(&self) -> impl Iterator<Item = FieldState> + '_ {
        self.values.iter().map(|(_, state)| *state)
    }
}

impl fmt::Debug for NormalRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NormalRecord({} values, redacted)", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_value() {
        let raw = RawRecord {
            id: Zeroizing::new("id-77".into()),
            values: vec![Zeroizing::new("欧阳锋".into())],
        };
        let normal = NormalRecord {
            values: vec![(
                Some(NormalValue::Text(Zeroizing::new("欧阳锋".into()))),
                FieldState::Valid,
            )],
        };
        let shown = format!("{raw:?} {normal:?} {:?}", normal.value(0));
        assert!(
            !shown.contains("欧阳") && !shown.contains("id-77"),
            "{shown}"
        );
    }
}
