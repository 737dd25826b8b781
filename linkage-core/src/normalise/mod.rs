//! Raw records to canonical form, and the counts-only report on what was found.
//!
//! Every rule is idempotent: normalising a canonical value changes nothing.

mod address;
mod company;
mod date;
mod document;
mod name;
mod organisation;
mod phone;
mod placeholder;
mod quality;
mod sex;
mod text;

use zeroize::Zeroizing;

use crate::record::{Day, FieldState, Finding, NormalRecord, NormalValue, RawRecord};
use crate::schema::{Field, Kind, Schema};

pub use placeholder::Placeholders;
pub use quality::{DataQuality, FieldCounts};

/// A value, if the field has a usable one, and what was found.
pub(crate) type Parsed = (Option<NormalValue>, FieldState);

/// Turns an owner's raw records into canonical ones, as the schema says.
pub struct Normaliser<'a> {
    schema: &'a Schema,
    placeholders: Placeholders,
    today: Day,
}

impl<'a> Normaliser<'a> {
    /// A normaliser for this schema. Dates after `today` are invalid.
    pub fn new(schema: &'a Schema, today: Day) -> Self {
        Self {
            schema,
            placeholders: Placeholders::new(&schema.placeholders),
            today,
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

    fn value(&self, field: &Field, raw: &str) -> Parsed {
        let clean = text::clean(raw);
        if clean.is_empty() {
            return (None, FieldState::Missing);
        }
        let clean = match field.map.get(clean.as_str()) {
            Some(to) => Zeroizing::new(to.clone()),
            None => clean,
        };
        if self.placeholders.contains(&clean) {
            return (None, FieldState::Placeholder);
        }
        match field.kind {
            Kind::Text => (Some(NormalValue::text(clean)), FieldState::Valid),
            Kind::Name => name::parse(&clean),
            Kind::Document => document::parse(&clean, self.today),
            Kind::Date => date::parse(&clean, field, self.today),
            Kind::Sex => sex::parse(&clean),
            Kind::Phone => phone::parse(&clean),
            Kind::Address => address::parse(&clean),
            Kind::OrganisationCode => organisation::parse(&clean),
            Kind::CompanyName => company::parse(&clean),
            Kind::Code => plain(text::code(&clean)),
            Kind::Digits => plain(text::digits(&clean)),
            Kind::Quantity => quantity(&clean),
        }
    }
}

/// A code or number without a rule of its own.
fn plain(value: Zeroizing<String>) -> Parsed {
    if value.is_empty() {
        (None, FieldState::Invalid(Finding::BadCharacters))
    } else if placeholder::is_filler(&value) {
        (None, FieldState::Placeholder)
    } else {
        (Some(NormalValue::text(value)), FieldState::Valid)
    }
}

/// A decimal number, without thousands separators, leading zeros or a trailing fraction of zeros.
fn quantity(clean: &str) -> Parsed {
    let plain: Zeroizing<String> = Zeroizing::new(clean.replace([',', ' ', '+'], ""));
    match plain.parse::<f64>() {
        Ok(number) if number.is_finite() => {
            let text = Zeroizing::new(number.to_string());
            (Some(NormalValue::text(text)), FieldState::Valid)
        }
        _ => (None, FieldState::Invalid(Finding::BadCharacters)),
    }
}

#[cfg(test)]
mod tests;
