//! Schema files: checked, explained, and templates to start from.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use linkage_core::encode::expected_fill;
use linkage_core::schema::{self, BlockKey, Feature, FeatureKind, LinkKey, Part, Schema, Take};
use serde_json::{Value, json};

use super::failure::{Blame as _, EXIT_OK, Failure};
use super::preview::Preview;
use super::screen::{self, Form};

/// Shares of set bits between which records can be told apart well; a token outside is thin or
/// full.
const FILL_GOOD: std::ops::RangeInclusive<f64> = 0.35..=0.55;

/// Check schemas, or start from a template.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Read a schema and show what it says
    Check(Check),
    /// Print an annotated schema to start from
    Template(Template),
    /// Show what normalisation does to your own rows, on this screen only
    Preview(Preview),
}

/// Arguments of `schema check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows fields, weights, keys and the expected fill: the share of a token's bits that a record with \
all fields sets. A schema that cannot be used is refused with its line and exit code 2.

Example:
  linkage schema check persons.toml")]
pub struct Check {
    /// Schema, TOML or JSON
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,
}

/// Arguments of `schema template`.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json the schema comes as JSON, which every command reads as well, without the annotations.

Example:
  linkage schema template person-cn > persons.toml")]
pub struct Template {
    /// Which schema
    name: TemplateName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TemplateName {
    /// Persons in registers of mainland China: name, birth date, identity number, mobile, address
    PersonCn,
    /// Persons in Latin script, without identity number: the columns of the Febrl data sets
    PersonLatin,
    /// Enterprises in registers of mainland China: name, codes, legal representative, address
    EnterpriseCn,
}

impl TemplateName {
    fn text(self) -> &'static str {
        match self {
            Self::PersonCn => include_str!("../../schemas/person-cn.toml"),
            Self::PersonLatin => include_str!("../../schemas/person-latin.toml"),
            Self::EnterpriseCn => include_str!("../../schemas/enterprise-cn.toml"),
        }
    }
}

/// Why a schema file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("the schema {} cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not UTF-8.
    #[error("the schema {} is not UTF-8 text", .0.display())]
    Encoding(PathBuf),
    /// Refused by the schema language.
    #[error("the schema {} is refused", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: schema::Error,
    },
}

/// Reads the schema at `path`.
///
/// # Errors
/// [`Error`], naming the line.
pub fn read(path: &Path) -> Result<Schema, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| {
            // One byte over the limit tells `parse` that the file is too large.
            file.take(schema::BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|source| Error::Io {
            path: path.into(),
            source,
        })?;
    let text = String::from_utf8(bytes).map_err(|_| Error::Encoding(path.into()))?;
    Schema::parse(&text).map_err(|source| Error::Refused {
        path: path.into(),
        source,
    })
}

impl SchemaCommand {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Check(Check { schema }) => {
                let schema = read(&schema).or_input()?;
                form.show(&data(&schema), || text(&schema))?;
            }
            Self::Preview(preview) => return preview.run(form),
            Self::Template(Template { name }) => match form {
                Form::Text => screen::show(name.text())?,
                Form::Json => form.show(&Schema::parse(name.text())?, String::new)?,
            },
        }
        Ok(EXIT_OK)
    }
}

fn weight(features: &[Feature]) -> u32 {
    features.iter().map(|feature| u32::from(feature.bits)).sum()
}

fn data(schema: &Schema) -> Value {
    let fields = schema.fields.iter().map(|field| {
        json!({ "name": field.name, "column": field.column(), "kind": field.kind,
                "bits": weight(&field.features) })
    });
    json!({
        "entity": schema.entity,
        "fingerprint": hex::encode(schema.fingerprint()),
        "token_bits": schema.token.bits,
        "profile": schema.token.profile,
        "expected_fill": expected_fill(schema),
        "fields": fields.collect::<Vec<_>>(),
        "link_keys": schema.link_keys.iter().map(|key| &key.name).collect::<Vec<_>>(),
        "block_keys": schema.block_keys.iter().map(|key| &key.name).collect::<Vec<_>>(),
        "attributes": schema.attributes.iter().map(|a| &a.name).collect::<Vec<_>>(),
    })
}

fn text(schema: &Schema) -> String {
    let total: u32 = schema
        .fields
        .iter()
        .map(|field| weight(&field.features))
        .sum();
    let fields = schema.fields.iter().map(|field| {
        let bits = weight(&field.features);
        let (features, bits, share) = if bits == 0 {
            ("keys only".to_owned(), "-".to_owned(), "-".to_owned())
        } else {
            let mut features: Vec<_> = field.features.iter().map(feature).collect();
            features.sort();
            features.dedup();
            let share = f64::from(bits) / f64::from(total.max(1));
            (
                features.join(", "),
                bits.to_string(),
                screen::percent(share, 0),
            )
        };
        vec![field.name.clone(), word(field.kind), features, bits, share]
    });
    let fill = expected_fill(schema);
    let mut lines = vec![
        format!(
            "Schema of {}: {} bits a token, profile {}, fingerprint {}",
            schema.entity,
            schema.token.bits,
            word(schema.token.profile),
            short(&schema.fingerprint()),
        ),
        String::new(),
        screen::table(&["field", "kind", "features", "bits", "weight"], 3, fields),
        String::new(),
        format!(
            "Expected fill of a token with every field: {}",
            screen::percent(fill, 1)
        ),
    ];
    if !FILL_GOOD.contains(&fill) {
        lines.push(
            "Warning: a fill outside 35 to 55 % tells records apart badly; change the bits.".into(),
        );
    }
    let link = |key: &LinkKey| (key.name.clone(), parts(&key.parts));
    let block = |key: &BlockKey| (key.name.clone(), parts(&key.parts));
    keys(&mut lines, "Link keys", schema.link_keys.iter().map(link));
    keys(
        &mut lines,
        "Block keys",
        schema.block_keys.iter().map(block),
    );
    if !schema.attributes.is_empty() {
        let names: Vec<_> = schema.attributes.iter().map(|a| a.name.as_str()).collect();
        lines.push(format!("\nAttributes: {}", names.join(", ")));
    }
    lines.join("\n")
}

fn keys(lines: &mut Vec<String>, title: &str, keys: impl Iterator<Item = (String, String)>) {
    let rows: Vec<Vec<String>> = keys
        .zip(1..)
        .map(|((name, parts), number)| vec![format!("{number}. {name}"), parts])
        .collect();
    if rows.is_empty() {
        lines.push(format!("\n{title}: none"));
    } else {
        lines.push(format!(
            "\n{}",
            screen::table(&[title, "equal in"], 2, rows)
        ));
    }
}

fn feature(feature: &Feature) -> String {
    let q = feature.q.unwrap_or(1);
    match feature.kind {
        FeatureKind::QGram => format!("{q}-grams"),
        FeatureKind::PositionalQGram => format!("{q}-grams with place"),
        FeatureKind::DateComponents => "year, month, day".into(),
        FeatureKind::Whole => "whole".into(),
        FeatureKind::PinyinBigram => "pinyin".into(),
        FeatureKind::FuzzySyllable => "fuzzy syllables".into(),
        FeatureKind::FourCorner => "four-corner".into(),
        FeatureKind::NumericNeighbourhood => "numeric neighbourhood".into(),
    }
}

fn parts(parts: &[Part]) -> String {
    let part = |part: &Part| {
        let length = part.length.unwrap_or(0);
        let what = if part.part.is_whole() {
            part.field.clone()
        } else {
            format!("{} {}", part.field, word(part.part))
        };
        match part.take {
            Take::Whole => what,
            Take::Prefix => format!("{what} (first {length})"),
            Take::Suffix => format!("{what} (last {length})"),
            Take::Sorted => format!("{what} (characters sorted)"),
            Take::Initials => format!("{what} (initials)"),
            Take::Fuzzy => format!("{what} (fuzzy sound)"),
            Take::Year => format!("{what} (year)"),
            Take::YearMonth => format!("{what} (year, month)"),
            Take::YearDay => format!("{what} (year, day)"),
            Take::MonthDay => format!("{what} (month, day)"),
            Take::Soundex => format!("{what} (sound)"),
        }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// A choice as it is written in a schema.
fn word(choice: impl serde::Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The beginning of a fingerprint, for people.
pub fn short(fingerprint: &[u8; 32]) -> String {
    hex::encode(fingerprint).chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_schemas_of_good_fill() {
        for name in TemplateName::value_variants() {
            let schema = Schema::parse(name.text()).unwrap();
            assert!(FILL_GOOD.contains(&expected_fill(&schema)), "{name:?}");
            assert!(
                text(&schema).lines().all(|line| line.len() <= 110),
                "{name:?}"
            );
        }
    }

    #[test]
    fn the_template_fits_the_generator() {
        let schema = Schema::parse(TemplateName::PersonCn.text()).unwrap();
        let columns = linkage_generator::department::IDENTIFYING_COLUMNS;
        assert!(schema.columns().all(|column| columns.contains(&column)));
        for department in linkage_generator::Department::ALL {
            for (name, values) in department.attributes() {
                let attribute = schema.attributes.iter().find(|a| a.name == *name).unwrap();
                assert_eq!(attribute.values, *values);
            }
        }
        let schema = Schema::parse(TemplateName::EnterpriseCn.text()).unwrap();
        let columns = linkage_generator::enterprise::IDENTIFYING_COLUMNS;
        assert!(schema.columns().all(|column| columns.contains(&column)));
    }
}
