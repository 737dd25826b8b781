//! A source's quality before anything of it is encoded: counts only, no value of any record.
//!
//! Values are told apart by hashes under keys that are drawn for one check and thrown away.

mod distinct;
mod facts;
mod fill;
mod frequent;
mod script;

use std::collections::BTreeMap;

use linkage_core::encode::Encoder;
use linkage_core::keys::ProjectKey;
use linkage_core::normalise::{DataQuality, FieldCounts, Normaliser};
use linkage_core::schema::{Kind, LinkRole, Schema};
use serde::Serialize;

use super::ids::Ids;
use super::{Error, Origin, blocks, today};
use crate::ingest::{Format, Reason};
use distinct::Distinct;
use facts::{Facts, Looked, Looker};
use fill::Sample;
use frequent::Frequent;

pub use distinct::Repeats;
pub use fill::FillCheck;
pub use script::Script;

/// Records that a value may have whatever is expected of it.
const FREQUENT_MIN: u64 = 20;

/// Times that a value may occur as often as expected.
const FREQUENT_FACTOR: f64 = 1000.0;

/// Records that may share a telephone number: a large household.
const NUMBER_RECORDS_MAX: u64 = 6;

/// Share of birthdays on one day of the year.
const DAY_SHARE: f64 = 1.0 / 365.25;

/// Times that a first of January may be as frequent as any other day: some are real, and parents
/// choose it a little more often.
const NEW_YEAR_FACTOR: f64 = 2.0;

/// Below this agreement with the resident numbers a field of sexes is read wrongly: in registers,
/// sex and number contradict each other in fewer than one record of a hundred.
const SEX_AGREEMENT_MIN: f64 = 0.99;

/// Fewest records on which the agreement of sexes is judged.
const SEX_COMPARED_MIN: u64 = 20;

/// What a check found. Counts only.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What the source is.
    pub format: Format,
    /// Usable rows.
    pub rows: u64,
    /// Rows that cannot be used, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// The fields, in schema order.
    pub fields: Vec<FieldCheck>,
    /// The rules of link keys, in schema order.
    pub link_keys: Vec<KeyCheck>,
    /// The rules of block keys, in schema order.
    pub block_keys: Vec<KeyCheck>,
    /// Records with too few features to have a token.
    pub without_token: u64,
    /// Fill of the filters, measured on a sample; none under the `fields` profile.
    pub fill: Option<FillCheck>,
    /// What should be looked into before the source is encoded.
    pub concerns: Vec<Concern>,
}

/// What a check found in a field.
#[derive(Debug, Clone, Serialize)]
pub struct FieldCheck {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// How many records have which state.
    pub counts: FieldCounts,
    /// How many records have a value in which script, unusable values included.
    pub scripts: BTreeMap<Script, u64>,
    /// Different usable values.
    pub values: u64,
    /// Whether the number of values is estimated.
    pub values_estimated: bool,
    /// Values that occur far too often to be true.
    pub frequent: Frequency,
    /// Records whose date is a first of January; with dates only.
    pub new_year: Option<u64>,
    /// Telephone numbers that more than six records share; with phones only.
    pub shared_numbers: Option<Repeats>,
    /// Records whose sex agrees with their resident number, of how many; with sexes only.
    pub sex: Option<SexCheck>,
}

/// Values that occur more than 20 times and more than a thousand times as often as expected. A name
/// is expected by its surname's share of the population, any other value as often as its field's
/// other values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Frequency {
    /// Number of such values.
    pub values: u64,
    /// Records that have one.
    pub records: u64,
}

/// Whether sexes are read as they were meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SexCheck {
    /// Records that have a sex and a valid resident number.
    pub compared: u64,
    /// Those where digit 17 of the number says the same.
    pub agreeing: u64,
}

/// How many records have a key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyCheck {
    /// Name of the rule.
    pub name: String,
    /// Records that have the key.
    pub records: u64,
    /// Records that share it with another record of this source; with link keys only.
    pub repeats: Option<Repeats>,
}

/// Something to look into, by field or rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "concern")]
pub enum Concern {
    /// Sexes contradict the resident numbers: the field's map is wrong.
    SexMap {
        /// The field.
        field: String,
    },
    /// Values occur far too often.
    Frequent {
        /// The field.
        field: String,
    },
    /// Dates are a first of January far too often: a default for an unknown day.
    NewYear {
        /// The field.
        field: String,
    },
    /// No record has the key.
    NoKey {
        /// The rule.
        rule: String,
    },
}

impl Concern {
    /// What is wrong and what to do, in English.
    pub fn advice(&self) -> String {
        match self {
            Self::SexMap { field } => format!(
                "field \"{field}\" contradicts the resident numbers: correct its map in the schema \
                 before encoding"
            ),
            Self::Frequent { field } => format!(
                "field \"{field}\" has values that occur far too often to be true: declare them as \
                 placeholders in the schema"
            ),
            Self::NewYear { field } => format!(
                "field \"{field}\" has many a first of January: a default for an unknown day; ask \
                 where the dates come from"
            ),
            Self::NoKey { rule } => {
                format!("no record has the key \"{rule}\": check its columns in the schema")
            }
        }
    }
}

/// Reads and normalises a source and counts what is there. `progress` is told how much of the
/// source is read, and of how much.
///
/// # Errors
/// [`Error`], saying what to do.
pub fn check(
    origin: &Origin,
    schema: &Schema,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Check, Error> {
    let source = origin.open(schema)?;
    let (format, total) = (source.format(), source.total());
    let key = ProjectKey::from_bytes(*crate::entropy::secret()?);
    let looker = Looker {
        schema,
        parser: source.parser(),
        normaliser: Normaliser::new(schema, today()),
        encoder: Encoder::new(schema, &key),
        hasher: std::collections::hash_map::RandomState::new(),
        sample: Sample::new(schema),
    };
    let mut counts = Counts::new(schema);
    blocks::through(
        source,
        |block| Ok::<_, Error>(looker.block(&block)),
        |looked| counts.block(looked),
        |done| progress(done, total),
    )?;
    if counts.ids.is_empty() {
        return Err(Error::NoRows {
            origin: origin.clone(),
            rejected: counts.rejected.values().sum(),
            rejects: "the reasons with `linkage encode`".into(),
        });
    }
    let sample = looker.sample;
    let fill = sample.map(|sample| sample.measure(schema, &key));
    let fill = fill.transpose()?;
    Ok(Check {
        fill,
        ..counts.finish(schema, format)
    })
}

/// Counts while rows come.
struct Counts {
    ids: Ids,
    rejected: BTreeMap<&'static str, u64>,
    quality: DataQuality,
    fields: Vec<FieldState>,
    numbers: Distinct,
    link_records: Vec<u64>,
    link_values: Vec<Distinct>,
    block_records: Vec<u64>,
    without_token: u64,
}

/// Counts of one field.
#[derive(Default)]
struct FieldState {
    scripts: BTreeMap<Script, u64>,
    frequent: Frequent,
    distinct: Distinct,
    new_year: u64,
    sex: SexCheck,
}

impl Counts {
    fn new(schema: &Schema) -> Self {
        let columns = schema.link_columns().len();
        Self {
            ids: Ids::default(),
            rejected: BTreeMap::new(),
            quality: DataQuality::new(schema),
            fields: schema
                .fields
                .iter()
                .map(|_| FieldState::default())
                .collect(),
            numbers: Distinct::default(),
            link_records: vec![0; columns],
            link_values: (0..columns).map(|_| Distinct::default()).collect(),
            block_records: vec![0; schema.block_keys.len()],
            without_token: 0,
        }
    }

    fn block(&mut self, looked: Looked) -> Result<(), Error> {
        for reason in &looked.rejected {
            *self.rejected.entry(reason.code()).or_default() += 1;
        }
        for row in &looked.rows {
            if self.ids.push(&row.id)?.is_some() {
                let code = Reason::DuplicateId(0).code();
                *self.rejected.entry(code).or_default() += 1;
            } else {
                self.row(row);
            }
        }
        Ok(())
    }

    fn row(&mut self, row: &Facts) {
        self.quality.add(row.cells.iter().map(|cell| cell.state));
        for (field, cell) in self.fields.iter_mut().zip(&row.cells) {
            if let Some(script) = cell.script {
                *field.scripts.entry(script).or_default() += 1;
            }
            if let Some(value) = cell.value {
                field.frequent.add(value, cell.expected);
                field.distinct.add(value);
            }
            field.new_year += u64::from(cell.new_year);
        }
        for (field, agrees) in self.fields.iter_mut().zip(&row.sexes) {
            field.sex.compared += u64::from(agrees.is_some());
            field.sex.agreeing += u64::from(*agrees == Some(true));
        }
        row.numbers
            .iter()
            .for_each(|number| self.numbers.add(*number));
        let columns = self.link_records.iter_mut().zip(&mut self.link_values);
        for ((records, values), tag) in columns.zip(&row.link_keys) {
            if let Some(tag) = tag {
                *records += 1;
                values.add(*tag);
            }
        }
        for (records, present) in self.block_records.iter_mut().zip(&row.block_keys) {
            *records += u64::from(*present);
        }
        self.without_token += u64::from(!row.has_token);
    }

    fn finish(self, schema: &Schema, format: Format) -> Check {
        let numbers = self.numbers.repeats(NUMBER_RECORDS_MAX);
        let declared = schema.fields.iter().zip(self.quality.fields());
        let fields = declared
            .zip(&self.fields)
            .map(|((field, (_, counts)), state)| {
                let repeats = state.distinct.repeats(1);
                FieldCheck {
                    name: field.name.clone(),
                    kind: field.kind,
                    counts: counts.clone(),
                    scripts: state.scripts.clone(),
                    values: repeats.values,
                    values_estimated: repeats.estimated,
                    frequent: too_frequent(&state.frequent, counts.usable(), repeats.values),
                    new_year: (field.kind == Kind::Date).then_some(state.new_year),
                    shared_numbers: (field.kind == Kind::Phone).then_some(numbers),
                    sex: (field.kind == Kind::Sex).then_some(state.sex),
                }
            });
        let fields: Vec<FieldCheck> = fields.collect();
        let link_keys = self.link_keys(schema);
        let blocks = schema.block_keys.iter().zip(&self.block_records);
        let block_keys = blocks.map(|(rule, records)| KeyCheck {
            name: rule.name.clone(),
            records: *records,
            repeats: None,
        });
        let block_keys: Vec<KeyCheck> = block_keys.collect();
        let concerns = concerns(&fields, link_keys.iter().chain(&block_keys));
        Check {
            format,
            rows: self.ids.len() as u64,
            rejected: self.rejected,
            fields,
            link_keys,
            block_keys,
            without_token: self.without_token,
            fill: None,
            concerns,
        }
    }

    /// One entry per rule, by its column of role `Identity` where it has supports.
    fn link_keys(&self, schema: &Schema) -> Vec<KeyCheck> {
        let rules = (0_u8..).zip(&schema.link_keys);
        let columns = schema.link_columns();
        rules
            .map(|(rule, key)| {
                let of_rule = || columns.iter().enumerate().filter(|(_, c)| c.rule == rule);
                let identity = of_rule().find(|(_, c)| c.role == LinkRole::Identity);
                let at = identity
                    .or_else(|| of_rule().next())
                    .map_or(0, |(at, _)| at);
                KeyCheck {
                    name: key.name.clone(),
                    records: self.link_records.get(at).copied().unwrap_or(0),
                    repeats: self.link_values.get(at).map(|values| values.repeats(1)),
                }
            })
            .collect()
    }
}

fn too_frequent(frequent: &Frequent, records: u64, values: u64) -> Frequency {
    let uniform = 1.0 / values.max(1) as f64;
    let mut found = Frequency::default();
    for counter in frequent.counters() {
        let expected = match f64::from(counter.expected) {
            share if share > 0.0 => share,
            _ => uniform,
        };
        let allowed = FREQUENT_FACTOR * expected * records as f64;
        if counter.count > FREQUENT_MIN && counter.count as f64 > allowed {
            found.values += 1;
            found.records += counter.count;
        }
    }
    found
}

fn concerns<'a>(fields: &[FieldCheck], keys: impl Iterator<Item = &'a KeyCheck>) -> Vec<Concern> {
    let mut found = vec![];
    for check in fields {
        let field = || check.name.clone();
        if check.sex.is_some_and(|sex| {
            let least = SEX_AGREEMENT_MIN * sex.compared as f64;
            sex.compared >= SEX_COMPARED_MIN && (sex.agreeing as f64) < least
        }) {
            found.push(Concern::SexMap { field: field() });
        }
        if check.frequent.values > 0 {
            found.push(Concern::Frequent { field: field() });
        }
        let usable = check.counts.usable() as f64;
        let new_years = check.new_year.unwrap_or(0);
        if new_years > FREQUENT_MIN && new_years as f64 > NEW_YEAR_FACTOR * DAY_SHARE * usable {
            found.push(Concern::NewYear { field: field() });
        }
    }
    let missing = keys.filter(|key| key.records == 0);
    found.extend(missing.map(|key| Concern::NoKey {
        rule: key.name.clone(),
    }));
    found
}

#[cfg(test)]
mod tests;
