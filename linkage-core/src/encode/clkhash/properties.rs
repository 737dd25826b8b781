//! The encoding against the slow one: random schemas of all versions, random records.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::encode::Encoder;
use super::keys::Secret;
use super::rows::Rows;
use super::schema::Schema;
use super::slow;

/// A feature's format with a strategy for its values.
fn format() -> impl Strategy<Value = (Value, BoxedStrategy<String>)> {
    let text = prop_oneof!["[a-e]{0,12}", "[ -~]{0,8}", "(é|李|😀|a|\u{301}| ){0,6}"].boxed();
    let encodings = prop_oneof![Just("utf-8"), Just("utf-16"), Just("utf-32")];
    let string = encodings.prop_map(move |encoding| {
        (
            json!({ "type": "string", "encoding": encoding }),
            text.clone(),
        )
    });
    let ascii = Just((
        json!({ "type": "string", "encoding": "ascii" }),
        "[ -~]{0,9}".boxed(),
    ));
    let integer = Just((json!({ "type": "integer" }), integer()));
    let date = prop_oneof![Just("%Y-%m-%d"), Just("%d/%m/%Y")].prop_map(|format| {
        let days = (1_i32..=9999, 1..=12, 1..=28).prop_map(move |(year, month, day)| {
            if format == "%Y-%m-%d" {
                format!("{year:04}-{month}-{day:02}")
            } else {
                format!("{day}/{month:02}/{year:04}")
            }
        });
        (json!({ "type": "date", "format": format }), days.boxed())
    });
    let list = Just((
        json!({ "type": "enum", "values": ["m", "f", ""] }),
        "[mf]?".boxed(),
    ));
    prop_oneof![3 => string, 1 => ascii, 2 => integer, 1 => date, 1 => list]
}

fn integer() -> BoxedStrategy<String> {
    prop_oneof![
        any::<i32>().prop_map(|number| number.to_string()),
        " ?[+-]?0{0,3}[1-9][0-9]{0,17} ?",
        "[+-]?[0-9](_[0-9]){0,3}",
        "[٠-٩]{1,5}",
    ]
    .boxed()
}

fn decimal() -> BoxedStrategy<String> {
    prop_oneof![
        2 => integer(),
        2 => "-?[0-9]{1,9}\\.[0-9]{0,4}",
        1 => "-?[0-9]{1,4}\\.(25|5|75|125|375)",
        1 => "[0-9]{1,3}e[0-9]",
    ]
    .boxed()
}

fn strategy() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1_u32..70).prop_map(|bits| json!({ "bitsPerToken": bits })),
        (1_u32..300).prop_map(|bits| json!({ "bitsPerFeature": bits })),
    ]
}

fn hash(blake: bool) -> impl Strategy<Value = Option<Value>> {
    let double = option::of(any::<bool>()).prop_map(|prevent| {
        let mut hash = json!({ "type": "doubleHash" });
        if let Some(prevent) = prevent {
            hash["prevent_singularity"] = json!(prevent);
        }
        Some(hash)
    });
    prop_oneof![
        double,
        Just(Some(json!({ "type": "blakeHash" }))),
        Just(None)
    ]
    .prop_map(move |hash| {
        let double = Some(json!({ "type": "doubleHash" }));
        let is_blake = !matches!(&hash, Some(hash) if hash["type"] == "doubleHash");
        if is_blake && !blake { double } else { hash }
    })
}

/// A feature of version 3 and a strategy for its values.
fn feature(blake: bool) -> impl Strategy<Value = (Value, BoxedStrategy<String>)> {
    let ngram = (1_u32..5, option::of(any::<bool>())).prop_map(|(n, positional)| {
        let mut comparison = json!({ "type": "ngram", "n": n });
        if let Some(positional) = positional {
            comparison["positional"] = json!(positional);
        }
        (comparison, None)
    });
    let numeric = (
        prop_oneof![
            (1_u32..40).prop_map(|d| json!(d)),
            (1.0..9.0).prop_map(|d: f64| json!(d))
        ],
        1_u32..6,
        option::of(0_u32..4),
    )
        .prop_map(|(distance, resolution, precision)| {
            let mut comparison = json!({
                "type": "numeric", "thresholdDistance": distance, "resolution": resolution
            });
            if let Some(precision) = precision {
                comparison["fractional_precision"] = json!(precision);
            }
            (comparison, Some((json!({ "type": "string" }), decimal())))
        });
    let exact = Just((json!({ "type": "exact" }), None));
    let comparison = prop_oneof![4 => ngram, 1 => exact, 2 => numeric];
    let replacement = option::of(prop_oneof![Just("".to_owned()), "[0-9]{1,3}"]);
    let missing = option::of(("NA|-|9999", replacement));
    (format(), comparison, strategy(), hash(blake), missing).prop_map(
        |(form, (comparison, numeric_form), strategy, hash, missing)| {
            let numeric = numeric_form.is_some();
            let (form, values) = numeric_form.unwrap_or(form);
            let mut hashing = json!({ "comparison": comparison, "strategy": strategy });
            if let Some(hash) = hash {
                hashing["hash"] = hash;
            }
            let mut values = values;
            if let Some((sentinel, replacement)) = missing {
                hashing["missingValue"] = json!({ "sentinel": sentinel });
                if let Some(replacement) = replacement.or(numeric.then(String::new)) {
                    hashing["missingValue"]["replaceWith"] = json!(replacement);
                }
                values = prop_oneof![4 => values, 1 => Just(sentinel)].boxed();
            }
            (json!({ "format": form, "hashing": hashing }), values)
        },
    )
}

/// A feature of version 1 or 2.
fn old_feature(version: u8, blake: bool) -> impl Strategy<Value = (Value, BoxedStrategy<String>)> {
    let weight = prop_oneof![Just(0.0), Just(0.125), Just(0.375), Just(1.0), 0.1..3.0];
    (
        format(),
        1_u32..4,
        any::<bool>(),
        option::of(weight),
        strategy(),
        hash(blake),
    )
        .prop_map(
            move |((form, values), n, positional, weight, strategy, hash)| {
                let mut hashing = json!({ "ngram": n, "positional": positional });
                if version == 1 {
                    if let Some(weight) = weight {
                        hashing["weight"] = json!(weight);
                    }
                } else {
                    hashing["strategy"] = match strategy["bitsPerToken"].as_u64() {
                        Some(k) => json!({ "k": k }),
                        None => json!({ "numBits": strategy["bitsPerFeature"] }),
                    };
                    if let Some(hash) = hash {
                        hashing["hash"] = hash;
                    }
                }
                (json!({ "format": form, "hashing": hashing }), values)
            },
        )
}

type Case = (Value, Vec<Vec<String>>);

/// A schema and records that it allows.
fn case() -> impl Strategy<Value = Case> {
    let lengths = prop_oneof![
        (3_u32..11).prop_map(|power| (2_u64.pow(power), true)),
        (9_u64..700).prop_map(|length| (length, false)),
    ];
    let kdf = (
        option::of(prop_oneof![Just("SHA256"), Just("SHA512")]),
        option::of(prop_oneof![Just(""), Just("c2FsdA=="), Just("AP8=")]),
        option::of(1_usize..65),
    );
    (lengths, 0_u32..4, 1_u8..4, kdf).prop_flat_map(|((length, blake), folds, version, kdf)| {
        let feature = if version == 3 {
            feature(blake).boxed()
        } else {
            old_feature(version, blake).boxed()
        };
        let ignored = Just((json!({ "ignored": true }), "[a-z]{0,3}".boxed()));
        vec(prop_oneof![6 => feature, 1 => ignored], 1..6).prop_flat_map(move |features| {
            let mut config = json!({
                "l": length, "kdf": { "type": "HKDF" }, "xor_folds": folds
            });
            let (hash, salt, size) = kdf;
            let set = |map: &mut Map<String, Value>, name: &str, value: Option<Value>| {
                map.extend(value.map(|value| (name.to_owned(), value)));
            };
            let map = config["kdf"].as_object_mut().unwrap();
            set(map, "hash", hash.map(Value::from));
            set(map, "salt", salt.map(Value::from));
            set(map, "keySize", size.map(Value::from));
            if version == 1 {
                let hash = if blake { "blakeHash" } else { "doubleHash" };
                config["k"] = json!(13);
                config["hash"] = json!({ "type": hash });
            }
            let mut list = vec![];
            let mut values = vec![];
            for (at, (mut feature, strategy)) in features.into_iter().enumerate() {
                feature["identifier"] = json!(format!("f{at}"));
                list.push(feature);
                values.push(strategy);
            }
            let schema = json!({ "version": version, "clkConfig": config, "features": list });
            (Just(schema), vec(values, 1..6))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn encodings_are_those_of_the_rules((schema, records) in case(), secret in "[ -~é]{1,40}") {
        let parsed = Schema::parse(&schema.to_string());
        let parsed = parsed.map_err(|error| TestCaseError::fail(format!("{error}: {schema}")))?;
        let key = Secret::new(secret.clone().into_bytes()).unwrap();
        let encoder = Encoder::new(&parsed, &key).unwrap();
        let mut rows = Rows::new(parsed.features.len());
        // Twice, so that the second half comes out of the cache.
        for record in records.iter().chain(&records) {
            rows.push(&record.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let encodings = encoder.encode(&rows);
        let encodings = encodings.map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        prop_assert_eq!(encodings.len(), 2 * records.len());
        for (record, encoding) in records.iter().chain(&records).zip(encodings.iter()) {
            let slow = slow::encode(&schema, secret.as_bytes(), record);
            prop_assert_eq!(encoding, &slow[..], "{} {:?}", schema, record);
        }
    }

    #[test]
    fn any_text_is_a_schema_or_an_error(text in ".{0,200}") {
        let _ = Schema::parse(&text);
    }

    #[test]
    fn a_changed_schema_is_a_schema_or_an_error(
        (schema, _) in case(), at in any::<prop::sample::Index>(), with in "[0-9a-z\":,{}\\[\\]-]{0,3}",
    ) {
        let text = schema.to_string();
        let at = at.index(text.len());
        let changed = format!("{}{with}{}", &text[..at], &text[at + 1..]);
        if let Ok(schema) = Schema::parse(&changed) {
            prop_assert!(Encoder::new(&schema, &Secret::new(vec![1]).unwrap()).is_ok());
        }
    }

    #[test]
    fn any_value_is_encoded_or_refused_without_being_shown(
        (schema, _) in case(), value in ".{4,40}",
    ) {
        let schema = Schema::parse(&schema.to_string()).unwrap();
        let encoder = Encoder::new(&schema, &Secret::new(vec![1]).unwrap()).unwrap();
        let mut rows = Rows::new(schema.features.len());
        rows.push(&vec![&*value; schema.features.len()]);
        if let Err(faults) = encoder.encode(&rows) {
            prop_assert_eq!(faults.count(), 1);
            let shown = faults.to_string();
            // Of words that messages have as well nothing can be said.
            prop_assert!(value.chars().any(|c| !c.is_ascii_graphic()) || !shown.contains(&value));
        }
    }
}
