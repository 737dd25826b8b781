use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"
version = 1
entity = "persons"
id_column = "id"

[[field]]
name = "surname"
kind = "name"
[[field.feature]]
kind = "q-gram"
q = 2
bits = 200

[[field]]
name = "born"
column = "birth_date"
kind = "date"
feature = [{ kind = "date-components", bits = 100 }]

[[link_key]]
name = "surname+born"
parts = [{ field = "surname" }, { field = "born" }]

[[block_key]]
name = "year"
parts = [{ field = "born", take = "year" }]
"#;

fn refusal(text: &str) -> String {
    Schema::parse(text).unwrap_err().to_string()
}

#[test]
fn reads_toml_and_the_same_meaning_from_json() {
    let schema = Schema::parse(GOOD).unwrap();
    assert_eq!(schema.fields.len(), 2);
    assert_eq!(
        schema.columns().collect::<Vec<_>>(),
        ["id", "surname", "birth_date"]
    );
    let json = serde_json::to_string_pretty(&schema).unwrap();
    let again = Schema::parse(&json).unwrap();
    assert_eq!(again, schema);
    assert_eq!(again.fingerprint(), schema.fingerprint());
}

#[test]
fn the_fingerprint_follows_the_meaning_only() {
    let schema = Schema::parse(GOOD).unwrap();
    let commented = Schema::parse(&format!("# a comment\n{GOOD}")).unwrap();
    assert_eq!(schema.fingerprint(), commented.fingerprint());
    let other = Schema::parse(&GOOD.replace("bits = 200", "bits = 201")).unwrap();
    assert_ne!(schema.fingerprint(), other.fingerprint());
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let message = refusal(&GOOD.replace("q = 2", "q = 2\nweight = 3"));
    assert!(
        message.contains("line 12") && message.contains("weight"),
        "{message}"
    );
    let json = r#"{"version":1, "entity":"persons", "id_column":"id",
        "sort": 3, "field":[]}"#;
    let message = refusal(json);
    assert!(
        message.contains("line 2") && message.contains("sort"),
        "{message}"
    );
}

#[test]
fn a_key_over_an_undeclared_field_is_refused_with_its_line() {
    let message = refusal(&GOOD.replace("{ field = \"surname\" }", "{ field = \"sirname\" }"));
    assert!(message.starts_with("line 22: "), "{message}");
    assert!(message.contains("fields are: surname, born"), "{message}");
}

#[test]
fn impossible_meanings_are_refused() {
    let cases = [
        ("version = 1", "version = 2", "version 2"),
        ("bits = 200", "bits = 0", "0 bits"),
        ("bits = 200", "bits = 2000", "more than twice"),
        ("q = 2", "q = 9", "give q (1 to 4)"),
        ("take = \"year\"", "take = \"prefix\"", "give length"),
        (
            "kind = \"date\"",
            "kind = \"text\"",
            "date-components needs",
        ),
        ("name = \"born\"", "name = \"surname\"", "declared twice"),
        (
            "entity = \"persons\"",
            "entity = \"cows\"",
            "expected `persons` or `enterprises`",
        ),
    ];
    for (from, to, expected) in cases {
        let message = refusal(&GOOD.replacen(from, to, 1));
        assert!(message.contains(expected), "{to}: {message}");
    }
}

#[test]
fn decide_settings_are_read_and_contradictions_refused() {
    let with =
        |lines: &str| GOOD.replace("[[link_key]]", &format!("[decide]\n{lines}\n[[link_key]]"));
    let decide = |lines: &str| Schema::parse(&with(lines)).unwrap().decide;
    let bare = Schema::parse(GOOD).unwrap();
    assert_eq!(bare.decide.assignment(), Assignment::Greedy);
    assert_eq!(
        bare.fingerprint(),
        Schema::parse(&with("records_per_owner = 1"))
            .unwrap()
            .fingerprint()
    );
    let any = decide("records_per_owner = \"any\"");
    assert_eq!(any.assignment(), Assignment::ManyToMany);
    let one = decide("assignment = \"many-to-one\"\nrecords_per_owner = \"any\"");
    assert_eq!(one.assignment(), Assignment::ManyToOne);
    let schema = Schema::parse(&with("assignment = \"optimal\"")).unwrap();
    assert_eq!(schema.decide.assignment(), Assignment::Optimal);
    let json = serde_json::to_string_pretty(&schema).unwrap();
    assert_eq!(Schema::parse(&json).unwrap(), schema);
    for (lines, expected) in [
        ("records_per_owner = 2", "line 21"),
        ("records_per_owner = \"all\"", "expected 1 or \"any\""),
        ("assignment = \"best\"", "line 21"),
        ("threshold = 1", "line 21"),
        (
            "assignment = \"many-to-many\"",
            "line 21: assignment = \"many-to-many\" needs records_per_owner = \"any\"",
        ),
        (
            "records_per_owner = \"any\"\nassignment = \"greedy\"",
            "line 22: assignment = \"greedy\" needs records_per_owner = 1",
        ),
    ] {
        let message = refusal(&with(lines));
        assert!(message.contains(expected), "{lines}: {message}");
    }
}

#[test]
fn settings_of_candidates_are_checked() {
    let with = |lines: &str| format!("{GOOD}\n[candidates]\n{lines}\n");
    let auto = with("lsh = \"auto\"");
    assert!(refusal(&auto).contains("not diffused"));
    let plain = |text: &str| format!("{text}\n[token]\nprofile = \"plain-clk\"\n");
    let settings = Schema::parse(&plain(&auto)).unwrap().candidates;
    assert_eq!(settings.lsh, Some(Lsh::Auto));
    assert!((settings.lsh_recall() - 0.99).abs() < f64::EPSILON);
    for (line, expected) in [
        ("lsh = \"always\"", "off"),
        ("lsh_recall = 1.5", "lsh_recall must be"),
        ("lsh_agreement = 0.1", "lsh_agreement must be"),
        ("agreement_min = 1", "agreement_min must be"),
        ("agreement_min = nan", "agreement_min must be"),
    ] {
        let message = refusal(&plain(&with(line)));
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn settings_left_out_do_not_change_the_fingerprint() {
    let json = serde_json::to_value(CandidateSettings::default()).unwrap();
    let names: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(names, ["all_pairs_max", "block_pairs_max"]);
}

/// [`GOOD`] with three filters, the first of which swaps with the second.
fn swapping() -> String {
    let given = r#"
        [[field]]
        name = "given"
        kind = "name"
        feature = [{ kind = "q-gram", q = 2, bits = 200 }]
        [[filter]]
        name = "first"
        bits = 128
        fields = ["given"]
        weight = 1
        [[filter]]
        name = "last"
        bits = 128
        fields = ["surname"]
        weight = 1
        swaps_with = "first"
        [[filter]]
        name = "rest"
        bits = 128
        fields = ["born"]
        weight = 1
        frequency = "born"
        [token]
        profile = "fields"
        [candidates]
        neighbours = 3
    "#;
    format!("{GOOD}{given}")
}

#[test]
fn filters_that_swap_name_each_other() {
    let schema = Schema::parse(&swapping()).unwrap();
    let segments = schema.segments();
    let partners: Vec<_> = segments.iter().map(|segment| segment.swaps_with).collect();
    assert_eq!(partners, [Some(1), Some(0), None]);
    assert!(segments[2].frequency && !segments[0].frequency);
    let hashed = ["given", "surname", "born", "other"].map(|field| schema.hashed_as(field));
    assert_eq!(hashed, ["given", "given", "born", "other"]);
    assert_eq!(schema.candidates.neighbours(), 3);
}

#[test]
fn impossible_swaps_are_refused() {
    let cases = [
        (
            "swaps_with = \"first\"",
            "swaps_with = \"none\"",
            "not declared",
        ),
        (
            "swaps_with = \"first\"",
            "swaps_with = \"last\"",
            "cannot swap",
        ),
        (
            "swaps_with = \"first\"",
            "swaps_with = \"rest\"",
            "cannot swap",
        ),
        (
            "fields = [\"given\"]",
            "fields = [\"given\", \"born\"]",
            "cannot swap",
        ),
        ("bits = 128", "bits = 192", "cannot swap"),
        (
            "fields = [\"given\"]\n",
            "fields = [\"given\"]\nswaps_with = \"last\"\n",
            "at one of the two",
        ),
        ("neighbours = 3", "neighbours = 51", "0 to 50"),
    ];
    for (from, to, expected) in cases {
        let text = swapping();
        assert!(text.contains(from), "{from}");
        let message = refusal(&text.replacen(from, to, 1));
        assert!(message.contains(expected), "{to}: {message}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,400}") {
        let _ = Schema::parse(&text);
    }

    #[test]
    fn no_mutation_of_a_schema_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = swapping().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = Schema::parse(&text);
        }
    }
}
