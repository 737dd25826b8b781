//! Raw records to canonical form, and the counts-only report on what was found.
//!
//! Every rule is idempotent: normalising a canonical value's text gives that text again.

mod address;
mod company;
mod date;
mod derive;
mod document;
mod name;
mod organisation;
mod phone;
mod placeholder;
mod quality;
mod sex;
mod text;

use std::collections::HashMap;

use zeroize::Zeroizing;

use self::derive::Derivation;
use crate::record::{Components, Day, FieldState, Finding, NormalRecord, NormalValue, RawRecord};
use crate::schema::{Field, Kind, Schema};

pub use placeholder::Placeholders;
pub use quality::{DataQuality, FieldCounts};

/// A value, if the field has a usable one, and what was found.
pub(crate) type Parsed = (Option<NormalValue>, FieldState);

/// Room for a cleaned value in bytes; few addresses take more.
const CLEAN_BYTES: usize = 128;

/// What a field's values are replaced by before they are normalised, both sides in canonical form.
type Replacements = HashMap<String, Zeroizing<String>>;

/// Turns an owner's raw records into canonical ones, as the schema says.
pub struct Normaliser<'a> {
    schema: &'a Schema,
    placeholders: Placeholders,
    replacements: Vec<Replacements>,
    /// By field the components that are made.
    components: Vec<Components>,
    derivation: Derivation,
    today: Day,
}

impl<'a> Normaliser<'a> {
    /// A normaliser for this schema, which spares itself costly components that the schema's
    /// features and keys do not use. Dates after `today` are invalid.
    pub fn new(schema: &'a Schema, today: Day) -> Self {
        let folded =
            |(from, to): (&String, &String)| (text::clean(from).to_string(), text::clean(to));
        let maps = schema.fields.iter().map(|field| &field.map);
        Self {
            schema,
            placeholders: Placeholders::new(&schema.placeholders),
            replacements: maps.map(|map| map.iter().map(folded).collect()).collect(),
            derivation: Derivation::new(schema),
            components: (schema.fields.iter())
                .map(|field| schema.components(&field.name))
                .collect(),
            today,
        }
    }

    /// The same, but values get all their components, for somebody to look at.
    pub fn with_all_components(mut self) -> Self {
        self.components.fill(Components::ALL);
        self
    }

    /// The canonical form of `raw`. Nothing is lost by an unusable value: the field is empty and
    /// its state says why.
    pub fn record(&self, raw: &RawRecord) -> NormalRecord {
        let fields = self.schema.fields.iter().zip(&self.replacements);
        let fields = fields.zip(&self.components);
        let mut clean = Zeroizing::new(String::with_capacity(CLEAN_BYTES));
        let mut values: Vec<Parsed> = fields
            .enumerate()
            .map(|(index, ((field, replacements), components))| {
                let raw = raw.values.get(index).map_or("", |value| value.as_str());
                text::clean_into(raw, &mut clean);
                self.value(field, replacements, *components, &clean)
            })
            .collect();
        self.derivation.apply(&mut values);
        NormalRecord { values }
    }

    fn value(
        &self,
        field: &Field,
        replacements: &Replacements,
        components: Components,
        clean: &str,
    ) -> Parsed {
        if clean.is_empty() {
            return (None, FieldState::Missing);
        }
        let clean = replacements.get(clean).map_or(clean, |to| to.as_str());
        // Nought is a quantity like any other.
        let nought = field.kind == Kind::Quantity && clean == "0";
        if self.placeholders.contains(clean) && !nought {
            return (None, FieldState::Placeholder);
        }
        let parsed = match field.kind {
            Kind::Text => {
                let text = Zeroizing::new(clean.to_owned());
                return (Some(NormalValue::text(text)), FieldState::Valid);
            }
            Kind::Name => name::parse(clean, components),
            Kind::Document => document::parse(clean, self.today, components),
            Kind::Date => date::parse(clean, field, self.today),
            Kind::Sex => sex::parse(clean),
            Kind::Phone => phone::parse(clean),
            Kind::Address => address::parse(clean, components),
            Kind::OrganisationCode => organisation::parse(clean),
            Kind::CompanyName => company::parse(clean),
            Kind::Code => plain(text::code(clean)),
            Kind::Digits => plain(text::digits(clean)),
            Kind::Quantity => return quantity(clean),
        };
        // What is left of a value without its remarks and separators may be a word for "none".
        let filler = |whole: &str| whole != clean && self.placeholders.contains_canonical(whole);
        match &parsed.0 {
            Some(value) if filler(value.whole()) => (None, FieldState::Placeholder),
            _ => parsed,
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
