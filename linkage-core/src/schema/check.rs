//! What a well-formed schema must also mean.

use std::collections::BTreeSet;

use super::{Error, FeatureKind, Kind, Part, Schema, Take};

/// Most fields, keys of each kind, parts of a key, attributes: far above real schemas, low enough
/// that a row's size fits the wire format's counters.
const FIELDS_MAX: usize = 60;
const KEYS_MAX: usize = 32;
const PARTS_MAX: usize = 8;
const ATTRIBUTES_MAX: usize = 60;

/// Most values of one attribute: a cross-table of two is then at most 64 x 64 cells.
pub const ATTRIBUTE_VALUES_MAX: usize = 64;

/// Longest value of an attribute in characters; values are labels of table rows.
pub const ATTRIBUTE_VALUE_CHARS_MAX: usize = 64;

struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn refuse(&self, word: &str, message: String) -> Error {
        let quoted = format!("\"{word}\"");
        let at = self
            .text
            .find(&quoted)
            .or_else(|| self.text.find(word))
            .unwrap_or(0);
        let line = self.text.bytes().take(at).filter(|b| *b == b'\n').count() + 1;
        Error::Meaning { line, message }
    }

    fn require(&self, ok: bool, word: &str, message: impl Fn() -> String) -> Result<(), Error> {
        if ok {
            Ok(())
        } else {
            Err(self.refuse(word, message()))
        }
    }
}

/// Refuses a schema whose parts contradict each other, naming the line of the offending word.
pub(super) fn meaning(schema: &Schema, text: &str) -> Result<(), Error> {
    let check = Checker { text };
    check.require(schema.version == 1, "version", || {
        format!(
            "schema version {} is not known; this program reads version 1",
            schema.version
        )
    })?;
    let bits = schema.token.bits;
    check.require(
        bits.is_multiple_of(64) && (256..=4096).contains(&bits),
        "bits",
        || format!("token bits must be a multiple of 64 from 256 to 4096, not {bits}"),
    )?;
    let counts = [
        ("field", schema.fields.len(), 1, FIELDS_MAX),
        ("link_key", schema.link_keys.len(), 0, KEYS_MAX),
        ("block_key", schema.block_keys.len(), 0, KEYS_MAX),
        ("attribute", schema.attributes.len(), 0, ATTRIBUTES_MAX),
    ];
    for (what, count, min, max) in counts {
        check.require((min..=max).contains(&count), what, || {
            format!("a schema has {min} to {max} [[{what}]], this one has {count}")
        })?;
    }
    fields(&check, schema)?;
    keys(&check, schema)?;
    attributes(&check, schema)
}

fn fields(check: &Checker<'_>, schema: &Schema) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    let mut total = 0_u32;
    for field in &schema.fields {
        let name = &field.name;
        check.require(is_word(name), name, || {
            format!("field name \"{name}\" must be a word of a-z, 0-9 and _")
        })?;
        check.require(names.insert(name.as_str()), name, || {
            format!("field \"{name}\" is declared twice")
        })?;
        for feature in &field.features {
            let grams = matches!(
                feature.kind,
                FeatureKind::QGram | FeatureKind::PositionalQGram
            );
            let q = feature.q.unwrap_or(0);
            check.require(
                grams && (1..=4).contains(&q) || !grams && q == 0,
                name,
                || format!("field \"{name}\": give q (1 to 4) with q-grams, and only there"),
            )?;
            let components = feature.kind == FeatureKind::DateComponents;
            check.require(!components || field.kind == Kind::Date, name, || {
                format!("field \"{name}\": date-components needs kind = \"date\"")
            })?;
            check.require(feature.bits > 0, name, || {
                format!("field \"{name}\": a feature with 0 bits does nothing; leave it out")
            })?;
            total += u32::from(feature.bits);
        }
    }
    check.require(total > 0, "field", || {
        "no field has a [[field.feature]]".to_owned()
    })?;
    // Set bits collide: n insertions into L positions fill 1 - exp(-n/L). Twice the length fills
    // 86 %, beyond which tokens of strangers can hardly be told from those of one person.
    check.require(total <= 2 * schema.token.bits, "bits", || {
        format!(
            "the features' bits add up to {total}, more than twice the token's {}: lower them or \
             raise [token] bits",
            schema.token.bits
        )
    })
}

fn keys(check: &Checker<'_>, schema: &Schema) -> Result<(), Error> {
    let link = schema.link_keys.iter().map(|key| (&key.name, &key.parts));
    let block = schema.block_keys.iter().map(|key| (&key.name, &key.parts));
    for (name, parts) in link.chain(block) {
        check.require((1..=PARTS_MAX).contains(&parts.len()), name, || {
            format!("key \"{name}\" must have 1 to {PARTS_MAX} parts")
        })?;
        for part in parts {
            self::part(check, schema, name, part)?;
        }
    }
    let reachable = !schema.link_keys.is_empty() || !schema.block_keys.is_empty();
    check.require(
        reachable || schema.candidates.all_pairs_max > 0,
        "all_pairs_max",
        || {
            "without [[link_key]], [[block_key]] and all_pairs_max no pair is ever compared"
                .to_owned()
        },
    )
}

fn part(check: &Checker<'_>, schema: &Schema, key: &str, part: &Part) -> Result<(), Error> {
    let Some(field) = schema.fields.iter().find(|field| field.name == part.field) else {
        let known: Vec<_> = schema
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        return Err(check.refuse(
            &part.field,
            format!(
                "key \"{key}\" names field \"{}\", which is not declared; fields are: {}",
                part.field,
                known.join(", ")
            ),
        ));
    };
    let needs_length = matches!(part.take, Take::Prefix | Take::Suffix);
    check.require(
        needs_length == part.length.is_some_and(|n| n > 0),
        key,
        || format!("key \"{key}\": give length (1 or more) with prefix and suffix, and only there"),
    )?;
    let needs_date = matches!(part.take, Take::Year | Take::MonthDay);
    check.require(!needs_date || field.kind == Kind::Date, key, || {
        format!("key \"{key}\": year and month-day need a field of kind = \"date\"")
    })
}

fn attributes(check: &Checker<'_>, schema: &Schema) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    for attribute in &schema.attributes {
        let name = &attribute.name;
        check.require(is_word(name), name, || {
            format!("attribute name \"{name}\" must be a word of a-z, 0-9 and _")
        })?;
        check.require(names.insert(name.as_str()), name, || {
            format!("attribute \"{name}\" is declared twice")
        })?;
        check.require(
            (1..=ATTRIBUTE_VALUES_MAX).contains(&attribute.values.len()),
            name,
            || format!("attribute \"{name}\" must list 1 to {ATTRIBUTE_VALUES_MAX} values"),
        )?;
        let labels =
            |value: &String| (1..=ATTRIBUTE_VALUE_CHARS_MAX).contains(&value.chars().count());
        check.require(attribute.values.iter().all(labels), name, || {
            format!("attribute \"{name}\": a value has 1 to {ATTRIBUTE_VALUE_CHARS_MAX} characters")
        })?;
        let distinct: BTreeSet<_> = attribute.values.iter().collect();
        check.require(distinct.len() == attribute.values.len(), name, || {
            format!("attribute \"{name}\" lists a value twice")
        })?;
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}
