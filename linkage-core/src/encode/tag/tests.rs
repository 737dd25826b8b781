use proptest::prelude::*;

use super::*;
use crate::record::{Component, Day, FieldState};
use crate::schema::Suite;

/// A schema of two texts and a date whose link key `rule` has the given parts and supports.
fn schema(parts: &str, supports: &str) -> Schema {
    Schema::parse(&format!(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [[field]]
        name = "a"
        kind = "name"
        feature = [{{ kind = "whole", bits = 1 }}]
        [[field]]
        name = "b"
        kind = "text"
        [[field]]
        name = "d"
        kind = "date"
        [[link_key]]
        name = "rule"
        parts = [{parts}]
        supports = [{supports}]
        [[block_key]]
        name = "block"
        parts = [{parts}]
        "#
    ))
    .unwrap()
}

fn record(a: Option<&str>, b: Option<&str>, day: Option<Day>) -> NormalRecord {
    let text = |text: &str| {
        let mut value = NormalValue::text(Zeroizing::new(text.to_owned()));
        value.add(Component::Pinyin, Zeroizing::new(text.to_owned()));
        value
    };
    let values = [a.map(text), b.map(text), day.map(NormalValue::day)];
    NormalRecord {
        values: values
            .into_iter()
            .map(|value| (value, FieldState::Valid))
            .collect(),
    }
}

fn tags(schema: &Schema, record: &NormalRecord) -> Tags {
    let key = ProjectKey::from_bytes([3; 32]);
    let mut tags = Tags::default();
    Tagger::new(schema, &key).add(record, &mut Room::new(), &mut tags);
    tags
}

const DAY: Day = Day {
    year: 1985,
    month: 3,
    day: 7,
};

/// The link key of one part.
fn taken(part: &str, text: &str, day: Day) -> Option<[u8; LINK_KEY_BYTES]> {
    let record = record(Some(text), None, Some(day));
    tags(&schema(part, ""), &record).link_keys[0]
}

#[test]
fn takes_make_equal_what_they_are_for() {
    let name = |take: &str| format!(r#"{{ field = "a", part = "pinyin", take = "{take}" }}"#);
    let cut = |take: &str| {
        let whole = r#"{ field = "a", length = 2, take = ""#;
        format!("{whole}{take}\" }}")
    };
    for (part, a, b, other) in [
        (name("fuzzy"), "zhang nan", "zan lan", "zang man"),
        (name("initials"), "zhang san", "zhou si", "zhang wu"),
        (name("sorted"), "ab c", "ca b", "ab d"),
        (name("soundex"), "robert", "rupert", "rubin"),
        (cut("prefix"), "欧阳修", "欧阳锋", "欧修阳"),
        (cut("suffix"), "13800", "900", "13801"),
    ] {
        assert!(taken(&part, a, DAY).is_some(), "{part}");
        assert_eq!(taken(&part, a, DAY), taken(&part, b, DAY), "{part}");
        assert_ne!(taken(&part, a, DAY), taken(&part, other, DAY), "{part}");
    }
}

#[test]
fn parts_of_dates() {
    let day = |year, month, day| Day { year, month, day };
    for (take, same, other) in [
        ("year", day(1985, 11, 30), day(1986, 3, 7)),
        ("year-month", day(1985, 3, 30), day(1985, 7, 3)),
        ("year-day", day(1985, 11, 7), day(1985, 7, 3)),
        ("month-day", day(1999, 3, 7), day(1985, 7, 3)),
    ] {
        let part = format!(r#"{{ field = "d", take = "{take}" }}"#);
        assert_eq!(taken(&part, "x", DAY), taken(&part, "x", same), "{take}");
        assert_ne!(taken(&part, "x", DAY), taken(&part, "x", other), "{take}");
    }
}

#[test]
fn supports_have_columns_of_their_own() {
    let schema = schema(
        r#"{ field = "a" }"#,
        r#"[{ field = "b" }], [{ field = "d", take = "year" }]"#,
    );
    let full = tags(&schema, &record(Some("x"), Some("y"), Some(DAY))).link_keys;
    let without = tags(&schema, &record(Some("x"), None, Some(DAY))).link_keys;
    assert_eq!(full.len(), schema.link_columns().len());
    assert!(full.iter().all(Option::is_some));
    assert_eq!(without, [None, full[1], full[2]]);
    let nothing = tags(&schema, &record(None, Some("y"), Some(DAY)));
    assert_eq!(nothing.link_keys, [None; 3]);
    assert_eq!(nothing.block_keys, [None]);
}

#[test]
fn what_cannot_be_read_makes_no_key() {
    assert_eq!(taken(r#"{ field = "a" }"#, "王\u{FFFD}明", DAY), None);
    let surname = r#"{ field = "a", take = "prefix", length = 1 }"#;
    assert!(taken(surname, "王\u{FFFD}明", DAY).is_some());
    let soundex = r#"{ field = "a", take = "soundex" }"#;
    assert_eq!(taken(soundex, "欧阳", DAY), None);
}

proptest! {
    /// Equal parts, equal tags; and no way to write two texts as two others.
    #[test]
    fn tags_are_equal_where_the_parts_are(
        a in "[ab]{1,3}", b in "[ab]{1,3}", x in "[ab]{1,3}", y in "[ab]{1,3}",
    ) {
        let schema = schema(r#"{ field = "a" }, { field = "b" }"#, "");
        let (one, two) = (
            tags(&schema, &record(Some(&a), Some(&b), None)),
            tags(&schema, &record(Some(&x), Some(&y), None)),
        );
        let equal = (&a, &b) == (&x, &y);
        prop_assert_eq!(one.link_keys == two.link_keys, equal);
        prop_assert_eq!(one.block_keys == two.block_keys, equal);
    }

    #[test]
    fn any_text_can_be_taken(text in "\\PC{0,40}", take in prop::sample::select(vec![
        "whole", "sorted", "initials", "fuzzy", "soundex",
    ])) {
        let part = format!(r#"{{ field = "a", take = "{take}" }}"#);
        prop_assert_eq!(taken(&part, &text, DAY), taken(&part, &text, DAY));
    }
}

#[test]
fn suites_give_different_tags() {
    let mut schema = schema(r#"{ field = "a" }"#, "");
    let record = record(Some("x"), None, None);
    let sha = tags(&schema, &record);
    schema.token.suite = Suite::HmacSm3;
    assert_ne!(sha.link_keys, tags(&schema, &record).link_keys);
}

#[test]
fn soundex_follows_the_archives_examples() {
    // https://www.archives.gov/research/census/soundex
    for (name, code) in [
        ("Washington", "w252"),
        ("Lee", "l000"),
        ("Gutierrez", "g362"),
        ("Pfister", "p236"),
        ("Jackson", "j250"),
        ("Tymczak", "t522"),
        ("Ashcraft", "a261"),
    ] {
        assert_eq!(soundex(name).unwrap().as_str(), code, "{name}");
    }
    assert!(soundex("欧阳").is_none());
}
