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
    let region = CatalogueEntry {
        values: (0..64).map(|at| format!("44{at:02}")).collect(),
        ..entry("health", "region")
    };
    let note = CatalogueEntry {
        values: ["it's", "a\"b", "甲"].map(String::from).into(),
        ..entry("health", "note")
    };
    Catalogue::new(
        Entity::Persons,
        vec![
            region,
            note,
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
    assert_eq!(expected.parties(), ["credit", "social-security"]);
    assert_eq!(expected.dimensions()[1].attribute, "band");
}

#[test]
fn restrictions_have_one_spelling() {
    let canonical = r#"SELECT "credit"."grade", count(*) FROM persons WHERE "credit"."select" IN ('a') AND "health"."note" IN ('it''s', '甲') GROUP BY 1"#;
    let expected = parse(canonical).unwrap();
    assert_eq!(expected.canonical(), canonical);
    assert_eq!(expected.parties(), ["credit", "health"]);
    for text in [
        "select credit.grade, count(*) from persons where health.note in ('甲', 'it''s') and \
         credit.select IN ('a') group by 1",
        "SELECT credit.grade, count(*) FROM persons WHERE credit.select IN ('a', 'a') AND \
         health.note IN ('it''s', '甲', 'it''s') GROUP BY credit.grade",
    ] {
        assert_eq!(parse(text).unwrap(), expected, "{text}");
    }
    let numbers =
        "SELECT credit.grade, count(*) FROM persons WHERE health.region IN (4403) GROUP BY 1";
    assert_eq!(parse(numbers).unwrap().filters()[0].values, ["4403"]);
}

#[test]
fn one_owner_or_two_with_up_to_four_dimensions() {
    for text in [
        "SELECT credit.grade, count(*) FROM persons GROUP BY 1",
        "SELECT credit.grade, credit.select, count(*) FROM persons GROUP BY 2, 1",
        "SELECT credit.grade, health.chronic, credit.select, health.visit_count, count(*) \
         FROM persons GROUP BY 4, 2, 3, credit.grade",
    ] {
        let request = parse(text).unwrap();
        assert_eq!(parse(&request.canonical()).unwrap(), request);
    }
}

#[test]
fn tables_that_are_too_large_are_refused_where_they_become_so() {
    let text = "SELECT health.region, health.chronic, health.visit_count, health.note, count(*) \
                FROM persons GROUP BY 1, 2, 3, 4";
    let refusal = refused(text);
    let categories = Reason::TooManyCategories {
        party: "health".into(),
        categories: 64 * 4 * 3,
    };
    assert_eq!((*refusal.reason, refusal.place.column), (categories, 59));
    let restricted = text.replace("GROUP", "WHERE health.region IN ('4401', '4402') GROUP");
    assert!(parse(&restricted).is_ok());
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
    assert_eq!(request.dimensions()[0].name.as_deref(), Some("from"));
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
            format!("{head} WHERE credit.grade = 'a' GROUP BY 1, 2"),
            "=",
        ),
        (
            format!("{head} WHERE credit.grade IN ('A') GROUP BY 1, 2"),
            "'A'",
        ),
        (
            format!("{head} WHERE credit.grade IN () GROUP BY 1, 2"),
            ")",
        ),
        (
            format!("{head} WHERE credit.grade IN ('a' 'b') GROUP BY 1, 2"),
            "'b'",
        ),
        (
            format!("{head} WHERE credit.grade NOT IN ('a') GROUP BY 1, 2"),
            "NOT",
        ),
        (
            format!("{head} WHERE credit.grade IN (SELECT 1) GROUP BY 1, 2"),
            "SELECT",
        ),
        (
            format!("{head} WHERE credit.grade IN ('a') OR health.chronic IN ('a') GROUP BY 1, 2"),
            "OR",
        ),
        (
            format!("{head} WHERE credit.grade IN ('a') AND credit.grade IN ('b') GROUP BY 1, 2"),
            "credit",
        ),
        (
            format!("{head} WHERE social_security.band IN ('a') GROUP BY 1, 2"),
            "social_security",
        ),
        (
            format!("{head} GROUP BY 1, 2 WHERE credit.grade IN ('a')"),
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
            format!("SELECT credit.grade, credit.grade, count(*) {tail}"),
            "credit",
        ),
        (format!("SELECT credit.grade, count(*) {tail}"), ","),
        (format!("SELECT count(*) {tail}"), "count"),
        (format!("{head} GROUP BY 1"), ""),
        (format!("{head} GROUP BY 0, 1"), "0"),
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
         its attributes: chronic, note, region, visit-count"
    );
    assert_eq!(
        refusal.render(),
        "health offers no attribute \"cronic\" (did you mean chronic?); its attributes: chronic, \
         note, region, visit-count\n  |\n2 |   health.cronic, count(*) FROM persons GROUP BY 1, 2\n  |          ^^^^^^\n  \
         = allowed: SELECT owner.attribute, ... count(*) FROM persons [WHERE owner.attribute IN \
         ('value', ...) AND ...] GROUP BY 1, ...\n"
    );
    let refusal = refused(
        "SELECT credit.grade, count(*) FROM persons WHERE health.region IN ('4404', '449') GROUP BY 1",
    );
    let text = refusal.to_string();
    assert!(
        text.contains("health.region has no value \"449\" (did you mean 4409"),
        "{text}"
    );
    assert!(text.ends_with("4418, 4419 and 44 more"), "{text}");
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
            "/*", "*/", "WHERE", "IN", "AND", "'a'", "4401", "region", "$$", "\\", "`", "\u{0}",
            "e'", "U&'", "0x", "1e", "{{", "@",
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
        picked in proptest::sample::subsequence((0_usize..8).collect::<Vec<_>>(), 1..=4).prop_shuffle(),
        restricted in proptest::sample::subsequence((0_usize..8).collect::<Vec<_>>(), 0..=3),
        names in proptest::collection::vec(proptest::option::of("[^\"`\\p{Cc}]{1,64}"), 5),
        kept in 1_usize..4,
    ) {
        let catalogue = catalogue();
        let entries = |picked: &[usize]| picked.iter().map(|at| &catalogue.entries()[*at]).collect::<Vec<_>>();
        let dimensions = entries(&picked).into_iter().zip(&names).map(|(entry, name)| DimensionRef {
            party: entry.party.clone(),
            attribute: entry.attribute.clone(),
            name: name.clone(),
        });
        let mut filters: Vec<Filter> = entries(&restricted).into_iter().map(|entry| Filter {
            party: entry.party.clone(),
            attribute: entry.attribute.clone(),
            values: entry.values.iter().take(kept).cloned().collect(),
        }).collect();
        filters.sort();
        let request = ExtractRequest {
            population: Entity::Persons,
            dimensions: dimensions.collect(),
            count_name: names[4].clone(),
            filters,
        };
        match ExtractRequest::parse(&request.canonical(), &catalogue) {
            Ok(read) => {
                prop_assert!(request.parties().len() <= 2);
                prop_assert!(layout::Layout::new(&read, &catalogue).unwrap().cells() <= CELLS_MAX);
                prop_assert_eq!(read, request);
            }
            Err(refusal) => {
                let expected = matches!(
                    *refusal.reason,
                    Reason::TooManyOwners { .. } | Reason::TooManyCategories { .. } | Reason::TooManyCells { .. }
                );
                prop_assert!(expected, "{}", refusal.render());
            }
        }
    }
}
