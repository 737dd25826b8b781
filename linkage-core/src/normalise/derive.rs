//! What a resident number says of its holder and a credit code of its organisation, for fields that
//! the source leaves empty, and what fields of one record say against each other.

use zeroize::Zeroizing;

use super::{Parsed, document, sex};
use crate::record::{Component, FieldState, Finding, NormalValue};
use crate::schema::{Field, Kind, Schema};

/// A date or sex, and the document field whose resident number supplies it; or an organisation
/// code, and the field whose credit code has it inside.
struct Rule {
    field: usize,
    document: usize,
    kind: Kind,
}

/// Rules between the fields of a schema.
pub(super) struct Derivation {
    rules: Vec<Rule>,
    /// Document fields, and the fields whose value is sometimes written in a document's place.
    documents: Vec<usize>,
    others: Vec<usize>,
}

impl Derivation {
    /// The rules of `schema`.
    pub(super) fn new(schema: &Schema) -> Self {
        let of_kind = |wanted: fn(Kind) -> bool| -> Vec<usize> {
            let fields = schema.fields.iter().enumerate();
            fields
                .filter(|(_, f)| wanted(f.kind))
                .map(|(index, _)| index)
                .collect()
        };
        let rule = |(field, declared): (usize, &Field)| {
            let from = declared.derived_from.as_deref()?;
            let document = schema.fields.iter().position(|other| other.name == from)?;
            Some(Rule {
                field,
                document,
                kind: declared.kind,
            })
        };
        Self {
            rules: schema.fields.iter().enumerate().filter_map(rule).collect(),
            documents: of_kind(|kind| kind == Kind::Document),
            others: of_kind(|kind| matches!(kind, Kind::Phone | Kind::Name)),
        }
    }

    /// Applies the rules to a record's values.
    pub(super) fn apply(&self, values: &mut [Parsed]) {
        self.drop_repeated(values);
        for rule in &self.rules {
            let number = values
                .get(rule.document)
                .and_then(|(value, _)| value.as_ref());
            if rule.kind == Kind::OrganisationCode {
                let inside = number.and_then(organisation_code);
                if let Some((slot, inside)) = values.get_mut(rule.field).zip(inside) {
                    supply(slot, inside, Finding::CodeDiffersFromNumber);
                }
                continue;
            }
            let Some(holder) = number.and_then(|value| document::resident(value.whole())) else {
                continue;
            };
            let Some(slot) = values.get_mut(rule.field) else {
                continue;
            };
            // Nearly every record says what its number says: no second value is made of it.
            let same = slot.0.as_ref().is_some_and(|own| match rule.kind {
                Kind::Date => own.as_day() == Some(holder.birth),
                Kind::Sex => own.whole() == sex::code(holder.male),
                _ => false,
            });
            match rule.kind {
                _ if same => {}
                Kind::Date => supply(
                    slot,
                    NormalValue::day(holder.birth),
                    Finding::DateDiffersFromNumber,
                ),
                Kind::Sex => supply(slot, sex::value(holder.male), Finding::SexDiffersFromNumber),
                _ => {}
            }
        }
    }

    /// A document's number that is the record's telephone number or name is no document's.
    fn drop_repeated(&self, values: &mut [Parsed]) {
        for document in &self.documents {
            let number = values.get(*document).and_then(|(value, _)| value.as_ref());
            let Some(number) = number.map(|value| value.whole()) else {
                continue;
            };
            let number = number.rsplit(':').next().unwrap_or(number);
            let repeated = self.others.iter().any(|other| {
                let value = values.get(*other).and_then(|(value, _)| value.as_ref());
                value.is_some_and(|value| value.whole().eq_ignore_ascii_case(number))
            });
            if repeated && let Some(slot) = values.get_mut(*document) {
                *slot = (None, FieldState::Placeholder);
            }
        }
    }
}

/// The organisation code inside a credit code, as a value of its own.
fn organisation_code(number: &NormalValue) -> Option<NormalValue> {
    let code = number.first(Component::OrganisationCode)?;
    let mut value = NormalValue::text(Zeroizing::new(code.to_owned()));
    value.add(Component::OrganisationCode, Zeroizing::new(code.to_owned()));
    Some(value)
}

/// Fills an empty slot with the number's value. A slot with another value keeps it, flagged: the
/// number takes part in keys by itself, and only both together show which of the two is wrong.
fn supply(slot: &mut Parsed, derived: NormalValue, differs: Finding) {
    match &slot.0 {
        None => {
            *slot = (
                Some(derived),
                FieldState::Repaired(Finding::TakenFromNumber),
            )
        }
        Some(own) if own.whole() != derived.whole() => slot.1 = FieldState::Conflict(differs),
        Some(_) => {}
    }
}
