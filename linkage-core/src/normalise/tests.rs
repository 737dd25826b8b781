use proptest::prelude::*;

use super::*;

const TODAY: crate::record::Day = crate::record::Day {
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
        placeholders = ["保密"]
        [[field]]
        name = "name"
        kind = "name"
        feature = [{ kind = "q-gram", q = 2, bits = 10 }]
        [[field]]
        name = "born"
        kind = "date"
        [[field]]
        name = "sex"
        kind = "code"
        map = { "男" = "1", "M" = "1", "女" = "2" }
        [[field]]
        name = "mobile"
        kind = "digits"
        [[field]]
        name = "address"
        kind = "text"
        "#,
    )
    .unwrap()
}

fn normal(values: [&str; 5]) -> Vec<(String, FieldState)> {
    let schema = schema();
    let raw = RawRecord {
        id: Zeroizing::new("1".into()),
        values: values
            .iter()
            .map(|v| Zeroizing::new((*v).to_owned()))
            .collect(),
    };
    let record = Normaliser::new(&schema, TODAY).record(&raw);
    record
        .values
        .iter()
        .map(|(value, state)| {
            (
                value
                    .as_ref()
                    .map(|v| v.whole().to_owned())
                    .unwrap_or_default(),
                *state,
            )
        })
        .collect()
}

#[test]
fn folds_what_departments_write_differently() {
    let a = normal([
        " 张　三 ",
        "1985-03-07",
        "男",
        "１３８-1234 5679",
        "Ａ座  3楼",
    ]);
    let b = normal(["张三", "1985年3月7日", "m", "13812345679", "a座 3楼"]);
    assert_eq!(a, b);
    assert_eq!(a[1].0, "19850307");
    assert_eq!(a[2].0, "1");
    assert_eq!(
        normal(["O'Brien-Smith", "", "", "", ""])[0].0,
        "obrien smith"
    );
}

#[test]
fn says_why_a_field_is_empty() {
    let states: Vec<_> = normal(["不详", "1900-01-01", " ", "00000000000", "保密"])
        .iter()
        .map(|v| v.1)
        .collect();
    use FieldState::{Invalid, Missing, Placeholder};
    assert_eq!(
        states,
        [Placeholder, Placeholder, Missing, Placeholder, Placeholder]
    );
    let states: Vec<_> = normal(["!!", "1985-02-30", "男", "none", "x"])
        .iter()
        .map(|v| v.1)
        .collect();
    assert_eq!(
        states,
        [
            Invalid(Finding::BadCharacters),
            Invalid(Finding::BadDate),
            FieldState::Valid,
            Placeholder,
            Placeholder
        ]
    );
}

#[test]
fn dates_in_every_usual_spelling() {
    for spelling in [
        "20010203",
        "2001-2-3",
        "2001/02/03",
        "2001.2.3",
        "2001年2月3日",
        "2001-02-03 00:00:00",
        "２００１-02-03",
    ] {
        assert_eq!(
            normal(["", spelling, "", "", ""])[1].0,
            "20010203",
            "{spelling}"
        );
    }
    for wrong in [
        "2001-13-01",
        "01-02-2001",
        "2001",
        "20010230",
        "abc",
        "2001年2月",
        "2001--3",
    ] {
        assert_eq!(
            normal(["", wrong, "", "", ""])[1].1,
            FieldState::Invalid(Finding::BadDate),
            "{wrong}"
        );
    }
}

#[test]
fn counts_hold_no_values() {
    let schema = schema();
    let normaliser = Normaliser::new(&schema, TODAY);
    let mut quality = DataQuality::new(&schema);
    let raw = RawRecord {
        id: Zeroizing::new("1".into()),
        values: vec![Zeroizing::new("王小明".into()), Zeroizing::new("x1".into())],
    };
    quality.add(normaliser.record(&raw).states());
    let counts = |name: &str| {
        quality
            .fields()
            .find(|(field, _)| *field == name)
            .unwrap()
            .1
    };
    assert_eq!(counts("name").valid, 1);
    assert_eq!(counts("born").invalid, 1);
    assert_eq!(counts("mobile").missing, 1);
    assert!(!serde_json::to_string(&quality).unwrap().contains('王'));
}

proptest! {
    #[test]
    fn every_rule_is_idempotent(value in "\\PC{0,24}") {
        let once = text::clean(&value);
        prop_assert_eq!(&*text::clean(&once), &*once);
        let name = text::name(&once);
        prop_assert_eq!(&*text::name(&text::clean(&name)), &*name);
        let digits = text::digits(&once);
        prop_assert_eq!(&*text::digits(&digits), &*digits);
    }

    #[test]
    fn no_value_panics(value in any::<String>()) {
        normal([&value, &value, &value, &value, &value]);
    }
}
