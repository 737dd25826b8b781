//! What the Python package makes, one test a rule.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::date::DateFormat;
use super::encode::Encoder;
use super::keys::Secret;
use super::number;
use super::rows::{Header, Reader, Rows};
use super::schema::{Error, Schema};
use super::slow;

#[derive(Deserialize)]
struct Vector {
    schema: Value,
    header: Vec<String>,
    records: Vec<Vec<String>>,
    clks: Vec<String>,
    popcounts: Vec<u32>,
    secret_utf8: String,
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/data/clkhash"
    ))
}

/// Checks the files whose names begin so; there are `count` of them.
#[track_caller]
fn check(start: &str, count: usize) {
    let entries = fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let paths: Vec<PathBuf> = paths.filter(|path| name(path).starts_with(start)).collect();
    assert_eq!(paths.len(), count, "files {start}*");
    for path in paths {
        check_file(&name(&path), &fs::read_to_string(&path).unwrap());
    }
}

fn check_file(name: &str, text: &str) {
    let vector: Vector = serde_json::from_str(text).unwrap();
    let schema = Schema::parse(&vector.schema.to_string()).unwrap();
    let names: Vec<&str> = schema.features.iter().map(|f| &*f.identifier).collect();
    assert_eq!(names, vector.header, "{name}");
    let secret = Secret::new(vector.secret_utf8.clone().into_bytes()).unwrap();
    let encoder = Encoder::new(&schema, &secret).unwrap();
    let mut rows = Rows::new(schema.features.len());
    for record in &vector.records {
        rows.push(&record.iter().map(String::as_str).collect::<Vec<_>>());
    }
    assert!(vector.records.len() > 1 && rows.len() == vector.clks.len());
    // The second time out of the cache.
    for _ in 0..2 {
        let encodings = encoder.encode(&rows).unwrap();
        for (row, (encoding, expected)) in encodings.iter().zip(&vector.clks).enumerate() {
            assert_eq!(STANDARD.encode(encoding), *expected, "{name} row {row}");
            let ones: u32 = encoding.iter().map(|byte| byte.count_ones()).sum();
            assert_eq!(ones, vector.popcounts[row], "{name} row {row}");
        }
    }
    for (record, expected) in vector.records.iter().zip(&vector.clks) {
        let slow = slow::encode(&vector.schema, vector.secret_utf8.as_bytes(), record);
        assert_eq!(STANDARD.encode(slow), *expected, "{name}, slowly");
    }
}

#[test]
fn rule_1_key_material() {
    check("rule-01", 2);
}

#[test]
fn rule_2_ignored_columns_have_keys() {
    check("rule-02", 1);
}

#[test]
fn rule_3_canonical_values() {
    check("rule-03", 1);
}

#[test]
fn rule_4_empty_and_exact_values() {
    check("rule-04", 1);
}

#[test]
fn rule_5_ngrams() {
    check("rule-05", 1);
}

#[test]
fn rule_6_numbers() {
    check("rule-06", 1);
}

#[test]
fn rule_7_bits_per_feature() {
    check("rule-07", 1);
}

#[test]
fn rule_8_text_encodings() {
    check("rule-08", 1);
    check("07-unicode", 1);
}

#[test]
fn rule_9_blake_hash() {
    check("rule-09", 2);
    check("01-blake", 1);
}

#[test]
fn rule_10_double_hash() {
    check("rule-10", 3);
}

#[test]
fn rule_11_folding() {
    check("rule-11", 2);
    check("05-xor-fold", 1);
}

#[test]
fn rule_12_old_schemas() {
    check("rule-12", 4);
    check("12-schema-version-2", 1);
}

/// The worked example: every index of the word "smith".
#[test]
fn the_worked_example() {
    let schema = json!({
        "version": 3,
        "clkConfig": { "l": 1024, "kdf": { "type": "HKDF" } },
        "features": [
            { "identifier": "row", "ignored": true },
            { "identifier": "surname", "format": { "type": "string" },
              "hashing": { "comparison": { "type": "ngram", "n": 2 },
                           "strategy": { "bitsPerToken": 3 } } }
        ]
    });
    let schema = Schema::parse(&schema.to_string()).unwrap();
    let secret = Secret::new(b"s3cr3t".to_vec()).unwrap();
    let mut rows = Rows::new(2);
    rows.push(&["1", "smith"]);
    let encodings = Encoder::new(&schema, &secret)
        .unwrap()
        .encode(&rows)
        .unwrap();
    let encoding = encodings.iter().next().unwrap();
    let set: Vec<usize> = (0..1024)
        .filter(|bit| encoding[bit / 8] >> (7 - bit % 8) & 1 == 1)
        .collect();
    let mut expected = [
        97, 535, 454, 445, 507, 109, 408, 938, 648, 214, 944, 681, 213, 927, 453, 1020, 364, 188,
    ];
    expected.sort_unstable();
    assert_eq!(set, expected);
}

#[derive(Deserialize)]
struct Python {
    integers: Vec<(String, Option<String>)>,
    days: Vec<(String, String, Option<String>)>,
    files: Vec<(String, Vec<Vec<String>>)>,
    allowed: Vec<(Value, String, bool)>,
}

fn python() -> Python {
    let text = fs::read_to_string(folder().join("python.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn rule_3_integers_are_what_python_reads() {
    for (text, expected) in python().integers {
        let mut out = String::new();
        let found = number::integer(&text, &mut out).then_some(out);
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn rule_3_days_are_what_python_reads() {
    for (format, text, expected) in python().days {
        let mut out = String::new();
        let parsed = DateFormat::parse(&format).unwrap();
        let found = parsed.canonical(&text, &mut out).then_some(out);
        assert_eq!(found, expected, "{format:?} {text:?}");
    }
}

#[test]
fn rule_3_values_are_allowed_as_the_package_allows_them() {
    for (format, value, expected) in python().allowed {
        let schema = json!({
            "version": 3,
            "clkConfig": { "l": 1024, "kdf": { "type": "HKDF" } },
            "features": [{ "identifier": "a", "format": format,
                "hashing": { "comparison": { "type": "ngram", "n": 2 },
                             "strategy": { "bitsPerToken": 1 } } }]
        });
        let schema = Schema::parse(&schema.to_string()).unwrap();
        let secret = Secret::new(b"x".to_vec()).unwrap();
        let mut rows = Rows::new(1);
        rows.push(&[&value]);
        let encoded = Encoder::new(&schema, &secret).unwrap().encode(&rows);
        assert_eq!(encoded.is_ok(), expected, "{format} {value:?}");
        if let Err(faults) = encoded {
            let shown = faults.to_string();
            assert!(shown.contains("row 1, column \"a\": "), "{shown}");
        }
    }
}

#[test]
fn files_are_read_as_python_reads_them_or_refused() {
    for (text, expected) in python().files {
        let most = expected.iter().map(Vec::len).max().unwrap();
        let mut reader = Reader::new(text.as_bytes(), Header::Absent, &[]).unwrap();
        let mut rows = Rows::new(most);
        reader.read(&mut rows).unwrap();
        let whole: Vec<&Vec<String>> = expected.iter().filter(|row| row.len() == most).collect();
        let found: Vec<Vec<&str>> = rows
            .iter_from(0)
            .map(|row| (0..most).map(|at| row.value(at)).collect())
            .collect();
        assert_eq!(found.len(), whole.len(), "{text:?}");
        assert!(found.iter().zip(whole).all(|(a, b)| a == b), "{text:?}");
        let short = expected.len() - found.len();
        assert_eq!(rows.faults().count(), short as u64, "{text:?}");
    }
}

/// The package reads `xorFolds` and does nothing.
#[test]
fn the_name_that_does_not_fold_is_refused() {
    let text = fs::read_to_string(folder().join("05-xor-fold.json")).unwrap();
    let mut vector: Vector = serde_json::from_str(&text).unwrap();
    let config = vector.schema["clkConfig"].as_object_mut().unwrap();
    let folds = config.remove("xor_folds").unwrap();
    config.insert("xorFolds".into(), folds);
    match Schema::parse(&vector.schema.to_string()).unwrap_err() {
        Error::Meaning { path, message } => {
            assert_eq!(path, "clkConfig.xorFolds");
            assert!(message.contains("rename it to xor_folds"));
        }
        other => panic!("{other}"),
    }
}
