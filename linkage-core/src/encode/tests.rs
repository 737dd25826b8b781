pub(super) mod population;

use zeroize::Zeroizing;

use super::*;
use crate::normalise::Normaliser;
use crate::record::{Component, Day, FieldState, NormalValue, RawRecord};

const TODAY: Day = Day {
    year: 2026,
    month: 1,
    day: 1,
};

fn schema() -> Schema {
    Schema::parse(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [token]
        profile = "plain-clk"
        features_min = 4
        [[field]]
        name = "name"
        kind = "name"
        feature = [{ kind = "q-gram", q = 2, bits = 200 }]
        [[field]]
        name = "born"
        kind = "date"
        feature = [{ kind = "date-components", bits = 120 }, { kind = "positional-q-gram", q = 1, bits = 60 }]
        [[link_key]]
        name = "name+born"
        parts = [{ field = "name" }, { field = "born" }]
        [[block_key]]
        name = "surname+year"
        parts = [{ field = "name", take = "prefix", length = 1 }, { field = "born", take = "year" }]
        "#,
    )
    .unwrap()
}

fn encode(schema: &Schema, key: u8, rows: &[[&str; 2]]) -> Vec<EncodedRecord> {
    let key = ProjectKey::from_bytes([key; 32]);
    let normaliser = Normaliser::new(schema, TODAY);
    let records: Vec<_> = rows
        .iter()
        .map(|values| {
            normaliser.record(&RawRecord {
                id: Zeroizing::new("r".into()),
                values: values
                    .iter()
                    .map(|v| Zeroizing::new((*v).to_owned()))
                    .collect(),
            })
        })
        .collect();
    Encoder::new(schema, &key).records(&records)
}

fn shared(a: &Token, b: &Token) -> u32 {
    a.words()
        .iter()
        .zip(b.words())
        .map(|(a, b)| (a & b).count_ones())
        .sum()
}

#[test]
fn equal_records_have_equal_encodings_and_similar_ones_similar_tokens() {
    let schema = schema();
    let got = encode(
        &schema,
        1,
        &[
            ["欧阳修明", "1985-03-07"],
            ["欧阳休明", "1985-03-07"],
            ["欧阳修明", "1985/3/7"],
            ["王小芳", "1991-11-30"],
        ],
    );
    assert_eq!(got[0], got[2]);
    assert!(shared(&got[0].token, &got[1].token) > 2 * shared(&got[0].token, &got[3].token));
    assert_eq!(got[0].link_keys, got[2].link_keys);
    assert_ne!(got[0].link_keys, got[1].link_keys);
}

#[test]
fn another_key_gives_another_world() {
    let schema = schema();
    let rows = [["欧阳修明", "1985-03-07"]];
    let (a, b) = (&encode(&schema, 1, &rows)[0], &encode(&schema, 2, &rows)[0]);
    assert_ne!(a.link_keys, b.link_keys);
    assert_ne!(a.block_keys, b.block_keys);
    let expected = a.token.ones() * b.token.ones() / 1024;
    assert!(shared(&a.token, &b.token) < expected * 2);
}

#[test]
fn a_thin_record_has_no_token_and_keeps_its_keys() {
    let schema = schema();
    let got = &encode(&schema, 1, &[["王", ""]])[0];
    assert_eq!(got.token.ones(), 0);
    assert_eq!(got.link_keys, [None]);
    let got = &encode(&schema, 1, &[["", "1985-03-07"]])[0];
    assert!(got.token.ones() > 0);
    assert_eq!(
        (&got.link_keys[..], &got.block_keys[..]),
        (&[None][..], &[None][..])
    );
}

#[test]
fn filters_that_swap_are_hashed_alike() {
    let schema = |swaps: &str| {
        Schema::parse(&format!(
            r#"
            version = 1
            entity = "persons"
            id_column = "id"
            [token]
            profile = "fields"
            features_min = 1
            [[field]]
            name = "given"
            kind = "name"
            feature = [{{ kind = "q-gram", q = 2, bits = 60 }}]
            [[field]]
            name = "surname"
            kind = "name"
            feature = [{{ kind = "q-gram", q = 2, bits = 60 }}]
            [[filter]]
            name = "given"
            bits = 128
            fields = ["given"]
            weight = 1
            {swaps}
            [[filter]]
            name = "surname"
            bits = 128
            fields = ["surname"]
            weight = 1
            "#
        ))
        .unwrap()
    };
    for (swaps, alike) in [("swaps_with = \"surname\"", true), ("", false)] {
        let schema = schema(swaps);
        let words = |given: &str, surname: &str| {
            let encoded = encode(&schema, 1, &[[given, surname]]);
            encoded[0].token.words().to_vec()
        };
        let (there, back) = (words("thomas", "wolfgang"), words("wolfgang", "thomas"));
        assert_eq!(there[..2] == back[2..], alike);
        assert_eq!(there[2..] == back[..2], alike);
        assert_ne!(there, back);
    }
}

/// A schema of each profile over one name, date, telephone and address, weights near real ones.
fn people(profile: &str, suite: &str) -> Schema {
    let filters = r#"
        [[filter]]
        name = "name"
        bits = 512
        fields = ["name"]
        weight = 5
        frequency = "name"
        [[filter]]
        name = "rest"
        bits = 256
        fields = ["born", "phone", "place"]
        weight = 3
    "#;
    let filters = if profile == "fields" { filters } else { "" };
    Schema::parse(&format!(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [token]
        profile = "{profile}"
        suite = "{suite}"
        [[field]]
        name = "name"
        kind = "name"
        feature = [
            {{ kind = "q-gram", q = 1, bits = 75 }},
            {{ kind = "pinyin-bigram", part = "pinyin", bits = 70 }},
            {{ kind = "fuzzy-syllable", part = "pinyin", bits = 105 }},
        ]
        [[field]]
        name = "born"
        kind = "date"
        feature = [
            {{ kind = "date-components", bits = 110 }},
            {{ kind = "positional-q-gram", q = 2, bits = 70 }},
        ]
        [[field]]
        name = "phone"
        kind = "phone"
        feature = [
            {{ kind = "whole", part = "number", bits = 32 }},
            {{ kind = "positional-q-gram", part = "number", q = 1, bits = 48 }},
        ]
        [[field]]
        name = "place"
        kind = "address"
        feature = [
            {{ kind = "whole", part = "district", bits = 15 }},
            {{ kind = "q-gram", part = "road", q = 2, bits = 65 }},
            {{ kind = "whole", part = "house-number", bits = 30 }},
        ]
        {filters}
        [[link_key]]
        name = "phone and name"
        parts = [{{ field = "phone", part = "number" }}]
        supports = [[{{ field = "name" }}], [{{ field = "born", take = "year-month" }}]]
        [[block_key]]
        name = "sound and year"
        parts = [
            {{ field = "name", part = "pinyin", take = "fuzzy" }},
            {{ field = "born", take = "year" }},
        ]
        "#
    ))
    .unwrap()
}

struct Person<'a> {
    name: &'a str,
    pinyin: &'a str,
    born: (u16, u8, u8),
    phone: Option<&'a str>,
    place: Option<[&'a str; 3]>,
}

const LI: Person<'_> = Person {
    name: "李晓明",
    pinyin: "li xiao ming",
    born: (1985, 3, 7),
    phone: Some("13802220001"),
    place: Some(["440104", "中山三路", "#33"]),
};

fn person(person: &Person<'_>) -> NormalRecord {
    let owned = |text: &str| Zeroizing::new(text.to_owned());
    let mut name = NormalValue::text(owned(person.name));
    name.add(Component::Pinyin, owned(person.pinyin));
    let (year, month, day) = person.born;
    let born = NormalValue::day(Day { year, month, day });
    let phone = person.phone.map(|number| {
        let mut phone = NormalValue::text(owned(number));
        phone.add(Component::Number, owned(number));
        phone
    });
    let place = person.place.map(|[district, road, house]| {
        let mut place = NormalValue::text(owned("广州"));
        place.add(Component::District, owned(district));
        place.add(Component::Road, owned(road));
        place.add(Component::HouseNumber, owned(house));
        place
    });
    let values = [Some(name), Some(born), phone, place];
    NormalRecord {
        values: values
            .into_iter()
            .map(|value| (value, FieldState::Valid))
            .collect(),
    }
}

fn digest(record: &EncodedRecord) -> String {
    let mut bytes: Vec<u8> = record
        .token
        .words()
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    for key in &record.link_keys {
        bytes.extend(key.unwrap_or_default());
    }
    for key in &record.block_keys {
        bytes.extend(key.unwrap_or_default().to_be_bytes());
    }
    for class in &record.classes {
        bytes.extend(class.to_be_bytes());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    hex::encode(&digest.as_ref()[..16])
}

/// Fixes the encodings bit for bit: a change here changes every token ever sent.
#[test]
fn golden_encodings() {
    let golden = [
        (
            "hardened",
            "hmac-sha256",
            1026,
            "f7f7936e12de19bc34d7eb30d817cadf",
        ),
        (
            "hardened",
            "hmac-sm3",
            1032,
            "a0f2c9abbe25da09fa3656f09a7d3a95",
        ),
        (
            "plain-clk",
            "hmac-sha256",
            459,
            "0e27fa35392f11a70e0cf226e1fbd680",
        ),
        (
            "plain-clk",
            "hmac-sm3",
            458,
            "9efc387aa591a8c2ff220d578c728738",
        ),
        (
            "fields",
            "hmac-sha256",
            383,
            "73859e032398ad4d8e2cf3c77c1329bf",
        ),
        (
            "fields",
            "hmac-sm3",
            387,
            "b2a0713cf0fdd6c88d2454db6b3a5c68",
        ),
    ];
    let found = golden.map(|(profile, suite, ..)| {
        let schema = people(profile, suite);
        let key = ProjectKey::from_bytes([42; 32]);
        let record = Encoder::new(&schema, &key).record(&person(&LI));
        (profile, suite, record.token.ones(), digest(&record))
    });
    let golden = golden.map(|(profile, suite, ones, hex)| (profile, suite, ones, hex.to_owned()));
    assert_eq!(found, golden);
}

#[test]
fn records_are_encoded_alike_alone_and_together() {
    for profile in ["hardened", "plain-clk", "fields"] {
        let schema = people(profile, "hmac-sm3");
        let key = ProjectKey::from_bytes([42; 32]);
        let encoder = Encoder::new(&schema, &key);
        let records: Vec<_> = (0..150)
            .map(|i| {
                let phone = format!("138{:08}", i * 7919);
                person(&Person {
                    phone: (i % 3 > 0).then_some(&phone),
                    ..LI
                })
            })
            .collect();
        let together = encoder.records(&records);
        for (record, expected) in records.iter().zip(&together) {
            assert_eq!(Encoder::new(&schema, &key).record(record), *expected);
        }
    }
}

/// Standard deviations above the agreement of strangers, which is 0.5 +- 1 / (2 sqrt L).
fn signal(a: &EncodedRecord, b: &EncodedRecord) -> f64 {
    let differing = a.token.words().iter().zip(b.token.words());
    let differing: u32 = differing.map(|(a, b)| (a ^ b).count_ones()).sum();
    (0.5 - f64::from(differing) / 2048.0) * 2.0 * 2048_f64.sqrt()
}

#[test]
fn a_record_without_optional_fields_is_raised_and_one_too_thin_refused() {
    let schema = people("hardened", "hmac-sha256");
    let key = ProjectKey::from_bytes([42; 32]);
    let encoder = Encoder::new(&schema, &key);
    let encode = |p: Person<'_>| encoder.record(&person(&p));
    let (full, no_place) = (encode(LI), encode(Person { place: None, ..LI }));
    let bare = encode(Person {
        phone: None,
        place: None,
        ..LI
    });
    let stranger = encode(Person {
        name: "陈国强",
        pinyin: "chen guo qiang",
        born: (1971, 11, 29),
        phone: Some("15915550009"),
        place: Some(["440305", "深南大道", "#1002"]),
    });
    assert!(signal(&full, &no_place) > 12.0);
    assert!(signal(&full, &bare) > 5.0);
    assert!(signal(&full, &stranger).abs() < 3.0);
    // A name alone has features enough, and not weight enough.
    let mut name_only = person(&Person {
        phone: None,
        place: None,
        ..LI
    });
    name_only.values[1].0 = None;
    let thin = encoder.record(&name_only);
    assert_eq!(thin.refusal, Some(Refusal::Thin));
    assert_eq!(thin.token.words(), [0; 32]);
    assert!(full.link_keys.iter().all(Option::is_some));
    assert_eq!(thin.link_keys, [None; 3]);
}

#[test]
fn an_overfull_record_is_refused() {
    let mut schema = people("hardened", "hmac-sha256");
    schema.token.bits = 512;
    let key = ProjectKey::from_bytes([42; 32]);
    let got = Encoder::new(&schema, &key).record(&person(&LI));
    assert_eq!(got.refusal, Some(Refusal::Overfull));
    assert_eq!(got.token.words(), [0; 32]);
}

#[test]
fn classes_tell_equal_values_and_nothing_of_missing_ones() {
    let schema = people("fields", "hmac-sha256");
    let encode = |key: u8, name| {
        let key = ProjectKey::from_bytes([key; 32]);
        Encoder::new(&schema, &key)
            .record(&person(&Person { name, ..LI }))
            .classes
    };
    assert_eq!(encode(1, "李晓明"), encode(1, "李晓明"));
    assert_ne!(encode(1, "李晓明"), encode(1, "李小明"));
    assert_ne!(encode(1, "李晓明"), encode(2, "李晓明"));
    let key = ProjectKey::from_bytes([1; 32]);
    let mut nameless = person(&LI);
    nameless.values[0].0 = None;
    assert_eq!(Encoder::new(&schema, &key).record(&nameless).classes, [0]);
}

/// Mean signal, in standard deviations, of people's full records against the same without telephone
/// and address: what a matcher must still see.
#[test]
fn a_raised_record_is_still_found() {
    let schema = population::schema();
    let encoder = Encoder::new(&schema, &ProjectKey::from_bytes([8; 32]));
    let full = population::people(300);
    let mut bare = population::people(300);
    for record in &mut bare {
        record.values.truncate(2);
    }
    let pairs = encoder
        .records(&full)
        .into_iter()
        .zip(encoder.records(&bare));
    let signals: Vec<f64> = pairs
        .filter(|(_, bare)| bare.refusal.is_none())
        .map(|(full, bare)| signal(&full, &bare))
        .collect();
    let mean = signals.iter().sum::<f64>() / signals.len() as f64;
    assert!(signals.len() > 290);
    assert!(mean > 9.0, "{mean}");
}
