//! What a block's rows show, as counts and hashes: what the cores do in parallel.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use linkage_core::encode::Encoder;
use linkage_core::normalise::Normaliser;
use linkage_core::pack;
use linkage_core::record::{Component, FieldState, NormalRecord, NormalValue};
use linkage_core::schema::{Kind, Schema};
use zeroize::Zeroizing;

use super::fill::Sample;
use super::script::Script;
use crate::ingest::{Block, Parser, Reason};

/// Share of a surname's bearers that have a given name, on average over people: the sum of the
/// squared shares of given names is about 1e-4 in populations of mainland China.
const GIVEN_NAME_SHARE: f32 = 1e-4;

/// What looks at blocks. The key is drawn for this run and thrown away: what is counted of keys
/// does not hang on it.
pub(super) struct Looker<'a> {
    pub(super) schema: &'a Schema,
    pub(super) parser: Parser,
    pub(super) normaliser: Normaliser<'a>,
    pub(super) encoder: Encoder<'a>,
    pub(super) hasher: RandomState,
    /// Records whose fill is measured, if any are.
    pub(super) sample: Option<Sample>,
}

/// A field of a row.
pub(super) struct Cell {
    pub(super) state: FieldState,
    pub(super) script: Option<Script>,
    /// Hash of the canonical value, under a key of this run.
    pub(super) value: Option<u64>,
    /// Share of records that a model expects to have the value; 0 where it knows none.
    pub(super) expected: f32,
    /// Whether the value is a first of January.
    pub(super) new_year: bool,
}

/// A row.
pub(super) struct Facts {
    pub(super) id: Zeroizing<String>,
    pub(super) cells: Vec<Cell>,
    /// One hash per column of link keys that the record has.
    pub(super) link_keys: Vec<Option<u64>>,
    /// Whether the record has a key, per rule of block keys.
    pub(super) block_keys: Vec<bool>,
    pub(super) has_token: bool,
    /// Hashes of telephone numbers.
    pub(super) numbers: Vec<u64>,
    /// Per field: whether the sex agrees with digit 17 of the record's resident number.
    pub(super) sexes: Vec<Option<bool>>,
}

/// The rows of a block.
pub(super) struct Looked {
    pub(super) rows: Vec<Facts>,
    /// Why rows cannot be used.
    pub(super) rejected: Vec<Reason>,
}

impl Looker<'_> {
    /// Looks at every row of a block.
    pub(super) fn block(&self, block: &Block) -> Looked {
        let mut looked = Looked {
            rows: vec![],
            rejected: vec![],
        };
        self.parser.rows(block, &mut |row| match row {
            Err(reject) => looked.rejected.push(reject.reason),
            Ok(row) => {
                let normal = self.normaliser.record(&row.record);
                let raw = row.record.values.iter().map(|value| value.as_str());
                looked.rows.push(self.row(&row.record.id, raw, &normal));
                if let Some(sample) = &self.sample {
                    sample.offer(row.number, normal);
                }
            }
        });
        looked
    }

    fn row<'r>(
        &self,
        id: &Zeroizing<String>,
        raw: impl Iterator<Item = &'r str>,
        normal: &NormalRecord,
    ) -> Facts {
        let encoded = self.encoder.record(normal);
        let fields = self.schema.fields.iter().enumerate();
        let cells = fields.clone().zip(raw).zip(normal.states());
        let cells = cells.map(|(((at, field), raw), state)| {
            let value = normal.value(at);
            let first = |day: linkage_core::record::Day| (day.month, day.day) == (1, 1);
            Cell {
                state,
                script: (!raw.is_empty()).then(|| Script::of(raw)),
                value: value.map(|value| self.hasher.hash_one(value.whole())),
                expected: match (field.kind, value) {
                    (Kind::Name, Some(value)) => expected_name(value),
                    _ => 0.0,
                },
                new_year: value.and_then(NormalValue::as_day).is_some_and(first),
            }
        });
        let phones = fields
            .clone()
            .filter(|(_, field)| field.kind == Kind::Phone);
        let phones = phones.filter_map(|(at, _)| normal.value(at));
        let number = resident_number(self.schema, normal);
        let sexes = fields.map(|(at, field)| {
            let sex = (field.kind == Kind::Sex)
                .then(|| normal.value(at))??
                .whole();
            let male = number?.as_bytes().get(16)? % 2 == 1;
            Some(sex == if male { "1" } else { "2" })
        });
        Facts {
            id: id.clone(),
            cells: cells.collect(),
            sexes: sexes.collect(),
            numbers: phones.flat_map(|value| self.numbers(value)).collect(),
            link_keys: encoded
                .link_keys
                .iter()
                .map(|tag| tag.as_ref().map(|tag| self.hasher.hash_one(tag)))
                .collect(),
            block_keys: encoded.block_keys.iter().map(Option::is_some).collect(),
            has_token: encoded.token.ones() > 0,
        }
    }

    fn numbers<'v>(&self, value: &'v NormalValue) -> impl Iterator<Item = u64> + use<'_, 'v> {
        let alone = value.first(Component::Number).is_none();
        let whole = alone.then(|| value.whole());
        let numbers = value.texts(Component::Number).chain(whole);
        numbers.map(|number| self.hasher.hash_one(number))
    }
}

/// Share of people expected to have a name: its surname's share times that of a given name. 0 for a
/// name whose surname is not known.
fn expected_name(value: &NormalValue) -> f32 {
    let surname = value.first(Component::Surname).and_then(pack::surname);
    surname.map_or(0.0, |surname| {
        // Weights are per ten million.
        surname.weight as f32 / 1e7 * GIVEN_NAME_SHARE
    })
}

/// The record's resident number, if it has one whose check character is right.
fn resident_number<'a>(schema: &Schema, normal: &'a NormalRecord) -> Option<&'a str> {
    let documents = schema.fields.iter().enumerate();
    documents
        .filter(|(_, field)| field.kind == Kind::Document)
        .filter_map(|(at, _)| normal.value(at))
        .map(NormalValue::whole)
        .find(|number| has_valid_check(number))
}

/// ISO 7064 MOD 11-2 over 18 characters, as GB 11643-1999 has it.
fn has_valid_check(number: &str) -> bool {
    if number.len() != 18 {
        return false;
    }
    let product = number.bytes().enumerate().try_fold(0_u32, |sum, (at, c)| {
        let digit = match c {
            b'0'..=b'9' => u32::from(c - b'0'),
            b'X' if at == 17 => 10,
            _ => return None,
        };
        // Each character's weight is 2 to the power of the characters after it, modulo 11.
        Some((sum * 2 + digit) % 11)
    });
    product == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_resident_numbers_speak_about_the_sex() {
        // The examples of GB 11643-1999, annex.
        assert!(has_valid_check("11010519491231002X"));
        assert!(has_valid_check("440524188001010014"));
        assert!(!has_valid_check("110105194912310021"));
        assert!(!has_valid_check("11010519491231002"));
        assert!(!has_valid_check("1101051949123100XX"));
    }
}
