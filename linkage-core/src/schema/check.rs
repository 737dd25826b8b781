//! What a well-formed schema must also mean.

use std::collections::BTreeSet;

use super::{
    Calendar, Error, Feature, FeatureKind, Field, Filter, Kind, Lsh, Part, Profile,
    RecordsPerOwner, Schema, Take,
};
use crate::record::Component;

/// Most fields, keys of each kind, parts of a key, attributes: far above real schemas, low enough
/// that a row's size fits the wire format's counters.
const FIELDS_MAX: usize = 60;
const KEYS_MAX: usize = 32;
const PARTS_MAX: usize = 8;
const SUPPORTS_MAX: usize = 16;
const FILTERS_MAX: usize = 32;

/// Most columns of link keys, over all rules and their supports: the wire format counts them in one
/// byte.
const LINK_COLUMNS_MAX: usize = 128;
const ATTRIBUTES_MAX: usize = 60;

/// Most nearest records that are compared with one: ten find what there is to find, and each one
/// more is another pair for every record.
const NEIGHBOURS_MAX: u8 = 50;

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
    token(&check, schema)?;
    fields(&check, schema)?;
    filters(&check, schema)?;
    keys(&check, schema)?;
    decide(&check, schema)?;
    attributes(&check, schema)
}

fn token(check: &Checker<'_>, schema: &Schema) -> Result<(), Error> {
    let bits = schema.token.bits;
    check.require(
        bits.is_multiple_of(64) && (256..=4096).contains(&bits),
        "bits",
        || format!("token bits must be a multiple of 64 from 256 to 4096, not {bits}"),
    )?;
    let Some(diffusion) = schema.token.diffusion else {
        return Ok(());
    };
    check.require(
        schema.token.profile == Profile::Hardened,
        "diffusion",
        || "diffusion belongs to profile = \"hardened\"; leave it out of any other".into(),
    )?;
    check.require((2..=10).contains(&diffusion.inputs), "inputs", || {
        format!("diffusion inputs must be 2 to 10, not {}", diffusion.inputs)
    })?;
    let length = diffusion.bits;
    check.require(
        length.is_multiple_of(64) && (512..=8192).contains(&length),
        "diffusion",
        || format!("diffusion bits must be a multiple of 64 from 512 to 8192, not {length}"),
    )
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
        source(check, schema, field)?;
        for feature in &field.features {
            self::feature(check, field, feature)?;
            total += u32::from(feature.bits);
        }
    }
    check.require(total > 0, "field", || {
        "no field has a [[field.feature]]".to_owned()
    })?;
    // Set bits collide: n insertions into L positions fill 1 - exp(-n/L). Twice the length fills
    // 86 %, beyond which tokens of strangers can hardly be told from those of one person.
    let fits = schema.token.profile == Profile::Fields || total <= 2 * schema.token.bits;
    check.require(fits, "bits", || {
        format!(
            "the features' bits add up to {total}, more than twice the token's {}: lower them or \
             raise [token] bits",
            schema.token.bits
        )
    })
}

/// Where a field's values come from.
fn source(check: &Checker<'_>, schema: &Schema, field: &Field) -> Result<(), Error> {
    let name = &field.name;
    if let Some(from) = &field.derived_from {
        let wanted = match field.kind {
            Kind::Date | Kind::Sex => Some((Kind::Document, "document")),
            Kind::OrganisationCode => Some((Kind::OrganisationCode, "organisation-code")),
            _ => None,
        };
        let Some((wanted, word)) = wanted else {
            let message = format!(
                "field \"{name}\": only a date, a sex or an organisation code can be taken from a \
                 number"
            );
            return Err(check.refuse(name, message));
        };
        let source = |other: &Field| other.name == *from && other.kind == wanted && from != name;
        check.require(schema.fields.iter().any(source), from, || {
            format!("field \"{name}\": from = \"{from}\" names no other field of kind = \"{word}\"")
        })?;
    }
    let dated = field.two_digit_years_to.is_some() || field.calendar != Calendar::Gregorian;
    check.require(!dated || field.kind == Kind::Date, name, || {
        format!("field \"{name}\": two_digit_years_to and calendar belong to kind = \"date\"")
    })?;
    let pivot = field.two_digit_years_to.unwrap_or(2000);
    check.require((1900..=2099).contains(&pivot), name, || {
        format!("field \"{name}\": two_digit_years_to must be 1900 to 2099, not {pivot}")
    })
}

fn feature(check: &Checker<'_>, field: &Field, feature: &Feature) -> Result<(), Error> {
    let name = &field.name;
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
    let near = feature.kind == FeatureKind::NumericNeighbourhood;
    check.require(
        near == feature.distance.is_some_and(|d| d.is_finite() && d > 0.0)
            && near == feature.resolution.is_some_and(|r| (1..=20).contains(&r)),
        name,
        || {
            format!(
                "field \"{name}\": give distance (more than 0) and resolution (1 to 20) with \
                 numeric-neighbourhood, and only there"
            )
        },
    )?;
    check.require(!near || field.kind == Kind::Quantity, name, || {
        format!("field \"{name}\": numeric-neighbourhood needs kind = \"quantity\"")
    })?;
    component(check, field, feature.part)?;
    check.require(feature.bits > 0, name, || {
        format!("field \"{name}\": a feature with 0 bits does nothing; leave it out")
    })
}

/// Refuses a component that values of the field's kind never have.
fn component(check: &Checker<'_>, field: &Field, component: Component) -> Result<(), Error> {
    let known = field.kind.components();
    check.require(
        component.is_whole() || known.contains(&component),
        &field.name,
        || {
            let word = |c: &Component| serde_json::to_string(c).unwrap_or_default();
            let known: Vec<_> = known.iter().map(word).collect();
            format!(
                "field \"{}\": its kind has no part {}; parts are: {}",
                field.name,
                word(&component),
                if known.is_empty() {
                    "none but the whole".to_owned()
                } else {
                    known.join(", ")
                }
            )
        },
    )
}

fn filters(check: &Checker<'_>, schema: &Schema) -> Result<(), Error> {
    let wanted = schema.token.profile == Profile::Fields;
    check.require(wanted != schema.filters.is_empty(), "filter", || {
        "profile = \"fields\" needs [[filter]] sections, and no other profile has any".into()
    })?;
    check.require(schema.filters.len() <= FILTERS_MAX, "filter", || {
        format!("a schema has at most {FILTERS_MAX} [[filter]]")
    })?;
    let mut filtered = BTreeSet::new();
    for filter in &schema.filters {
        let name = &filter.name;
        check.require(is_word(name), name, || {
            format!("filter name \"{name}\" must be a word of a-z, 0-9 and _")
        })?;
        check.require(
            filter.bits.is_multiple_of(64) && (64..=1024).contains(&filter.bits),
            name,
            || format!("filter \"{name}\": bits must be a multiple of 64 from 64 to 1024"),
        )?;
        check.require(filter.weight > 0, name, || {
            format!("filter \"{name}\": a weight of 0 does nothing; leave the filter out")
        })?;
        let mut kinds = Vec::new();
        for field in filter.fields.iter().chain(&filter.frequency) {
            let Some(known) = schema.fields.iter().find(|f| f.name == *field) else {
                let message =
                    format!("filter \"{name}\" names field \"{field}\", which is not declared");
                return Err(check.refuse(field, message));
            };
            kinds.push(known.kind);
        }
        check.require(kinds.iter().any(|kind| *kind != Kind::Sex), name, || {
            format!(
                "filter \"{name}\" holds nothing but a sex, and its two values would be told apart \
                 at a glance: give it a further field"
            )
        })?;
        swap(check, schema, filter)?;
        for field in &filter.fields {
            check.require(filtered.insert(field.as_str()), field, || {
                format!("field \"{field}\" is in two filters; it counts once")
            })?;
        }
    }
    Ok(())
}

/// Refuses a swap of filters whose bits could not be compared, or of more than two.
fn swap(check: &Checker<'_>, schema: &Schema, filter: &Filter) -> Result<(), Error> {
    let Some(partner) = &filter.swaps_with else {
        return Ok(());
    };
    let name = &filter.name;
    let Some(other) = schema.filters.iter().find(|other| other.name == *partner) else {
        let message = format!("filter \"{name}\" swaps with \"{partner}\", which is not declared");
        return Err(check.refuse(partner, message));
    };
    let field = |filter: &Filter| match filter.fields.as_slice() {
        [only] => schema.fields.iter().find(|field| field.name == *only),
        _ => None,
    };
    let alike = |(x, y): (&Field, &Field)| x.kind == y.kind && x.features == y.features;
    check.require(
        partner != name
            && filter.bits == other.bits
            && field(filter).zip(field(other)).is_some_and(alike),
        partner,
        || {
            format!(
                "filters \"{name}\" and \"{partner}\" cannot swap: give each the same bits and one \
                 field, of the same kind and features"
            )
        },
    )?;
    let swaps = |f: &&Filter| {
        f.swaps_with.as_ref().is_some_and(|with| {
            [&f.name, with]
                .into_iter()
                .any(|end| end == name || end == partner)
        })
    };
    check.require(schema.filters.iter().filter(swaps).count() == 1, partner, || {
        format!(
            "filters \"{name}\" and \"{partner}\": a filter swaps with one other; declare it at \
             one of the two"
        )
    })
}

fn keys(check: &Checker<'_>, schema: &Schema) -> Result<(), Error> {
    let link = schema.link_keys.iter().map(|key| (&key.name, &key.parts));
    let supports = schema
        .link_keys
        .iter()
        .flat_map(|key| key.supports.iter().map(|support| (&key.name, support)));
    let block = schema.block_keys.iter().map(|key| (&key.name, &key.parts));
    for (name, parts) in link.chain(supports).chain(block) {
        check.require((1..=PARTS_MAX).contains(&parts.len()), name, || {
            format!("key \"{name}\" and each of its supports must have 1 to {PARTS_MAX} parts")
        })?;
        for part in parts {
            self::part(check, schema, name, part)?;
        }
    }
    for key in &schema.link_keys {
        check.require(key.supports.len() <= SUPPORTS_MAX, &key.name, || {
            format!(
                "key \"{}\" may have at most {SUPPORTS_MAX} supports",
                key.name
            )
        })?;
    }
    let neighbours = schema.candidates.neighbours();
    check.require(neighbours <= NEIGHBOURS_MAX, "neighbours", || {
        format!("neighbours must be 0 to {NEIGHBOURS_MAX}, not {neighbours}")
    })?;
    let columns = schema.link_columns().len();
    check.require(columns <= LINK_COLUMNS_MAX, "link_key", || {
        format!("link keys and their supports make {columns} columns, more than {LINK_COLUMNS_MAX}")
    })?;
    candidates(check, schema)
}

fn candidates(check: &Checker<'_>, schema: &Schema) -> Result<(), Error> {
    let settings = &schema.candidates;
    let diffused = schema.token.profile == Profile::Hardened;
    check.require(!diffused || settings.lsh != Some(Lsh::Auto), "lsh", || {
        "lsh = \"auto\" needs tokens that are not diffused: under profile = \"hardened\" \
             similar records differ in nearly half of their positions"
            .to_owned()
    })?;
    let shares = [
        ("lsh_recall", settings.lsh_recall(), 0.5..=0.9999),
        ("lsh_agreement", settings.lsh_agreement(), 0.5..=0.99),
        ("agreement_min", settings.agreement_min(), 0.0..=0.99),
    ];
    for (name, value, range) in shares {
        check.require(range.contains(&value), name, || {
            format!("{name} must be {} to {}", range.start(), range.end())
        })?;
    }
    let keys = !schema.link_keys.is_empty() || !schema.block_keys.is_empty();
    let by_bits = !diffused && settings.lsh != Some(Lsh::Off);
    check.require(
        keys || by_bits || settings.all_pairs_max > 0,
        "all_pairs_max",
        || {
            "without [[link_key]], [[block_key]], all_pairs_max and lsh no pair is ever compared"
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
    let needs_date = matches!(
        part.take,
        Take::Year | Take::YearMonth | Take::YearDay | Take::MonthDay
    );
    check.require(!needs_date || field.kind == Kind::Date, key, || {
        format!("key \"{key}\": parts of a date need a field of kind = \"date\"")
    })?;
    component(check, field, part.part)
}

fn decide(check: &Checker<'_>, schema: &Schema) -> Result<(), Error> {
    let assignment = schema.decide.assignment();
    let one = schema.decide.records_per_owner == RecordsPerOwner::One;
    check.require(
        assignment.is_one_to_one() == one,
        assignment.as_str(),
        || {
            format!(
                "assignment = \"{}\" needs records_per_owner = {}",
                assignment.as_str(),
                if one { "\"any\"" } else { "1" }
            )
        },
    )
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
