use proptest::prelude::*;

use super::catalogue::{Catalogue, CatalogueEntry};
use crate::schema::Entity;

use super::refusal::{ALLOWED, Reason, Refusal};
use super::*;

fn catalogue() -> Catalogue {
    let entry = |party: &str, attribute: &str| CatalogueEntry {
        party: party.into(),
        attribute: attribute.into(),
        title: None,
        values: vec!["a".into(), "b".into()],
    };
    Catalogue::new(
        Entity::Persons,
        vec![
            entry("credit", "grade"),
            entry("credit", "select"),
            entry("health", "chronic"),
            entry("health", "visit-count"),
            entry("social-security", "band"),
            entry("税务", "等级"),
        ],
    )
    .unwrap()
}

fn parse(text: &str) -> Result<ExtractRequest, Refusal> {
    ExtractRequest::parse(text, &catalogue())
}

fn refused(text: &str) -> Refusal {
    parse(text).expect_err(text)
}

const CANONICAL: &str =
    r#"SELECT "credit"."grade", "social-security"."band", count(*) FROM persons GROUP BY 1, 2"#;

#[test]
fn spellings_of_one_request_share_canonical_form_and_digest() {
    let expected = parse(CANONICAL).unwrap();
    assert_eq!(expected.canonical(), CANONICAL);
    for text in [
        "SELECT credit.grade, social_security.band, count(*) FROM persons GROUP BY 1, 2",
        "select Credit.GRADE, Social_Security.band, COUNT ( * ) from Persons group by 2, 1;",
        r#"SELECT credit.grade, "social-security".band, count(*) FROM persons
           GROUP BY credit.grade, social_security.band"#,
        "SELECT credit.grade, social_security.band, count(*) FROM persons GROUP BY social_security.band, 1",
        "SELECT -- by grade\n credit.grade, /* and /* band */ */ social_security.band,\tcount(*)\r\nFROM persons GROUP BY 1, 2 ; ",
    ] {
        let request = parse(text).unwrap();
        assert_eq!(request, expected, "{text}");
        assert_eq!(request.digest(), expected.digest());
    }
    assert_eq!(expected.row().party, "credit");
    assert_eq!(expected.column().attribute, "band");
}

#[test]
fn the_digest_is_that_of_label_and_canonical_form() {
    // printf 'linkage/extract-request/v1\0%s' "$canonical" | sha256sum
    let digest = hex::encode(parse(CANONICAL).unwrap().digest());
    assert_eq!(
        digest,
        "8f0b07fa88e7379c4fe0e558c67f5959299cb5db48938edcc96b2e7e745f32ca"
    );
}

#[test]
fn different_questions_have_different_digests() {
    let texts = [
        CANONICAL,
        "SELECT social_security.band, credit.grade, count(*) FROM persons GROUP BY 1, 2",
        "SELECT health.chronic, credit.grade, count(*) FROM persons GROUP BY 1, 2",
        "SELECT credit.grade, social_security.band, count(*) AS people FROM persons GROUP BY 1, 2",
        "SELECT credit.grade AS g, social_security.band, count(*) FROM persons GROUP BY 1, 2",
    ];
    let digests: std::collections::HashSet<_> = texts
        .iter()
        .map(|text| parse(text).unwrap().digest())
        .collect();
    assert_eq!(digests.len(), texts.len());
}

#[test]
fn reserved_and_chinese_names_can_be_asked_for() {
    let request = parse(
        "SELECT credit.select AS from, 税务.等级 AS 等级, count(*) AS 人数 FROM persons GROUP BY 1, 2",
    )
    .unwrap();
    assert_eq!(request.row().name.as_deref(), Some("from"));
    assert_eq!(request.count_name(), Some("人数"));
    assert_eq!(parse(&request.canonical()).unwrap(), request);
}

/// Everything outside the subset, with the word that the refusal must point at.
#[test]
fn refusals_point_at_the_word() {
    let tail = "FROM persons GROUP BY 1, 2";
    let head = "SELECT credit.grade, health.chronic, count(*) FROM persons";
    for (text, word) in [
        (
            format!("{head} WHERE credit.grade = 'A' GROUP BY 1, 2"),
            "WHERE",
        ),
        (
            format!("{head} GROUP BY 1, 2 HAVING count(*) > 3"),
            "HAVING",
        ),
        (format!("{head} GROUP BY 1, 2 ORDER BY 1"), "ORDER"),
        (format!("{head} GROUP BY 1, 2 LIMIT 1"), "LIMIT"),
        (format!("{head} GROUP BY 1, 2; DROP TABLE persons"), "DROP"),
        (format!("{head} GROUP BY 1, 2 UNION {CANONICAL}"), "UNION"),
        (format!("{head} GROUP BY ROLLUP(1, 2)"), "ROLLUP"),
        (format!("{head} JOIN x ON y GROUP BY 1, 2"), "JOIN"),
        (format!("{head} p GROUP BY 1, 2"), "p"),
        (format!("{head}, persons GROUP BY 1, 2"), ","),
        (format!("{head} GROUP BY 1, 1"), "1"),
        (format!("{head} GROUP BY 1, 3"), "3"),
        (format!("{head} GROUP BY 1, credit.grade"), "credit"),
        (format!("{head} GROUP BY 1, 2, 3"), ","),
        (
            format!("{head} GROUP BY 1, social_security.band"),
            "social_security",
        ),
        (
            format!("SELECT DISTINCT credit.grade, health.chronic, count(*) {tail}"),
            "DISTINCT",
        ),
        (
            format!("SELECT credit.grade, health.chronic, sum(health.chronic) {tail}"),
            "sum",
        ),
        (
            format!("SELECT sum(credit.grade), health.chronic, count(*) {tail}"),
            "sum",
        ),
        (
            format!("SELECT credit.grade, health.chronic, count(1) {tail}"),
            "1",
        ),
        (
            format!("SELECT credit.grade, health.chronic, count(DISTINCT x) {tail}"),
            "DISTINCT",
        ),
        (
            format!("SELECT credit.grade, health.chronic, count(*) OVER () {tail}"),
            "OVER",
        ),
        (
            format!("SELECT credit.grade, health.chronic, count(*) + 1 {tail}"),
            "+",
        ),
        (
            format!("SELECT credit.grade || 'x', health.chronic, count(*) {tail}"),
            "||",
        ),
        (
            format!("SELECT (credit.grade), health.chronic, count(*) {tail}"),
            "(",
        ),
        (format!("SELECT *, count(*) {tail}"), "*"),
        (
            format!("SELECT 'x', health.chronic, count(*) {tail}"),
            "'x'",
        ),
        (
            format!("SELECT grade, health.chronic, count(*) {tail}"),
            "grade",
        ),
        (
            format!("SELECT a.credit.grade, health.chronic, count(*) {tail}"),
            "a",
        ),
        (
            format!("SELECT credit.grade.x, health.chronic, count(*) {tail}"),
            ".",
        ),
        (
            format!("SELECT credit.grade, credit.select, count(*) {tail}"),
            "credit",
        ),
        (format!("SELECT credit.grade, count(*) {tail}"), "count"),
        (
            format!("SELECT credit.grade, health.chronic, social_security.band, count(*) {tail}"),
            "social_security",
        ),
        (
            format!("SELECT \"Credit\".grade, health.chronic, count(*) {tail}"),
            "\"Credit\"",
        ),
        (
            format!("SELECT credit.grade AS \"a\"\"b\", health.chronic, count(*) {tail}"),
            "\"a\"\"b\"",
        ),
        (
            format!("SELECT credit.grade AS \"\", health.chronic, count(*) {tail}"),
            "\"\"",
        ),
        (
            "SELECT credit.grade, health.chronic, count(*) FROM enterprises GROUP BY 1, 2".into(),
            "enterprises",
        ),
        ("WITH x AS (SELECT 1) SELECT 1".into(), "WITH"),
        ("DELETE FROM persons".into(), "DELETE"),
        (head.into(), ""),
        (String::new(), ""),
    ] {
        let refusal = refused(&text);
        let place = &refusal.place;
        assert_eq!(
            &text[place.bytes.clone()],
            word,
            "{text}\n{}",
            refusal.render()
        );
        assert_eq!(
            text[..place.bytes.start].chars().count() + 1,
            place.column,
            "{text}"
        );
        assert!(refusal.render().contains(ALLOWED));
    }
}

#[test]
fn unknown_names_list_near_misses_and_all_names() {
    let refusal =
        refused("SELECT credt.grade, health.chronic, count(*) FROM persons GROUP BY 1, 2");
    assert_eq!(
        *refusal.reason,
        Reason::UnknownParty {
            name: "credt".into(),
            near: vec!["credit".into()],
            allowed: ["credit", "health", "social-security", "税务"]
                .map(String::from)
                .into(),
        }
    );
    let refusal =
        refused("SELECT credit.grade,\n  health.cronic, count(*) FROM persons GROUP BY 1, 2");
    assert_eq!(
        refusal.to_string(),
        "line 2, column 10: health offers no attribute \"cronic\" (did you mean chronic?); \
         its attributes: chronic, visit-count"
    );
    assert_eq!(
        refusal.render(),
        "health offers no attribute \"cronic\" (did you mean chronic?); its attributes: chronic, \
         visit-count\n  |\n2 |   health.cronic, count(*) FROM persons GROUP BY 1, 2\n  |          ^^^^^^\n  \
         = allowed: SELECT owner.attribute, owner.attribute, count(*) FROM persons GROUP BY 1, 2\n"
    );
}

#[test]
fn limits_hold() {
    let padded = |bytes: usize| format!("{CANONICAL}{}", " ".repeat(bytes - CANONICAL.len()));
    assert!(parse(&padded(TEXT_BYTES_MAX)).is_ok());
    assert_eq!(
        *refused(&padded(TEXT_BYTES_MAX + 1)).reason,
        Reason::TooLong {
            bytes: TEXT_BYTES_MAX + 1
        }
    );
    let name = |chars: usize| {
        let name = "税".repeat(chars);
        format!(
            "SELECT credit.grade AS {name}, health.chronic, count(*) FROM persons GROUP BY 1, 2"
        )
    };
    assert!(parse(&name(NAME_CHARS_MAX)).is_ok());
    assert!(matches!(
        *refused(&name(NAME_CHARS_MAX + 1)).reason,
        Reason::Unexpected { .. }
    ));
}

#[test]
fn deep_nesting_and_open_quotes_are_refused_at_once() {
    for text in [
        "(".repeat(4096),
        "/*".repeat(2048),
        "\"".to_owned(),
        "SELECT 'a".to_owned(),
    ] {
        refused(&text);
    }
    let nested = format!("SELECT {}1{}", "(".repeat(2000), ")".repeat(2000));
    assert_eq!(refused(&nested).place.column, 8);
}

fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        proptest::sample::select(vec![
            "SELECT", "credit", ".", "grade", ",", "health", "chronic", "count", "(", "*", ")",
            "FROM", "persons", "GROUP", "BY", "1", "2", ";", "AS", "\"", "'", "税务", "\n", "--",
            "/*", "*/", "WHERE", "$$", "\\", "`", "\u{0}", "e'", "U&'", "0x", "1e", "{{", "@",
        ]),
        0..40,
    )
    .prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn arbitrary_text_does_not_panic(text in any::<String>()) {
        if let Err(refusal) = parse(&text) {
            prop_assert!(text.get(refusal.place.bytes.clone()).is_some());
            prop_assert!(!refusal.render().is_empty());
        }
    }

    #[test]
    fn shuffled_words_do_not_panic(text in words()) {
        match parse(&text) {
            Ok(request) => prop_assert_eq!(parse(&request.canonical()).unwrap(), request),
            Err(refusal) => prop_assert!(text.get(refusal.place.bytes).is_some()),
        }
    }

    #[test]
    fn one_changed_byte_is_refused_or_reads_back(at in 0..CANONICAL.len(), byte in 0u8..128) {
        let mut bytes = CANONICAL.as_bytes().to_vec();
        bytes[at] = byte;
        let text = String::from_utf8(bytes).unwrap();
        if let Ok(request) = parse(&text) {
            prop_assert_eq!(parse(&request.canonical()).unwrap(), request);
        }
    }

    #[test]
    fn canonical_forms_read_back(
        first in 0usize..6,
        second in 0usize..6,
        names in proptest::collection::vec(proptest::option::of("[^\"`\\p{Cc}]{1,64}"), 3),
    ) {
        let catalogue = catalogue();
        let (row, column) = (&catalogue.entries()[first], &catalogue.entries()[second]);
        prop_assume!(row.party != column.party);
        let dimension = |entry: &CatalogueEntry, name: &Option<String>| DimensionRef {
            party: entry.party.clone(),
            attribute: entry.attribute.clone(),
            name: name.clone(),
        };
        let request = ExtractRequest {
            population: Entity::Persons,
            row: dimension(row, &names[0]),
            column: dimension(column, &names[1]),
            count_name: names[2].clone(),
        };
        prop_assert_eq!(ExtractRequest::parse(&request.canonical(), &catalogue).unwrap(), request);
    }
}
