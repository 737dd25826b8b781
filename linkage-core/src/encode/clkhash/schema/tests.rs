use serde_json::{Value, json};

use super::*;

fn good() -> Value {
    json!({
        "version": 3,
        "clkConfig": { "l": 1024, "kdf": { "type": "HKDF" } },
        "features": [{
            "identifier": "name",
            "description": "a name",
            "format": { "type": "string", "description": "free", "case": "mixed" },
            "hashing": {
                "comparison": { "type": "ngram", "n": 2 },
                "strategy": { "bitsPerToken": 5 }
            }
        }]
    })
}

/// The message for the good schema with one element set, or removed.
#[track_caller]
fn refused(pointer: &str, value: Option<Value>) -> String {
    let mut schema = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let map = schema.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => map.insert(name.to_owned(), value),
        None => map.remove(name),
    };
    let text = serde_json::to_string_pretty(&schema).unwrap();
    Schema::parse(&text).unwrap_err().to_string()
}

const FEATURE: &str = "/features/0";

#[test]
fn a_schema_says_what_it_says() {
    let schema = Schema::parse(&good().to_string()).unwrap();
    assert_eq!((schema.bits, schema.folds, schema.version), (1024, 0, 3));
    assert_eq!((schema.filter_bits(), schema.encoding_bytes()), (1024, 128));
    let hashing = schema.features[0].hashing.as_ref().unwrap();
    assert_eq!(hashing.hash, Hash::Blake);
    assert_eq!(hashing.strategy, Strategy::BitsPerToken(5));
    let mut folded = good();
    folded["clkConfig"]["xor_folds"] = json!(2);
    // Old schemas of the package have it.
    folded["clkConfig"]["xorFolds"] = json!(0);
    let schema = Schema::parse(&folded.to_string()).unwrap();
    assert_eq!((schema.filter_bits(), schema.encoding_bytes()), (4096, 128));
}

#[test]
fn unknown_keys_are_refused_by_name_and_line() {
    let deep = format!("{FEATURE}/hashing/comparison/m");
    for pointer in [
        "/foo",
        "/clkConfig/k",
        "/clkConfig/kdf/keysize",
        "/features/0/foo",
        "/features/0/format/min",
        "/features/0/hashing/weight",
        "/features/0/hashing/strategy/k",
        &deep,
    ] {
        let message = refused(pointer, Some(json!(1)));
        let name = pointer.rsplit('/').next().unwrap();
        assert!(
            message.contains(&format!("unknown field `{name}`")),
            "{message}"
        );
        assert!(message.contains(" at line "), "{message}");
    }
    // What another version has is unknown in this one.
    let mut old = good();
    old["version"] = json!(2);
    let message = Schema::parse(&old.to_string()).unwrap_err().to_string();
    assert!(message.contains("unknown field `comparison`"), "{message}");
}

#[test]
fn what_is_impossible_is_refused_with_its_path() {
    let path = |tail: &str| format!("{FEATURE}{tail}");
    for (pointer, value, words) in [
        ("/clkConfig/l".into(), Some(json!(0)), "clkConfig.l: "),
        (
            "/clkConfig/l".into(),
            Some(json!(1000)),
            "clkConfig.l: blakeHash needs a power of two",
        ),
        (
            "/clkConfig/l".into(),
            Some(json!(1 << 21)),
            "clkConfig: a filter has at most",
        ),
        (
            "/clkConfig/xor_folds".into(),
            Some(json!(11)),
            "clkConfig: a filter has at most",
        ),
        (
            "/clkConfig/xor_folds".into(),
            Some(json!(4_000_000_000_u32)),
            "clkConfig: a filter",
        ),
        (
            "/clkConfig/xorFolds".into(),
            Some(json!(1)),
            "rename it to xor_folds",
        ),
        (
            "/clkConfig/kdf/salt".into(),
            Some(json!("a")),
            "clkConfig.kdf.salt: not base64",
        ),
        (
            "/clkConfig/kdf/info".into(),
            Some(json!("YQ")),
            "clkConfig.kdf.info: not base64",
        ),
        (
            "/clkConfig/kdf/keySize".into(),
            Some(json!(0)),
            "at least 1 byte",
        ),
        (
            "/clkConfig/kdf/keySize".into(),
            Some(json!(65)),
            "keys of at most 64 bytes",
        ),
        (
            "/clkConfig/kdf/keySize".into(),
            Some(json!(4081)),
            "at most 4080 bytes a key",
        ),
        (
            "/clkConfig/kdf/type".into(),
            Some(json!("scrypt")),
            "unknown variant `scrypt`",
        ),
        (
            "/features".into(),
            Some(json!([])),
            "features: there are none",
        ),
        (
            "/version".into(),
            Some(json!(4)),
            "version: 4 is no version",
        ),
        (
            "/version".into(),
            Some(json!("3")),
            "version: \"3\" is no version",
        ),
        ("/version".into(), None, "missing field `version`"),
        (path("/identifier"), None, "missing field `identifier`"),
        (path("/format"), None, "features[0]: a feature has a format"),
        (
            path("/hashing"),
            None,
            "features[0]: a feature has a format",
        ),
        (
            path("/format/type"),
            Some(json!("float")),
            "unknown variant `float`",
        ),
        (
            path("/format/encoding"),
            Some(json!("latin-1")),
            "unknown variant `latin-1`",
        ),
        (
            path("/format/pattern"),
            Some(json!("a")),
            "features[0].format.case: this key",
        ),
        (
            path("/format/minimum"),
            Some(json!(1)),
            "features[0].format.minimum: this key",
        ),
        (
            path("/format"),
            Some(json!({"type": "date"})),
            "the key format is missing",
        ),
        (
            path("/format"),
            Some(json!({"type": "enum"})),
            "the key values is missing",
        ),
        (
            path("/format"),
            Some(json!({"type": "date", "format": "%Z"})),
            "features[0].format.format: the directive %Z is not supported",
        ),
        (
            path("/format"),
            Some(json!({"type": "string", "pattern": "(?=a)"})),
            "features[0].format.pattern: \"(? other than (?:\" is not supported",
        ),
        (
            path("/hashing/comparison/n"),
            Some(json!(0)),
            "comparison.n: 0 is not within 1 to",
        ),
        (path("/hashing/comparison/n"), None, "the key n is missing"),
        (
            path("/hashing/comparison/resolution"),
            Some(json!(1)),
            "comparison.resolution: this key",
        ),
        (
            path("/hashing/comparison"),
            Some(json!({"type": "exact", "n": 2})),
            "comparison.n: this",
        ),
        (
            path("/hashing/strategy"),
            Some(json!({})),
            "give one of bitsPerToken and bitsPerFeature",
        ),
        (
            path("/hashing/strategy/bitsPerFeature"),
            Some(json!(5)),
            "give one of bitsPerToken and bitsPerFeature",
        ),
        (
            path("/hashing/strategy/bitsPerToken"),
            Some(json!(0)),
            "bitsPerToken: 0 is not within",
        ),
        (
            path("/hashing/hash"),
            Some(json!({"type": "blakeHash", "prevent_singularity": true})),
            "hash.prevent_singularity: this key",
        ),
        (
            path("/hashing/missingValue"),
            Some(json!({"replaceWith": "x"})),
            "missing field `sentinel`",
        ),
    ] {
        let message = refused(&pointer, value);
        assert!(message.contains(words), "{pointer}: {message}");
    }
    assert!(Schema::parse(&" ".repeat(BYTES_MAX + 1)).is_err());
}

#[test]
fn numeric_comparisons_are_possible_or_refused() {
    let numeric = |distance: Value, precision: u32| {
        let mut schema = good();
        schema["features"][0]["hashing"]["comparison"] = json!({
            "type": "numeric", "thresholdDistance": distance, "resolution": 2,
            "fractional_precision": precision
        });
        schema
    };
    let distance = |schema: Value| match Schema::parse(&schema.to_string())?.features[0]
        .hashing
        .as_ref()
        .unwrap()
        .comparison
    {
        Comparison::Numeric { distance, .. } => Ok::<_, Error>(distance),
        other => panic!("{other:?}"),
    };
    assert_eq!(distance(numeric(json!(5), 2)), Ok(500));
    // Half to even.
    assert_eq!(distance(numeric(json!(2.5), 0)), Ok(2));
    assert_eq!(distance(numeric(json!(1.5), 0)), Ok(2));
    assert_eq!(distance(numeric(json!(0.25), 1)), Ok(2));
    for (threshold, precision, words) in [
        (json!(0), 0, "is not above 0"),
        (json!(-1), 0, "is not above 0"),
        (json!(0.5), 0, "raise fractional_precision"),
        (json!(1e300), 0, "too large"),
        (json!(u64::MAX), 22, "too large"),
        (json!(1), 23, "fractional_precision: 23 is not within"),
    ] {
        let message = distance(numeric(threshold, precision))
            .unwrap_err()
            .to_string();
        assert!(message.contains(words), "{message}");
    }
    let mut missing = numeric(json!(5), 0);
    missing["features"][0]["hashing"]["missingValue"] = json!({ "sentinel": "NA" });
    let message = distance(missing.clone()).unwrap_err().to_string();
    assert!(
        message.contains("missingValue: what is encoded"),
        "{message}"
    );
    missing["features"][0]["hashing"]["missingValue"]["replaceWith"] = json!("");
    assert!(distance(missing).is_ok());
}

#[test]
fn rule_12_weights_scale_and_zero_ignores() {
    let old = |weight: f64| {
        let schema = json!({
            "version": 1,
            "clkConfig": { "l": 1024, "k": 20, "kdf": { "type": "HKDF" },
                           "hash": { "type": "doubleHash" } },
            "features": [{ "identifier": "a", "format": { "type": "string" },
                           "hashing": { "ngram": 2, "weight": weight } }]
        });
        let schema = Schema::parse(&schema.to_string())?;
        let hashing = schema.features.into_iter().next().unwrap().hashing;
        Ok::<_, Error>(hashing.map(|hashing| hashing.strategy))
    };
    assert_eq!(old(1.0), Ok(Some(Strategy::BitsPerToken(20))));
    assert_eq!(old(0.125), Ok(Some(Strategy::BitsPerToken(2))));
    assert_eq!(old(0.175), Ok(Some(Strategy::BitsPerToken(4))));
    assert_eq!(old(0.0), Ok(None));
    assert!(old(0.01).is_err());
    assert!(old(-1.0).is_err());
}

#[test]
fn missing_values_are_not_printed() {
    let mut schema = good();
    schema["features"][0]["hashing"]["missingValue"] = json!({ "sentinel": "Smith" });
    let schema = Schema::parse(&schema.to_string()).unwrap();
    assert!(!format!("{schema:?}").contains("Smith"));
}
